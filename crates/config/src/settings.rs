//! The directives that act, as plain typed fields.
//!
//! One function reads them all from the table's values, and a test holds it to the table: a row
//! acts exactly if it is read here. So a feature that arrives takes two lines, its field and the
//! removal of `.later()`, and none can be forgotten.

use stoa_value::{BlockLimits, Limits};

use crate::config::Origin;
use crate::events::Events;
use crate::special::OutputLimit;
use crate::value::Value;

/// What the running server acts on. Made from the values of a [`crate::Config`], never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `shards`: 0 is one a core.
    pub shards: u16,
    /// `driver`.
    pub driver: Driver,
    /// `pin`: each shard to its core.
    pub pin: bool,

    /// `pipeline-order`: `strict` is true.
    pub pipeline_is_strict: bool,

    /// `port`: 0 is no TCP.
    pub port: u16,
    /// `bind`.
    pub bind: Box<[Box<[u8]>]>,
    /// `unixsocket`.
    pub unix_socket: Option<Box<[u8]>>,
    /// `unixsocketperm`: 0 leaves it to the umask.
    pub unix_socket_permissions: u32,
    /// `tcp-backlog`.
    pub tcp_backlog: u32,
    /// `tcp-keepalive`: 0 is off.
    pub tcp_keepalive_s: u32,

    /// `http-*`.
    pub http: Http,

    /// `maxclients`, over all shards.
    pub maxclients: u32,
    /// `timeout`: 0 is never.
    pub timeout_s: u32,
    /// `busy-reply-threshold`: milliseconds after which a script lets others be told so; 0: never.
    pub busy_reply_ms: u64,
    /// `proto-max-bulk-len`.
    pub proto_max_bulk_len: u64,
    /// `client-query-buffer-limit`.
    pub client_query_buffer_limit: u64,
    /// `client-output-buffer-limit`, indexed by [`crate::ClientClass`].
    pub output_limits: [OutputLimit; 3],

    /// `tracking-table-max-keys`: 0 is no limit.
    pub tracking_table_max_keys: u64,

    /// `requirepass`.
    pub requirepass: Option<Box<[u8]>>,
    /// `protected-mode`.
    pub protected_mode: bool,
    /// `enable-protected-configs`.
    pub enable_protected_configs: Permission,
    /// `enable-debug-command`.
    pub enable_debug_command: Permission,

    /// `databases`.
    pub databases: u16,
    /// `maxmemory`: 0 is no limit.
    pub maxmemory: u64,
    /// `maxmemory-policy`: what keys remember.
    pub remembers: Remembers,
    /// `lfu-log-factor`.
    pub lfu_log_factor: u32,
    /// `lfu-decay-time`.
    pub lfu_decay_minutes: u32,
    /// `set-preserves-ttl`.
    pub set_preserves_ttl: bool,
    /// `multi-strict`.
    pub multi_strict: bool,
    /// `stream-node-max-bytes`, `stream-node-max-entries`: up to where a block grows.
    pub stream_blocks: BlockLimits,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: u64,
    /// `latency-tracking`.
    pub latency_tracking: bool,
    /// `trace-sample`: 0 is none.
    pub trace_sample: u32,
    /// `notify-keyspace-events`.
    pub keyspace_events: Events,
    /// `hz`, within 1 to 500.
    pub hz: u16,
    /// `jemalloc-bg-thread`.
    pub allocator_thread: bool,

    /// `daemonize`.
    pub daemonize: bool,
    /// `pidfile`.
    pub pid_file: Option<Box<[u8]>>,
    /// `hash-max-*`, `list-max-*`, `set-max-*`, `zset-max-*`: up to where values stay small.
    pub limits: Limits,

    /// `rdbcompression`.
    pub rdb_compression: bool,
    /// `rdbchecksum`.
    pub rdb_checksum: bool,
    /// `dbfilename`.
    pub db_file_name: Box<[u8]>,
    /// `dir`.
    pub dir: Box<[u8]>,
    /// `loglevel`.
    pub log_level: LogLevel,
    /// `logfile`.
    pub log_file: Option<Box<[u8]>>,
}

/// How requests in JSON are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `http-port`: 0 is none.
    pub port: u16,
    /// `http-bind`.
    pub bind: Box<[Box<[u8]>]>,
    /// `http-allow-origin`: as written.
    pub allow_origin: Option<Box<[u8]>>,
    /// `http-max-body`.
    pub max_body: u64,
    /// `http-max-connections`.
    pub max_connections: u32,
    /// `http-timeout`.
    pub timeout_s: u32,
}

/// What `maxmemory-policy` makes of the use of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembers {
    /// The last one, and nothing hangs on it.
    Nothing,
    /// When the last one was (`lru`).
    Last,
    /// How many there were (`lfu`).
    Count,
}

/// How sockets are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// io_uring where the kernel allows it, else readiness polling.
    Auto,
    /// io_uring, or no start.
    Uring,
    /// Readiness polling.
    Poll,
}

/// Who may do something dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Who comes from this host.
    Local,
}

impl Permission {
    /// True if someone from `origin` may.
    #[must_use]
    pub const fn allows(self, origin: Origin) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => matches!(origin, Origin::Local),
        }
    }
}

/// What is worth a line in the log, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// A lot.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// What an operator must know.
    Warning,
    /// Nothing at all.
    Nothing,
}

/// The value of the directive of that name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> &'a Value;

impl Settings {
    pub(crate) fn of(value: Lookup<'_>) -> Self {
        Self {
            shards: integer(value("shards")) as u16,
            driver: [Driver::Auto, Driver::Uring, Driver::Poll][choice(value("driver"))],
            pin: flag(value("pin")),
            pipeline_is_strict: choice(value("pipeline-order")) == 1,
            port: integer(value("port")) as u16,
            bind: words(value("bind")),
            unix_socket: text(value("unixsocket")),
            unix_socket_permissions: integer(value("unixsocketperm")) as u32,
            tcp_backlog: integer(value("tcp-backlog")) as u32,
            tcp_keepalive_s: integer(value("tcp-keepalive")) as u32,
            http: Http {
                port: integer(value("http-port")) as u16,
                bind: words(value("http-bind")),
                allow_origin: text(value("http-allow-origin")),
                max_body: memory(value("http-max-body")),
                max_connections: integer(value("http-max-connections")) as u32,
                timeout_s: integer(value("http-timeout")) as u32,
            },
            maxclients: integer(value("maxclients")) as u32,
            timeout_s: integer(value("timeout")) as u32,
            busy_reply_ms: integer(value("busy-reply-threshold")).max(0).cast_unsigned(),
            proto_max_bulk_len: memory(value("proto-max-bulk-len")),
            client_query_buffer_limit: memory(value("client-query-buffer-limit")),
            output_limits: output_limits(value("client-output-buffer-limit")),
            tracking_table_max_keys: integer(value("tracking-table-max-keys")).max(0) as u64,
            requirepass: text(value("requirepass")),
            protected_mode: flag(value("protected-mode")),
            enable_protected_configs: permission(value("enable-protected-configs")),
            enable_debug_command: permission(value("enable-debug-command")),
            databases: integer(value("databases")) as u16,
            maxmemory: memory(value("maxmemory")),
            remembers: remembers(value("maxmemory-policy")),
            lfu_log_factor: integer(value("lfu-log-factor")) as u32,
            lfu_decay_minutes: integer(value("lfu-decay-time")) as u32,
            set_preserves_ttl: flag(value("set-preserves-ttl")),
            multi_strict: flag(value("multi-strict")),
            stream_blocks: BlockLimits {
                bytes: memory(value("stream-node-max-bytes")) as usize,
                entries: integer(value("stream-node-max-entries")) as usize,
            },
            hll_sparse_max_bytes: memory(value("hll-sparse-max-bytes")),
            latency_tracking: flag(value("latency-tracking")),
            trace_sample: integer(value("trace-sample")) as u32,
            keyspace_events: events(value("notify-keyspace-events")),
            hz: integer(value("hz")) as u16,
            allocator_thread: flag(value("jemalloc-bg-thread")),
            daemonize: flag(value("daemonize")),
            pid_file: text(value("pidfile")),
            limits: limits(value),
            rdb_compression: flag(value("rdbcompression")),
            rdb_checksum: flag(value("rdbchecksum")),
            db_file_name: text(value("dbfilename")).unwrap_or_default(),
            dir: text(value("dir")).unwrap_or_default(),
            log_level: [
                LogLevel::Debug,
                LogLevel::Verbose,
                LogLevel::Notice,
                LogLevel::Warning,
                LogLevel::Nothing,
            ][choice(value("loglevel"))],
            log_file: text(value("logfile")),
        }
    }
}

fn limits(value: Lookup<'_>) -> Limits {
    let count = |name: &str| usize::try_from(integer(value(name))).unwrap_or(0);
    let bytes = |name: &str| usize::try_from(memory(value(name))).unwrap_or(usize::MAX);
    Limits {
        hash_max_entries: count("hash-max-listpack-entries"),
        hash_max_value: bytes("hash-max-listpack-value"),
        list_max_size: integer(value("list-max-listpack-size")) as i32,
        set_max_intset_entries: count("set-max-intset-entries"),
        set_max_entries: count("set-max-listpack-entries"),
        set_max_value: bytes("set-max-listpack-value"),
        zset_max_entries: count("zset-max-listpack-entries"),
        zset_max_value: bytes("zset-max-listpack-value"),
    }
}

fn flag(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        other => panic!("{other:?} is no flag"),
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

fn memory(value: &Value) -> u64 {
    match value {
        Value::Memory(bytes) => *bytes,
        other => panic!("{other:?} is no size"),
    }
}

fn choice(value: &Value) -> usize {
    match value {
        Value::Choice(index) => usize::from(*index),
        other => panic!("{other:?} is no choice"),
    }
}

fn remembers(value: &Value) -> Remembers {
    let policy = crate::table::find(b"maxmemory-policy").map(|(_, row)| row.kind);
    let Some(crate::Kind::Choice(words)) = policy else { unreachable!("it is a choice") };
    match words[choice(value)] {
        word if word.ends_with("lfu") => Remembers::Count,
        word if word.ends_with("lru") => Remembers::Last,
        _ => Remembers::Nothing,
    }
}

fn permission(value: &Value) -> Permission {
    [Permission::No, Permission::Yes, Permission::Local][choice(value)]
}

fn events(value: &Value) -> Events {
    match value {
        Value::KeyspaceEvents(bits) => Events::of(*bits),
        other => panic!("{other:?} is no set of event classes"),
    }
}

/// An empty text is none.
fn text(value: &Value) -> Option<Box<[u8]>> {
    match value {
        Value::Text(text) => (!text.is_empty()).then(|| text.clone()),
        other => panic!("{other:?} is no text"),
    }
}

fn words(value: &Value) -> Box<[Box<[u8]>]> {
    match value {
        Value::Words(words) => words.clone(),
        other => panic!("{other:?} is no list"),
    }
}

fn output_limits(value: &Value) -> [OutputLimit; 3] {
    match value {
        Value::OutputLimits(limits) => *limits,
        other => panic!("{other:?} are no limits"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::{Permission, Settings};
    use crate::config::{Config, Origin};
    use crate::table;

    #[test]
    fn a_row_acts_exactly_if_the_settings_read_it() {
        let config = Config::default();
        let read = RefCell::new(BTreeSet::new());
        Settings::of(&|name| {
            read.borrow_mut().insert(name.to_owned());
            &config.values()[table::find(name.as_bytes()).expect("a row").0]
        });
        let acting: BTreeSet<_> =
            table::directives().filter(|row| row.acts).map(|row| row.name.to_owned()).collect();
        assert_eq!(read.into_inner(), acting);
    }

    #[test]
    fn permissions_look_at_where_a_command_comes_from() {
        for (permission, local, remote) in [
            (Permission::No, false, false),
            (Permission::Yes, true, true),
            (Permission::Local, true, false),
        ] {
            assert_eq!(permission.allows(Origin::Local), local, "{permission:?}");
            assert_eq!(permission.allows(Origin::Remote), remote, "{permission:?}");
        }
    }
}
