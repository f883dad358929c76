//! The owner's side: requests of other shards, and the steps of transactions that hold keys here.
//!
//! Nothing in a batch waits for anything behind it, nor does mail: a request that meets an intent is
//! copied into a row of its own and answered later, so one contended key never stops a link.

use stoa_command::{Args, Flags, KeyPositions};
use stoa_engine::{Blocking, Ctx, Part, Sessions, run};
use stoa_keyspace::Keyspace;
use stoa_stdx::{DbIndex, Key, ShardId};

use crate::Shard;
use crate::account::Ran;
use crate::event::Action;
use crate::execute::{ARGV_INLINE, Argv};
use crate::intents::{Hold, Order, RowId, Scope, Stamp, TransactionId, Work};
use crate::message::{
    Args as ArgStore, Ask, Batch, Dest, Intent, Keyed, LentKey, Loan, LoanOfAll, Message,
};
use crate::message::{Request, Step};
use crate::places::{Spot, prefetch};
use crate::reply::RespReply;
use crate::scripts::Escaped;
use crate::sites::Site;

/// Rows whose keys are fetched together before they run.
const AHEAD_LEN: usize = 12;

impl Shard {
    /// Takes a message of another shard.
    pub(crate) fn receive(&mut self, from: ShardId, message: Message) {
        let started = (self.clock)();
        match message {
            Message::Done(batch) => self.batch_done(from, batch),
            Message::Hint(id) => self.hinted(id),
            Message::Busy => self.turn_waiting_away(),
            Message::Batch(_)
                if self.stalled_until.is_some()
                    || !self.deferred.is_empty() && self.busy_script.is_none() =>
            {
                self.deferred.push_back((from, message));
            }
            Message::Batch(batch) => self.serve_batch(from, batch),
            Message::Mail(mail) => self.take_mail(from, *mail),
            Message::Receipts(receipts) => self.take_receipts(&receipts),
        }
        self.settle();
        self.count_since(started);
    }

    /// Goes on with mail that came while the shard slept (DEBUG SLEEP).
    pub(crate) fn run_deferred(&mut self) {
        for (from, message) in std::mem::take(&mut self.deferred) {
            self.receive(from, message);
        }
    }

    /// Runs a batch of another shard, and sends it back.
    fn serve_batch(&mut self, from: ShardId, mut batch: Box<Batch>) {
        self.witness(batch.clock);
        self.node.counters.messages_received += 1;
        self.run_requests(from, &mut batch);
        self.send_done(from, batch);
    }

    /// Sends a batch home.
    pub(crate) fn send_done(&mut self, to: ShardId, mut batch: Box<Batch>) {
        if to == self.node.shard {
            return self.batch_done(to, batch);
        }
        batch.clock = self.stamp;
        self.actions.push_back(Action::Reply { to, message: Message::Done(batch) });
    }

    fn run_requests(&mut self, from: ShardId, batch: &mut Batch) {
        let mut fetched = 0;
        let mut at = 0;
        while let Some(request) = batch.requests.get(at) {
            if let Some(first) = request.keyed.first()
                && first >= fetched
            {
                let stage = batch.args.stage(first);
                prefetch(&self.keyspace, request.db, stage);
                fetched = first + stage.len() as u32;
            }
            let Batch { requests, args, replies, ends, followed, .. } = &mut *batch;
            let (ran, stirred) = match followed {
                None => self.serve_row(&requests[at..], fetched, args, replies, ends),
                Some(_) => (0, false),
            };
            at += ran;
            if stirred {
                self.end_row(from, batch, at - 1);
            } else if ran == 0 {
                self.serve_one(from, batch, at);
                at += 1;
            }
        }
    }

    /// Carries out what the last request of a row left.
    fn end_row(&mut self, from: ShardId, batch: &mut Batch, number: usize) {
        let Batch { requests, replies, ends, parts, .. } = batch;
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        if self.is_stirred() {
            let start = ends.last().copied().unwrap_or(0);
            let part = self.publish_then_part(from, &mut requests[number], None, replies, start);
            parts.extend(part.map(|part| (number as u32, part)));
        }
        ends.push(replies.len());
        if self.keyspace.has_woken() {
            self.serve_waiters();
        }
    }

    /// Runs one request of a batch, whatever it is.
    fn serve_one(&mut self, from: ShardId, batch: &mut Batch, number: usize) {
        let Batch { requests, args, replies, ends, parts, followed, .. } = batch;
        let request = &mut requests[number];
        let answers = !matches!(request.dest, Dest::Nowhere);
        self.node.counters.commands_for_others += u64::from(answers);
        if self.is_pausing() && self.turn_away(from, request, args, replies) {
            ends.push(replies.len());
            return;
        }
        if let Some(followed) = followed
            && followed.number == number as u32
        {
            self.node.tracer.resume(followed.id, self.node.table.at(request.index).spec.name);
        }
        let part = match request.ask {
            Ask::Execute | Ask::Collect | Ask::Walk(_) | Ask::Exec(_) | Ask::Watch(_) => {
                if self.intents.is_idle() || !self.parks(from, request, args) {
                    let part = self.run_request(request, args, replies);
                    if self.is_pausing() && self.busy_script.is_none() {
                        self.pause_request(from, request, args);
                        None
                    } else if let Some(block) = self.asked_block.take() {
                        let kept = self.keep(request, Ask::Execute, args);
                        request.dest = Dest::Nowhere;
                        self.wait_here(from, kept, *block);
                        None
                    } else if let Some(job) = self.asked_job.take() {
                        self.job_of_request(from, request, args, job);
                        request.dest = Dest::Nowhere;
                        None
                    } else if self.is_stirred() {
                        let start = ends.last().copied().unwrap_or(0);
                        self.publish_then_part(from, request, part, replies, start)
                    } else {
                        part
                    }
                } else {
                    None
                }
            }
            Ask::Lend(_) | Ask::LendAll(_) => {
                unreachable!("keys are lent for an intent only")
            }
            Ask::Script(_) => {
                let ask = std::mem::replace(&mut request.ask, Ask::Execute);
                let Ask::Script(text) = ask else { unreachable!("just matched") };
                self.node.scripts.share(&text.0);
                None
            }
            Ask::Unwatch(client) => {
                self.unwatch_of(client);
                None
            }
            Ask::EndWait(conn, end) => {
                self.end_wait_of(from, conn, end);
                None
            }
            Ask::EndTogether(id) => {
                self.remove_remote_waiter(id);
                None
            }
            Ask::Intent(_) => self.take_step(from, request, args, replies),
            Ask::Return(_) => {
                let ask = std::mem::replace(&mut request.ask, Ask::Execute);
                let Ask::Return(loan) = ask else { unreachable!("just matched") };
                self.loan_returned(*loan);
                None
            }
            Ask::ReturnAll(_) => {
                let ask = std::mem::replace(&mut request.ask, Ask::Execute);
                let Ask::ReturnAll(loan) = ask else { unreachable!("just matched") };
                self.all_returned(*loan);
                None
            }
            Ask::AnswerOn(_) => {
                let ask = std::mem::replace(&mut request.ask, Ask::Execute);
                let Ask::AnswerOn(keys) = ask else { unreachable!("just matched") };
                Some(Box::new(self.answer_on_lent(request, args, keys)) as Part)
            }
        };
        parts.extend(part.map(|part| (number as u32, part)));
        ends.push(replies.len());
        if self.node.tracer.is_on() {
            self.node.tracer.end(true);
        }
        if self.keyspace.has_woken() {
            self.serve_waiters();
        }
    }

    /// Puts a request that meets an intent into a row of its own. False if it may run.
    fn parks(&mut self, from: ShardId, request: &mut Request, args: &ArgStore) -> bool {
        let waits = self.rarely(Site::Park);
        if !waits && self.is_free(request, args) {
            return false;
        }
        let scope = match self.request_scope(request, args) {
            Some(scope) => scope,
            // Whatever looks at the keys of a shard that has none for the moment.
            None if self.keys_are_lent && !self.may_run_anyhow(request) => {
                let spec = &self.node.table.at(request.index).spec;
                Scope::All { writes: !spec.flags.has(Flags::READONLY) }
            }
            None => return false,
        };
        if !waits && !self.intents.hinders_scope(&scope) {
            return false;
        }
        let ask = std::mem::replace(&mut request.ask, Ask::Execute);
        let mut kept = self.keep(request, ask, args);
        request.dest = Dest::Nowhere;
        let order = self.order_here();
        // It sees deadlines as of its place in the order: what comes behind it may run with an earlier
        // clock than the one it is going to start at.
        kept.moment = Some(self.now.unix);
        self.add_row(order, true, scope, Work::Kept(from, kept));
        true
    }

    /// A batch of one request, for later.
    pub(crate) fn keep(&mut self, request: &Request, ask: Ask, args: &ArgStore) -> Box<Batch> {
        let mut batch = self.spare_kept();
        let argv: Argv<'_> = args.get(request.argv).collect();
        let argv = batch.args.push(&argv);
        batch.args.push_tracker(argv, args.tracker(request.argv));
        let keyed = request.keyed.moved(batch.args.spot_count());
        batch.args.push_spots(args.spots(request.keyed).iter().copied());
        batch.requests.push(Request { argv, ask, keyed, ..*request });
        batch
    }

    /// Whether it is seen at a glance that a request meets no intent.
    fn is_free(&self, request: &Request, args: &ArgStore) -> bool {
        let is_plain = matches!(request.ask, Ask::Execute | Ask::Intent(_));
        let spots = args.all_spots(request.keyed);
        if !is_plain || spots.is_empty() || self.keys_are_lent {
            return false;
        }
        let writes = !self.node.table.at(request.index).spec.flags.has(Flags::READONLY);
        !spots.iter().any(|spot| self.intents.hinders(Hold { hash: spot.hash, writes }))
    }

    /// Takes a step of a transaction whose home is `from`.
    fn take_step(
        &mut self,
        from: ShardId,
        request: &mut Request,
        args: &ArgStore,
        replies: &mut Vec<u8>,
    ) -> Option<Part> {
        let mut ask = std::mem::replace(&mut request.ask, Ask::Execute);
        let Ask::Intent(intent) = &mut ask else { unreachable!("only steps come here") };
        if self.refuse_share(intent) {
            request.ask = ask;
            return None;
        }
        let part = match intent.step {
            Step::Commit => {
                self.witness(intent.stamp);
                let row = intent.row.expect("the proposal named the row");
                self.commit_row(row, intent.stamp, intent.unix);
                None
            }
            Step::Abort => {
                self.forget_share(intent.row.expect("the proposal named the row"));
                None
            }
            Step::Prepare => {
                self.witness(intent.stamp);
                intent.stamp = self.next_stamp();
                intent.unix = intent.unix.max(self.now.unix);
                self.hold(from, request, intent, args, false);
                None
            }
            Step::Decide => {
                self.witness(intent.stamp);
                intent.stamp = self.next_stamp();
                intent.unix = intent.unix.max(self.now.unix);
                self.decide(from, request, intent, args, replies)
            }
        };
        request.ask = ask;
        part
    }

    /// Commits at once, there being no third shard, and runs at once if nothing is in the way.
    fn decide(
        &mut self,
        from: ShardId,
        request: &mut Request,
        intent: &mut Intent,
        args: &ArgStore,
        replies: &mut Vec<u8>,
    ) -> Option<Part> {
        let runs = match intent.then {
            // What is lent needs a row that keeps others away.
            Ask::Lend(_) | Ask::LendAll(_) => false,
            _ if self.rarely(Site::HoldDecided) => false,
            _ if self.intents.is_idle() || self.is_free(request, args) => true,
            _ => {
                let scope = self.request_scope(request, args);
                !scope.is_some_and(|scope| self.intents.hinders_scope(&scope))
            }
        };
        if !runs {
            self.hold(from, request, intent, args, true);
            return None;
        }
        request.ask = std::mem::replace(&mut intent.then, Ask::Execute);
        self.moment = Some(intent.unix);
        let part = self.run_request(request, args, replies);
        self.moment = None;
        part
    }

    /// Makes the row of a transaction's share; what comes of it is answered apart.
    fn hold(
        &mut self,
        from: ShardId,
        request: &mut Request,
        intent: &mut Intent,
        args: &ArgStore,
        committed: bool,
    ) {
        let then = std::mem::replace(&mut intent.then, Ask::Execute);
        request.ask = then;
        let scope = self.request_scope(request, args);
        let then = std::mem::replace(&mut request.ask, Ask::Execute);
        let mut kept = self.keep(request, then, args);
        kept.moment = committed.then_some(intent.unix);
        let scope = scope.unwrap_or(Scope::Keys(Vec::new()));
        let id = TransactionId { home: from, number: intent.number };
        let order = Order { stamp: intent.stamp, id };
        intent.row = Some(self.add_row(order, committed, scope, Work::Kept(from, kept)));
    }

    /// What a request touches. None: nothing that an intent could hold.
    pub(crate) fn request_scope(&mut self, request: &Request, args: &ArgStore) -> Option<Scope> {
        let spec = &self.node.table.at(request.index).spec;
        let writes = !spec.flags.has(Flags::READONLY);
        match &request.ask {
            Ask::Lend(client) => {
                let keys = args.get(request.argv);
                return Some(self.lent_scope(keys, *client));
            }
            Ask::LendAll(_) => return Some(Scope::All { writes: true }),
            Ask::Exec(job) => return self.queue_scope(&job.queue, job.client),
            Ask::Execute
            | Ask::Collect
            | Ask::Walk(_)
            | Ask::Watch(_)
            | Ask::Unwatch(_)
            | Ask::EndWait(..)
            | Ask::EndTogether(_)
            | Ask::Script(_)
            | Ask::Intent(_)
            | Ask::Return(_)
            | Ask::ReturnAll(_)
            | Ask::AnswerOn(_) => {}
        }
        let spots = args.all_spots(request.keyed);
        if !spots.is_empty() {
            let mut holds = self.intents.holds();
            holds.extend(spots.iter().map(|spot| Hold { hash: spot.hash, writes }));
            return Some(Scope::Keys(holds));
        }
        let argv: Argv<'_> = args.get(request.argv).collect();
        self.scope_of(request.index, &argv, request.args_at as usize, writes)
    }

    /// The keys of a loan, and those that its client watches here.
    pub(crate) fn lent_scope<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]>,
        client: u64,
    ) -> Scope {
        if self.keys_are_lent && client != 0 {
            // What the client watches is away with the keys: whatever it is, it waits for their return.
            return Scope::All { writes: true };
        }
        let mut holds = self.intents.holds();
        let seed = self.keyspace.seed();
        holds.extend(keys.map(|key| Hold { hash: seed.hash(key), writes: true }));
        self.watched_holds(client, &mut holds);
        Scope::Keys(holds)
    }

    /// What a command touches on this shard. None: nothing that an intent could hold.
    pub(crate) fn scope_of(
        &mut self,
        index: u16,
        argv: &[&[u8]],
        args_at: usize,
        writes: bool,
    ) -> Option<Scope> {
        // Where all keys are at hand nobody stops a script that wants one which it did not declare.
        if self.node.shards == 1 && self.scripted[index as usize] {
            return Some(Scope::All { writes });
        }
        let spec = &self.node.table.at(index).spec;
        let (args, mut keys) = (Args::new(argv, args_at), KeyPositions::default());
        if spec.key_positions(&args, &mut keys).is_err() || keys.as_slice().is_empty() {
            return spec.wants_all_keys(&args).then_some(Scope::All { writes });
        }
        let mut holds = self.intents.holds();
        let seed = self.keyspace.seed();
        holds.extend(
            keys.as_slice().iter().map(|(at, _)| Hold { hash: seed.hash(argv[*at]), writes }),
        );
        Some(Scope::Keys(holds))
    }

    /// Starts the rows whose turn has come, until none is left.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.intents.is_idle() {
            self.start_ready();
        }
    }

    fn start_ready(&mut self) {
        let mut fetched = 0;
        while self.stalled_until.is_none() && !self.is_pausing() {
            if fetched == 0 {
                let ahead = self.intents.kept_ahead(AHEAD_LEN);
                self.stage.clear();
                let mut db = DbIndex::default();
                for batch in ahead {
                    db = batch.requests[0].db;
                    self.stage.extend_from_slice(batch.args.spots(batch.requests[0].keyed));
                }
                prefetch(&self.keyspace, db, &self.stage);
                fetched = AHEAD_LEN;
            }
            fetched -= 1;
            let Some((row, work)) = self.intents.next_ready() else { return };
            match work {
                Work::Kept(from, batch) => self.start_kept(row, from, batch),
                Work::Own(gather) => self.own_turn(gather),
                Work::Resume(id) => self.resume_row(id, row),
                Work::Hold => {}
            }
        }
    }

    pub(crate) fn start_kept(&mut self, row: RowId, from: ShardId, mut batch: Box<Batch>) {
        let Batch { requests, args, replies, ends, parts, .. } = &mut *batch;
        let request = &requests[0];
        match request.ask {
            Ask::Lend(client) => {
                let keys: Vec<Vec<u8>> = args.get(request.argv).map(<[u8]>::to_vec).collect();
                let part: Part = Box::new(self.lend(row, keys, client));
                parts.push((0, part));
            }
            Ask::LendAll(client) => {
                let part: Part = Box::new(self.lend_all(row, client));
                parts.push((0, part));
            }
            _ => {
                self.let_go(row);
                self.answer_kept(from, batch);
                if self.is_pausing() {
                    return self.keep_row(row);
                }
                if self.keep_job_row(row) {
                    return;
                }
                self.remove_row(row);
                if self.keyspace.has_woken() {
                    self.serve_waiters();
                }
                return;
            }
        }
        ends.push(replies.len());
        if self.is_stirred() {
            self.publish_then_send(from, batch);
        } else {
            self.send_done(from, batch);
        }
    }

    /// Whether something that a client watches here changed. It watches nothing any more.
    pub(crate) fn end_watch(&mut self, client: u64) -> bool {
        let broken = client != 0 && self.keyspace.is_watch_broken(client, self.unix());
        self.keyspace.unwatch(client);
        broken
    }

    fn lend(&mut self, row: RowId, keys: Vec<Vec<u8>>, client: u64) -> Loan {
        let broken = self.end_watch(client);
        let keys = keys.into_iter().map(|bytes| self.take_key(bytes)).collect();
        let tracks = self.keyspace.tells_changes();
        Loan { row, keys, broken, tracks, tracked: Vec::new(), wait: None }
    }

    fn lend_all(&mut self, row: RowId, client: u64) -> LoanOfAll {
        let broken = self.end_watch(client);
        let seed = self.keyspace.seed().clone();
        let databases = self.keyspace.database_count();
        let stand_in = Keyspace::new(databases, seed, self.now.unix);
        self.node.publish_notices(&mut self.keyspace);
        if self.keyspace.has_told() {
            self.tell_told();
        }
        self.keys_are_lent = true;
        let mut keyspace = Box::new(std::mem::replace(&mut self.keyspace, stand_in));
        // Who waits here holds what is here.
        std::mem::swap(&mut keyspace.held, &mut self.keyspace.held);
        self.keyspace.tell_changes(keyspace.tells_changes());
        LoanOfAll { row, keyspace, broken, tracked: Vec::new() }
    }

    fn all_returned(&mut self, loan: LoanOfAll) {
        let held = std::mem::take(&mut self.keyspace.held);
        let tracks = self.keyspace.tells_changes();
        self.keyspace = *loan.keyspace;
        self.keyspace.held = held;
        self.node.configure(&mut self.keyspace);
        self.keys_are_lent = false;
        if self.keyspace.has_told() {
            self.tell_told();
        }
        // Somebody may have begun to listen meanwhile.
        self.keyspace.tell_changes(tracks || !self.node.tracking.is_idle());
        self.take_home(loan.tracked);
        self.remove_row(loan.row);
        for client in std::mem::take(&mut self.unwatch_later) {
            self.keyspace.unwatch(client);
        }
        for (db, key) in std::mem::take(&mut self.unwait_later) {
            self.keyspace.remove_waiter(db, &key);
        }
        if self.keyspace.has_woken() {
            self.serve_waiters();
        }
    }

    /// A client of another shard watches nothing here any more.
    pub(crate) fn unwatch_of(&mut self, client: u64) {
        if self.keys_are_lent {
            self.unwatch_later.push(client);
        } else {
            self.keyspace.unwatch(client);
        }
    }

    /// Takes a key out of every database.
    pub(crate) fn take_key(&mut self, bytes: Vec<u8>) -> LentKey {
        let place = self.keyspace.seed().key(&bytes);
        let mut entries = Vec::new();
        for index in 0..self.keyspace.database_count() {
            let index = DbIndex(index);
            let taken = self.keyspace.db(index, self.now.unix, false).lend(&place);
            entries.extend(taken.map(|owned| (index, owned)));
        }
        self.keyspace.forget_notes();
        LentKey { bytes, entries, changed: Vec::new() }
    }

    /// Puts a key into the databases it came from.
    pub(crate) fn put_key(&mut self, key: LentKey) {
        let place = self.keyspace.seed().key(&key.bytes);
        for (index, owned) in key.entries {
            self.keyspace.db(index, self.now.unix, false).put(&place, owned);
        }
        self.keyspace.forget_notes();
        for index in key.changed {
            self.keyspace.changed_elsewhere(index, &key.bytes);
        }
    }

    fn loan_returned(&mut self, loan: Loan) {
        loan.keys.into_iter().for_each(|key| self.put_key(key));
        self.take_home(loan.tracked);
        if let Some(waiter) = loan.wait {
            self.add_remote_waiter(*waiter);
        }
        self.remove_row(loan.row);
        if self.keyspace.has_woken() {
            self.serve_waiters();
        }
    }

    /// Runs one request of another shard; gives its part if it was asked to collect.
    pub(crate) fn run_request(
        &mut self,
        request: &Request,
        args: &ArgStore,
        replies: &mut Vec<u8>,
    ) -> Option<Part> {
        self.set_proxy(request, args);
        if let Ask::Exec(job) = &request.ask {
            self.run_job(request, job, replies);
            return None;
        }
        let key = match request.keyed {
            Keyed::Only { at, .. } | Keyed::By { at, .. } => {
                let Spot { slot, hash } = args.spots(request.keyed)[0];
                Some(Key { bytes: args.nth(request.argv, at), slot, hash })
            }
            Keyed::No | Keyed::At { .. } => None,
        };
        let argc = request.argv.count as usize;
        if argc <= ARGV_INLINE {
            let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
            argv.iter_mut().zip(args.get(request.argv)).for_each(|(to, arg)| *to = arg);
            return self.run_command(request, key, &argv[..argc], replies);
        }
        let argv: Argv<'_> = args.get(request.argv).collect();
        self.run_command(request, key, &argv, replies)
    }

    #[inline]
    fn run_command(
        &mut self,
        request: &Request,
        key: Option<Key<'_>>,
        argv: &[&[u8]],
        replies: &mut Vec<u8>,
    ) -> Option<Part> {
        let entry = self.node.table.at(request.index);
        let scripted = self.is_scripted(request.index);
        let walk = match &request.ask {
            Ask::Walk(walk) => Some(**walk),
            _ => None,
        };
        let mut part = None;
        let is_whole = matches!(request.dest, Dest::Hole { .. });
        let blocking = if is_whole { Blocking::Allowed } else { Blocking::Denied };
        let now = self.unix();
        if scripted {
            self.begin_script();
        }
        if matches!(request.ask, Ask::Collect) {
            self.count_waiting();
        }
        let mut ctx = Ctx {
            key,
            blocking,
            walk,
            ..Ctx::new(
                &mut self.keyspace,
                &mut self.sessions,
                &mut self.node,
                (now, self.now.mono.ms()),
                Sessions::PROXY,
            )
        };
        let at = request.args_at as usize;
        match request.ask {
            Ask::Execute | Ask::Watch(_) => {
                let mut reply = RespReply::new(replies, request.proto);
                let start = stoa_engine::Reply::mark(&reply);
                run(entry, argv, at, &mut ctx, &mut reply);
                match ctx.blocking {
                    Blocking::Asked(block) => {
                        self.asked_block = Some(block);
                        return None;
                    }
                    Blocking::Until(job) => {
                        self.asked_job = Some(job);
                        return None;
                    }
                    Blocking::Denied | Blocking::Allowed | Blocking::ForJobs => {}
                }
                if scripted && self.is_pausing() {
                    self.name_command(argv);
                    replies.truncate(start);
                    return None;
                }
                if scripted && let Some(escape) = self.undo_escape() {
                    replies.truncate(start);
                    return Some(Box::new(Escaped(escape)));
                }
                if matches!(request.dest, Dest::Hole { .. }) {
                    self.ran_whole(request.index, &replies[start..]);
                } else {
                    self.ran.push(Ran::Share(request.index));
                }
            }
            Ask::Collect | Ask::Walk(_) => {
                // It was parsed at home before it was sent.
                part = (entry.collect)(&mut Args::new(argv, at), &mut ctx).ok();
                self.ran.push(Ran::Share(request.index));
            }
            _ => unreachable!("no command runs for {:?}", request.ask),
        }
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        part
    }

    /// Lets the stand-in for clients of other shards be like the one who asks.
    pub(crate) fn set_proxy(&mut self, request: &Request, args: &ArgStore) {
        let tracker = args.tracker(request.argv);
        if tracker.is_some() {
            self.keyspace.tell_changes(true);
        }
        let proxy = self.sessions.at(Sessions::PROXY);
        (proxy.db, proxy.proto) = (request.db, request.proto);
        (proxy.no_touch, proxy.is_local) = (request.no_touch, request.is_local);
        proxy.stands_for = tracker;
        proxy.id = match request.ask {
            Ask::Watch(client) => client,
            _ => 0,
        };
    }

    /// A stamp after all that this shard has given or seen.
    pub(crate) fn next_stamp(&mut self) -> Stamp {
        self.stamp = Stamp((self.stamp.0 + 1).max(self.now.mono.0));
        self.stamp
    }

    /// What this shard stamps from here on comes after `stamp`.
    pub(crate) fn witness(&mut self, stamp: Stamp) {
        self.stamp = self.stamp.max(stamp);
    }

    /// A place in the order for a transaction whose home is here, or a command that waits here.
    pub(crate) fn order_here(&mut self) -> Order {
        let stamp = self.next_stamp();
        self.next_transaction += 1;
        let id = TransactionId { home: self.node.shard, number: self.next_transaction };
        Order { stamp, id }
    }
}
