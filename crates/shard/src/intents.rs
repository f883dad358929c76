//! What transactions have announced to do with keys of this shard, and who waits for whom.
//!
//! A row is an intent: its place in the order of all transactions (stamp, then id), the keys it
//! touches, and what to do when its turn comes. A row may start once it is committed and no
//! conflicting row stands before it. Stamps are totally ordered and only grow from proposal to
//! commit, so waiting has one direction and cannot go round in a circle. Commands of one key that
//! meet no row never come here: with no row at all the cost is one comparison.
//!
//! Keys are known by their 64-bit hash. Two keys of one hash conflict without need, which costs a
//! wait and is never wrong. The rows of a key hang in one of a thousand buckets, in order.

use stoa_stdx::{ConnId, ShardId};

use crate::message::{Ask, Batch, Dest, GatherId};

/// Buckets of held keys. Made with the first row: 24 KiB.
const BUCKETS: usize = 1_024;

const _: () = assert!(BUCKETS.is_power_of_two(), "a bucket is taken by mask");

/// Lists of holds kept for later rows.
const SPARE_HOLDS_MAX: usize = 64;

/// Holds of a list that is kept: one of more goes back.
const HOLDS_KEPT_MAX: usize = 1_024;

/// A moment in the order of transactions: nanoseconds of the monotonic clock, or a little later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) u64);

/// The place of a transaction among all: by stamp, ties by the number its home gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    pub(crate) stamp: Stamp,
    pub(crate) id: TransactionId,
}

/// What a transaction is called on every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId {
    pub(crate) home: ShardId,
    pub(crate) number: u64,
}

/// A row of [`Intents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowId(pub(crate) u32);

/// One key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) hash: u64,
    pub(crate) writes: bool,
}

/// What a row touches.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// These keys.
    Keys(Vec<Hold>),
    /// Whatever the shard holds.
    All {
        /// It may change it.
        writes: bool,
    },
}

/// What happens when a row's turn comes.
#[derive(Debug)]
pub(crate) enum Work {
    /// The requests of another shard are answered.
    Kept(ShardId, Box<Batch>),
    /// This shard is the transaction's home, and does its own share.
    Own(GatherId),
    /// A client of this shard goes on; its request is in its input.
    Resume(ConnId),
    /// Nothing: the row only keeps others away.
    Hold,
}

struct Row {
    order: Order,
    committed: bool,
    started: bool,
    /// Its keys are held: they do not end before their time.
    holds: bool,
    scope: Scope,
    work: Option<Work>,
}

/// A row in the bucket of one of its keys.
#[derive(Clone, Copy)]
struct Place {
    order: Order,
    hash: u64,
    row: u32,
    writes: bool,
}

/// All rows of a shard.
#[derive(Default)]
pub(crate) struct Intents {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    len: usize,
    buckets: Vec<Vec<Place>>,
    /// Rows of [`Scope::All`].
    alls: Vec<u32>,
    ready: Vec<RowId>,
    spare: Vec<Vec<Hold>>,
    /// Planted: no row waits for another.
    #[cfg(feature = "simulated")]
    pub(crate) runs_past: bool,
}

impl Intents {
    /// There are no rows, so nothing need be compared.
    #[inline]
    pub(crate) const fn is_idle(&self) -> bool {
        self.len == 0
    }

    /// An empty list of holds, to be filled.
    pub(crate) fn holds(&mut self) -> Vec<Hold> {
        self.spare.pop().unwrap_or_default()
    }

    /// Whether a command on this key that came just now would have to wait.
    #[inline]
    pub(crate) fn hinders(&self, hold: Hold) -> bool {
        self.len > 0
            && (self.alls.iter().any(|row| hold.writes || self.row(*row).scope.writes())
                || self
                    .bucket(hold.hash)
                    .iter()
                    .any(|place| place.hash == hold.hash && (place.writes || hold.writes)))
    }

    /// Whether a command on all this that came just now would have to wait.
    pub(crate) fn hinders_scope(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Keys(holds) => holds.iter().any(|hold| self.hinders(*hold)),
            Scope::All { writes } => {
                self.rows.iter().flatten().any(|row| *writes || row.scope.writes())
            }
        }
    }

    /// Adds a row. A committed one may become ready at once.
    pub(crate) fn add(&mut self, order: Order, committed: bool, scope: Scope, work: Work) -> RowId {
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            self.rows.len() as u32 - 1
        });
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, Vec::new);
        }
        self.len += 1;
        self.hang(row, order, &scope);
        let work = Some(work);
        self.rows[row as usize] =
            Some(Row { order, committed, started: false, holds: true, scope, work });
        self.look(row);
        RowId(row)
    }

    /// Commits a row at `stamp`, which is not before its proposal.
    pub(crate) fn commit(&mut self, id: RowId, stamp: Stamp) {
        let row = self.rows[id.0 as usize].as_mut().expect("a row is committed while it stands");
        assert!(!row.committed, "a row is committed once");
        assert!(stamp >= row.order.stamp, "{stamp:?} lies before the proposal {:?}", row.order);
        row.committed = true;
        let before = std::mem::replace(&mut row.order.stamp, stamp);
        let passed = before != stamp && self.restamp(id.0, before);
        self.look(id.0);
        if passed {
            self.look_around(id.0);
        }
    }

    /// Hangs a row where its new stamp belongs. True if it may have passed another.
    fn restamp(&mut self, id: u32, before: Stamp) -> bool {
        let row = self.rows[id as usize].as_ref().expect("it stands");
        let order = row.order;
        let Scope::Keys(holds) = &row.scope else { return true };
        let mut passed = !self.alls.is_empty();
        for hold in holds {
            let bucket = &mut self.buckets[hold.hash as usize & (BUCKETS - 1)];
            let from = bucket.partition_point(|place| place.order.stamp < before);
            let found =
                bucket[from..].iter().position(|place| place.row == id && place.hash == hold.hash);
            let at = from + found.expect("what was hung up is there");
            let end = at + 1 + bucket[at + 1..].partition_point(|place| place.order < order);
            bucket[at].order = order;
            bucket[at..end].rotate_left(1);
            passed |= end > at + 1;
        }
        passed
    }

    /// Takes a row away, whatever became of it. Those who waited for it may become ready.
    pub(crate) fn remove(&mut self, id: RowId) -> Scope {
        let row = self.rows[id.0 as usize].take().expect("a row is removed once");
        self.ready.retain(|ready| *ready != id);
        self.free.push(id.0);
        self.len -= 1;
        self.unhang(id.0, row.order, &row.scope);
        match &row.scope {
            Scope::Keys(holds) => {
                holds.iter().for_each(|hold| self.look_at(hold.hash));
                self.look_at_alls();
            }
            Scope::All { .. } => self.look_at_everything(),
        }
        row.scope
    }

    /// Takes back a list of holds, for later rows.
    pub(crate) fn recycle(&mut self, mut holds: Vec<Hold>) {
        if self.spare.len() < SPARE_HOLDS_MAX && holds.capacity() <= HOLDS_KEPT_MAX {
            holds.clear();
            self.spare.push(holds);
        }
    }

    /// What a row holds, which it does no more from now on. None if it did not.
    pub(crate) fn let_go(&mut self, id: RowId) -> Option<&Scope> {
        let row = self.rows[id.0 as usize].as_mut()?;
        std::mem::take(&mut row.holds).then_some(&row.scope)
    }

    /// What a row holds again that had let go of its keys. None if it holds them still.
    pub(crate) fn hold_again(&mut self, id: RowId) -> Option<&Scope> {
        let row = self.rows[id.0 as usize].as_mut()?;
        (!std::mem::replace(&mut row.holds, true)).then_some(&row.scope)
    }

    /// The request that a row keeps.
    pub(crate) fn kept(&mut self, id: RowId) -> Option<&mut Batch> {
        let row = self.rows[id.0 as usize].as_mut()?;
        match row.work.as_mut()? {
            Work::Kept(_, batch) => Some(batch),
            Work::Own(_) | Work::Resume(_) | Work::Hold => None,
        }
    }

    /// What the rows keep whose turn comes next, `count` of them at most.
    pub(crate) fn kept_ahead(&self, count: usize) -> impl Iterator<Item = &Batch> + Clone {
        let ahead = self.ready.iter().rev().take(count);
        ahead.filter_map(|row| match &self.row(row.0).work {
            Some(Work::Kept(_, batch)) => Some(&**batch),
            Some(Work::Own(_) | Work::Resume(_) | Work::Hold) | None => None,
        })
    }

    /// The stamp of a row.
    pub(crate) fn stamp(&self, id: RowId) -> Stamp {
        self.row(id.0).order.stamp
    }

    /// A row whose turn has come, with what is to be done. It stays until it is removed.
    pub(crate) fn next_ready(&mut self) -> Option<(RowId, Work)> {
        let id = self.ready.pop()?;
        let row = self.rows[id.0 as usize].as_mut().expect("a ready row stands");
        let work = row.work.take().expect("a row starts once");
        // What holds keys on behalf of somebody else is still the same work for `Debug` and tests.
        row.work = Some(Work::Hold);
        Some((id, work))
    }

    /// Rows whose work is a client's whole request and has not begun.
    pub(crate) fn waiting_for_clients(&self) -> Vec<RowId> {
        let waits = |row: &Option<Row>| match row.as_ref() {
            Some(Row { started: false, work: Some(Work::Kept(_, batch)), .. }) => {
                let request = &batch.requests[0];
                batch.waited.is_none()
                    && matches!(request.dest, Dest::Hole { .. })
                    && matches!(request.ask, Ask::Execute | Ask::Exec(_))
            }
            Some(_) | None => false,
        };
        let rows = self.rows.iter().enumerate().filter(|(_, row)| waits(row));
        rows.map(|(at, _)| RowId(at as u32)).collect()
    }

    /// The row that keeps the request of a client of `home`, and the request's command.
    pub(crate) fn kept_for(&self, home: ShardId, client: ConnId) -> Option<(RowId, u16)> {
        self.rows.iter().enumerate().find_map(|(at, row)| match row.as_ref()? {
            Row { started: false, work: Some(Work::Kept(from, batch)), .. } if *from == home => {
                let request = &batch.requests[0];
                let is_his = matches!(request.dest, Dest::Hole { conn, .. } if conn == client);
                is_his.then_some((RowId(at as u32), request.index))
            }
            _ => None,
        })
    }

    /// Takes what a row was to do, before it is taken away.
    pub(crate) fn take_work(&mut self, id: RowId) -> Option<Work> {
        self.rows[id.0 as usize].as_mut()?.work.take()
    }

    fn row(&self, row: u32) -> &Row {
        self.rows[row as usize].as_ref().expect("a row that is hung up stands")
    }

    fn bucket(&self, hash: u64) -> &[Place] {
        &self.buckets[hash as usize & (BUCKETS - 1)]
    }

    fn hang(&mut self, row: u32, order: Order, scope: &Scope) {
        match scope {
            Scope::Keys(holds) => {
                for hold in holds {
                    let bucket = &mut self.buckets[hold.hash as usize & (BUCKETS - 1)];
                    let at = bucket.partition_point(|place| place.order < order);
                    let Hold { hash, writes } = *hold;
                    bucket.insert(at, Place { order, hash, row, writes });
                }
            }
            Scope::All { .. } => self.alls.push(row),
        }
    }

    fn unhang(&mut self, row: u32, order: Order, scope: &Scope) {
        match scope {
            Scope::Keys(holds) => {
                for hold in holds {
                    let bucket = &mut self.buckets[hold.hash as usize & (BUCKETS - 1)];
                    let from = bucket.partition_point(|place| place.order < order);
                    let found = bucket[from..]
                        .iter()
                        .position(|place| place.row == row && place.hash == hold.hash);
                    bucket.remove(from + found.expect("what was hung up is there"));
                }
            }
            Scope::All { .. } => self.alls.retain(|all| *all != row),
        }
    }

    /// Makes a row ready if its turn has come.
    fn look(&mut self, id: u32) {
        let row = self.row(id);
        if row.committed && !row.started && !self.is_behind_another(id) {
            self.rows[id as usize].as_mut().expect("just seen").started = true;
            self.ready.push(RowId(id));
        }
    }

    fn is_behind_another(&self, id: u32) -> bool {
        #[cfg(feature = "simulated")]
        if self.runs_past {
            return false;
        }
        let row = self.row(id);
        let order = row.order;
        let is_before = |other: u32, writes: bool| {
            let other = self.row(other);
            other.order < order && (writes || other.scope.writes())
        };
        match &row.scope {
            Scope::Keys(holds) => holds.iter().any(|hold| {
                self.alls.iter().any(|all| is_before(*all, hold.writes))
                    || self.bucket(hold.hash).iter().any(|place| {
                        place.order < order
                            && place.hash == hold.hash
                            && (place.writes || hold.writes)
                    })
            }),
            Scope::All { writes } => (0..self.rows.len() as u32).any(|other| {
                other != id && self.rows[other as usize].is_some() && is_before(other, *writes)
            }),
        }
    }

    /// The rows that stood behind this one may be in front now.
    fn look_around(&mut self, id: u32) {
        match &self.row(id).scope {
            Scope::Keys(holds) => {
                for hash in holds.iter().map(|hold| hold.hash).collect::<Vec<_>>() {
                    self.look_at(hash);
                }
                self.look_at_alls();
            }
            Scope::All { .. } => self.look_at_everything(),
        }
    }

    /// Looks at the rows in front of one key: the first, and all that read if it reads.
    fn look_at(&mut self, hash: u64) {
        let bucket = hash as usize & (BUCKETS - 1);
        let mut at = 0;
        let mut first = true;
        while let Some(place) = self.buckets[bucket].get(at).copied() {
            at += 1;
            if place.hash != hash {
                continue;
            }
            if first || !place.writes {
                self.look(place.row);
            }
            if place.writes {
                return;
            }
            first = false;
        }
    }

    fn look_at_alls(&mut self) {
        for at in 0..self.alls.len() {
            self.look(self.alls[at]);
        }
    }

    fn look_at_everything(&mut self) {
        for row in 0..self.rows.len() {
            if self.rows[row].is_some() {
                self.look(row as u32);
            }
        }
    }
}

impl Scope {
    fn writes(&self) -> bool {
        match self {
            Self::Keys(holds) => holds.iter().any(|hold| hold.writes),
            Self::All { writes } => *writes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Hold, Intents, Order, RowId, Scope, Stamp, TransactionId, Work};
    use stoa_stdx::{Rng, ShardId};

    fn order(stamp: u64, number: u64) -> Order {
        Order { stamp: Stamp(stamp), id: TransactionId { home: ShardId(0), number } }
    }

    fn keys(keys: &[(u64, bool)]) -> Scope {
        Scope::Keys(keys.iter().map(|&(hash, writes)| Hold { hash, writes }).collect())
    }

    fn ready(intents: &mut Intents) -> Vec<RowId> {
        std::iter::from_fn(|| intents.next_ready()).map(|(row, _)| row).collect()
    }

    #[test]
    fn a_proposal_in_front_holds_back_what_is_committed_behind_it() {
        let mut intents = Intents::default();
        let first = intents.add(order(5, 1), false, keys(&[(1, true)]), Work::Hold);
        let second = intents.add(order(6, 2), true, keys(&[(1, true), (2, true)]), Work::Hold);
        let third = intents.add(order(7, 3), true, keys(&[(2, false)]), Work::Hold);
        assert!(ready(&mut intents).is_empty(), "all wait for the proposal");
        intents.commit(first, Stamp(9));
        assert_eq!(ready(&mut intents), [second], "the first now stands behind the second");
        intents.remove(second);
        let mut now = ready(&mut intents);
        now.sort_by_key(|row| row.0);
        assert_eq!(now, [first, third]);
    }

    #[test]
    fn readers_of_a_key_start_together_and_a_writer_waits_for_all_of_them() {
        let mut intents = Intents::default();
        let a = intents.add(order(1, 1), true, keys(&[(1, false)]), Work::Hold);
        let b = intents.add(order(2, 2), true, keys(&[(1, false)]), Work::Hold);
        let writer = intents.add(order(3, 3), true, keys(&[(1, true)]), Work::Hold);
        assert!(intents.hinders(Hold { hash: 1, writes: false }), "the writer was first");
        assert_eq!(ready(&mut intents).len(), 2);
        intents.remove(a);
        assert!(ready(&mut intents).is_empty());
        intents.remove(b);
        assert_eq!(ready(&mut intents), [writer]);
    }

    /// The rule as the design states it, without any index.
    fn may_start(rows: &[(Order, bool, Scope, RowId)], at: usize) -> bool {
        let (order, committed, scope, _) = &rows[at];
        let conflicts = |a: &Scope, b: &Scope| match (a, b) {
            (Scope::Keys(a), Scope::Keys(b)) => {
                a.iter().any(|x| b.iter().any(|y| x.hash == y.hash && (x.writes || y.writes)))
            }
            (a, b) => a.writes() || b.writes(),
        };
        *committed && rows.iter().all(|other| other.0 >= *order || !conflicts(&other.2, scope))
    }

    #[test]
    fn rows_start_exactly_when_the_rule_allows() {
        for seed in 0..300 {
            let mut rng = Rng::new(seed);
            let mut intents = Intents::default();
            let mut rows: Vec<(Order, bool, Scope, RowId)> = Vec::new();
            let mut started: Vec<RowId> = Vec::new();
            for step in 0..200_u64 {
                match rng.below(4) {
                    0 | 1 => {
                        let committed = rng.one_in(2);
                        let order = order(100 + step + rng.below(5), step);
                        let scope = if rng.one_in(8) {
                            Scope::All { writes: rng.one_in(2) }
                        } else {
                            let mut held: Vec<(u64, bool)> = Vec::new();
                            for _ in 0..=rng.below(3) {
                                let hash = rng.below(6) * 512;
                                if held.iter().all(|(other, _)| *other != hash) {
                                    held.push((hash, rng.one_in(2)));
                                }
                            }
                            keys(&held)
                        };
                        let row = intents.add(order, committed, scope.clone(), Work::Hold);
                        rows.push((order, committed, scope, row));
                    }
                    2 => {
                        let open: Vec<usize> = (0..rows.len()).filter(|at| !rows[*at].1).collect();
                        if !open.is_empty() {
                            let row = &mut rows[open[rng.below(open.len() as u64) as usize]];
                            row.0.stamp.0 += rng.below(8);
                            row.1 = true;
                            intents.commit(row.3, row.0.stamp);
                        }
                    }
                    _ => {
                        if let Some(id) = started.pop() {
                            rows.retain(|row| row.3 != id);
                            intents.remove(id);
                        }
                    }
                }
                started.extend(ready(&mut intents));
                for at in 0..rows.len() {
                    let began = started.contains(&rows[at].3);
                    let may = may_start(&rows, at);
                    assert!(!may || began, "seed {seed}, step {step}: row {at} should have begun");
                }
                // One that began while it was allowed to is never overtaken: rows come behind it.
            }
        }
    }
}
