"""redis-py against a server: what programs do with it, in RESP2 and RESP3, text and bytes.

Run by `run.py --suite redis-py` under the virtual environment that has the client:
    python client_redis_py.py PORT
Each check is a function over a client; its name is the claim. Prints one line a check, exits 1 if any failed.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
import warnings

import redis

warnings.simplefilter("ignore", DeprecationWarning)
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(got, want) -> None:
    assert got == want, f"got {got!r}, want {want!r}"


def refused(call, *words: str) -> None:
    try:
        got = call()
    except redis.ResponseError as error:
        for word in words:
            assert word in str(error), f"the error {error!s} does not say {word!r}"
        return
    raise AssertionError(f"no error, but {got!r}")


# --------------------------------------------------------------------------------------- strings


@check
def set_and_get(r):
    equal(r.set("k", "v"), True)
    equal(r.get("k"), T(r, "v"))
    equal(r.get("nokey"), None)


@check
def set_takes_every_option(r):
    equal(r.set("k", "1", nx=True), True)
    equal(r.set("k", "2", nx=True), None)
    equal(r.set("k", "3", xx=True), True)
    equal(r.set("k", "4", get=True), T(r, "3"))
    equal(r.set("k", "5", ex=100), True)
    assert 0 < r.ttl("k") <= 100
    r.set("k", "6", keepttl=True)
    assert r.ttl("k") > 0
    r.set("k", "7", px=50_000)
    assert 0 < r.pttl("k") <= 50_000
    r.set("k", "8", exat=4_102_444_800)
    equal(r.expiretime("k"), 4_102_444_800)
    r.set("k", "9", pxat=4_102_444_800_123)
    equal(r.pexpiretime("k"), 4_102_444_800_123)
    r.set("k", "10")
    equal(r.ttl("k"), -1)


@check
def binary_values_survive(r):
    raw = client(r, decode=False)
    value = bytes(range(256)) * 40
    raw.set(b"bin\x00\xff\r\n", value)
    equal(raw.get(b"bin\x00\xff\r\n"), value)


@check
def a_large_value_survives(r):
    raw = client(r, decode=False)
    value = b"x" * (5 << 20)
    raw.set("big", value)
    equal(raw.strlen("big"), len(value))
    assert raw.get("big") == value


@check
def counters_count(r):
    equal(r.incr("n"), 1)
    equal(r.incrby("n", 41), 42)
    equal(r.decr("n"), 41)
    equal(r.decrby("n", 50), -9)
    equal(r.incrbyfloat("f", 10.5), 10.5)
    equal(r.incrbyfloat("f", -0.25), 10.25)
    equal(r.get("f"), T(r, "10.25"))
    r.set("max", 2**63 - 1)
    refused(lambda: r.incr("max"), "overflow")
    r.set("s", "abc")
    refused(lambda: r.incr("s"), "not an integer")


@check
def ranges_and_lengths(r):
    equal(r.append("k", "Hello"), 5)
    equal(r.append("k", " World"), 11)
    equal(r.getrange("k", 0, 4), T(r, "Hello"))
    equal(r.getrange("k", -5, -1), T(r, "World"))
    equal(r.setrange("k", 6, "Redis"), 11)
    equal(r.get("k"), T(r, "Hello Redis"))
    equal(r.strlen("k"), 11)
    equal(r.setrange("pad", 3, "x"), 4)
    equal(client(r, decode=False).get("pad"), b"\x00\x00\x00x")


@check
def many_keys_at_once(r):
    equal(r.mset({"a": 1, "b": 2, "c": 3}), True)
    equal(r.mget("a", "b", "none", "c"), [T(r, "1"), T(r, "2"), None, T(r, "3")])
    equal(r.msetnx({"d": 4, "a": 9}), False)
    equal(r.exists("d"), 0)
    equal(r.msetnx({"d": 4, "e": 5}), True)


@check
def getex_and_getdel(r):
    r.set("k", "v")
    equal(r.getex("k", ex=100), T(r, "v"))
    assert r.ttl("k") > 0
    equal(r.getex("k", persist=True), T(r, "v"))
    equal(r.ttl("k"), -1)
    equal(r.getdel("k"), T(r, "v"))
    equal(r.exists("k"), 0)


@check
def getset_setnx_setex(r):
    equal(r.getset("k", "1"), None)
    equal(r.getset("k", "2"), T(r, "1"))
    equal(r.setnx("k", "3"), False)
    equal(r.setex("k", 100, "4"), True)
    equal(r.psetex("k", 100_000, "5"), True)
    refused(lambda: r.setex("k", 0, "x"), "invalid expire time")


@check
def longest_common_subsequence(r):
    r.mset({"{l}a": "ohmytext", "{l}b": "mynewtext"})
    equal(r.lcs("{l}a", "{l}b"), T(r, "mytext"))
    equal(r.lcs("{l}a", "{l}b", len=True), 6)
    got = r.lcs("{l}a", "{l}b", idx=True, minmatchlen=4, withmatchlen=True)
    flat = list(got.values()) if isinstance(got, dict) else got[1::2]
    assert 6 in flat, got


# ------------------------------------------------------------------------------------------ keys


@check
def delete_exists_touch_type(r):
    r.mset({"a": 1, "b": 2})
    equal(r.exists("a", "b", "a", "none"), 3)
    equal(r.touch("a", "none"), 1)
    equal(r.type("a"), T(r, "string"))
    equal(r.type("none"), T(r, "none"))
    equal(r.delete("a", "none"), 1)
    equal(r.unlink("b"), 1)
    equal(r.dbsize(), 0)


@check
def rename_and_copy(r):
    r.set("a", "1", ex=100)
    equal(r.rename("a", "b"), True)
    assert r.ttl("b") > 0
    r.set("c", "2")
    equal(r.renamenx("b", "c"), False)
    equal(r.copy("b", "d"), True)
    assert r.ttl("d") > 0
    equal(r.copy("b", "c"), False)
    equal(r.copy("b", "c", replace=True), True)
    refused(lambda: r.rename("none", "x"), "no such key")


@check
def keys_and_randomkey(r):
    equal(r.randomkey(), None)
    r.mset({"user:1": 1, "user:2": 2, "other": 3})
    equal(sorted(r.keys("user:*")), [T(r, "user:1"), T(r, "user:2")])
    equal(len(r.keys()), 3)
    assert r.randomkey() in r.keys()


@check
def scan_returns_every_key_once_asked_for(r):
    with r.pipeline(transaction=False) as p:
        for i in range(1500):
            p.set(f"s:{i}", i)
        p.execute()
    r.set("other", 1)
    equal(len(set(r.scan_iter())), 1501)
    equal(len(set(r.scan_iter(match="s:1*", count=100))), 611)
    equal(set(r.scan_iter(_type="string")), set(r.scan_iter()))
    equal(list(r.scan_iter(_type="list")), [])
    refused(lambda: r.execute_command("SCAN", "abc"), "invalid cursor")


@check
def object_and_memory_usage(r):
    r.mset({"i": 12, "e": "short", "r": "x" * 100})
    equal(S(r.object("encoding", "i")), "int")
    equal(S(r.object("encoding", "e")), "embstr")
    equal(S(r.object("encoding", "r")), "raw")
    assert r.object("idletime", "i") >= 0
    assert r.object("refcount", "r") >= 1
    assert r.memory_usage("r") >= 100
    equal(r.memory_usage("none"), None)


@check
def databases_are_apart(r):
    r.set("k", "zero")
    other = client(r, db=1)
    equal(other.get("k"), None)
    equal(r.move("k", 1), True)
    equal(other.get("k"), T(r, "zero"))
    equal(r.exists("k"), 0)
    r.swapdb(0, 1)
    equal(r.get("k"), T(r, "zero"))
    other.flushdb()
    equal(r.dbsize(), 1)
    refused(lambda: r.execute_command("SELECT", 16), "out of range")


# ---------------------------------------------------------------------------------------- expiry


@check
def expire_family(r):
    r.set("k", "v")
    equal(r.ttl("k"), -1)
    equal(r.ttl("none"), -2)
    equal(r.expire("k", 100), True)
    equal(r.expire("none", 100), False)
    equal(r.expire("k", 50, nx=True), False)
    equal(r.expire("k", 50, gt=True), False)
    equal(r.expire("k", 50, lt=True), True)
    equal(r.expire("k", 200, xx=True), True)
    equal(r.persist("k"), True)
    equal(r.persist("k"), False)
    equal(r.pexpireat("k", 4_102_444_800_000), True)
    equal(r.expiretime("k"), 4_102_444_800)
    equal(r.expire("k", -1), True)
    equal(r.exists("k"), 0)


@check
def a_deadline_ends_a_key(r):
    r.set("k", "v", px=30)
    deadline = time.monotonic() + 20
    while r.exists("k") and time.monotonic() < deadline:
        time.sleep(0.01)
    equal(r.get("k"), None)
    equal(r.dbsize(), 0)


# ---------------------------------------------------------------------------------------- bitmaps


@check
def bits(r):
    equal(r.setbit("b", 7, 1), 0)
    equal(r.setbit("b", 7, 0), 1)
    equal(r.getbit("b", 100), 0)
    r.set("b", "foobar")
    equal(r.bitcount("b"), 26)
    equal(r.bitcount("b", 1, 1), 6)
    equal(r.bitcount("b", 5, 30, "BIT"), 17)
    equal(r.bitpos("b", 1), 1)
    equal(r.bitpos("b", 0, 0, -1), 0)
    equal(r.bitpos("b", 1, 8, -1, "BIT"), 9)


@check
def bit_operations(r):
    raw = client(r, decode=False)
    raw.mset({"{b}1": b"\xf0\x0f", "{b}2": b"\xff"})
    equal(raw.bitop("AND", "{b}d", "{b}1", "{b}2"), 2)
    equal(raw.get("{b}d"), b"\xf0\x00")
    raw.bitop("OR", "{b}d", "{b}1", "{b}2")
    equal(raw.get("{b}d"), b"\xff\x0f")
    raw.bitop("XOR", "{b}d", "{b}1", "{b}2")
    equal(raw.get("{b}d"), b"\x0f\x0f")
    raw.bitop("NOT", "{b}d", "{b}1")
    equal(raw.get("{b}d"), b"\x0f\xf0")


@check
def bitfields(r):
    equal(r.bitfield("bf").set("u8", 0, 255).get("u8", 0).incrby("u8", 0, 10).execute(), [0, 255, 9])
    sat = r.bitfield("bf", default_overflow="SAT").set("u8", 0, 250).incrby("u8", 0, 100)
    equal(sat.execute(), [9, 255])
    equal(r.bitfield("bf", default_overflow="FAIL").incrby("u8", 0, 1).execute(), [None])
    equal(r.bitfield_ro("bf", "u8", 0), [255])


# ------------------------------------------------------------------------- connections and server


@check
def ping_echo_time(r):
    equal(r.ping(), True)
    equal(r.echo("hi"), T(r, "hi"))
    seconds, micros = r.time()
    assert abs(seconds - time.time()) < 60 and 0 <= micros < 1_000_000


@check
def client_names_and_lists(r):
    one = client(r, single=True)
    equal(one.client_setname("worker"), True)
    equal(S(one.client_getname()), "worker")
    me = one.client_id()
    mine = [c for c in one.client_list() if int(c["id"]) == me]
    equal(len(mine), 1)
    equal(mine[0]["name"], "worker")
    info = one.client_info()
    equal(int(info["id"]), me)
    refused(lambda: one.client_setname("with space"), "spaces")


@check
def a_client_can_be_killed(r):
    victim = client(r, single=True)
    name = victim.client_id()
    equal(r.client_kill_filter(_id=name), 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(int(c["id"]) == name for c in r.client_list()):
            return
        time.sleep(0.02)
    raise AssertionError("it is still in CLIENT LIST")


@check
def no_evict_no_touch_and_library_name(r):
    one = client(r, single=True)
    assert S(one.client_no_evict("on")) in ("OK", True)
    if redis_version(r) >= (7, 2):
        assert S(one.execute_command("CLIENT NO-TOUCH", "on")) in ("OK", True)
    info = one.client_info()
    if redis_version(r) >= (7, 2):
        assert "lib-name" in info and "redis-py" in info["lib-name"], info


@check
def config_get_and_set(r):
    got = r.config_get("maxmemory*")
    assert "maxmemory" in got and "maxmemory-policy" in got, got
    before = r.config_get("slowlog-max-len")["slowlog-max-len"]
    equal(r.config_set("slowlog-max-len", 64), True)
    equal(r.config_get("slowlog-max-len"), {"slowlog-max-len": "64"})
    r.config_set("slowlog-max-len", before)
    equal(len(r.config_get("timeout", "databases")), 2)
    refused(lambda: r.config_set("nosuchsetting", 1), "Unknown option")
    equal(r.config_resetstat(), True)


@check
def info_parses(r):
    info = r.info()
    for name in ("redis_version", "uptime_in_seconds", "connected_clients", "used_memory", "total_commands_processed",
                 "tcp_port", "process_id", "arch_bits", "redis_mode"):
        assert name in info, f"INFO lacks {name}"
    r.set("k", "v", ex=100)
    space = r.info("keyspace")
    equal(space["db0"]["keys"], 1)
    equal(space["db0"]["expires"], 1)
    assert "cmdstat_set" in r.info("commandstats")


@check
def command_table_is_served(r):
    assert r.command_count() > 50
    table = r.command()
    assert "get" in table and table["get"]["arity"] == 2, table.get("get")
    equal([S(k) for k in r.command_getkeys("MSET", "a", 1, "b", 2)], ["a", "b"])
    assert "get" in [S(name) for name in r.command_list()]
    docs = r.execute_command("COMMAND DOCS", "GET")
    assert docs, "COMMAND DOCS is empty"


@check
def flush_empties(r):
    r.mset({"a": 1, "b": 2})
    client(r, db=3).set("c", 1)
    equal(r.flushdb(), True)
    equal(r.dbsize(), 0)
    equal(client(r, db=3).dbsize(), 1)
    equal(r.flushall(asynchronous=True), True)
    equal(client(r, db=3).dbsize(), 0)


@check
def unknown_commands_and_wrong_arity_are_told(r):
    refused(lambda: r.execute_command("NOSUCH", "a"), "unknown command")
    refused(lambda: r.execute_command("GET"), "wrong number of arguments for 'get' command")
    refused(lambda: r.execute_command("OBJECT", "NOSUCH", "a"), "unknown subcommand")
    refused(lambda: r.execute_command("SET", "k", "v", "BOGUS"), "syntax error")


@check
def reset_forgets_the_session(r):
    one = client(r, single=True, db=2)
    one.client_setname("x")
    equal(S(one.execute_command("RESET")), "RESET")


# -------------------------------------------------------------------------------------- pipelines


@check
def a_pipeline_keeps_its_order(r):
    with r.pipeline(transaction=False) as p:
        for i in range(5000):
            p.set(f"p:{i}", i)
            p.get(f"p:{i}")
        got = p.execute()
    equal(got[1::2], [T(r, str(i)) for i in range(5000)])


@check
def an_error_in_a_pipeline_stays_in_its_place(r):
    r.set("s", "abc")
    with r.pipeline(transaction=False) as p:
        p.set("a", 1).incr("s").get("a")
        got = p.execute(raise_on_error=False)
    equal(got[0], True)
    assert isinstance(got[1], redis.ResponseError)
    equal(got[2], T(r, "1"))


@check
def many_threads_share_a_pool(r):
    errors = []

    def work():
        try:
            for _ in range(200):
                r.incr("shared")
        except Exception as error:  # noqa: BLE001 - whatever it is goes into the report
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors
    equal(r.get("shared"), T(r, "1600"))


# ---------------------------------------------------------------------------------------- running


def T(r, text: str):
    """The text as this client returns it."""
    return text if r.get_connection_kwargs().get("decode_responses") else text.encode()


def S(value):
    return value.decode() if isinstance(value, bytes) else value


def redis_version(r) -> tuple[int, ...]:
    return tuple(int(part) for part in r.info("server")["redis_version"].split(".")[:2])


def protocol(r) -> int:
    return int(r.get_connection_kwargs().get("protocol") or 2)


def client(r, *, db: int = 0, decode: bool | None = None, single: bool = False) -> redis.Redis:
    """Another client like `r`."""
    kwargs = r.get_connection_kwargs()
    decode = kwargs.get("decode_responses") if decode is None else decode
    return redis.Redis(port=kwargs["port"], db=db, protocol=protocol(r), decode_responses=decode,
                       single_connection_client=single, socket_timeout=30)


def main() -> int:
    port = int(sys.argv[1])
    failed = 0
    for version in (2, 3):
        for decode in (True, False):
            r = redis.Redis(port=port, protocol=version, decode_responses=decode, socket_timeout=30)
            for function in CHECKS:
                name = f"resp{version} {'text' if decode else 'bytes'}: {function.__name__}"
                try:
                    r.flushall()
                    function(r)
                    print(f"ok {name}")
                except Exception as error:  # noqa: BLE001 - each failure is a line of the report
                    failed += 1
                    where = traceback.extract_tb(error.__traceback__)
                    line = next((f.lineno for f in reversed(where) if f.filename == __file__ and f.name == function.__name__), 0)
                    print(f"FAIL {name}: line {line}: {type(error).__name__}: {str(error)[:300]}")
            r.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
