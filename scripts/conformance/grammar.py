"""Random commands, most of them valid, many of them only nearly so.

A command is a line of a small language: words as they are, `{kind}` a value of that kind, `(a|b)` one of,
`[a|b]` maybe one of (options next to each other change places), `+` one to three times. A few hot keys
make commands meet. Whatever depends on the clock or on chance inside the server is left out, or is made
certain: deadlines are long past, far ahead, or waited for.

To teach it a group, add lines to GROUPS; kinds are methods of `Values` by name.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

INTS = [
    0, 1, -1, 2, 7, 10, 42, 99, 100, 127, 128, 255, 256, 9999, 10000, 32767, 65535, 65536, 2**31 - 1, 2**31,
    -(2**31), -(2**31) - 1, 2**32, 2**53, 2**62, 2**63 - 2, 2**63 - 1, -(2**63), -(2**63) + 1,
]
ODD_INTS = [
    b"9223372036854775808", b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"+1",
    b" 1", b"1 ", b"01", b"-0", b"-01", b"0x10", b"1e3", b"1.0", b"", b"-", b"+", b"abc", b"1\x00", b"\xff",
    b"999999999999999999999999999999", b"nan", b"--1",
]
FLOATS = [
    b"0", b"1", b"-1", b"1.5", b"-1.5", b"0.1", b"0.2", b"3.0e3", b"5.0e3", b"1e5", b"-1.2e-5", b"1e17", b"1e18", b"1e300",
    b"-1e300", b"1e-300", b"0.000000000000000000001", b"123456789.123456789", b"3.14159265358979323846", b"1e15",
    b"99999999999999999999", b"17179869184", b"-0.0", b"+1.5", b".5", b"5.", b"0x1p4", b"0x1.8p1", b"1E3", b"1e+3",
    b"9007199254740993", b"0.30000000000000004", b"1e4932", b"-1e4932", b"1e-4950",
]
ODD_FLOATS = [
    b"inf", b"-inf", b"+inf", b"Infinity", b"nan", b"-nan", b"NaN", b"nan(1)", b"1e5000", b"-1e5000", b" 1.5", b"1.5 ", b"1,5",
    b"1.5.5", b"e5", b"1e", b"", b".", b"0x", b"abc", b"1.5\x00", b"1_000", b"\xe2\x88\x9e", b"1e-5000",
]
PATTERNS = [
    b"*", b"**", b"?", b"a*", b"*b", b"k*", b"key:*", b"key:?", b"[abc]", b"[a-c]", b"[c-a]", b"[^a]*", b"[^a]", b"{t}*", b"{t}[xy]",
    b"k\\*", b"\\*", b"[", b"[a", b"[]", b"[^", b"[a-", b"\\", b"a\\", b"", b"*:*", b"*a*b*c*", b"a?", b"\x00*", b"*\xff", b"[\\a]", b"K*", b"zz*",
    b"*?", b"?*", b"[a-z]*", b"[0-9]", b"*\\", b"key:[12]", b"[\\]]",
]
HOT_KEYS = [b"a", b"b", b"c", b"key:1", b"key:2", b"{t}x", b"{t}y", b"k\x00\xff"]
"""Few, so that commands meet; with tags that share a slot and bytes that are no text."""
RARE_KEYS = [b"", b"A", b"{}a", b"{t", b"t}", b"k*", b"nokey", b"new1", b"new2", b"x" * 200, b" ", b"\r\n", b"[a]"]

GROUPS: dict[str, list[tuple[int, str]]] = {
    "string": [
        (40, "SET {key} {val}"),
        (30, "SET {key} {val} [NX|XX] [GET] [EX {ttl_s}|PX {ttl_ms}|EXAT {at_s}|PXAT {at_ms}|KEEPTTL]"),
        (4, "SET {key} {val} [NX] [XX] [GET] [EX {ttl_s}] [PX {ttl_ms}] [KEEPTTL] [PERSIST] [{odd}]"),
        (40, "GET {key}"),
        (6, "GETDEL {key}"),
        (8, "GETEX {key} [EX {ttl_s}|PX {ttl_ms}|EXAT {at_s}|PXAT {at_ms}|PERSIST]"),
        (3, "GETEX {key} [EX {ttl_s}] [PERSIST] [NX] [{odd}]"),
        (6, "GETSET {key} {val}"),
        (6, "SETNX {key} {val}"),
        (6, "SETEX {key} {ttl_s} {val}"),
        (6, "PSETEX {key} {ttl_ms} {val}"),
        (10, "MSET {pair}+"),
        (6, "MSETNX {pair}+"),
        (2, "MSET {pair}+ {key}"),
        (10, "MGET {key}+"),
        (12, "APPEND {key} {val}"),
        (6, "STRLEN {key}"),
        (12, "SETRANGE {key} {offset} {val}"),
        (10, "GETRANGE {key} {index} {index}"),
        (3, "SUBSTR {key} {index} {index}"),
        (10, "INCR {key}"),
        (8, "DECR {key}"),
        (12, "INCRBY {key} {int}"),
        (8, "DECRBY {key} {int}"),
        (14, "INCRBYFLOAT {key} {float}"),
        (5, "SET {key} {float}"),
        (5, "SET {key} {int}"),
        (6, "LCS {key} {key} [LEN|IDX] [MINMATCHLEN {small}] [WITHMATCHLEN]"),
        (2, "LCS {key} {key} [LEN] [IDX] [MINMATCHLEN {int}] [WITHMATCHLEN] [{odd}]"),
    ],
    "generic": [
        (10, "DEL {key}+"),
        (5, "UNLINK {key}+"),
        (8, "EXISTS {key}+"),
        (5, "TOUCH {key}+"),
        (5, "TYPE {key}"),
        (8, "COPY {key} {key} [DB {db}] [REPLACE]"),
        (5, "MOVE {key} {db}"),
        (8, "RENAME {key} {key}"),
        (6, "RENAMENX {key} {key}"),
        (3, "RANDOMKEY"),
        (6, "KEYS {pattern}"),
        (6, "@scan [MATCH {pattern}] [COUNT {count}] [TYPE (string|STRING|list|hash|zset|stream|none|bogus)]"),
        (3, "SCAN {cursor} [MATCH {pattern}] [COUNT {odd_count}] [TYPE string] [{odd}]"),
        (8, "EXPIRE {key} {ttl_s} [NX|XX|GT|LT]"),
        (6, "PEXPIRE {key} {ttl_ms} [NX|XX|GT|LT]"),
        (6, "EXPIREAT {key} {at_s} [NX|XX|GT|LT]"),
        (6, "PEXPIREAT {key} {at_ms} [NX|XX|GT|LT]"),
        (3, "EXPIRE {key} {ttl_s} [NX] [XX] [GT] [LT] [{odd}]"),
        (2, "PEXPIREAT {key} {at_ms} [NX] [XX] [GT] [LT]"),
        (6, "TTL {key}"),
        (6, "PTTL {key}"),
        (5, "EXPIRETIME {key}"),
        (5, "PEXPIRETIME {key}"),
        (6, "PERSIST {key}"),
        (4, "OBJECT (ENCODING|REFCOUNT|IDLETIME|FREQ|encoding) {key}"),
        (1, "OBJECT {odd} {key}"),
        (4, "@expire {key}"),
    ],
    "bitmap": [
        (14, "SETBIT {key} {bit} (0|1)"),
        (2, "SETBIT {key} {bit} {int}"),
        (8, "GETBIT {key} {far_bit}"),
        (10, "BITCOUNT {key} [{index} {index}|{index} {index} (BYTE|BIT|byte|bit)]"),
        (1, "BITCOUNT {key} {index}"),
        (1, "BITCOUNT {key} {index} {index} {odd}"),
        (12, "BITPOS {key} (0|1) [{index}|{index} {index}|{index} {index} (BYTE|BIT)]"),
        (1, "BITPOS {key} {int} {index} {index} {odd}"),
        (12, "BITOP (AND|OR|XOR|and) {key} {key}+"),
        (4, "BITOP NOT {key} {key}"),
        (1, "BITOP {odd} {key} {key}+"),
        (1, "BITOP NOT {key} {key} {key}"),
        (16, "BITFIELD {key} {field}+"),
        (4, "BITFIELD_RO {key} {field_get}+"),
        (1, "BITFIELD_RO {key} {field}+"),
        (1, "BITFIELD {key} [{odd}]"),
    ],
    "list": [
        (30, "RPUSH {key} {elem}+"),
        (30, "LPUSH {key} {elem}+"),
        (6, "(LPUSHX|RPUSHX) {key} {elem}+"),
        (16, "(LPOP|RPOP) {key}"),
        (6, "(LPOP|RPOP) {key} {some_count}"),
        (2, "(LPOP|RPOP) {key} {int} [{odd}]"),
        (14, "LRANGE {key} {index} {index}"),
        (4, "LLEN {key}"),
        (8, "LINDEX {key} {index}"),
        # Not further: LSET of Redis takes an index modulo 2^32, and sets element 0 for 2^62.
        (8, "LSET {key} {near_index} {elem}"),
        (5, "LTRIM {key} {index} {index}"),
        (10, "LREM {key} {index} {elem}"),
        (10, "LINSERT {key} (BEFORE|AFTER|before|{odd}) {elem} {elem}"),
        (12, "LPOS {key} {elem} [RANK {small}] [COUNT {some_count}] [MAXLEN {some_count}]"),
        (3, "LPOS {key} {elem} [RANK {int}] [COUNT {int}] [MAXLEN {int}] [{odd}]"),
        (8, "LMOVE {key} {key} (LEFT|RIGHT) (LEFT|RIGHT)"),
        (1, "LMOVE {key} {key} (LEFT|{odd}) (RIGHT|{odd})"),
        (5, "RPOPLPUSH {key} {key}"),
        (4, "LMPOP 1 {key} (LEFT|RIGHT) [COUNT {some_count}]"),
        (4, "LMPOP 2 {key} {key} (LEFT|RIGHT) [COUNT {some_count}]"),
        (2, "LMPOP {int} {key}+ (LEFT|RIGHT|{odd}) [COUNT {int}] [{odd}]"),
        (5, "OBJECT ENCODING {key}"),
        (4, "DEL {key}"),
    ],
    "hash": [
        (30, "HSET {key} {field_value}+"),
        (2, "HSET {key} {field_value}+ {elem}"),
        (6, "HMSET {key} {field_value}+"),
        (8, "HSETNX {key} {elem} {val}"),
        (12, "HGET {key} {elem}"),
        (8, "HMGET {key} {elem}+"),
        (10, "HDEL {key} {elem}+"),
        (5, "(HLEN|HKEYS|HVALS|HGETALL) {key}"),
        (8, "HGETALL {key}"),
        (5, "HEXISTS {key} {elem}"),
        (5, "HSTRLEN {key} {elem}"),
        (14, "HINCRBY {key} {elem} {int}"),
        (14, "HINCRBYFLOAT {key} {elem} {float}"),
        (4, "HRANDFIELD {key} 1000 [WITHVALUES]"),
        (2, "HRANDFIELD {key} 0 [WITHVALUES|{odd}]"),
        (6, "HSCAN {key} 0 [MATCH {pattern}] [COUNT {count}] [NOVALUES]"),
        (2, "HSCAN {key} {cursor} [MATCH {pattern}] [COUNT {odd_count}] [NOVALUES] [{odd}]"),
        (6, "HEXPIRE {key} {ttl_s} [NX|XX|GT|LT] FIELDS 1 {elem}"),
        (6, "HPEXPIRE {key} {ttl_ms} [NX|XX|GT|LT] FIELDS 2 {elem} {elem}"),
        (6, "HEXPIREAT {key} {at_s} [NX|XX|GT|LT] FIELDS 2 {elem} {elem}"),
        (6, "HPEXPIREAT {key} {at_ms} [NX|XX|GT|LT] FIELDS 1 {elem}"),
        (2, "(HEXPIRE|HPEXPIREAT) {key} {int} [NX|{odd}] FIELDS {int} {elem}+"),
        (5, "(HTTL|HPTTL|HEXPIRETIME|HPEXPIRETIME) {key} FIELDS 2 {elem} {elem}"),
        (5, "HPERSIST {key} FIELDS 2 {elem} {elem}"),
        (2, "(HTTL|HPERSIST) {key} (FIELDS|{odd}) {int} {elem}+"),
        (5, "OBJECT ENCODING {key}"),
        (4, "DEL {key}"),
    ],
    "set": [
        (30, "SADD {key} {elem}+"),
        (12, "SADD {key} {member}+"),
        (10, "SREM {key} {elem}+"),
        (5, "SISMEMBER {key} {elem}"),
        (5, "SMISMEMBER {key} {elem}+"),
        (8, "SMEMBERS {key}"),
        (4, "SCARD {key}"),
        (6, "SMOVE {key} {key} {elem}"),
        (8, "(SINTER|SUNION|SDIFF) {key}+"),
        (8, "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) {key} {key}+"),
        (5, "SINTERCARD 2 {key} {key} [LIMIT {some_count}]"),
        (2, "SINTERCARD {int} {key}+ [LIMIT {int}] [{odd}]"),
        (3, "SPOP {key} 1000"),
        (2, "SPOP {key} (0|-1|abc) [{odd}]"),
        (3, "SRANDMEMBER {key} (1000|0)"),
        (1, "SRANDMEMBER {key} (abc|1.5) [{odd}]"),
        (6, "SSCAN {key} 0 [MATCH {pattern}] [COUNT {count}]"),
        (2, "SSCAN {key} {cursor} [MATCH {pattern}] [COUNT {odd_count}] [{odd}]"),
        (5, "OBJECT ENCODING {key}"),
        (4, "DEL {key}"),
        (6, "(SORT|SORT_RO) {key} [LIMIT {index} {some_count}] [ASC|DESC] [ALPHA] [GET #] [GET {elem}]"),
        # Not BY w* ALPHA: elements whose weights are equal, or not there, come in the order of a table.
        (2, "SORT {key} BY nosort [ALPHA] STORE {key}"),
        (2, "SORT {key} BY w* STORE {key}"),
        (2, "SORT {key} [LIMIT {int} {int}] [STORE {key}] [{odd}]"),
    ],
    "sorted_set": [
        (30, "ZADD {key} {score_member}+"),
        (12, "ZADD {key} [NX|XX] [GT|LT] [CH] [INCR] {score_member}"),
        (3, "ZADD {key} [NX] [XX] [GT] [LT] [CH] [INCR] {score_member}+ [{odd}]"),
        (10, "ZINCRBY {key} {score} {elem}"),
        (8, "ZREM {key} {elem}+"),
        (5, "ZCARD {key}"),
        (6, "ZCOUNT {key} {score_bound} {score_bound}"),
        (8, "ZADD {lex_key} 0 {elem} 0 {member}"),
        (4, "ZLEXCOUNT {lex_key} {lex_bound} {lex_bound}"),
        (6, "ZSCORE {key} {elem}"),
        (4, "ZMSCORE {key} {elem}+"),
        (6, "(ZRANK|ZREVRANK) {key} {elem} [WITHSCORE]"),
        (10, "ZRANGE {key} {index} {index} [REV] [WITHSCORES]"),
        (8, "ZRANGE {key} {score_bound} {score_bound} BYSCORE [REV] [LIMIT {index} {index}] [WITHSCORES]"),
        (6, "ZRANGE {lex_key} {lex_bound} {lex_bound} BYLEX [REV] [LIMIT {index} {index}]"),
        (2, "ZRANGE {lex_key} {index} {index} [BYSCORE] [BYLEX] [REV] [LIMIT {int} {int}] [WITHSCORES] [{odd}]"),
        (4, "ZRANGESTORE {key} {key} {index} {index} [REV]"),
        (3, "ZRANGESTORE {key} {key} {score_bound} {score_bound} BYSCORE [REV] [LIMIT {index} {index}]"),
        (4, "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) {key} {score_bound} {score_bound} [WITHSCORES] [LIMIT {index} {index}]"),
        (3, "(ZRANGEBYLEX|ZREVRANGEBYLEX) {lex_key} {lex_bound} {lex_bound} [LIMIT {index} {index}]"),
        (3, "ZREVRANGE {key} {index} {index} [WITHSCORES]"),
        (3, "ZREMRANGEBYRANK {key} {index} {index}"),
        (3, "ZREMRANGEBYSCORE {key} {score_bound} {score_bound}"),
        (2, "ZREMRANGEBYLEX {lex_key} {lex_bound} {lex_bound}"),
        (6, "(ZPOPMIN|ZPOPMAX) {key} [{some_count}]"),
        (4, "ZMPOP 2 {key} {key} (MIN|MAX) [COUNT {some_count}]"),
        (1, "ZMPOP {int} {key}+ (MIN|MAX|{odd}) [COUNT {int}] [{odd}]"),
        (6, "(ZUNION|ZINTER) 2 {key} {key} [WEIGHTS {float} {float}] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]"),
        (5, "(ZUNIONSTORE|ZINTERSTORE) {key} 2 {key} {key} [WEIGHTS {float} {float}] [AGGREGATE (SUM|MIN|MAX)]"),
        (2, "(ZUNIONSTORE|ZINTER|ZDIFF) {key} {int} {key}+ [WEIGHTS {float}] [AGGREGATE {odd}] [{odd}]"),
        (4, "ZDIFF 2 {key} {key} [WITHSCORES]"),
        (3, "ZDIFFSTORE {key} 2 {key} {key}"),
        (3, "ZINTERCARD 2 {key} {key} [LIMIT {some_count}]"),
        (2, "ZRANDMEMBER {key} (1000|0) [WITHSCORES]"),
        (4, "ZSCAN {key} 0 [MATCH {pattern}] [COUNT {count}]"),
        (4, "OBJECT ENCODING {key}"),
        (4, "DEL {key}"),
        (2, "SORT {key} [BY nosort] [ALPHA] [LIMIT {index} {some_count}] [DESC]"),
        (3, "SADD {key} {elem}+"),
    ],
    "geo": [
        (30, "GEOADD {key} [NX|XX] [CH] {lon_lat} {elem}"),
        (6, "GEOADD {key} {lon_lat} {elem} {lon_lat} {elem}"),
        (2, "GEOADD {key} [NX] [XX] [CH] {float} {float} {elem}"),
        (10, "GEOPOS {key} {elem}+"),
        (8, "GEOHASH {key} {elem}+"),
        (10, "GEODIST {key} {elem} {elem} [m|km|ft|mi|{odd}]"),
        (16, "GEOSEARCH {key} {geo_from} {geo_shape} [ASC|DESC] [COUNT {small} [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]"),
        (6, "GEOSEARCHSTORE {key} {key} {geo_from} {geo_shape} [ASC|DESC] [COUNT {small}] [STOREDIST]"),
        (3, "GEORADIUS {key} {lon_lat} {radius} (m|km|mi|ft) [WITHCOORD] [WITHDIST] [COUNT {small}] [ASC|DESC]"),
        (3, "GEORADIUSBYMEMBER {key} {elem} {radius} (m|km|mi|ft) [WITHHASH] [WITHDIST] [STORE {key}|STOREDIST {key}]"),
        (2, "GEOSEARCH {key} [{geo_from}] [{geo_shape}] [WITHDIST] [{odd}]"),
        (3, "ZRANGE {key} 0 -1 WITHSCORES"),
        (3, "DEL {key}"),
    ],
    "hyperloglog": [
        (20, "PFADD {key} {elem}+"),
        (10, "PFADD {key} {member}+"),
        (10, "PFCOUNT {key}+"),
        (6, "PFMERGE {key} {key}+"),
        (4, "GET {key}"),
        (1, "PFDEBUG (ENCODING|DECODE|TODENSE) {key}"),
        (3, "DEL {key}"),
    ],
    "stream": [
        (30, "XADD {key} {stream_new_id} {elem} {val}"),
        (6, "XADD {key} [NOMKSTREAM] [MAXLEN [=|~] {some_count}|MINID [=|~] {stream_id}] {stream_new_id} {elem} {elem}"),
        (2, "XADD {key} [NOMKSTREAM] [MAXLEN {int}] [LIMIT {int}] {stream_new_id} {elem}+ [{odd}]"),
        (8, "XRANGE {key} {stream_bound} {stream_bound} [COUNT {some_count}]"),
        (6, "XREVRANGE {key} {stream_bound} {stream_bound} [COUNT {some_count}]"),
        (4, "XLEN {key}"),
        (8, "XDEL {key} {stream_id}+"),
        (6, "XTRIM {key} (MAXLEN|MINID) [=] {small_id}"),
        (2, "XTRIM {key} (MAXLEN|MINID|{odd}) [=|~] {int} [LIMIT {int}]"),
        (8, "XREAD [COUNT {some_count}] STREAMS {key} {stream_id}"),
        (4, "XREAD [COUNT {some_count}] STREAMS {key} {key} {stream_id} {stream_id}"),
        (10, "XGROUP CREATE {key} {group} {stream_id} [MKSTREAM] [ENTRIESREAD {small}]"),
        (4, "XGROUP SETID {key} {group} {stream_id} [ENTRIESREAD {small}]"),
        (2, "XGROUP DESTROY {key} {group}"),
        (3, "XGROUP (CREATECONSUMER|DELCONSUMER) {key} {group} {name}"),
        (1, "XGROUP {odd} {key} {group} {stream_id}"),
        (16, "XREADGROUP GROUP {group} {name} [COUNT {small}] [NOACK] STREAMS {key} (>|>|{stream_id})"),
        (8, "XACK {key} {group} {stream_id}+"),
        (6, "XPENDING {key} {group}"),
        (6, "XPENDING {key} {group} [IDLE 0] {stream_bound} {stream_bound} {some_count} [{name}]"),
        (6, "XCLAIM {key} {group} {name} 0 {stream_id}+ [JUSTID] [FORCE] [RETRYCOUNT {small}]"),
        (4, "XAUTOCLAIM {key} {group} {name} 0 {stream_bound} [COUNT {some_count}] [JUSTID]"),
        (3, "XSETID {key} {stream_id} [ENTRIESADDED {small}] [MAXDELETEDID {stream_id}]"),
        (4, "XINFO GROUPS {key}"),
        (3, "XINFO STREAM {key}"),
        (2, "DEL {key}"),
    ],
    "scripting": [
        (6, "EVAL {script} 2 {key} {key} {val}"),
        (2, "EVAL_RO {script} 1 {key} {val}"),
        (1, "EVAL {script} {int} {key}"),
        (1, "SCRIPT LOAD {script}"),
        (1, "SCRIPT EXISTS {val} {val}"),
        (1, "EVALSHA {val} 0"),
    ],
    "connection": [
        (4, "PING [{val}]"),
        (3, "ECHO {val}"),
        (12, "SELECT {db}"),
        (2, "SELECT {odd_db}"),
        (3, "CLIENT SETNAME {name}"),
        (3, "CLIENT GETNAME"),
        (1, "CLIENT ID"),
        (2, "CLIENT INFO"),
        (1, "CLIENT LIST ID 99999999"),
        (1, "CLIENT LIST TYPE {odd}"),
        (1, "CLIENT LIST {odd}"),
        (1, "CLIENT KILL ID 99999999 [SKIPME (yes|no|{odd})]"),
        (1, "CLIENT KILL (ID|TYPE|ADDR|LADDR|USER|{odd}) (foo|0|-1|abc|normal!)"),
        (1, "CLIENT KILL 1.2.3.4:5"),
        (1, "CLIENT UNBLOCK 99999999 [TIMEOUT|ERROR|{odd}]"),
        (1, "CLIENT NO-EVICT (on|off|{odd})"),
        (1, "CLIENT NO-TOUCH (on|off|{odd})"),
        (1, "CLIENT REPLY {odd}"),
        (2, "@quiet"),
        (1, "CLIENT SETINFO (lib-name|lib-ver|LIB-NAME|{odd}) {name}"),
        (1, "CLIENT {odd}"),
        (1, "CLIENT PAUSE {odd} [WRITE|ALL|{odd}]"),
        (1, "CLIENT UNPAUSE"),
        (1, "AUTH [{name}] {val}"),
        (3, "HELLO (2|3)"),
        (1, "HELLO [{odd}] [AUTH {name} {val}] [SETNAME {name}]"),
        (1, "HELLO (2|3) [SETNAME {name}] [{odd}]"),
        (1, "RESET"),
        (3, "{unknown} {val}+"),
    ],
    "server": [
        (4, "DBSIZE"),
        (2, "FLUSHDB [ASYNC|SYNC]"),
        (1, "FLUSHALL [ASYNC|SYNC]"),
        (1, "FLUSHALL {odd}"),
        (3, "SWAPDB {db} {db}"),
        (1, "SWAPDB {odd_db} {odd_db}"),
        (1, "TIME"),
        (2, "MEMORY USAGE {key} [SAMPLES {odd_count}]"),
        (1, "MEMORY {odd}"),
        (2, "CONFIG GET {setting}+"),
        (2, "CONFIG SET {assignment}"),
        (1, "CONFIG SET {assignment} {assignment}"),
        (1, "CONFIG SET (nosuchsetting|databases) {odd}"),
        (1, "CONFIG {odd} {odd}"),
        (3, "COMMAND GETKEYS {any_command}"),
        (1, "COMMAND GETKEYSANDFLAGS {any_command}"),
        (1, "COMMAND {odd}"),
        (1, "DEBUG {odd}"),
        (1, "INFO {odd}"),
        (1, "LOLWUT VERSION {odd}"),
    ],
    "transaction": [
        (3, "MULTI"),
        (3, "EXEC"),
        (1, "DISCARD"),
        (2, "WATCH {key}+"),
        (1, "UNWATCH"),
    ],
    "protocol": [(1, "@raw")],
}
DEFAULT_GROUPS = [*GROUPS]
GROUP_WEIGHTS = {
    "string": 30, "generic": 24, "bitmap": 12, "list": 24, "hash": 24, "set": 24, "sorted_set": 30, "geo": 8, "hyperloglog": 6,
    "stream": 24, "scripting": 5, "connection": 6, "server": 4, "protocol": 1, "transaction": 6,
}

SETTINGS = [
    b"maxmemory", b"maxmemory-policy", b"timeout", b"databases", b"tcp-keepalive", b"hz", b"maxclients", b"nosuchsetting", b"max*samples",
    b"slowlog-log-slower-than", b"slowlog-max-len", b"proto-max-bulk-len", b"hash-max-listpack-entries", b"lazyfree-lazy-expire",
]
ASSIGNMENTS = [
    (b"maxmemory", [b"100gb", b"100GB", b"107374182400", b"0", b"100g", b"104857600k", b"104857600kb", b"100xb", b"-1", b"1.5gb"]),
    (b"slowlog-max-len", [b"128", b"1", b"-1", b"abc", b"64"]),
    (b"slowlog-log-slower-than", [b"10000", b"-1", b"-2", b"1e3"]),
    (b"hash-max-listpack-entries", [b"128", b"512", b"-1", b"", b"0"]),
    (b"lazyfree-lazy-expire", [b"yes", b"no", b"YES", b"maybe", b"1"]),
    (b"hz", [b"10", b"9999", b"10"]),
    (b"nosuchsetting", [b"1"]),
    (b"maxmemory-policy", [b"noeviction", b"bogus", b"NOEVICTION"]),
]
RESETS = [
    (b"maxmemory", b"0"), (b"slowlog-max-len", b"128"), (b"slowlog-log-slower-than", b"10000"),
    (b"hash-max-listpack-entries", b"128"), (b"lazyfree-lazy-expire", b"no"), (b"hz", b"10"),
    (b"maxmemory-policy", b"noeviction"),
]
"""Every setting of ASSIGNMENTS back to its default, so that a round starts from the same server."""


SCRIPTS = [
    b"return redis.call('SET', KEYS[1], ARGV[1] or '')", b"return redis.call('GET', KEYS[1])", b"return redis.pcall('INCR', KEYS[1])",
    b"return {KEYS, ARGV}", b"return {1, 2.9, 'x', false, true, nil, 4}", b"return redis.call('LRANGE', KEYS[1], 0, -1)",
    b"return redis.pcall('HGETALL', KEYS[1])", b"redis.setresp(3) return redis.pcall('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')",
    b"return redis.call('RENAME', KEYS[1], KEYS[2] or 'a')", b"return redis.error_reply('MY error')", b"return redis.status_reply('FINE')",
    b"error('thrown')", b"return tonumber(ARGV[1])", b"return tostring(ARGV[1])", b"return #KEYS + #ARGV", b"return cjson.encode({a = 1})",
    b"redis.call('RPUSH', 'a', 'x') redis.call('RPUSH', 'b', 'y') return redis.call('EXISTS', 'a', 'b')", b"return (", b"return nosuch",
    b"return redis.call('NOSUCH')", b"return redis.call('GET')", b"return {err = 'CODE text'}", b"return {ok = 'fine'}", b"return {double = 3.5}",
    b"return redis.sha1hex(ARGV[1] or '')", b"for i = 1, 3 do redis.call('INCRBY', KEYS[1], i) end return redis.call('GET', KEYS[1])",
    b"#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 1)", b"return cmsgpack.pack({1, 'a'})", b"return struct.pack('>I2', 258)",
    b"return bit.band(255, 15)", b"return redis.call('TYPE', KEYS[1])",
]


@dataclass(frozen=True)
class Step:
    """One thing to do on both servers. `kind`: call (a command), scan (a whole iteration), expire (a
    deadline set and waited for), quiet (commands whose replies are switched off), raw (bytes)."""

    conn: int
    kind: str
    argv: tuple[bytes, ...]


# ------------------------------------------------------------------------------------- language

Node = tuple
TOKEN = re.compile(r"\{(\w+)\}|([()\[\]|+])|([^\s()\[\]|+{}]+)")


def parse(line: str) -> Node:
    """A tree: ("seq", items), ("any", branches), ("maybe", branches), ("kind", name), ("word", text), ("some", item)."""
    tokens = [m.groups() for m in TOKEN.finditer(line)]
    tree, rest = _branches(tokens, None)
    assert not rest, f"unbalanced: {line}"
    return tree[0] if len(tree) == 1 else ("any", tree)


def _branches(tokens: list, until: str | None) -> tuple[list[Node], list]:
    branches: list[Node] = []
    items: list[Node] = []
    while tokens:
        (kind, sign, word), tokens = tokens[0], tokens[1:]
        if kind:
            items.append(("kind", kind))
        elif word:
            items.append(("word", word))
        elif sign == "+":
            items[-1] = ("some", items[-1])
        elif sign == "|":
            branches.append(("seq", items))
            items = []
        elif sign in "([":
            inner, tokens = _branches(tokens, ")" if sign == "(" else "]")
            items.append(("any" if sign == "(" else "maybe", inner))
        else:
            assert sign == until, f"unexpected {sign}"
            return [*branches, ("seq", items)], tokens
    assert until is None, f"missing {until}"
    return [*branches, ("seq", items)], []


class Values:
    """The kinds of value, each a method that returns one or more words."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def pick(self, choices: list) -> list[bytes]:
        value = self.rng.choice(choices)
        return [value if isinstance(value, bytes) else b"%d" % value]

    def key(self) -> list[bytes]:
        return self.pick(HOT_KEYS if self.rng.random() < 0.94 else RARE_KEYS)

    def val(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.25:
            return self.pick(INTS)
        if roll < 0.35:
            return self.pick(ODD_INTS)
        if roll < 0.5:
            return self.pick(FLOATS)
        if roll < 0.55:
            return self.pick(ODD_FLOATS)
        if roll < 0.6:
            return [b""]
        if roll < 0.75:
            return [bytes(self.rng.choices(b"abcx", k=self.rng.randint(1, 12)))]
        if roll < 0.9:
            return [self.rng.randbytes(self.rng.randint(1, 70))]
        return [bytes(self.rng.choices(b"\x00\xffab", k=self.rng.choice([43, 44, 45, 64, 100, 1000, 5000])))]

    def elem(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.8:
            return self.pick([b"a", b"b", b"c", b"1", b"2", b"3", b"-1", b"007", b"", b"w1", b"300", b"70000"])
        return self.val()

    def member(self) -> list[bytes]:
        return [b"%d" % self.rng.randint(0, 700)]

    def field_value(self) -> list[bytes]:
        return self.elem() + (self.val() if self.rng.random() < 0.5 else self.elem())

    def some_count(self) -> list[bytes]:
        return self.pick([0, 1, 2, 3, 100])

    def int(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.45:
            return [b"%d" % self.rng.randint(-100, 100)]
        return self.pick(INTS if roll < 0.85 else ODD_INTS)

    def small(self) -> list[bytes]:
        return [b"%d" % self.rng.randint(-1, 8)]

    def float(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.3:
            return [b"%.*f" % (self.rng.randint(0, 17), self.rng.uniform(-1000, 1000))]
        return self.pick(FLOATS if roll < 0.8 else ODD_FLOATS)

    def index(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.75:
            return [b"%d" % self.rng.randint(-12, 24)]
        if roll < 0.9:
            return self.pick(INTS)
        return self.pick(ODD_INTS) if roll < 0.94 else [b"%d" % self.rng.randint(-6000, 6000)]

    def near_index(self) -> list[bytes]:
        if self.rng.random() < 0.9:
            return [b"%d" % self.rng.randint(-12, 24)]
        return self.pick([b"", b"abc", b"1.0", b"+1", b"9223372036854775808", 2**31 - 1, -(2**31)])

    def offset(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.75:
            return [b"%d" % self.rng.randint(0, 60)]
        if roll < 0.8:
            return [b"%d" % self.rng.randint(0, 300_000)]
        return self.pick([-1, 536870912, 2**31, 2**32, 2**63 - 1, -(2**63), *ODD_INTS])

    def bit(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.8:
            return [b"%d" % self.rng.randint(0, 130)]
        if roll < 0.85:
            return [b"%d" % self.rng.randint(0, 2_000_000)]
        return self.pick([-1, 2**32, 2**63 - 1, -(2**63), *ODD_INTS])

    def far_bit(self) -> list[bytes]:
        return self.pick([2**32 - 1, 2**32, 2**31]) if self.rng.random() < 0.1 else self.bit()

    def count(self) -> list[bytes]:
        return self.pick([1, 2, 3, 10, 100, 1000])

    def odd_count(self) -> list[bytes]:
        return self.pick([0, 1, -1, 5, 2**63 - 1, *ODD_INTS])

    def cursor(self) -> list[bytes]:
        return self.pick([b"abc", b"", b"1x", b"18446744073709551616", b" 0", b"0 "])

    def ttl_s(self) -> list[bytes]:
        if self.rng.random() < 0.75:
            return [b"%d" % self.rng.randint(1000, 10_000_000)]
        return self.pick([0, -1, -100, 2**63 - 1, -(2**63), 9223372036854775, 9223372036854776, 2**62, *ODD_INTS])

    def ttl_ms(self) -> list[bytes]:
        if self.rng.random() < 0.75:
            return [b"%d" % self.rng.randint(1_000_000, 10_000_000_000)]
        return self.pick([0, -1, -100, 2**63 - 1, -(2**63), 2**62, *ODD_INTS])

    def at_s(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.6:
            return [b"%d" % (4_102_444_800 + self.rng.randint(0, 3))]
        return self.pick([1, 1000, 1_600_000_000]) if roll < 0.75 else self.ttl_edge_s()

    def at_ms(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.6:
            return [b"%d" % (4_102_444_800_000 + self.rng.randint(0, 3))]
        return self.pick([1, 1000, 1_600_000_000_000]) if roll < 0.75 else self.ttl_edge_ms()

    def ttl_edge_s(self) -> list[bytes]:
        return self.pick([0, -1, 2**63 - 1, -(2**63), 9223372036854775, 9223372036854776, *ODD_INTS])

    def ttl_edge_ms(self) -> list[bytes]:
        return self.pick([0, -1, 2**63 - 1, -(2**63), 2**62, *ODD_INTS])

    def pattern(self) -> list[bytes]:
        return self.pick(PATTERNS)

    def db(self) -> list[bytes]:
        return self.pick([0, 0, 0, 1, 1])

    def odd_db(self) -> list[bytes]:
        return self.pick([15, 16, -1, 2**31, 2**32, 2**63 - 1, *ODD_INTS])

    def pair(self) -> list[bytes]:
        return self.key() + self.val()

    def name(self) -> list[bytes]:
        return self.pick([b"me", b"you", b"", b"with space", b"new\nline", b"\xc3\xa9", b"a~!", b"default", b"\x7f"])

    def score(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.6:
            return self.pick([0, 1, 2, 3, -1, 10, b"1.5", b"0.1", b"-0.5", b"1e3"])
        return self.float() if roll < 0.9 else self.pick([b"inf", b"-inf", b"+inf", b"(1", b"nan"])

    def score_member(self) -> list[bytes]:
        return self.score() + (self.elem() if self.rng.random() < 0.7 else self.member())

    def score_bound(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.3:
            return self.pick([b"-inf", b"+inf"])
        (score,) = self.score()
        return [b"(" + score if roll < 0.5 else score]

    def lex_bound(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.4:
            return self.pick([b"-", b"+"])
        return [self.pick([b"[", b"[", b"(", b""])[0] + self.elem()[0]]

    def lex_key(self) -> list[bytes]:
        """Where all scores are 0: of others the order of bytes is not told."""
        return self.pick([b"lex1", b"lex2"])

    def lon_lat(self) -> list[bytes]:
        if self.rng.random() < 0.92:
            return [b"%.6f" % self.rng.uniform(-180, 180), b"%.6f" % self.rng.uniform(-85, 85)]
        return self.pick([0, 180, 181, -180, b"abc", b"nan"]) + self.pick([0, 85, 86, -86, b"85.05112878", b"-85.05112879"])

    def radius(self) -> list[bytes]:
        return self.pick([0, 1, 100, 1000, 5000, 20000, b"0.5", -1, b"abc", b"1e10"])

    def geo_from(self) -> list[bytes]:
        return [b"FROMMEMBER", *self.elem()] if self.rng.random() < 0.5 else [b"FROMLONLAT", *self.lon_lat()]

    def geo_shape(self) -> list[bytes]:
        unit = self.pick([b"m", b"km", b"mi", b"ft", b"km"])
        if self.rng.random() < 0.5:
            return [b"BYRADIUS", *self.radius(), *unit]
        return [b"BYBOX", *self.radius(), *self.radius(), *unit]

    def stream_id(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.8:
            return [b"%d-%d" % (self.rng.randint(0, 12), self.rng.randint(0, 2))]
        return self.pick([0, 1, 5, b"$", b"0-0", b"5-*", b"18446744073709551615-18446744073709551615", b"abc", b"1-x", b""])

    def stream_new_id(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.5:
            return [b"%d-*" % self.rng.randint(1, 12)]
        return self.stream_id()

    def stream_bound(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.4:
            return self.pick([b"-", b"+"])
        return [b"(" + self.stream_id()[0] if roll < 0.5 else self.stream_id()[0]]

    def small_id(self) -> list[bytes]:
        return [b"%d" % self.rng.randint(0, 8)]

    def group(self) -> list[bytes]:
        return self.pick([b"g", b"g", b"h", b"nogroup"])

    def script(self) -> list[bytes]:
        return self.pick(SCRIPTS)

    def odd(self) -> list[bytes]:
        return self.pick([
            b"", b"foo", b"NX", b"XX", b"GET", b"EX", b"KEEPTTL", b"0", b"-1", b"LEN", b"WITHMATCHLEN", b"MATCH", b"COUNT", b"\x00", b"bogus\r\n",
            b"*", b"yes", b"help!", b"REPLACE", b"BYTE", b"1", b"2", b"3", b"4", b"abc" * 60,
        ])

    def unknown(self) -> list[bytes]:
        return self.pick([b"nosuch", b"", b"GETT", b"SET\x00", b"foo bar", b"x" * 150, b"get|set", b"NO\r\nSUCH", b"'quoted'"])

    def setting(self) -> list[bytes]:
        return self.pick(SETTINGS)

    def assignment(self) -> list[bytes]:
        name, values = self.rng.choice(ASSIGNMENTS)
        return [name if self.rng.random() < 0.9 else name.upper(), self.rng.choice(values)]

    def field_kind(self) -> bytes:
        if self.rng.random() < 0.93:
            return self.pick([b"u1", b"u2", b"u4", b"u8", b"u16", b"u31", b"u32", b"u63", b"i1", b"i2", b"i8", b"i13", b"i32", b"i63", b"i64", b"I8", b"U8"])[0]
        return self.pick([b"u64", b"i65", b"u0", b"i0", b"u", b"x8", b"", b"i-8", b"u08", b"8"])[0]

    def field_offset(self) -> bytes:
        roll = self.rng.random()
        if roll < 0.6:
            return b"%d" % self.rng.randint(0, 70)
        if roll < 0.93:
            return b"#%d" % self.rng.randint(0, 9)
        return self.pick([b"-1", b"#-1", b"#", b"##1", b"x", b"", b"4294967296", b"#536870912", b"9223372036854775807", b"#9223372036854775807", b"1.5"])[0]

    def field_get(self) -> list[bytes]:
        return [self.pick([b"GET", b"GET", b"GET", b"get"])[0], self.field_kind(), self.field_offset()]

    def field(self) -> list[bytes]:
        roll = self.rng.random()
        if roll < 0.3:
            return self.field_get()
        if roll < 0.5:
            return [b"OVERFLOW", self.pick([b"WRAP", b"SAT", b"FAIL", b"wrap", b"sat", b"bogus"])[0]]
        verb = b"SET" if roll < 0.75 else b"INCRBY"
        return [verb, self.field_kind(), self.field_offset(), self.int()[0]]

    def any_command(self) -> list[bytes]:
        line = self.rng.choice(["GET {key}", "MSET {pair}+", "SET {key} {val} [GET]", "BITOP AND {key} {key}+", "PING", "nosuch {key}", "LCS {key} {key}",
                                "COPY {key} {key}", "GET", "MGET {key}+", "OBJECT ENCODING {key}", "BITFIELD {key} {field}", "EXPIRE {key} {int}"])
        return expand(parse(line), self)


def expand(node: Node, values: Values) -> list[bytes]:
    kind, content = node
    rng = values.rng
    if kind == "word":
        return [content.encode()]
    if kind == "kind":
        return getattr(values, content)()
    if kind == "any":
        return expand(rng.choice(content), values)
    if kind == "maybe":
        return expand(rng.choice(content), values) if rng.random() < 0.4 else []
    if kind == "some":
        return [word for _ in range(rng.choice([1, 1, 2, 3])) for word in expand(content, values)]
    assert kind == "seq", kind
    out: list[bytes] = []
    options: list[list[bytes]] = []
    for item in content:
        if item[0] == "maybe":
            options.append(expand(item, values))
            continue
        out += _in_some_order(options, rng)
        options = []
        out += expand(item, values)
    return out + _in_some_order(options, rng)


def _in_some_order(options: list[list[bytes]], rng: random.Random) -> list[bytes]:
    if rng.random() < 0.3:
        rng.shuffle(options)
    if options and rng.random() < 0.02:
        options = [*options, rng.choice(options)]
    return [word for option in options for word in option]


MACROS = {"scan": ("SCAN",), "expire": ("PEXPIRE",), "quiet": ("CLIENT", "REPLY"), "raw": ("PING",)}


def names(line: str) -> tuple[str, ...]:
    """The command a line is about, with its subcommand where that is a plain word."""
    if line.startswith("@"):
        return MACROS[line[1:].split()[0]]
    words = line.split()
    containers = ("CLIENT", "CONFIG", "COMMAND", "OBJECT", "MEMORY", "DEBUG", "XGROUP", "XINFO", "SCRIPT")
    return tuple(words[:2] if words[0] in containers and words[1][0] not in "{[(" else words[:1])


class Generator:
    """An endless stream of steps from one seed; commands in `without` are left out."""

    def __init__(self, seed: int, groups: list[str], connections: int = 3, without: frozenset[tuple[str, ...]] = frozenset()):
        self.rng = random.Random(seed)
        self.values = Values(self.rng)
        self.connections = connections
        self.without = without
        self.conn = 0
        self.choices: list[Node] = []
        self.weights: list[float] = []
        for group in groups:
            total = sum(weight for weight, _ in GROUPS[group])
            for weight, line in GROUPS[group]:
                if names(line) in without or names(line)[:1] in without:
                    continue
                self.choices.append((line.startswith("@"), parse(line.lstrip("@"))))
                self.weights.append(GROUP_WEIGHTS[group] * weight / total)

    def step(self) -> Step:
        if self.rng.random() < 0.03:
            self.conn = self.rng.randrange(self.connections)
        macro, tree = self.rng.choices(self.choices, self.weights)[0]
        argv = expand(tree, self.values)
        if not macro:
            return Step(self.conn, "call", tuple(self.blemish(argv)))
        kind, rest = argv[0].decode(), argv[1:]
        if kind == "raw":
            return Step(self.conn, "raw", tuple(raw_pieces(self.rng, self)))
        return Step(self.conn, kind, tuple(rest))

    def blemish(self, argv: list[bytes]) -> list[bytes]:
        """Now and then: another case, a word too few or too many, a word of another kind."""
        roll = self.rng.random()
        if argv[0].upper() in CHANCE and roll >= 0.07:
            # Without its count it would take what chance wants.
            return argv
        if roll < 0.05:
            argv = [argv[0].lower(), *argv[1:]]
        elif roll < 0.07:
            argv = [bytes(self.rng.choice([c, c ^ 32]) if chr(c).isalpha() else c for c in argv[0]), *argv[1:]]
        elif roll < 0.09 and len(argv) > 1:
            argv = argv[:-1]
        elif roll < 0.105:
            argv = [*argv, *self.values.odd()]
        elif roll < 0.115:
            argv = argv[:1]
        elif roll < 0.125 and len(argv) > 2:
            at = self.rng.randrange(1, len(argv))
            # Not where a number is wanted: a huge one would be obeyed there.
            argv = [*argv[:at], *self.values.odd(), *argv[at:]] if argv[0].upper() not in BIG else argv
        return argv


CHANCE = (b"SPOP", b"SRANDMEMBER", b"HRANDFIELD", b"ZRANDMEMBER")
BIG = (b"SETRANGE", b"SETBIT", b"BITFIELD", b"CLIENT", b"DEBUG", b"CONFIG")

TOO_LONG = 300_000
"""Of a line's 64 KiB Redis knows only between two reads, and those grow to as much again: a line of up to 128 KiB
is refused or taken as its packets come."""

# Not here: a NUL in an inline request (Redis looks for the line's end with a C string function and waits for ever).
RAW_PARTS = [
    b"PING\r\n", b"PING\n", b"\r\n", b"\n", b"   \r\n", b"ping hello\r\n", b'ECHO "a b"\r\n', b"ECHO 'a\\'b'\r\n", b'ECHO "\\x41\\n\\q"\r\n', b"ECHO \\x41\r\n",
    b'ECHO "a"b\r\n', b'ECHO "a\r\n', b"ECHO 'a\r\n", b'ECHO ""\r\n', b"ECHO ''\r\n", b"\tPING\t\r\n", b"SET a 1\r\n", b"GET a\r\n", b"nosuch cmd\r\n",
    b"*0\r\n", b"*-1\r\n", b"*-10\r\n", b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$abc\r\n", b"*1\r\n:4\r\nPING\r\n",
    b"*abc\r\n", b"*\r\n", b"*+1\r\n$4\r\nPING\r\n", b"*01\r\n$4\r\nPING\r\n", b"* 1\r\n", b"*1\r\n$04\r\nPING\r\n", b"*1\r\n$+4\r\nPING\r\n", b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$536870913\r\n", b"*1\r\n$9223372036854775808\r\n", b"*2147483648\r\n", b"*9223372036854775808\r\n", b"*1\r\n$4\r\nPINGxx", b"*1\r\n$4\r\nPIN\r\n\r\n",
    b"*1\r\n$0\r\n\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\n\x00\r\n\r\n", b"*1\r\n\r\n", b"*1\n$4\nPING\n", b"*1\r\n$4\rPING\r\n",
    b"HELLO 3\r\n", b"QUIT\r\nPING\r\n", b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n", b"GET\r\n", b"\xff\xfe\r\n", b"GET a b\r\n", b"+OK\r\n", b"$4\r\nPING\r\n",
    b"CLIENT REPLY OFF\r\n", b"CLIENT REPLY ON\r\n", b"CLIENT REPLY SKIP\r\n", b"RESET\r\n", b"*" + b"1" * TOO_LONG, b"A" * TOO_LONG, b"*1\r\n$" + b"1" * TOO_LONG,
    b"ECHO " + b"y" * 60_000 + b"\r\n", b"*1\r\n" + b"$" * TOO_LONG,
]


def raw_pieces(rng: random.Random, gen: Generator) -> list[bytes]:
    """Bytes for a connection of their own: requests whole, broken, inline, cut at random places."""
    parts = []
    for _ in range(rng.randint(1, 5)):
        if rng.random() < 0.3:
            # Of the gentle groups only: these bytes run on whatever database is first.
            line = rng.choice(["SET {key} {val}", "GET {key}", "PING [{val}]", "ECHO {val}", "GET", "STRLEN {key}"])
            argv = expand(parse(line), gen.values)
            parts.append(b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in argv))
        else:
            part = rng.choice(RAW_PARTS)
            if not (b"CLIENT REPLY" in part and gen.without & {("CLIENT",), ("CLIENT", "REPLY")}):
                parts.append(part)
    data = b"".join(parts)
    if rng.random() < 0.15:
        data = data[: rng.randrange(len(data) + 1)]
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([0, 0, 1, 3])))
    bounds = [0, *cuts, len(data)]
    return [piece for a, b in zip(bounds, bounds[1:]) if (piece := data[a:b])]
