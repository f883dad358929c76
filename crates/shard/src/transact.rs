//! The home's side of a transaction on keys of several shards: two rounds, one order.
//!
//! ```text
//!        home                      owner A            owner B
//!   PREPARE(share) ------------------>|------------------>|   each stamps it and holds the keys
//!        |<------- PROPOSE(stamp) ----|<------------------|
//!   COMMIT(the latest stamp) -------->|------------------>|   runs when no conflicting row with a
//!        |<------- answer ------------|<------------------|   lower stamp stands before it
//! ```
//!
//! Home takes part with its own share like everyone else. When only one other shard takes part it
//! decides: it proposes, commits at the later of both stamps and runs, all in one round. A share is
//! either an ordinary request with fewer keys (split commands, commands of all shards), or a loan:
//! the owner moves the entries of its keys here, where the ordinary code of one shard runs on all of
//! them, and they go back as it left them. No command is written twice, and none is ever undone.

use std::collections::{BTreeMap, BTreeSet};

use stoa_command::KeyPositions;
use stoa_engine::Sessions;
use stoa_stdx::{ConnId, ShardId};

use crate::Shard;
use crate::conn::Stall;
use crate::execute::Req;
use crate::gather::How;
use crate::intents::{Hold, Order, RowId, Scope, Stamp, Work};
use crate::keys::owner_of;
use crate::message::{Ask, Batch, Dest, GatherId, Intent, LentKey, Loan, Step};

/// A transaction that is under way at its home.
#[derive(Default)]
pub(crate) struct Transaction {
    /// Its row here, if keys of this shard take part.
    own: Option<RowId>,
    /// Proposals that have not come.
    missing: usize,
    /// The latest proposal so far.
    stamp: Stamp,
    /// The other shards with their rows, once they have proposed.
    others: Vec<(ShardId, RowId)>,
}

/// One shard's share of a transaction.
pub(crate) struct Share<'a> {
    pub(crate) owner: ShardId,
    /// Its number among the parts of the gather.
    pub(crate) number: u16,
    pub(crate) argv: Vec<&'a [u8]>,
    pub(crate) then: Ask,
}

impl Shard {
    /// Starts the transaction of gather `id` on the shares of all shards that take part. A share of
    /// this shard that is a loan is the executor's own.
    pub(crate) fn begin(&mut self, req: Req<'_>, id: GatherId, shares: Vec<Share<'_>>) {
        let here = self.node.shard;
        let order = self.order_here();
        let others = shares.iter().filter(|share| share.owner != here).count();
        let mut transaction = Transaction { missing: others, ..Transaction::default() };
        let mut sends = Vec::with_capacity(others);
        for share in shares {
            if share.owner == here {
                transaction.own = Some(self.hold_own(req, id, order, share));
                transaction.stamp = order.stamp;
            } else {
                sends.push(share);
            }
        }
        self.gathers.get(id).transaction = Some(Box::new(transaction));
        // What follows on this connection must come after it in the order of all, which is not known
        // before the shards have agreed.
        self.stall(req.conn, Stall::Intent);
        let step = if others == 1 { Step::Decide } else { Step::Prepare };
        for Share { owner, number, argv, then } in sends {
            let (number_here, stamp) = (order.id.number, order.stamp);
            let intent = Intent { step, then, number: number_here, stamp, row: None };
            let dest = Dest::Part { gather: id, number };
            self.send(owner, Req { argv: &argv, ..req }, dest, Ask::Intent(Box::new(intent)), None);
        }
    }

    fn hold_own(&mut self, req: Req<'_>, id: GatherId, order: Order, share: Share<'_>) -> RowId {
        let req = Req { argv: &share.argv, ..req };
        if matches!(share.then, Ask::Lend) {
            let mut holds = self.intents.holds();
            let seed = self.keyspace.seed();
            holds.extend(share.argv.iter().map(|key| Hold { hash: seed.hash(key), writes: true }));
            let row = self.intents.add(order, false, Scope::Keys(holds), Work::Own(id));
            if let How::Loan { own, .. } = &mut self.gathers.get(id).join {
                *own = Some(row);
            }
            return row;
        }
        let dest = Dest::Part { gather: id, number: share.number };
        let mut batch: Box<Batch> = self.spare_batches.pop().unwrap_or_default();
        self.put_request(&mut batch, req, dest, share.then, None);
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        let scope = scope.unwrap_or(Scope::Keys(Vec::new()));
        self.intents.add(order, false, scope, Work::Kept(self.node.shard, batch))
    }

    /// An owner answered a step.
    pub(crate) fn step_answered(&mut self, from: ShardId, id: GatherId, intent: &Intent) {
        match intent.step {
            Step::Commit => {}
            Step::Decide => {
                self.witness(intent.stamp);
                let own = self.decided(id).own;
                if let Some(own) = own {
                    self.intents.commit(own, intent.stamp);
                }
            }
            Step::Prepare => {
                let row = intent.row.expect("an owner names its row");
                let transaction = self.gathers.get(id).transaction.as_mut();
                let transaction = transaction.expect("proposals come before the commit");
                transaction.missing -= 1;
                transaction.stamp = transaction.stamp.max(intent.stamp);
                transaction.others.push((from, row));
                if transaction.missing == 0 {
                    self.commit(id);
                }
            }
        }
    }

    /// The shards have agreed on a moment: what the client sent next comes after it.
    fn decided(&mut self, id: GatherId) -> Box<Transaction> {
        let gather = self.gathers.get(id);
        let transaction = gather.transaction.take().expect("it is under way");
        let (id, stalls) = (gather.conn, gather.stalls);
        if !stalls && self.conn(id).is_some_and(|conn| conn.stall == Some(Stall::Intent)) {
            self.unstall(id);
        }
        transaction
    }

    fn commit(&mut self, id: GatherId) {
        let Transaction { own, stamp, others, .. } = *self.decided(id);
        self.witness(stamp);
        for (owner, row) in others {
            let intent =
                Intent { step: Step::Commit, then: Ask::Execute, number: 0, stamp, row: Some(row) };
            self.send_step(owner, Ask::Intent(Box::new(intent)));
        }
        if let Some(own) = own {
            self.intents.commit(own, stamp);
        }
    }

    /// Runs a command whose keys lie on several shards, on entries that are brought here.
    pub(crate) fn transact(&mut self, req: Req<'_>, keys: &KeyPositions) {
        let entry = self.node.table.at(req.verdict.index);
        let mut cursor = stoa_command::Args::new(req.argv, req.verdict.args_at);
        if let Err(error) = (entry.check)(&mut cursor) {
            return self.reply_here(req.conn, |reply| reply.error(error));
        }
        let mut owners: BTreeMap<ShardId, BTreeSet<&[u8]>> = BTreeMap::new();
        for (at, _) in keys.as_slice() {
            let key = req.argv[*at];
            let owner = owner_of(stoa_stdx::key_slot(key), self.node.shards);
            owners.entry(owner).or_default().insert(key);
        }
        // Home runs it, so it waits for its own turn even if no key is its own.
        owners.entry(self.node.shard).or_default();
        let missing = owners.len();
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let how = How::loan(req, db);
        let id = self.open_gather(req, missing, how, true);
        let shares = owners.into_iter().enumerate().map(|(number, (owner, keys))| Share {
            owner,
            number: number as u16,
            argv: keys.into_iter().collect(),
            then: Ask::Lend,
        });
        self.begin(req, id, shares.collect());
    }

    /// Home's own keys are held; with the loans of all others the transaction runs.
    pub(crate) fn own_turn(&mut self, id: GatherId) {
        let gather = self.gathers.get(id);
        gather.missing -= 1;
        if gather.missing == 0 {
            self.run_transaction(id);
        }
    }

    /// An owner has lent its keys.
    pub(crate) fn loan_came(&mut self, from: ShardId, id: GatherId, loan: Loan) {
        let gather = self.gathers.get(id);
        let How::Loan { loans, .. } = &mut gather.join else {
            unreachable!("a loan for a gather that borrows nothing")
        };
        loans.push((from, loan));
        gather.missing -= 1;
        if gather.missing == 0 {
            self.run_transaction(id);
        }
    }

    fn run_transaction(&mut self, id: GatherId) {
        let gather = self.gathers.remove(id);
        let How::Loan { request, loans, own } = gather.join else {
            unreachable!("only what borrows runs here")
        };
        let mut borrowed = Vec::with_capacity(loans.len());
        for (owner, Loan { row, keys }) in loans {
            let names: Vec<Vec<u8>> = keys.iter().map(|key| key.bytes.clone()).collect();
            keys.into_iter().for_each(|key| self.put_key(key));
            borrowed.push((owner, row, names));
        }
        let conn = gather.conn;
        let reply = self.run_kept(conn, &request);
        for (owner, row, names) in borrowed {
            let keys: Vec<LentKey> = names.into_iter().map(|key| self.take_key(key)).collect();
            self.send_step(owner, Ask::Return(Box::new(Loan { row, keys })));
        }
        self.intents.remove(own.expect("home holds its own row"));
        self.publish_then_answer(conn, gather.ticket, reply, true);
    }

    /// Holds back a request of a client of this shard, in its place in the order.
    pub(crate) fn wait_for_turn(&mut self, conn: ConnId, scope: Scope) -> bool {
        let order = self.order_here();
        let row = self.intents.add(order, true, scope, Work::Resume(conn));
        if let Some(conn) = self.conn(conn) {
            conn.row = Some(row);
        }
        self.stall(conn, Stall::Intent);
        false
    }

    /// The turn of a request that was held back has come: its row stays until it ran.
    pub(crate) fn resume_row(&mut self, id: ConnId, row: RowId) {
        match self.conn(id) {
            Some(conn) if conn.row == Some(row) => {
                conn.has_turn = true;
                self.unstall(id);
            }
            Some(_) | None => self.intents.remove(row),
        }
    }

    /// The request whose turn a connection waited for, or had, is over.
    pub(crate) fn end_turn(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        conn.has_turn = false;
        if let Some(row) = conn.row.take() {
            self.intents.remove(row);
        }
    }
}
