//! The driver without a world: hands requests to shards and carries their mail until replies are whole.
//!
//! One call is one pass of the session's home shard, then passes of whoever has mail until nobody
//! has. The order is fixed, so a run depends on the calls, the clock and the seed alone.

use std::time::Duration;

use stoa_config::EventClasses;
use stoa_engine::Table;
use stoa_resp::{Framer, Value, decode, write_request};
use stoa_shard::{Action, Message, Moment, Pass, PeerFacts, Setup, Shard, Unlinked};
use stoa_stdx::{ConnId, DbIndex, MonoNs, ShardId, UnixMs};

use crate::home::Home;
use crate::observer::{Feed, Filter, Hub};
use crate::{Clock, Error};

/// All shards of one database.
pub(crate) struct Executor {
    pub(crate) seats: Vec<Seat>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) table: &'static Table,
    pub(crate) now: Moment,
    /// Where it is saved.
    pub(crate) home: Option<Home>,
    /// SHUTDOWN was called.
    stopped: bool,
    observers: Hub,
    /// Sessions go to the shards in turn.
    next_home: usize,
    /// The encoded request; its allocation is used again.
    request: Vec<u8>,
}

/// A shard and what waits for it.
pub(crate) struct Seat {
    pub(crate) shard: Shard,
    mail: Vec<(ShardId, Message)>,
    sent: Vec<(ConnId, usize)>,
    lines: Vec<Line>,
}

/// A session's end of its connection.
#[derive(Default)]
struct Line {
    generation: u32,
    state: LineState,
    /// Replies that came.
    received: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    /// Nobody's; the next session may have it.
    #[default]
    Free,
    Open,
    /// The shard closed it; its session does not know yet.
    Closed,
}

/// A session's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    home: usize,
    conn: ConnId,
}

impl Executor {
    pub(crate) fn new(
        clock: Box<dyn Clock>,
        shards: u16,
        table: &'static Table,
        setup: impl Fn(ShardId) -> Setup,
    ) -> Self {
        let seat = |number| Seat {
            shard: Shard::new(setup(ShardId(number))),
            mail: Vec::new(),
            sent: Vec::new(),
            lines: Vec::new(),
        };
        let seats = (0..shards).map(seat).collect();
        let now = moment(&*clock);
        Self {
            seats,
            clock,
            table,
            now,
            home: None,
            stopped: false,
            observers: Hub::default(),
            next_home: 0,
            request: Vec::new(),
        }
    }

    /// Connects a session.
    pub(crate) fn open(&mut self, db: DbIndex) -> Port {
        let home = self.next_home;
        self.next_home = (home + 1) % self.seats.len();
        let seat = &mut self.seats[home];
        let free = seat.lines.iter().position(|line| line.state == LineState::Free);
        let index = free.unwrap_or_else(|| {
            seat.lines.push(Line::default());
            seat.lines.len() - 1
        });
        let line = &mut seat.lines[index];
        let conn = ConnId { index: index as u32, generation: line.generation };
        line.state = LineState::Open;
        // Sessions are the program's own, so `maxclients` does not count them: one is said to be all.
        let peer = PeerFacts {
            addr: "embedded:0".to_owned(),
            laddr: "embedded:0".to_owned(),
            is_unix: false,
            is_local: true,
            clients: 1,
        };
        self.now = moment(&*self.clock);
        let stays = seat.shard.open(conn, peer, self.now, &mut line.received);
        assert!(stays, "one client is within every limit");
        if let Some(session) = seat.shard.session(conn) {
            session.proto = stoa_engine::Proto::Resp3;
            session.db = db;
        }
        Port { home, conn }
    }

    /// Saves what changed, serves nobody from now on, and leaves its directory to others.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.save_changes()?;
        self.stopped = true;
        self.home = None;
        self.observers.close();
        Ok(())
    }

    /// The session is gone.
    pub(crate) fn close(&mut self, port: Port) {
        let seat = &mut self.seats[port.home];
        let line = &mut seat.lines[port.conn.index as usize];
        line.generation = line.generation.wrapping_add(1);
        line.state = LineState::Free;
        line.received.clear();
        self.pass(port.home, &[], &[port.conn]);
        self.settle();
    }

    /// Connects an observer.
    pub(crate) fn observe(&mut self, filter: Filter) -> Feed {
        let feed = self.observers.add(filter);
        if self.stopped {
            self.observers.close();
        }
        self.set_observed();
        feed
    }

    /// Has the shards note what observers want, and no more.
    fn set_observed(&mut self) {
        let classes = self.observers.classes();
        self.seats.iter_mut().for_each(|seat| seat.shard.observe(classes));
    }

    /// Hands to observers what happened in a turn of a shard. What several shards did comes in the order
    /// of their turns, in which all of it happened: shards take theirs one after the other.
    fn tell_observers(&mut self, home: usize) {
        let (notices, lost) = self.seats[home].shard.take_observed();
        if self.observers.tell(notices, lost) {
            self.set_observed();
        }
    }

    /// The database a session has selected.
    pub(crate) fn selected(&mut self, port: Port) -> DbIndex {
        let session = self.seats[port.home].shard.session(port.conn);
        session.map_or(DbIndex(0), |session| session.db)
    }

    /// Runs a request to its reply.
    pub(crate) fn call(&mut self, port: Port, argv: &[&[u8]]) -> Result<Value, Error> {
        if self.stopped || self.line(port).state != LineState::Open {
            return Err(Error::Closed);
        }
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        write_request(&mut request, argv);
        self.now = moment(&*self.clock);
        self.pass(port.home, &[(port.conn, &request)], &[]);
        request.shrink_to(REQUEST_KEPT_MAX);
        self.request = request;
        self.settle();
        let mut framer = Framer::new();
        loop {
            let closed = self.line(port).state != LineState::Open;
            let received = &mut self.line(port).received;
            let whole = framer.advance(received).expect("our encoder writes replies");
            if let Some(len) = whole {
                let (value, _) =
                    decode(&received[..len]).expect("our encoder writes replies").expect("whole");
                received.drain(..len);
                received.shrink_to(REQUEST_KEPT_MAX);
                return Ok(value);
            }
            if closed || self.stopped {
                return Err(Error::Closed);
            }
            self.go_on();
        }
    }

    /// Does what is due, in portions; gives when to come back.
    pub(crate) fn run_due(&mut self) -> Option<Duration> {
        self.now = moment(&*self.clock);
        for home in 0..self.seats.len() {
            self.pass(home, &[], &[]);
        }
        self.settle();
        let busy = self.seats.iter().any(|seat| seat.shard.busy());
        if busy { Some(Duration::ZERO) } else { self.next_due() }
    }

    fn line(&mut self, port: Port) -> &mut Line {
        &mut self.seats[port.home].lines[port.conn.index as usize]
    }

    /// The reply is not whole though there is no mail: portions are left, or time has to pass.
    fn go_on(&mut self) {
        let mut went = false;
        for home in 0..self.seats.len() {
            if self.seats[home].shard.busy() {
                self.pass(home, &[], &[]);
                went = true;
            }
        }
        if !went {
            let time = self.next_due().expect("a request that waits, waits for its time");
            self.clock.wait(time);
            self.now = moment(&*self.clock);
            (0..self.seats.len()).for_each(|home| self.pass(home, &[], &[]));
        }
        self.settle();
    }

    fn next_due(&self) -> Option<Duration> {
        let due = self.seats.iter().filter_map(|seat| seat.shard.poll_timeout()).min()?;
        let now_ns = self.now.mono.0;
        Some(Duration::from_nanos((due.0.saturating_mul(1_000_000)).saturating_sub(now_ns)))
    }

    /// Carries mail until there is none.
    fn settle(&mut self) {
        // A shard alone has nobody to write to.
        if self.seats.len() == 1 {
            return;
        }
        while let Some(home) = self.seats.iter().position(|seat| !seat.mail.is_empty()) {
            self.pass(home, &[], &[]);
        }
    }

    /// One pass of one shard, and all it wants done.
    fn pass(&mut self, home: usize, data: &[(ConnId, &[u8])], closed: &[ConnId]) {
        let seat = &mut self.seats[home];
        let messages = &mut seat.mail;
        let mut pass = Pass { data, sent: &seat.sent, ended: &[], closed, messages };
        seat.shard.pass(&mut pass, self.now);
        seat.sent.clear();
        if self.observers.classes() != EventClasses::NONE {
            self.tell_observers(home);
        }
        while let Some(action) = self.seats[home].shard.poll() {
            self.act(home, action);
        }
    }

    fn act(&mut self, home: usize, action: Action) {
        match action {
            Action::Send(conn) => self.seats[home].receive(conn),
            Action::Close { conn, after_flush } => {
                let seat = &mut self.seats[home];
                if after_flush {
                    seat.receive(conn);
                }
                let line = &mut seat.lines[conn.index as usize];
                if line.state == LineState::Open && line.generation == conn.generation {
                    line.state = LineState::Closed;
                }
            }
            Action::Request { to, message } | Action::Reply { to, message } => {
                self.seats[to.0 as usize].mail.push((ShardId(home as u16), message));
            }
            // Whoever embeds has connections of their own.
            Action::Connect { tag, .. } => {
                self.seats[home].shard.linked(tag, Err(Unlinked::Never), self.now);
            }
            // One request at a time is sent, and it is taken whole: there is nothing to hold back.
            Action::PauseRead(_) | Action::ResumeRead(_) => {}
            // Whoever embeds has no log of ours to read.
            Action::Log(..) => {}
            Action::Shutdown(mode) => {
                self.stopped = true;
                self.observers.close();
                if mode.save == Some(false) {
                    self.home = None;
                }
            }
        }
    }
}

/// What of a large request's or reply's buffer is kept for the next.
const REQUEST_KEPT_MAX: usize = 64 * 1024;

impl Seat {
    fn receive(&mut self, conn: ConnId) {
        let line = &mut self.lines[conn.index as usize];
        if line.generation != conn.generation {
            return;
        }
        let output = self.shard.take_output(conn, Vec::new());
        if !output.is_empty() {
            self.sent.push((conn, output.len()));
        }
        if line.received.is_empty() {
            line.received = output;
        } else {
            line.received.extend_from_slice(&output);
        }
    }
}

pub(crate) fn moment(clock: &dyn Clock) -> Moment {
    Moment { mono: MonoNs(clock.mono_ns()), unix: UnixMs(clock.unix_ms()) }
}
