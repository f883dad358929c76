//! What a shard counts: plain numbers that only grow.
//!
//! Not atomics: one thread writes them, and readers get a copy by mail. The list is a macro so that
//! a new counter cannot be forgotten in `merge`.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What one shard has counted since it started, or since `CONFIG RESETSTAT` put a default
        /// one in its place. All of them add up over shards.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Adds another shard's.
            pub fn merge(&mut self, other: &Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }

            /// Each counter with its name, for exposition and tests.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted, those refused afterwards among them.
    connections_received,
    /// Connections closed at once because `maxclients` was reached.
    connections_rejected,
    /// Commands that were run, those inside transactions and scripts among them.
    commands_processed,
    /// Bytes read from clients.
    net_input_bytes,
    /// Bytes written to clients.
    net_output_bytes,
    /// Bytes read from a primary.
    net_repl_input_bytes,
    /// Bytes written to replicas.
    net_repl_output_bytes,
    /// Socket reads that brought bytes.
    reads_processed,
    /// Socket writes of replies.
    writes_processed,
    /// Lookups by reading commands that found the key.
    keyspace_hits,
    /// Lookups by reading commands that did not.
    keyspace_misses,
    /// Changes to keys since the start (`rdb_changes_since_last_save` is the part since a save).
    keyspace_changes,
    /// Keys removed because their deadline passed.
    expired_keys,
    /// Hash fields removed because their deadline passed.
    expired_subkeys,
    /// Portions of active expiry that ended at their limit with more waiting.
    expire_time_cap_reached,
    /// CPU nanoseconds spent in active expiry.
    expire_cpu_ns,
    /// Keys evicted to stay below `maxmemory`.
    evicted_keys,
    /// Clients closed to stay below `maxmemory-clients`.
    evicted_clients,
    /// Scripts of EVAL dropped from the cache.
    evicted_scripts,
    /// Milliseconds spent above `maxmemory`.
    eviction_exceeded_ms,
    /// Error replies sent.
    error_replies,
    /// Error replies to a primary or to the log being replayed, where none should be.
    unexpected_error_replies,
    /// Clients closed because their query buffer passed its limit.
    query_buffer_limit_disconnections,
    /// Clients closed because their output passed `client-output-buffer-limit`.
    output_buffer_limit_disconnections,
    /// Output buffers made smaller.
    reply_buffer_shrinks,
    /// Output buffers made larger.
    reply_buffer_expands,
    /// Failed authentications.
    acl_denied_auth,
    /// Commands refused by ACL.
    acl_denied_cmd,
    /// Keys refused by ACL.
    acl_denied_key,
    /// Channels refused by ACL.
    acl_denied_channel,
    /// Payloads of RESTORE and of snapshots that were checked in depth.
    dump_payload_sanitizations,
    /// Full synchronizations given to replicas.
    sync_full,
    /// Partial synchronizations given to replicas.
    sync_partial_ok,
    /// Partial synchronizations that had to become full ones.
    sync_partial_err,
    /// Values freed in the background.
    lazyfreed_objects,
    /// Passes of the shard's loop that had work.
    passes,
    /// Nanoseconds of those passes.
    pass_ns_sum,
    /// Nanoseconds of those passes spent running commands.
    command_ns_sum,
    /// Messages sent to other shards, each a batch.
    messages_sent,
    /// Messages received from other shards.
    messages_received,
    /// Commands that were run for a connection of another shard.
    commands_for_others,
}

#[cfg(test)]
mod tests {
    use super::Counters;

    #[test]
    fn merging_adds_every_counter() {
        let mut one = Counters { connections_received: 3, expired_keys: 1, ..Counters::default() };
        let other = Counters { connections_received: 4, passes: u64::MAX, ..Counters::default() };
        one.merge(&other);
        one.merge(&other);
        assert_eq!(one.connections_received, 11);
        assert_eq!(one.expired_keys, 1);
        assert_eq!(one.passes, u64::MAX, "a counter stops at its end instead of starting again");
    }

    #[test]
    fn every_counter_is_listed_once() {
        let mut names: Vec<_> = Counters::default().iter().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(count * 8, size_of::<Counters>());
    }
}
