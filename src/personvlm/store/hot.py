"""The latest descriptions per camera in Redis, for screens that ask every second. A copy: it may be thrown away."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from personvlm.base.errors import extra
from personvlm.schema import Described
from personvlm.store.export import record


class HotCache:
    """The last people of each camera, as :func:`personvlm.store.export.record` writes them.

    Args:
        url: ``redis://host:port/number``.
        keep: people per camera.
        seconds: after which a camera that sees nobody is forgotten.

    Raises:
        InputError: redis-py is not installed.
    """

    def __init__(self, url: str, keep: int = 100, seconds: int = 86_400) -> None:
        with extra("a cache in Redis", "redis"):
            import redis
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=5)
        self._keep, self._seconds = keep, seconds

    def put(self, described: Sequence[Described]) -> None:
        """Remember these, each as the latest of its person."""
        pipe = self._redis.pipeline(transaction=False)
        for one in described:
            person, times, said = one.request.person, *self._keys(one.request.camera)
            pipe.zadd(times, {person: one.request.frame_time}, gt=True)
            pipe.hset(said, person, json.dumps(record(one), ensure_ascii=False))
            pipe.expire(times, self._seconds)
            pipe.expire(said, self._seconds)
        pipe.execute()
        for camera in {one.request.camera for one in described}:
            times, said = self._keys(camera)
            old = self._redis.zrange(times, 0, -self._keep - 1)
            if old:
                self._redis.zrem(times, *old)
                self._redis.hdel(said, *old)

    def latest(self, camera: str, limit: int = 20) -> list[dict[str, Any]]:
        """Who was on ``camera`` last, the latest first."""
        times, said = self._keys(camera)
        people = self._redis.zrevrange(times, 0, limit - 1)
        found = self._redis.hmget(said, people) if people else []
        return [json.loads(text) for text in found if text is not None]

    def forget(self, people: Collection[str]) -> int:
        """Delete people on all cameras, and rewrite the append-only file, which would still have them."""
        gone = 0
        for times in self._redis.scan_iter("personvlm:hot:times:*"):
            camera = times.decode().removeprefix("personvlm:hot:times:")
            gone += self._redis.zrem(times, *people) if people else 0
            if people:
                self._redis.hdel(self._keys(camera)[1], *people)
        if gone:
            self._rewrite()
        return gone

    def _rewrite(self) -> None:
        from redis.exceptions import ResponseError

        try:
            if self._redis.config_get("appendonly").get("appendonly") == "yes":
                self._redis.bgrewriteaof()
            if self._redis.config_get("save").get("save"):
                self._redis.bgsave(schedule=True)
        except ResponseError:  # a server that lets nobody ask; then its files follow when it rewrites them itself
            return

    @staticmethod
    def _keys(camera: str) -> tuple[str, str]:
        return f"personvlm:hot:times:{camera}", f"personvlm:hot:said:{camera}"
