//! Shards, links, clients and a clock, one step at a time.
//!
//! A step is one pass of one shard with some of what waits for it, or one read of one client. Chance
//! says which, and how much of it; nothing is ever lost or swapped inside a link, as a ring or a
//! socket would not.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use stoa_config::Config;
use stoa_engine::Facts;
use stoa_shard::{Action, Message, Moment, Pass, PeerFacts, Setup, Shard, Unlinked};
use stoa_stdx::{ConnId, HashSeed, MonoNs, Rng, ShardId, UnixMs};

use crate::client::{Client, ClientId, State};

/// When every world begins: 2023-11-14T22:13:20Z.
pub const START: Moment =
    Moment { mono: MonoNs(1_000_000_000_000), unix: UnixMs(1_700_000_000_000) };

/// What a step takes of the clock that never jumps: more than the moments that one pass gives away,
/// and so little that whole programs end within the millisecond that they began in.
const STEP_NS: u64 = 100;

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// A shard that was chosen stalls instead, once in so many; 0 is never.
    pub stall_one_in: u64,
    /// Then at most so long, in steps.
    pub stall_steps_max: u64,
    /// A link keeps its mail back when some is put in, once in so many; 0 is never. What others send
    /// meanwhile overtakes it; within the link, order holds.
    pub delay_one_in: u64,
    /// Then at most so long, in steps.
    pub delay_steps_max: u64,
    /// Time passes before a step, once in so many; 0 is never.
    pub time_one_in: u64,
    /// Then at most so long, milliseconds.
    pub time_ms_max: u64,
    /// A shard takes a turn that it has no need to take, once in so many; 0 is never. Only with the
    /// feature `simulated`.
    pub rare_one_in: u64,
}

impl Chaos {
    /// Any order, but nobody stalls and time stands still.
    pub const CALM: Self = Self {
        stall_one_in: 0,
        stall_steps_max: 0,
        delay_one_in: 0,
        delay_steps_max: 0,
        time_one_in: 0,
        time_ms_max: 0,
        rare_one_in: 0,
    };
    /// Shards stall and time passes.
    pub const ROUGH: Self = Self {
        stall_one_in: 20,
        stall_steps_max: 60,
        time_one_in: 10,
        time_ms_max: 20,
        ..Self::CALM
    };
}

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many shards.
    pub shards: u16,
    /// Of all chance in the world.
    pub seed: u64,
    /// What goes wrong.
    pub chaos: Chaos,
    /// Directives as in a configuration file.
    pub directives: Vec<(&'static str, &'static str)>,
    /// What shards measure their work with. A script that takes long is told by it; else only statistics
    /// hang on it.
    pub clock: fn() -> MonoNs,
    /// What a shard is told that it has taken from the allocator, whenever it asks; None is that it must
    /// count its keys. It asks before it admits a command and before it proposes a stamp, if there is a
    /// `maxmemory`.
    pub memory: fn() -> Option<i64>,
}

impl Options {
    /// A world where nothing goes wrong but the order.
    #[must_use]
    pub fn calm(shards: u16, seed: u64) -> Self {
        // Small limits, so that edges are reached without moving gigabytes.
        let directives = vec![("proto-max-bulk-len", "1mb"), ("enable-debug-command", "yes")];
        Self { shards, seed, chaos: Chaos::CALM, directives, clock: || MonoNs(0), memory: || None }
    }

    /// A world where much goes wrong.
    #[must_use]
    pub fn rough(shards: u16, seed: u64) -> Self {
        Self { chaos: Chaos::ROUGH, ..Self::calm(shards, seed) }
    }
}

/// A node with its clients.
pub struct World {
    rng: Rng,
    chaos: Chaos,
    now: Moment,
    seats: Vec<Seat>,
    clients: Vec<Client>,
    /// What happened, a line a step, if somebody wants to know.
    trace: Option<String>,
    /// What operators would read.
    log: Vec<String>,
    steps: u64,
    /// Connections that the node asked for.
    dials: VecDeque<Dial>,
    keeps_dials: bool,
}

/// A connection that a shard asks for.
#[derive(Clone, Debug)]
pub struct Dial {
    home: usize,
    tag: u64,
    /// The address, or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A shard and what waits for it.
struct Seat {
    shard: Shard,
    /// Mail by sender, first requests and then replies.
    links: Vec<Link>,
    mail_len: usize,
    sent: Vec<(ConnId, usize)>,
    ended: Vec<ConnId>,
    closed: Vec<ConnId>,
    /// Who has which row, and how often it was used before.
    rows: Vec<(Option<ClientId>, u32)>,
    /// Steps that it still misses.
    stalled: u64,
}

/// What one shard sent another, requests or replies.
#[derive(Default)]
struct Link {
    mail: VecDeque<Message>,
    /// Nothing comes out before this step.
    held_until: u64,
}

enum Choice {
    Shard(usize),
    Client(ClientId),
}

impl Link {
    /// Whether something can come out at a step.
    fn is_open(&self, step: u64) -> bool {
        !self.mail.is_empty() && self.held_until <= step
    }
}

impl Seat {
    /// Whatever it waits for is over.
    fn go_on(&mut self) {
        self.stalled = 0;
        self.links.iter_mut().for_each(|link| link.held_until = 0);
    }
}

impl World {
    /// A node without clients.
    ///
    /// # Panics
    /// When a directive is wrong: options are part of a test.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut config = Config::default();
        for (name, value) in &options.directives {
            config.settle(name, value.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut rng = Rng::new(options.seed);
        // The order of keys within a slot hangs on it, so it is the same in all worlds.
        let seed = HashSeed::new([1, 2, 3, 4]);
        let world = stoa_engine::World { thread_allocated: options.memory, ..Default::default() };
        let facts = Arc::new(Facts { driver: "simulated", world, ..Facts::default() });
        let seat = |number: u16| Seat {
            shard: Shard::new(Setup {
                id: ShardId(number),
                shards: options.shards,
                table: stoa_commands::table(),
                config: config.clone(),
                facts: Arc::clone(&facts),
                seed: seed.clone(),
                chance: rng.next(),
                now: START,
                clock: options.clock,
            }),
            links: (0..options.shards * 2).map(|_| Link::default()).collect(),
            mail_len: 0,
            sent: Vec::new(),
            ended: Vec::new(),
            closed: Vec::new(),
            rows: Vec::new(),
            stalled: 0,
        };
        let seats: Vec<Seat> = (0..options.shards).map(seat).collect();
        #[cfg(feature = "simulated")]
        let seats = with_rare_turns(seats, options);
        let (chaos, now) = (options.chaos, START);
        Self {
            rng,
            chaos,
            now,
            seats,
            clients: Vec::new(),
            trace: None,
            log: Vec::new(),
            steps: 0,
            dials: VecDeque::new(),
            keeps_dials: false,
        }
    }

    /// Plants a bug into all shards.
    #[cfg(feature = "simulated")]
    pub fn plant(&mut self, bug: stoa_shard::Planted) {
        self.seats.iter_mut().for_each(|seat| seat.shard.plant(bug));
    }

    /// How often each turn was taken that there was no need to take.
    #[cfg(feature = "simulated")]
    #[must_use]
    pub fn taken(&self) -> [u64; stoa_shard::SITES] {
        let mut sum = [0; stoa_shard::SITES];
        for taken in self.seats.iter().map(|seat| seat.shard.taken()) {
            sum.iter_mut().zip(taken).for_each(|(sum, one)| *sum += one);
        }
        sum
    }

    /// Writes down what happens from here on.
    pub fn start_trace(&mut self) {
        self.trace = Some(String::new());
    }

    /// What was written down.
    #[must_use]
    pub fn trace(&self) -> &str {
        self.trace.as_deref().unwrap_or_default()
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// What was put into the node's log.
    #[must_use]
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Steps so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Connects a client to some shard.
    pub fn connect(&mut self) -> ClientId {
        let home = self.rng.below(self.seats.len() as u64) as usize;
        let clients = self.clients.iter().filter(|c| c.state == State::Open).count() + 1;
        let id = self.seat_client(home);
        let client = &mut self.clients[id.0];
        let peer = PeerFacts {
            addr: addr_of(id),
            laddr: "127.0.0.1:6379".to_owned(),
            is_unix: false,
            is_local: true,
            clients,
        };
        let shard = &mut self.seats[home].shard;
        let stays = shard.open(client.conn, peer, self.now, &mut client.kernel);
        if !stays {
            self.part(id, State::Flushing);
        }
        id
    }

    /// A place for a connection to a shard.
    fn seat_client(&mut self, home: usize) -> ClientId {
        let id = ClientId(self.clients.len());
        let seat = &mut self.seats[home];
        let free = seat.rows.iter().position(|(who, _)| who.is_none());
        let row = free.unwrap_or_else(|| {
            seat.rows.push((None, 0));
            seat.rows.len() - 1
        });
        seat.rows[row].0 = Some(id);
        let conn = ConnId { index: row as u32, generation: seat.rows[row].1 };
        self.clients.push(Client::new(home, conn));
        id
    }

    /// Whether connections that the node asks for wait for [`World::next_dial`]. If not, nobody listens
    /// anywhere.
    pub fn keep_dials(&mut self, keeps: bool) {
        self.keeps_dials = keeps;
    }

    /// The next connection that the node asks for.
    pub fn next_dial(&mut self) -> Option<Dial> {
        self.dials.pop_front()
    }

    /// Somebody listens there. What is connected to the node then is a client, but that the node speaks
    /// first: see [`World::heard`].
    pub fn accept(&mut self, dial: &Dial) -> ClientId {
        let id = self.seat_client(dial.home);
        let conn = self.clients[id.0].conn;
        self.seats[dial.home].shard.linked(dial.tag, Ok(conn), self.now);
        id
    }

    /// Nobody does.
    pub fn refuse(&mut self, dial: &Dial, why: Unlinked) {
        self.seats[dial.home].shard.linked(dial.tag, Err(why), self.now);
    }

    /// All that came over a connection since this was last asked: of one that the node opened, requests.
    pub fn heard(&mut self, id: ClientId) -> Vec<u8> {
        std::mem::take(&mut self.clients[id.0].inbox)
    }

    /// The address that the node knows a client by.
    #[must_use]
    pub fn addr(&self, id: ClientId) -> String {
        addr_of(id)
    }

    /// The client writes.
    pub fn write(&mut self, id: ClientId, bytes: &[u8]) {
        self.clients[id.0].outgoing.extend_from_slice(bytes);
    }

    /// The client writes a request.
    pub fn call(&mut self, id: ClientId, argv: &[impl AsRef<[u8]>]) {
        stoa_resp::write_request(&mut self.clients[id.0].outgoing, argv);
    }

    /// The next whole reply that the client has read.
    pub fn next_reply(&mut self, id: ClientId) -> Option<Vec<u8>> {
        self.clients[id.0].next_reply()
    }

    /// Whether the client reads what it is sent.
    pub fn set_reads(&mut self, id: ClientId, reads: bool) {
        self.clients[id.0].reads = reads;
    }

    /// The client goes without a word; what was not delivered is lost.
    pub fn disconnect(&mut self, id: ClientId) {
        let client = &self.clients[id.0];
        if client.state != State::Open {
            return;
        }
        let (home, conn) = (client.home, client.conn);
        self.seats[home].closed.push(conn);
        self.part(id, State::Closed);
        self.note(|| format!("client {} leaves", id.0));
    }

    /// The client writes no more, but reads until it is closed.
    pub fn end(&mut self, id: ClientId) {
        self.clients[id.0].ends = true;
    }

    /// Whether the connection is gone, and all that came through it was read.
    #[must_use]
    pub fn is_closed(&self, id: ClientId) -> bool {
        self.clients[id.0].state == State::Closed
    }

    /// Whether no part of a reply has come to the client.
    #[must_use]
    pub fn is_even(&self, id: ClientId) -> bool {
        self.clients[id.0].is_even()
    }

    /// Time passes.
    pub fn advance(&mut self, ms: u64) {
        self.now.unix.0 += ms;
        self.now.mono.0 += ms * 1_000_000;
    }

    /// Mail on its way.
    #[must_use]
    pub fn mail_len(&self) -> usize {
        self.seats.iter().map(|seat| seat.mail_len).sum()
    }

    /// One step. False if there was nothing to do.
    pub fn step(&mut self) -> bool {
        self.steps += 1;
        // What happens later has a later moment, also where the clock on the wall stands still: the
        // order of transactions rests on it.
        self.now.mono.0 += STEP_NS;
        if self.chaos.time_one_in > 0 && self.rng.one_in(self.chaos.time_one_in) {
            let ms = self.rng.below(self.chaos.time_ms_max + 1);
            self.advance(ms);
        }
        // Whoever misses steps only delays the others.
        let late = self.seats.iter().any(|seat| seat.stalled > 0 || seat.mail_len > 0);
        let ready = self.ready();
        if ready.is_empty() {
            self.seats.iter_mut().for_each(Seat::go_on);
            return late;
        }
        match *self.rng.pick(&ready) {
            Choice::Shard(home) => {
                if self.chaos.stall_one_in > 0 && self.rng.one_in(self.chaos.stall_one_in) {
                    self.seats[home].stalled = 1 + self.rng.below(self.chaos.stall_steps_max);
                    self.note(|| format!("shard {home} stalls"));
                } else {
                    self.pass(home);
                }
            }
            Choice::Client(id) => self.read(id),
        }
        true
    }

    /// So many steps, whether there is something to do or not.
    pub fn run(&mut self, steps: u64) {
        (0..steps).for_each(|_| {
            self.step();
        });
    }

    /// Steps until nothing is left to do. False if that took more than `steps_max`.
    #[must_use]
    pub fn settle(&mut self, steps_max: u64) -> bool {
        (0..steps_max).any(|_| !self.step())
    }

    fn ready(&mut self) -> Vec<Choice> {
        let mut ready = Vec::new();
        for home in 0..self.seats.len() {
            let seat = &mut self.seats[home];
            if seat.stalled > 0 {
                seat.stalled -= 1;
                continue;
            }
            let due = seat.shard.poll_timeout().is_some_and(|due| due <= self.now.mono.ms());
            let arrived =
                !seat.sent.is_empty() || !seat.ended.is_empty() || !seat.closed.is_empty();
            let mail = seat.links.iter().any(|link| link.is_open(self.steps));
            if due || arrived || mail || seat.shard.busy() || self.has_bytes(home) {
                ready.push(Choice::Shard(home));
            }
        }
        for (number, client) in self.clients.iter().enumerate() {
            if client.reads && !client.kernel.is_empty() {
                ready.push(Choice::Client(ClientId(number)));
            }
        }
        ready
    }

    /// Whether bytes, or their end, wait for a shard.
    fn has_bytes(&self, home: usize) -> bool {
        self.clients.iter().any(|client| {
            client.home == home
                && client.state == State::Open
                && !client.paused
                && (!client.outgoing.is_empty() || client.ends)
        })
    }

    /// The client reads some of what lies in the kernel.
    fn read(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        let len = some_of(&mut self.rng, client.kernel.len());
        client.inbox.extend(client.kernel.drain(..len));
        match client.state {
            State::Open => {
                let (home, conn) = (client.home, client.conn);
                self.seats[home].sent.push((conn, len));
                if self.clients[id.0].wants_send {
                    self.take_output(id);
                }
            }
            State::Flushing | State::Closed => {
                if self.clients[id.0].kernel.is_empty() {
                    self.clients[id.0].state = State::Closed;
                }
            }
        }
        self.note(|| format!("client {} reads {len}", id.0));
    }

    fn pass(&mut self, home: usize) {
        let mut messages = self.some_mail(home);
        let chunks = self.some_bytes(home);
        let data: Vec<(ConnId, &[u8])> =
            chunks.iter().map(|(conn, bytes)| (*conn, bytes.as_slice())).collect();
        let line = self.trace.is_some().then(|| line_of(home, self.now, &messages, &chunks));
        let seat = &mut self.seats[home];
        let sent = std::mem::take(&mut seat.sent);
        let ended = std::mem::take(&mut seat.ended);
        let closed = std::mem::take(&mut seat.closed);
        let messages = &mut messages;
        let mut pass = Pass { data: &data, sent: &sent, ended: &ended, closed: &closed, messages };
        seat.shard.pass(&mut pass, self.now);
        for conn in closed {
            self.free_row(home, conn);
        }
        self.note(|| line.unwrap_or_default());
        while let Some(action) = self.seats[home].shard.poll() {
            self.act(home, action);
        }
    }

    /// Some mail from each link, mixed, in order within each.
    fn some_mail(&mut self, home: usize) -> Vec<(ShardId, Message)> {
        let seat = &mut self.seats[home];
        let mut shares: Vec<(usize, usize)> = Vec::new();
        for (number, link) in seat.links.iter().enumerate() {
            if link.is_open(self.steps) {
                let share = match self.rng.below(3) {
                    0 => self.rng.below(link.mail.len() as u64 + 1) as usize,
                    _ => link.mail.len(),
                };
                shares.push((number, share));
            }
        }
        let mut mail = Vec::new();
        shares.retain(|(_, share)| *share > 0);
        while !shares.is_empty() {
            let at = self.rng.below(shares.len() as u64) as usize;
            let (link, share) = &mut shares[at];
            let message = seat.links[*link].mail.pop_front().expect("the share was counted");
            mail.push((ShardId((*link / 2) as u16), message));
            *share -= 1;
            if *share == 0 {
                shares.swap_remove(at);
            }
        }
        seat.mail_len -= mail.len();
        mail
    }

    /// Some bytes of some clients, split anywhere.
    fn some_bytes(&mut self, home: usize) -> Vec<(ConnId, Vec<u8>)> {
        let mut chunks = Vec::new();
        for client in &mut self.clients {
            if client.home != home || client.state != State::Open || client.paused {
                continue;
            }
            for _ in 0..1 + self.rng.below(3) {
                if !client.outgoing.is_empty() {
                    let len = some_of(&mut self.rng, client.outgoing.len());
                    chunks.push((client.conn, client.outgoing.drain(..len).collect()));
                }
            }
            if client.outgoing.is_empty() && client.ends {
                client.ends = false;
                self.seats[home].ended.push(client.conn);
            }
        }
        chunks
    }

    fn act(&mut self, home: usize, action: Action) {
        match action {
            Action::Send(conn) => {
                let Some(id) = self.who(home, conn) else { return };
                self.clients[id.0].wants_send = true;
                if self.clients[id.0].kernel.is_empty() {
                    self.take_output(id);
                }
            }
            Action::Close { conn, after_flush } => {
                let Some(id) = self.who(home, conn) else { return };
                let last = self.seats[home].shard.take_output(conn, Vec::new());
                let client = &mut self.clients[id.0];
                if after_flush {
                    client.kernel.extend_from_slice(&last);
                }
                let to = if after_flush && !client.kernel.is_empty() {
                    State::Flushing
                } else {
                    State::Closed
                };
                self.part(id, to);
                self.free_row(home, conn);
            }
            Action::Request { to, message } => self.post(home, to, 0, message),
            Action::Reply { to, message } => self.post(home, to, 1, message),
            Action::Connect { tag, host, port, .. } => {
                let dial = Dial { home, tag, host, port };
                if self.keeps_dials {
                    self.dials.push_back(dial);
                } else {
                    self.refuse(&dial, Unlinked::Refused);
                }
            }
            Action::PauseRead(conn) => self.set_paused(home, conn, true),
            Action::ResumeRead(conn) => self.set_paused(home, conn, false),
            Action::Log(_, line) => self.log.push(line),
            Action::Shutdown(_) => {}
        }
    }

    fn post(&mut self, home: usize, to: ShardId, kind: usize, message: Message) {
        let seat = &mut self.seats[to.0 as usize];
        let link = &mut seat.links[home * 2 + kind];
        link.mail.push_back(message);
        seat.mail_len += 1;
        if self.chaos.delay_one_in > 0 && self.rng.one_in(self.chaos.delay_one_in) {
            link.held_until = self.steps + self.rng.below(self.chaos.delay_steps_max + 1);
        }
    }

    fn set_paused(&mut self, home: usize, conn: ConnId, paused: bool) {
        if let Some(id) = self.who(home, conn) {
            self.clients[id.0].paused = paused;
        }
    }

    fn take_output(&mut self, id: ClientId) {
        let client = &mut self.clients[id.0];
        client.wants_send = false;
        let output = self.seats[client.home].shard.take_output(client.conn, Vec::new());
        client.kernel.extend_from_slice(&output);
    }

    fn who(&self, home: usize, conn: ConnId) -> Option<ClientId> {
        let (who, generation) = *self.seats[home].rows.get(conn.index as usize)?;
        who.filter(|id| generation == conn.generation && self.clients[id.0].state == State::Open)
    }

    fn free_row(&mut self, home: usize, conn: ConnId) {
        let (who, generation) = &mut self.seats[home].rows[conn.index as usize];
        if *generation == conn.generation {
            *who = None;
            *generation += 1;
        }
    }

    fn part(&mut self, id: ClientId, to: State) {
        let client = &mut self.clients[id.0];
        client.state = to;
        client.outgoing.clear();
        if to == State::Closed {
            client.kernel.clear();
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push_str(&line());
            trace.push('\n');
        }
    }
}

#[cfg(feature = "simulated")]
fn with_rare_turns(mut seats: Vec<Seat>, options: &Options) -> Vec<Seat> {
    for (number, seat) in seats.iter_mut().enumerate() {
        seat.shard.make_common(options.chaos.rare_one_in, options.seed ^ number as u64);
    }
    seats
}

fn addr_of(id: ClientId) -> String {
    format!("127.0.0.1:{}", 50_000 + id.0)
}

/// A random part of `len` bytes, at least one.
fn some_of(rng: &mut Rng, len: usize) -> usize {
    match rng.below(4) {
        0 => 1,
        1 => (1 + rng.below(20) as usize).min(len),
        _ => len,
    }
}

fn line_of(
    home: usize,
    now: Moment,
    messages: &[(ShardId, Message)],
    chunks: &[(ConnId, Vec<u8>)],
) -> String {
    let mut line = format!("{} shard {home}:", now.mono.ms().0);
    for (from, message) in messages {
        let kind = match message {
            Message::Batch(_) => "batch",
            Message::Done(_) => "done",
            Message::Hint(_) => "hint",
            Message::Busy => "busy",
            Message::Mail(_) => "mail",
            Message::Receipts(_) => "receipts",
        };
        let _ = write!(line, " {kind} of {}", from.0);
    }
    for (conn, bytes) in chunks {
        let _ = write!(line, " conn {} {:?}", conn.index, String::from_utf8_lossy(bytes));
    }
    line
}
