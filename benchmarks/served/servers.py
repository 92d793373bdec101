"""Servers, each a process of its own on a free port of 127.0.0.1: started, waited for, and always stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parents[2]
POOL = 20
_STARTS, _STOPS = 30, 15  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A way to serve the project.

    Args:
        name: what the report calls it.
        stack: the module of ``benchmarks.served.stacks`` that has its views.
        application: the function of ``benchmarks.served.application`` that makes what is served.
        workers: how many processes serve.
        threads: of each, for WSGI; 0 for ASGI.
        pool: the most connections of each process's pool; 0 where each thread keeps one.
        needs: modules that have to be importable.
        program: what serves one process for ASGI: uvicorn or granian.
    """

    name: str
    stack: str
    application: str
    workers: int = 1
    threads: int = 0
    pool: int = POOL
    needs: tuple[str, ...] = ()
    program: str = "uvicorn"

    def missing(self) -> list[str]:
        """Return what it needs and is not installed."""
        modules = (
            (self.program,) if self.workers == 1 else ("gunicorn",) if self.threads else ("gunicorn", "uvicorn_worker")
        )
        return [name for name in (*self.needs, *modules) if find_spec(name) is None]

    def command(self, port: int) -> list[str]:
        """Return the command that starts it: its program for one process, gunicorn for several."""
        served = f"benchmarks.served.application:{self.application}"
        if self.program == "granian":
            options = ["--factory", "--host=127.0.0.1", f"--port={port}", "--interface=asgi", "--no-log"]
            return [sys.executable, "-m", "granian", *options, served]
        if self.workers == 1:
            options = ["--factory", "--host=127.0.0.1", f"--port={port}", "--no-access-log", "--log-level=warning"]
            return [sys.executable, "-m", "uvicorn", *options, served]
        kind = ["gthread", f"--threads={self.threads}"] if self.threads else ["uvicorn_worker.UvicornWorker"]
        # Each process has a socket of its own: of one that they share, one of them may take all connections.
        options = [f"--workers={self.workers}", f"--bind=127.0.0.1:{port}", "--reuse-port", "--log-level=warning"]
        return [sys.executable, "-m", "gunicorn", *options, "--worker-class", *kind, f"{served}()"]


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    port: int
    pid: int
    log: IO[bytes]

    def cpu(self) -> float | None:
        """Return the seconds of the processor's time that it and its children have used, where /proc tells."""
        with suppress(OSError):
            return sum(_cpu(pid) for pid in family(self.pid))
        return None

    def written(self) -> str:
        """Return what it has written: nothing, as long as all is well."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]


class NotServed(Exception):
    """A server did not start, or answered what it should not."""


@contextmanager
def running(server: Server, database: str, **environment: str) -> Iterator[Running]:
    """Serve until the end of the block.

    Args:
        server: what to start.
        database: the database's name.
        environment: more variables for it.

    Raises:
        NotServed: it ended, or did not answer in time.
    """
    port = _free_port()
    variables = {
        **os.environ,
        "BENCH_STACK": server.stack,
        "BENCH_DATABASE": database,
        "BENCH_POOL": str(server.pool),
        "DJANGO_SETTINGS_MODULE": "benchmarks.served.settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **environment,
    }
    with TemporaryFile() as log:
        # In a session of its own, so that Ctrl-C reaches this process alone, which then stops it.
        process = subprocess.Popen(
            server.command(port), cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True
        )
        started = Running(server, port, process.pid, log)
        try:
            _wait_for(started, process)
            yield started
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(started: Running, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            connection = HTTPConnection("127.0.0.1", started.port, timeout=5)
            connection.request("GET", "/ping/")
            connection.getresponse().read()
            connection.close()
            return
        time.sleep(0.05)
    raise NotServed(f"{started.server.name} did not start:\n{started.written()}")


def _stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_STOPS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: it and its children
        process.wait()


def family(pid: int) -> list[int]:
    """Return ``pid`` and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _cpu(pid: int) -> float:
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _fields(stat: Path) -> list[str]:
    """Return the fields of a process's ``stat`` behind its name, which may have spaces and parentheses."""
    return stat.read_text().rpartition(") ")[2].split()
