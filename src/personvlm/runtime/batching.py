"""Dynamic batching: requests come one by one, work is done in batches, and every request gets its own answer.

A batch leaves when it is full, when the oldest request has waited the window, or at once when a worker is idle.
It is put together at the last moment, so that a re-ID request that comes while all workers are busy still overtakes
what waits. Every request that is not answered is told why, and counted.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, cast

from personvlm.base.errors import InputError
from personvlm.runtime.batching_metrics import OUTCOMES, Histogram, Snapshot, Timing
from personvlm.runtime.batching_queue import (
    Answer,
    BatchSettings,
    ClosedError,
    Item,
    NotAnsweredError,
    Priority,
    QueueFullError,
    Request,
    RequestQueue,
    RequestTimeoutError,
    ShedError,
)
from personvlm.runtime.batching_work import Deadlines, Work, isolated, outcome_of

_POLL_S = 0.005  # how often a coroutine looks for room: a batch takes longer than this
_log = logging.getLogger(__name__)


class BatchEngine(Generic[Item, Answer]):
    """Turns single requests into batches for one or several workers. Close it, or use it as a context manager.

    Args:
        work: one function per worker, each called by a thread of its own. Where one raises, its batch is halved until
            the items that cause it stand alone, and only these fail, with what was raised.
        prepare: called for each item before the work, for example to decode it; where it raises, that item fails.
        observe: called after each request that was worked on, by a worker's thread.

    Example:
        >>> with BatchEngine([lambda items: [2 * item for item in items]]) as engine:
        ...     list(engine.map([1, 2, 3]))
        [2, 4, 6]
    """

    def __init__(self, work: Sequence[Work[Answer]], settings: BatchSettings | None = None, *,
                 prepare: Callable[[Item], Any] | None = None,
                 observe: Callable[[Timing], None] | None = None) -> None:  # fmt: skip
        if not work:
            raise InputError("a batch engine needs at least one worker")
        self.settings = settings or BatchSettings()
        self._prepare: Callable[[Item], Any] = prepare or (lambda item: item)
        self._observe = observe
        self._lock = threading.RLock()
        self._arrived, self._room = threading.Condition(self._lock), threading.Condition(self._lock)
        self._queue: RequestQueue[Item, Answer] = RequestQueue(self.settings)
        self._running: set[Request[Item, Answer]] = set()
        self._submitted = self._late = 0
        self._ended: Counter[str] = Counter()
        self._sizes: Counter[int] = Counter()
        self._stages: dict[str, Histogram] = {}
        self._closed = False
        self._pool = ThreadPoolExecutor(self.settings.preparers, "prepare") if self.settings.preparers else None
        self._workers = [threading.Thread(target=self._serve, args=(each,), name=f"batch-{index}", daemon=True)
                         for index, each in enumerate(work)]  # fmt: skip
        self._deadlines: Deadlines[Request[Item, Answer]] = Deadlines(self._expire)
        for thread in self._workers:
            thread.start()
        atexit.register(self._at_exit)

    # What callers do.

    def submit(self, item: Item, *, priority: Priority = Priority.NEW_TRACK, key: Hashable | None = None,
               timeout_s: float | None = None) -> Future[Answer]:  # fmt: skip
        """Ask for an answer. Cancelling the future takes the request out of the queue.

        Args:
            key: what the item is about (camera and track): under ``shed`` a newer update replaces an older one.
            timeout_s: instead of that of the settings.

        Raises:
            NotAnsweredError: it was not accepted; the subclass says why. What fails later is raised by the future.
        """
        end = time.perf_counter() + self._patience
        while (future := self._admit(item, priority, key, timeout_s)) is None:
            with self._lock:
                room = self._room.wait_for(lambda: self._closed or not self._queue.full, end - time.perf_counter())
            if not room:
                raise self._refuse()
        return future

    async def submit_async(self, item: Item, *, priority: Priority = Priority.NEW_TRACK, key: Hashable | None = None,
                           timeout_s: float | None = None) -> Answer:  # fmt: skip
        """:meth:`submit` for coroutines, up to the answer: neither for room nor for it is the event loop blocked.

        Cancelling the task takes the request out of the queue. Raises what :meth:`submit` and its future raise.
        """
        end = time.perf_counter() + self._patience
        while True:
            future = self._admit(item, priority, key, timeout_s)
            if future is not None:
                return await asyncio.wrap_future(future)
            if time.perf_counter() >= end:
                raise self._refuse()
            await asyncio.sleep(_POLL_S)

    def map(self, items: Iterable[Item], *, priority: Priority = Priority.NEW_TRACK,
            timeout_s: float | None = None) -> Iterator[Answer]:  # fmt: skip
        """Answers in the order of ``items``, which are read only as they can be worked on: they may be endless.

        Raises:
            Exception: that of the first item that failed; what waits behind it is cancelled. :meth:`outcomes` goes on.
        """
        for answer in self.outcomes(items, priority=priority, timeout_s=timeout_s):
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def outcomes(self, items: Iterable[Item], *, priority: Priority = Priority.NEW_TRACK,
                 timeout_s: float | None = None) -> Iterator[Answer | Exception]:  # fmt: skip
        """Like :meth:`map`, with what was raised in the place of an answer that there is not."""
        ahead = 2 * self.settings.batch * len(self._workers)
        asked: deque[Future[Answer]] = deque()
        try:
            for item in items:
                try:
                    asked.append(self.submit(item, priority=priority, timeout_s=timeout_s))
                except NotAnsweredError as error:
                    failed: Future[Answer] = Future()
                    failed.set_exception(error)
                    asked.append(failed)
                while len(asked) >= ahead:
                    yield outcome_of(asked.popleft())
            while asked:
                yield outcome_of(asked.popleft())
        finally:  # nobody reads on
            for future in asked:
                future.cancel()

    def snapshot(self) -> Snapshot:
        """Queue, counts and times at this moment."""
        with self._lock:
            oldest = self._queue.oldest()
            return Snapshot(
                queued=self._queue.lengths(), oldest_ms=1000 * (time.perf_counter() - oldest) if oldest else 0.0,
                running=len(self._running), submitted=self._submitted,
                ended={outcome: self._ended[outcome] for outcome in OUTCOMES}, late=self._late,
                batch_sizes=dict(sorted(self._sizes.items())),
                stages={name: times.copy() for name, times in self._stages.items()},
            )  # fmt: skip

    def time_stage(self, name: str, seconds: float) -> None:
        """Count one time of a stage; for the stages of the work itself."""
        with self._lock:
            self._stages.setdefault(name, Histogram()).add(1000 * seconds)

    def close(self, *, drain: bool = True, timeout_s: float | None = None) -> None:
        """Take no more requests, answer those that wait (``drain``) or fail them, and end the workers.

        What still waits or runs after ``timeout_s`` fails with :class:`ClosedError`. Closing twice does no harm. Called
        by a worker, in a callback for example, this returns at once: what comes next waits for that worker too.
        """
        end = None if timeout_s is None else time.perf_counter() + timeout_s
        left: list[Request[Item, Answer]] = []
        with self._lock:
            self._closed = True
            if not drain:
                left = self._queue.take(len(self._queue))
            self._arrived.notify_all()
            self._room.notify_all()
        for request in left:
            self._settle(request, "abandoned", error=ClosedError("the batch engine was closed before its turn came"))
        if threading.current_thread() in self._workers:
            threading.Thread(target=partial(self.close, drain=drain, timeout_s=timeout_s), daemon=True).start()
            return
        for thread in self._workers:
            thread.join(None if end is None else max(0.0, end - time.perf_counter()))
        with self._lock:
            left = [*self._queue.take(len(self._queue)), *self._running]
        for request in left:
            self._settle(request, "abandoned", error=ClosedError(f"closed, and no answer came in {timeout_s} s more"))
        self._deadlines.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        atexit.unregister(self._at_exit)

    def __enter__(self) -> BatchEngine[Item, Answer]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(drain=kind is None)

    # How a request goes in and how it ends. Futures are settled without the lock, since their callbacks run in here.

    @property
    def _patience(self) -> float:
        return 0.0 if self.settings.when_full == "refuse" else min(self.settings.patience_s, threading.TIMEOUT_MAX)

    def _admit(self, item: Item, priority: Priority, key: Hashable | None,
               timeout_s: float | None) -> Future[Answer] | None:  # fmt: skip
        """Into the queue; None if it is full and the request may wait for room."""
        victim = None
        with self._lock:
            if self._closed:
                self._count("refused")
                raise ClosedError("the batch engine is closed and takes no more requests")
            if self._queue.full:
                if self.settings.when_full != "shed" or priority == Priority.BACKFILL:
                    return None
                victim = self._queue.victim(key if priority == Priority.TRACK_UPDATE else None)
                if victim is None and priority == Priority.TRACK_UPDATE:
                    self._count("shed")
                    raise ShedError(f"{len(self._queue)} requests wait, and all of them go before an update")
                if victim is None:
                    return None
                self._queue.remove(victim)
            now = time.perf_counter()
            self._submitted += 1
            timeout_s = self.settings.timeout_s if timeout_s is None else timeout_s
            deadline = None if timeout_s is None else now + timeout_s
            request: Request[Item, Answer] = Request(item, priority, key, self._submitted, now, deadline)
            self._queue.add(request)
            if deadline is not None:
                self._deadlines.add(deadline, request)
            if self._pool is not None:
                request.ready = self._pool.submit(self._prepare, item)
            self._arrived.notify()
        if victim is not None:
            self._settle(victim, "shed", error=ShedError("something newer or more urgent took its place in the queue"))
        request.future.add_done_callback(lambda future: self._settle(request, "cancelled") if future.cancelled() else 0)
        return request.future

    def _count(self, outcome: str) -> None:
        self._submitted += 1
        self._ended[outcome] += 1

    def _refuse(self) -> QueueFullError:
        with self._lock:
            self._count("refused")
        return QueueFullError(f"{self.settings.queue} requests wait already; send fewer, or send it again later")

    def _settle(self, request: Request[Item, Answer], outcome: str, answer: Answer | None = None,
                error: BaseException | None = None) -> bool:  # fmt: skip
        """Give the request its only answer or error, and count it; whether this was the first."""
        with self._lock:
            if request.done:
                self._late += outcome in ("answered", "failed")
                return False
            request.done = True
            if self._queue.remove(request):
                self._room.notify()
            self._running.discard(request)
            if request.ready is not None:
                request.ready.cancel()
            request.item = request.ready = cast(Any, None)  # what is kept for its deadline must not hold a picture
            # A cancel that came before this wins; one that comes after it is too late.
            cancelled = not (request.future.running() or request.future.set_running_or_notify_cancel())
            self._ended["cancelled" if cancelled else outcome] += 1
        if cancelled:
            return True
        try:
            if error is not None:
                request.future.set_exception(error)
            else:
                request.future.set_result(answer)  # type: ignore[arg-type]
        except SystemExit:  # of a callback; futures log every other error of one themselves
            _log.exception("a callback of a request wanted to end the thread that answers; it goes on")
        return True

    # What the threads do.

    def _serve(self, work: Work[Answer]) -> None:
        while batch := self._take():
            started, prepared = time.perf_counter(), []
            for request in batch:
                self.time_stage("queue", started - request.submitted)
                item, ready = request.item, request.ready
                if request.done:  # its time has passed since
                    continue
                try:  # a preparer that has not begun with it need not
                    value = self._prepare(item) if ready is None or ready.cancel() else ready.result()
                    prepared.append((request, value))
                except BaseException as error:  # whatever it is, it belongs to who asked, as in concurrent.futures
                    self._end(request, started, len(batch), None, error)
            if prepared:
                for index, answer, failure in isolated(partial(self._work, work), [value for _, value in prepared]):
                    self._end(prepared[index][0], started, len(batch), answer, failure)

    def _work(self, work: Work[Answer], items: list[Any]) -> Sequence[Answer]:
        began = time.perf_counter()
        try:
            return work(items)
        finally:
            self.time_stage("batch", time.perf_counter() - began)

    def _take(self) -> list[Request[Item, Answer]]:
        """Wait for a batch; empty when the engine is closed and nothing is left."""
        with self._lock:
            while True:
                due = self._queue.due_in(time.perf_counter())
                if due is None and self._closed:
                    return []
                if due is None or (due > 0 and not self._closed):
                    self._arrived.wait(due)
                    continue
                taken = self._queue.take(self.settings.batch)
                self._room.notify(len(taken))
                if len(self._queue):
                    self._arrived.notify()
                batch = [request for request in taken if self._start(request)]
                if batch:
                    self._sizes[len(batch)] += 1
                    return batch

    def _start(self, request: Request[Item, Answer]) -> bool:
        if request.future.set_running_or_notify_cancel():
            self._running.add(request)
            return True
        request.done = True  # cancelled a moment ago
        self._ended["cancelled"] += 1
        return False

    def _end(self, request: Request[Item, Answer], started: float, batch: int, answer: Answer | None,
             error: BaseException | None) -> None:  # fmt: skip
        first = self._settle(request, "answered" if error is None else "failed", answer, error)
        if first and self._observe is not None:
            try:
                self._observe(Timing(request.submitted, started, time.perf_counter(), batch))
            except Exception:
                _log.exception("the observer of a batch engine failed; its worker goes on")

    def _expire(self, request: Request[Item, Answer]) -> None:
        waited = time.perf_counter() - request.submitted
        error = RequestTimeoutError(f"no answer after {waited:.3f} s, which is all that the request allowed")
        self._settle(request, "timed_out", error=error)

    def _at_exit(self) -> None:
        self.close(drain=False, timeout_s=1.0)
