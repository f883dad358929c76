//! Keys of several shards in one command: their entries are brought together.
//!
//! The home shard borrows the entries of all keys, shard by shard in ascending order, its own
//! included; while they are lent, whatever touches them waits. Borrowing in one order cannot
//! deadlock. Then the ordinary one-shard code runs on them in one go, and the entries go back as it
//! left them. No command is written twice. (Ordered intents, which let transactions that share no
//! key overlap, and which split commands will take too, replace the borrowing here.)

use std::collections::{BTreeMap, BTreeSet};

use stoa_command::KeyPositions;
use stoa_engine::Verdict;
use stoa_stdx::{ConnId, DbIndex, ShardId};

use crate::Shard;
use crate::conn::Stall;
use crate::event::Action;
use crate::execute::Req;
use crate::keys::owner_of;
use crate::message::{LentKey, Loan, Message};

/// What this shard has lent and borrowed.
#[derive(Default)]
pub(crate) struct Loans {
    /// Keys of this shard that are lent, to others or to a transaction of its own.
    lent: BTreeSet<Vec<u8>>,
    /// Transactions of this shard's clients.
    open: BTreeMap<u64, Transaction>,
    next: u64,
    /// Keys came back since those who wait for keys were last asked.
    changed: bool,
}

struct Transaction {
    conn: ConnId,
    ticket: u32,
    verdict: Verdict,
    argv: Vec<Vec<u8>>,
    /// Shards with their keys, in order; the first `borrowed` have lent theirs.
    shards: Vec<(ShardId, Vec<Vec<u8>>)>,
    borrowed: usize,
    /// Entries of other shards.
    loans: Vec<(ShardId, Box<Loan>)>,
}

impl Loans {
    /// Nothing is lent, so nothing need be compared.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.lent.is_empty()
    }

    pub(crate) fn any_lent<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> bool {
        !self.lent.is_empty() && { keys }.any(|key| self.lent.contains(key))
    }
}

impl Shard {
    /// Takes a message of another shard.
    pub(crate) fn receive(&mut self, from: ShardId, message: Message) {
        match message {
            // Answers and returns free what waits; they never wait themselves.
            Message::Done(batch) => self.batch_done(batch),
            Message::Lent(loan) => self.loan_came(from, loan),
            Message::Return(loan) => self.loan_returned(*loan),
            Message::Batch(_) | Message::Borrow(_)
                if !self.deferred.is_empty() || self.stalled_until.is_some() =>
            {
                self.deferred.push_back((from, message));
            }
            Message::Batch(batch) => self.serve_batch(from, batch, 0),
            Message::Borrow(loan) => self.lend(from, loan),
        }
    }

    /// Goes on with mail that had to wait, as far as it can.
    pub(crate) fn run_deferred(&mut self) {
        while let Some((from, message)) = self.deferred.pop_front() {
            let waiting = self.deferred.len();
            match message {
                Message::Batch(batch) => {
                    let done = batch.ends.len();
                    self.serve_batch(from, batch, done);
                }
                Message::Borrow(loan) => self.lend(from, loan),
                Message::Done(_) | Message::Lent(_) | Message::Return(_) => {
                    unreachable!("answers do not wait")
                }
            }
            if self.deferred.len() > waiting {
                return;
            }
        }
    }

    fn lend(&mut self, from: ShardId, mut loan: Box<Loan>) {
        if self.loans.any_lent(loan.keys.iter().map(|key| key.bytes.as_slice())) {
            self.deferred.push_front((from, Message::Borrow(loan)));
            return;
        }
        for key in &mut loan.keys {
            self.loans.lent.insert(key.bytes.clone());
            self.take_entries(key);
        }
        self.actions.push_back(Action::Reply { to: from, message: Message::Lent(loan) });
    }

    fn take_entries(&mut self, key: &mut LentKey) {
        let place = self.keyspace.seed().key(&key.bytes);
        for index in 0..self.keyspace.database_count() {
            let index = DbIndex(index);
            let taken = self.keyspace.db(index, self.now.unix, false).take(&place);
            key.entries.extend(taken.map(|owned| (index, owned)));
        }
    }

    fn put_entries(&mut self, key: LentKey) {
        let place = self.keyspace.seed().key(&key.bytes);
        for (index, owned) in key.entries {
            self.keyspace.db(index, self.now.unix, false).put(&place, owned);
        }
    }

    fn loan_returned(&mut self, loan: Loan) {
        for key in loan.keys {
            self.loans.lent.remove(&key.bytes);
            self.put_entries(key);
        }
        self.loans.changed = true;
        self.serve_waiting();
    }

    /// Lets those go on that wait for keys, until no more keys came back. A loop, because each
    /// transaction that runs frees others: thousands may wait for one key.
    fn serve_waiting(&mut self) {
        while std::mem::take(&mut self.loans.changed) {
            self.unstall_all(Stall::Lent);
            self.advance_own();
            if self.stalled_until.is_none() {
                self.run_deferred();
            }
        }
    }

    /// Runs a command whose keys lie on several shards.
    pub(crate) fn transact(&mut self, req: Req<'_>, keys: &KeyPositions) {
        let entry = self.node.table.at(req.verdict.index);
        let mut cursor = stoa_command::Args::new(req.argv, req.verdict.args_at);
        if let Err(error) = (entry.check)(&mut cursor) {
            return self.reply_here(req.conn, |reply| reply.error(error));
        }
        let mut shards: BTreeMap<ShardId, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (at, _) in keys.as_slice() {
            let key = req.argv[*at];
            let owner = owner_of(stoa_stdx::key_slot(key), self.node.shards);
            shards.entry(owner).or_default().insert(key.to_vec());
        }
        let muted = self.takes_mute(req.conn);
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(muted);
        conn.stall = Some(Stall::Answer);
        let id = self.loans.next;
        self.loans.next += 1;
        let transaction = Transaction {
            conn: req.conn,
            ticket,
            verdict: req.verdict,
            argv: req.argv.iter().map(|arg| arg.to_vec()).collect(),
            shards: shards.into_iter().map(|(id, keys)| (id, keys.into_iter().collect())).collect(),
            borrowed: 0,
            loans: Vec::new(),
        };
        self.loans.open.insert(id, transaction);
        self.borrow_next(id);
        self.serve_waiting();
    }

    /// Asks the next shard of a transaction, or runs it when all have lent.
    fn borrow_next(&mut self, id: u64) {
        loop {
            let transaction = self.loans.open.get(&id).expect("it is open");
            let Some((shard, keys)) = transaction.shards.get(transaction.borrowed) else {
                return self.run_transaction(id);
            };
            let (shard, keys) = (*shard, keys.clone());
            if shard != self.node.shard {
                let keys =
                    keys.into_iter().map(|bytes| LentKey { bytes, entries: Vec::new() }).collect();
                let message = Message::Borrow(Box::new(Loan { transaction: id, keys }));
                // Behind what this pass asked of that shard before.
                self.post_batch(shard);
                self.actions.push_back(Action::Request { to: shard, message });
                return;
            }
            if self.loans.any_lent(keys.iter().map(Vec::as_slice)) {
                return;
            }
            self.loans.lent.extend(keys);
            self.loans.open.get_mut(&id).expect("it is open").borrowed += 1;
        }
    }

    /// Transactions that waited for keys of this very shard may go on.
    fn advance_own(&mut self) {
        let here = self.node.shard;
        let waiting: Vec<u64> = self
            .loans
            .open
            .iter()
            .filter(|(_, t)| t.shards.get(t.borrowed).is_some_and(|(shard, _)| *shard == here))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.borrow_next(id);
        }
    }

    fn loan_came(&mut self, from: ShardId, loan: Box<Loan>) {
        let id = loan.transaction;
        let transaction = self.loans.open.get_mut(&id).expect("a loan comes once, to who asked");
        transaction.borrowed += 1;
        transaction.loans.push((from, loan));
        self.borrow_next(id);
        self.serve_waiting();
    }

    fn run_transaction(&mut self, id: u64) {
        let mut transaction = self.loans.open.remove(&id).expect("it is open");
        for (_, loan) in &mut transaction.loans {
            for key in &mut loan.keys {
                let entries = std::mem::take(&mut key.entries);
                self.put_entries(LentKey { bytes: key.bytes.clone(), entries });
            }
        }
        let mut reply = Vec::new();
        if self.conn(transaction.conn).is_some() {
            let argv: Vec<&[u8]> = transaction.argv.iter().map(Vec::as_slice).collect();
            let (conn, verdict) = (transaction.conn, transaction.verdict);
            reply = self.run_aside(Req { conn, verdict, argv: &argv });
        }
        for (to, mut loan) in transaction.loans {
            loan.keys.iter_mut().for_each(|key| self.take_entries(key));
            let message = Message::Return(loan);
            self.actions.push_back(Action::Request { to, message });
        }
        for (shard, keys) in &transaction.shards {
            if *shard == self.node.shard {
                keys.iter().for_each(|key| {
                    self.loans.lent.remove(key);
                });
            }
        }
        self.answer_waiting(transaction.conn, transaction.ticket, &reply, true);
        self.loans.changed = true;
    }
}
