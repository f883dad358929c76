//! The facts INFO is made of: filled in by the server, merged over shards, plain values.
//!
//! Units stand in the names; what has none is a count. Every part has a default, so that a driver
//! without sockets (the library, the simulator) fills in what it has.

use std::sync::Arc;

use stoa_stdx::UnixMs;

use crate::{CommandStats, Counters, ErrorStats};

/// Everything INFO can say.
#[derive(Clone, Debug, Default)]
pub struct InfoInputs {
    /// The process and how it was started.
    pub server: ServerFacts,
    /// Connections.
    pub clients: Clients,
    /// Memory, of the allocator and of the system.
    pub memory: MemoryFacts,
    /// Log and snapshots.
    pub persistence: Persistence,
    /// Role and replicas.
    pub replication: Replication,
    /// Counters of all shards, added up.
    pub counters: Counters,
    /// Means of the last seconds.
    pub instantaneous: Instantaneous,
    /// Subscriptions.
    pub pubsub: PubSub,
    /// Client-side caching.
    pub tracking: Tracking,
    /// CPU time.
    pub cpu: CpuUs,
    /// Whether cluster mode is on.
    pub cluster_enabled: bool,
    /// Figures of all commands, added up over shards.
    pub commands: CommandStats,
    /// Names by command index: lower case, `config|set` for a subcommand.
    pub command_names: Arc<[String]>,
    /// `latency-tracking-info-percentiles`.
    pub latency_percentiles: Vec<f64>,
    /// Error replies, added up over shards.
    pub errors: ErrorStats,
    /// Databases by number.
    pub dbs: Vec<DbFacts>,
    /// Shards by number.
    pub shards: Vec<ShardFacts>,
}

/// The process and how it was started.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// Commit it was built from, eight hexadecimal digits; empty if unknown.
    pub git_sha1: String,
    /// Whether the tree had changes beyond that commit.
    pub git_dirty: bool,
    /// Tells builds apart, sixteen hexadecimal digits; empty if unknown.
    pub build_id: String,
    /// `Linux 6.18.0 x86_64`.
    pub os: String,
    /// How sockets are driven: `io_uring` or `poll`.
    pub driver: &'static str,
    /// Process id.
    pub pid: u32,
    /// `systemd` or `upstart` if supervised.
    pub supervised: Option<&'static str>,
    /// Forty hexadecimal digits by chance, new at each start.
    pub run_id: String,
    /// TCP port; 0 if none.
    pub tcp_port: u16,
    /// Wall clock, microseconds since 1970.
    pub now_us: u64,
    /// Time since start, milliseconds.
    pub uptime_ms: u64,
    /// `hz` in force, and as configured.
    pub hz: u32,
    /// `hz` as configured.
    pub configured_hz: u32,
    /// Absolute path of the binary.
    pub executable: String,
    /// Absolute path of the configuration file; empty if none.
    pub config_file: String,
    /// Addresses listened on.
    pub listeners: Vec<Listener>,
    /// Milliseconds left of a graceful shutdown that waits for replicas.
    pub shutdown_in_ms: Option<u64>,
    /// Shards.
    pub shards: u32,
}

/// One kind of listening socket.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// `tcp`, `tls`, `unix`.
    pub kind: &'static str,
    /// Addresses or paths, one or several.
    pub binds: Vec<String>,
    /// Port; `None` for a path.
    pub port: Option<u16>,
}

/// Connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clients {
    /// Connected, replicas not counted.
    pub connected: u64,
    /// Connections of the cluster bus.
    pub cluster_connections: u64,
    /// `maxclients`.
    pub max: u64,
    /// Largest query buffer of late, bytes.
    pub recent_max_input_bytes: u64,
    /// Largest output buffer of late, bytes.
    pub recent_max_output_bytes: u64,
    /// Waiting in a blocking command.
    pub blocked: u64,
    /// With client-side caching on.
    pub tracking: u64,
    /// Subscribed to something.
    pub pubsub: u64,
    /// Watching a key.
    pub watching: u64,
    /// Blocked with a timeout.
    pub in_timeout_table: u64,
    /// Watched keys.
    pub total_watched_keys: u64,
    /// Keys that somebody is blocked on.
    pub total_blocking_keys: u64,
    /// Those that the blocked also want to know the deletion of.
    pub total_blocking_keys_on_nokey: u64,
    /// Sockets kept open for MIGRATE.
    pub migrate_sockets: u64,
}

/// Memory, all in bytes where nothing else is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFacts {
    /// Accounted: keys, values, tables, buffers.
    pub used: u64,
    /// Most ever accounted.
    pub used_peak: u64,
    /// When that was.
    pub used_peak_at: UnixMs,
    /// Resident, as the system sees it.
    pub rss: u64,
    /// Tables, buffers, connections: what is not data.
    pub overhead: u64,
    /// Accounted when the start was over.
    pub startup: u64,
    /// The machine's memory.
    pub total_system: u64,
    /// The allocator's own figures.
    pub allocator: Allocator,
    /// `maxmemory`; 0 is none.
    pub maxmemory: u64,
    /// `maxmemory-policy`, as configured.
    pub maxmemory_policy: &'static str,
    /// Held by script interpreters running EVAL.
    pub vm_eval: u64,
    /// Held by the interpreter of functions.
    pub vm_functions: u64,
    /// Cached scripts of EVAL: their bytes.
    pub scripts_eval: u64,
    /// Loaded functions: their bytes.
    pub functions: u64,
    /// Cached scripts.
    pub scripts_cached: u64,
    /// Loaded functions.
    pub functions_loaded: u64,
    /// Loaded libraries.
    pub libraries_loaded: u64,
    /// What of `used` does not count against `maxmemory`: what other threads than shards' hold, and
    /// room between keys.
    pub not_counted_for_evict: u64,
    /// Replication backlog.
    pub replication_backlog: u64,
    /// Backlog and replicas' buffers together.
    pub replication_buffers: u64,
    /// Connections of replicas.
    pub clients_replicas: u64,
    /// Other connections.
    pub clients_normal: u64,
    /// Links of the cluster bus.
    pub cluster_links: u64,
    /// Log records not written yet.
    pub log_buffer: u64,
    /// Tables being rehashed.
    pub rehashing: u64,
    /// Values waiting to be freed in the background.
    pub lazyfree_pending: u64,
}

/// The allocator's figures, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator {
    /// Its name and version, such as `jemalloc-5.3.0`.
    pub name: &'static str,
    /// Handed out.
    pub allocated: u64,
    /// In pages that hold something handed out.
    pub active: u64,
    /// In resident pages.
    pub resident: u64,
    /// In pages given back that the system has not taken yet.
    pub muzzy: u64,
}

/// Log and snapshots.
#[derive(Clone, Debug, Default)]
pub struct Persistence {
    /// Whether data is being loaded.
    pub loading: bool,
    /// Changes since the last snapshot.
    pub changes_since_save: u64,
    /// Whether a snapshot is being written.
    pub save_in_progress: bool,
    /// When the last good snapshot was made, or the server started.
    pub last_save_at: UnixMs,
    /// Whether the last attempt failed.
    pub last_save_failed: bool,
    /// Seconds the last snapshot took; `None` if there was none.
    pub last_save_s: Option<u64>,
    /// Seconds the present one has taken.
    pub current_save_s: Option<u64>,
    /// Snapshots made since start.
    pub saves: u64,
    /// Keys done and in all, of the present snapshot.
    pub save_keys: (u64, u64),
    /// Keys dropped at the last load because their deadline had passed.
    pub load_keys_expired: u64,
    /// Keys loaded then.
    pub load_keys_loaded: u64,
    /// Whether changes are logged.
    pub log_enabled: bool,
    /// Whether the log is being rewritten.
    pub rewrite_in_progress: bool,
    /// Whether a rewrite waits for a snapshot to end.
    pub rewrite_scheduled: bool,
    /// Seconds the last rewrite took.
    pub last_rewrite_s: Option<u64>,
    /// Seconds the present one has taken.
    pub current_rewrite_s: Option<u64>,
    /// Whether the last rewrite failed.
    pub last_rewrite_failed: bool,
    /// Rewrites since start.
    pub rewrites: u64,
    /// Whether the last write to the log failed.
    pub last_write_failed: bool,
    /// Bytes of the log now, at the last rewrite, and waiting to be written. Shown when it is on.
    pub log_bytes: (u64, u64, u64),
    /// Syncs handed to the kernel and not finished.
    pub log_syncs_pending: u64,
    /// Syncs that came late.
    pub log_syncs_delayed: u64,
}

/// Role and replicas.
#[derive(Clone, Debug, Default)]
pub struct Replication {
    /// Replicas connected.
    pub replicas: u64,
    /// Forty hexadecimal digits that name this history.
    pub replid: String,
    /// Those of the history before the last promotion; empty if none.
    pub replid2: String,
    /// Bytes of this history.
    pub offset: u64,
    /// Up to where the former history is accepted.
    pub second_offset: Option<u64>,
    /// Whether there is a backlog.
    pub backlog_active: bool,
    /// `repl-backlog-size`, bytes.
    pub backlog_bytes: u64,
    /// Offset of the first byte still in the backlog.
    pub backlog_first_offset: u64,
    /// Bytes in the backlog.
    pub backlog_history_bytes: u64,
}

/// Means of about the last two seconds, per second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instantaneous {
    /// Commands.
    pub ops: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
    /// Bytes read from a primary.
    pub input_repl_bytes: u64,
    /// Bytes written to replicas.
    pub output_repl_bytes: u64,
    /// Passes of the shards' loops.
    pub passes: u64,
    /// Nanoseconds of a pass, mean; not per second.
    pub pass_ns: u64,
    /// Milliseconds since memory passed `maxmemory`; 0 when it is below.
    pub eviction_exceeded_ms: u64,
}

impl Instantaneous {
    /// Adds another shard's.
    pub const fn add(&mut self, other: &Self) {
        self.ops += other.ops;
        self.input_bytes += other.input_bytes;
        self.output_bytes += other.output_bytes;
        self.passes += other.passes;
    }
}

/// Subscriptions.
#[derive(Clone, Copy, Debug, Default)]
pub struct PubSub {
    /// Channels with a subscriber.
    pub channels: u64,
    /// Patterns with a subscriber.
    pub patterns: u64,
    /// Shard channels with a subscriber.
    pub shard_channels: u64,
}

/// Client-side caching.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracking {
    /// Keys remembered.
    pub keys: u64,
    /// Pairs of key and client remembered.
    pub items: u64,
    /// Prefixes in broadcast mode.
    pub prefixes: u64,
}

/// CPU time in microseconds since start.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuUs {
    /// In the kernel, all threads.
    pub sys: u64,
    /// Outside it, all threads.
    pub user: u64,
    /// In the kernel, children that ended.
    pub sys_children: u64,
    /// Outside it, children that ended.
    pub user_children: u64,
    /// In the kernel, the shards' threads.
    pub sys_shards: u64,
    /// Outside it, the shards' threads.
    pub user_shards: u64,
}

/// One database, added up over shards.
#[derive(Clone, Copy, Debug, Default)]
pub struct DbFacts {
    /// Keys, those expired and not yet removed among them.
    pub keys: u64,
    /// Keys with a deadline.
    pub expires: u64,
    /// Mean time left of those, milliseconds.
    pub avg_ttl_ms: u64,
    /// Hashes with a field that has a deadline.
    pub subexpiry: u64,
}

/// One shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardFacts {
    /// The core it is pinned to.
    pub core: Option<u32>,
    /// Keys, all databases.
    pub keys: u64,
    /// Connections whose home it is.
    pub clients: u64,
    /// Bytes accounted.
    pub used_bytes: u64,
    /// Commands run.
    pub commands: u64,
    /// Those of them run for connections of other shards.
    pub commands_for_others: u64,
    /// Messages from other shards waiting.
    pub mailbox_len: u64,
    /// Passes of its loop that had work.
    pub passes: u64,
    /// Longest pass, nanoseconds.
    pub pass_ns_max: u64,
    /// 99.9 % of passes took at most this, nanoseconds.
    pub pass_ns_p999: u64,
}
