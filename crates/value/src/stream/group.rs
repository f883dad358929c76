//! Consumer groups: how far a group has read, what its consumers got and have not acknowledged.

mod copying;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::StreamId;

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last, milliseconds since 1970.
    pub delivered_ms: u64,
    /// How often it was.
    pub count: u64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// A consumer within its group: names are long, and each pending entry has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerId(u32);

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: Box<[u8]>,
    /// When it last tried something, milliseconds since 1970.
    pub seen_ms: u64,
    /// When it last got something; None before the first time.
    pub active_ms: Option<u64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// What it has not acknowledged.
    #[must_use]
    pub const fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries of the stream were read up to there; None when it cannot be told.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    names: BTreeMap<Box<[u8]>, ConsumerId>,
    consumers: BTreeMap<ConsumerId, Consumer>,
    next: u32,
}

impl Group {
    /// A group that has read up to `last_id`.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// All that is pending, by id.
    #[must_use]
    pub const fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.names.values().map(|id| &self.consumers[id])
    }

    /// The next consumer in that order, behind the one of this name.
    #[must_use]
    pub fn consumer_behind(&self, name: Option<&[u8]>) -> Option<&Consumer> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        let (_, id) = self.names.range::<[u8], _>((from, Bound::Unbounded)).next()?;
        Some(&self.consumers[id])
    }

    /// A consumer by name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// A consumer that is there.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        &self.consumers[&id]
    }

    /// A consumer that is there, to be changed.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers.get_mut(&id).expect("consumers are found by name first")
    }

    /// Adds a consumer; None when the name is taken.
    pub fn add(&mut self, name: &[u8], now_ms: u64) -> Option<ConsumerId> {
        if self.names.contains_key(name) {
            return None;
        }
        let id = ConsumerId(self.next);
        self.next += 1;
        let pending = BTreeSet::new();
        let consumer = Consumer { name: name.into(), seen_ms: now_ms, active_ms: None, pending };
        self.names.insert(name.into(), id);
        self.consumers.insert(id, consumer);
        Some(id)
    }

    /// Removes a consumer with all that it has not acknowledged; gives how much that was.
    pub fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.names.remove(name)?;
        let consumer = self.consumers.remove(&id)?;
        for entry in &consumer.pending {
            self.pending.remove(entry);
        }
        Some(consumer.pending.len())
    }

    /// Notes a delivery, whoever had the entry before.
    pub fn deliver(&mut self, id: StreamId, pending: Pending) {
        let old = self.pending.insert(id, pending);
        if let Some(old) = old.filter(|old| old.consumer != pending.consumer) {
            self.consumer_mut(old.consumer).pending.remove(&id);
        }
        self.consumer_mut(pending.consumer).pending.insert(id);
    }

    /// Notes that an entry is done with. False if it was not pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(old) = self.pending.remove(&id) else { return false };
        self.consumer_mut(old.consumer).pending.remove(&id);
        true
    }

    /// Frees up to `left` pieces, and takes them off it. True when there are more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            *left -= 1;
            if self.pending.pop_first().is_some() {
                continue;
            }
            let Some(mut last) = self.consumers.last_entry() else {
                if self.names.pop_first().is_none() {
                    return false;
                }
                continue;
            };
            if last.get_mut().pending.pop_first().is_none() {
                last.remove();
            }
        }
        true
    }

    /// Pieces of memory, about.
    pub(super) fn pieces(&self) -> usize {
        1 + self.pending.len() + self.consumers.len()
    }

    pub(super) fn bytes(&self) -> usize {
        // A tree of the standard library keeps its nodes three quarters full.
        let pending = self.pending.len() * (size_of::<StreamId>() + size_of::<Pending>());
        let held = self.pending.len() * size_of::<StreamId>();
        let named: usize =
            self.names.keys().map(|name| name.len() * 2 + size_of::<Consumer>() + 32).sum();
        (pending + held) * 4 / 3 + named + size_of::<Self>()
    }
}
