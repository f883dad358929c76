//! The checker against a protocol with bugs planted in it: each must be found, and the protocol without
//! them must pass.
//!
//! The protocol is the bare idea of ordered intents: a transaction on several shards is prepared on
//! each, every shard proposes a stamp, the latest is committed, and a shard runs what is committed when
//! nothing that conflicts stands before it. Here it is a page, on lists only, so that a bug is one line
//! of it; the shards of the product run it in the trials.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use stoa_sim::checker::{History, Key, Op, Outcome, Txn, Verdict, serial};
use stoa_stdx::Rng;

/// What is wrong with the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// Reads on several shards ask each shard apart, without intents.
    OptimisticRead,
    /// What is committed runs at once, whatever stands before it.
    NoConflictWait,
    /// Each shard commits at its own proposal.
    TornCommit,
    /// Stamps only count: no clock tells what was over before.
    NoClock,
}

const SHARDS: [usize; 4] = [2, 3, 5, 8];
const KEYS: u64 = 12;
const TXNS: usize = 250;
const CLIENTS: usize = 8;

/// Place in the order: stamp, then transaction.
type Order = (u64, usize);

#[derive(Clone, Copy)]
enum Mail {
    /// Run it, it is on one shard only; the home's clock.
    Single(u64),
    Prepare(u64),
    Propose(u64),
    Commit(u64),
    Done,
    /// The client of this transaction may go on.
    Next,
}

struct Row {
    order: Order,
    committed: bool,
}

#[derive(Default)]
struct Shard {
    clock: u64,
    rows: Vec<Row>,
    lists: BTreeMap<Key, Vec<u64>>,
}

struct Model {
    planted: Planted,
    rng: Rng,
    now: u64,
    sent: u64,
    /// When, in order of sending, from and to which shard, what, about which transaction.
    mail: BinaryHeap<Reverse<(u64, u64, usize, usize)>>,
    letters: Vec<(Mail, usize)>,
    /// When the last letter between two shards comes: they do not overtake.
    last: BTreeMap<(usize, usize), u64>,
    shards: Vec<Shard>,
    txns: Vec<Txn>,
    /// Answers that are missing, and the latest proposal.
    open: Vec<(usize, u64)>,
    events: u64,
}

fn shard_of(key: Key, shards: usize) -> usize {
    key.0 as usize % shards
}

impl Model {
    fn run(planted: Planted, seed: u64) -> History {
        let shards = SHARDS[seed as usize % SHARDS.len()];
        let mut model = Self {
            planted,
            rng: Rng::new(seed),
            now: 0,
            sent: 0,
            mail: BinaryHeap::new(),
            letters: Vec::new(),
            last: BTreeMap::new(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            txns: Vec::new(),
            open: Vec::new(),
            events: 0,
        };
        (0..CLIENTS).for_each(|client| model.start(client));
        while let Some(Reverse((at, _, to, letter))) = model.mail.pop() {
            model.now = at;
            let (mail, txn) = model.letters[letter];
            model.take(to, mail, txn);
        }
        assert!(model.open.iter().all(|(missing, _)| *missing == 0), "seed {seed}: it hangs");
        History { txns: model.txns, keys: (0..KEYS).map(|key| format!("k{key}")).collect() }
    }

    fn send(&mut self, from: usize, to: usize, mail: Mail, txn: usize) {
        let slow = if self.rng.one_in(40) { self.rng.below(1_500) } else { 0 };
        let last = self.last.entry((from, to)).or_default();
        let at = (self.now + 1 + self.rng.below(20) + slow).max(*last + 1);
        *last = at;
        self.sent += 1;
        self.letters.push((mail, txn));
        self.mail.push(Reverse((at, self.sent, to, self.letters.len() - 1)));
    }

    /// A client begins its next transaction.
    fn start(&mut self, client: usize) {
        if self.txns.len() == TXNS {
            return;
        }
        let reads = self.rng.one_in(3);
        let count = if self.rng.one_in(2) { 1 } else { 2 + self.rng.below(3) };
        let ops = (0..count).map(|at| {
            let key = Key(self.rng.below(KEYS) as u32);
            let token = (self.txns.len() as u64) << 3 | at;
            if reads || self.rng.one_in(2) {
                Op::ReadList(key, Vec::new())
            } else {
                Op::Append(key, token)
            }
        });
        let ops: Vec<Op> = ops.collect();
        let txn = self.txns.len();
        self.events += 1;
        let (began, label) = (self.events, format!("{ops:?}"));
        let client = client as u32;
        self.txns.push(Txn { client, label, began, ended: 0, outcome: Outcome::Unknown, ops });
        let shards = self.shards_of(txn);
        self.open.push((shards.len(), 0));
        let apart = shards.len() == 1 || (reads && self.planted == Planted::OptimisticRead);
        let home = self.home(txn);
        let clock = self.shards[home].clock;
        for shard in shards {
            let mail = if apart { Mail::Single(clock) } else { Mail::Prepare(clock) };
            self.send(home, shard, mail, txn);
        }
    }

    fn home(&self, txn: usize) -> usize {
        self.txns[txn].client as usize % self.shards.len()
    }

    fn shards_of(&self, txn: usize) -> Vec<usize> {
        let shards = self.txns[txn].ops.iter().map(|op| shard_of(key_of(op), self.shards.len()));
        let mut shards: Vec<usize> = shards.collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    fn stamp(&mut self, at: usize, seen: u64) -> u64 {
        // Eight stamps fit between two moments, as many nanoseconds do between two events.
        let now = if self.planted == Planted::NoClock { 0 } else { self.now * 8 };
        let shard = &mut self.shards[at];
        shard.clock = (shard.clock + 1).max(seen + 1).max(now);
        shard.clock
    }

    fn take(&mut self, at: usize, mail: Mail, txn: usize) {
        match mail {
            Mail::Next => self.start(self.txns[txn].client as usize),
            Mail::Single(seen) => {
                let order = (self.stamp(at, seen), txn);
                self.shards[at].rows.push(Row { order, committed: true });
            }
            Mail::Prepare(seen) => {
                let order = (self.stamp(at, seen), txn);
                self.shards[at].rows.push(Row { order, committed: false });
                self.send(at, self.home(txn), Mail::Propose(order.0), txn);
            }
            Mail::Propose(stamp) => self.proposed(at, txn, stamp),
            Mail::Commit(stamp) => {
                let shard = &mut self.shards[at];
                shard.clock = shard.clock.max(stamp);
                let row = shard.rows.iter_mut().find(|row| row.order.1 == txn);
                let row = row.expect("it was prepared");
                row.committed = true;
                if self.planted != Planted::TornCommit {
                    row.order.0 = stamp;
                }
            }
            Mail::Done => self.done(at, txn),
        }
        self.progress(at);
    }

    fn proposed(&mut self, at: usize, txn: usize, stamp: u64) {
        let open = &mut self.open[txn];
        open.0 -= 1;
        open.1 = open.1.max(stamp);
        if open.0 == 0 {
            let stamp = open.1;
            let shards = self.shards_of(txn);
            self.open[txn].0 = shards.len();
            shards.into_iter().for_each(|shard| self.send(at, shard, Mail::Commit(stamp), txn));
        }
    }

    fn done(&mut self, at: usize, txn: usize) {
        self.open[txn].0 -= 1;
        if self.open[txn].0 == 0 {
            self.events += 1;
            let txn_here = &mut self.txns[txn];
            (txn_here.ended, txn_here.outcome) = (self.events, Outcome::Done);
            self.send(at, at, Mail::Next, txn);
        }
    }

    /// Runs what may run on a shard.
    fn progress(&mut self, at: usize) {
        while let Some(row) = self.next_row(at) {
            let (_, txn) = self.shards[at].rows.remove(row).order;
            let count = self.shards.len();
            let lists = &mut self.shards[at].lists;
            for op in self.txns[txn].ops.iter_mut().filter(|op| shard_of(key_of(op), count) == at) {
                match op {
                    Op::Append(key, token) => lists.entry(*key).or_default().push(*token),
                    Op::ReadList(key, seen) => *seen = lists.get(key).cloned().unwrap_or_default(),
                    Op::Write(..) | Op::Read(..) => unreachable!("there are only lists here"),
                }
            }
            self.send(at, self.home(txn), Mail::Done, txn);
        }
    }

    fn next_row(&self, at: usize) -> Option<usize> {
        let rows = &self.shards[at].rows;
        let waits = |row: &Row| {
            self.planted != Planted::NoConflictWait
                && rows.iter().any(|other| other.order < row.order && self.conflict(other, row))
        };
        rows.iter().position(|row| row.committed && !waits(row))
    }

    fn conflict(&self, one: &Row, other: &Row) -> bool {
        let writes = |op: &Op| matches!(op, Op::Append(..));
        self.txns[one.order.1].ops.iter().any(|a| {
            let others = &self.txns[other.order.1].ops;
            others.iter().any(|b| key_of(a) == key_of(b) && (writes(a) || writes(b)))
        })
    }
}

fn key_of(op: &Op) -> Key {
    match op {
        Op::Append(key, _) | Op::ReadList(key, _) | Op::Write(key, _) | Op::Read(key, _) => *key,
    }
}

/// In how many of `seeds` the checker finds something, and the first thing that it finds.
fn found(planted: Planted, seeds: u64) -> (usize, String) {
    let verdicts = (0..seeds).map(|seed| serial::check(&Model::run(planted, seed)));
    let failed: Vec<Verdict> = verdicts.filter(|verdict| !verdict.is_pass()).collect();
    assert!(
        failed.iter().all(|verdict| matches!(verdict, Verdict::Fail(_))),
        "nothing is left open"
    );
    (failed.len(), failed.first().map(ToString::to_string).unwrap_or_default())
}

#[test]
fn ordered_intents_pass() {
    let (count, first) = found(Planted::Nothing, 200);
    assert_eq!(count, 0, "{first}");
}

#[test]
fn optimistic_reads_are_found() {
    let (count, _) = found(Planted::OptimisticRead, 200);
    assert!(count > 100, "{count} of 200");
}

#[test]
fn running_past_what_conflicts_is_found() {
    let (count, _) = found(Planted::NoConflictWait, 200);
    assert!(count > 100, "{count} of 200");
}

#[test]
fn a_torn_commit_is_found() {
    let (count, _) = found(Planted::TornCommit, 200);
    assert!(count > 100, "{count} of 200");
}

#[test]
fn stamps_without_a_clock_are_found() {
    let (count, _) = found(Planted::NoClock, 2_000);
    assert!(count > 0, "{count} of 2000");
}
