//! What happened to keys, for whoever wants to know: subscribers (`notify-keyspace-events`) and programs
//! that embed the engine and observe it.
//!
//! Commands say themselves what they did. Three things only the keyspace sees: a key that reached its
//! deadline, one that was added, one that was read and is not there. They go into the same list, so
//! that it holds everything in the order in which it happened. While nobody wants to know, each
//! costs one branch on its way.

use stoa_config::{EventClass, EventClasses};
use stoa_stdx::DbIndex;

/// Notices that one command may leave for observers alone. A script can make any number of them; an
/// observer is told how many it missed, and would not have had room for more anyway.
pub const OBSERVED_LEN_MAX: usize = 1 << 16;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The database of the key.
    pub db: DbIndex,
    /// What kind of event it is.
    pub class: EventClass,
    /// The event's name.
    pub event: &'static str,
    /// The key; empty if it is about all keys of the database.
    pub key: Vec<u8>,
    /// Not about a key, so that no channel has its name: for observers alone.
    pub is_of_all: bool,
}

/// Who wants to know what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heeds {
    /// What is published on channels.
    pub published: EventClasses,
    /// What observers want to know.
    pub observed: EventClasses,
    /// Both: what is noted.
    either: EventClasses,
}

impl Heeds {
    /// Of these.
    #[must_use]
    pub const fn new(published: EventClasses, observed: EventClasses) -> Self {
        Self { published, observed, either: published.or(observed) }
    }
}

/// Notices that nobody took yet.
#[derive(Debug, Default)]
pub struct Notices {
    /// What is to be noticed.
    pub heeds: Heeds,
    list: Vec<Notice>,
    /// How many there was no room for.
    lost: u64,
}

impl Notices {
    /// Whether anybody wants to know of events of this class.
    #[must_use]
    #[inline]
    pub const fn heed(&self, class: EventClass) -> bool {
        self.heeds.either.has(class)
    }

    /// Adds what happened to a key.
    #[cold]
    pub fn push(&mut self, db: DbIndex, class: EventClass, event: &'static str, key: &[u8]) {
        if self.has_room(class) {
            self.list.push(Notice { db, class, event, key: key.to_vec(), is_of_all: false });
        }
    }

    /// Adds what happened to all keys of a database.
    #[cold]
    pub fn push_of_all(&mut self, db: DbIndex, event: &'static str) {
        let class = EventClass::Generic;
        if self.heeds.observed.has(class) && self.has_room(class) {
            self.list.push(Notice { db, class, event, key: Vec::new(), is_of_all: true });
        }
    }

    /// Counts it if there is none. Who listens on a channel is held back by the bytes that wait for it.
    const fn has_room(&mut self, class: EventClass) -> bool {
        let has = self.list.len() < OBSERVED_LEN_MAX || self.heeds.published.has(class);
        self.lost += !has as u64;
        has
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

    /// How many there was no room for since the last time; they came after those that are there.
    pub const fn take_lost(&mut self) -> u64 {
        std::mem::replace(&mut self.lost, 0)
    }
}
