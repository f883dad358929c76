//! Who waits for which key of this shard, in the order of blocking.

use std::collections::{BTreeMap, BTreeSet};

use stoa_engine::Block;
use stoa_stdx::{ConnId, DbIndex, MonoMs, ShardId};

use crate::message::{Batch, WaiterId};

/// A client that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// The keys of this shard that it waits for.
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) db: DbIndex,
    pub(crate) block: Block,
    /// Whose it is: its home, and its connection there.
    pub(crate) home: ShardId,
    pub(crate) conn: ConnId,
    pub(crate) served: Served,
}

/// How a waiter is served.
#[derive(Debug)]
pub(crate) enum Served {
    /// Its request runs here: all its keys are ours.
    Here(Box<Batch>),
    /// Its home is told, and tries.
    ByHome { id: WaiterId, told: bool },
}

/// All waiters of a shard.
#[derive(Default)]
pub(crate) struct Waiters {
    /// By the number of their blocking.
    rows: BTreeMap<u64, Waiter>,
    by_key: BTreeMap<(u16, Vec<u8>), BTreeSet<u64>>,
    by_deadline: BTreeSet<(MonoMs, u64)>,
    next: u64,
    /// Those that are served here.
    here: usize,
}

impl Waiters {
    /// A number behind all others.
    pub(crate) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// How many are served here.
    pub(crate) const fn here(&self) -> usize {
        self.here
    }

    /// Adds a waiter with its number: the one it had, if it waited before.
    pub(crate) fn add(&mut self, number: u64, waiter: Waiter) {
        for key in &waiter.keys {
            self.by_key.entry((waiter.db.0, key.clone())).or_default().insert(number);
        }
        if let (Served::Here(_), Some(until)) = (&waiter.served, waiter.block.until) {
            self.by_deadline.insert((until, number));
        }
        self.here += usize::from(matches!(waiter.served, Served::Here(_)));
        let before = self.rows.insert(number, waiter);
        assert!(before.is_none(), "waiter {number} waits twice");
    }

    pub(crate) fn get(&mut self, number: u64) -> Option<&mut Waiter> {
        self.rows.get_mut(&number)
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.rows.remove(&number)?;
        self.here -= usize::from(matches!(waiter.served, Served::Here(_)));
        for key in &waiter.keys {
            let place = (waiter.db.0, key.clone());
            if let Some(numbers) = self.by_key.get_mut(&place) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_key.remove(&place);
                }
            }
        }
        if let Some(until) = waiter.block.until {
            self.by_deadline.remove(&(until, number));
        }
        Some(waiter)
    }

    /// Those who wait for a key, first come first.
    pub(crate) fn of(&self, db: DbIndex, key: &[u8]) -> Vec<u64> {
        let numbers = self.by_key.get(&(db.0, key.to_vec()));
        numbers.map(|numbers| numbers.iter().copied().collect()).unwrap_or_default()
    }

    /// The waiter of a connection whose request runs here.
    pub(crate) fn of_conn(&self, home: ShardId, conn: ConnId) -> Option<u64> {
        let is_its = |waiter: &Waiter| {
            waiter.home == home && waiter.conn == conn && matches!(waiter.served, Served::Here(_))
        };
        self.rows.iter().find(|(_, waiter)| is_its(waiter)).map(|(number, _)| *number)
    }

    /// The waiter that its home knows by `id`.
    pub(crate) fn of_home(&self, wanted: WaiterId) -> Option<u64> {
        let is_it =
            |waiter: &Waiter| matches!(&waiter.served, Served::ByHome { id, .. } if *id == wanted);
        self.rows.iter().find(|(_, waiter)| is_it(waiter)).map(|(number, _)| *number)
    }

    /// The next one whose time is up.
    pub(crate) fn due(&self, now: MonoMs) -> Option<u64> {
        self.by_deadline.first().filter(|(until, _)| *until <= now).map(|(_, number)| *number)
    }

    /// When somebody's time is up.
    pub(crate) fn deadline(&self) -> Option<MonoMs> {
        self.by_deadline.first().map(|(until, _)| *until)
    }
}
