"""Real servers for tests: those that run on this machine, and ones of a test's own that it may kill.

Where one is missing the test skips and says why; where ``CI`` is set it fails.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import pytest

_REDIS = os.environ.get("PERSONVLM_TEST_REDIS", "redis://127.0.0.1:6379/0")
_POSTGRES = os.environ.get("PERSONVLM_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
_RABBITMQ = os.environ.get("PERSONVLM_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672/")
_MOSQUITTO = os.environ.get("PERSONVLM_TEST_MOSQUITTO", "mqtt://127.0.0.1:1883")


def missing(what: str) -> NoReturn:
    """Skip; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (in CI this has to be there)")
    pytest.skip(what)


def unique() -> str:
    """A name that nobody else uses."""
    return f"t{uuid.uuid4().hex[:12]}"


def redis_url() -> str:
    """The shared Redis. Tests use keys of their own (:func:`unique`) and leave the others alone."""
    return _there(_REDIS, 6379, "Redis")


def rabbitmq_url() -> str:
    """The shared RabbitMQ. Tests use queues of their own."""
    return _there(_RABBITMQ, 5672, "RabbitMQ")


def mosquitto_url() -> str:
    """The shared Mosquitto."""
    return _there(_MOSQUITTO, 1883, "Mosquitto")


def postgres_url(*, databases: list[str] | None = None) -> str:
    """A fresh database on the shared PostgreSQL; its URL is added to ``databases``, to be dropped by
    :func:`drop_postgres`."""
    _there(_POSTGRES, 5432, "PostgreSQL")
    name = unique()
    _psql(_POSTGRES, f'CREATE DATABASE "{name}"')
    url = urlunsplit(urlsplit(_POSTGRES)._replace(path=f"/{name}"))
    if databases is not None:
        databases.append(url)
    return url


def drop_postgres(url: str) -> None:
    """Drop what :func:`postgres_url` made."""
    _psql(_POSTGRES, f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')


def _psql(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _there(url: str, port: int, name: str) -> str:
    parts = urlsplit(url)
    if not listening(parts.port or port, parts.hostname or "127.0.0.1"):
        missing(f"no {name} at {parts.hostname}:{parts.port or port}")
    return url


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes] | None, what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not listening(port):
        if time.monotonic() > end or (process is not None and process.poll() is not None):
            pytest.fail(f"{what} did not start on port {port}")
        time.sleep(0.05)


class OwnRedis:
    """A Redis that keeps what it accepted: append only file, fsync at every write (or ``everysec``, which is what
    Redis does by itself). Stop it when done."""

    def __init__(self, folder: Path, fsync: str = "always") -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            missing("redis-server is not installed")
        self._folder, self._binary, self._fsync, self.port = folder, binary, fsync, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, again with what it had before."""
        self._folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "",
             "--appendonly", "yes", "--appendfsync", self._fsync], stdout=subprocess.DEVNULL)  # fmt: skip
        _wait(self.port, self._process, "Redis")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop in order, or with ``SIGKILL``."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


class OwnPostgres:
    """A PostgreSQL cluster of a test's own. Stop it when done."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("initdb") or next(iter(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
        if found is None:
            missing("PostgreSQL's initdb is not installed")
        self._bin, self.port = Path(found).resolve().parent, free_port()
        if not (self._bin / "pg_ctl").is_file():
            self._bin = Path(found).parent
        folder.mkdir(exist_ok=True)
        # It refuses to run as root, and whom it runs as may not enter the folders that pytest makes.
        self._as: list[str] = []
        if os.geteuid() == 0:
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            folder = Path(tempfile.mkdtemp(prefix="personvlm-postgres-"))
            shutil.chown(folder, "postgres")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._data = folder / "data"
        atexit.register(self.stop, "immediate")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N", "--no-instructions")
        self.start()

    @property
    def url(self) -> str:
        """Its database ``postgres``."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run([*self._as, str(self._bin / name), *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, cwd="/", timeout=90, check=False)  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stderr.decode()}"

    def start(self) -> None:
        """Start, again with what it had before."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        log = str(self._data.parent / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; ``immediate`` is what a crash does."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-m", mode, "stop")


class OwnRabbit:
    """A RabbitMQ node of a test's own. Stop it when done. Starting takes about ten seconds."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("rabbitmq-server") is None:
            missing("rabbitmq-server is not installed")
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:  # it runs as somebody else, see OwnPostgres
            folder = Path(tempfile.mkdtemp(prefix="personvlm-rabbitmq-"))
            folder.chmod(0o777)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._folder, self.port, self._name = folder, free_port(), f"{unique()}@localhost"
        atexit.register(self.stop, signal.SIGKILL)
        (folder / "none.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self.port}\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its virtual host ``/``."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start, again with what it had before."""
        environment = {
            **os.environ, "RABBITMQ_NODENAME": self._name, "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"), "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"), "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"), "HOME": str(self._folder),
        }  # fmt: skip
        self._process = subprocess.Popen(["rabbitmq-server"], env=environment, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        _wait(self.port, self._process, "RabbitMQ", 90)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop in order, or with ``SIGKILL``."""
        if self._process is None:
            return
        node = self._node()
        if node is not None:
            os.kill(node, how)
        self._process.wait(60)  # the script that started it ends with it
        self._process = None

    def _node(self) -> int | None:
        """The process of the node: as root the script starts it as somebody else, in another session."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                named = f"RABBITMQ_NODENAME={self._name}\0".encode() in (process / "environ").read_bytes()
                if named and (process / "comm").read_text().startswith("beam"):
                    return int(process.name)
        return None
