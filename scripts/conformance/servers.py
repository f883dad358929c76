"""Starts the servers under test and makes sure none outlives the run.

A server is a child in its own process group, on a port the kernel picked, in a scratch directory.
`Supervised` also restarts one that died, on the same port, so that a crash costs the test that
caused it and not the rest of the suite; every death is kept, for each is a finding.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

START_DEADLINE_S = 20.0
STOP_DEADLINE_S = 5.0

_running: set["Server"] = set()


def free_port() -> int:
    """A port nobody listens on. It may be taken before we bind it; `Server.start` then tries anew."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def default_arguments(port: int) -> list[str]:
    """What redis-server and its likes take for a server that leaves nothing behind."""
    return [
        "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--enable-debug-command", "yes",
    ]


class ServerFailed(Exception):
    """The binary could not be started; the text carries its last words."""


class Server:
    def __init__(self, binary: str, extra: list[str] | None = None, port: int | None = None):
        self.binary = binary
        self.extra = extra or []
        self.port = port or free_port()
        self.fixed_port = port is not None
        self.dir = Path(tempfile.mkdtemp(prefix="stoa-conformance-"))
        self.log_path = self.dir / "log"
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        for attempt in range(3):
            try:
                self._start_once()
                return
            except ServerFailed:
                if self.fixed_port or attempt == 2 or "in use" not in self.log_tail(2000).lower():
                    raise
                self.port = free_port()

    def _start_once(self) -> None:
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *default_arguments(self.port), *self.extra],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                start_new_session=True,
            )
        _running.add(self)
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    probe.sendall(b"PING\r\n")
                    probe.settimeout(5)
                    if probe.recv(1):
                        return
            except OSError:
                time.sleep(0.05)
        said = self.log_tail()
        self.kill()
        raise ServerFailed(f"{self.binary} did not serve port {self.port}; its last words:\n{said}")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log_tail(self, bytes_max: int = 1500) -> str:
        try:
            data = self.log_path.read_bytes()
        except OSError:
            return ""
        return data[-bytes_max:].decode("utf-8", "replace")

    def kill(self) -> None:
        if self.process is None:
            return
        for sign, patience in ((signal.SIGTERM, STOP_DEADLINE_S), (signal.SIGKILL, STOP_DEADLINE_S)):
            if self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, sign)
                except ProcessLookupError:
                    pass
                try:
                    self.process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
        _running.discard(self)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Supervised(Server):
    """A server that comes back. `deaths` holds (exit status, last words) of each end not asked for."""

    def __init__(self, binary: str, extra: list[str] | None = None):
        super().__init__(binary, extra)
        self.deaths: list[tuple[int, str]] = []
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        super().start()
        self.fixed_port = True
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while not self._closing.wait(0.05):
            process = self.process
            status = process.poll() if process else None
            if status is None:
                continue
            self.deaths.append((status, self.log_tail()))
            for _ in range(50):
                if self._closing.is_set():
                    return
                try:
                    self._start_once()
                    break
                except ServerFailed:
                    time.sleep(0.2)
            else:
                return

    def shoot(self) -> None:
        """Ends the server hard; the watcher starts the next. For a test that hangs on a raw socket."""
        if self.process and self.process.poll() is None:
            self.process.kill()

    def close(self) -> None:
        self._closing.set()
        if self._watcher:
            self._watcher.join(START_DEADLINE_S)
        super().close()


@atexit.register
def _close_all() -> None:
    for server in list(_running):
        server.close()


def binary_version(binary: str) -> str:
    """The first line of `BIN -v`, for the head of a report."""
    try:
        out = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    return (out.stdout or out.stderr).strip().split("\n")[0][:160]
