//! MULTI, EXEC and WATCH: a queue of commands that runs as one.
//!
//! Commands are queued at home. EXEC looks where their keys are: all here, it runs here; all on one
//! other shard, the queue moves there as one message; else it is a transaction on several shards like
//! any other, and if some command concerns all keys, every shard lends all it has. Watched keys are
//! noted by their owners. They are part of what EXEC touches, so an owner knows at the very moment
//! of the transaction whether they are as they were.

use std::collections::{BTreeMap, BTreeSet};

use stoa_command::{Args, Category, Flags, KeyPositions};
use stoa_engine::{
    Ctx, Queue, QueueReach, QueuedKey, Refusal, Reply, Sessions, Verdict, Watching, exec,
};
use stoa_stdx::{ConnId, ShardId};

use crate::Shard;
use crate::account::Ran;
use crate::busy::Whose;
use crate::execute::Req;
use crate::gather::{How, Kept};
use crate::input::{Cmd, What};
use crate::intents::{Hold, Scope};
use crate::keys::owner_of;
use crate::message::{Ask, Dest, Request};
use crate::places::{Place, Routed};
use crate::plan::{Join, Plan};
use crate::reply::RespReply;
use crate::split::{KeyOrder, Parts};
use crate::transact::Owners;

/// Bytes that a client may queue: as much as it may have in its query buffer.
const QUEUE_BYTES_MAX: usize = 1 << 30;

/// A queue on its way to the shard that runs it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) queue: Queue,
    /// CLIENT ID of whose it is: what it watches hangs on that.
    pub(crate) client: u64,
}

/// What a queue touches.
#[derive(Default)]
struct Reach<'a> {
    owners: BTreeMap<ShardId, BTreeSet<&'a [u8]>>,
    /// Some command is about all keys.
    all: bool,
    /// Some command runs only where its client is.
    home: bool,
}

impl Shard {
    /// Queues a command of a client that is between MULTI and EXEC.
    pub(crate) fn queue(
        &mut self,
        id: ConnId,
        verdict: Verdict,
        argv: &[&[u8]],
        cmd: &Cmd,
        places: &[Place],
    ) {
        let spec = &self.node.table.at(verdict.index).spec;
        let strict = self.node.config.multi_strict
            && (spec.flags.has(Flags::BLOCKING)
                || spec.flags.has(Flags::PUBSUB)
                || spec.categories.contains(&Category::Transaction));
        if spec.flags.has(Flags::NO_MULTI) || strict {
            self.node.commands.rejected(verdict.index as usize);
            self.abort_multi(id);
            return self.reply_here(id, |reply| {
                reply.error_text(b"ERR Command not allowed inside a transaction");
            });
        }
        let seen = self.see_queued(verdict, argv, cmd, places);
        let session = self.sessions.at(Sessions::row(id));
        let multi = session.multi.as_mut().expect("it is between MULTI and EXEC");
        if multi.aborted {
            // It will not run, so it need not be kept.
            return self.reply_here(id, |reply| reply.simple("QUEUED"));
        }
        if multi.queue.bytes() > QUEUE_BYTES_MAX {
            multi.aborted = true;
            return self.reply_here(id, |reply| {
                reply.error_text(b"ERR the transaction is too long; DISCARD it and queue less");
            });
        }
        multi.reach.all |= seen.all;
        multi.reach.home |= seen.home;
        multi.reach.is_mixed |= seen.is_mixed;
        seen.owner.into_iter().for_each(|owner| multi.reach.add(owner));
        let (slot, hash) = (cmd.slot, cmd.hash);
        let key = match cmd.what {
            What::Own(_, at) | What::Foreign(_, at) => Some(QueuedKey { at, slot, hash }),
            _ => None,
        };
        multi.queue.push(verdict, argv, key);
        self.reply_here(id, |reply| reply.simple("QUEUED"));
    }

    /// What one command touches.
    fn see_queued(
        &self,
        Verdict { index, args_at }: Verdict,
        argv: &[&[u8]],
        cmd: &Cmd,
        places: &[Place],
    ) -> QueueReach {
        let mut seen = QueueReach::default();
        match cmd.what {
            What::Own(..) => seen.owner = Some(self.node.shard),
            What::Foreign(..) => seen.owner = Some(owner_of(cmd.slot, self.node.shards)),
            What::Many(_) => {
                cmd.places(places).iter().for_each(|place| seen.add(place.owner));
            }
            _ => {
                let mut queue = Queue::default();
                queue.push(Verdict { index, args_at }, argv, None);
                let Reach { owners, all, home } = self.reach(&queue);
                owners.keys().for_each(|owner| seen.add(*owner));
                (seen.all, seen.home) = (all, home);
            }
        }
        seen
    }

    /// A refused command spoils the transaction it was meant for.
    pub(crate) fn abort_multi(&mut self, id: ConnId) {
        if let Some(multi) = &mut self.sessions.at(Sessions::row(id)).multi {
            multi.aborted = true;
        }
    }

    /// Whether EXEC has something to run.
    fn has_queue(&mut self, id: ConnId) -> bool {
        let multi = &self.sessions.at(Sessions::row(id)).multi;
        multi.as_ref().is_some_and(|multi| !multi.aborted)
    }

    /// Runs what a client queued. False when it has to wait.
    pub(crate) fn exec(&mut self, req: Req<'_>) -> bool {
        if !self.has_queue(req.conn) {
            self.run_here(req, None);
            return true;
        }
        let session = self.sessions.at(Sessions::row(req.conn));
        let multi = session.multi.take().expect("just seen");
        let watching = session.watching.clone();
        let client = session.id;
        let here = self.node.shard;
        let mut reach = multi.reach;
        watching.shards().for_each(|shard| reach.add(shard));
        let alone = self.node.shards == 1;
        match reach.owner.filter(|_| !reach.is_mixed) {
            owner
                if alone || !reach.is_mixed && !reach.all && owner.is_none_or(|it| it == here) =>
            {
                if !self.intents.is_idle()
                    && !self.has_turn(req.conn)
                    && let Some(scope) = self.queue_scope(&multi.queue, client)
                    && self.intents.hinders_scope(&scope)
                {
                    self.sessions.at(Sessions::row(req.conn)).multi = Some(multi);
                    return self.wait_for_turn(req.conn, scope);
                }
                self.exec_here(req, &multi.queue, client);
            }
            Some(owner) if !reach.all && !reach.home => {
                self.sessions.at(Sessions::row(req.conn)).watching = Watching::default();
                let muted = self.takes_mute(req.conn);
                let Some(conn) = self.conn(req.conn) else { return true };
                let dest = Dest::Hole { conn: req.conn, ticket: conn.hole(muted) };
                let job = Job { queue: multi.queue, client };
                self.send(owner, req, dest, Ask::Exec(Box::new(job)), Routed::No);
            }
            _ => {
                self.sessions.at(Sessions::row(req.conn)).watching = Watching::default();
                let Reach { mut owners, all, .. } = self.reach(&multi.queue);
                for shard in watching.shards() {
                    owners.entry(shard).or_default();
                }
                let owned = |keys: BTreeSet<&[u8]>| keys.into_iter().map(<[u8]>::to_vec).collect();
                let owners = owners.into_iter().map(|(owner, keys)| (owner, owned(keys))).collect();
                self.exec_together(req, Job { queue: multi.queue, client }, owners, all);
            }
        }
        true
    }

    fn reach<'q>(&self, queue: &'q Queue) -> Reach<'q> {
        let mut reach = Reach::default();
        let mut keys = KeyPositions::default();
        let mut argv = Vec::new();
        for at in 0..queue.len() {
            let Verdict { index, args_at } = queue.get(at, &mut argv);
            let spec = &self.node.table.at(index).spec;
            // It may want any key, and what ran before it must not have to be undone.
            reach.all |= self.is_scripted(index);
            match self.plans[index as usize] {
                Plan::AllShards(_) | Plan::Walk => reach.all = true,
                Plan::Home | Plan::Exec | Plan::Watch => reach.home = true,
                Plan::OneKey(_) | Plan::Keys | Plan::Split(_) => {
                    let found = spec.key_positions(&Args::new(&argv, args_at), &mut keys);
                    if found.is_err() || keys.as_slice().is_empty() {
                        reach.home = true;
                        continue;
                    }
                    for (position, _) in keys.as_slice() {
                        let key = argv[*position];
                        let owner = self.owner_of_key(key);
                        reach.owners.entry(owner).or_default().insert(key);
                    }
                }
            }
        }
        reach
    }

    /// What a queue and what its client watches touch on this shard.
    pub(crate) fn queue_scope(&mut self, queue: &Queue, client: u64) -> Option<Scope> {
        if self.keys_are_lent {
            // What the client watches is away with the keys.
            return Some(Scope::All { writes: true });
        }
        let mut holds = self.intents.holds();
        self.watched_holds(client, &mut holds);
        let mut argv = Vec::new();
        let mut all = None;
        for at in 0..queue.len() {
            let Verdict { index, args_at } = queue.get(at, &mut argv);
            let writes = !self.node.table.at(index).spec.flags.has(Flags::READONLY);
            match self.scope_of(index, &argv, args_at, writes) {
                None => {}
                Some(Scope::Keys(keys)) => holds.extend(keys),
                Some(Scope::All { writes }) => all = Some(all == Some(true) || writes),
            }
        }
        match all {
            Some(writes) => {
                let writes = writes || holds.iter().any(|hold| hold.writes);
                Some(Scope::All { writes })
            }
            None if holds.is_empty() => None,
            None => Some(Scope::Keys(holds)),
        }
    }

    /// Adds the keys of this shard that a client watches.
    pub(crate) fn watched_holds(&self, client: u64, holds: &mut Vec<Hold>) {
        let watched = self.keyspace.watched_hashes(client);
        holds.extend(watched.map(|hash| Hold { hash, writes: false }));
    }

    fn exec_here(&mut self, req: Req<'_>, queue: &Queue, client: u64) {
        let broken = self.keyspace.is_watch_broken(client, self.unix());
        self.unwatch(req.conn);
        if self.node.shards == 1 && self.has_scripts(queue) {
            return self.exec_pausable(req, queue, broken);
        }
        self.answer_here(req, None, |ctx, reply, ran| {
            run_queue(queue, broken, ctx, reply, ran);
        });
    }

    fn has_scripts(&self, queue: &Queue) -> bool {
        queue.verdicts().any(|verdict| self.scripted[usize::from(verdict.index)])
    }

    /// The same where a script may pause.
    fn exec_pausable(&mut self, req: Req<'_>, queue: &Queue, broken: bool) {
        let muted = self.takes_mute(req.conn);
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(muted);
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        // What it watches was looked at.
        let job = Some(Box::new(Job { queue: queue.clone(), client: 0 }));
        let request = Kept { job, ..Kept::of(req, db) };
        let run = self.run_kept(req.conn, &request, broken, None);
        if self.is_pausing() {
            let whose = Whose::Client { conn: req.conn, ticket, request };
            return self.pause_script(whose, run, None);
        }
        let reply = self.kept_ran(&request, run).expect("one shard has all keys");
        self.publish_then_answer(req.conn, ticket, reply, false);
        self.serve_waiters();
    }

    fn exec_together(&mut self, req: Req<'_>, job: Job, mut owners: Owners, all: bool) {
        let client = job.client;
        let db = self.sessions.at(Sessions::row(req.conn)).db;
        let request = Kept { job: Some(Box::new(job)), ..Kept::of(req, db) };
        if all {
            return self.borrow_all(req, request, client);
        }
        owners.entry(self.node.shard).or_default();
        let id = self.open_gather(req, owners.len(), How::loan(request), true);
        self.begin_loans(req.conn, req.verdict, id, &owners, client);
    }

    /// Runs a queue for a client of another shard, whose keys all are here.
    pub(crate) fn run_job(&mut self, request: &Request, job: &Job, replies: &mut Vec<u8>) {
        let broken = self.end_watch(job.client);
        let mut ran = Vec::with_capacity(job.queue.len() + 1);
        let mut ctx = self.context(Sessions::PROXY, None);
        let mut reply = RespReply::new(replies, request.proto);
        run_queue(&job.queue, broken, &mut ctx, &mut reply, &mut ran);
        ran.push(Ran::whole(request.index, 0));
        self.ran.append(&mut ran);
    }

    /// Notes keys for a client. False when it has to wait.
    pub(crate) fn watch(&mut self, req: Req<'_>, keys: &KeyPositions) -> bool {
        let here = self.node.shard;
        let session = self.sessions.at(Sessions::row(req.conn));
        if session.multi.is_some() {
            self.run_here(req, None);
            return true;
        }
        let client = session.id;
        let mut owners: BTreeMap<ShardId, Vec<&[u8]>> = BTreeMap::new();
        for (at, _) in keys.as_slice() {
            let key = req.argv[*at];
            let owner = self.owner_of_key(key);
            owners.entry(owner).or_default().push(key);
        }
        if owners.keys().all(|owner| *owner == here)
            && let Some(scope) = self.hindering(req)
        {
            return self.wait_for_turn(req.conn, scope);
        }
        let session = self.sessions.at(Sessions::row(req.conn));
        for (owner, keys) in &owners {
            for key in keys {
                let hash = self.keyspace.seed().hash(key);
                session.watching.add(*owner, session.db, hash);
            }
        }
        if owners.keys().all(|owner| *owner == here) {
            self.run_here(req, None);
            return true;
        }
        let parts = Parts::new(owners.len());
        let how = How::Bytes { join: Join::AllSucceeded, parts, order: KeyOrder::new() };
        let gather = self.open_gather(req, owners.len(), how, true);
        for (number, (owner, keys)) in owners.into_iter().enumerate() {
            let argv: Vec<&[u8]> = std::iter::once(req.argv[0]).chain(keys).collect();
            let dest = Dest::Part { gather, number: number as u16 };
            let share = Req { argv: &argv, ..req };
            if owner == here {
                self.ask_self(share, dest, Ask::Watch(client));
            } else {
                self.send(owner, share, dest, Ask::Watch(client), Routed::No);
            }
        }
        true
    }

    /// Forgets what a client of this shard watches, on all shards.
    pub(crate) fn unwatch(&mut self, id: ConnId) {
        let Some(session) = self.sessions.get(id) else { return };
        let client = session.id;
        for shard in std::mem::take(&mut session.watching).shards() {
            self.forget_watch(shard, client);
        }
    }

    /// Has a shard forget what a client of this one watches there.
    pub(crate) fn forget_watch(&mut self, shard: ShardId, client: u64) {
        if shard == self.node.shard {
            self.unwatch_of(client);
        } else {
            self.send_step(shard, Ask::Unwatch(client));
        }
    }

    /// A refusal of a client's request: it spoils the transaction it belongs to, and ends it if it is
    /// EXEC itself that is refused.
    pub(crate) fn refused(&mut self, id: ConnId, argv: &[&[u8]], refusal: Refusal) {
        match refusal {
            Refusal::Error(Some(index), _) if self.plans[index as usize] == Plan::Exec => {
                self.drop_multi(id);
            }
            Refusal::Error(..) | Refusal::UnknownCommand | Refusal::UnknownSubcommand(_) => {
                self.abort_multi(id);
            }
        }
        if self.node.tracking.caching > 0 {
            self.spend_caching(id);
        }
        self.refuse(id, argv, refusal);
    }

    /// Ends a transaction unrun.
    pub(crate) fn drop_multi(&mut self, id: ConnId) {
        self.sessions.at(Sessions::row(id)).multi = None;
        self.unwatch(id);
    }
}

/// Runs a queue, or answers that a watched key changed. Gives the command that pauses.
pub(crate) fn run_queue(
    queue: &Queue,
    broken: bool,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
    ran: &mut Vec<Ran>,
) -> Option<usize> {
    if broken {
        reply.null_array();
        return None;
    }
    reply.array(queue.len());
    exec(queue, 0, ctx, reply, &mut |index, failures| ran.push(Ran::whole(index, failures)))
}
