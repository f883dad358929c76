"""The few words of RESP2 the benchmark itself speaks: commands, a pipelined loader, idle connections.

A client library would be a dependency for sixty lines. The loader is ours because the measured tools
pick keys at random and so never fill a key space completely, and a GET that misses is too cheap.
"""

import random
import socket

HOST = "127.0.0.1"
"""Loopback only: the benchmark never leaves the machine."""

TIMEOUT_S = 60.0
"""No reply for so long means that the server hangs; the run stops instead of waiting."""

BATCH_LEN = 1_000
"""Commands written before their replies are read: 120 KB, which fits the socket buffers of both sides."""


class WireError(Exception):
    """The server refused, answered nonsense or closed the connection."""


class ErrorReply(WireError):
    """The server answered `-...`."""


class Client:
    """One blocking connection."""

    def __init__(self, port):
        self._socket = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reader.close()
        self._socket.close()

    def command(self, *words):
        self._socket.sendall(encode(*words))
        return read_reply(self._reader)

    def send_batch(self, request, replies):
        """Writes a prepared pipeline and insists on exactly the bytes `replies`."""
        self._socket.sendall(request)
        got = self._reader.read(len(replies))
        if got != replies:
            raise WireError(f"a pipeline of SETs was answered with {got[:80]!r}; see the server's log")


def encode(*words):
    """A request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def read_reply(reader):
    """One RESP2 reply: str for simple strings, bytes for bulks, int, list or None."""
    line = reader.readline()
    if not line.endswith(b"\r\n"):
        raise WireError("the server closed the connection; see its log")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise ErrorReply(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        length = int(rest)
        return None if length < 0 else reader.read(length + 2)[:-2]
    if kind == b"*":
        length = int(rest)
        return None if length < 0 else [read_reply(reader) for _ in range(length)]
    raise WireError(f"not a RESP2 reply: {line[:80]!r}")


def key(number):
    """The 16-byte key that redis-benchmark makes of its `__rand_int__`."""
    return b"key:%012d" % number


def fill(port, keys, value_len, first=0):
    """SETs `keys` distinct keys from `first` on, each to its own value.

    The values differ so that a server that shares or packs equal ones gains nothing, and come from
    a seed so that every server stores the same bytes.
    """
    pool = random.Random(7).randbytes(value_len * 64).hex().encode()
    head = b"*3\r\n$3\r\nSET\r\n$16\r\n"
    middle = b"\r\n$%d\r\n" % value_len
    span = len(pool) - value_len
    with Client(port) as client:
        for start in range(first, first + keys, BATCH_LEN):
            numbers = range(start, min(start + BATCH_LEN, first + keys))
            parts = []
            for number in numbers:
                offset = number * 31 % span
                parts += (head, key(number), middle, pool[offset : offset + value_len], b"\r\n")
            client.send_batch(b"".join(parts), b"+OK\r\n" * len(numbers))


def open_idle(port, count):
    """Opens connections that have each served one PING, which is what an idle client looks like."""
    sockets = []
    try:
        for _ in range(count):
            sockets.append(socket.create_connection((HOST, port), timeout=TIMEOUT_S))
            sockets[-1].sendall(b"*1\r\n$4\r\nPING\r\n")
            if sockets[-1].recv(64) != b"+PONG\r\n":
                raise WireError("PING was not answered with PONG; is maxclients too low?")
    except BaseException:
        close_all(sockets)
        raise
    return sockets


def close_all(sockets):
    for each in sockets:
        each.close()
