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

/// Bytes of keys in them: a key may be long, and a number of notices is no bound of memory then.
pub const OBSERVED_BYTES_MAX: usize = 16 << 20;

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
    /// Observers are to have it. If not, it is there for channels alone: nobody observes its class, or
    /// there was no room for it, which is counted.
    pub is_observed: bool,
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

/// The room that observers have for what they did not take yet. Once something found none, what
/// follows finds none either until all is taken: so what they miss is one gap, at the end.
#[derive(Debug, Default)]
pub struct ObservedRoom {
    len: usize,
    key_bytes: usize,
    lost: u64,
}

impl ObservedRoom {
    /// Takes room for a notice of a key of so many bytes. False if there is none, which is counted. One
    /// key longer than all the room there is may wait alone.
    pub const fn take(&mut self, key_len: usize) -> bool {
        let has_bytes = self.key_bytes == 0 || self.key_bytes + key_len <= OBSERVED_BYTES_MAX;
        if self.lost > 0 || self.len >= OBSERVED_LEN_MAX || !has_bytes {
            self.lost += 1;
            return false;
        }
        self.len += 1;
        self.key_bytes += key_len;
        true
    }

    /// More found no room elsewhere, after all that is here.
    pub const fn lose(&mut self, more: u64) {
        self.lost += more;
    }

    /// How many found none; they came after those that did.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// What happened, in order.
#[derive(Debug, Default)]
pub struct Noticed {
    /// All that somebody wants to know.
    pub list: Vec<Notice>,
    /// What observers have room for.
    pub room: ObservedRoom,
}

/// Notices that nobody took yet.
#[derive(Debug, Default)]
pub struct Notices {
    /// What is to be noticed.
    pub heeds: Heeds,
    noticed: Noticed,
}

impl Notices {
    /// Whether anybody wants to know of events of this class.
    #[must_use]
    #[inline]
    pub const fn heed(&self, class: EventClass) -> bool {
        self.heeds.either.has(class)
    }

    /// Adds what happened to a key. Who listens on a channel is held back by the bytes that wait for it.
    #[cold]
    pub fn push(&mut self, db: DbIndex, class: EventClass, event: &'static str, key: &[u8]) {
        let Noticed { list, room } = &mut self.noticed;
        let is_observed = self.heeds.observed.has(class) && room.take(key.len());
        if is_observed || self.heeds.published.has(class) {
            let key = key.to_vec();
            list.push(Notice { db, class, event, key, is_of_all: false, is_observed });
        }
    }

    /// Adds what happened to all keys of a database.
    #[cold]
    pub fn push_of_all(&mut self, db: DbIndex, event: &'static str) {
        let class = EventClass::Generic;
        let Noticed { list, room } = &mut self.noticed;
        if self.heeds.observed.has(class) && room.take(0) {
            let (key, is_of_all, is_observed) = (Vec::new(), true, true);
            list.push(Notice { db, class, event, key, is_of_all, is_observed });
        }
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.noticed.list.is_empty()
    }

    /// Puts back what was taken, before anything else is noted.
    pub fn put_back(&mut self, noticed: Noticed) {
        debug_assert!(self.is_empty(), "what was noted since must go first");
        self.noticed = noticed;
    }

    /// All since the last time.
    pub fn take(&mut self) -> Noticed {
        std::mem::take(&mut self.noticed)
    }
}

#[cfg(test)]
mod tests {
    use stoa_config::{EventClass, EventClasses};
    use stoa_stdx::DbIndex;

    use super::{Heeds, Notices, OBSERVED_BYTES_MAX, OBSERVED_LEN_MAX};

    const DB: DbIndex = DbIndex(0);

    fn heeding(published: EventClasses) -> Notices {
        let heeds = Heeds::new(published, [EventClass::String].into_iter().collect());
        Notices { heeds, ..Notices::default() }
    }

    #[test]
    fn long_keys_fill_the_room_of_observers_before_their_number_does() {
        let mut notices = heeding(EventClasses::NONE);
        let key = vec![b'k'; OBSERVED_BYTES_MAX / 4];
        for _ in 0..9 {
            notices.push(DB, EventClass::String, "set", &key);
        }
        notices.push(DB, EventClass::String, "set", b"short");
        let noticed = notices.take();
        assert_eq!(noticed.list.len(), 4);
        assert_eq!(noticed.room.lost(), 6, "what follows a gap is part of it");
        let key = vec![b'k'; OBSERVED_BYTES_MAX + 1];
        notices.push(DB, EventClass::String, "set", &key);
        notices.push(DB, EventClass::String, "set", b"short");
        let noticed = notices.take();
        assert_eq!((noticed.list.len(), noticed.room.lost()), (1, 1), "it may wait alone");
    }

    #[test]
    fn what_is_published_is_there_though_observers_have_no_room() {
        let mut notices = heeding([EventClass::String].into_iter().collect());
        for _ in 0..OBSERVED_LEN_MAX + 5 {
            notices.push(DB, EventClass::String, "set", b"k");
        }
        let noticed = notices.take();
        assert_eq!((noticed.list.len(), noticed.room.lost()), (OBSERVED_LEN_MAX + 5, 5));
        let observed = noticed.list.iter().filter(|notice| notice.is_observed).count();
        assert_eq!(observed, OBSERVED_LEN_MAX);
    }

    #[test]
    fn what_is_put_back_takes_the_room_it_had() {
        let mut notices = heeding(EventClasses::NONE);
        let key = vec![b'k'; OBSERVED_BYTES_MAX];
        notices.push(DB, EventClass::String, "set", &key);
        let mine = notices.take();
        notices.push(DB, EventClass::String, "set", b"theirs");
        assert_eq!(notices.take().list.len(), 1);
        notices.put_back(mine);
        notices.push(DB, EventClass::String, "set", b"short");
        let noticed = notices.take();
        assert_eq!((noticed.list.len(), noticed.room.lost()), (1, 1));
    }
}
