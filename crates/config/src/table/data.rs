//! Rows about keys and values: databases, expiry, memory, encodings, scripts.

use crate::directive::bounds::{BYTES, BYTES_ANY, BYTES_FROM_1, INT, INT_FROM_1, INT_SIGNED, LONG};
use crate::directive::{Directive, Kind, choice, integer, memory, special, switch, text};

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const KEYSPACE: &[Directive] = &[
    integer("databases", "storage.databases", (1, 65_535), "16",
        "Numbered databases, for SELECT.").at_start(),
    switch("set-preserves-ttl", "ttl.set_preserves", false,
        "Overwriting a value keeps its deadline unless the command names one; `no` drops it, as Redis does."),
    choice("ttl-strategy", "ttl.strategy", &["lazy+active", "lazy"], "lazy+active",
        "Whether expired keys are also reclaimed in the background; none is ever visible either way.").later(),
    integer("active-cycle-ms", "ttl.active_cycle_ms", (1, 60_000), "50",
        "Milliseconds between two portions of reclaiming expired keys.").later(),
    integer("active-expire-effort", "ttl.active_effort", (1, 10), "1",
        "Effort for reclaiming expired keys, 1 to 10.").later(),
    special("hz", "server.hz", Kind::Clamped { min: 1, max: 500 }, "10",
        "How often a second clients are held against `timeout` and output limits, 1 to 500; expiry and other background work follow the load instead."),
    switch("dynamic-hz", "server.dynamic_hz", true,
        "Do background work more often with many connections.").later(),
    special("notify-keyspace-events", "storage.keyspace_events", Kind::KeyspaceEvents, "",
        "Event classes to publish: K and E choose the channel, g$lshzxetd or A the events, m and n misses and new keys."),
    switch("activerehashing", "storage.active_rehashing", true,
        "Without effect: tables are per slot and too small to stop a shard.").later(),
    switch("lazyfree-lazy-user-del", "storage.lazyfree.user_del", false,
        "DEL frees large values in the background, as UNLINK does.").later(),
    switch("lazyfree-lazy-user-flush", "storage.lazyfree.user_flush", false,
        "FLUSHALL and FLUSHDB free in the background unless SYNC is given.").later(),
    switch("lazyfree-lazy-server-del", "storage.lazyfree.server_del", false,
        "Values overwritten as a side effect are freed in the background.").later(),
    switch("lazyfree-lazy-expire", "storage.lazyfree.expire", false,
        "Expired values are freed in the background.").later(),
    switch("lazyfree-lazy-eviction", "storage.lazyfree.eviction", false,
        "Evicted values are freed in the background.").later(),
    switch("lazyexpire-nested-arbitrary-keys", "ttl.lazy_expire_nested", true,
        "Commands within a transaction or script may reclaim expired keys they were not given.").hidden().later(),
];

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const MEMORY: &[Directive] = &[
    memory("maxmemory", "storage.maxmemory_bytes", BYTES_ANY, "0",
        "Memory that all shards together may use; 0 is no limit. What could need more is then refused."),
    choice("maxmemory-policy", "storage.eviction_policy", POLICIES, "noeviction",
        "What keys remember of their use: with the `lfu` policies how often, else when last. None gives keys up yet: when memory is full, writes are refused."),
    integer("maxmemory-samples", "storage.eviction_samples", INT_FROM_1, "5",
        "Keys looked at to choose one to evict.").later(),
    integer("maxmemory-eviction-tenacity", "storage.eviction_tenacity", (0, 100), "10",
        "Effort for eviction, 0 to 100.").later(),
    integer("lfu-log-factor", "storage.lfu_log_factor", INT, "10",
        "How slowly the counter of uses grows."),
    integer("lfu-decay-time", "storage.lfu_decay_minutes", INT, "1",
        "Minutes after which the counter of uses falls by one; 0 is never."),
    switch("activedefrag", "storage.defrag.enabled", false,
        "Move values together while running, to give memory back.").later(),
    memory("active-defrag-ignore-bytes", "storage.defrag.ignore_bytes", BYTES_FROM_1, "100mb",
        "Waste below which nothing is moved.").later(),
    integer("active-defrag-threshold-lower", "storage.defrag.threshold_lower", (0, 1_000), "10",
        "Percent of waste at which moving starts.").later(),
    integer("active-defrag-threshold-upper", "storage.defrag.threshold_upper", (0, 1_000), "100",
        "Percent of waste at which moving has its full effort.").later(),
    integer("active-defrag-cycle-min", "storage.defrag.cycle_min", (1, 99), "1",
        "Least percent of processor time for moving.").later(),
    integer("active-defrag-cycle-max", "storage.defrag.cycle_max", (1, 99), "25",
        "Most percent of processor time for moving.").later(),
    integer("active-defrag-max-scan-fields", "storage.defrag.max_scan_fields", (1, i64::MAX), "1000",
        "Fields above which a value is moved in portions.").later(),
    switch("jemalloc-bg-thread", "storage.allocator_thread", true,
        "Let the allocator give memory back in a thread of its own."),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const ENCODINGS: &[Directive] = &[
    integer("hash-max-listpack-entries", "storage.encodings.hash_max_entries", LONG, "512",
        "Fields up to which a hash stays packed.").alias("hash-max-ziplist-entries"),
    memory("hash-max-listpack-value", "storage.encodings.hash_max_value", BYTES, "64",
        "Bytes of a field or value up to which a hash stays packed.").alias("hash-max-ziplist-value"),
    integer("list-max-listpack-size", "storage.encodings.list_max_size", INT_SIGNED, "-2",
        "Elements of a list node, or -1 to -5 for 4 to 64 KiB of it.").alias("list-max-ziplist-size"),
    integer("list-compress-depth", "storage.encodings.list_compress_depth", INT, "0",
        "Without effect: the blocks of a list are not compressed.").later(),
    integer("set-max-intset-entries", "storage.encodings.set_max_intset_entries", LONG, "512",
        "Members up to which a set of integers stays packed."),
    integer("set-max-listpack-entries", "storage.encodings.set_max_entries", LONG, "128",
        "Members up to which a set stays packed."),
    memory("set-max-listpack-value", "storage.encodings.set_max_value", BYTES, "64",
        "Bytes of a member up to which a set stays packed."),
    integer("zset-max-listpack-entries", "storage.encodings.zset_max_entries", LONG, "128",
        "Members up to which a sorted set stays packed.").alias("zset-max-ziplist-entries"),
    memory("zset-max-listpack-value", "storage.encodings.zset_max_value", BYTES, "64",
        "Bytes of a member up to which a sorted set stays packed.").alias("zset-max-ziplist-value"),
    memory("hll-sparse-max-bytes", "storage.encodings.hll_sparse_max_bytes", BYTES, "3000",
        "Bytes up to which a HyperLogLog stays sparse."),
    memory("stream-node-max-bytes", "storage.encodings.stream_node_max_bytes", BYTES, "4096",
        "Bytes of a stream node; 0 is no limit."),
    integer("stream-node-max-entries", "storage.encodings.stream_node_max_entries", LONG, "100",
        "Entries of a stream node; 0 is no limit."),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const SCRIPTS: &[Directive] = &[
    integer("busy-reply-threshold", "scripts.busy_reply_ms", LONG, "5000",
        "Milliseconds after which others are told that a script is running; 0 is never.").alias("lua-time-limit"),
    switch("lua-enable-deprecated-api", "scripts.deprecated_api", false,
        "Offer functions that Lua scripts should no longer use.").at_start().hidden().later(),
    text("locale-collate", "scripts.locale_collate", "",
        "Locale by which SORT ALPHA and Lua compare; that of the environment when empty.").later(),
];
