//! One shard in a test: commands run on it as the server's shard would run them, without a network.
//!
//! Time stands still until a test moves it, and the seeds are fixed, so a test says the same on every
//! run. What it leaves out is what needs several shards: splitting, loans and the walk from one
//! shard to the next.

use std::sync::Arc;

use stoa_command::{Args, Flags, KeyPositions, RequestPolicy, ResponsePolicy};
use stoa_config::{Config, EventClasses, split_words};
use stoa_engine::{
    Blocking, Ctx, Facts, Node, Order, Proto, Queue, Refusal, Reply, Scripts, Session, Sessions,
    Snapshots, Tracer, TrackEvent, Tracking, admit, exec, refuse, run,
};
use stoa_keyspace::{Keyspace, Notice};
use stoa_observability::{CommandStats, Counters, ErrorStats, Histogram, Rates};
use stoa_pubsub::{Outgoing, PubSub};
use stoa_stdx::{ConnId, HashSeed, MonoMs, MonoNs, Rng, ShardId, UnixMs};

use crate::page::Page;

/// When a bench begins: 2023-11-14T22:13:20Z.
pub(crate) const START: UnixMs = UnixMs(1_700_000_000_000);

/// One shard, its clients and its clock.
pub(crate) struct Bench {
    pub(crate) keyspace: Keyspace,
    pub(crate) sessions: Sessions,
    pub(crate) node: Node,
    /// The moment of the next command.
    pub(crate) now: UnixMs,
    /// The same moment on the clock that never jumps.
    pub(crate) mono: MonoMs,
    /// Whose commands run; by the name a test gave it.
    client: ConnId,
    names: Vec<String>,
}

impl Bench {
    /// An empty shard with one client, called `1`.
    pub(crate) fn new() -> Self {
        let config = Config::default();
        let mut bench = Self {
            keyspace: Keyspace::new(config.databases, HashSeed::new([7, 8, 9, 10]), START),
            sessions: Sessions::default(),
            node: Node {
                shard: ShardId(0),
                shards: 1,
                table: crate::table(),
                config,
                facts: Arc::new(Facts::default()),
                rng: Rng::new(1),
                active_expire: true,
                cron_rests: false,
                scripts_may_all: false,
                checks_payload_sums: true,
                counters: Counters::default(),
                rates: Rates::default(),
                commands: CommandStats::new(crate::table().entries().len()),
                errors: ErrorStats::default(),
                inserts: Histogram::new(),
                tracer: Tracer::new(ShardId(0), 1, || MonoNs(0)),
                memory: stoa_engine::Memory::default(),
                repl_id: "0".repeat(40),
                // No shard is there to go on with it.
                copy_len: usize::MAX,
                copied: None,
                migrated: None,
                idle_links: 0,
                waiting: 0,
                dirty: 0,
                observed: stoa_engine::Observed::default(),
                snapshots: Snapshots::default(),
                pubsub: PubSub::new(ShardId(0)),
                tracking: Tracking::default(),
                orders: Vec::new(),
                asking: None,
                scripts: Scripts::new(1, 1, || MonoNs(0)),
            },
            now: START,
            mono: MonoMs(1_000_000),
            client: ConnId::default(),
            names: Vec::new(),
        };
        bench.client("1");
        bench
    }

    /// Lets the client of that name run the next commands; a new name connects one.
    pub(crate) fn client(&mut self, name: &str) {
        let known = self.names.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.client = ConnId { index: index as u32, generation: 0 };
        if known.is_none() {
            let mut session = Session::new(index as u64 + 1, self.client, self.mono);
            session.addr = format!("127.0.0.1:{}", 50_001 + index).into();
            session.laddr = "127.0.0.1:6379".into();
            self.sessions.insert(session);
        }
    }

    /// The client whose commands run.
    pub(crate) fn session(&mut self) -> &mut Session {
        self.sessions.get(self.client).expect("the current client is connected")
    }

    /// Moves both clocks forward.
    pub(crate) fn advance(&mut self, ms: u64) {
        self.now.0 += ms;
        self.mono.0 += ms;
    }

    /// Sets a directive, as the start of the server would: also those that CONFIG SET may not.
    pub(crate) fn config(&mut self, name: &str, value: &str) {
        let set = self.node.config.settle(name, value.as_bytes());
        assert!(set.is_ok(), "config {name} {value}: {set:?}");
        self.node.configure(&mut self.keyspace);
    }

    /// Has the events of these classes noted, whatever is published.
    pub(crate) fn observe(&mut self, classes: EventClasses) {
        self.node.observed.classes = classes;
        self.node.configure(&mut self.keyspace);
    }

    /// Runs a request written as in redis-cli; gives its reply as a transcript shows it.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let words = split_words(line.as_bytes()).unwrap_or_else(|| panic!("quotes in {line}"));
        let argv: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.call(&argv)
    }

    /// Runs a request; gives its reply, and what it asked of the shard, one line each.
    pub(crate) fn call(&mut self, argv: &[&[u8]]) -> String {
        let mut reply = Page::new(self.session().proto);
        self.dispatch(argv, &mut reply);
        let mut text = reply.text();
        for order in std::mem::take(&mut self.node.orders) {
            if let Order::Unwatch(_) = order {
                let client = self.session().id;
                self.keyspace.unwatch(client);
                continue;
            }
            text.push_str(&format!("order: {order:?}\n"));
            if let Order::Kill(id) = order {
                let conn = self.sessions.iter().find(|one| one.id == id).map(|one| one.conn);
                conn.and_then(|conn| self.sessions.remove(conn));
            }
        }
        for outgoing in self.node.pubsub.take_outbox() {
            if let Outgoing::Tracked(_) = outgoing {
                for event in self.node.tracking.take_log() {
                    text.push_str(&tracked(&event));
                }
            }
            // A change has its effect at once, there being no other shard.
            let Outgoing::Publication(publication, _) = outgoing else { continue };
            let (channel, payload) = (&publication.channel, &publication.payload);
            let (channel, payload) = (channel.escape_ascii(), payload.escape_ascii());
            text.push_str(&format!("{:?} {channel}: {payload}\n", publication.kind));
        }
        for Notice { db, event, key, .. } in self.keyspace.notices.take().list {
            text.push_str(&format!("event: {event} {} in {}\n", key.escape_ascii(), db.0));
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    fn dispatch(&mut self, argv: &[&[u8]], reply: &mut Page) {
        let table = self.node.table;
        let verdict = match admit(table, argv, self.session()) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                if let Some(multi) = &mut self.session().multi {
                    multi.aborted = true;
                }
                return refuse(table, argv, refusal, reply);
            }
        };
        let entry = table.at(verdict.index);
        let (spec, at) = (&entry.spec, verdict.args_at);
        let multi = &mut self.session().multi;
        if let Some(multi) = multi
            && !spec.flags.has(Flags::IMMEDIATE)
        {
            multi.queue.push(verdict, argv, None);
            return reply.simple("QUEUED");
        }
        if spec.request == RequestPolicy::Exec
            && let Some(multi) = multi.take_if(|multi| !multi.aborted)
        {
            return self.exec(&multi.queue, reply);
        }
        if let Err(error) = (entry.check)(&mut Args::new(argv, at)) {
            return refuse(table, argv, Refusal::Error(Some(verdict.index), error), reply);
        }
        let mut keys = KeyPositions::default();
        let found = spec.key_positions(&Args::new(argv, at), &mut keys);
        let first = found.ok().and_then(|()| keys.as_slice().first()).map(|(at, _)| argv[*at]);
        let mut ctx = Ctx {
            key: first.map(|bytes| self.keyspace.seed().key(bytes)),
            keyspace: &mut self.keyspace,
            sessions: &mut self.sessions,
            node: &mut self.node,
            now: self.now,
            mono: self.mono,
            row: Sessions::row(self.client),
            blocking: Blocking::Allowed,
            borrowed: None,
            walk: None,
        };
        if spec.request == RequestPolicy::Walk || spec.response == ResponsePolicy::Merge {
            let parts = (entry.collect)(&mut Args::new(argv, at), &mut ctx);
            let merged = parts.and_then(|part| {
                (entry.merge)(&mut Args::new(argv, at), vec![part], &mut ctx, reply)
            });
            if let Err(error) = merged {
                refuse(table, argv, Refusal::Error(Some(verdict.index), error), reply);
            }
        } else {
            run(entry, argv, at, &mut ctx, reply);
        }
        ctx.session().last_command = spec.name;
    }

    fn exec(&mut self, queue: &Queue, reply: &mut Page) {
        let client = self.session().id;
        let broken = self.keyspace.is_watch_broken(client, self.now);
        self.keyspace.unwatch(client);
        if broken {
            return reply.null_array();
        }
        let mut ctx = Ctx {
            key: None,
            keyspace: &mut self.keyspace,
            sessions: &mut self.sessions,
            node: &mut self.node,
            now: self.now,
            mono: self.mono,
            row: Sessions::row(self.client),
            blocking: Blocking::Denied,
            borrowed: None,
            walk: None,
        };
        reply.array(queue.len());
        let paused = exec(queue, 0, &mut ctx, reply, &mut |_, _| {});
        debug_assert_eq!(paused, None, "nothing pauses here");
    }

    /// The protocol version that the client speaks from now on.
    pub(crate) fn speak(&mut self, proto: Proto) {
        self.session().proto = proto;
    }
}

/// What clients that cache keys are going to be told of.
fn tracked(event: &TrackEvent) -> String {
    match event {
        TrackEvent::Read { key, client } => format!("{client} caches {}\n", key.escape_ascii()),
        TrackEvent::Changed { key, by } => format!("{} changed by {by}\n", key.escape_ascii()),
        TrackEvent::Emptied => "all keys are gone\n".to_owned(),
    }
}
