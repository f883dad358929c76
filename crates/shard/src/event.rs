//! What goes into a shard and what comes out of it.

use stoa_config::LogLevel;
use stoa_engine::ShutdownMode;
use stoa_stdx::{ConnId, MonoNs, ShardId, UnixMs};

use crate::Message;

/// The moment a pass happens at; every command of the pass happens then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The clock that never jumps.
    pub mono: MonoNs,
    /// The clock on the wall.
    pub unix: UnixMs,
}

/// Who connected.
#[derive(Clone, Debug, Default)]
pub struct PeerFacts {
    /// `ip:port`, or the socket's path with `:0`.
    pub addr: String,
    /// Our end.
    pub laddr: String,
    /// Over a unix socket.
    pub is_unix: bool,
    /// From this host.
    pub is_local: bool,
    /// Clients of the whole node, this one included.
    pub clients: usize,
}

/// Everything that arrived in one turn of the driver.
pub struct Pass<'a> {
    /// Bytes by connection, in the order they arrived. A connection may appear several times.
    pub data: &'a [(ConnId, &'a [u8])],
    /// Bytes of output that the kernel took.
    pub sent: &'a [(ConnId, usize)],
    /// Connections whose peer will send no more, but may still read.
    pub ended: &'a [ConnId],
    /// Connections that are gone.
    pub closed: &'a [ConnId],
    /// Mail of other shards, in order for each sender.
    pub messages: &'a mut Vec<(ShardId, Message)>,
}

/// Why there is no connection to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It could be reached, but did not want us.
    Refused,
    /// It was not found, or not in time.
    Unreached,
    /// This driver makes no connections.
    Never,
}

/// What a shard wants done.
#[derive(Debug)]
pub enum Action {
    /// The connection has output.
    Send(ConnId),
    /// End the connection; with `after_flush` once its output is sent.
    Close {
        /// Which one.
        conn: ConnId,
        /// Send what is owed first.
        after_flush: bool,
    },
    /// Ask another shard.
    Request {
        /// The owner.
        to: ShardId,
        /// What for.
        message: Message,
    },
    /// Answer another shard.
    Reply {
        /// Who asked.
        to: ShardId,
        /// The answer.
        message: Message,
    },
    /// Connect to another server, and tell [`Shard::linked`](crate::Shard::linked) what came of it.
    /// From then on it is a connection like any other.
    Connect {
        /// What the shard calls it until it is there.
        tag: u64,
        /// Its address, or a name.
        host: String,
        /// Its port.
        port: u16,
        /// Who waits for it waits no longer than this.
        timeout_ms: u64,
    },
    /// Read no more from this connection for now.
    PauseRead(ConnId),
    /// Read from it again.
    ResumeRead(ConnId),
    /// A line for the operator's log.
    Log(LogLevel, String),
    /// Stop the node once what is owed is sent.
    Shutdown(ShutdownMode),
}
