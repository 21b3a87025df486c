"""``personvlm simulate``: cameras and workers on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from personvlm.cli.describe import Model, Quiet
from personvlm.cli.output import print_json, print_table


def simulate(
    cameras: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    people_per_minute: Annotated[float, typer.Option(min=0.001, help="Who appear on each camera.")] = 10.0,
    workers: Annotated[int, typer.Option(min=1, help="`personvlm worker` processes.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of arrivals, after one minute that does not count.")] = 5.0,
    stay: Annotated[float, typer.Option(min=0.1, help="Mean seconds that somebody is in sight.")] = 15.0,
    reid: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of people asked about for re-ID.")] = 0.0,
    crops: Annotated[int, typer.Option(min=1, help="Pictures of an update or last event.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Most events in a batch.")] = 16,
    depth: Annotated[int, typer.Option(min=1, help="Most events that wait.")] = 100_000,
    overhead_ms: Annotated[float, typer.Option(min=0.0, help="Claiming, storing, acknowledging: per batch.")] = 10.0,
    per_machine: Annotated[int, typer.Option(min=1, help="Workers that share the cores of a machine.")] = 1,
    target_p99: Annotated[
        float | None, typer.Option(min=1.0, metavar="MS", help="Also find how many workers keep p99 of new people.")
    ] = None,
    bench: Annotated[
        Path | None, typer.Option(help="JSON of `personvlm bench --json` (default: measured here, some seconds).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other people.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Latency, age of the queue, what is shed, and the workers that a target takes; service times are measured."""
    import sys

    from personvlm.pipeline.simulate import Pool, workers_needed
    from personvlm.pipeline.simulate import simulate as run
    from personvlm.pipeline.simulate_load import Arrivals, Crowd
    from personvlm.pipeline.simulate_times import SIZES, from_bench, measured_here

    crowd = Crowd(cameras, people_per_minute, stay=stay, reid=reid, crops=crops)
    pool = Pool(workers, batch, depth=depth, per_machine=per_machine, overhead_ms=overhead_ms)
    if bench is None and not quiet:
        print("personvlm: measuring how long batches take on this machine", file=sys.stderr)
    sizes = [size for size in SIZES if size <= batch]  # larger ones never come
    times = measured_here(model, workers=per_machine, sizes=sizes) if bench is None else from_bench(bench)
    warm_up = 60.0
    arrivals = Arrivals.of_crowd(crowd, 60 * minutes + warm_up, seed)
    outcome = run(arrivals, pool, times, warm_up=warm_up, seed=seed)
    result: dict[str, Any] = {
        "cameras": cameras, "people_per_minute": people_per_minute, "workers": workers, "per_machine": per_machine,
        "events_per_s": round(len(arrivals.time) / float(arrivals.time[-1]), 3), "times": times.source,
        **outcome.record(),
    }  # fmt: skip
    if target_p99 is not None:
        needed, tried = workers_needed(arrivals, pool, times, p99_ms=target_p99, warm_up=warm_up)
        result |= {"target_p99_ms": target_p99, "workers_needed": needed, "tried": tried}
    if as_json:
        print_json(result, indent=1)
        return
    measured = {**result["latency_ms"], "queue age": result["queue_age_ms"]}
    rows = {name.replace("_", " "): tuple(f"{found[key]:,.0f}" for key in ("p50", "p90", "p99", "max"))
            for name, found in measured.items() if found}  # fmt: skip
    print_table("Milliseconds from an event to its words", rows, ("", "p50", "p90", "p99", "max"))
    print(f"{result['events_per_s']:.1f} events/s, {workers} workers {outcome.utilization:.0%} busy, mean batch "
          f"{outcome.mean_batch:.1f}; {outcome.superseded} updates superseded, {outcome.shed} shed")  # fmt: skip
    if outcome.growing:
        print("This load is not carried: the queue grows.")
    if target_p99 is not None:
        print(f"{result['workers_needed']} workers keep 99 % of new people within {target_p99:g} ms")
    print(f"Times: {times.source}")
