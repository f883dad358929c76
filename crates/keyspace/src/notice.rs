//! What happened to keys, for whoever publishes it (`notify-keyspace-events`).
//!
//! Commands say themselves what they did. Three things only the keyspace sees: a key that reached its
//! deadline, one that was added, one that was read and is not there. They go into the same list, so
//! that it holds everything in the order in which it happened. While nobody wants to know, each
//! costs one branch on its way.

use stoa_stdx::DbIndex;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The database of the key.
    pub db: DbIndex,
    /// The event's name.
    pub event: &'static str,
    /// The key.
    pub key: Vec<u8>,
}

/// Which of the events that only the keyspace sees are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heeds {
    /// A key reached its deadline.
    pub expired: bool,
    /// Fields of a hash reached their deadline.
    pub fields: bool,
    /// A key went with the last of its fields.
    pub emptied: bool,
    /// A key was added.
    pub added: bool,
    /// A key was read and is not there.
    pub missed: bool,
}

/// Notices that nobody took yet.
#[derive(Debug, Default)]
pub struct Notices {
    /// What is to be noticed.
    pub heeds: Heeds,
    list: Vec<Notice>,
}

impl Notices {
    /// Adds what happened.
    #[cold]
    pub fn push(&mut self, db: DbIndex, event: &'static str, key: &[u8]) {
        self.list.push(Notice { db, event, key: key.to_vec() });
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts back what was taken, before anything else is noted.
    pub fn put_back(&mut self, list: Vec<Notice>) {
        debug_assert!(self.list.is_empty(), "what was noted since must go first");
        self.list = list;
    }

    /// All since the last time, in order.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.list)
    }
}
