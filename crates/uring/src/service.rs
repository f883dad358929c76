//! What a driver asks of the code it drives: one trait, called in passes.
//!
//! A pass is everything that arrived since the last one, from sockets and from other shards. The
//! service handles all of it before anything is answered, because the same send then carries the
//! replies of a whole batch and because the cache misses of many commands can overlap. Nothing
//! here names a ring, a descriptor or a clock, so the same service runs under io_uring, under
//! readiness and in a simulator.

use std::fmt;
use std::net::SocketAddr;

use stoa_stdx::{ConnId, MonoMs, MonoNs, ShardId, UnixMs};

/// What one core runs. The driver owns sockets, buffers and time; the service owns meaning.
///
/// The order of one turn: `open` for each accepted socket, then `pass`, then `poll` until it
/// returns `None`, then `take_output` once for each connection that asked for [`Action::Send`]
/// and has nothing in flight.
pub trait Service: 'static {
    /// What goes to another shard: a batch, best a `Box` that travels back and is used again.
    type Message: Send + 'static;

    /// A socket was accepted as `conn`. What is put into `out` is sent at once. `false` closes
    /// the connection after that; the service then never hears of `conn` again.
    fn open(&mut self, conn: ConnId, peer: &Peer, now: Now, out: &mut Vec<u8>) -> bool;

    /// What came of [`Action::Connect`]: from now on `linked` is a connection like any other. A service
    /// that has something to do then says so ([`Service::busy`]). Who asks for none is told of none.
    fn linked(&mut self, tag: u64, linked: Result<ConnId, Unlinked>, now: Now) {
        let _ = (tag, linked, now);
    }

    /// Handle all that arrived. Actions are polled afterwards.
    fn pass(&mut self, input: &mut Pass<'_, Self::Message>, now: Now);

    /// The next thing the driver must do, until `None`.
    fn poll(&mut self) -> Option<Action<Self::Message>>;

    /// Hands over the filled output of `conn` and keeps `spare` (empty, perhaps with capacity) as
    /// the next one to fill. Called only while nothing of `conn` is in flight, or to fetch the
    /// last bytes of a connection that is being closed.
    ///
    /// A service with many connections does best to keep spares in one pool and give a connection
    /// one when it first writes: a spare left with each would be a buffer that idle ones own.
    fn take_output(&mut self, conn: ConnId, spare: Vec<u8>) -> Vec<u8>;

    /// When `pass` must be called even if nothing arrives. `None`: never.
    fn poll_timeout(&self) -> Option<MonoMs>;

    /// Work in portions is waiting: call `pass` again soon and do not sleep, but serve sockets in
    /// between.
    fn busy(&self) -> bool;
}

/// The moment a pass happens at. Read once, so that everything in a pass agrees on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// CLOCK_MONOTONIC: for timeouts and stamps.
    pub mono: MonoNs,
    /// CLOCK_REALTIME: for deadlines of keys.
    pub unix: UnixMs,
}

/// Everything that arrived in one turn. The slices live until [`Service::pass`] returns.
#[derive(Debug)]
pub struct Pass<'a, M> {
    /// Bytes by connection, in the order they arrived. One connection may appear several times.
    pub data: &'a [(ConnId, &'a [u8])],
    /// Bytes the kernel took from the output of a connection: the count to subtract from what is
    /// owed to a slow reader.
    pub sent: &'a [(ConnId, usize)],
    /// Connections whose peer will send no more, but may still read (`printf ... | nc`). Any
    /// bytes before the end are in `data`. The service answers what it owes, then closes with
    /// [`Action::Close`]; the driver does not do it by itself, because replies may still be on
    /// their way from other shards.
    pub ended: &'a [ConnId],
    /// Connections that are gone: nothing more can be sent, the id is dead after this pass.
    /// Not reported for connections that the service closed itself.
    pub closed: &'a [(ConnId, CloseReason)],
    /// Requests and replies of other shards, in order of sending for each sender and kind. The
    /// service drains it; what it leaves is dropped.
    pub messages: &'a mut Vec<(ShardId, M)>,
    /// The node is going down: no more data will come, finish what is owed.
    pub stopping: bool,
}

/// What a service wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<M> {
    /// `conn` has output. Asking again while bytes are in flight costs nothing and is not lost.
    Send(ConnId),
    /// End `conn`; with `after_flush` only once its output is sent. The last output is taken with
    /// [`Service::take_output`] before the next `poll`; afterwards nothing is heard of `conn`.
    Close {
        /// Which one.
        conn: ConnId,
        /// Send what is owed first. `false` drops it.
        after_flush: bool,
    },
    /// Ask another shard (never itself) for something. A full mailbox stops the reading of
    /// sockets.
    Request {
        /// The owner.
        to: ShardId,
        /// The batch.
        message: M,
    },
    /// Answer a request. Has room of its own, so that requests can never block answers.
    Reply {
        /// Who asked.
        to: ShardId,
        /// The batch.
        message: M,
    },
    /// Connect to another server. [`Service::linked`] hears what came of it, sooner or later.
    Connect {
        /// What the service calls it.
        tag: u64,
        /// An address, or a name.
        host: String,
        /// The port there.
        port: u16,
        /// No attempt goes on for longer.
        timeout_ms: u64,
    },
    /// Read no more from `conn` for now. What has been received already is kept by the driver.
    PauseRead(ConnId),
    /// Read `conn` again; what was kept comes first.
    ResumeRead(ConnId),
    /// Stop the whole node once what is owed is sent.
    Shutdown,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The other end did not want it.
    Refused,
    /// The other end was not found, or not in time.
    Unreached,
}

/// Who connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp {
        /// The other end.
        peer: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// Over the Unix socket at this path.
    Unix {
        /// Where our socket lies.
        path: String,
    },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { peer, .. } => write!(f, "{peer}"),
            Self::Unix { path } => write!(f, "{path}:0"),
        }
    }
}

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer reset it, or the network gave up on it, while we were reading.
    Reset,
    /// It could not be written to any more.
    BrokenPipe,
    /// Any other error of the socket, by its number.
    Os(i32),
}

impl CloseReason {
    pub(crate) fn from_errno(errno: i32) -> Self {
        match errno {
            libc::ECONNRESET | libc::ETIMEDOUT | libc::ENOTCONN => Self::Reset,
            libc::EPIPE => Self::BrokenPipe,
            other => Self::Os(other),
        }
    }
}
