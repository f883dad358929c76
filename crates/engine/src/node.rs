//! What a command may know of the server around its shard, and what it may ask of it.

use std::sync::Arc;

use stoa_config::{Config, EventClasses, LogLevel, Remembers};
use stoa_keyspace::{Counting, Heeds, Keyspace, Notice, ObservedRoom, Owned};
use stoa_observability::info::{Allocator, CpuUs};
use stoa_observability::{CommandStats, Counters, ErrorStats, Histogram, Rates};
use stoa_pubsub::PubSub;
use stoa_stdx::{ConnId, MonoMs, Rng, ShardId, UnixMs};

use crate::{Asking, Memory, MemoryBoard, Migrated, ScriptBoard, Scripts, Table, Tracer, Tracking};

/// What is known of snapshots: whoever drives the shards makes them, and tells each shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// The shard's changes when the last one was made.
    pub changes: u64,
    /// When that was; 0 if there is none of this run.
    pub last_at: UnixMs,
    /// Seconds it took.
    pub last_s: Option<u64>,
    /// How many there were.
    pub count: u64,
    /// The last attempt failed.
    pub has_failed: bool,
    /// Keys that were loaded at the start, on all shards.
    pub keys_loaded: u64,
    /// Keys that were not, as their deadline was past.
    pub keys_expired: u64,
}

/// Facts that do not change while the server runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `CARGO_PKG_VERSION` of the server.
    pub stoa_version: &'static str,
    /// Process id.
    pub pid: u32,
    /// 40 hex digits, new at each start.
    pub run_id: String,
    /// Path of the program.
    pub executable: String,
    /// Path of the configuration file; empty if none.
    pub config_file: String,
    /// Port that clients connect to; 0 if none.
    pub tcp_port: u16,
    /// `uring`, `poll` or `embedded`.
    pub driver: &'static str,
    /// Operating system, as `uname` says it.
    pub os: String,
    /// When the process started.
    pub started_unix: UnixMs,
    /// When the process started.
    pub started: MonoMs,
    /// What must be asked of the system.
    pub world: World,
    /// Scripts that run for long, on all shards.
    pub scripts: Arc<ScriptBoard>,
    /// What all shards use.
    pub memory: Arc<MemoryBoard>,
    /// How many keys all shards remember for client-side caching: a board like that of memory.
    pub tracked: Arc<MemoryBoard>,
}

/// Questions that only the system can answer, put by INFO and a few commands of operators. The server
/// gives functions that ask it; the library and the simulator keep the silent ones.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// How the process stands now.
    pub process: fn() -> ProcessFacts,
    /// Writes the configuration into the file it came from (CONFIG REWRITE). The error is the system's.
    pub rewrite_config: fn(path: &str, config: &Config) -> Result<(), String>,
    /// Makes the process work in another directory (CONFIG SET dir), named as seen from the one it
    /// works in; gives its absolute path. The error is the system's.
    pub enter_dir: EnterDir,
    /// How many of so many clients the system has room for (CONFIG SET maxclients).
    pub clients_max: fn(wanted: u32) -> u32,
    /// Asks the allocator to give unused memory back to the system. False if it cannot be asked.
    pub purge_memory: fn() -> bool,
    /// Has the allocator give memory back in a thread of its own, or not. False if it has none, or is not
    /// the program's; where one is asked for that is no error, as with Redis.
    pub allocator_thread: fn(wanted: bool) -> bool,
    /// What the calling thread has taken from the allocator and not given back, bytes. None: it cannot be
    /// asked, and only keys are counted.
    pub thread_allocated: fn() -> Option<i64>,
    /// The allocator's own report; empty if it gives none.
    pub allocator_report: fn() -> String,
}

/// From where, to where; the absolute path of that.
pub type EnterDir = fn(from: &[u8], to: &[u8]) -> Result<Vec<u8>, String>;

impl Default for World {
    fn default() -> Self {
        Self {
            process: ProcessFacts::default,
            rewrite_config: |path, _| Err(format!("{path} cannot be written from here")),
            enter_dir: |_, to| Ok(to.to_vec()),
            clients_max: |wanted| wanted,
            purge_memory: || false,
            allocator_thread: |_| false,
            thread_allocated: || None,
            allocator_report: String::new,
        }
    }
}

/// The process as the system and the allocator see it. Bytes where nothing else is said; zero is
/// "not known".
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFacts {
    /// Resident memory.
    pub rss: u64,
    /// Memory of the machine.
    pub total_system: u64,
    /// The allocator's figures.
    pub allocator: Allocator,
    /// Most that the allocator ever handed out, and when.
    pub allocated_peak: u64,
    /// When that was.
    pub allocated_peak_at: UnixMs,
    /// What it had handed out when the start was over.
    pub allocated_at_start: u64,
    /// CPU time.
    pub cpu: CpuUs,
}

/// One shard's view of the node. Each shard has its own; what changes comes by message.
pub struct Node {
    /// This shard.
    pub shard: ShardId,
    /// How many there are.
    pub shards: u16,
    /// The command table.
    pub table: &'static Table,
    /// This shard's copy of the configuration.
    pub config: Config,
    /// What does not change.
    pub facts: Arc<Facts>,
    /// Seeded chance, for sampling and RANDOMKEY.
    pub rng: Rng,
    /// Deadlines are reclaimed in the background (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expire: bool,
    /// What time brings rests: that, clients' timeouts, and tidying up (DEBUG PAUSE-CRON).
    pub cron_rests: bool,
    /// Scripts may call what is denied to them (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub scripts_may_all: bool,
    /// RESTORE looks at checksums (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub checks_payload_sums: bool,
    /// This shard's counts.
    pub counters: Counters,
    /// How fast they grow.
    pub rates: Rates,
    /// Per command.
    pub commands: CommandStats,
    /// Per error code.
    pub errors: ErrorStats,
    /// How long inserting a new key took inside the shard (DEBUG INSERT-HISTOGRAM).
    pub inserts: Histogram,
    /// The way of sampled requests.
    pub tracer: Tracer,
    /// Clients that wait for a key, each counted by one shard. Set by whoever routes, before a command runs
    /// that may tell.
    pub waiting: u64,
    /// Changes of keys since the start.
    pub dirty: u64,
    /// What is observed from outside.
    pub observed: Observed,
    /// What is saved of them.
    pub snapshots: Snapshots,
    /// Who listens to which channel, and what is to be sent there after the command.
    pub pubsub: PubSub,
    /// Who caches which keys.
    pub tracking: Tracking,
    /// What commands asked for; the shard takes them after each command.
    pub orders: Vec<Order>,
    /// Scripts and functions.
    pub scripts: Scripts,
    /// What pauses needs the other shards.
    pub asking: Option<Asking>,
    /// How much memory there is left.
    pub memory: Memory,
    /// What the history of the keys is called: 40 hex digits, the same on all shards.
    pub repl_id: String,
    /// Bytes that a command copies of a value before it has its shard go on with that.
    pub copy_len: usize,
    /// The copy that the command which runs asked for.
    pub copied: Option<Box<Owned>>,
    /// What came of the migration that the command which runs asked for.
    pub migrated: Option<Box<Migrated>>,
    /// Connections to other servers that are kept for the next migration.
    pub idle_links: usize,
}

impl Node {
    /// Whether what runs has paused: a script that takes long, or whatever needs the other shards.
    #[must_use]
    #[inline]
    pub const fn is_pausing(&self) -> bool {
        self.scripts.paused.is_some() || self.asking.is_some()
    }

    /// Whether deadlines are reclaimed in the background.
    #[must_use]
    pub const fn reclaims(&self) -> bool {
        self.active_expire && !self.cron_rests
    }

    /// Tells a keyspace what it is to notice from now on, and how it counts uses.
    pub fn configure(&self, keyspace: &mut Keyspace) {
        let config = &self.config;
        keyspace.counting = (config.remembers == Remembers::Count).then_some(Counting {
            log_factor: config.lfu_log_factor,
            decay_minutes: config.lfu_decay_minutes,
        });
        keyspace.notices.heeds = Heeds::new(config.keyspace_events.classes, self.observed.classes);
    }
}

/// What a program that embeds the engine observes.
#[derive(Debug, Default)]
pub struct Observed {
    /// Of these classes.
    pub classes: EventClasses,
    /// What happened since the driver last took it, in the order of this shard.
    pub list: Vec<Notice>,
    /// The room there is for it.
    pub room: ObservedRoom,
}

/// What a command asks of the shard around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Close this client of this shard (by CLIENT ID) at once.
    Kill(u64),
    /// Serve nobody until then (DEBUG SLEEP).
    Stall(MonoMs),
    /// Hold commands back until then (CLIENT PAUSE).
    Pause {
        /// Which commands.
        mode: PauseMode,
        /// Until when.
        until: MonoMs,
    },
    /// End the wait of this client of this shard.
    Unblock {
        /// Which one.
        conn: ConnId,
        /// With an error, or as if its time were up.
        error: bool,
    },
    /// Let all shards keep this script.
    ShareScript(Box<[u8]>),
    /// Forget all keys that this client of this shard watches.
    Unwatch(ConnId),
    /// End the pause (CLIENT UNPAUSE).
    Unpause,
    /// Write a line into the log (redis.log).
    Log(LogLevel, String),
    /// End the server.
    Shutdown(ShutdownMode),
}

/// Which commands CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseMode {
    /// Those that write.
    Write,
    /// All.
    All,
}

/// How SHUTDOWN was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownMode {
    /// SAVE or NOSAVE, if said.
    pub save: Option<bool>,
    /// NOW: do not wait for replicas.
    pub now: bool,
    /// FORCE: whatever fails.
    pub force: bool,
}
