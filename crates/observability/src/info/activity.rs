//! Sections about what the node does: persistence, stats, replication.

use super::FieldValue::{self, Count, Flag, Hidden, Ratio, Signed, Text};
use super::Section::{Persistence, Replication, Stats};
use super::{Field, InfoInputs, one};

pub(super) const FIELDS: &[Field] = &[
    one(Persistence, "loading", "1 while data is loaded", |i| Flag(i.persistence.loading)),
    one(Persistence, "async_loading", "0: a replica serves nothing while it loads", |_| {
        Flag(false)
    }),
    one(Persistence, "current_cow_peak", "0: snapshots do not fork", |_| Count(0)),
    one(Persistence, "current_cow_size", "0: snapshots do not fork", |_| Count(0)),
    one(Persistence, "current_cow_size_age", "0: snapshots do not fork", |_| Count(0)),
    one(Persistence, "current_fork_perc", "Keys done of the present snapshot, percent", |i| {
        let (done, all) = i.persistence.save_keys;
        Ratio(100.0 * super::ratio(done, all))
    }),
    one(Persistence, "current_save_keys_processed", "Keys done of the present snapshot", |i| {
        Count(i.persistence.save_keys.0)
    }),
    one(Persistence, "current_save_keys_total", "Keys of the present snapshot", |i| {
        Count(i.persistence.save_keys.1)
    }),
    one(Persistence, "rdb_changes_since_last_save", "Changes since the last snapshot", |i| {
        Count(i.persistence.changes_since_save)
    }),
    one(Persistence, "rdb_bgsave_in_progress", "1 while a snapshot is written", |i| {
        Flag(i.persistence.save_in_progress)
    }),
    one(Persistence, "rdb_last_save_time", "Last good snapshot, seconds since 1970", |i| {
        Count(i.persistence.last_save_at.0 / 1_000)
    }),
    one(Persistence, "rdb_last_bgsave_status", "ok, or err if the last snapshot failed", |i| {
        status(i.persistence.last_save_failed)
    }),
    one(Persistence, "rdb_last_bgsave_time_sec", "Seconds it took, -1 if there was none", |i| {
        or_minus_one(i.persistence.last_save_s)
    }),
    one(Persistence, "rdb_current_bgsave_time_sec", "Seconds of the present one, or -1", |i| {
        or_minus_one(i.persistence.current_save_s)
    }),
    one(Persistence, "rdb_saves", "Snapshots since start", |i| Count(i.persistence.saves)),
    one(Persistence, "rdb_last_cow_size", "0: snapshots do not fork", |_| Count(0)),
    one(Persistence, "rdb_last_load_keys_expired", "Keys dropped at the last load", |i| {
        Count(i.persistence.load_keys_expired)
    }),
    one(Persistence, "rdb_last_load_keys_loaded", "Keys loaded then", |i| {
        Count(i.persistence.load_keys_loaded)
    }),
    one(Persistence, "aof_enabled", "1 if changes are logged", |i| Flag(i.persistence.log_enabled)),
    one(Persistence, "aof_rewrite_in_progress", "1 while the log is rewritten", |i| {
        Flag(i.persistence.rewrite_in_progress)
    }),
    one(Persistence, "aof_rewrite_scheduled", "1 if a rewrite waits for a snapshot", |i| {
        Flag(i.persistence.rewrite_scheduled)
    }),
    one(Persistence, "aof_last_rewrite_time_sec", "Seconds it took, -1 if there was none", |i| {
        or_minus_one(i.persistence.last_rewrite_s)
    }),
    one(Persistence, "aof_current_rewrite_time_sec", "Seconds of the present one, or -1", |i| {
        or_minus_one(i.persistence.current_rewrite_s)
    }),
    one(Persistence, "aof_last_bgrewrite_status", "ok, or err if the last rewrite failed", |i| {
        status(i.persistence.last_rewrite_failed)
    }),
    one(Persistence, "aof_rewrites", "Rewrites since start", |i| Count(i.persistence.rewrites)),
    one(Persistence, "aof_last_write_status", "ok, or err if the last write failed", |i| {
        status(i.persistence.last_write_failed)
    }),
    one(Persistence, "aof_last_cow_size", "0: rewrites do not fork", |_| Count(0)),
    one(Persistence, "module_fork_in_progress", "0: there are no modules", |_| Flag(false)),
    one(Persistence, "module_fork_last_cow_size", "0: there are no modules", |_| Count(0)),
    one(Persistence, "aof_current_size", "Bytes of the log; shown when it is on", |i| {
        logged(i, i.persistence.log_bytes.0)
    }),
    one(Persistence, "aof_base_size", "Bytes at the last rewrite", |i| {
        logged(i, i.persistence.log_bytes.1)
    }),
    one(Persistence, "aof_pending_rewrite", "1 if a rewrite waits for a snapshot", |i| {
        logged(i, i.persistence.rewrite_scheduled.into())
    }),
    one(Persistence, "aof_buffer_length", "Bytes of records not written yet", |i| {
        logged(i, i.persistence.log_bytes.2)
    }),
    one(Persistence, "aof_pending_bio_fsync", "Syncs not finished", |i| {
        logged(i, i.persistence.log_syncs_pending)
    }),
    one(Persistence, "aof_delayed_fsync", "Syncs that came late", |i| {
        logged(i, i.persistence.log_syncs_delayed)
    }),
    one(Stats, "total_connections_received", "Connections accepted", |i| {
        Count(i.counters.connections_received)
    }),
    one(Stats, "total_commands_processed", "Commands run", |i| {
        Count(i.counters.commands_processed)
    }),
    one(Stats, "instantaneous_ops_per_sec", "Commands a second of late", |i| {
        Count(i.instantaneous.ops)
    }),
    one(Stats, "total_net_input_bytes", "Bytes read, replication's among them", |i| {
        Count(i.counters.net_input_bytes + i.counters.net_repl_input_bytes)
    }),
    one(Stats, "total_net_output_bytes", "Bytes written, replication's among them", |i| {
        Count(i.counters.net_output_bytes + i.counters.net_repl_output_bytes)
    }),
    one(Stats, "total_net_repl_input_bytes", "Bytes read from a primary", |i| {
        Count(i.counters.net_repl_input_bytes)
    }),
    one(Stats, "total_net_repl_output_bytes", "Bytes written to replicas", |i| {
        Count(i.counters.net_repl_output_bytes)
    }),
    one(Stats, "instantaneous_input_kbps", "KiB read a second of late", |i| {
        kib(i.instantaneous.input_bytes + i.instantaneous.input_repl_bytes)
    }),
    one(Stats, "instantaneous_output_kbps", "KiB written a second of late", |i| {
        kib(i.instantaneous.output_bytes + i.instantaneous.output_repl_bytes)
    }),
    one(Stats, "instantaneous_input_repl_kbps", "KiB a second from a primary of late", |i| {
        kib(i.instantaneous.input_repl_bytes)
    }),
    one(Stats, "instantaneous_output_repl_kbps", "KiB a second to replicas of late", |i| {
        kib(i.instantaneous.output_repl_bytes)
    }),
    one(Stats, "rejected_connections", "Connections closed because of maxclients", |i| {
        Count(i.counters.connections_rejected)
    }),
    one(Stats, "sync_full", "Full synchronizations of replicas", |i| Count(i.counters.sync_full)),
    one(Stats, "sync_partial_ok", "Partial ones", |i| Count(i.counters.sync_partial_ok)),
    one(Stats, "sync_partial_err", "Partial ones that had to become full", |i| {
        Count(i.counters.sync_partial_err)
    }),
    one(Stats, "expired_subkeys", "Hash fields removed at their deadline", |i| {
        Count(i.counters.expired_subkeys)
    }),
    one(Stats, "expired_keys", "Keys removed at their deadline", |i| {
        Count(i.counters.expired_keys)
    }),
    one(Stats, "expired_stale_perc", "0.00: a wheel knows what is due, nothing is sampled", |_| {
        Ratio(0.0)
    }),
    one(Stats, "expired_time_cap_reached_count", "Portions of expiry that ended at a limit", |i| {
        Count(i.counters.expire_time_cap_reached)
    }),
    one(Stats, "expire_cycle_cpu_milliseconds", "CPU of active expiry, milliseconds", |i| {
        Count(i.counters.expire_cpu_ns / 1_000_000)
    }),
    one(Stats, "evicted_keys", "Keys evicted because of maxmemory", |i| {
        Count(i.counters.evicted_keys)
    }),
    one(Stats, "evicted_clients", "Clients closed because of maxmemory-clients", |i| {
        Count(i.counters.evicted_clients)
    }),
    one(Stats, "evicted_scripts", "Scripts dropped from the cache", |i| {
        Count(i.counters.evicted_scripts)
    }),
    one(Stats, "total_eviction_exceeded_time", "Milliseconds above maxmemory", |i| {
        Count(i.counters.eviction_exceeded_ms)
    }),
    one(Stats, "current_eviction_exceeded_time", "Milliseconds of the present excess", |i| {
        Count(i.instantaneous.eviction_exceeded_ms)
    }),
    one(Stats, "keyspace_hits", "Lookups that found the key", |i| Count(i.counters.keyspace_hits)),
    one(Stats, "keyspace_misses", "Lookups that did not", |i| Count(i.counters.keyspace_misses)),
    one(Stats, "pubsub_channels", "Channels with a subscriber", |i| Count(i.pubsub.channels)),
    one(Stats, "pubsub_patterns", "Patterns with a subscriber", |i| Count(i.pubsub.patterns)),
    one(Stats, "pubsubshard_channels", "Shard channels with a subscriber", |i| {
        Count(i.pubsub.shard_channels)
    }),
    one(Stats, "latest_fork_usec", "0: nothing forks", |_| Count(0)),
    one(Stats, "total_forks", "0: nothing forks", |_| Count(0)),
    one(Stats, "migrate_cached_sockets", "Sockets kept open for MIGRATE", |i| {
        Count(i.clients.migrate_sockets)
    }),
    one(Stats, "slave_expires_tracked_keys", "0: a replica's keys expire by its primary", |_| {
        Count(0)
    }),
    one(Stats, "active_defrag_hits", "0: entries are not moved to defragment", |_| Count(0)),
    one(Stats, "active_defrag_misses", "0: entries are not moved to defragment", |_| Count(0)),
    one(Stats, "active_defrag_key_hits", "0: entries are not moved to defragment", |_| Count(0)),
    one(Stats, "active_defrag_key_misses", "0: entries are not moved to defragment", |_| Count(0)),
    one(Stats, "total_active_defrag_time", "0: entries are not moved to defragment", |_| Count(0)),
    one(Stats, "current_active_defrag_time", "0: entries are not moved to defragment", |_| {
        Count(0)
    }),
    one(Stats, "tracking_total_keys", "Keys remembered for client-side caching", |i| {
        Count(i.tracking.keys)
    }),
    one(Stats, "tracking_total_items", "Pairs of key and client remembered", |i| {
        Count(i.tracking.items)
    }),
    one(Stats, "tracking_total_prefixes", "Prefixes in broadcast mode", |i| {
        Count(i.tracking.prefixes)
    }),
    one(Stats, "unexpected_error_replies", "Errors to a primary or to the log", |i| {
        Count(i.counters.unexpected_error_replies)
    }),
    one(Stats, "total_error_replies", "Error replies", |i| Count(i.counters.error_replies)),
    one(Stats, "dump_payload_sanitizations", "Payloads checked in depth", |i| {
        Count(i.counters.dump_payload_sanitizations)
    }),
    one(Stats, "total_reads_processed", "Socket reads", |i| Count(i.counters.reads_processed)),
    one(Stats, "total_writes_processed", "Socket writes", |i| Count(i.counters.writes_processed)),
    one(Stats, "io_threaded_reads_processed", "0: shards read their own sockets", |_| Count(0)),
    one(Stats, "io_threaded_writes_processed", "0: shards write their own sockets", |_| Count(0)),
    one(Stats, "client_query_buffer_limit_disconnections", "Closed: query too large", |i| {
        Count(i.counters.query_buffer_limit_disconnections)
    }),
    one(Stats, "client_output_buffer_limit_disconnections", "Closed: read too slowly", |i| {
        Count(i.counters.output_buffer_limit_disconnections)
    }),
    one(Stats, "reply_buffer_shrinks", "Output buffers made smaller", |i| {
        Count(i.counters.reply_buffer_shrinks)
    }),
    one(Stats, "reply_buffer_expands", "Output buffers made larger", |i| {
        Count(i.counters.reply_buffer_expands)
    }),
    one(Stats, "eventloop_cycles", "Passes of the shards' loops with work", |i| {
        Count(i.counters.passes)
    }),
    one(Stats, "eventloop_duration_sum", "Microseconds of those passes", |i| {
        Count(i.counters.pass_ns_sum / 1_000)
    }),
    one(Stats, "eventloop_duration_cmd_sum", "Microseconds of those in commands", |i| {
        Count(i.counters.command_ns_sum / 1_000)
    }),
    one(Stats, "instantaneous_eventloop_cycles_per_sec", "Passes a second of late", |i| {
        Count(i.instantaneous.passes)
    }),
    one(Stats, "instantaneous_eventloop_duration_usec", "Microseconds of a pass of late", |i| {
        Count(i.instantaneous.pass_ns / 1_000)
    }),
    one(Stats, "acl_access_denied_auth", "Failed authentications", |i| {
        Count(i.counters.acl_denied_auth)
    }),
    one(Stats, "acl_access_denied_cmd", "Commands refused by ACL", |i| {
        Count(i.counters.acl_denied_cmd)
    }),
    one(Stats, "acl_access_denied_key", "Keys refused by ACL", |i| {
        Count(i.counters.acl_denied_key)
    }),
    one(Stats, "acl_access_denied_channel", "Channels refused by ACL", |i| {
        Count(i.counters.acl_denied_channel)
    }),
    one(Stats, "shard_messages_sent", "Messages between shards, a batch each", |i| {
        Count(i.counters.messages_sent)
    }),
    one(Stats, "shard_commands_forwarded", "Commands run for another shard's connection", |i| {
        Count(i.counters.commands_for_others)
    }),
    one(Replication, "role", "master; a replica will say slave", |_| Text("master".into())),
    one(Replication, "connected_slaves", "Replicas connected", |i| Count(i.replication.replicas)),
    one(Replication, "master_failover_state", "no-failover unless one is under way", |_| {
        Text("no-failover".into())
    }),
    one(Replication, "master_replid", "Names this history", |i| id(&i.replication.replid)),
    one(Replication, "master_replid2", "Names the history before the last promotion", |i| {
        id(&i.replication.replid2)
    }),
    one(Replication, "master_repl_offset", "Bytes of this history", |i| {
        Count(i.replication.offset)
    }),
    one(Replication, "second_repl_offset", "Up to where the former is accepted, or -1", |i| {
        or_minus_one(i.replication.second_offset)
    }),
    one(Replication, "repl_backlog_active", "1 if there is a backlog", |i| {
        Flag(i.replication.backlog_active)
    }),
    one(Replication, "repl_backlog_size", "Its configured size, bytes", |i| {
        Count(i.replication.backlog_bytes)
    }),
    one(Replication, "repl_backlog_first_byte_offset", "Offset of its first byte", |i| {
        Count(i.replication.backlog_first_offset)
    }),
    one(Replication, "repl_backlog_histlen", "Bytes in it", |i| {
        Count(i.replication.backlog_history_bytes)
    }),
];

fn status(failed: bool) -> FieldValue {
    Text(if failed { "err" } else { "ok" }.into())
}

/// What never was is -1.
fn or_minus_one(value: Option<u64>) -> FieldValue {
    value.map_or(Signed(-1), Count)
}

fn kib(bytes: u64) -> FieldValue {
    Ratio(bytes as f64 / 1_024.0)
}

fn logged(inputs: &InfoInputs, value: u64) -> FieldValue {
    if inputs.persistence.log_enabled { Count(value) } else { Hidden }
}

fn id(hex: &str) -> FieldValue {
    let none = "0000000000000000000000000000000000000000";
    Text(if hex.is_empty() { none.into() } else { hex.to_owned().into() })
}
