"""A benchmark's result for people: tables, and the targets of two cores of the AVX-512 class beside what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from personvlm.base.errors import PersonVLMError

Result = Mapping[str, Any]


class Table(NamedTuple):
    """``rows``: first column -> the others; figures as text."""

    title: str
    header: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def targets(result: Result) -> list[dict[str, Any]]:
    """Every target that was measured: ``what``, ``figure``, ``bound`` (``<= 20 ms``) and whether it is ``met``."""
    found = []

    def at_most(what: str, figure: float, bound: float, unit: str) -> None:
        found.append({"what": what, "figure": round(figure, 3), "bound": f"<= {bound:g} {unit}",
                      "met": figure <= bound})  # fmt: skip

    def at_least(what: str, figure: float, bound: float, unit: str) -> None:
        found.append({"what": what, "figure": round(figure, 3), "bound": f">= {bound:g} {unit}",
                      "met": figure >= bound})  # fmt: skip

    at_most("one description, p50", result["latency_ms"]["p50"], 20, "ms")
    at_most("one description, p99", result["latency_ms"]["p99"], 40, "ms")
    at_least("batch 16", next(row["per_s"] for row in result["batches"] if row["batch"] == 16), 100, "a second")
    at_most("memory at its highest", result["memory"]["peak_mb"], 300, "MB")
    at_most("process from start to end, slowest", result["start_up_s"]["max"], 1.5, "s")
    at_most("heavy packages imported", len(result["memory"]["heavy"]), 0, "")
    at_most("wait of a lone request, longest", result["capacity"]["lone_wait_ms"]["max"], 2, "ms")
    for row in result["load"]:
        if row["share"] == 0.8:
            window = result["capacity"]["window_ms"] + result["capacity"]["batch_ms"]
            at_most("wait at 80 % load, p99", row["wait_ms"]["p99"], round(window, 1), "ms: window and batch")
    if "compare" in result:
        ratios, compared = result["compare"]["ratios"], result["compare"]
        times = {row["name"]: row["ms"]["p50"] for row in compared["contestants"]}
        bounds = {"stage 4, int8, unpruned, no drafts, 40 words": 220}
        if compared.get("stage4"):  # random weights are not pruned and nothing drafts for them
            bounds = {"stage 4, int8, 40 words": 70, **bounds}
        for name, bound in bounds.items():
            if name in times:
                at_most(name, times[name], bound, "ms")
        at_least("edge, published loop", ratios["edge"], 300, "times")
        at_least("stage 4, published loop", ratios["stage 4, int8"], 50, "times")
    if result.get("gpu", {}).get("kind") == "cuda":
        gpu = result["gpu"]
        rates = {(row["model"], row["source"], row["batch"]): row for row in gpu["rates"]}
        at_most("GPU: stage 4, one picture, p50", rates["stage 4", "pictures", 1]["ms"]["p50"], 10, "ms")
        for name, bound in (("stage 4", 5_000), ("edge", 20_000)):
            for source in ("pictures", "JPEGs"):
                best = max(row["per_s"] for key, row in rates.items() if key[:2] == (name, source))
                at_least(f"GPU: {name}, best batch of {source}", best, bound, "a second")
        for name, memory in gpu["memory"].items():
            at_most(f"GPU: memory of {name}, batch {gpu['memory_batch']}", memory["reserved_mb"], 2_000, "MB")
    return found


def tables(result: Result) -> Iterator[Table]:
    """Everything worth a look, in the order in which it was measured."""
    facts = result["hardware"]
    limits = [f"{name} {limit}" for name, limit in facts["cgroup"].items() if limit is not None]
    yield Table("This machine", ("", ""), {
        "processor": (facts["cpu"],),
        "cores": (f"{facts['cores']} of {facts['cores_of_the_machine']}",),
        "features": (" ".join(facts["flags"]) or "none of those that matter here",),
        "memory, level 3 cache": (f"{facts['memory_gb'] or '?'} GB, {facts['l3_mb'] or '?'} MB",),
        "limits of the cgroup": (", ".join(limits) or "none",),
        "system": (facts["system"],),
        "versions": (", ".join(f"{name} {number}" for name, number in result["versions"].items()),),
        "model, pictures": (f"{result['model']['name']} ({result['model']['backend']}), {result['pictures']['count']} "
                            f"{result['pictures']['source']} of {result['pictures']['mean_bytes']} bytes",),
    })  # fmt: skip
    latency, start, memory = result["latency_ms"], result["start_up_s"], result["memory"]
    energy = result["energy"]
    joules = (f"{energy['joules_per_description']:.2f} J each, {energy['watts']:.0f} W" if energy["readable"]
              else f"not readable ({energy['why']})")  # fmt: skip
    tokens = result["tokens"]
    yield Table("One description, from the bytes of a JPEG to JSON", ("", "p50", "p90", "p99", "max"), {
        "whole, ms": _cells(latency),
        **{f"  {stage}, ms": _cells(times) for stage, times in result["stages_ms"].items()},
        "process from start to end, s": _cells(start, 2),
    })  # fmt: skip
    yield Table("Around it", ("", ""), {
        "words per description": (f"{tokens['mean']:.1f} ({tokens['min']} to {tokens['max']})",),
        "memory": (f"{memory['rss_mb']:.0f} MB, at most {memory['peak_mb']:.0f} MB",),
        "heavy packages imported": (", ".join(memory["heavy"]) or "none",),
        "energy": (joules,),
    })  # fmt: skip
    yield Table("By batch, one describer", ("batch", "a second", "ms per batch"),
                {str(row["batch"]): (f"{row['per_s']:.1f}", f"{row['ms_per_batch']:.1f}")
                 for row in result["batches"]})  # fmt: skip
    yield Table("Batch engine with more than it can answer", ("workers × threads, batch", "a second", "ms per batch"),
                {f"{row['workers']} × {row['threads']}, {row['batch']}": (f"{row['per_s']:.1f}",
                                                                         f"{row['batch_ms']:.1f}")
                 for row in result["capacity"]["tried"]})  # fmt: skip
    yield Table("Batch engine under Poisson arrivals (times in ms)",
                ("load", "offered/s", "done/s", "wait p50", "p99", "answer p50", "p99", "batch"),
                {f"{row['share']:.0%}": (f"{row['offered']:.1f}", f"{row['per_s']:.1f}",
                                         *(f"{row[kind].get(name, 0):.1f}" for kind in ("wait_ms", "total_ms")
                                           for name in ("p50", "p99")), f"{row['mean_batch']:.1f}")
                 for row in result["load"]})  # fmt: skip
    if "cameras" in result:
        cameras = result["cameras"]
        yield Table(f"Cameras carried: {cameras['cameras']}",
                    ("tried", "seconds", "p99, ms", f"under {cameras['limit_ms']:.0f}"),
                    {f"{row['cameras']}{' ' * index}": (f"{row['seconds']:.0f}", f"{row['p99_ms'] or 0:.0f}",
                                                        "yes" if row["fits"] else "no")
                     for index, row in enumerate(cameras["tried"])})  # fmt: skip
    if "compare" in result:
        compare = result["compare"]
        yield Table("In turns in one run", ("", "n", "words", "p50, ms", "times faster"),
                    {row["name"]: (str(row["n"]), f"{row['tokens']:.0f}", f"{row['ms']['p50']:.1f}",
                                   f"{compare['ratios'][row['name']]:.1f}" if row["name"] in compare["ratios"] else "")
                     for row in compare["contestants"]})  # fmt: skip
    if "gpu" in result:
        yield from _gpu_tables(result["gpu"])
    yield Table("Targets of two cores with AVX-512, and of a GPU" if "gpu" in result
                else "Targets of two cores with AVX-512", ("", "figure", "bound", "met"),
                {row["what"]: (f"{row['figure']:g}", row["bound"], "yes" if row["met"] else "NO")
                 for row in result["targets"]})  # fmt: skip


def _gpu_tables(gpu: Mapping[str, Any]) -> Iterator[Table]:
    weights = f"weights of {gpu['stage4']}" if gpu["stage4"] else "random weights"
    yield Table("The device of torch", ("", ""), {
        "device": (gpu["name"] if gpu["memory_gb"] is None else f"{gpu['name']}, {gpu['memory_gb']:.0f} GB",),
        "computing": (f"{gpu['precision']}, {'CUDA graphs' if gpu['graphs'] else 'no CUDA graphs'}, torch "
                      f"{gpu['torch']}",),
        "stage 4": (f"{weights}, {gpu['words']} words each" + (
            f", {gpu['words_per_step']} a step alone" if gpu.get("words_per_step") else ""),),
        **{f"memory of {name}, batch {gpu['memory_batch']}":
           (f"{memory['allocated_mb']:.0f} MB, reserved {memory['reserved_mb']:.0f} MB" if memory else "not read",)
           for name, memory in gpu["memory"].items()},
    })  # fmt: skip
    yield Table("On it, by batch", ("model, from, batch", "a second", "ms p50", "ms p99"),
                {f"{row['model']}, {row['source']}, {row['batch']}": (f"{row['per_s']:,.1f}", f"{row['ms']['p50']:.2f}",
                                                                     f"{row['ms']['p99']:.2f}")
                 for row in gpu["rates"]})  # fmt: skip


def quiet_note(result: Result) -> str | None:
    """A warning where other processes computed meanwhile, so that the figures are no machine's."""
    share = result["busy_elsewhere"]
    if share is None or share < 0.05:
        return None
    return f"other processes used {share:.0%} of this machine meanwhile: these figures are too low for it"


def plot(result: Result, path: str) -> None:
    """The same as a picture (PNG).

    Raises:
        PersonVLMError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise PersonVLMError("the picture needs matplotlib: pip install 'personvlm[train]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4 if "compare" in result else 3, figsize=(16, 4), layout="constrained")
    stages = {name: times["p50"] for name, times in result["stages_ms"].items()}
    axes[0].barh(list(stages), list(stages.values()))
    axes[0].invert_yaxis()
    axes[0].set(title=f"one description: {result['latency_ms']['p50']:.1f} ms at p50", xlabel="ms, p50 of each stage")
    axes[1].plot([row["batch"] for row in result["batches"]], [row["per_s"] for row in result["batches"]], marker="o")
    axes[1].set(title="by batch", xlabel="pictures per batch", ylabel="descriptions a second", ylim=0)
    axes[1].set_xscale("log", base=2)
    load = [row for row in result["load"] if row["total_ms"]]
    for kind, name in (("total_ms", "p50"), ("total_ms", "p99"), ("wait_ms", "p99")):
        label = f"{'answer' if kind == 'total_ms' else 'wait'}, {name}"
        axes[2].plot([row["offered"] for row in load], [row[kind][name] for row in load], marker="o", label=label)
    if "cameras" in result:
        axes[2].axhline(result["cameras"]["limit_ms"], color="gray", linestyle=":")
        axes[2].axvline(result["cameras"]["cameras"], color="gray", linestyle=":", label="cameras carried")
    axes[2].set(title="under Poisson arrivals", xlabel="offered per second", ylabel="ms", yscale="log")
    axes[2].legend(fontsize=8)
    if "compare" in result:
        rows = {row["name"]: row["ms"]["p50"] for row in result["compare"]["contestants"]}
        bars = axes[3].barh(list(rows), list(rows.values()))
        axes[3].bar_label(bars, [f" {value:,.0f} ms" for value in rows.values()], fontsize=8)
        axes[3].invert_yaxis()
        axes[3].margins(x=0.3)
        axes[3].set(title="one description each, in turns", xlabel="ms, p50", xscale="log")
    for axis in axes:
        axis.grid(alpha=0.3)
    figure.suptitle(f"{result['model']['name']} on {result['line']}", fontsize=9)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _cells(times: Mapping[str, float], digits: int = 1) -> tuple[str, ...]:
    return tuple(f"{times[name]:.{digits}f}" for name in ("p50", "p90", "p99", "max"))
