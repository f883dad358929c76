//! The shard: its tables, its turn, and the list of what it wants done.
//!
//! One turn ([`Shard::pass`]) reclaims a portion of the keys that are due, takes mail, so that answers
//! free what waits for them, then bytes of clients, then a portion of the background. What a turn
//! wants from the driver is queued as [`Action`]s. Each concern has a file of its own: `input` (bytes to requests), `execute` (requests
//! to replies), `gather` (answers of several shards), `transact` (keys of several shards), `orders`
//! (what commands ask of the shard, and time).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use stoa_config::Config;
use stoa_engine::{
    Block, COPY_LEN, Facts, Job, Lately, Memory, Node, Observed, Scripts, Session, Sessions,
    Snapshots, Table, Tracer,
};
use stoa_keyspace::Keyspace;
use stoa_observability::{CommandStats, Counters, ErrorStats, Histogram, Rates};
use stoa_pubsub::PubSub;
use stoa_resp::Span;
use stoa_stdx::{ConnId, DbIndex, HashSeed, MonoMs, MonoNs, Rng, ShardId, UnixMs};

use crate::account::Ran;
use crate::blocking::{End, Parting, Togethers};
use crate::busy::BusyScript;
use crate::conn::{Conn, Stall};
use crate::event::{Action, Moment, Pass, PeerFacts};
use crate::gather::Gathers;
use crate::input::{Cmd, Source};
use crate::intents::{Intents, Stamp};
use crate::jobs::Task;
use crate::links::Links;
use crate::message::{Batch, GatherId, Message};
use crate::notices::Notices;
use crate::orders::Pause;
use crate::places::{Place, Spot, Stride, strides};
use crate::plan::{Plan, plans};
use crate::publish::{NO_ROW, Publishing};
use crate::row::plain_commands;
use crate::scripts::may_escape;
use crate::waiters::Waiters;

/// What a client from another host reads while nobody has set a password.
const PROTECTED: &[u8] = b"-DENIED Stoa is running in protected mode because no password is set: \
    only clients of this host are served. Set one with requirepass, or, if only trusted hosts can \
    reach the server, say 'protected-mode no'.\r\n";
/// Replies before a hole leave without waiting for it from this many bytes on.
const SEND_EARLY_LEN: usize = 64 * 1024;
/// Nor do they wait for it longer than this while answers keep coming: a client that always awaits
/// some other shard gets its replies all the same. Nanoseconds.
const HOLD_NS_MAX: u64 = 1_000_000;

/// What a shard is made with.
pub struct Setup {
    /// This shard.
    pub id: ShardId,
    /// How many there are.
    pub shards: u16,
    /// The command table.
    pub table: &'static Table,
    /// The configuration at the start.
    pub config: Config,
    /// What does not change.
    pub facts: Arc<Facts>,
    /// The secret for hashing keys, the same for all shards.
    pub seed: HashSeed,
    /// The seed of all chance in this shard.
    pub chance: u64,
    /// The moment of the start.
    pub now: Moment,
    /// Measures how long work took, for statistics only: no reply depends on it.
    pub clock: fn() -> MonoNs,
}

/// One core's world.
pub struct Shard {
    pub(crate) keyspace: Keyspace,
    pub(crate) sessions: Sessions,
    pub(crate) node: Node,
    pub(crate) plans: Vec<Plan>,
    pub(crate) strides: Vec<Option<Stride>>,
    pub(crate) conns: Vec<Option<Box<Conn>>>,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) now: Moment,
    pub(crate) clock: fn() -> MonoNs,
    /// Batches of this pass, by owner.
    pub(crate) outbound: Vec<Option<Box<Batch>>>,
    /// Batches that came back, to be used again.
    #[expect(clippy::vec_box, reason = "they travel as boxes")]
    pub(crate) spare_batches: Vec<Box<Batch>>,
    /// Smaller ones, of one request each.
    #[expect(clippy::vec_box, reason = "they travel as boxes")]
    pub(crate) spare_kept: Vec<Box<Batch>>,
    pub(crate) gathers: Gathers,
    pub(crate) intents: Intents,
    #[cfg(feature = "simulated")]
    pub(crate) planted: crate::Planted,
    #[cfg(feature = "simulated")]
    pub(crate) sites: crate::sites::Sites,
    /// Who waits for keys of this shard.
    pub(crate) waiters: Waiters,
    /// Clients of this shard that wait for keys of several.
    pub(crate) togethers: Togethers,
    pub(crate) parting: Parting,
    /// What the command that just ran waits for.
    pub(crate) asked_block: Option<Box<Block>>,
    /// What the command that just ran wants to be done.
    pub(crate) asked_job: Option<Job>,
    pub(crate) tasks: VecDeque<Task>,
    /// Connections to other servers.
    pub(crate) links: Links,
    /// Keys that are on loan with all others, for which somebody waits no more.
    pub(crate) unwait_later: Vec<(DbIndex, Vec<u8>)>,
    /// Commands that run scripts, by index.
    pub(crate) scripted: Vec<bool>,
    /// Commands whose requests may run in rows, by index.
    pub(crate) plain: Vec<bool>,
    /// Scripts that want all keys, by hash of their names.
    pub(crate) escaped: BTreeSet<u64>,
    /// All keys are on loan; what is in their place is empty.
    pub(crate) keys_are_lent: bool,
    /// Clients of other shards to be forgotten by the keys that are on loan.
    pub(crate) unwatch_later: Vec<u64>,
    /// The moment of the transaction that is running.
    pub(crate) moment: Option<UnixMs>,
    /// The latest stamp given or seen.
    pub(crate) stamp: Stamp,
    /// The number of the last transaction whose home is here.
    pub(crate) next_transaction: u64,
    /// Mail that came behind mail which must wait.
    pub(crate) deferred: VecDeque<(ShardId, Message)>,
    /// Connections whose wait is over; their held input runs next.
    pub(crate) resumable: Vec<ConnId>,
    /// Connections with new output.
    pub(crate) dirty: Vec<ConnId>,
    /// Serves nobody until then (DEBUG SLEEP).
    pub(crate) stalled_until: Option<MonoMs>,
    /// The script that pauses.
    pub(crate) busy_script: Option<Box<BusyScript>>,
    /// The node is stopping: what pauses stays as it is.
    pub(crate) is_stopping: bool,
    /// What clients are told while a script of some shard has run for too long.
    pub(crate) refusal: Option<&'static str>,
    /// Transactions that have all they need, but came while a script paused.
    pub(crate) late: VecDeque<GatherId>,
    pub(crate) pause: Option<Pause>,
    pub(crate) notices: Notices,
    /// Connections that wait for the end of it.
    pub(crate) paused: Vec<ConnId>,
    pub(crate) publishing: Publishing,
    pub(crate) next_cron: MonoMs,
    /// The row to look over next, while a round of that is under way.
    pub(crate) look_at: Option<usize>,
    /// More keys are due than the last portion took.
    pub(crate) expiry_waits: bool,
    pub(crate) background_waits: bool,
    /// Some client's output is above the soft limit.
    pub(crate) slow_readers: bool,
    /// The connection whose `Close` is being carried out.
    closed: Option<ConnId>,
    next_client: u64,
    // Used again in every pass.
    pub(crate) spans: Vec<Span>,
    pub(crate) cmds: Vec<Cmd>,
    pub(crate) places: Vec<Place>,
    pub(crate) lately: Lately,
    /// Keys whose memory is being fetched.
    pub(crate) stage: Vec<Spot>,
    pub(crate) joined: Vec<u8>,
    /// What ran and is not counted yet.
    pub(crate) ran: Vec<Ran>,
    pub(crate) sources: Vec<Source<'static>>,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { id, shards, table, config, facts, seed, chance, now, clock } = setup;
        // Who never had another history is named by its run.
        let repl_id = facts.run_id.clone();
        let mut keyspace = Keyspace::new(config.databases, seed, now.unix);
        let mut commands = CommandStats::new(table.entries().len());
        commands.set_latency_tracking(config.latency_tracking);
        let node = Node {
            shard: id,
            shards,
            table,
            config,
            facts,
            rng: Rng::new(chance),
            active_expire: true,
            cron_rests: false,
            scripts_may_all: false,
            checks_payload_sums: true,
            counters: Counters::default(),
            rates: Rates::default(),
            commands,
            errors: ErrorStats::default(),
            inserts: Histogram::new(),
            tracer: Tracer::new(id, shards, clock),
            waiting: 0,
            tracking: stoa_engine::Tracking::default(),
            dirty: 0,
            observed: Observed::default(),
            snapshots: Snapshots::default(),
            pubsub: PubSub::new(id),
            orders: Vec::new(),
            asking: None,
            scripts: Scripts::new(shards, chance, clock),
            memory: Memory::default(),
            repl_id,
            copy_len: COPY_LEN,
            copied: None,
            migrated: None,
            idle_links: 0,
        };
        node.configure(&mut keyspace);
        let plans = plans(table);
        let scripted: Vec<bool> =
            table.entries().iter().map(|entry| may_escape(&entry.spec)).collect();
        let plain = plain_commands(table, &plans, &scripted);
        Self {
            keyspace,
            sessions: Sessions::default(),
            node,
            plans,
            strides: strides(table),
            conns: Vec::new(),
            actions: VecDeque::new(),
            now,
            clock,
            outbound: (0..shards).map(|_| None).collect(),
            spare_batches: Vec::new(),
            spare_kept: Vec::new(),
            gathers: Gathers::default(),
            intents: Intents::default(),
            #[cfg(feature = "simulated")]
            planted: crate::Planted::None,
            #[cfg(feature = "simulated")]
            sites: crate::sites::Sites::default(),
            scripted,
            plain,
            escaped: BTreeSet::new(),
            waiters: Waiters::default(),
            togethers: Togethers::default(),
            parting: Parting::default(),
            asked_block: None,
            asked_job: None,
            tasks: VecDeque::new(),
            links: Links::default(),
            unwait_later: Vec::new(),
            keys_are_lent: false,
            unwatch_later: Vec::new(),
            moment: None,
            stamp: Stamp(0),
            next_transaction: 0,
            deferred: VecDeque::new(),
            resumable: Vec::new(),
            dirty: Vec::new(),
            stalled_until: None,
            busy_script: None,
            is_stopping: false,
            refusal: None,
            late: VecDeque::new(),
            pause: None,
            notices: Notices::default(),
            paused: Vec::new(),
            publishing: Publishing::default(),
            next_cron: MonoMs(0),
            look_at: None,
            expiry_waits: false,
            background_waits: false,
            slow_readers: false,
            closed: None,
            next_client: 0,
            spans: Vec::new(),
            cmds: Vec::new(),
            places: Vec::new(),
            lately: Lately::default(),
            stage: Vec::new(),
            joined: Vec::new(),
            ran: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// A client connected. What is put into `out` is sent to it; false closes it after that.
    pub fn open(&mut self, id: ConnId, peer: PeerFacts, now: Moment, out: &mut Vec<u8>) -> bool {
        self.node.counters.connections_received += 1;
        if peer.clients > self.node.config.maxclients as usize {
            self.node.counters.connections_rejected += 1;
            out.extend_from_slice(b"-ERR max number of clients reached\r\n");
            return false;
        }
        let config = &self.node.config;
        if config.protected_mode && config.requirepass.is_none() && !peer.is_local {
            self.node.counters.connections_rejected += 1;
            out.extend_from_slice(PROTECTED);
            return false;
        }
        self.now = now;
        self.next_client += 1;
        // Unique over all shards, and growing on each.
        let client =
            (self.next_client - 1) * u64::from(self.node.shards) + u64::from(self.node.shard.0) + 1;
        let mut session = Session::new(client, id, now.mono.ms());
        session.authenticated = self.node.config.requirepass.is_none();
        session.addr = peer.addr.into();
        session.laddr = peer.laddr.into();
        session.is_unix = peer.is_unix;
        session.is_local = peer.is_local;
        self.sessions.insert(session);
        let row = id.index as usize;
        if self.conns.len() <= row {
            self.conns.resize_with(row + 1, || None);
        }
        self.conns[row] = Some(Box::new(Conn::new(id)));
        true
    }

    /// One turn with everything that arrived.
    pub fn pass(&mut self, pass: &mut Pass<'_>, now: Moment) {
        self.now = now;
        self.look_at_board();
        if self.node.config.maxmemory > 0 {
            self.node.look_at_memory();
        }
        self.node.rates.look(now.mono.ms(), &self.node.counters);
        self.node.counters.passes += 1;
        for (conn, len) in pass.sent {
            self.output_sent(*conn, *len);
        }
        for conn in pass.closed {
            self.forget(*conn);
        }
        // Keys do not expire in the middle of a script.
        if self.busy_script.is_none() {
            self.expire();
        }
        for (from, message) in pass.messages.drain(..) {
            self.receive(from, message);
        }
        if !self.links.is_idle() {
            self.heed_links(pass);
        }
        self.cron();
        self.end_parting();
        self.ingest(pass.data);
        for conn in pass.ended {
            let id = *conn;
            if let Some(conn) = self.conn(id) {
                conn.ended = true;
                if conn.waits.is_some() {
                    self.part(id);
                }
            }
            self.close_if_done(id);
        }
        self.resume_busy_script();
        self.settle();
        self.resume_waiting();
        self.settle();
        self.background();
        self.post_batches();
        if self.is_stirred() {
            self.send_outbox(NO_ROW);
        }
        if self.node.tracking.prefixes.has_changed() {
            self.post_broadcasts();
        }
        if self.publishing.has_mail() {
            self.post_mail();
        }
        self.ask_sends();
        if self.node.config.maxmemory > 0 {
            self.node.tell_memory(&self.keyspace);
        }
    }

    /// The next thing to do, until None.
    pub fn poll(&mut self) -> Option<Action> {
        // The driver took the last output of a connection while it carried out its `Close`.
        if let Some(id) = self.closed.take() {
            self.forget(id);
        }
        let action = self.actions.pop_front()?;
        if let Action::Close { conn, .. } = action {
            self.closed = Some(conn);
        }
        Some(action)
    }

    /// Takes the output of `id` and leaves `spare` to be filled next.
    pub fn take_output(&mut self, id: ConnId, spare: Vec<u8>) -> Vec<u8> {
        let Some(conn) = self.conn(id) else { return self.links.take_output(id, spare) };
        debug_assert!(spare.is_empty(), "a spare buffer comes empty");
        let taken = std::mem::replace(&mut conn.out, spare);
        conn.in_flight += taken.len();
        conn.send_asked = false;
        taken
    }

    /// The node is stopping: a script that takes long is not gone on with, and nobody waits for its end.
    pub const fn stops(&mut self) {
        self.is_stopping = true;
    }

    /// The keys.
    #[must_use]
    pub const fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// A client of this shard, for drivers that know more of it than it says itself.
    pub fn session(&mut self, id: ConnId) -> Option<&mut Session> {
        self.sessions.get(id)
    }

    /// How many clients it has.
    #[must_use]
    pub const fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// Work in portions is waiting.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.background_waits
            || self.busy_script.is_some() && !self.awaits_shards() && !self.is_stopping
            || self.is_stirred()
            || !self.resumable.is_empty()
            || self.links.has_news
    }

    pub(crate) fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.conns.get_mut(id.index as usize)?.as_deref_mut()?;
        (conn.id == id).then_some(conn)
    }

    /// Notes that a connection has output to send.
    #[inline]
    pub(crate) fn touched(&mut self, id: ConnId) {
        let Some(conn) = self.conns[id.index as usize].as_deref_mut() else { return };
        if !conn.dirty && !conn.out.is_empty() {
            conn.dirty = true;
            self.dirty.push(id);
        }
    }

    fn ask_sends(&mut self) {
        // A shard that sleeps (DEBUG SLEEP) answers when it wakes, that command first of all.
        if self.stalled_until.is_some() {
            return;
        }
        let now = self.now.mono;
        // Nobody knows how long the answer takes that a script has in its hands.
        let is_busy = self.refusal.is_some();
        for id in std::mem::take(&mut self.dirty) {
            let Some(conn) = self.conn(id) else { continue };
            conn.dirty = false;
            // What stands before a hole waits with it: its answer is microseconds away, and one send
            // for a whole pipeline costs half of two. The answer touches the connection again.
            // But one that waits for a key may wait for ever.
            let waits_soon = conn.owed.is_waiting() && conn.waits.is_none();
            if waits_soon && !is_busy && conn.out.len() < SEND_EARLY_LEN {
                conn.held_since = conn.held_since.min(now);
                if now.0.saturating_sub(conn.held_since.0) < HOLD_NS_MAX {
                    continue;
                }
            }
            conn.held_since = MonoNs(u64::MAX);
            // A driver that was asked and has not taken it will; what it leaves may grow too long.
            if !std::mem::replace(&mut conn.send_asked, true) {
                self.actions.push_back(Action::Send(id));
            }
            self.check_output(id);
        }
    }

    fn post_batches(&mut self) {
        for to in 0..self.outbound.len() {
            self.post_batch(ShardId(to as u16));
        }
    }

    /// Posts what this pass has for `to` so far.
    pub(crate) fn post_batch(&mut self, to: ShardId) {
        if let Some(mut batch) = self.outbound[to.0 as usize].take() {
            batch.clock = self.stamp;
            self.node.counters.messages_sent += 1;
            self.actions.push_back(Action::Request { to, message: Message::Batch(batch) });
        }
    }

    /// A connection is gone, by its peer's will or ours.
    pub(crate) fn forget(&mut self, id: ConnId) {
        if self.conn(id).is_some() {
            self.end_turn(id);
            self.unblock(id, End::Gone);
            self.unwatch(id);
            self.conns[id.index as usize] = None;
            self.end_subscriptions(id);
            self.end_tracking(id);
            self.sessions.remove(id);
        }
    }

    /// Ends a connection; with `after_flush` what is owed is sent first.
    pub(crate) fn close(&mut self, id: ConnId, after_flush: bool) {
        self.end_turn(id);
        let Some(conn) = self.conn(id) else { return };
        conn.closing = true;
        if after_flush && !conn.is_settled() {
            // An answer is still on its way; `close_if_done` comes back to it.
            conn.ended = true;
            return;
        }
        if !conn.leaving {
            conn.leaving = true;
            if !after_flush {
                self.end_subscriptions(id);
            }
            self.actions.push_back(Action::Close { conn: id, after_flush });
        }
    }

    /// Closes a connection whose peer ended it, once nothing is owed to it.
    pub(crate) fn close_if_done(&mut self, id: ConnId) {
        let asleep = self.stalled_until.is_some();
        let Some(conn) = self.conn(id) else { return };
        let held = asleep && !conn.input.is_empty();
        if conn.ended && conn.is_settled() && !held {
            self.close(id, true);
        }
    }

    /// Ends a connection's wait.
    pub(crate) fn unstall(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        debug_assert!(conn.row.is_none() || conn.has_turn, "its turn has not come");
        conn.stall = None;
        conn.resumes = true;
        self.resumable.push(id);
    }

    /// Ends the wait of all that wait for the end of a pause.
    pub(crate) fn unstall_paused(&mut self) {
        for id in std::mem::take(&mut self.paused) {
            if self.conn(id).is_some_and(|conn| conn.stall == Some(Stall::Paused)) {
                self.unstall(id);
            }
        }
    }

    /// The wall clock of this pass, or of the transaction that is running.
    pub(crate) fn unix(&self) -> UnixMs {
        self.moment.unwrap_or(self.now.unix)
    }
}
