"""A raw RESP client: it keeps replies as they came, typed, so that two servers compare exactly.

A reply is a pair (marker byte, content): content is the bytes of a line, of a bulk, or a list of
replies; `None` is the null of its kind. Nothing is converted: `:1` and `:+1` are different replies.
"""

from __future__ import annotations

import socket
from typing import Any

Reply = tuple[str, Any]
LINES = "+-:,#(_"
BULKS = "$=!"
LISTS = "*~>"
PAIRS = "%|"


class Broken(Exception):
    """The connection ended, timed out or carried what is no RESP; the text says which."""


def encode(argv: list[bytes]) -> bytes:
    parts = [b"*%d\r\n" % len(argv)]
    for word in argv:
        parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
    return b"".join(parts)


class Connection:
    def __init__(self, port: int, deadline_s: float = 10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=deadline_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.at = 0

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Broken(f"could not send: {error}") from error

    def call(self, *argv: bytes | str) -> Reply:
        self.send(encode([w.encode() if isinstance(w, str) else w for w in argv]))
        return self.read()

    def _more(self) -> None:
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError as error:
            raise Broken("no reply in time") from error
        except OSError as error:
            raise Broken(f"connection lost: {error}") from error
        if not data:
            raise Broken("the server closed the connection")
        if self.at > 1 << 20:
            del self.buffer[: self.at]
            self.at = 0
        self.buffer += data

    def _line(self) -> bytes:
        start = self.at
        while (end := self.buffer.find(b"\r\n", start)) < 0:
            start = max(self.at, len(self.buffer) - 1)
            before = self.at
            self._more()
            start -= before - self.at
        line = bytes(self.buffer[self.at : end])
        self.at = end + 2
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) - self.at < count + 2:
            self._more()
        data = bytes(self.buffer[self.at : self.at + count])
        if self.buffer[self.at + count : self.at + count + 2] != b"\r\n":
            raise Broken(f"a bulk of {count} bytes does not end in CRLF")
        self.at += count + 2
        return data

    def read(self) -> Reply:
        line = self._line()
        mark, rest = chr(line[0]) if line else "", line[1:]
        if mark and mark in LINES:
            return mark, rest
        if mark and mark in BULKS + LISTS + PAIRS:
            try:
                count = int(rest)
            except ValueError as error:
                raise Broken(f"bad length in {line!r}") from error
            if count < 0:
                return mark, None
            if mark in BULKS:
                return mark, self._exactly(count)
            return mark, [self.read() for _ in range(count * (2 if mark in PAIRS else 1))]
        raise Broken(f"not a reply: {line[:60]!r}")


def exchange_raw(port: int, pieces: list[bytes], deadline_s: float = 10.0) -> bytes:
    """Sends bytes on a new connection, ends the sending side, returns all the server said."""
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=deadline_s) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                raw.sendall(piece)
            raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed on us in the middle: what it said before counts
        try:
            while data := raw.recv(1 << 16):
                got += data
        except TimeoutError:
            got += b"<still open after %d s>" % deadline_s
        except OSError:
            pass  # a reset after an error reply, because we had sent more
    return bytes(got)


def show(reply: Reply | None, depth: int = 0) -> str:
    """A reply for people, on one line."""
    if reply is None:
        return "(nothing)"
    mark, content = reply
    if content is None:
        return f"{mark}-1"
    if mark in LINES:
        return mark + content.decode("latin-1")
    if isinstance(content, bytes):
        # A bulk, or what the harness itself has to say under a mark that is none of RESP's.
        head = mark if mark != "$" else ""
        return head + quote(content if len(content) <= 120 else content[:100] + b"...(%d)" % len(content))
    inner = ", ".join(show(item, depth + 1) for item in content[:40])
    more = f", ... {len(content)} in all" if len(content) > 40 else ""
    return f"{mark}[{inner}{more}]"


def quote(data: bytes) -> str:
    """As redis-cli reads it back: bare where harmless, else in double quotes with escapes."""
    if data and all(c in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:#+@%" for c in data):
        return data.decode()
    out = []
    for c in data:
        if c in b'"\\':
            out.append("\\" + chr(c))
        elif 32 <= c < 127:
            out.append(chr(c))
        else:
            out.append(f"\\x{c:02x}")
    return '"' + "".join(out) + '"'
