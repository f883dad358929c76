//! Who listens to which channel: what one shard knows, as plain data.
//!
//! Three tables, for three questions. *What did this client subscribe to?* ([`Memberships`]; its
//! commands change it at once and read it back.) *Whom here does a message go to?*
//! ([`Subscribers`]; changes when the change has its place in the order of messages.) *How many
//! listen on the whole node, and on which shards?* ([`Counts`]; every shard holds a copy, so that a
//! message without listeners costs one look-up and PUBLISH knows its answer when it runs, inside a
//! transaction or script too. The price is that each channel's name is kept once a shard.)
//!
//! Nothing here sends anything. Commands leave what is to be sent in an outbox, which the shard takes
//! after each command.

mod counts;
mod membership;
mod subscribers;
pub mod tracking;

use std::sync::Arc;

use stoa_stdx::{ConnId, ShardId, key_slot, owner_of};

pub use counts::Counts;
pub use membership::Memberships;
pub use subscribers::Subscribers;

/// The name of a channel or pattern. Shared: it stands in several tables and travels.
pub type Name = Arc<[u8]>;

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A channel.
    Channel = 0,
    /// All channels whose names match.
    Pattern = 1,
    /// A shard channel: a world of its own, which patterns do not reach.
    Shard = 2,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    /// The shard that puts messages to `name`, and changes of its listeners, into one order.
    ///
    /// Channels and patterns share one, shard 0: with an owner for each channel, a client that listens
    /// to two of them, or to a pattern, would see messages in another order than they were published
    /// in, and could read an answer before the question. It only orders and hands on; writing to
    /// clients, which is most of the work, is done where they are. Shard channels are for those who want
    /// none of that: each slot's owner orders its own.
    #[must_use]
    pub fn sequencer(self, name: &[u8], shards: u16) -> ShardId {
        match self {
            Self::Channel | Self::Pattern => ShardId(0),
            Self::Shard => owner_of(key_slot(name), shards),
        }
    }
}

/// One message to a channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Publication {
    /// [`Kind::Channel`] or [`Kind::Shard`].
    pub kind: Kind,
    /// The channel.
    pub channel: Box<[u8]>,
    /// What is said.
    pub payload: Box<[u8]>,
}

/// A client began or stopped listening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// To what kind of thing.
    pub kind: Kind,
    /// To which.
    pub name: Name,
    /// Who.
    pub conn: ConnId,
    /// Began, or stopped.
    pub begins: bool,
    /// How many of this shard's clients listen to it from now on.
    pub count: u32,
}

/// What is to be sent to other shards and clients.
#[derive(Debug)]
pub enum Outgoing {
    /// Everybody's counts change.
    Change(Change),
    /// A message, and the request that said it.
    Publication(Arc<Publication>, Option<Cause>),
    /// The first or the last client of this shard wants to hear of keys of this prefix.
    Prefix(Name, bool),
    /// Keys were read or changed that are tracked: what exactly is in the log of tracking.
    Tracked(Option<Cause>),
}

/// The request that led to a message. Whoever made it hears the message after the reply, so that it
/// does not fall into the reply of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The shard of the client.
    pub home: ShardId,
    /// The client.
    pub conn: ConnId,
    /// Which of its replies.
    pub ticket: u32,
}

/// What one shard knows of channels.
#[derive(Debug, Default)]
pub struct PubSub {
    /// What its clients subscribed to.
    pub memberships: Memberships,
    /// Whom here messages go to.
    pub subscribers: Subscribers,
    /// How many listen where.
    pub counts: Counts,
    /// Where this shard's own counts are kept.
    here: ShardId,
    outbox: Vec<Outgoing>,
}

impl PubSub {
    /// Nobody listens.
    #[must_use]
    pub fn new(here: ShardId) -> Self {
        Self { here, ..Self::default() }
    }

    /// A client subscribes. False if it had before.
    pub fn subscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> bool {
        let Some(name) = self.memberships.add(conn, kind, name) else { return false };
        self.recount(conn, kind, name, true);
        true
    }

    /// A client unsubscribes. False if it had not subscribed.
    pub fn unsubscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> bool {
        let Some(name) = self.memberships.remove(conn, kind, name) else { return false };
        self.recount(conn, kind, name, false);
        true
    }

    /// A client unsubscribes from everything of all kinds: RESET.
    pub fn unsubscribe_all(&mut self, conn: ConnId) {
        for kind in Kind::ALL {
            for name in self.memberships.names(conn, kind) {
                self.unsubscribe(conn, kind, &name);
            }
        }
    }

    /// A client is gone: nothing is sent to it from now on, whatever is on its way.
    pub fn forget(&mut self, conn: ConnId) {
        for kind in Kind::ALL {
            for name in self.memberships.names(conn, kind) {
                self.unsubscribe(conn, kind, &name);
                self.subscribers.remove(kind, &name, conn);
            }
        }
    }

    fn recount(&mut self, conn: ConnId, kind: Kind, name: Name, begins: bool) {
        let before = self.counts.at(kind, &name, self.here);
        let count = if begins { before + 1 } else { before - 1 };
        self.counts.set(kind, &name, self.here, count);
        self.outbox.push(Outgoing::Change(Change { kind, name, conn, begins, count }));
    }

    /// Says something on a channel; gives how many will hear it.
    pub fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> u64 {
        let count = self.counts.listeners(kind, channel);
        if count > 0 {
            let (channel, payload) = (channel.into(), payload.into());
            let publication = Publication { kind, channel, payload };
            self.outbox.push(Outgoing::Publication(Arc::new(publication), None));
        }
        count
    }

    /// Tells every shard that this one has clients now which listen to keys of `prefix`, or none any more.
    pub fn tell_prefix(&mut self, prefix: Name, listens: bool) {
        self.outbox.push(Outgoing::Prefix(prefix, listens));
    }

    /// Says that the log of tracking has something to be told.
    pub fn tell_tracked(&mut self) {
        if !matches!(self.outbox.last(), Some(Outgoing::Tracked(None))) {
            self.outbox.push(Outgoing::Tracked(None));
        }
    }

    /// Says which request led to the messages that were added since the last time.
    pub fn name_cause(&mut self, cause: Cause) {
        for outgoing in self.outbox.iter_mut().rev() {
            match outgoing {
                Outgoing::Publication(_, Some(_)) | Outgoing::Tracked(Some(_)) => return,
                Outgoing::Publication(_, unnamed) | Outgoing::Tracked(unnamed) => {
                    *unnamed = Some(cause);
                }
                Outgoing::Change(_) | Outgoing::Prefix(..) => {}
            }
        }
    }

    /// Whether something is to be sent.
    #[must_use]
    #[inline]
    pub const fn is_stirred(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Puts back what was taken, before anything else is said.
    pub fn put_back(&mut self, outbox: Vec<Outgoing>) {
        debug_assert!(self.outbox.is_empty(), "what was said since must go first");
        self.outbox = outbox;
    }

    /// What is to be sent, in the order it was done in.
    pub fn take_outbox(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outbox)
    }
}

#[cfg(test)]
mod model_test;
