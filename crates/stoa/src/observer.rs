//! What happens to keys, told to the program around: the events of `notify-keyspace-events`, without
//! channels, patterns of names and clients in between.
//!
//! An observer has a queue of its own with a limit in events and in bytes. Whoever writes never waits
//! for it: what finds no room is counted, and the observer is told so at the place in its stream where the
//! gap is. So a reader that keeps a copy of keys knows when its copy is not to be trusted.
//!
//! Shards note events while somebody observes, only of classes that are observed, and hand them over
//! after each of their turns. While nobody does, it costs the branch that notifications cost anyway.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use stoa_config::EventClasses;
use stoa_engine::Class;
use stoa_keyspace::Notice;
use stoa_stdx::{DbIndex, glob_match};

/// Events an observer has room for, if nothing is said.
const ROOM: usize = 4_096;

/// Bytes of keys that may wait for one observer: keys may be long, and a number of events is no bound of
/// memory then.
const KEY_BYTES_MAX: usize = 16 << 20;

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The database of the key.
    pub db: u16,
    /// What kind of event it is.
    pub class: Class,
    /// The name it has in notifications of keys: `set`, `del`, `expired`, `rename_from` ... Two names
    /// stand for what notifications do not tell: `flushdb` (by FLUSHALL too, for each database) and
    /// `swapdb`, for each of both databases; their key is empty.
    pub name: &'static str,
    /// The key.
    pub key: Vec<u8>,
}

/// What an [`Observer`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Something happened.
    Event(Event),
    /// Here so many events are missing: the observer did not take them in time.
    Missed(u64),
    /// There are no events any more: `Db::close` or SHUTDOWN ended the database, or it and its sessions are
    /// dropped.
    Closed,
}

/// Which events an [`Observer`] wants, and how many may wait for it.
#[derive(Clone, Debug)]
pub struct Filter {
    classes: EventClasses,
    db: Option<DbIndex>,
    keys: Keys,
    room: usize,
}

#[derive(Clone, Debug)]
enum Keys {
    All,
    One(Vec<u8>),
    Matching(Vec<u8>),
}

impl Default for Filter {
    fn default() -> Self {
        Self { classes: EventClasses::CHANGES, db: None, keys: Keys::All, room: ROOM }
    }
}

impl Filter {
    /// All that changes keys, of all databases: what the letter `A` of `notify-keyspace-events` stands for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of one database only.
    #[must_use]
    pub const fn db(mut self, index: u16) -> Self {
        self.db = Some(DbIndex(index));
        self
    }

    /// Of one key only.
    #[must_use]
    pub fn key(mut self, key: &[u8]) -> Self {
        self.keys = Keys::One(key.to_vec());
        self
    }

    /// Of keys that match a pattern only, written as for KEYS.
    #[must_use]
    pub fn matching(mut self, pattern: &[u8]) -> Self {
        self.keys = Keys::Matching(pattern.to_vec());
        self
    }

    /// Of these classes only. [`Class::New`] and [`Class::Miss`] come when they are named here.
    #[must_use]
    pub fn classes(mut self, classes: &[Class]) -> Self {
        self.classes = classes.iter().copied().collect();
        self
    }

    /// How many events may wait to be taken; 4,096 if nothing is said. At least one.
    #[must_use]
    pub const fn room(mut self, events: usize) -> Self {
        self.room = if events == 0 { 1 } else { events };
        self
    }

    /// What is about a whole database is about each of its keys.
    fn wants(&self, notice: &Notice) -> bool {
        self.classes.has(notice.class)
            && self.db.is_none_or(|db| db == notice.db)
            && (notice.is_of_all || self.wants_key(&notice.key))
    }

    fn wants_key(&self, key: &[u8]) -> bool {
        match &self.keys {
            Keys::All => true,
            Keys::One(one) => one == key,
            Keys::Matching(pattern) => glob_match(pattern, key, false),
        }
    }
}

/// Tells what happens to keys, from the moment of [`Session::observe`](crate::Session::observe) on. It
/// does not keep the database open, and may be moved to another thread.
#[derive(Debug)]
pub struct Observer {
    feed: Feed,
}

impl Observer {
    pub(crate) const fn new(feed: Feed) -> Self {
        Self { feed }
    }

    /// What is next, if there is something.
    #[must_use]
    pub fn try_recv(&self) -> Option<Observed> {
        self.feed.0.queue().next()
    }

    /// What is next; waits for it. Another thread has to write, or drop the database, meanwhile.
    #[must_use]
    pub fn recv(&self) -> Observed {
        let mut queue = self.feed.0.queue();
        loop {
            if let Some(next) = queue.next() {
                return next;
            }
            queue = self.feed.0.came.wait(queue).expect(UNBROKEN);
        }
    }

    /// What is next; waits for it so long at most.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Observed> {
        let until = Instant::now().checked_add(timeout);
        let mut queue = self.feed.0.queue();
        loop {
            if let Some(next) = queue.next() {
                return Some(next);
            }
            let left = match until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => timeout,
            };
            if left.is_zero() {
                return None;
            }
            queue = self.feed.0.came.wait_timeout(queue, left).expect(UNBROKEN).0;
        }
    }
}

/// Nothing that could panic runs while the queue is locked.
const UNBROKEN: &str = "no holder of the queue panics";

/// An observer's end of its queue. The executor's end is weak: an observer that is dropped is forgotten.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Line>);

#[derive(Debug)]
struct Line {
    filter: Filter,
    queue: Mutex<Queue>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    key_bytes: usize,
    /// What found no room since the last item.
    missed: u64,
    closed: bool,
}

#[derive(Debug)]
enum Item {
    Event(Event),
    Missed(u64),
}

impl Line {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect(UNBROKEN)
    }
}

impl Queue {
    fn next(&mut self) -> Option<Observed> {
        match self.items.pop_front() {
            Some(Item::Event(event)) => {
                self.key_bytes -= event.key.len();
                Some(Observed::Event(event))
            }
            Some(Item::Missed(count)) => Some(Observed::Missed(count)),
            None if self.missed > 0 => Some(Observed::Missed(std::mem::take(&mut self.missed))),
            None => self.closed.then_some(Observed::Closed),
        }
    }

    /// A gap needs an item of its own before what comes after it.
    fn add(&mut self, notice: &Notice, room: usize) {
        let needed = 1 + usize::from(self.missed > 0);
        let key_bytes = self.key_bytes + notice.key.len();
        // One key longer than all the room there is may wait alone.
        let has_bytes = key_bytes <= KEY_BYTES_MAX || self.key_bytes == 0;
        if self.items.len() + needed > room.max(needed) || !has_bytes {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            self.items.push_back(Item::Missed(std::mem::take(&mut self.missed)));
        }
        self.key_bytes = key_bytes;
        let Notice { db, class, event: name, ref key, .. } = *notice;
        self.items.push_back(Item::Event(Event { db: db.0, class, name, key: key.clone() }));
    }
}

/// The executor's end of all queues.
#[derive(Default)]
pub(crate) struct Hub {
    lines: Vec<Weak<Line>>,
    /// What any of them wants.
    classes: EventClasses,
}

impl Hub {
    pub(crate) fn add(&mut self, filter: Filter) -> Feed {
        let (queue, came) = (Mutex::default(), Condvar::new());
        let line = Arc::new(Line { filter, queue, came });
        self.lines.push(Arc::downgrade(&line));
        self.count();
        Feed(line)
    }

    /// What has to be noted.
    pub(crate) const fn classes(&self) -> EventClasses {
        self.classes
    }

    /// Tells what happened, and that `lost` more did after it. True if an observer has gone.
    pub(crate) fn tell(&mut self, notices: Vec<Notice>, lost: u64) -> bool {
        let mut gone = false;
        for line in &self.lines {
            let Some(line) = line.upgrade() else {
                gone = true;
                continue;
            };
            let mut queue = line.queue();
            for notice in notices.iter().filter(|notice| line.filter.wants(notice)) {
                queue.add(notice, line.filter.room);
            }
            // Which of them this one would have wanted nobody knows any more.
            queue.missed += lost;
            drop(queue);
            line.came.notify_all();
        }
        if gone {
            self.count();
        }
        gone
    }

    /// There will be no more.
    pub(crate) fn close(&mut self) {
        for line in self.lines.drain(..).filter_map(|line| line.upgrade()) {
            line.queue().closed = true;
            line.came.notify_all();
        }
        self.count();
    }

    fn count(&mut self) {
        self.lines.retain(|line| line.strong_count() > 0);
        let lines = self.lines.iter().filter_map(Weak::upgrade);
        self.classes = lines.fold(EventClasses::NONE, |all, line| all.or(line.filter.classes));
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.close();
    }
}
