//! What a node of shards is started with, and the numbers its loops are tuned by.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// How a node is driven.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many shards, each on a thread of its own.
    pub shards: u16,
    /// Addresses to listen on; every shard accepts on each of them. Port 0 picks one port that all
    /// shards share.
    pub listeners: Vec<SocketAddr>,
    /// Connections the kernel may hold ready for us before it turns clients away.
    pub backlog: u32,
    /// Probe idle TCP peers after this many seconds; 0 never does.
    pub tcp_keepalive_s: u32,
    /// A Unix socket, accepted on shard 0.
    pub unix: Option<UnixSocket>,
    /// Which mechanism to use for sockets.
    pub driver: DriverChoice,
    /// Bind each shard to a core, if there are at least as many cores as shards.
    pub pin: bool,
    /// The cores to use; empty means all the process may run on.
    pub cpus: Vec<usize>,
    /// Tuning of the loop.
    pub tuning: Tuning,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: 1,
            listeners: Vec::new(),
            backlog: 511,
            tcp_keepalive_s: 300,
            unix: None,
            driver: DriverChoice::default(),
            pin: true,
            cpus: Vec::new(),
            tuning: Tuning::default(),
        }
    }
}

/// Where a Unix socket lies.
#[derive(Clone, Debug)]
pub struct UnixSocket {
    /// Its path. A socket left behind by an earlier run is replaced; any other file is not.
    pub path: PathBuf,
    /// Permissions of the file, as in `chmod`; `None` leaves what the umask gives.
    pub mode: Option<u32>,
}

/// Which mechanism moves bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverChoice {
    /// io_uring where the kernel allows it, else readiness, saying so once.
    #[default]
    Auto,
    /// io_uring or refuse to start.
    Uring,
    /// Readiness (epoll).
    Poll,
}

impl FromStr for DriverChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "poll" => Ok(Self::Poll),
            other => Err(format!("unknown driver '{other}'; use auto, uring or poll")),
        }
    }
}

/// Numbers of the loop. The defaults are measured; a test may want extremes.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Empty looks at the ring and the mailboxes before a shard gives way to others. Every idle period
    /// burns this much, so it is less than a microsecond.
    pub looks_before_park: u32,
    /// How often it gives way to others before it goes to sleep. Sleeping and waking cost several system
    /// calls, so that a client which answers at once is better waited for.
    pub yields_before_park: u32,
    /// Receive buffers of a shard; a power of two. All of them being full bounds a pass.
    pub recv_buffers: u16,
    /// Size of one receive buffer.
    pub recv_buffer_bytes: u32,
    /// Messages one shard may have waiting at another, requests and replies each.
    pub mailbox_len: usize,
    /// How long a connection that the service has closed may take to read its last output.
    pub flush_grace_ms: u64,
    /// How long a stopping node may take to send what it owes.
    pub stop_grace_ms: u64,
}

/// 128 x 16 KiB is 2 MiB a core at most, and only touched as far as load needs it. A pass of more
/// data than that would not stay in the second-level cache anyway.
const RECV_BUFFERS: u16 = 128;
const RECV_BUFFER_BYTES: u32 = 16 * 1024;

/// A message is a whole batch of a connection, so this is about two passes of every buffer having
/// brought one. Full means that the sender stops reading its sockets.
pub const MAILBOX_LEN: usize = 256;

const _: () = assert!(MAILBOX_LEN.is_power_of_two(), "the ring is indexed by mask");
const _: () = assert!(RECV_BUFFERS.is_power_of_two(), "the kernel indexes by mask");

impl Default for Tuning {
    fn default() -> Self {
        Self {
            looks_before_park: 5,
            yields_before_park: 5,
            recv_buffers: RECV_BUFFERS,
            recv_buffer_bytes: RECV_BUFFER_BYTES,
            mailbox_len: MAILBOX_LEN,
            flush_grace_ms: 10_000,
            stop_grace_ms: 2_000,
        }
    }
}
