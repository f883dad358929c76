"""The tools people point at a server: redis-cli, redis-benchmark, memtier_benchmark.

Each check runs the real program with a deadline and looks at its output and exit code; a check yields nothing when
it holds and says what it saw when it does not.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from servers import Server

DEADLINE_S = 60.0


@dataclass
class Ran:
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}, said {self.out[-300:]!r} {self.err[-300:]!r}"


def run(command: list[str], stdin: bytes = b"", deadline_s: float = DEADLINE_S, for_s: float | None = None) -> Ran:
    """Runs a program to its end, or, for one that has none, for `for_s` seconds."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, timeout=for_s or deadline_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT if for_s else signal.SIGKILL)
            try:
                out, err = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
            if not for_s:
                return Ran(-1, out.decode("utf-8", "replace"), f"no end after {deadline_s} s")
    return Ran(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def resp(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)


class Cli:
    """redis-cli on one server."""

    def __init__(self, server: Server, extra: list[str] | None = None):
        self.base = ["redis-cli", "-h", "127.0.0.1", "-p", str(server.port), *(extra or [])]

    def __call__(self, *arguments: str, stdin: bytes = b"", for_s: float | None = None) -> Ran:
        return run([*self.base, *arguments], stdin, for_s=for_s)


CLI_CHECKS: list[Callable[[Cli], None]] = []


def cli(function: Callable[[Cli], None]) -> Callable[[Cli], None]:
    CLI_CHECKS.append(function)
    return function


def says(ran: Ran, want: str, code: int = 0) -> None:
    assert ran.code == code and ran.out == want, f"{ran}, want exit {code} and {want!r}"


def has(ran: Ran, *patterns: str, code: int = 0) -> None:
    assert ran.code == code, f"{ran}, want exit {code}"
    for pattern in patterns:
        assert re.search(pattern, ran.out), f"{ran}, want {pattern!r}"


@cli
def one_command(c: Cli) -> None:
    says(c("PING"), "PONG\n")
    says(c("SET", "k", "hello world"), "OK\n")
    says(c("GET", "k"), "hello world\n")
    says(c("GET", "none"), "\n")
    says(c("--no-raw", "GET", "none"), "(nil)\n")
    says(c("--no-raw", "INCR", "n"), "(integer) 1\n")
    says(c("--no-raw", "MGET", "k", "none"), '1) "hello world"\n2) (nil)\n')


@cli
def errors_have_exit_code_one_where_asked(c: Cli) -> None:
    says(c("NOSUCH", "a"), "ERR unknown command 'NOSUCH', with args beginning with: 'a' \n\n")
    says(c("-e", "NOSUCH"), "", code=1)
    says(c("--no-raw", "INCRBY", "n", "x"), "(error) ERR value is not an integer or out of range\n")


@cli
def commands_from_standard_input(c: Cli) -> None:
    says(c(stdin=b'SET a "x\\x41\\n"\nGET a\nECHO \'single quoted\'\n'), "OK\nxA\n\nsingle quoted\n")


@cli
def the_last_argument_from_standard_input(c: Cli) -> None:
    says(c("-x", "SET", "k", stdin=b"from stdin"), "OK\n")
    says(c("GET", "k"), "from stdin\n")
    says(c("-X", "VALUE", "SET", "k2", "VALUE", "NX", stdin=b"tagged"), "OK\n")


@cli
def resp3(c: Cli) -> None:
    says(c("-3", "--no-raw", "GET", "none"), "(nil)\n")
    has(c("-3", "HELLO"), "proto 3")
    has(c("-3", "--no-raw", "CONFIG", "GET", "maxmemory"), r'1# "maxmemory" => "0"')
    has(c("-2", "HELLO"), "proto\n2")


@cli
def json_and_csv(c: Cli) -> None:
    c("MSET", "a", "1", "b", "2")
    says(c("--csv", "MGET", "a", "none", "b"), '"1",NULL,"2"\n')
    says(c("--json", "MGET", "a", "none"), '["1",null]\n')


@cli
def repeats(c: Cli) -> None:
    says(c("-r", "5", "INCR", "n"), "1\n2\n3\n4\n5\n")


@cli
def databases(c: Cli) -> None:
    says(c("-n", "3", "SET", "k", "three"), "OK\n")
    says(c("GET", "k"), "\n")
    says(c("-n", "3", "GET", "k"), "three\n")


@cli
def mass_insertion(c: Cli) -> None:
    data = b"".join(resp("SET", f"pipe:{i}", str(i)) for i in range(20_000))
    has(c("--pipe", stdin=data), r"errors: 0, replies: 20000")
    says(c("DBSIZE"), "20000\n")


@cli
def mass_insertion_counts_errors(c: Cli) -> None:
    data = resp("SET", "s", "abc") + resp("INCR", "s") + resp("SET", "t", "1")
    has(c("--pipe", stdin=data), r"errors: 1, replies: 3", code=1)


@cli
def scans(c: Cli) -> None:
    c("MSET", *[word for i in range(300) for word in (f"user:{i}", "1")])
    c("SET", "other", "1")
    ran = c("--scan", "--pattern", "user:*")
    assert len(set(ran.out.split())) == 300, ran
    assert len(set(c("--scan").out.split())) == 301


@cli
def bigkeys_and_memkeys(c: Cli) -> None:
    c("MSET", "small", "1", "large", "x" * 1000)
    has(c("--bigkeys"), r"Sampled 2 keys", r'Biggest string found .*"large".* has 1000 bytes|Biggest string found \'"large"\'')
    has(c("--memkeys"), r"Sampled 2 keys")


@cli
def latency(c: Cli) -> None:
    has(c("--latency", "-i", "1", "--raw", for_s=2.5), r"\d+ \d+ [0-9.]+ \d+")


@cli
def stat(c: Cli) -> None:
    # It has no end of its own, and C buffers what goes into a pipe.
    ran = run(["stdbuf", "-oL", *c.base, "--stat", "-i", "0.1"], for_s=2.0)
    assert "keys" in ran.out and re.search(r"\n\d+\s", ran.out), ran


@cli
def info_and_help_of_containers(c: Cli) -> None:
    has(c("INFO", "server"), r"redis_version:7\.")
    has(c("CLIENT", "HELP"), "KILL")
    has(c("OBJECT", "HELP"), "ENCODING")
    has(c("CONFIG", "HELP"), "GET")


@cli
def monitor_of_an_idle_connection_is_refused_or_works(c: Cli) -> None:
    ran = c("CLIENT", "LIST")
    has(ran, r"id=\d+ addr=127\.0\.0\.1:\d+ ", r"cmd=client\|list")


def authentication(server: Server) -> None:
    """On a server started with a password."""
    plain, right, wrong = Cli(server), Cli(server, ["-a", "secret", "--no-auth-warning"]), Cli(server, ["-a", "bad"])
    says(plain("GET", "k"), "NOAUTH Authentication required.\n\n")
    says(right("PING"), "PONG\n")
    has(Cli(server, ["--user", "default", "--pass", "secret", "--no-auth-warning"])("PING"), "PONG")
    ran = wrong("PING")
    assert "WRONGPASS" in ran.err + ran.out and "NOAUTH" in ran.out, ran
    has(Cli(server, ["-u", f"redis://default:secret@127.0.0.1:{server.port}/2", "--no-auth-warning"])("CLIENT", "INFO"), "db=2")
    # The limits before a password: a long or wide request is a protocol error, not an allocation.
    from resp import exchange_raw
    said = exchange_raw(server.port, [b"*11\r\n"], 5)
    assert b"unauthenticated multibulk length" in said, f"eleven arguments before AUTH: {said!r}"
    said = exchange_raw(server.port, [b"*1\r\n$16385\r\n"], 5)
    assert b"unauthenticated bulk length" in said, f"a 16 KiB argument before AUTH: {said!r}"


def check_cli(binary: str, extra: list[str] | None = None) -> list[tuple[str, str]]:
    """(name, what is wrong or nothing) of every check."""
    results = []
    with Server(binary, extra) as server:
        c = Cli(server)
        for check in CLI_CHECKS:
            c("FLUSHALL")
            results.append((check.__name__, verdict(check, c)))
    with Server(binary, [*(extra or []), "--requirepass", "secret"]) as server:
        results.append(("authentication", verdict(authentication, server)))
    dead = run(["redis-cli", "-p", str(server.port), "PING"])
    results.append(("a server that is not there", "" if dead.code == 1 and "refused" in dead.err else str(dead)))
    return results


def verdict(check: Callable, argument: object) -> str:
    try:
        check(argument)
        return ""
    except (AssertionError, OSError) as error:
        return str(error) or "failed"


# ------------------------------------------------------------------------------------- benchmarks


def check_benchmark(binary: str) -> list[tuple[str, str]]:
    """redis-benchmark: ends well, reports every test, complains of nothing."""
    results = []
    with Server(binary) as server:
        base = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), "--csv"]
        runs = [
            ("one at a time", ["-t", "ping,set,get,incr,mset", "-n", "20000", "-P", "1"], 6),
            ("pipelines of 16", ["-t", "ping,set,get,incr,mset", "-n", "50000", "-P", "16"], 6),
            ("random keys, large values", ["-t", "set,get", "-n", "20000", "-r", "10000", "-d", "4096"], 2),
            ("no keepalive", ["-t", "set,get", "-n", "500", "-k", "0"], 2),
            ("RESP3", ["-t", "set,get", "-n", "5000", "-3"], 2),
            ("two threads", ["-t", "set,get", "-n", "20000", "--threads", "2"], 2),
            ("a command of one's own", ["-n", "5000", "-r", "100", "SETRANGE", "k:__rand_int__", "10", "x"], 1),
        ]
        for name, arguments, tests in runs:
            ran = run([*base, *arguments], deadline_s=120)
            rows = [line for line in ran.out.split("\n") if line.startswith('"') and not line.startswith('"test"')]
            bad = ran.code != 0 or len(rows) != tests or "error" in (ran.out + ran.err).lower()
            results.append((name, str(ran) if bad else ""))
    return results


def check_memtier(binary: str) -> list[tuple[str, str]] | None:
    """memtier_benchmark where it is installed; Debian 12 has no package of it."""
    tool = shutil.which("memtier_benchmark")
    if not tool:
        return None
    results = []
    with Server(binary) as server:
        for protocol in ("resp2", "resp3"):
            ran = run([tool, "-s", "127.0.0.1", "-p", str(server.port), "--protocol", protocol, "-t", "2", "-c", "5", "-n", "2000",
                       "--ratio", "1:4", "--pipeline", "8", "--hide-histogram"], deadline_s=120)
            bad = ran.code != 0 or not re.search(r"Totals\s+[1-9]", ran.out) or "error" in ran.err.lower()
            results.append((protocol, str(ran) if bad else ""))
    return results
