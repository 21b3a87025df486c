"""How fast queues are, and what they cost beside describing. Rates hold on two cores that do nothing else."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import services
from personvlm.data.rendered import render
from personvlm.events import open_queue
from personvlm.events.describing import EventEngine
from personvlm.events.worker import Worker
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.tracks import TrackModel
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.store import Store

PROCESSES = 4
CROP = bytes(range(256)) * 32  # 8 kB
BATCH = 16


def take_part(url: str, number: int, count: int, ready: Any, done: Any) -> None:
    """Put ``count`` events, then claim and acknowledge until nothing is left; tells what was acknowledged."""
    queue = open_queue(url)
    events = [DescribeRequest.build("gate", number * count + each, "new_track", 1.0, Crop(data=CROP))
              for each in range(count)]  # fmt: skip
    ready.wait()
    for start in range(0, count, BATCH):
        queue.put(events[start : start + BATCH])
    ready.wait()
    acknowledged = []
    while leases := queue.claim(BATCH, 0.3):
        held = queue.ack(leases)
        acknowledged += [lease.request.track_id for lease, mine in zip(leases, held, strict=True) if mine]
    done.put((acknowledged, time.perf_counter() - (0.3 if acknowledged else 0.0)))
    queue.close()


def rate(url: str, count: int) -> float:
    """Events per second in and out; every one exactly once. SQLite syncs what it accepts; Redis once a second, as it
    does by itself, or ``always``."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["personvlm.events.sql", "personvlm.events.redis_streams"])
    ready, done = context.Barrier(PROCESSES + 1), context.Queue()
    processes = [context.Process(target=take_part, args=(url, number, count // PROCESSES, ready, done), daemon=True)
                 for number in range(PROCESSES)]  # fmt: skip
    open_queue(url).close()
    for process in processes:
        process.start()
    ready.wait(60)
    began = time.perf_counter()
    ready.wait(120)
    put = time.perf_counter() - began
    results = [done.get(timeout=120) for _ in processes]
    seconds = max(ended for _, ended in results) - began  # one clock for all processes of a machine
    for process in processes:
        process.join(20)
    taken = sorted(each for acknowledged, _ in results for each in acknowledged)
    assert taken == list(range(count))
    print(f"\n{url.split(':')[0]}: {count / seconds:.0f} events/s in and out ({count / put:.0f} in) with 4 processes")
    return count / seconds


def address(adapter: str, folder: Path) -> tuple[str, Any]:
    if adapter == "sqlite":
        return f"sqlite:///{folder / 'queue.db'}", None
    own = services.OwnRedis(folder / "redis", adapter.removeprefix("redis ") if " " in adapter else "everysec")
    return own.url, own


@pytest.mark.parametrize("adapter", ["sqlite", "redis"])
def test_four_processes_get_everything_once(adapter: str, tmp_path: Path) -> None:
    url, own = address(adapter, tmp_path)
    assert rate(url, 1_000) > 0
    if own is not None:
        own.stop()


@pytest.mark.accept
@pytest.mark.parametrize(("adapter", "least"), [("sqlite", 2_000), ("redis", 3_000), ("redis always", 0)])
def test_rates(adapter: str, least: float, tmp_path: Path) -> None:
    url, own = address(adapter, tmp_path)
    rates = [rate(f"{url}?queue=q{number}" if own else f"{url}{number}", 20_000) for number in range(3)]
    if own is not None:
        own.stop()
    assert max(rates) >= least, rates


@pytest.mark.accept
@pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")
def test_queue_and_store_cost_little_beside_describing(tmp_path: Path) -> None:
    """Against the same batches described alone, decoding included; in turns, so that both meet the same machine. By the
    clock, and by the time of the cores, which others on the machine disturb less."""
    pictures = []
    for seed in range(64):
        file = BytesIO()
        Image.fromarray(render({}, seed=seed, size=(64, 128))).save(file, "JPEG")
        pictures.append(file.getvalue())
    model = TrackModel(Describer.load())
    describer = model.describer
    count, shares, of_cores = 320, [], []

    def alone() -> tuple[float, float]:
        began = time.perf_counter(), time.process_time()
        for start in range(0, count, BATCH):
            some = [pictures[number % len(pictures)] for number in range(start, start + BATCH)]
            model.describe_all([[(describer.transform.fit(describer._read(data)), 1.0)] for data in some])
        return time.perf_counter() - began[0], time.process_time() - began[1]

    def through_queue_and_store(number: int) -> tuple[float, float]:
        place = tmp_path / f"{number}.db"
        with Store.open(place) as store:
            queue = open_queue(str(place), store=store)
            began = time.perf_counter(), time.process_time()
            for start in range(0, count, BATCH):
                queue.put([DescribeRequest.build("gate", each, "new_track", time.time(),
                                                 Crop(data=pictures[each % len(pictures)]))
                           for each in range(start, start + BATCH)])  # fmt: skip
            worker = Worker(queue, store, EventEngine(model, None, BatchSettings(batch=BATCH, preparers=1)))
            thread = threading.Thread(target=lambda: worker.run(until_empty=True))
            thread.start()
            # Counted after the commit that acknowledges too; asking the queue would take the cores' time.
            while worker.counts["described"] < count and thread.is_alive():
                time.sleep(0.005)
            seconds = time.perf_counter() - began[0], time.process_time() - began[1]
            thread.join()
            assert queue.stats().acked == count
        return seconds

    alone()
    for number in range(7):
        (wall, cores), (wall_alone, cores_alone) = through_queue_and_store(number), alone()
        shares.append(wall / wall_alone - 1)
        of_cores.append(cores / cores_alone - 1)
        print(f"\n{count} crops: {wall:.2f} s through queue and store, {wall_alone:.2f} s alone: {shares[-1]:+.1%}; "
              f"time of the cores {of_cores[-1]:+.1%}")  # fmt: skip
    print(f"median {statistics.median(shares):+.1%}, of the cores {statistics.median(of_cores):+.1%}")
    assert statistics.median(shares) <= 0.10, shares
    assert statistics.median(of_cores) <= 0.10, of_cores
