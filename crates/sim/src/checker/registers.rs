//! Registers whose written values are all different: which value came before which.
//!
//! Nobody can read the order of a register's values, but the clock tells much of it. A value was
//! there by the time the first who wrote or read it had an answer, and it was still there when the
//! last of them began. If one was there before another was last there, it is the older one. Where that
//! holds in both directions, the register had no order at all (the zones of Gibbons and Korach).
//! Transactions that read a value and replace it add what the clock does not know.

use std::collections::BTreeMap;

use super::graph::{Edge, Why};
use super::txn::{Anomaly, History, Key, Kind, Op, Outcome};

/// A value of a register; [`None`] before the first write.
type Value = Option<u64>;

/// One value and who had to do with it.
#[derive(Default)]
struct Version {
    writer: Option<usize>,
    readers: Vec<usize>,
    /// When it was there at the latest.
    there: u64,
    /// When it was there still.
    still: u64,
    /// Transactions that read it and then wrote.
    replaced_by: Vec<usize>,
}

/// The registers of a history.
pub(super) struct RegisterFacts<'a> {
    history: &'a History,
    keys: BTreeMap<Key, BTreeMap<Value, Version>>,
    /// Values that their own transaction overwrote.
    hidden: BTreeMap<(Key, u64), usize>,
}

impl<'a> RegisterFacts<'a> {
    /// Reads the history; what a transaction itself shows to be wrong goes to `wrong`.
    ///
    /// # Panics
    /// When a number was written twice: no checker could tell them apart.
    pub(super) fn new(history: &'a History, wrong: &mut Vec<Anomaly>) -> Self {
        let mut facts = Self { history, keys: BTreeMap::new(), hidden: BTreeMap::new() };
        for at in 0..history.txns.len() {
            facts.add_writes(at);
        }
        for at in 0..history.txns.len() {
            if history.txns[at].outcome == Outcome::Done {
                facts.add_reads(at, wrong);
            }
        }
        facts
    }

    fn add_writes(&mut self, at: usize) {
        let mut last: BTreeMap<Key, u64> = BTreeMap::new();
        for op in &self.history.txns[at].ops {
            if let Op::Write(key, value) = op
                && let Some(before) = last.insert(*key, *value)
            {
                self.hidden.insert((*key, before), at);
            }
        }
        for (key, value) in last {
            let version = self.keys.entry(key).or_default().entry(Some(value)).or_default();
            if let Some(before) = version.writer.replace(at) {
                let (one, two) = (self.history.tell(before), self.history.tell(at));
                panic!("the history's maker wrote {value} twice: {one} and {two}");
            }
        }
    }

    fn add_reads(&mut self, at: usize, wrong: &mut Vec<Anomaly>) {
        let mut own: BTreeMap<Key, u64> = BTreeMap::new();
        let mut found: BTreeMap<Key, Value> = BTreeMap::new();
        for op in &self.history.txns[at].ops {
            match op {
                Op::Write(key, value) => {
                    own.insert(*key, *value);
                }
                Op::Read(key, value) => {
                    let want = own.get(key).map(|own| Some(*own)).or(found.get(key).copied());
                    if want.is_some_and(|want| want != *value) {
                        let name = self.history.name(*key);
                        let says =
                            format!("{} contradicts itself on {name}", self.history.tell(at));
                        wrong.push(Anomaly { kind: Kind::Internal, says, cycle: None });
                    } else if !own.contains_key(key) {
                        found.insert(*key, *value);
                    }
                }
                Op::Append(..) | Op::ReadList(..) => {}
            }
        }
        for (key, value) in found {
            if let Some((kind, from)) = self.ghost(key, value) {
                let by = self.history.tell(at);
                let says = format!("{}: {by} saw {from}", self.history.name(key));
                wrong.push(Anomaly { kind, says, cycle: None });
                continue;
            }
            let version = self.keys.entry(key).or_default().entry(value).or_default();
            version.readers.push(at);
            if own.contains_key(&key) {
                version.replaced_by.push(at);
            }
        }
    }

    /// Whether nobody can have seen a value, and why.
    fn ghost(&self, key: Key, value: Value) -> Option<(Kind, String)> {
        let value = value?;
        if let Some(writer) = self.hidden.get(&(key, value)) {
            return Some((Kind::Intermediate, format!("half of {}", self.history.tell(*writer))));
        }
        let version = self.keys.get(&key).and_then(|versions| versions.get(&Some(value)));
        let Some(writer) = version.and_then(|version| version.writer) else {
            return Some((Kind::Garbage, format!("{value}, which nobody wrote")));
        };
        let is_refused = self.history.txns[writer].outcome == Outcome::Refused;
        is_refused.then(|| (Kind::Aborted, self.history.tell(writer)))
    }

    /// Marks the transactions of unknown outcome of which something was seen.
    pub(super) fn mark_happened(&self, happened: &mut [bool]) {
        for version in self.keys.values().flat_map(BTreeMap::values) {
            if let Some(writer) = version.writer
                && !version.readers.is_empty()
            {
                happened[writer] = true;
            }
        }
    }

    /// What is wrong with the registers, and the edges that they give.
    pub(super) fn edges(
        &mut self,
        happened: &[bool],
        wrong: &mut Vec<Anomaly>,
        edges: &mut Vec<Edge>,
    ) {
        let history = self.history;
        for (key, versions) in &mut self.keys {
            // Before the first write there was nothing, seen or not.
            versions.entry(None).or_default();
            versions.retain(|_, version| version.writer.is_none_or(|writer| happened[writer]));
            for (value, version) in versions.iter_mut() {
                version.set_times(history, value.is_none());
            }
            let versions: Vec<&Version> = versions.values().collect();
            let mut direct = Vec::new();
            direct_edges(*key, &versions, &mut direct);
            edges.append(&mut direct);
            match overlap(&versions) {
                Some((one, other)) => {
                    let tell = |version: &Version| version.tell(history);
                    let says = format!(
                        "{}: of these values each was there before the other was last there:\n    {}\n    {}",
                        history.name(*key),
                        tell(one),
                        tell(other)
                    );
                    wrong.push(Anomaly { kind: Kind::Register, says, cycle: None });
                }
                None => clock_edges(*key, &versions, edges),
            }
        }
    }
}

impl Version {
    fn set_times(&mut self, history: &History, is_first: bool) {
        let txns = || self.writer.iter().chain(&self.readers).map(|at| &history.txns[*at]);
        let ends = txns().filter(|txn| txn.outcome == Outcome::Done).map(|txn| txn.ended);
        let there = if is_first { 0 } else { ends.min().unwrap_or(u64::MAX) };
        let still = txns().map(|txn| txn.began).max().unwrap_or(0);
        (self.there, self.still) = (there, still);
    }

    fn tell(&self, history: &History) -> String {
        let mut told = self.writer.map_or_else(|| "nothing".to_owned(), |at| history.tell(at));
        let first = self.readers.iter().min_by_key(|at| history.txns[**at].ended);
        let last = self.readers.iter().max_by_key(|at| history.txns[**at].began);
        if let (Some(first), Some(last)) = (first, last) {
            told.push_str(&format!(", first seen by {}", history.tell(*first)));
            told.push_str(&format!(", last by {}", history.tell(*last)));
        }
        told
    }

    /// Edges to whoever wrote a later value.
    fn before(&self, key: Key, writer: usize, edges: &mut Vec<Edge>) {
        let to = writer as u32;
        let mut add = |from: usize, why| {
            if from != writer {
                edges.push(Edge { from: from as u32, why, to });
            }
        };
        if let Some(own) = self.writer {
            add(own, Why::Ww(key));
        }
        self.readers.iter().for_each(|reader| add(*reader, Why::Rw(key)));
    }
}

/// Who read what, and who replaced what they read.
fn direct_edges(key: Key, versions: &[&Version], edges: &mut Vec<Edge>) {
    for version in versions {
        if let Some(writer) = version.writer {
            let others = version.readers.iter().filter(|reader| **reader != writer);
            edges.extend(others.map(|reader| Edge {
                from: writer as u32,
                why: Why::Wr(key),
                to: *reader as u32,
            }));
        }
        version.replaced_by.iter().for_each(|next| version.before(key, *next, edges));
    }
}

/// Two values that each were there before the other was last there, if there are any.
fn overlap<'a>(versions: &[&'a Version]) -> Option<(&'a Version, &'a Version)> {
    // Those that were certainly there for a while, in order of time.
    let mut long: Vec<&Version> =
        versions.iter().copied().filter(|version| version.there < version.still).collect();
    long.sort_unstable_by_key(|version| version.there);
    for pair in long.windows(2) {
        if pair[1].there < pair[0].still {
            return Some((pair[0], pair[1]));
        }
    }
    // All others must not lie inside one of those.
    for short in versions.iter().filter(|version| version.there >= version.still) {
        let at = long.partition_point(|long| long.there < short.still);
        if let Some(around) = at.checked_sub(1).map(|at| long[at])
            && short.there < around.still
        {
            return Some((around, short));
        }
    }
    None
}

/// Edges between values that the clock puts in order, without those that others imply.
fn clock_edges(key: Key, versions: &[&Version], edges: &mut Vec<Edge>) {
    let mut order: Vec<&Version> = versions.to_vec();
    order.sort_unstable_by_key(|version| version.there);
    // The latest `still` among the first so many: three, because two may have to be left out.
    let mut latest: Vec<[(u64, usize); 3]> = vec![[(0, usize::MAX); 3]];
    for (at, version) in order.iter().enumerate() {
        let mut top = latest[at];
        if let Some(place) = top.iter().position(|(still, _)| version.still >= *still) {
            top[place..].rotate_right(1);
            top[place] = (version.still, at);
        }
        latest.push(top);
    }
    for (at, version) in order.iter().enumerate() {
        let Some(writer) = version.writer else { continue };
        let older = order.partition_point(|other| other.there < version.still);
        let top = latest[older];
        for from in (0..older).rev() {
            if order[from].there < top[2].0 {
                break;
            }
            let between = top.iter().find(|(_, other)| *other != from && *other != at);
            let is_implied = between.is_some_and(|(still, _)| order[from].there < *still);
            if from != at && !is_implied {
                order[from].before(key, writer, edges);
            }
        }
    }
}
