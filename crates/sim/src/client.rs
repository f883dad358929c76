//! A made-up client: its end of a connection, and what lies in the kernels between.

use stoa_resp::Framer;
use stoa_stdx::ConnId;

/// A client of the [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub usize);

/// One client.
pub(crate) struct Client {
    pub(crate) home: usize,
    pub(crate) conn: ConnId,
    pub(crate) state: State,
    /// Written, not yet delivered to the shard.
    pub(crate) outgoing: Vec<u8>,
    /// Taken from the shard, not yet read by the client.
    pub(crate) kernel: Vec<u8>,
    /// Read by the client.
    pub(crate) inbox: Vec<u8>,
    /// How much of `inbox` was taken as replies.
    taken: usize,
    framer: Framer,
    /// The shard has more output than was taken.
    pub(crate) wants_send: bool,
    /// It reads what it is sent.
    pub(crate) reads: bool,
    /// The shard wants no more of its bytes for now.
    pub(crate) paused: bool,
    /// It will write no more; the shard is told once all was delivered.
    pub(crate) ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// The shard closed it; what lies in the kernel still arrives.
    Flushing,
    Closed,
}

impl Client {
    pub(crate) fn new(home: usize, conn: ConnId) -> Self {
        Self {
            home,
            conn,
            state: State::Open,
            outgoing: Vec::new(),
            kernel: Vec::new(),
            inbox: Vec::new(),
            taken: 0,
            framer: Framer::new(),
            wants_send: false,
            reads: true,
            paused: false,
            ends: false,
        }
    }

    /// The next whole reply.
    pub(crate) fn next_reply(&mut self) -> Option<Vec<u8>> {
        let rest = &self.inbox[self.taken..];
        let len = self.framer.advance(rest).expect("a shard writes replies and nothing else")?;
        self.taken += len;
        Some(rest[..len].to_vec())
    }

    /// Nothing came that is not a whole reply.
    pub(crate) fn is_even(&self) -> bool {
        self.taken == self.inbox.len()
    }
}
