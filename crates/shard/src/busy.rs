//! A script that takes long: it pauses again and again, and meanwhile others hear that the server is
//! busy instead of nothing at all, and may end it.
//!
//! A script that has passed `busy-reply-threshold` gives its shard back after every stretch of some
//! 100,000 instructions, about a millisecond, and goes on in the next turn. Whatever was to follow it
//! waits as a row: the reply, what it borrowed, its intent. In between the shard reads its clients and
//! its mail and answers what can be answered without a key: clients of *every* shard are refused
//! ([`ScriptBoard`](stoa_engine::ScriptBoard)), but for SCRIPT KILL and its like, and so are requests that
//! came before and wait for the shard or for a key the script holds. What must keep its place (steps of
//! transactions, keys on their way home) is put off until the script is over. So no other command sees
//! what the script has done so far, and none gets lost.

use stoa_command::{Flags, RequestPolicy};
use stoa_engine::{Ctx, Part, Proto, Reply, SessionRow, Sessions, TrackEvent, exec, refuse_exec};
use stoa_keyspace::Noticed;
use stoa_pubsub::Outgoing;
use stoa_stdx::{ConnId, DbIndex, Key, ShardId, UnixMs};

use crate::Shard;
use crate::account::Ran;
use crate::conn::Stall;
use crate::event::Action;
use crate::execute::Req;
use crate::gather::Kept;
use crate::intents::{RowId, Work};
use crate::message::{Args as ArgStore, Ask, Batch, Dest, Message, Request};
use crate::publish::NO_ROW;
use crate::reply::{RespReply, error_line};
use crate::scripts::Escaped;
use crate::transact::{Lent, LentAll};

/// A script that pauses.
pub(crate) struct BusyScript {
    pub(crate) whose: Whose,
    run: Running,
    /// The moment it happens at: time stands still for it.
    moment: UnixMs,
    /// What it has said so far. It is sent when it is over: it may have to be put back.
    outbox: Vec<Outgoing>,
    notices: Noticed,
    /// Other shards know that this one is busy.
    is_told: bool,
    tracked: Vec<TrackEvent>,
    /// Who it runs for, as it is when it pauses: its client may be gone when it goes on.
    client: Asker,
}

/// What a client is for the commands that run for it.
#[derive(Clone, Copy, Default)]
struct Asker {
    db: DbIndex,
    no_touch: bool,
    is_local: bool,
}

/// Whose script it is, and what is to be done when it is over.
pub(crate) enum Whose {
    /// A client's of this shard; all keys are here.
    Client { conn: ConnId, ticket: u32, request: Kept },
    /// Another shard asked for it, alone in this batch; `row` keeps its keys.
    Shard { home: ShardId, batch: Box<Batch>, row: Option<RowId> },
    /// It runs here on borrowed keys.
    Loan(Lent),
    /// It runs here on all keys.
    LoanOfAll(Box<LentAll>),
}

impl Whose {
    /// The client of this shard for whom it runs, if it is one.
    const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Client { conn, .. } => Some(*conn),
            Self::Loan(lent) => Some(lent.conn),
            Self::LoanOfAll(lent) => Some(lent.conn),
            Self::Shard { .. } => None,
        }
    }
}

/// How far a request has run.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) out: Vec<u8>,
    pub(crate) proto: Proto,
    /// The command of an EXEC whose script pauses.
    pub(crate) at: usize,
    /// What of an EXEC has run.
    pub(crate) ran: Vec<Ran>,
    /// It is a script that may have to be put back.
    pub(crate) may_escape: bool,
}

impl Shard {
    /// Runs a script for a client of this shard, the only one there is.
    pub(crate) fn run_pausable(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        let session = self.sessions.at(Sessions::row(req.conn));
        let (proto, muted) = (session.proto, session.reply_mode != stoa_engine::ReplyMode::On);
        self.run_unpaused(req, key);
        if !self.is_pausing() {
            return;
        }
        // It is counted when it is over.
        self.ran.pop();
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(muted);
        let run = Running { proto, ..Running::default() };
        self.pause_client(req, ticket, db, run);
    }

    /// Whether a script, or EXEC, that just ran has not come to its end.
    #[inline]
    pub(crate) const fn is_pausing(&self) -> bool {
        self.node.is_pausing()
    }

    /// The script of a client of this shard pauses.
    pub(crate) fn pause_client(
        &mut self,
        req: Req<'_>,
        ticket: u32,
        db: stoa_stdx::DbIndex,
        run: Running,
    ) {
        self.name_command(req.argv);
        let request = Kept::of(req, db);
        self.pause_script(Whose::Client { conn: req.conn, ticket, request }, run, None);
    }

    /// Says by which words it was asked for, for FUNCTION STATS.
    pub(crate) fn name_command(&mut self, argv: &[&[u8]]) {
        if let Some(paused) = &mut self.node.scripts.paused {
            paused.set_command(argv);
        }
    }

    /// A script that began just now pauses for the first time.
    pub(crate) fn pause_script(&mut self, whose: Whose, run: Running, moment: Option<UnixMs>) {
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        if let Whose::Client { conn, .. } = whose {
            self.stall(conn, Stall::Answer);
        }
        let moment = moment.unwrap_or_else(|| self.unix());
        let (outbox, notices, tracked) = (Vec::new(), Noticed::default(), Vec::new());
        debug_assert!(self.busy_script.is_none(), "one script runs at a time");
        let (is_told, client) = (false, Asker::default());
        let busy = BusyScript { whose, run, moment, outbox, notices, tracked, is_told, client };
        self.set_aside(Box::new(busy));
    }

    /// The same for a request of another shard, which may stand in a batch with others.
    pub(crate) fn pause_request(&mut self, from: ShardId, request: &mut Request, args: &ArgStore) {
        let batch = self.keep(request, Ask::Execute, args);
        let run = Running { proto: request.proto, ..Running::default() };
        request.dest = Dest::Nowhere;
        self.pause_script(Whose::Shard { home: from, batch, row: None }, run, None);
    }

    fn set_aside(&mut self, mut busy: Box<BusyScript>) {
        busy.notices = self.keyspace.notices.take();
        busy.outbox = self.node.pubsub.take_outbox();
        busy.tracked = self.node.tracking.take_log();
        let session = match busy.whose.conn().and_then(|conn| self.sessions.get(conn)) {
            Some(session) => session,
            None => self.sessions.at(Sessions::PROXY),
        };
        busy.client = Asker {
            db: session.db,
            no_touch: session.no_touch,
            is_local: session.is_local || session.is_unix,
        };
        self.ask_shards(&mut busy);
        // What only waits for other shards is over in a moment, unless it was late before.
        let tells = !busy.is_told && !self.awaits_shards();
        busy.is_told |= tells;
        self.busy_script = Some(busy);
        if tells {
            for to in (0..self.node.shards).map(ShardId).filter(|to| *to != self.node.shard) {
                self.actions.push_back(Action::Reply { to, message: Message::Busy });
            }
            self.turn_waiting_away();
        }
    }

    /// The row of the script that just began to pause stays until it is over.
    pub(crate) fn keep_row(&mut self, kept: RowId) {
        if let Some(busy) = &mut self.busy_script
            && let Whose::Shard { row, .. } = &mut busy.whose
        {
            *row = Some(kept);
        }
    }

    /// Lets the script that pauses go on for a while.
    pub(crate) fn resume_busy_script(&mut self) {
        if self.awaits_shards() || self.is_stopping {
            return;
        }
        let Some(mut busy) = self.busy_script.take() else { return };
        if self.is_stirred() {
            self.send_outbox(NO_ROW);
        }
        self.keyspace.notices.put_back(std::mem::take(&mut busy.notices));
        self.node.pubsub.put_back(std::mem::take(&mut busy.outbox));
        self.node.tracking.put_back_log(std::mem::take(&mut busy.tracked));
        self.moment = Some(busy.moment);
        let is_over = self.go_on(&mut busy);
        self.moment = None;
        if is_over { self.script_over(busy.whose, busy.run) } else { self.set_aside(busy) }
    }

    /// False: it pauses again.
    fn go_on(&mut self, busy: &mut BusyScript) -> bool {
        let BusyScript { whose, run, client, .. } = busy;
        let row = match whose {
            Whose::Shard { batch, .. } => {
                self.set_proxy(&batch.requests[0], &batch.args);
                Sessions::PROXY
            }
            Whose::Client { conn, .. } => self.row_or_stand_in(*conn, *client),
            Whose::Loan(lent) => self.row_or_stand_in(lent.conn, *client),
            Whose::LoanOfAll(lent) => self.row_or_stand_in(lent.conn, *client),
        };
        let (job, borrowed) = match whose {
            Whose::Client { request, .. } => (&request.job, None),
            Whose::Loan(lent) => (&lent.request.job, None),
            Whose::LoanOfAll(lent) => (&lent.request.job, Some(&mut lent.borrowed)),
            Whose::Shard { .. } => (&None, None),
        };
        let mut ctx = Ctx { borrowed, ..self.context(row, None) };
        let start = run.out.len();
        // If it is no script that pauses, it is a command of EXEC that other shards have answered.
        let mut from = run.at;
        if ctx.node.scripts.paused.is_some() {
            if !ctx.resume_script(&mut RespReply::new(&mut run.out, run.proto)) {
                return false;
            }
            if let Some(job) = job {
                let failures = ctx.node.failures(error_line(&run.out[start..]));
                let index = job.queue.verdicts().nth(run.at).expect("it has begun").index;
                run.ran.push(Ran::whole(index, failures));
                from += 1;
            }
        }
        if let Some(job) = job {
            let mut reply = RespReply::new(&mut run.out, run.proto);
            let mut ran = |index, failures| run.ran.push(Ran::whole(index, failures));
            if let Some(at) = exec(&job.queue, from, &mut ctx, &mut reply, &mut ran) {
                run.at = at;
                return false;
            }
        }
        true
    }

    /// A client's row; if it left, one that is as it was.
    fn row_or_stand_in(&mut self, conn: ConnId, client: Asker) -> SessionRow {
        let row = self.row_or_proxy(conn, client.db);
        if row == Sessions::PROXY {
            let proxy = self.sessions.at(row);
            (proxy.no_touch, proxy.is_local) = (client.no_touch, client.is_local);
        }
        row
    }

    fn script_over(&mut self, whose: Whose, run: Running) {
        self.look_at_board();
        match whose {
            Whose::Client { conn, ticket, request } => match self.kept_ran(&request, run) {
                Some(reply) => self.publish_then_answer(conn, ticket, reply, true),
                None => self.borrow_all_into(conn, ticket, request),
            },
            Whose::Shard { home, batch, row } => self.shard_script_over(home, batch, row, run),
            Whose::Loan(lent) => self.loan_over(lent, run),
            Whose::LoanOfAll(lent) => self.loan_of_all_over(*lent, run),
        }
        self.serve_waiters();
        while !self.is_pausing()
            && let Some(id) = self.late.pop_front()
        {
            self.run_borrower(id);
        }
        self.run_deferred();
    }

    fn shard_script_over(
        &mut self,
        home: ShardId,
        mut batch: Box<Batch>,
        row: Option<RowId>,
        run: Running,
    ) {
        match self.undo_escape() {
            Some(escape) => batch.parts.push((0, Box::new(Escaped(escape)) as Part)),
            None => {
                self.ran_whole(batch.requests[0].index, &run.out);
                batch.replies = run.out;
            }
        }
        batch.ends.push(batch.replies.len());
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        self.publish_then_send(home, batch);
        if let Some(row) = row {
            self.remove_row(row);
        }
    }

    // What others hear meanwhile.

    /// Learns whether some shard is busy.
    #[inline]
    pub(crate) fn look_at_board(&mut self) {
        self.refusal = self.node.facts.scripts.refusal();
    }

    /// Refuses a request of a client of this shard.
    pub(crate) fn turn_away_client(&mut self, id: ConnId, index: u16, text: &str) {
        self.node.commands.rejected(usize::from(index));
        if self.node.table.at(index).spec.request == RequestPolicy::Exec {
            self.drop_multi(id);
            return self.reply_here(id, |reply| refuse_exec(text.as_bytes(), reply));
        }
        self.abort_multi(id);
        self.reply_here(id, |reply| reply.error_text(text.as_bytes()));
    }

    /// Refuses or puts off a request of another shard while a script pauses here. False: it may run.
    pub(crate) fn turn_away(
        &mut self,
        from: ShardId,
        request: &mut Request,
        args: &ArgStore,
        replies: &mut Vec<u8>,
    ) -> bool {
        if let Ask::Intent(intent) = &mut request.ask
            && self.refuse_share(intent)
        {
            return true;
        }
        match request.ask {
            Ask::Unwatch(_) | Ask::EndWait(..) => return false,
            Ask::Execute | Ask::Collect | Ask::Watch(_) if self.may_run_anyhow(request) => {
                return false;
            }
            Ask::Execute | Ask::Exec(_)
                if self.refusal.is_some() && matches!(request.dest, Dest::Hole { .. }) =>
            {
                self.refuse_request(request, replies);
                return true;
            }
            Ask::Execute
            | Ask::Exec(_)
            | Ask::Collect
            | Ask::Watch(_)
            | Ask::Walk(_)
            | Ask::Lend(_)
            | Ask::LendAll(_)
            | Ask::EndTogether(_)
            | Ask::Script(_)
            | Ask::Intent(_)
            | Ask::Return(_)
            | Ask::ReturnAll(_)
            | Ask::AnswerOn(_) => {}
        }
        let ask = std::mem::replace(&mut request.ask, Ask::Execute);
        let kept = self.keep(request, ask, args);
        request.dest = Dest::Nowhere;
        self.deferred.push_back((from, Message::Batch(kept)));
        true
    }

    /// Whether a request is one of those that a busy server answers.
    pub(crate) fn may_run_anyhow(&self, request: &Request) -> bool {
        let answers = !matches!(request.dest, Dest::Nowhere);
        answers && self.node.table.at(request.index).spec.flags.has(Flags::ALLOW_BUSY)
    }

    fn refuse_request(&mut self, request: &Request, replies: &mut Vec<u8>) {
        let text = self.refusal.unwrap_or_default();
        let start = replies.len();
        let mut reply = RespReply::new(replies, request.proto);
        if let Ask::Exec(job) = &request.ask {
            refuse_exec(text.as_bytes(), &mut reply);
            self.unwatch_of(job.client);
        } else {
            reply.error_text(text.as_bytes());
        }
        self.node.commands.rejected(usize::from(request.index));
        self.node.count_error(error_line(&replies[start..]).unwrap_or_default());
    }

    /// A script of some shard pauses: what waits here for its turn is refused instead. Parts of
    /// transactions have begun, and wait on.
    pub(crate) fn turn_waiting_away(&mut self) {
        self.look_at_board();
        if self.refusal.is_none() {
            return;
        }
        // What stands before the answers of scripts leaves without them.
        for id in self.conns.iter().flatten().map(|conn| conn.id).collect::<Vec<_>>() {
            self.touched(id);
        }
        let conns = self.conns.iter().flatten();
        let waiting = conns.filter(|conn| conn.stall == Some(Stall::Intent) && !conn.has_turn);
        for id in waiting.map(|conn| conn.id).collect::<Vec<_>>() {
            // Read again, it is refused, unless it is one of those that are not.
            self.end_turn(id);
            self.unstall(id);
        }
        for row in self.intents.waiting_for_clients() {
            let Some(Work::Kept(from, mut batch)) = self.intents.take_work(row) else { continue };
            self.remove_row(row);
            let Batch { requests, replies, ends, .. } = &mut *batch;
            self.refuse_request(&requests[0], replies);
            ends.push(replies.len());
            self.send_done(from, batch);
        }
    }
}
