//! Commands that wait for a key (BLPOP, BZPOPMIN, XREAD BLOCK and their like).
//!
//! Such a command runs like any other; if it finds nothing it says what it waits for. If all its keys
//! are of one shard, it waits there as a row with its request, and runs again right behind the command
//! that brought something, before anybody else's. If its keys are of several shards, its home runs it
//! as a transaction; with the entries, which go back empty-handed, each owner gets a row, and a push is
//! a hint on which home tries again. Those who wait for one key are served in the order in which they
//! blocked. A waiter holds nothing: it is no intent and keeps nobody away.

use std::collections::BTreeMap;

use stoa_command::Flags;
use stoa_engine::{Block, OnTimeout};
use stoa_keyspace::Type;
use stoa_stdx::{ConnId, DbIndex, MonoMs, ShardId};

use crate::Shard;
use crate::busy::{Running, Whose};
use crate::conn::Stall;
use crate::event::Action;
use crate::gather::{Gather, How, Kept};
use crate::intents::Work;
use crate::message::{Ask, Batch, Dest, Keyed, Message, RemoteWaiter, Waited, WaiterId};
use crate::reply::RespReply;
use crate::waiters::{Served, Waiter};

/// What a client hears whom CLIENT UNBLOCK ... ERROR ended the wait.
const UNBLOCKED: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// Where a blocked client's wait is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// At the shard of all its keys.
    At(ShardId),
    /// Here, for keys of several shards.
    Together(WaiterId),
}

/// A client of this shard that waits for keys of several.
pub(crate) struct Together {
    conn: ConnId,
    ticket: u32,
    request: Kept,
    block: Block,
    owners: Vec<ShardId>,
    /// Home is trying: a hint that comes meanwhile is looked at afterwards.
    tries: bool,
    hinted: bool,
}

/// All such clients.
#[derive(Default)]
pub(crate) struct Togethers {
    rows: BTreeMap<WaiterId, Together>,
    next: u32,
}

/// Clients that wait though their peer has said all it will.
#[derive(Default)]
pub(crate) struct Parting {
    clients: Vec<ConnId>,
    due: MonoMs,
}

impl Parting {
    /// When to look at them.
    pub(crate) fn due(&self) -> Option<MonoMs> {
        (!self.clients.is_empty()).then_some(self.due)
    }
}

/// After that long a wait that did not end is ended again.
const PART_AGAIN_MS: u64 = 100;

/// How a wait ends from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As if its time were up.
    Timeout,
    /// With an error.
    Error,
    /// Its client is gone.
    Gone,
    /// Its client will say no more and is taken for gone, but may still hear what was owed before.
    Parted,
}

impl Shard {
    /// A command of `batch`, the only one in it, waits on keys of this shard.
    pub(crate) fn wait_here(&mut self, home: ShardId, mut batch: Box<Batch>, mut block: Block) {
        let waited = match batch.waited {
            Some(waited) => waited,
            None => Waited { number: self.waiters.number(), until: block.until },
        };
        batch.waited = Some(waited);
        block.until = waited.until;
        let request = &mut batch.requests[0];
        let (db, dest) = (request.db, request.dest);
        if let Some(argv) = block.argv.take() {
            let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
            let tracker = batch.args.tracker(request.argv);
            batch.args.clear();
            request.argv = batch.args.push(&argv);
            batch.args.push_tracker(request.argv, tracker);
            request.keyed = Keyed::No;
        }
        let Dest::Hole { conn, .. } = dest else { unreachable!("only a client's request waits") };
        let keys = std::mem::take(&mut block.keys);
        keys.iter().for_each(|key| self.keyspace.add_waiter(db, key));
        let served = Served::Here(batch);
        self.waiters.add(waited.number, Waiter { keys, db, block, home, conn, served });
    }

    /// How many clients wait whose waits this shard sees to: where their keys are, or, if those are on
    /// several, at home. One that is on its way there does not wait yet.
    pub(crate) fn count_waiting(&mut self) {
        self.node.waiting = (self.waiters.here() + self.togethers.rows.len()) as u64;
    }

    /// Serves those who wait for keys that changed, until no more change.
    pub(crate) fn serve_waiters(&mut self) {
        // Behind a script that pauses, which is not over: nobody sees what it has done so far.
        while !self.is_pausing() && self.keyspace.has_woken() {
            for (db, key) in self.keyspace.take_woken() {
                self.serve_key(db, &key);
            }
        }
    }

    fn serve_key(&mut self, db: DbIndex, key: &[u8]) {
        if self.is_pausing() {
            return self.keyspace.wake(db, key);
        }
        for number in self.waiters.of(db, key) {
            let held = self.type_of(db, key);
            let Some(waiter) = self.waiters.get(number) else { continue };
            let finds = held == Some(waiter.block.wants) || waiter.block.also_gone;
            if !finds {
                continue;
            }
            let all_may_have_it = waiter.block.wants == Type::Stream;
            match &mut waiter.served {
                Served::Here(_) => self.serve_here(number),
                Served::ByHome { id, told } => {
                    let (id, home) = (*id, waiter.home);
                    if !std::mem::replace(told, true) {
                        self.hint(home, id);
                    }
                    // Who comes behind is served when this one has had its turn.
                    if !all_may_have_it {
                        return;
                    }
                }
            }
        }
    }

    fn type_of(&mut self, db: DbIndex, key: &[u8]) -> Option<Type> {
        let place = self.keyspace.seed().key(key);
        let mut view = self.keyspace.db(db, self.now.unix, false);
        view.peek(&place).map(|entry| entry.ty())
    }

    fn take_waiter(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(number)?;
        for key in &waiter.keys {
            if self.keys_are_lent {
                self.unwait_later.push((waiter.db, key.clone()));
            } else {
                self.keyspace.remove_waiter(waiter.db, key);
            }
        }
        Some(waiter)
    }

    fn serve_here(&mut self, number: u64) {
        let Some(waiter) = self.take_waiter(number) else { return };
        let Served::Here(mut batch) = waiter.served else { unreachable!("its home serves it") };
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        // Another of its keys may be held; then it has its place in the order of all, and what it was
        // woken for is kept for it.
        match scope.filter(|scope| self.intents.hinders_scope(scope)) {
            Some(scope) => {
                let order = self.order_here();
                batch.moment = Some(self.now.unix);
                self.add_row(order, true, scope, Work::Kept(waiter.home, batch));
            }
            None => self.answer_kept(waiter.home, batch),
        }
    }

    /// Runs the request of a batch of its own, and sends the answer; or it waits, again.
    pub(crate) fn answer_kept(&mut self, from: ShardId, mut batch: Box<Batch>) {
        let Batch { requests, args, replies, ends, parts, moment, .. } = &mut *batch;
        self.moment = moment.take();
        let part = self.run_request(&requests[0], args, replies);
        let moment = self.moment.take();
        if self.is_pausing() {
            let run = Running { proto: requests[0].proto, ..Running::default() };
            return self.pause_script(Whose::Shard { home: from, batch, row: None }, run, moment);
        }
        if let Some(block) = self.asked_block.take() {
            replies.clear();
            return self.wait_here(from, batch, *block);
        }
        if let Some(job) = self.asked_job.take() {
            self.moment = moment;
            self.job_for(from, batch, job, None);
            self.moment = None;
            return;
        }
        parts.extend(part.map(|part| (0, part)));
        ends.push(replies.len());
        if self.is_stirred() {
            self.publish_then_send(from, batch);
        } else {
            self.send_done(from, batch);
        }
    }

    /// Ends waits whose time is up.
    pub(crate) fn end_waits(&mut self) {
        let now = self.now.mono.ms();
        while let Some(number) = self.waiters.due(now) {
            self.end_here(number, End::Timeout);
        }
        let rows = self.togethers.rows.iter();
        let due = rows.filter(|(_, row)| !row.tries && row.block.until.is_some_and(|at| at <= now));
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_together(id, End::Timeout);
        }
    }

    /// When somebody's wait ends.
    pub(crate) fn next_wait_end(&self) -> Option<MonoMs> {
        let rows = self.togethers.rows.values().filter(|row| !row.tries);
        let together = rows.filter_map(|row| row.block.until).min();
        [self.waiters.deadline(), together].into_iter().flatten().min()
    }

    fn end_here(&mut self, number: u64, end: End) {
        let Some(waiter) = self.take_waiter(number) else { return };
        let Served::Here(mut batch) = waiter.served else { return };
        if end == End::Gone {
            return;
        }
        let proto = batch.requests[0].proto;
        let mut reply = RespReply::new(&mut batch.replies, proto);
        say_end(end, waiter.block.on_timeout, &mut reply);
        if end != End::Parted {
            self.count_wait(batch.requests[0].index, &batch.replies);
        }
        let len = batch.replies.len();
        batch.ends.push(len);
        self.send_done(waiter.home, batch);
    }

    /// Ends the wait of a connection of `home` whose keys are here.
    pub(crate) fn end_wait_of(&mut self, home: ShardId, conn: ConnId, end: End) {
        if let Some(number) = self.waiters.of_conn(home, conn) {
            return self.end_here(number, end);
        }
        // It has not run yet, behind an intent: it would wait, and take what nobody hears of.
        if end == End::Gone
            && let Some((row, index)) = self.intents.kept_for(home, conn)
            && self.node.table.at(index).spec.flags.has(Flags::BLOCKING)
        {
            self.intents.take_work(row);
            self.remove_row(row);
        }
    }

    /// Ends the wait of a client of this shard. False if it does not wait.
    pub(crate) fn unblock(&mut self, id: ConnId, end: End) -> bool {
        let Some(waits) = self.conn(id).and_then(|conn| conn.waits) else { return false };
        match waits {
            Waits::At(owner) if owner == self.node.shard => {
                self.end_wait_of(owner, id, end);
            }
            Waits::At(owner) => self.send_step(owner, Ask::EndWait(id, end)),
            Waits::Together(waiter) => self.end_together(waiter, end),
        }
        true
    }

    /// Notes that the peer of a client that waits will send no more.
    pub(crate) fn part(&mut self, id: ConnId) {
        self.parting.clients.push(id);
        self.parting.due = self.now.mono.ms();
    }

    /// Ends the waits of clients whose peers will send no more: they may be gone, and what came for
    /// them would be lost. As in Redis that is their end; what was owed before is still sent.
    ///
    /// A pass later than it was noticed, and again after a while: at another shard this may overtake the
    /// request itself, which waits there as long as its keys are held.
    pub(crate) fn end_parting(&mut self) {
        let now = self.now.mono.ms();
        if self.parting.clients.is_empty() || now < self.parting.due {
            return;
        }
        let mut clients = std::mem::take(&mut self.parting.clients);
        clients.retain(|id| self.unblock(*id, End::Parted));
        self.parting = Parting { clients, due: MonoMs(now.0 + PART_AGAIN_MS) };
    }

    /// A request of a client of this shard waits, or may wait, at `owner`.
    pub(crate) fn now_waits(&mut self, id: ConnId, ticket: u32, waits: Waits) {
        if let Some(conn) = self.conn(id) {
            conn.begins_to_wait(ticket, waits);
            conn.stall = Some(Stall::Blocked);
            if conn.ended {
                self.part(id);
            }
        }
        if let Some(session) = self.sessions.get(id) {
            session.blocked = true;
        }
    }

    /// A client of this shard waits no more: its reply is there.
    pub(crate) fn waits_no_more(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        if conn.waits.take().is_some() {
            self.unstall(id);
            if let Some(session) = self.sessions.get(id) {
                session.blocked = false;
            }
        }
    }

    // What follows is for keys of several shards.

    /// A transaction found nothing: its client waits at all `owners`. Gives the name of the wait.
    pub(crate) fn wait_together(
        &mut self,
        gather: (ConnId, u32),
        mut request: Kept,
        mut block: Block,
        owners: Vec<ShardId>,
    ) -> WaiterId {
        let (conn, ticket) = gather;
        if let Some(argv) = block.argv.take() {
            request.argv = argv;
        }
        let known = request.waiter.and_then(|id| self.togethers.rows.get_mut(&id).map(|_| id));
        if let Some(id) = known {
            let row = self.togethers.rows.get_mut(&id).expect("just seen");
            row.request = request;
            row.tries = false;
            return id;
        }
        self.togethers.next = self.togethers.next.wrapping_add(1);
        let id = WaiterId { home: self.node.shard, number: self.togethers.next };
        request.waiter = Some(id);
        let row = Together { conn, ticket, request, block, owners, tries: false, hinted: false };
        self.togethers.rows.insert(id, row);
        self.now_waits(conn, ticket, Waits::Together(id));
        id
    }

    /// What an owner is to know of a wait.
    pub(crate) fn remote_waiter(&self, id: WaiterId, keys: Vec<Vec<u8>>) -> RemoteWaiter {
        let row = &self.togethers.rows[&id];
        let block = Block { keys: Vec::new(), argv: None, ..row.block.clone() };
        RemoteWaiter { id, conn: row.conn, db: row.request.db, keys, block }
    }

    /// A client of another shard, or of this, waits for keys of this one among others.
    pub(crate) fn add_remote_waiter(&mut self, waiter: RemoteWaiter) {
        let RemoteWaiter { id, conn, db, keys, block } = waiter;
        if let Some(number) = self.waiters.of_home(id) {
            if let Some(Waiter { served: Served::ByHome { told, .. }, .. }) =
                self.waiters.get(number)
            {
                *told = false;
            }
            return;
        }
        keys.iter().for_each(|key| self.keyspace.add_waiter(db, key));
        let number = self.waiters.number();
        let served = Served::ByHome { id, told: false };
        self.waiters.add(number, Waiter { keys, db, block, home: id.home, conn, served });
    }

    /// Such a wait is over; who waits behind it may have what it left.
    pub(crate) fn remove_remote_waiter(&mut self, id: WaiterId) {
        let Some(number) = self.waiters.of_home(id) else { return };
        let Some(waiter) = self.take_waiter(number) else { return };
        for key in &waiter.keys {
            self.serve_key(waiter.db, key);
        }
    }

    fn hint(&mut self, home: ShardId, id: WaiterId) {
        if home == self.node.shard {
            return self.hinted(id);
        }
        self.actions.push_back(Action::Reply { to: home, message: Message::Hint(id) });
    }

    /// A key changed that a client of this shard waits for: it tries again.
    pub(crate) fn hinted(&mut self, id: WaiterId) {
        let Some(row) = self.togethers.rows.get_mut(&id) else { return };
        row.hinted = true;
        if row.tries {
            return;
        }
        self.try_again(id);
    }

    /// Tries again if a hint came meanwhile.
    pub(crate) fn look_again(&mut self, id: WaiterId) {
        if self.togethers.rows.get(&id).is_some_and(|row| row.hinted && !row.tries) {
            self.try_again(id);
        }
    }

    fn try_again(&mut self, id: WaiterId) {
        let Some(row) = self.togethers.rows.get_mut(&id) else { return };
        row.tries = true;
        row.hinted = false;
        let (conn, ticket) = (row.conn, row.ticket);
        let request = row.request.clone();
        let verdict = request.verdict;
        let owners = self.owners_of(&request);
        let missing = owners.len();
        let gather = Gather::waiting(verdict.index, conn, ticket, missing, How::loan(request));
        let gather = self.gathers.add(gather);
        self.begin_loans(conn, verdict, gather, &owners, 0);
    }

    /// A wait on several shards ended with its transaction: the owners forget it.
    pub(crate) fn together_served(&mut self, id: WaiterId) {
        if let Some(row) = self.togethers.rows.remove(&id) {
            self.forget_at(id, &row.owners);
        }
    }

    fn forget_at(&mut self, id: WaiterId, owners: &[ShardId]) {
        for owner in owners.iter().copied() {
            if owner == self.node.shard {
                self.remove_remote_waiter(id);
            } else {
                self.send_step(owner, Ask::EndTogether(id));
            }
        }
    }

    fn end_together(&mut self, id: WaiterId, end: End) {
        // One that is being served gets what it is served.
        if self.togethers.rows.get(&id).is_none_or(|row| row.tries) {
            return;
        }
        let Some(row) = self.togethers.rows.remove(&id) else { return };
        self.forget_at(id, &row.owners);
        if end == End::Gone {
            return;
        }
        let Some(session) = self.sessions.get(row.conn) else { return };
        let mut reply = Vec::new();
        say_end(end, row.block.on_timeout, &mut RespReply::new(&mut reply, session.proto));
        if end != End::Parted {
            self.count_wait(row.request.verdict.index, &reply);
        }
        self.waits_no_more(row.conn);
        self.answer_waiting(row.conn, row.ticket, &reply, false);
        if end == End::Parted {
            self.close(row.conn, true);
        }
    }
}

fn say_end(end: End, on_timeout: OnTimeout, reply: &mut RespReply<'_>) {
    match end {
        End::Timeout => on_timeout.answer(reply),
        End::Error => stoa_engine::Reply::error_text(reply, UNBLOCKED),
        End::Gone | End::Parted => {}
    }
}
