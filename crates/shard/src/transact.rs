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
use stoa_engine::{Borrowed, Sessions, Verdict};
use stoa_keyspace::Owned;
use stoa_stdx::{ConnId, DbIndex, ShardId, UnixMs};

use crate::Shard;
use crate::busy::{Running, Whose};
use crate::conn::Stall;
use crate::execute::Req;
use crate::gather::{How, Kept};
use crate::guard::Guard;
use crate::input::{Cmd, What};
use crate::intents::{Order, RowId, Scope, Stamp, Work};
use crate::keys::owner_of;
use crate::message::{Ask, Dest, GatherId, Intent, LentKey, Loan, LoanOfAll, Step};
use crate::places::{Place, Routed};
use crate::plan::Plan;
use crate::planted::Planted;

/// A transaction that is under way at its home.
#[derive(Default)]
pub(crate) struct Transaction {
    /// Its row here, if keys of this shard take part.
    own: Option<RowId>,
    /// Proposals that have not come.
    missing: usize,
    /// Some shard has refused, for this reason.
    refusal: Option<&'static str>,
    /// The latest proposal so far.
    stamp: Stamp,
    /// The latest wall clock among the proposals: the moment it happens at for all its keys.
    unix: UnixMs,
    /// The other shards with their rows, once they have proposed.
    others: Vec<(ShardId, RowId)>,
}

/// A request that runs here on borrowed keys: what follows it.
pub(crate) struct Lent {
    pub(crate) conn: ConnId,
    ticket: u32,
    pub(crate) request: Kept,
    /// The row that keeps our keys.
    own: RowId,
    /// Owners, their rows, and the keys they lent.
    borrowed: Vec<(ShardId, RowId, Vec<Vec<u8>>)>,
}

/// A request that has all it borrows, and is about to run.
pub(crate) struct Lending {
    conn: ConnId,
    ticket: u32,
    request: Kept,
    /// The row that keeps our keys.
    pub(crate) own: RowId,
    pub(crate) moment: Option<UnixMs>,
    /// Something that its client watches has changed.
    broken: bool,
    loans: Vec<(ShardId, Loan)>,
}

impl Lending {
    /// What was borrowed for a key of a database.
    pub(crate) fn entry(&self, db: DbIndex, key: &[u8]) -> Option<&Owned> {
        let mut keys = self.loans.iter().flat_map(|(_, loan)| &loan.keys);
        let lent = keys.find(|lent| lent.bytes == key)?;
        lent.entries.iter().find(|(index, _)| *index == db).map(|(_, owned)| owned)
    }
}

/// The same for one that runs on all keys.
pub(crate) struct LentAll {
    pub(crate) conn: ConnId,
    ticket: u32,
    pub(crate) request: Kept,
    own: RowId,
    pub(crate) borrowed: Borrowed,
    owners: Vec<(ShardId, RowId)>,
}

/// Keys by their owners.
pub(crate) type Owners = BTreeMap<ShardId, BTreeSet<Vec<u8>>>;

/// A transaction whose shares are on their way.
pub(crate) struct Opening {
    id: GatherId,
    order: Order,
    unix: UnixMs,
    step: Step,
    guard: Guard,
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
        let opening = self.open_transaction(req.conn, id, shares.iter().map(|share| share.owner));
        for Share { owner, number, argv, then } in shares {
            self.open_share(
                &opening,
                Req { argv: &argv, ..req },
                (owner, number),
                then,
                Routed::No,
            );
        }
    }

    /// Makes gather `id` a transaction of these shards.
    pub(crate) fn open_transaction(
        &mut self,
        conn: ConnId,
        id: GatherId,
        owners: impl Iterator<Item = ShardId>,
    ) -> Opening {
        let here = self.node.shard;
        let order = self.order_here();
        let unix = self.now.unix;
        let (mut missing, mut other) = (0, None);
        for owner in owners.filter(|owner| *owner != here) {
            missing += 1;
            other = Some(owner);
        }
        let gather = self.gathers.get(id);
        gather.transaction = Some(Transaction { missing, unix, ..Transaction::default() });
        if !gather.stalls
            && let Some(conn) = self.conn(conn)
        {
            conn.undecided += 1;
            conn.decider = other.filter(|_| missing == 1);
        }
        let step = if missing == 1 { Step::Decide } else { Step::Prepare };
        let guard = self.guard_of(id);
        Opening { id, order, unix, step, guard }
    }

    /// Gives a shard its share, which is `number` among the parts.
    pub(crate) fn open_share(
        &mut self,
        opening: &Opening,
        req: Req<'_>,
        (owner, number): (ShardId, u16),
        then: Ask,
        routed: Routed<'_>,
    ) {
        let Opening { id, order, unix, step, guard } = *opening;
        let dest = Dest::Part { gather: id, number };
        if owner == self.node.shard {
            let row = self.hold_own(req, order, dest, then, routed);
            let transaction = self.gathers.get(id).transaction.as_mut();
            let transaction = transaction.expect("it was opened");
            (transaction.own, transaction.stamp) = (Some(row), order.stamp);
        } else {
            let (number, stamp) = (order.id.number, order.stamp);
            let (row, refusal) = (None, None);
            let intent = Intent { step, then, number, stamp, unix, row, guard, refusal };
            let intent = Box::new(intent);
            self.send(owner, req, dest, Ask::Intent(intent), routed);
        }
    }

    fn hold_own(
        &mut self,
        req: Req<'_>,
        order: Order,
        dest: Dest,
        then: Ask,
        routed: Routed<'_>,
    ) -> RowId {
        let scope = match then {
            Ask::Lend(client) => Some(self.lent_scope(req.argv.iter().copied(), client)),
            Ask::LendAll(_) => Some(Scope::All { writes: true }),
            _ => None,
        };
        if let Some(scope) = scope {
            let Dest::Part { gather: id, .. } = dest else { unreachable!("it is a share") };
            let row = self.add_row(order, false, scope, Work::Own(id));
            match &mut self.gathers.get(id).join {
                How::Loan { own, .. } | How::LoanOfAll { own, .. } => *own = Some(row),
                How::Bytes { .. } | How::Facts { .. } | How::Walk { .. } | How::Asked { .. } => {
                    unreachable!("only what borrows holds keys of its own")
                }
            }
            return row;
        }
        let mut batch = self.spare_kept();
        self.put_request(&mut batch, req, dest, then, routed);
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        let scope = scope.unwrap_or(Scope::Keys(Vec::new()));
        self.add_row(order, false, scope, Work::Kept(self.node.shard, batch))
    }

    /// An owner answered a step.
    pub(crate) fn step_answered(&mut self, from: ShardId, id: GatherId, intent: &Intent) {
        match intent.step {
            Step::Commit | Step::Abort => {}
            Step::Decide if intent.refusal.is_some() => {
                let own = self.decided(id, intent.unix).own;
                self.give_up(id, own, Vec::new(), intent.refusal.unwrap_or_default());
            }
            Step::Decide => {
                self.witness(intent.stamp);
                let own = self.decided(id, intent.unix).own;
                if let Some(own) = own {
                    self.commit_row(own, intent.stamp, intent.unix);
                }
            }
            Step::Prepare => {
                let transaction = self.gathers.get(id).transaction.as_mut();
                let transaction = transaction.expect("proposals come before the commit");
                transaction.missing -= 1;
                transaction.stamp = transaction.stamp.max(intent.stamp);
                transaction.unix = transaction.unix.max(intent.unix);
                transaction.others.extend(intent.row.map(|row| (from, row)));
                transaction.refusal = transaction.refusal.or(intent.refusal);
                match (transaction.missing, transaction.refusal) {
                    (0, None) => self.commit(id),
                    (0, Some(why)) => {
                        let Transaction { own, others, .. } = self.decided(id, intent.unix);
                        self.give_up(id, own, others.into_iter().collect(), why);
                    }
                    (_, _) => {}
                }
            }
        }
    }

    /// The shards have agreed on a moment: what the client sent next comes after it.
    fn decided(&mut self, id: GatherId, unix: UnixMs) -> Transaction {
        let gather = self.gathers.get(id);
        gather.moment = Some(unix);
        let transaction = gather.transaction.take().expect("it is under way");
        let (id, stalls) = (gather.conn, gather.stalls);
        if !stalls && let Some(conn) = self.conn(id) {
            conn.undecided -= 1;
            if conn.undecided == 0 && conn.stall == Some(Stall::Undecided) {
                self.unstall(id);
            }
        }
        transaction
    }

    /// Whether a request may start though transactions before it on its connection have no stamp yet.
    /// It must come after them in the order of all. The shard that decides on them sees to that for
    /// what it gets behind them; whatever else there is waits.
    pub(crate) fn may_follow(
        &self,
        decider: Option<ShardId>,
        cmd: &Cmd,
        places: &[Place],
        req: Req<'_>,
    ) -> bool {
        let Some(decider) = decider else { return false };
        match cmd.what {
            What::Foreign(..) => owner_of(cmd.slot, self.node.shards) == decider,
            What::Many(_) => {
                let plan = self.plans[req.verdict.index as usize];
                let here = self.node.shard;
                let mut owners = cmd.places(places).iter().map(|place| place.owner);
                matches!(plan, Plan::Split(_))
                    && !self.events_are_heard()
                    && owners.clone().all(|owner| owner == here || owner == decider)
                    && owners.any(|owner| owner == decider)
            }
            What::Own(..) | What::Other(_) | What::Malformed(_) | What::Unknown | What::Empty => {
                false
            }
        }
    }

    fn commit(&mut self, id: GatherId) {
        let unix = self.gathers.get(id).transaction.as_ref().map_or(UnixMs(0), |it| it.unix);
        let Transaction { own, stamp, others, .. } = self.decided(id, unix);
        self.witness(stamp);
        for (owner, row) in others {
            let intent = Intent {
                step: Step::Commit,
                then: Ask::Execute,
                number: 0,
                stamp,
                unix,
                row: Some(row),
                guard: Guard::default(),
                refusal: None,
            };
            self.send_step(owner, Ask::Intent(Box::new(intent)));
        }
        if let Some(own) = own {
            self.commit_row(own, stamp, unix);
        }
    }

    /// Runs a command whose keys, the arguments at `positions`, lie on several shards, on entries that
    /// are brought here.
    pub(crate) fn transact(&mut self, req: Req<'_>, positions: impl Iterator<Item = usize>) {
        let entry = self.node.table.at(req.verdict.index);
        let mut cursor = stoa_command::Args::new(req.argv, req.verdict.args_at);
        if let Err(error) = (entry.check)(&mut cursor) {
            return self.refuse_parsed(req, error);
        }
        let owners = self.owners(req.argv, positions);
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let how = How::loan(Kept::of(req, db));
        let id = self.open_gather(req, owners.len(), how, true);
        self.begin_loans(req.conn, req.verdict, id, &owners, 0);
    }

    /// The keys of a request by their owners. Home runs it, so it waits for its own turn even if no key
    /// is its own.
    fn owners(&self, argv: &[&[u8]], positions: impl Iterator<Item = usize>) -> Owners {
        let mut owners = Owners::new();
        for at in positions {
            let key = argv[at];
            let owner = self.owner_of_key(key);
            owners.entry(owner).or_default().insert(key.to_vec());
        }
        owners.entry(self.node.shard).or_default();
        owners
    }

    /// The same for a request that was kept.
    pub(crate) fn owners_of(&self, request: &Kept) -> Owners {
        let argv: Vec<&[u8]> = request.argv.iter().map(Vec::as_slice).collect();
        let mut keys = KeyPositions::default();
        let spec = &self.node.table.at(request.verdict.index).spec;
        let args = stoa_command::Args::new(&argv, request.verdict.args_at);
        spec.key_positions(&args, &mut keys).expect("its keys were found before");
        self.owners(&argv, keys.as_slice().iter().map(|(at, _)| *at))
    }

    /// Asks the owners of keys to lend them, and to say whether what `client` watches changed (0:
    /// nothing is watched).
    pub(crate) fn begin_loans(
        &mut self,
        conn: ConnId,
        verdict: Verdict,
        id: GatherId,
        owners: &Owners,
        client: u64,
    ) {
        let shares = owners.iter().enumerate().map(|(number, (owner, keys))| Share {
            owner: *owner,
            number: number as u16,
            argv: keys.iter().map(Vec::as_slice).collect(),
            then: Ask::Lend(client),
        });
        self.begin(Req { conn, verdict, argv: &[] }, id, shares.collect());
    }

    /// Home's own keys are held; with the loans of all others the transaction runs.
    pub(crate) fn own_turn(&mut self, id: GatherId) {
        self.lacks_one_less(id);
    }

    fn lacks_one_less(&mut self, id: GatherId) {
        let gather = self.gathers.get(id);
        gather.missing -= 1;
        if gather.missing > 0 {
            return;
        }
        // Its keys are not in the way of a script that pauses, but one runs at a time.
        if self.is_pausing() {
            return self.late.push_back(id);
        }
        self.run_borrower(id);
    }

    /// Runs what has all that it wanted to borrow.
    pub(crate) fn run_borrower(&mut self, id: GatherId) {
        match self.gathers.get(id).join {
            How::Loan { .. } => self.run_transaction(id),
            How::LoanOfAll { .. } => self.run_on_all(id),
            How::Bytes { .. } | How::Facts { .. } | How::Walk { .. } | How::Asked { .. } => {
                unreachable!("only what borrows runs here")
            }
        }
    }

    /// An owner has lent its keys.
    pub(crate) fn loan_came(&mut self, from: ShardId, id: GatherId, loan: Loan) {
        let gather = self.gathers.get(id);
        let How::Loan { loans, .. } = &mut gather.join else {
            unreachable!("a loan for a gather that borrows nothing")
        };
        loans.push((from, loan));
        self.lacks_one_less(id);
    }

    /// An owner has lent all its keys.
    pub(crate) fn all_came(&mut self, from: ShardId, id: GatherId, loan: LoanOfAll) {
        let How::LoanOfAll { loans, .. } = &mut self.gathers.get(id).join else {
            unreachable!("all keys for a gather that wants some")
        };
        loans.push((from, loan));
        self.lacks_one_less(id);
    }

    /// Runs a request on all keys of all shards, which lend all they have for the while.
    pub(crate) fn borrow_all(&mut self, req: Req<'_>, request: Kept, client: u64) {
        let how = How::LoanOfAll { request, loans: Vec::new(), own: None };
        let id = self.open_gather(req, self.node.shards as usize, how, true);
        self.begin_on_all(req, id, client);
    }

    /// Asks every shard for all its keys.
    pub(crate) fn begin_on_all(&mut self, req: Req<'_>, id: GatherId, client: u64) {
        let shares = (0..self.node.shards).map(|number| Share {
            owner: ShardId(number),
            number,
            argv: Vec::new(),
            then: Ask::LendAll(client),
        });
        self.begin(req, id, shares.collect());
    }

    fn run_on_all(&mut self, id: GatherId) {
        let gather = self.gathers.remove(id);
        let How::LoanOfAll { request, loans, own } = gather.join else {
            unreachable!("only what borrows all runs here")
        };
        let mut broken = self.breaks_own_watch(&request);
        let mut borrowed = Borrowed::new(self.node.shard, self.node.shards);
        let mut owners = Vec::with_capacity(loans.len());
        for (owner, LoanOfAll { row, keyspace, broken: there, .. }) in loans {
            self.heed_tracking(keyspace.tells_changes());
            borrowed.add(owner, keyspace);
            owners.push((owner, row));
            broken |= there;
        }
        let own = own.expect("home holds its own row");
        self.let_go(own);
        let (conn, ticket, moment) = (gather.conn, gather.ticket, gather.moment);
        let mut lent = LentAll { conn, ticket, request, own, borrowed, owners };
        self.keyspace.note_all(true);
        self.moment = moment;
        let run = self.run_kept(conn, &lent.request, broken, Some(&mut lent.borrowed));
        self.moment = None;
        if self.is_pausing() {
            return self.pause_script(Whose::LoanOfAll(Box::new(lent)), run, moment);
        }
        self.loan_of_all_over(lent, run);
    }

    /// What ran on all keys is over: they go back.
    pub(crate) fn loan_of_all_over(&mut self, lent: LentAll, run: Running) {
        let LentAll { conn, ticket, request, own, mut borrowed, owners } = lent;
        let reply = self.kept_ran(&request, run).expect("no script asks for more than all keys");
        borrowed.give_back(&mut self.keyspace, self.now.unix);
        self.keyspace.note_all(false);
        if self.keyspace.has_told() {
            self.node.log_told(&mut self.keyspace);
        }
        let mut tracked = self.part_log();
        for (owner, row) in owners {
            let keyspace = borrowed.remove(owner).expect("it was lent");
            let tracked = tracked.remove(&owner).unwrap_or_default();
            let loan = LoanOfAll { row, keyspace, broken: false, tracked };
            self.send_step(owner, Ask::ReturnAll(Box::new(loan)));
        }
        self.remove_row(own);
        self.serve_waiters();
        self.publish_then_answer(conn, ticket, reply, true);
    }

    /// Whether something that the client of an EXEC watches here changed.
    fn breaks_own_watch(&mut self, request: &Kept) -> bool {
        let Some(client) = request.job.as_ref().map(|job| job.client) else { return false };
        self.end_watch(client)
    }

    fn run_transaction(&mut self, id: GatherId) {
        let gather = self.gathers.remove(id);
        let How::Loan { request, loans, own } = gather.join else {
            unreachable!("only what borrows runs here")
        };
        let broken = self.breaks_own_watch(&request) | loans.iter().any(|(_, loan)| loan.broken);
        let own = own.expect("home holds its own row");
        let (conn, ticket, moment) = (gather.conn, gather.ticket, gather.moment);
        self.run_lending(Lending { conn, ticket, request, own, moment, broken, loans });
    }

    /// Puts what was borrowed into this shard's keyspace, and runs the request.
    pub(crate) fn run_lending(&mut self, lending: Lending) {
        let Lending { conn, ticket, request, own, moment, broken, loans } = lending;
        let mut borrowed = Vec::with_capacity(loans.len());
        for (owner, Loan { row, keys, tracks, tracked, .. }) in loans {
            self.heed_tracking(tracks);
            tracked.into_iter().for_each(|event| self.node.log_tracked(event));
            let names: Vec<Vec<u8>> = keys.iter().map(|key| key.bytes.clone()).collect();
            keys.into_iter().for_each(|key| self.put_key(key));
            borrowed.push((owner, row, names));
        }
        self.let_go(own);
        self.keyspace.note_all(true);
        self.moment = moment;
        let run = self.run_kept(conn, &request, broken, None);
        self.moment = None;
        if let Some(job) = self.asked_job.take() {
            self.keyspace.note_all(false);
            self.tell_undone();
            let tracks = self.keyspace.tells_changes();
            let mut tracked = self.part_log();
            let take_back = |(owner, row, names): (ShardId, RowId, Vec<Vec<u8>>)| {
                let keys = names.into_iter().map(|name| self.take_key(name)).collect();
                let tracked = tracked.remove(&owner).unwrap_or_default();
                (owner, Loan { row, keys, broken: false, tracks, tracked, wait: None })
            };
            let loans = borrowed.into_iter().map(take_back).collect();
            let lending = Lending { conn, ticket, request, own, moment, broken, loans };
            return self.job_for_loan(lending, job);
        }
        let lent = Lent { conn, ticket, request, own, borrowed };
        if self.is_pausing() {
            return self.pause_script(Whose::Loan(lent), run, moment);
        }
        self.loan_over(lent, run);
    }

    /// What ran on borrowed keys is over: they go back.
    pub(crate) fn loan_over(&mut self, lent: Lent, run: Running) {
        let Lent { conn, ticket, request, own, borrowed } = lent;
        let reply = self.kept_ran(&request, run);
        let changed = self.keyspace.note_all(false);
        let mut tracked = self.part_log();
        let place = (conn, ticket);
        let waiter = self.asked_block.take().map(|block| {
            let owners = self.owners_of(&request).into_keys().collect();
            self.wait_together(place, request.clone(), *block, owners)
        });
        for (owner, row, names) in borrowed {
            let wait = waiter.map(|id| Box::new(self.remote_waiter(id, names.clone())));
            let mut keys: Vec<LentKey> = names.into_iter().map(|key| self.take_key(key)).collect();
            for (db, name) in &changed {
                keys.iter_mut().filter(|key| key.bytes == *name).for_each(|key| {
                    key.changed.push(*db);
                });
            }
            let tracked = tracked.remove(&owner).unwrap_or_default();
            let loan = Loan { row, keys, broken: false, tracks: false, tracked, wait };
            self.send_step(owner, Ask::Return(Box::new(loan)));
        }
        if let Some(id) = waiter {
            let names = self.owners_of(&request).remove(&self.node.shard).unwrap_or_default();
            let waiter = self.remote_waiter(id, names.into_iter().collect());
            self.add_remote_waiter(waiter);
            self.remove_row(own);
            self.serve_waiters();
            return self.look_again(id);
        }
        if let Some(id) = request.waiter {
            self.together_served(id);
            self.waits_no_more(conn);
        }
        self.remove_row(own);
        self.serve_waiters();
        match reply {
            Some(reply) => self.publish_then_answer(conn, ticket, reply, true),
            None => self.borrow_all_into(conn, ticket, request),
        }
    }

    /// Adds a row of intents: its keys do not end meanwhile.
    pub(crate) fn add_row(
        &mut self,
        order: Order,
        committed: bool,
        scope: Scope,
        work: Work,
    ) -> RowId {
        if let Scope::Keys(holds) = &scope {
            holds.iter().for_each(|hold| self.keyspace.held.hold(hold.hash));
        }
        let is_all = matches!(scope, Scope::All { .. });
        let row = self.intents.add(order, committed, scope, work);
        if is_all {
            self.keyspace.held.hold_all(row.0, self.now.unix);
        }
        row
    }

    /// The turn of a row has come: what is still held is held by others.
    pub(crate) fn let_go(&mut self, row: RowId) {
        match self.intents.let_go(row) {
            Some(Scope::Keys(holds)) => {
                holds.iter().for_each(|hold| self.keyspace.held.release(hold.hash));
            }
            Some(Scope::All { .. }) => self.keyspace.held.release_all(row.0),
            None => {}
        }
    }

    /// The turn of a row has come, and it goes on later: its keys are held again.
    pub(crate) fn hold_again(&mut self, row: RowId) {
        match self.intents.hold_again(row) {
            Some(Scope::Keys(holds)) => {
                holds.iter().for_each(|hold| self.keyspace.held.hold(hold.hash));
            }
            // Its moment is past: whatever was there then stays.
            Some(Scope::All { .. }) => self.keyspace.held.hold_all(row.0, UnixMs(0)),
            None => {}
        }
    }

    /// Takes a row of intents away.
    pub(crate) fn remove_row(&mut self, row: RowId) {
        self.let_go(row);
        if let Scope::Keys(holds) = self.intents.remove(row) {
            self.intents.recycle(holds);
        }
    }

    /// Commits a row: it happens at `stamp`, and what it runs sees the clock at `unix`.
    pub(crate) fn commit_row(&mut self, row: RowId, stamp: Stamp, unix: UnixMs) {
        if let Some(batch) = self.intents.kept(row) {
            batch.moment = Some(unix);
        }
        let torn = self.plants(Planted::TornCommit);
        let stamp = if torn { self.intents.stamp(row) } else { stamp };
        self.intents.commit(row, stamp);
    }

    /// Holds back a request of a client of this shard, in its place in the order.
    pub(crate) fn wait_for_turn(&mut self, conn: ConnId, scope: Scope) -> bool {
        let order = self.order_here();
        let row = self.add_row(order, true, scope, Work::Resume(conn));
        let moment = self.now.unix;
        if let Some(conn) = self.conn(conn) {
            conn.moment = moment;
            debug_assert_eq!(conn.row, None, "one request waits at a time");
            conn.row = Some(row);
        }
        self.stall(conn, Stall::Intent);
        false
    }

    /// The turn of a request that was held back has come: its row stays until it ran.
    pub(crate) fn resume_row(&mut self, id: ConnId, row: RowId) {
        match self.conn(id) {
            Some(conn) if conn.row == Some(row) => {
                debug_assert_eq!(conn.stall, Some(Stall::Intent), "it waits for nothing else");
                conn.has_turn = true;
                self.unstall(id);
            }
            Some(_) | None => self.remove_row(row),
        }
    }

    /// The request whose turn a connection waited for runs now, as of the moment it began to wait.
    pub(crate) fn begin_turn(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id).filter(|conn| conn.has_turn) else { return };
        let (row, moment) = (conn.row, conn.moment);
        self.moment = Some(moment);
        if let Some(row) = row {
            self.let_go(row);
        }
    }

    /// The request whose turn a connection waited for, or had, is over.
    pub(crate) fn end_turn(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        conn.has_turn = false;
        if let Some(row) = conn.row.take() {
            self.remove_row(row);
        }
    }
}
