//! Rows of plain requests: what most clients send most of the time, run without looking at each request
//! for what nearly never is.
//!
//! A plain request has one key at a known place, does not wait, runs no script, and asks nothing of the shard. Of
//! such, what a shard and a client look like is found out once for a row of them: nothing is paused,
//! awaited, traced or borrowed, the client has logged in, queues nothing and hears every reply. A row ends
//! at the first request that is not so, or that left something to be carried out behind it; what is left takes the long way
//! (`execute`), which can do everything. The two agree, as tests that break rows up at random see.

use stoa_command::{Flags, Spec};
use stoa_engine::{
    Blocking, Ctx, Entry, Node, Reply, ReplyMode, Session, Sessions, Table, Verdict, run,
};
use stoa_keyspace::Keyspace;
use stoa_stdx::{ConnId, Key, MonoMs};

use crate::Shard;
use crate::account::{Alike, Ran};
use crate::execute::{ARGV_INLINE, OUTPUT_LOOK_LEN, Req};
use crate::input::{Cmd, Source, What};
use crate::keys::owner_of;
use crate::message::{Args as ArgStore, Ask, Dest, Keyed, Request};
use crate::places::{Routed, Spot};
use crate::plan::Plan;
use crate::reply::RespReply;
use crate::sites::Site;

/// Commands whose requests may run in rows, by index: what is said of them does not change.
pub(crate) fn plain_commands(table: &Table, plans: &[Plan], scripted: &[bool]) -> Vec<bool> {
    let long = [Flags::BLOCKING, Flags::CONTAINER];
    let is_plain = |((entry, plan), scripted): ((&Entry, &Plan), &bool)| {
        matches!(plan, Plan::OneKey(_))
            && !scripted
            && !long.iter().any(|it| entry.spec.flags.has(*it))
    };
    table.entries().iter().zip(plans).zip(scripted).map(is_plain).collect()
}

impl Shard {
    /// Runs requests from the front of `cmds` as long as they make a row. Gives how many ran; 0: the
    /// first is not for a row.
    pub(crate) fn run_row(&mut self, cmds: &[Cmd], sources: &[Source<'_>]) -> usize {
        if !matches!(cmds[0].what, What::Own(..) | What::Foreign(..)) || !self.is_calm() {
            return 0;
        }
        let number = cmds[0].source;
        let source = &sources[number as usize];
        let id = source.conn;
        let len = cmds.iter().take_while(|cmd| cmd.source == number).count();
        let cmds = &cmds[..len];
        // Once in a while, where rare turns are made common, what a row leaves out is looked at each time.
        if !self.is_undisturbed(id) || self.rarely(Site::FewHoles) {
            return 0;
        }
        let holes_max = self.holes_max();
        let mut done = 0;
        while let Some(cmd) = cmds.get(done) {
            let conn = self.conns[id.index as usize].as_ref();
            if conn.is_none_or(|it| it.owed.len() >= holes_max || it.output_len() > OUTPUT_LOOK_LEN)
            {
                break;
            }
            let (ran, stirred) = match cmd.what {
                What::Own(..) => self.run_own(&cmds[done..], source),
                What::Foreign(index, at) => (self.send_plain(cmd, index, at, source), false),
                _ => (0, false),
            };
            done += ran;
            if ran == 0 || stirred {
                break;
            }
        }
        done
    }

    /// Nothing of this shard stands before a plain request, or wants to see it.
    fn is_calm(&self) -> bool {
        self.intents.is_idle()
            && !self.keys_are_lent
            && self.stalled_until.is_none()
            && self.pause.is_none()
            && self.refusal.is_none()
            && self.node.asking.is_none()
            && self.node.tracking.caching == 0
            && !self.node.tracer.is_on()
            && self.node.config.trace_sample == 0
    }

    /// Nothing of this client stands before its next request.
    fn is_undisturbed(&mut self, id: ConnId) -> bool {
        let is_free = self.conn(id).is_some_and(|conn| conn.is_free());
        is_free && self.sessions.get(id).is_some_and(|session| is_plain(session))
    }

    /// Runs requests on keys of this shard. Gives how many ran, and whether what the last of them left was
    /// carried out: the shard or the client may be another one then.
    fn run_own(&mut self, cmds: &[Cmd], source: &Source<'_>) -> (usize, bool) {
        let id = source.conn;
        let row = Sessions::row(id);
        let proto = self.sessions.at(row).proto;
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else { return (0, false) };
        let sink = conn.sink();
        let first = sink.len();
        let table = self.node.table;
        let mut ctx = Ctx {
            blocking: Blocking::Allowed,
            ..Ctx::new(
                &mut self.keyspace,
                &mut self.sessions,
                &mut self.node,
                (self.now.unix, self.now.mono.ms()),
                row,
            )
        };
        let mut reply = RespReply::new(sink, proto);
        let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
        let mut done = 0;
        let mut start = first;
        let mut stirred = false;
        let mut name = "";
        let mut ran = Alike::default();
        for cmd in cmds {
            let What::Own(index, at) = cmd.what else { break };
            let argc = cmd.argc as usize;
            let entry = table.at(index);
            let is_plain = self.plain[index as usize] && fits(&entry.spec, argc);
            if !is_plain || is_too_much(&entry.spec, ctx.node, ctx.keyspace) {
                break;
            }
            source.args(&self.spans[cmd.spans_at as usize..][..argc], &mut argv);
            ctx.key = Some(Key { bytes: argv[at as usize], slot: cmd.slot, hash: cmd.hash });
            name = entry.spec.name;
            start = reply.mark();
            stirred =
                step(entry, index, &argv[..argc], &mut ctx, &mut reply, &mut ran, &mut self.ran);
            done += 1;
            if stirred | (reply.mark() - first > OUTPUT_LOOK_LEN) {
                break;
            }
        }
        ran.note(&mut self.ran);
        if done == 0 {
            return (0, false);
        }
        note_ran(self.sessions.at(row), name, done, self.now.mono.ms());
        self.replied(id, first, start, false);
        (done, stirred)
    }

    /// Runs requests from the front of a batch of another shard as long as they make a row, and whose keys
    /// are among the `fetched` spots. Gives how many ran, and whether the last of them left something to be
    /// carried out before its answer ends.
    pub(crate) fn serve_row(
        &mut self,
        requests: &[Request],
        fetched: u32,
        args: &ArgStore,
        replies: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> (usize, bool) {
        let first = &requests[0];
        let is_plain = is_whole(first) && self.plain[first.index as usize];
        if !is_plain || !self.is_calm() || self.is_pausing() {
            return (0, false);
        }
        // As `Site::Park` has it where rare turns are made common.
        if args.has_trackers() || self.rarely(Site::Park) {
            return (0, false);
        }
        self.set_proxy(first, args);
        let table = self.node.table;
        let mut ctx = Ctx {
            blocking: Blocking::Allowed,
            ..Ctx::new(
                &mut self.keyspace,
                &mut self.sessions,
                &mut self.node,
                (self.now.unix, self.now.mono.ms()),
                Sessions::PROXY,
            )
        };
        let mut reply = RespReply::new(replies, first.proto);
        let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
        let mut ran = Alike::default();
        let mut done = 0;
        let mut stirred = false;
        for request in requests {
            let Keyed::Only { at, first: spot } = request.keyed else { break };
            let is_plain = is_whole(request) && self.plain[request.index as usize];
            let argc = request.argv.count as usize;
            if !is_plain || !asks_alike(first, request) || argc > ARGV_INLINE || spot >= fetched {
                break;
            }
            argv.iter_mut().zip(args.get(request.argv)).for_each(|(to, arg)| *to = arg);
            let Spot { slot, hash } = args.spots(request.keyed)[0];
            ctx.key = Some(Key { bytes: argv[at as usize], slot, hash });
            let (entry, argv) = (table.at(request.index), &argv[..argc]);
            stirred =
                step(entry, request.index, argv, &mut ctx, &mut reply, &mut ran, &mut self.ran);
            done += 1;
            if stirred {
                break;
            }
            ends.push(reply.mark());
        }
        ran.note(&mut self.ran);
        self.node.counters.commands_for_others += done as u64;
        (done, stirred)
    }

    /// Sends a request to the owner of its key. Gives how many that were.
    fn send_plain(&mut self, cmd: &Cmd, index: u16, at: u8, source: &Source<'_>) -> usize {
        let argc = cmd.argc as usize;
        let spec = &self.node.table.at(index).spec;
        let is_plain = self.plain[index as usize] && fits(spec, argc);
        if !is_plain || is_too_much(spec, &mut self.node, &self.keyspace) {
            return 0;
        }
        let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
        source.args(&self.spans[cmd.spans_at as usize..][..argc], &mut argv);
        let Some(conn) = self.conns[source.conn.index as usize].as_deref_mut() else { return 0 };
        let dest = Dest::Hole { conn: source.conn, ticket: conn.hole(false) };
        let verdict = Verdict { index, args_at: 1 };
        let req = Req { conn: source.conn, verdict, argv: &argv[..argc] };
        let key = Key { bytes: argv[at as usize], slot: cmd.slot, hash: cmd.hash };
        let owner = owner_of(cmd.slot, self.node.shards);
        note_ran(self.sessions.at(Sessions::row(source.conn)), spec.name, 1, self.now.mono.ms());
        self.send(owner, req, dest, Ask::Execute, Routed::Only(key, at));
        1
    }
}

/// Whether so many words are right for a command, and few enough.
fn fits(spec: &Spec, argc: usize) -> bool {
    argc <= ARGV_INLINE && spec.arity.admits(argc)
}

/// Whether a command that takes memory finds none left.
fn is_too_much(spec: &Spec, node: &mut Node, keyspace: &Keyspace) -> bool {
    node.config.maxmemory > 0 && spec.flags.has(Flags::DENYOOM) && node.weigh_memory(keyspace)
}

/// It wants its answer whole.
const fn is_whole(request: &Request) -> bool {
    matches!(request.dest, Dest::Hole { .. }) && matches!(request.ask, Ask::Execute)
}

/// Both are for the same kind of client in the same database.
fn asks_alike(one: &Request, other: &Request) -> bool {
    let of = |it: &Request| (it.db, it.proto, it.no_touch, it.is_local);
    of(one) == of(other)
}

/// What CLIENT LIST says of a client whose requests ran.
fn note_ran(session: &mut Session, last: &'static str, count: usize, now: MonoMs) {
    session.active = now;
    session.commands_total += count as u64;
    session.last_command = last;
}

/// Runs one plain request. True when it left something to be carried out.
#[inline]
fn step(
    entry: &Entry,
    index: u16,
    argv: &[&[u8]],
    ctx: &mut Ctx<'_>,
    reply: &mut RespReply<'_>,
    alike: &mut Alike,
    noted: &mut Vec<Ran>,
) -> bool {
    let start = reply.mark();
    run(entry, argv, 1, ctx, reply);
    debug_assert!(matches!(ctx.blocking, Blocking::Allowed), "what waits is not plain");
    let failures = ctx.node.failures(reply.error_at(start));
    alike.add(index, failures, noted);
    ctx.node.pubsub.is_stirred()
        | !ctx.keyspace.notices.is_empty()
        | !ctx.node.orders.is_empty()
        | ctx.keyspace.has_woken()
}

/// It has logged in, queues nothing, hears every reply as one, and stays.
fn is_plain(session: &Session) -> bool {
    session.authenticated
        && session.multi.is_none()
        && !session.is_subscriber()
        && session.reply_mode == ReplyMode::On
        && !session.closing
}
