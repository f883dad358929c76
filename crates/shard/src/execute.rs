//! From a request to its reply, or to the shards that have it.

use smallvec::SmallVec;
use stoa_command::{Args, Flags, KeyPositions, ReplyError};
use stoa_engine::{
    Block, Blocking, Ctx, OUT_OF_MEMORY, Part, Refusal, Reply, ReplyMode, SessionRow, Sessions,
    Verdict, Walk, admit_found, refuse, run,
};
use stoa_resp::ProtocolError;
use stoa_stdx::{ConnId, Key, ShardId};

use crate::Shard;
use crate::account::Ran;
use crate::blocking::Waits;
use crate::conn::Stall;
use crate::input::{Cmd, Source, What};
use crate::intents::{Hold, Scope};
use crate::keys::owner_of;
use crate::message::{Ask, Batch, Dest, Followed, Keyed, Request};
use crate::notices::is_other_protocol;
use crate::orders::holds_back;
use crate::places::{Place, Routed, Spot};
use crate::plan::{Join, Plan};
use crate::reply::{RespReply, error_line};
use crate::sites::Site;

/// A batch is posted before the end of its pass once its arguments are this long.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Replies a client may be owed from its first unanswered foreign request on. Bounds what other
/// shards may be preparing for one client that does not read.
const HOLES_MAX: usize = 128;
/// Output from which each further reply is held against the client's limits at once.
pub(crate) const OUTPUT_LOOK_LEN: usize = 64 * 1024;
/// What confirms subscriptions: answered by messages, which CLIENT REPLY does not silence.
const PUSHES: Flags = Flags::PUBSUB.with(Flags::IN_SUBSCRIBED);
/// Arguments of a request that fit on the stack.
pub(crate) const ARGV_INLINE: usize = 8;

/// Arguments of a request, on the stack as long as they are no more than MSET of ten has.
pub(crate) type Argv<'a> = SmallVec<[&'a [u8]; 24]>;

/// A request on its way.
#[derive(Clone, Copy)]
pub(crate) struct Req<'a> {
    pub(crate) conn: ConnId,
    pub(crate) verdict: Verdict,
    pub(crate) argv: &'a [&'a [u8]],
}

impl Shard {
    /// Runs one request of a window, or holds it back.
    #[inline]
    pub(crate) fn run_cmd(&mut self, cmd: &Cmd, places: &[Place], sources: &mut [Source<'_>]) {
        let source = &sources[cmd.source as usize];
        let id = source.conn;
        let holes_max = if self.rarely(Site::FewHoles) { 1 } else { self.holes_max() };
        let waits = match self.conn(id) {
            None => return,
            Some(conn) => {
                if conn.owed.len() >= holes_max && conn.stall.is_none() && !conn.has_turn {
                    conn.stall = Some(Stall::Holes);
                }
                conn.stall.is_some() || conn.closing
            }
        } || self.stalled_until.is_some();
        let ran = !waits && {
            if self.node.tracking.caching > 0 {
                self.begin_caching(id);
            }
            if !self.intents.is_idle() {
                self.begin_turn(id);
            }
            let spans_at = cmd.spans_at as usize;
            let spans = &self.spans[spans_at..spans_at + cmd.argc as usize];
            let argc = spans.len();
            if argc <= ARGV_INLINE {
                let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
                source.args(spans, &mut argv);
                self.run_argv(cmd, places, id, &argv[..argc])
            } else {
                let argv: Argv<'_> = spans.iter().map(|span| source.arg(*span)).collect();
                self.run_argv(cmd, places, id, &argv)
            }
        };
        if self.node.tracer.is_on() {
            self.end_sample(id, ran);
        }
        if !ran {
            sources[cmd.source as usize].hold_from(cmd.start);
        }
        if ran && self.node.tracking.caching > 0 {
            self.end_caching(id);
        }
        self.moment = None;
        // A shard that was put to sleep keeps what did not run for later.
        if !self.intents.is_idle() && (ran || self.stalled_until.is_none()) {
            self.end_turn_of(id);
        }
    }

    /// The request that is followed has run here, was sent, or has to wait and come again.
    #[cold]
    fn end_sample(&mut self, id: ConnId, ran: bool) {
        if ran {
            let is_awaited = self.conn(id).is_some_and(|conn| conn.owed.is_waiting());
            self.node.tracer.end(is_awaited);
        } else {
            self.node.tracer.forget();
        }
    }

    /// False when it has to wait.
    #[inline]
    fn run_argv(&mut self, cmd: &Cmd, places: &[Place], id: ConnId, argv: &[&[u8]]) -> bool {
        let found = match cmd.what {
            What::Malformed(error) => {
                self.refuse_bytes(id, error);
                return true;
            }
            What::Empty => {
                // Nobody hears of it, which is all that a skipped reply asks for.
                self.takes_mute(id);
                return true;
            }
            What::Unknown => None,
            What::Own(index, _)
            | What::Foreign(index, _)
            | What::Many(index)
            | What::Other(index) => Some(index),
        };
        let session = self.sessions.at(Sessions::row(id));
        session.active = self.now.mono.ms();
        session.commands_total += 1;
        let verdict = match admit_found(self.node.table, found, argv, session) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                if refusal == Refusal::UnknownCommand && is_other_protocol(argv[0]) {
                    self.end_other_protocol(id);
                    return true;
                }
                self.refused(id, argv, refusal);
                return true;
            }
        };
        let spec = &self.node.table.at(verdict.index).spec;
        session.last_command = spec.name;
        let in_multi = session.multi.is_some();
        if self.node.tracer.takes(self.node.config.trace_sample) {
            self.node.tracer.begin(session.id, spec.name, self.now.mono);
        }
        if let Some(pause) = &self.pause
            && holds_back(pause, spec.flags)
        {
            self.stall(id, Stall::Paused);
            self.paused.push(id);
            return false;
        }
        if let Some(text) = self.refusal
            && !spec.flags.has(Flags::ALLOW_BUSY)
        {
            self.turn_away_client(id, verdict.index, text);
            return true;
        }
        if self.node.config.maxmemory > 0
            && self.refusal.is_none()
            && self.lacks_memory(id, verdict.index)
        {
            self.turn_away_client(id, verdict.index, OUT_OF_MEMORY);
            return true;
        }
        if in_multi && !spec.flags.has(Flags::IMMEDIATE) {
            self.queue(id, verdict, argv, cmd, places);
            return true;
        }
        // What pauses to ask other shards holds all there is.
        if (self.keys_are_lent || self.node.asking.is_some())
            && !spec.flags.has(Flags::ALLOW_BUSY)
            && !self.has_turn(id)
        {
            // Nobody may pass by what it writes in its place in the order, whatever that is.
            let writes = !spec.flags.has(Flags::READONLY);
            return self.wait_for_turn(id, Scope::All { writes });
        }
        let req = Req { conn: id, verdict, argv };
        let follows = self.conns[id.index as usize].as_ref().map(|c| (c.undecided, c.decider));
        if let Some((1.., decider)) = follows
            && !self.may_follow(decider, cmd, places, req)
        {
            self.stall(id, Stall::Undecided);
            return false;
        }
        match cmd.what {
            What::Own(_, at) => {
                let key = Key { bytes: argv[at as usize], slot: cmd.slot, hash: cmd.hash };
                if !self.intents.is_idle() {
                    let hold = Hold { hash: cmd.hash, writes: !spec.flags.has(Flags::READONLY) };
                    if self.intents.hinders(hold) && !self.has_turn(id) {
                        return self.wait_for_turn(id, Scope::Keys(vec![hold]));
                    }
                }
                self.run_here(req, Some(key));
                true
            }
            What::Foreign(..) if self.waits_for_confirmation(id) => false,
            What::Foreign(_, at) => {
                let key = Key { bytes: argv[at as usize], slot: cmd.slot, hash: cmd.hash };
                self.send_whole(req, owner_of(cmd.slot, self.node.shards), Routed::Only(key, at));
                true
            }
            What::Many(_) => self.route_many(req, cmd.places(places)),
            What::Other(_) => self.route(req),
            What::Malformed(_) | What::Empty | What::Unknown => unreachable!("answered above"),
        }
    }

    fn refuse_bytes(&mut self, id: ConnId, error: ProtocolError) {
        let text = format!("ERR {error}");
        self.reply_here(id, |reply| reply.error_text(text.as_bytes()));
        self.close(id, true);
    }

    pub(crate) fn refuse(&mut self, id: ConnId, argv: &[&[u8]], refusal: Refusal) {
        let table = self.node.table;
        if let Refusal::Error(Some(index), _) = refusal {
            self.node.commands.rejected(index as usize);
        }
        self.reply_here(id, |reply| refuse(table, argv, refusal, reply));
    }

    /// Answers what parsing found wrong before the request was given to other shards.
    pub(crate) fn refuse_parsed(&mut self, req: Req<'_>, error: ReplyError) {
        self.ran.push(Ran::whole(req.verdict.index, 1));
        self.reply_here(req.conn, |reply| reply.error(error));
    }

    /// Writes a reply that no command makes.
    pub(crate) fn reply_here(
        &mut self,
        id: ConnId,
        write: impl FnOnce(&mut dyn stoa_engine::Reply),
    ) {
        let session = self.sessions.at(Sessions::row(id));
        let proto = session.proto;
        let mode = session.reply_mode;
        if mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::On;
        }
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else { return };
        let start = conn.sink().len();
        if mode == ReplyMode::On {
            write(&mut RespReply::new(conn.sink(), proto));
        }
        if let Some(text) = error_line(&conn.sink()[start..]) {
            self.node.count_error(text);
        }
        conn.written(start);
        self.touched(id);
    }

    /// A request that the fast ways do not cover. False when it has to wait.
    fn route(&mut self, req: Req<'_>) -> bool {
        let entry = self.node.table.at(req.verdict.index);
        let alone = self.node.shards == 1;
        let plan = self.plans[req.verdict.index as usize];
        if !alone && plan != Plan::Home && self.waits_for_confirmation(req.conn) {
            return false;
        }
        // What holds keys here (COPY and MIGRATE of large values) holds them against FLUSHALL and scripts, too.
        if alone
            && plan != Plan::Exec
            && let Some(scope) = self.hindering(req)
        {
            return self.wait_for_turn(req.conn, scope);
        }
        match plan {
            Plan::Home => self.run_here(req, None),
            Plan::Exec => return self.exec(req),
            // Nor may a walk pass by a key that is only lent.
            Plan::AllShards(Join::Merge) if alone => self.merge_alone(req, Ask::Collect),
            Plan::Walk if alone => {
                let end_slot = stoa_stdx::SLOT_COUNT;
                self.merge_alone(
                    req,
                    Ask::Walk(Box::new(Walk { from: None, left: None, end_slot })),
                );
            }
            Plan::AllShards(_) if alone => self.run_here(req, None),
            Plan::AllShards(join) => self.ask_all(req, join),
            Plan::Walk => self.ask_walk(req),
            Plan::OneKey(_) | Plan::Keys | Plan::Split(_) | Plan::Watch => {
                let mut keys = KeyPositions::default();
                let args = Args::new(req.argv, req.verdict.args_at);
                if entry.spec.key_positions(&args, &mut keys).is_err() {
                    // The parser knows better what is wrong with it.
                    self.run_here(req, None);
                    return true;
                }
                if self.plans[req.verdict.index as usize] == Plan::Watch {
                    return self.watch(req, &keys);
                }
                if self.goes_to_all(req) {
                    return true;
                }
                return self.route_keys(req, &keys);
            }
        }
        true
    }

    fn route_keys(&mut self, req: Req<'_>, keys: &KeyPositions) -> bool {
        let shards = self.node.shards;
        let at = |position: usize| self.keyspace.seed().key(req.argv[position]);
        let Some((first_at, _)) = keys.as_slice().first().copied() else {
            self.run_or_script(req, None);
            return true;
        };
        let first = at(first_at);
        let owner = owner_of(first.slot, shards);
        let one_owner = shards == 1
            || keys
                .as_slice()
                .iter()
                .all(|(position, _)| owner_of(at(*position).slot, shards) == owner);
        if one_owner && owner != self.node.shard {
            // One so far behind is looked for again by its owner.
            let routed = u8::try_from(first_at).map_or(Routed::No, |at| Routed::By(first, at));
            self.send_whole(req, owner, routed);
        } else if one_owner {
            if let Some(scope) = self.hindering(req) {
                return self.wait_for_turn(req.conn, scope);
            }
            self.run_or_script(req, Some(first));
        } else {
            self.transact(req, keys.as_slice().iter().map(|(at, _)| *at));
        }
        true
    }

    /// A request with several keys whose places are known. False when it has to wait.
    fn route_many(&mut self, req: Req<'_>, places: &[Place]) -> bool {
        let here = self.node.shard;
        if self.node.shards > 1 && self.waits_for_confirmation(req.conn) {
            return false;
        }
        let first = &places[0];
        let one_owner = places.iter().all(|place| place.owner == first.owner);
        if one_owner && first.owner == here {
            if let Some(scope) = self.hindering_places(req, places) {
                return self.wait_for_turn(req.conn, scope);
            }
            let Spot { slot, hash } = first.spot;
            self.run_here(req, Some(Key { bytes: req.argv[first.at as usize], slot, hash }));
        } else if one_owner {
            self.send_whole(req, first.owner, Routed::At(places, first.owner));
        } else if let Plan::Split(join) = self.plans[req.verdict.index as usize]
            && !self.events_are_heard()
        {
            self.split(req, places, join);
        } else {
            self.transact(req, places.iter().map(|place| place.at as usize));
        }
        true
    }

    /// What a request on these keys of this shard touches, if it has to wait for some of it.
    fn hindering_places(&mut self, req: Req<'_>, places: &[Place]) -> Option<Scope> {
        if self.intents.is_idle() || self.has_turn(req.conn) {
            return None;
        }
        let spec = &self.node.table.at(req.verdict.index).spec;
        let writes = !spec.flags.has(Flags::READONLY);
        let holds = places.iter().map(|place| Hold { hash: place.spot.hash, writes });
        if !holds.clone().any(|hold| self.intents.hinders(hold)) {
            return None;
        }
        Some(Scope::Keys(holds.collect()))
    }

    fn run_or_script(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        if self.is_scripted(req.verdict.index) {
            self.run_script(req, key);
        } else {
            self.run_here(req, key);
        }
    }

    /// What a request on keys of this shard touches, if it has to wait for some of it.
    pub(crate) fn hindering(&mut self, req: Req<'_>) -> Option<Scope> {
        if self.intents.is_idle() || self.has_turn(req.conn) {
            return None;
        }
        let Verdict { index, args_at } = req.verdict;
        let writes = !self.node.table.at(index).spec.flags.has(Flags::READONLY);
        let scope = self.scope_of(index, req.argv, args_at, writes)?;
        self.intents.hinders_scope(&scope).then_some(scope)
    }

    pub(crate) fn has_turn(&mut self, id: ConnId) -> bool {
        self.conn(id).is_some_and(|conn| conn.has_turn)
    }

    /// Ends the turn of a connection if it had one.
    fn end_turn_of(&mut self, id: ConnId) {
        if self.has_turn(id) {
            self.end_turn(id);
        }
    }

    /// Runs a request on this shard, for a client of this shard.
    #[inline]
    pub(crate) fn run_here(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        if self.node.shards == 1 && self.scripted[req.verdict.index as usize] {
            return self.run_pausable(req, key);
        }
        self.run_unpaused(req, key);
    }

    #[inline]
    pub(crate) fn run_unpaused(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        let entry = self.node.table.at(req.verdict.index);
        self.answer_here(req, key, |ctx, reply, _| {
            run(entry, req.argv, req.verdict.args_at, ctx, reply);
        });
    }

    /// Answers a client of this shard with what `write` writes; it also says which commands ran.
    #[inline]
    pub(crate) fn answer_here(
        &mut self,
        req: Req<'_>,
        key: Option<Key<'_>>,
        write: impl FnOnce(&mut Ctx<'_>, &mut dyn Reply, &mut Vec<Ran>),
    ) {
        let row = Sessions::row(req.conn);
        let session = self.sessions.at(row);
        let (mode, proto) = (session.reply_mode, session.proto);
        if mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::SkipThis;
        }
        let Some(conn) = self.conns[req.conn.index as usize].as_deref_mut() else { return };
        let sink = conn.sink();
        let start = sink.len();
        let mut ctx = Ctx {
            key,
            blocking: Blocking::Allowed,
            ..Ctx::new(
                &mut self.keyspace,
                &mut self.sessions,
                &mut self.node,
                (self.now.unix, self.now.mono.ms()),
                row,
            )
        };
        if !self.intents.is_idle() {
            ctx.now = self.moment.unwrap_or(ctx.now);
        }
        let mut reply = RespReply::new(sink, proto);
        write(&mut ctx, &mut reply, &mut self.ran);
        match ctx.blocking {
            Blocking::Asked(block) => return self.wait_at_home(req, mode, *block),
            Blocking::Until(job) => return self.job_at_home(req, mode, job),
            Blocking::Denied | Blocking::Allowed | Blocking::ForJobs => {}
        }
        let failures = self.node.failures(error_line(&sink[start..]));
        self.ran.push(Ran::whole(req.verdict.index, failures));
        let session = self.sessions.at(row);
        if mode != ReplyMode::On || session.reply_mode != ReplyMode::On {
            let spec = &self.node.table.at(req.verdict.index).spec;
            // What the command chose counts for its own answer: `CLIENT REPLY ON` is heard even when
            // it was to be skipped.
            if session.reply_mode != ReplyMode::On && !spec.flags.has(PUSHES) {
                sink.truncate(start);
            }
            if session.reply_mode == ReplyMode::SkipThis {
                session.reply_mode = ReplyMode::On;
            }
        }
        let closing = session.closing;
        self.replied(req.conn, start, start, closing);
    }

    /// Local replies were written to the sink of a connection from `first` on, the last of them from
    /// `start` on; what they left is carried out.
    #[inline]
    pub(crate) fn replied(&mut self, id: ConnId, first: usize, start: usize, closing: bool) {
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else { return };
        if self.node.pubsub.is_stirred() | !self.keyspace.notices.is_empty() {
            if first < start {
                conn.written_to(first, start);
            }
            self.publish_then_reply(id, start);
        } else {
            conn.written(first);
            self.touched(id);
        }
        let long = self.conn(id).is_some_and(|conn| conn.output_len() > OUTPUT_LOOK_LEN);
        // Before the next request runs: a pipeline of large values must not pass its limit first.
        if long {
            self.check_output(id);
        }
        if closing {
            self.close(id, true);
        }
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        if self.keyspace.has_woken() {
            self.serve_waiters();
        }
    }

    /// A request of a client of this shard found nothing and waits.
    fn wait_at_home(&mut self, req: Req<'_>, mode: ReplyMode, block: Block) {
        let Some(ticket) = self.hole_for(req.conn, mode) else { return };
        let dest = Dest::Hole { conn: req.conn, ticket };
        let mut batch = self.spare_kept();
        self.put_request(&mut batch, req, dest, Ask::Execute, Routed::No);
        let here = self.node.shard;
        self.now_waits(req.conn, ticket, Waits::At(here));
        self.wait_here(here, batch, block);
    }

    /// The ticket of a request that ran in this mode and is answered later.
    pub(crate) fn hole_for(&mut self, conn: ConnId, mode: ReplyMode) -> Option<u32> {
        let session = self.sessions.at(Sessions::row(conn));
        if session.reply_mode == ReplyMode::SkipThis {
            session.reply_mode = ReplyMode::On;
        }
        Some(self.conn(conn)?.hole(mode != ReplyMode::On))
    }

    /// Whether the answer to the next request is wanted, when it is not made here and now.
    pub(crate) fn takes_mute(&mut self, id: ConnId) -> bool {
        let session = self.sessions.at(Sessions::row(id));
        let mode = session.reply_mode;
        if mode == ReplyMode::SkipNext {
            session.reply_mode = ReplyMode::On;
        }
        mode != ReplyMode::On
    }

    /// Sends a request whose keys all are at one other shard.
    fn send_whole(&mut self, req: Req<'_>, owner: ShardId, routed: Routed<'_>) {
        let muted = self.takes_mute(req.conn);
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(muted);
        let dest = Dest::Hole { conn: req.conn, ticket };
        let spec = &self.node.table.at(req.verdict.index).spec;
        if self.is_scripted(req.verdict.index) {
            self.stall(req.conn, Stall::Answer);
        } else if spec.flags.has(Flags::BLOCKING) {
            self.now_waits(req.conn, ticket, Waits::At(owner));
        }
        self.send(owner, req, dest, Ask::Execute, routed);
    }

    /// Puts a request into this pass's batch for `owner`.
    pub(crate) fn send(
        &mut self,
        owner: ShardId,
        req: Req<'_>,
        dest: Dest,
        ask: Ask,
        routed: Routed<'_>,
    ) {
        let waiting = self.outbound[owner.0 as usize].take();
        let mut batch = waiting.or_else(|| self.spare_batches.pop()).unwrap_or_default();
        self.put_request(&mut batch, req, dest, ask, routed);
        // Large values make a batch of their own: its places are counted in 32 bits, and both ends
        // hold it in memory.
        let long = batch.args.len() > BATCH_BYTES_MAX || self.rarely(Site::PostEarly);
        self.outbound[owner.0 as usize] = Some(batch);
        if long {
            self.post_batch(owner);
        }
    }

    /// Puts a step without arguments into this pass's batch for `owner`; it is not answered.
    pub(crate) fn send_step(&mut self, owner: ShardId, ask: Ask) {
        let spare = &mut self.spare_batches;
        let batch =
            self.outbound[owner.0 as usize].get_or_insert_with(|| spare.pop().unwrap_or_default());
        let argv = batch.args.push(&[]);
        batch.requests.push(Request::step(argv, ask));
    }

    /// Puts a request into a batch.
    pub(crate) fn put_request(
        &mut self,
        batch: &mut Batch,
        req: Req<'_>,
        dest: Dest,
        ask: Ask,
        routed: Routed<'_>,
    ) {
        // A client may be gone when its transaction goes on.
        let (session, tracker) = match self.sessions.get(req.conn) {
            Some(session) => {
                let tracker = session.tracker();
                (session, tracker)
            }
            None => (self.sessions.at(Sessions::PROXY), None),
        };
        let (db, proto) = (session.db, session.proto);
        let (no_touch, is_local) = (session.no_touch, session.is_local || session.is_unix);
        if self.node.tracer.is_on() && batch.followed.is_none() {
            let (number, id) = (batch.requests.len() as u32, self.node.tracer.id());
            batch.followed = Some(Followed { number, id });
        }
        let argv = batch.args.push(req.argv);
        batch.args.push_tracker(argv, tracker);
        let keyed = match routed {
            Routed::No => Keyed::No,
            Routed::Only(Key { slot, hash, .. }, at) => {
                Keyed::Only { at, first: batch.args.push_spot(Spot { slot, hash }) }
            }
            Routed::By(Key { slot, hash, .. }, at) => {
                Keyed::By { at, first: batch.args.push_spot(Spot { slot, hash }) }
            }
            Routed::At(places, owner) => {
                let first = batch.args.spot_count();
                let own = places.iter().filter(|place| place.owner == owner);
                batch.args.push_spots(own.map(|place| place.spot));
                Keyed::At { first, count: batch.args.spot_count() - first }
            }
        };
        batch.requests.push(Request {
            dest,
            index: req.verdict.index,
            args_at: req.verdict.args_at as u8,
            argv,
            db,
            proto,
            no_touch,
            is_local,
            keyed,
            ask,
        });
    }

    /// The context of a command that was not routed by a key.
    pub(crate) fn context(&mut self, row: SessionRow, walk: Option<Walk>) -> Ctx<'_> {
        let now = self.unix();
        self.count_waiting();
        Ctx {
            walk,
            ..Ctx::new(
                &mut self.keyspace,
                &mut self.sessions,
                &mut self.node,
                (now, self.now.mono.ms()),
                row,
            )
        }
    }

    /// Collects this shard's part for a client of this shard.
    pub(crate) fn collect_here(&mut self, req: Req<'_>, ask: Ask) -> Result<Part, ReplyError> {
        let entry = self.node.table.at(req.verdict.index);
        let walk = match ask {
            Ask::Walk(walk) => Some(*walk),
            _ => None,
        };
        let mut ctx = self.context(Sessions::row(req.conn), walk);
        (entry.collect)(&mut Args::new(req.argv, req.verdict.args_at), &mut ctx)
    }

    /// Collects and merges on the only shard there is.
    fn merge_alone(&mut self, req: Req<'_>, ask: Ask) {
        let id = req.conn;
        let muted = self.takes_mute(id);
        let ticket = match self.conn(id) {
            None => return,
            Some(conn) => conn.hole(muted),
        };
        let mut out = Vec::new();
        let collected = self.collect_here(req, ask);
        self.merge_into(req, collected.map(|part| vec![part]), &mut out);
        self.ran_whole(req.verdict.index, &out);
        if let Some(conn) = self.conn(id) {
            conn.fill(ticket, &out);
        }
        self.touched(id);
        let closing = self.sessions.get(id).is_some_and(|session| session.closing);
        if closing {
            self.close(id, true);
        }
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
    }

    /// Makes the reply of a command from the parts of all shards.
    pub(crate) fn merge_into(
        &mut self,
        req: Req<'_>,
        parts: Result<Vec<Part>, ReplyError>,
        out: &mut Vec<u8>,
    ) {
        let row = Sessions::row(req.conn);
        let entry = self.node.table.at(req.verdict.index);
        let proto = self.sessions.at(row).proto;
        let mut ctx = self.context(row, None);
        let mut reply = RespReply::new(out, proto);
        let mut args = Args::new(req.argv, req.verdict.args_at);
        let merged = parts.and_then(|parts| (entry.merge)(&mut args, parts, &mut ctx, &mut reply));
        if let Err(error) = merged {
            out.clear();
            stoa_engine::Reply::error(&mut RespReply::new(out, proto), error);
        }
    }

    /// Replies a client may be owed when its next request runs. In total order there must be none: what
    /// is under way at one shard could take effect after what runs here, or at another.
    #[inline]
    pub(crate) fn holes_max(&self) -> usize {
        if self.node.config.pipeline_is_strict { 1 } else { HOLES_MAX }
    }

    /// An answer of another shard filled a hole of a connection.
    pub(crate) fn filled(&mut self, id: ConnId) {
        let goes_on_at = self.holes_max() / 2;
        let Some(conn) = self.conn(id) else { return };
        let goes_on = conn.stall == Some(Stall::Holes) && conn.owed.len() <= goes_on_at;
        let long = conn.output_len() > OUTPUT_LOOK_LEN;
        if goes_on {
            self.unstall(id);
        }
        self.touched(id);
        if long {
            self.check_output(id);
        }
    }
}
