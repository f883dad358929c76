//! Lists that only grow: the longest read of a key tells the order of its appends, all other reads
//! are beginnings of it, and every edge follows.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Edge, Why};
use super::txn::{Anomaly, History, Key, Kind, Op, Outcome};

/// Who appended a number.
struct Writer {
    txn: usize,
    /// The same transaction appended to the same key afterwards.
    is_replaced: bool,
}

/// One read of a list as the transaction found it, without what it had appended itself.
struct Read {
    txn: usize,
    list: Vec<u64>,
}

/// All that is known of one key.
#[derive(Default)]
struct Seen {
    writers: BTreeMap<u64, Writer>,
    reads: Vec<Read>,
    /// The read that saw most, in `reads`.
    longest: usize,
}

/// The lists of a history.
pub(super) struct ListFacts<'a> {
    history: &'a History,
    keys: BTreeMap<Key, Seen>,
}

impl<'a> ListFacts<'a> {
    /// Reads the history; what a transaction itself shows to be wrong goes to `wrong`.
    ///
    /// # Panics
    /// When a number was written twice: no checker could tell them apart.
    pub(super) fn new(history: &'a History, wrong: &mut Vec<Anomaly>) -> Self {
        let mut facts = Self { history, keys: BTreeMap::new() };
        for at in 0..history.txns.len() {
            facts.add_writes(at);
            if history.txns[at].outcome == Outcome::Done {
                facts.add_reads(at, wrong);
            }
        }
        for seen in facts.keys.values_mut() {
            let lens = seen.reads.iter().enumerate().map(|(at, read)| (read.list.len(), at));
            seen.longest = lens.max().map_or(0, |(_, at)| at);
        }
        facts
    }

    fn add_writes(&mut self, at: usize) {
        let mut last: BTreeMap<Key, u64> = BTreeMap::new();
        for op in &self.history.txns[at].ops {
            if let Op::Append(key, token) = op {
                let writers = &mut self.keys.entry(*key).or_default().writers;
                let twice = writers.insert(*token, Writer { txn: at, is_replaced: false });
                assert!(twice.is_none(), "{token} was appended twice by the history's maker");
                if let Some(before) = last.insert(*key, *token) {
                    writers.entry(before).and_modify(|writer| writer.is_replaced = true);
                }
            }
        }
    }

    fn add_reads(&mut self, at: usize, wrong: &mut Vec<Anomaly>) {
        let mut own: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        let mut found: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        for op in &self.history.txns[at].ops {
            match op {
                Op::Append(key, token) => own.entry(*key).or_default().push(*token),
                Op::ReadList(key, list) => {
                    let base = list.strip_suffix(own.get(key).map_or(&[][..], Vec::as_slice));
                    let base = base.filter(|base| found.get(key).is_none_or(|had| had == base));
                    let Some(base) = base else {
                        let name = self.history.name(*key);
                        let says =
                            format!("{} contradicts itself on {name}", self.history.tell(at));
                        wrong.push(Anomaly { kind: Kind::Internal, says, cycle: None });
                        continue;
                    };
                    found.insert(*key, base.to_vec());
                }
                Op::Write(..) | Op::Read(..) => {}
            }
        }
        for (key, list) in found {
            self.keys.entry(key).or_default().reads.push(Read { txn: at, list });
        }
    }

    /// Marks the transactions of unknown outcome of which something was seen.
    pub(super) fn mark_happened(&self, happened: &mut [bool]) {
        for seen in self.keys.values() {
            for token in seen.order() {
                if let Some(writer) = seen.writers.get(token)
                    && self.history.txns[writer.txn].outcome == Outcome::Unknown
                {
                    happened[writer.txn] = true;
                }
            }
        }
    }

    /// What is wrong with the lists, and the edges that they give.
    pub(super) fn edges(&self, happened: &[bool], wrong: &mut Vec<Anomaly>, edges: &mut Vec<Edge>) {
        for (key, seen) in &self.keys {
            let before = wrong.len();
            self.check_values(*key, seen, wrong);
            let is_sound = wrong.len() == before;
            self.check_lost(*key, seen, wrong);
            if is_sound {
                seen.edges(*key, happened, edges);
            }
        }
    }

    fn check_values(&self, key: Key, seen: &Seen, wrong: &mut Vec<Anomaly>) {
        let name = self.history.name(key);
        let mut add = |kind, says: String| wrong.push(Anomaly { kind, says, cycle: None });
        let order = seen.order();
        for read in &seen.reads {
            let who = || self.history.tell(read.txn);
            if !order.starts_with(&read.list) {
                let other = self.history.tell(seen.reads[seen.longest].txn);
                add(Kind::Incompatible, format!("{name}: {} and {other}", who()));
                continue;
            }
            if let Some(writer) = read.list.last().and_then(|token| seen.writers.get(token))
                && writer.is_replaced
                && writer.txn != read.txn
            {
                let from = self.history.tell(writer.txn);
                add(Kind::Intermediate, format!("{name}: {} saw half of {from}", who()));
            }
        }
        let mut once = BTreeSet::new();
        for token in order {
            let who = || self.history.tell(seen.reads[seen.longest].txn);
            if !once.insert(token) {
                add(Kind::Duplicate, format!("{name}: {token} twice in {}", who()));
            }
            match seen.writers.get(token) {
                None => add(Kind::Garbage, format!("{name}: nobody wrote {token}: {}", who())),
                Some(writer) if self.history.txns[writer.txn].outcome == Outcome::Refused => {
                    let from = self.history.tell(writer.txn);
                    add(Kind::Aborted, format!("{name}: {} saw {from}", who()));
                }
                Some(_) => {}
            }
        }
    }

    /// An answered append stands in whatever was read later; the circle that it makes if not would
    /// say the same, in more words.
    fn check_lost(&self, key: Key, seen: &Seen, wrong: &mut Vec<Anomaly>) {
        let txns = &self.history.txns;
        let Some(last) = seen.reads.iter().max_by_key(|read| txns[read.txn].began) else { return };
        let there: BTreeSet<u64> = last.list.iter().copied().collect();
        for (token, writer) in &seen.writers {
            let txn = &txns[writer.txn];
            if txn.outcome == Outcome::Done
                && txn.ended < txns[last.txn].began
                && !there.contains(token)
            {
                let (from, by) = (self.history.tell(writer.txn), self.history.tell(last.txn));
                let says = format!("{}: {from} is not in {by}", self.history.name(key));
                wrong.push(Anomaly { kind: Kind::Lost, says, cycle: None });
            }
        }
    }
}

impl Seen {
    /// The appends that were seen, in order.
    fn order(&self) -> &[u64] {
        self.reads.get(self.longest).map_or(&[], |read| &read.list)
    }

    /// Edges of a key whose order is sound.
    fn edges(&self, key: Key, happened: &[bool], edges: &mut Vec<Edge>) {
        let order = self.order();
        let writer = |at: usize| self.writers[&order[at]].txn;
        let mut add = |from: usize, why: Why, to: usize| {
            if from != to {
                edges.push(Edge { from: from as u32, why, to: to as u32 });
            }
        };
        for at in 1..order.len() {
            add(writer(at - 1), Why::Ww(key), writer(at));
        }
        // Whoever appended and was not seen came behind all that was.
        let there: BTreeSet<u64> = order.iter().copied().collect();
        let unseen: Vec<usize> = self
            .writers
            .iter()
            .filter(|(token, writer)| happened[writer.txn] && !there.contains(token))
            .map(|(_, writer)| writer.txn)
            .collect();
        if let Some(last) = order.len().checked_sub(1) {
            unseen.iter().for_each(|txn| add(writer(last), Why::Ww(key), *txn));
        }
        for read in &self.reads {
            let len = read.list.len();
            if len > 0 {
                add(writer(len - 1), Why::Wr(key), read.txn);
            }
            if len < order.len() {
                add(read.txn, Why::Rw(key), writer(len));
            } else {
                unseen.iter().for_each(|txn| add(read.txn, Why::Rw(key), *txn));
            }
        }
    }
}
