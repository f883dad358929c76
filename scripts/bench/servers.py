"""Starts a server on chosen cores, reads what the kernel says it costs, and always ends it.

CPU time is read from the process's own CPU clock (nanoseconds, all threads, those that ended
included, io_uring workers too), because /proc/PID/stat counts in steps of 10 ms. Resident memory is
read from smaps_rollup, which walks the pages; VmRSS may lag behind by some pages per core.
"""

import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field

import wire

START_S_MAX = 15.0
STOP_S_MAX = 5.0
PORT_FIRST = 17_400
PORTS = 200
PR_SET_PDEATHSIG = 1
CPUCLOCK_SCHED = 2
"""Kernel's clock kind for "time on a CPU"; a process's clock id is (~pid << 3) | kind."""

_libc = ctypes.CDLL(None, use_errno=True)
_running = []


class StartError(Exception):
    """The server did not come up."""


@dataclass(frozen=True)
class Target:
    """A server binary to measure."""

    name: str
    path: str
    version: str
    ours: bool = False
    candidate: bool = False
    extra: tuple = ()

    @property
    def title(self):
        return f"{self.name} {self.version}".strip()

    def arguments(self, threads):
        """Argument lists to try in turn, for one thread of execution or more."""
        extra = list(self.extra)
        if self.ours:
            return [["--shards", str(threads), *extra]]
        if threads == 1:
            return [extra]
        # Where reads are threaded by default, the second directive is gone.
        return [
            ["--io-threads", str(threads), "--io-threads-do-reads", "yes", *extra],
            ["--io-threads", str(threads), *extra],
        ]


@dataclass
class Server:
    """A running server."""

    target: Target
    process: subprocess.Popen
    port: int
    arguments: list = field(default_factory=list)

    @property
    def pid(self):
        return self.process.pid

    def cpu_s(self):
        return time.clock_gettime((~self.pid << 3) | CPUCLOCK_SCHED)

    def rss_bytes(self):
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return rss_bytes_of(text)

    def stop(self):
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def start(target, cores, scratch, threads=1, extra=()):
    """Starts `target` on `cores` and returns it when it answers PING."""
    failures = []
    for arguments in target.arguments(threads):
        try:
            return _start(target, cores, scratch, arguments + list(extra))
        except StartError as error:
            failures.append(str(error))
    raise StartError(failures[-1])


def in_turn(items, number):
    """The same items, starting one further each round."""
    at = number % len(items) if items else 0
    return items[at:] + items[:at]


@contextlib.contextmanager
def alone(server):
    """Only `server` runs in the block; all others are stopped (SIGSTOP) for that time.

    Valkey 9.1 with two I/O threads keeps a whole core busy after its load has ended, until somebody
    asks it something; whoever's turn came next would pay for that.
    """
    others = [other for other in _running if other is not server]
    for other in others:
        other.process.send_signal(signal.SIGSTOP)
    try:
        yield server
    finally:
        for other in others:
            other.process.send_signal(signal.SIGCONT)


def stop_all():
    """Ends whatever still runs; called on every way out."""
    for server in list(_running):
        server.stop()


def free_port():
    """A port nobody listens on."""
    for port in range(PORT_FIRST, PORT_FIRST + PORTS):
        with socket.socket() as probe:
            # Without SO_REUSEADDR a port in TIME_WAIT would count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((wire.HOST, port))
            except OSError:
                continue
            return port
    raise StartError(f"no free port in {PORT_FIRST}..{PORT_FIRST + PORTS}; stop what listens there")


def rss_bytes_of(smaps_rollup):
    """The `Rss:` line, in bytes."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Rss line in smaps_rollup")


def child_setup(cores):
    """What runs in a child before it becomes the server or the load: pinned, with many descriptors,
    and ended by the kernel should we die without a chance to do it."""

    def setup():
        os.sched_setaffinity(0, cores)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return setup


def raise_descriptor_limit(wanted):
    """Lifts the limit of open files for us and our children; returns what we got."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for soft_new, hard_new in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        try:
            if soft_new > soft:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft_new, hard_new))
        except (ValueError, OSError):
            continue
        break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _start(target, cores, scratch, arguments):
    port = free_port()
    log = pathlib.Path(scratch) / f"{target.name}-{port}.log"
    command = [target.path, "--port", str(port), "--bind", wire.HOST]
    command += ["--save", "", "--appendonly", "no", *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=child_setup(cores),
            start_new_session=True,
        )
    server = Server(target, process, port, arguments)
    _running.append(server)
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with wire.Client(port) as client:
                if client.command("PING") == "PONG":
                    return server
        except OSError:
            time.sleep(0.02)
    server.stop()
    tail = log.read_text(errors="replace")[-600:].strip()
    raise StartError(f"{target.title} did not answer PING ({' '.join(command)}):\n{tail}")
