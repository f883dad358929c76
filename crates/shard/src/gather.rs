//! Answers of several shards put together: split commands, commands of all shards, walks.
//!
//! A gather is a row: what it waits for, and how the parts become one reply. The reply's place in its
//! connection's order is a hole from the beginning.

use stoa_command::Args as Cursor;
use stoa_engine::{
    Blocking, Borrowed, Ctx, Part, SessionRow, Sessions, Verdict, Walk, WalkStep, run_unrouted,
};
use stoa_keyspace::ScanCursor;
use stoa_stdx::{ConnId, DbIndex, ShardId, SlotId, UnixMs};

use crate::Shard;
use crate::account::Ran;
use crate::busy::Running;
use crate::conn::Stall;
use crate::execute::{OUTPUT_LOOK_LEN, Req};
use crate::intents::{RowId, Scope, Work};
use crate::keys::{first_slot, owner_of};
use crate::message::{Ask, Batch, Dest, GatherId, Loan, LoanOfAll, Request, WaiterId};
use crate::multi::{Job, run_queue};
use crate::places::Routed;
use crate::plan::Join;
use crate::reply::RespReply;
use crate::scripts::Escaped;
use crate::split::{KeyOrder, Parts};
use crate::transact::{Share, Transaction};

/// A batch whose buffers are larger is not kept: dozens of them would hold memory for good.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// The same of those that hold one request each, and how many are kept: 2 MiB at most, when as many
/// transactions were under way at once.
const SPARE_KEPT_BYTES_MAX: usize = 4 * 1024;
const SPARE_KEPT_MAX: usize = 512;

/// All gathers of a shard.
#[derive(Default)]
pub(crate) struct Gathers {
    rows: Vec<(u32, Option<Gather>)>,
    free: Vec<u32>,
}

/// One row.
pub(crate) struct Gather {
    pub(crate) conn: ConnId,
    pub(crate) ticket: u32,
    /// Row in the command table.
    pub(crate) index: u16,
    /// Parts that have not come.
    pub(crate) missing: usize,
    pub(crate) join: How,
    /// The connection waits, and goes on after this.
    pub(crate) stalls: bool,
    /// Its shards have not agreed on a moment yet.
    pub(crate) transaction: Option<Transaction>,
    /// The moment they agreed on.
    pub(crate) moment: Option<UnixMs>,
}

/// How parts become one reply.
pub(crate) enum How {
    /// Encoded replies, joined by bytes. For `ByKey`, the part of each key, in order.
    Bytes { join: Join, parts: Parts, order: KeyOrder },
    /// Facts, merged by the command.
    Facts { request: Kept, parts: Vec<Option<Part>> },
    /// Steps of a walk so far.
    Walk { request: Kept, at: ShardId, steps: Vec<Part> },
    /// What other shards said to a command in a transaction that has their keys.
    Asked { parts: Vec<Option<Part>> },
    /// Keys of other shards, on which the request runs here; `own` is the row that holds ours.
    Loan { request: Kept, loans: Vec<(ShardId, Loan)>, own: Option<RowId> },
    /// As that, with all keys of all shards.
    LoanOfAll { request: Kept, loans: Vec<(ShardId, LoanOfAll)>, own: Option<RowId> },
}

impl How {
    /// For a request that runs here on borrowed keys.
    pub(crate) const fn loan(request: Kept) -> Self {
        Self::Loan { request, loans: Vec::new(), own: None }
    }
}

/// A request kept beyond its pass.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) verdict: Verdict,
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) db: DbIndex,
    /// What EXEC is to run.
    pub(crate) job: Option<Box<Job>>,
    /// It waited before.
    pub(crate) waiter: Option<WaiterId>,
}

impl Kept {
    pub(crate) fn of(req: Req<'_>, db: DbIndex) -> Self {
        let argv = req.argv.iter().map(|arg| arg.to_vec()).collect();
        Self { verdict: req.verdict, argv, db, job: None, waiter: None }
    }
}

impl Gather {
    /// A row whose reply has its place, and whose connection waits for it.
    pub(crate) const fn waiting(
        index: u16,
        conn: ConnId,
        ticket: u32,
        missing: usize,
        join: How,
    ) -> Self {
        Self { index, conn, ticket, missing, join, stalls: true, transaction: None, moment: None }
    }
}

impl Gathers {
    pub(crate) fn add(&mut self, gather: Gather) -> GatherId {
        let row = self.free.pop().unwrap_or_else(|| {
            self.rows.push((0, None));
            self.rows.len() as u32 - 1
        });
        let (generation, place) = &mut self.rows[row as usize];
        *place = Some(gather);
        GatherId { row, generation: *generation }
    }

    pub(crate) fn get(&mut self, id: GatherId) -> &mut Gather {
        let (generation, gather) = &mut self.rows[id.row as usize];
        assert_eq!(*generation, id.generation, "a part came for a gather that is over");
        gather.as_mut().expect("the generation says it is there")
    }

    pub(crate) fn remove(&mut self, id: GatherId) -> Gather {
        let (generation, gather) = &mut self.rows[id.row as usize];
        assert_eq!(*generation, id.generation, "a gather ends once");
        *generation = generation.wrapping_add(1);
        self.free.push(id.row);
        gather.take().expect("the generation says it is there")
    }
}

impl Shard {
    /// A batch came back from `from` with its answers.
    pub(crate) fn batch_done(&mut self, from: ShardId, mut batch: Box<Batch>) {
        self.witness(batch.clock);
        if let Some(followed) = batch.followed {
            self.node.tracer.answered(followed.id);
        }
        let mut start = 0;
        let mut parts = std::mem::take(&mut batch.parts).into_iter().peekable();
        let Batch { requests, args, replies, ends, .. } = &mut *batch;
        let mut at = 0;
        while at < requests.len() {
            let plain = match parts.peek() {
                None => self.fill_plain(&requests[at..], &ends[at..], replies, &mut start),
                Some(_) => 0,
            };
            if plain > 0 {
                at += plain;
                continue;
            }
            let request = &mut requests[at];
            let part = parts.next_if(|(number, _)| *number as usize == at).map(|(_, part)| part);
            let reply = &replies[start..ends[at]];
            start = ends[at];
            at += 1;
            let escaped = part.as_ref().and_then(|part| part.downcast_ref::<Escaped>());
            if let (Dest::Hole { conn, ticket }, Some(Escaped(escape))) = (request.dest, escaped) {
                self.escaped(*escape, (conn, ticket), request, args);
                continue;
            }
            self.answered(from, request, part, reply);
        }
        self.recycle(batch);
    }

    /// Fills the holes of one connection with the answers of neighbours, as many as ask for no more than that.
    /// Gives how many.
    fn fill_plain(
        &mut self,
        requests: &[Request],
        ends: &[usize],
        replies: &[u8],
        start: &mut usize,
    ) -> usize {
        let Dest::Hole { conn: id, .. } = requests[0].dest else { return 0 };
        let many_shards = self.node.shards > 1;
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else { return 0 };
        if conn.id != id || conn.waits.is_some() || conn.ended {
            return 0;
        }
        let mut filled = 0;
        for (request, end) in requests.iter().zip(ends) {
            let Dest::Hole { conn: of, ticket } = request.dest else { break };
            if of != id || many_shards && self.scripted[request.index as usize] {
                break;
            }
            conn.fill(ticket, &replies[*start..*end]);
            *start = *end;
            filled += 1;
            if conn.output_len() > OUTPUT_LOOK_LEN {
                break;
            }
        }
        if filled > 0 {
            self.filled(id);
        }
        filled
    }

    /// Keeps an empty batch for later. A few long ones for the next passes: a burst's buffers go back,
    /// and so do a large value's; and many short ones for requests that wait alone.
    fn recycle(&mut self, mut batch: Box<Batch>) {
        batch.clear();
        let capacity = batch.capacity();
        if self.spare_batches.len() < 4 * self.outbound.len() && capacity <= SPARE_BYTES_MAX {
            self.spare_batches.push(batch);
        } else if self.spare_kept.len() < SPARE_KEPT_MAX && capacity <= SPARE_KEPT_BYTES_MAX {
            self.spare_kept.push(batch);
        }
    }

    /// A batch for one request.
    pub(crate) fn spare_kept(&mut self) -> Box<Batch> {
        self.spare_kept.pop().unwrap_or_default()
    }

    fn answered(&mut self, from: ShardId, request: &mut Request, part: Option<Part>, reply: &[u8]) {
        match request.dest {
            Dest::Nowhere => {}
            Dest::Hole { conn: id, ticket } => {
                // This may be the answer of something it asked before.
                if self.conn(id).is_some_and(|conn| conn.awaits(ticket)) {
                    self.waits_no_more(id);
                }
                if let Some(conn) = self.conn(id) {
                    conn.fill(ticket, reply);
                    if self.is_scripted(request.index) {
                        self.unstall(id);
                    }
                    self.filled(id);
                    self.close_if_done(id);
                }
                // Its wait was ended because it will say no more.
                if reply.is_empty() && self.conn(id).is_some_and(|conn| conn.ended) {
                    self.close(id, true);
                }
            }
            Dest::Part { gather, number } => {
                // Its client left while the note waited for its turn; nobody else takes it back.
                if let Ask::Watch(client) = request.ask {
                    let conn = self.gathers.get(gather).conn;
                    if self.conn(conn).is_none() {
                        self.forget_watch(from, client);
                    }
                }
                if let Ask::Intent(intent) = &request.ask {
                    self.step_answered(from, gather, intent);
                    // Held, so the answer comes on its own; or there is nothing to come.
                    if intent.row.is_some() || intent.refusal.is_some() {
                        return;
                    }
                }
                match part {
                    Some(part) => self.part_came(from, gather, number, part),
                    None => self.bytes_came(gather, number, reply),
                }
            }
        }
    }

    pub(crate) fn open_gather(
        &mut self,
        req: Req<'_>,
        missing: usize,
        join: How,
        stalls: bool,
    ) -> GatherId {
        let muted = self.takes_mute(req.conn);
        let conn = self.conn(req.conn).expect("its request is running");
        let ticket = conn.hole(muted);
        if stalls {
            conn.stall = Some(Stall::Answer);
        }
        let (conn, index) = (req.conn, req.verdict.index);
        self.gathers.add(Gather {
            conn,
            ticket,
            index,
            missing,
            join,
            stalls,
            transaction: None,
            moment: None,
        })
    }

    /// Runs a request that waited, for a client that may be gone, on this shard's keys and those that
    /// are borrowed. [`Shard::kept_ran`] gives what came of it, unless it pauses.
    pub(crate) fn run_kept(
        &mut self,
        conn: ConnId,
        request: &Kept,
        broken: bool,
        borrowed: Option<&mut Borrowed>,
    ) -> Running {
        let argv: Vec<&[u8]> = request.argv.iter().map(Vec::as_slice).collect();
        let row = self.row_or_proxy(conn, request.db);
        let proto = self.sessions.at(row).proto;
        let Verdict { index, args_at } = request.verdict;
        let entry = self.node.table.at(index);
        let may_escape = borrowed.is_none() && self.is_scripted(index);
        let mut run = Running { proto, may_escape, ..Running::default() };
        let mut reply = RespReply::new(&mut run.out, proto);
        self.weigh_for_script();
        if may_escape {
            self.begin_script();
        }
        // A client that left meanwhile waits for no key.
        let is_plain = request.job.is_none() && borrowed.is_none();
        let blocking = match (is_plain, self.conn(conn).is_some()) {
            (true, true) => Blocking::Allowed,
            (true, false) => Blocking::ForJobs,
            (false, _) => Blocking::Denied,
        };
        let mut ctx = Ctx { borrowed, blocking, ..self.context(row, None) };
        let pauses_at = match &request.job {
            Some(job) => run_queue(&job.queue, broken, &mut ctx, &mut reply, &mut run.ran),
            None => {
                run_unrouted(entry, &argv, args_at, &mut ctx, &mut reply);
                None
            }
        };
        let asked = std::mem::take(&mut ctx.blocking);
        match asked {
            Blocking::Asked(block) => self.asked_block = Some(block),
            Blocking::Until(job) => self.asked_job = Some(job),
            Blocking::Denied | Blocking::Allowed | Blocking::ForJobs => {}
        }
        if request.job.is_some() && self.node.tracking.caching > 0 {
            self.spend_caching(conn);
        }
        if self.is_pausing() {
            match pauses_at {
                Some(at) => run.at = at,
                None => self.name_command(&argv),
            }
        }
        run
    }

    /// The reply of a request that has run to its end. None: its script wants all keys.
    pub(crate) fn kept_ran(&mut self, request: &Kept, run: Running) -> Option<Vec<u8>> {
        let Running { out, ran, may_escape, .. } = run;
        if self.asked_block.is_some() {
            return Some(out);
        }
        if may_escape && let Some(escape) = self.undo_escape() {
            let argv: Vec<&[u8]> = request.argv.iter().map(Vec::as_slice).collect();
            self.remember(escape, &argv);
            return None;
        }
        self.ran.extend(ran);
        self.ran_whole(request.verdict.index, &out);
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        Some(out)
    }

    /// A client's row; if it left, what it asked for still happens, for nobody.
    pub(crate) fn row_or_proxy(&mut self, conn: ConnId, db: DbIndex) -> SessionRow {
        if self.sessions.get(conn).is_some() {
            return Sessions::row(conn);
        }
        // Nothing is left of whom it stood for before.
        let proxy = self.sessions.at(Sessions::PROXY);
        (proxy.db, proxy.stands_for) = (db, None);
        (proxy.no_touch, proxy.is_local) = (false, false);
        Sessions::PROXY
    }

    /// Runs a request of a client of this shard into a buffer of its own.
    pub(crate) fn run_aside(&mut self, req: Req<'_>) -> Vec<u8> {
        self.run_into(Sessions::row(req.conn), req.verdict, req.argv)
    }

    fn run_into(&mut self, row: SessionRow, verdict: Verdict, argv: &[&[u8]]) -> Vec<u8> {
        let proto = self.sessions.at(row).proto;
        let mut out = Vec::new();
        let entry = self.node_entry(verdict);
        let mut ctx = self.context(row, None);
        let mut reply = RespReply::new(&mut out, proto);
        stoa_engine::run(&entry, argv, verdict.args_at, &mut ctx, &mut reply);
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        out
    }

    /// Has every shard run a request.
    pub(crate) fn ask_all(&mut self, req: Req<'_>, join: Join) {
        let entry = self.node_entry(req.verdict);
        let mut cursor = Cursor::new(req.argv, req.verdict.args_at);
        if let Err(error) = (entry.check)(&mut cursor) {
            return self.refuse_parsed(req, error);
        }
        let shards = self.node.shards as usize;
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let (how, ask) = match join {
            Join::Merge => {
                let parts = (0..shards).map(|_| None).collect();
                (How::Facts { request: Kept::of(req, db), parts }, Ask::Collect)
            }
            Join::ByKey | Join::Concat | Join::AllSucceeded | Join::Sum => {
                let parts = Parts::new(shards);
                (How::Bytes { join, parts, order: KeyOrder::new() }, Ask::Execute)
            }
        };
        let gather = self.open_gather(req, shards, how, true);
        let here = self.node.shard;
        if entry.spec.wants_all_keys(&Cursor::new(req.argv, req.verdict.args_at)) {
            let shares = (0..self.node.shards).map(|number| {
                let (owner, argv, then) = (ShardId(number), req.argv.to_vec(), again(&ask));
                Share { owner, number, argv, then }
            });
            return self.begin(req, gather, shares.collect());
        }
        for number in (0..self.node.shards).filter(|number| *number != here.0) {
            let dest = Dest::Part { gather, number };
            self.send(ShardId(number), req, dest, again(&ask), Routed::No);
        }
        match ask {
            Ask::Collect => {
                let part = self.collect_here(req, ask);
                let part = part.expect("the check above parsed it");
                self.fact_came(gather, here.0, part);
            }
            _ => {
                let reply = self.run_aside(req);
                self.ran.push(Ran::Share(req.verdict.index));
                self.bytes_came(gather, here.0, &reply);
            }
        }
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
    }

    /// Walks the slots, from the shard that the request's own cursor points to.
    pub(crate) fn ask_walk(&mut self, req: Req<'_>) {
        let entry = self.node_entry(req.verdict);
        let mut cursor = Cursor::new(req.argv, req.verdict.args_at);
        if let Err(error) = (entry.check)(&mut cursor) {
            return self.refuse_parsed(req, error);
        }
        let wire = req.argv.get(req.verdict.args_at).copied().unwrap_or_default();
        let from = ScanCursor::parse(wire).unwrap_or(ScanCursor::START);
        let at = owner_of(from.slot, self.node.shards);
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let how = How::Walk { request: Kept::of(req, db), at, steps: Vec::new() };
        let gather = self.open_gather(req, 1, how, true);
        self.walk_on(req, gather, at, None, None);
    }

    fn walk_on(
        &mut self,
        req: Req<'_>,
        gather: GatherId,
        at: ShardId,
        from: Option<ScanCursor>,
        left: Option<usize>,
    ) {
        let end_slot = first_slot(at.0 + 1, self.node.shards);
        let ask = Ask::Walk(Box::new(Walk { from, left, end_slot }));
        let dest = Dest::Part { gather, number: 0 };
        if at != self.node.shard {
            return self.send(at, req, dest, ask, Routed::No);
        }
        // A walk must not pass by a key that is only lent.
        let scope = Scope::All { writes: false };
        if self.is_pausing() || self.intents.hinders_scope(&scope) {
            return self.ask_self(req, dest, ask);
        }
        let part = self.collect_here(req, ask).expect("parsed before the walk began");
        self.fact_came(gather, 0, part);
    }

    /// Asks this very shard, in its place in the order of transactions.
    pub(crate) fn ask_self(&mut self, req: Req<'_>, dest: Dest, ask: Ask) {
        let mut batch = self.spare_kept();
        self.put_request(&mut batch, req, dest, ask, Routed::No);
        let scope = self.request_scope(&batch.requests[0], &batch.args);
        let scope = scope.unwrap_or(Scope::Keys(Vec::new()));
        let order = self.order_here();
        batch.moment = Some(self.now.unix);
        self.add_row(order, true, scope, Work::Kept(self.node.shard, batch));
    }

    fn node_entry(&self, verdict: Verdict) -> stoa_engine::Entry {
        *self.node.table.at(verdict.index)
    }

    fn part_came(&mut self, from: ShardId, id: GatherId, number: u16, part: Part) {
        match self.gathers.get(id).join {
            How::Loan { .. } => {
                let loan = part.downcast().expect("who was asked for keys lends keys");
                self.loan_came(from, id, *loan);
            }
            How::LoanOfAll { .. } => {
                let loan = part.downcast().expect("who was asked for all keys lends all");
                self.all_came(from, id, *loan);
            }
            How::Asked { .. } => {
                let answer = part.downcast().expect("who was asked on its keys sends them back");
                self.shard_answered(from, id, *answer);
            }
            How::Bytes { .. } | How::Facts { .. } | How::Walk { .. } => {
                self.fact_came(id, number, part);
            }
        }
    }

    fn fact_came(&mut self, id: GatherId, number: u16, part: Part) {
        let gather = self.gathers.get(id);
        match &mut gather.join {
            How::Bytes { .. } => unreachable!("facts for a gather of bytes"),
            How::Facts { parts, .. } => {
                parts[number as usize] = Some(part);
                gather.missing -= 1;
                if gather.missing == 0 {
                    self.merge_facts(id);
                }
            }
            How::Walk { .. } => self.step_came(id, part),
            How::Loan { .. } | How::LoanOfAll { .. } | How::Asked { .. } => {
                unreachable!("facts for a gather of loans")
            }
        }
    }

    fn merge_facts(&mut self, id: GatherId) {
        let mut gather = self.gathers.remove(id);
        let How::Facts { request, parts } = &mut gather.join else {
            unreachable!("only gathers of facts come here")
        };
        let parts = parts.iter_mut().map(|part| part.take().expect("none is missing")).collect();
        let reply = self.merge_kept(gather.conn, request, parts);
        self.finish_gather(&gather, &reply);
    }

    fn step_came(&mut self, id: GatherId, part: Part) {
        let shards = self.node.shards;
        let gather = self.gathers.get(id);
        let conn = gather.conn;
        let How::Walk { request, at, steps } = &mut gather.join else {
            unreachable!("only walks come here")
        };
        let step: &WalkStep = part.downcast_ref().expect("the part of a walk is a step");
        let (next, left) = (step.next, step.left);
        steps.push(part);
        let end = at.0 + 1 == shards;
        let slot = first_slot(at.0 + 1, shards);
        let from = ScanCursor { slot: SlotId(slot as u16 & 0x3fff), position: 0 };
        // Having seen enough it still asks where the next key is, as one shard alone would: the cursor
        // must not tell where shards end, and the end must not take one call more.
        if next.is_none() && !end {
            at.0 += 1;
            let at = *at;
            let argv = std::mem::take(&mut request.argv);
            let verdict = request.verdict;
            // A client that left meanwhile wants no more steps.
            if self.conn(conn).is_none() {
                self.gathers.remove(id);
                return;
            }
            let slices: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
            let req = Req { conn, verdict, argv: &slices };
            self.restore_walk(id, &argv);
            return self.walk_on(req, id, at, Some(from), Some(left));
        }
        let mut gather = self.gathers.remove(id);
        let How::Walk { request, steps, .. } = &mut gather.join else { unreachable!("as above") };
        let steps = std::mem::take(steps);
        let reply = self.merge_kept(conn, request, steps);
        self.finish_gather(&gather, &reply);
    }

    fn restore_walk(&mut self, id: GatherId, argv: &[Vec<u8>]) {
        if let How::Walk { request, .. } = &mut self.gathers.get(id).join {
            request.argv = argv.to_vec();
        }
    }

    fn merge_kept(&mut self, conn: ConnId, request: &Kept, parts: Vec<Part>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.conn(conn).is_some() {
            let argv: Vec<&[u8]> = request.argv.iter().map(Vec::as_slice).collect();
            let req = Req { conn, verdict: request.verdict, argv: &argv };
            self.merge_into(req, Ok(parts), &mut out);
        }
        out
    }

    pub(crate) fn finish_gather(&mut self, gather: &Gather, reply: &[u8]) {
        self.ran_whole(gather.index, reply);
        if self.is_stirred() {
            let (conn, ticket) = (gather.conn, gather.ticket);
            return self.publish_then_answer(conn, ticket, reply.to_vec(), gather.stalls);
        }
        self.answer_waiting(gather.conn, gather.ticket, reply, gather.stalls);
    }

    /// Fills the hole of a request that took several shards, and lets its connection go on.
    pub(crate) fn answer_waiting(&mut self, id: ConnId, ticket: u32, reply: &[u8], stalls: bool) {
        let Some(conn) = self.conn(id) else { return };
        conn.fill(ticket, reply);
        if stalls {
            self.unstall(id);
        }
        self.filled(id);
        // CLIENT KILL of the very client that asked for it.
        if self.sessions.get(id).is_some_and(|session| session.closing) {
            self.close(id, true);
        }
        self.close_if_done(id);
    }
}

/// What every shard is asked.
fn again(ask: &Ask) -> Ask {
    if matches!(ask, Ask::Collect) { Ask::Collect } else { Ask::Execute }
}
