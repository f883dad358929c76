//! Rows of plain requests: what most clients send most of the time, run without looking at each request
//! for what nearly never is.
//!
//! A plain request has one key at a known place, does not wait, runs no script, and asks nothing of the shard. Of
//! such, what a shard and a client look like is found out once for a row of them: nothing is paused,
//! awaited, traced or borrowed, the client has logged in, queues nothing and hears every reply. A row ends
//! at the first request that is not so, or that left something to be carried out behind it; what is left takes the long way
//! (`execute`), which can do everything. The two agree, as tests that break rows up at random see.

use stoa_command::Flags;
use stoa_engine::{Blocking, Ctx, Entry, Reply, ReplyMode, Session, Sessions, Table, Verdict, run};
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

/// How far a row came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// To a request that is not for a row, or to its end.
    Here,
    /// What the last request left was carried out; the shard or the client may be another one now.
    Stirred,
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
            let (ran, end) = match cmd.what {
                What::Own(..) => self.run_own(&cmds[done..], source),
                What::Foreign(index, at) => (self.send_plain(cmd, index, at, source), End::Here),
                _ => (0, End::Here),
            };
            done += ran;
            if ran == 0 || end == End::Stirred {
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

    /// Runs requests on keys of this shard.
    fn run_own(&mut self, cmds: &[Cmd], source: &Source<'_>) -> (usize, End) {
        let id = source.conn;
        let row = Sessions::row(id);
        let proto = self.sessions.at(row).proto;
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else {
            return (0, End::Here);
        };
        let sink = conn.sink();
        let first = sink.len();
        let has_limit = self.node.config.maxmemory > 0;
        let table = self.node.table;
        let mut ctx = Ctx {
            keyspace: &mut self.keyspace,
            sessions: &mut self.sessions,
            node: &mut self.node,
            now: self.now.unix,
            mono: self.now.mono.ms(),
            row,
            key: None,
            blocking: Blocking::Allowed,
            borrowed: None,
            walk: None,
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
            if !self.plain[index as usize] || argc > ARGV_INLINE || !entry.spec.arity.admits(argc) {
                break;
            }
            if has_limit
                && entry.spec.flags.has(Flags::DENYOOM)
                && ctx.node.weigh_memory(ctx.keyspace)
            {
                break;
            }
            for (to, span) in argv.iter_mut().zip(&self.spans[cmd.spans_at as usize..][..argc]) {
                *to = source.arg(*span);
            }
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
            return (0, End::Here);
        }
        note_ran(self.sessions.at(row), name, done, self.now.mono.ms());
        self.replied(id, first, start, false);
        (done, if stirred { End::Stirred } else { End::Here })
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
        if !self.is_plain_request(first) || !self.is_calm() || self.is_pausing() {
            return (0, false);
        }
        // As `Site::Park` has it where rare turns are made common.
        if args.has_trackers() || self.rarely(Site::Park) {
            return (0, false);
        }
        self.set_proxy(first, args);
        let table = self.node.table;
        let mut ctx = Ctx {
            keyspace: &mut self.keyspace,
            sessions: &mut self.sessions,
            node: &mut self.node,
            now: self.now.unix,
            mono: self.now.mono.ms(),
            row: Sessions::PROXY,
            key: None,
            blocking: Blocking::Allowed,
            borrowed: None,
            walk: None,
        };
        let mut reply = RespReply::new(replies, first.proto);
        let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
        let mut ran = Alike::default();
        let mut done = 0;
        let mut stirred = false;
        for request in requests {
            let Keyed::Only { at, first: spot } = request.keyed else { break };
            let is_like = asks_alike(first, request) && self.plain[request.index as usize];
            let argc = request.argv.count as usize;
            if !is_like || argc > ARGV_INLINE || spot >= fetched {
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

    /// A request that may begin a row.
    fn is_plain_request(&self, request: &Request) -> bool {
        let is_whole = matches!(request.dest, Dest::Hole { .. });
        is_whole && matches!(request.ask, Ask::Execute) && self.plain[request.index as usize]
    }

    /// Sends a request to the owner of its key. Gives how many that were.
    fn send_plain(&mut self, cmd: &Cmd, index: u16, at: u8, source: &Source<'_>) -> usize {
        let argc = cmd.argc as usize;
        let spec = &self.node.table.at(index).spec;
        if !self.plain[index as usize] || argc > ARGV_INLINE || !spec.arity.admits(argc) {
            return 0;
        }
        let needs_memory = self.node.config.maxmemory > 0 && spec.flags.has(Flags::DENYOOM);
        if needs_memory && self.node.weigh_memory(&self.keyspace) {
            return 0;
        }
        let mut argv: [&[u8]; ARGV_INLINE] = [&[]; ARGV_INLINE];
        for (to, span) in argv.iter_mut().zip(&self.spans[cmd.spans_at as usize..][..argc]) {
            *to = source.arg(*span);
        }
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

/// Both want their answer whole, for the same kind of client in the same database.
fn asks_alike(one: &Request, other: &Request) -> bool {
    let of = |it: &Request| (it.db, it.proto, it.no_touch, it.is_local);
    let is_whole = matches!(other.dest, Dest::Hole { .. }) && matches!(other.ask, Ask::Execute);
    is_whole && of(one) == of(other)
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
