//! From bytes to requests: a whole pass is parsed before any of it runs, so that the cache misses of
//! many commands overlap.
//!
//! Requests are read where they lie, in the driver's buffers; only an unfinished tail is copied. A
//! window of requests is looked up and hashed, its slots, tables and entries are prefetched stage by
//! stage, then it runs in order.

use stoa_resp::{Limits, Parsed, Parser, ProtocolError, Span};
use stoa_stdx::{ConnId, SlotId};

use crate::Shard;
use crate::conn::Stall;
use crate::event::Action;
use crate::execute::ARGV_INLINE;
use crate::keys::owner_of;
use crate::places::{Place, Spot, prefetch};
use crate::plan::Plan;

/// Requests parsed before any of them runs. Bounds the scratch tables; a pipeline goes on after it.
const WINDOW_LEN: usize = 512;
/// The next stage begins once a stage has as many keys; that of a request with one counts double, for there
/// is more to it than its key.
const STAGE_KEYS: u32 = 64;
/// Requests of a stage; those for other shards need no memory of this one.
const STAGE_CMDS: usize = 64;
/// Keys of a window whose places are kept room for.
const PLACES_KEPT_MAX: usize = 16 * 1_024;
/// Below this, staging costs more than it hides.
const STAGE_LEN_MIN: usize = 2;
/// The most unfinished input a client may have, whatever `client-query-buffer-limit` says.
const INPUT_LEN_MAX: usize = 3 << 30;
/// Input held for a stalled connection before its socket is no longer read.
const HELD_INPUT_MAX: usize = 256 * 1024;

/// Bytes of one connection in this pass.
pub(crate) struct Source<'a> {
    pub(crate) conn: ConnId,
    bytes: Bytes<'a>,
    /// Taken from the connection for the pass, so that arguments can point into it.
    parser: Parser,
    /// Up to here requests were read.
    at: usize,
    /// From here requests were read but not run.
    unrun: Option<usize>,
    /// No whole request is left.
    exhausted: bool,
}

enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
}

impl Bytes<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Source<'_> {
    /// The bytes of an argument.
    #[inline]
    pub(crate) fn arg(&self, span: Span) -> &[u8] {
        self.parser.arg(self.bytes.as_slice(), span)
    }

    /// The arguments at these spans, of which there are no more than fit.
    #[inline]
    pub(crate) fn args<'s>(&'s self, spans: &[Span], into: &mut [&'s [u8]; ARGV_INLINE]) {
        for (to, span) in into.iter_mut().zip(spans) {
            *to = self.arg(*span);
        }
    }

    /// Says that the request at `start` and all behind it have not run.
    pub(crate) fn hold_from(&mut self, start: usize) {
        self.unrun.get_or_insert(start);
        self.exhausted = true;
    }
}

/// One request of the window.
#[derive(Clone, Copy)]
pub(crate) struct Cmd {
    pub(crate) source: u32,
    pub(crate) start: usize,
    pub(crate) spans_at: u32,
    pub(crate) argc: u32,
    /// Its key, if it has one.
    pub(crate) hash: u64,
    pub(crate) slot: SlotId,
    /// Its keys, if it has several at fixed distances.
    pub(crate) places_at: u32,
    pub(crate) places: u32,
    /// They are all ours.
    are_own: bool,
    pub(crate) what: What,
}

impl Cmd {
    /// Its keys, if it has several at fixed distances.
    pub(crate) fn places<'p>(&self, all: &'p [Place]) -> &'p [Place] {
        &all[self.places_at as usize..][..self.places as usize]
    }
}

/// What a request turned out to be.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// Bytes that are no request.
    Malformed(ProtocolError),
    /// No words at all.
    Empty,
    /// A name nobody knows.
    Unknown,
    /// A command; its first key at this argument is ours.
    Own(u16, u8),
    /// A command; its first key at this argument is another shard's.
    Foreign(u16, u8),
    /// A command with several keys, whose places are known.
    Many(u16),
    /// A command that needs a closer look.
    Other(u16),
}

impl Shard {
    /// Runs what arrived.
    pub(crate) fn ingest(&mut self, data: &[(ConnId, &[u8])]) {
        let mut sources = recycle(std::mem::take(&mut self.sources));
        for (id, bytes) in data {
            self.add_source(&mut sources, *id, bytes);
        }
        self.run_sources(&mut sources);
        self.sources = recycle(sources);
    }

    /// Runs the held input of connections whose wait is over.
    pub(crate) fn resume_waiting(&mut self) {
        // What runs may end other waits; what those hold runs in the next pass, which `busy` asks for.
        let waiting = std::mem::take(&mut self.resumable);
        if waiting.is_empty() {
            return;
        }
        let mut sources = recycle(std::mem::take(&mut self.sources));
        for id in &waiting {
            self.add_source(&mut sources, *id, &[]);
        }
        self.run_sources(&mut sources);
        self.sources = recycle(sources);
        for id in waiting {
            if let Some(conn) = self.conn(id) {
                conn.resumes = false;
            }
            if let Some(conn) = self.conn(id)
                && conn.read_paused
                // What is left of a connection that waits no more is a long request's beginning, whose
                // end must be read.
                && (conn.stall.is_none() || conn.input.len() < HELD_INPUT_MAX)
            {
                conn.read_paused = false;
                self.actions.push_back(Action::ResumeRead(id));
            }
            self.close_if_done(id);
        }
    }

    fn add_source<'a>(&mut self, sources: &mut Vec<Source<'a>>, id: ConnId, bytes: &'a [u8]) {
        let stalled = self.stalled_until.is_some();
        let Some(conn) = self.conn(id) else { return };
        if conn.closing {
            return;
        }
        if let Some(at) = conn.source {
            let source = &mut sources[at as usize];
            let mut joined = match std::mem::replace(&mut source.bytes, Bytes::Borrowed(&[])) {
                Bytes::Borrowed(first) => first.to_vec(),
                Bytes::Owned(first) => first,
            };
            joined.extend_from_slice(bytes);
            source.bytes = Bytes::Owned(joined);
        } else if conn.stall.is_some() || stalled {
            conn.input.extend_from_slice(bytes);
            if conn.input.len() > HELD_INPUT_MAX && !conn.read_paused {
                conn.read_paused = true;
                self.actions.push_back(Action::PauseRead(id));
            }
        } else {
            conn.source = Some(sources.len() as u32);
            let parser = std::mem::take(&mut conn.parser);
            let bytes = if conn.input.is_empty() {
                Bytes::Borrowed(bytes)
            } else {
                conn.input.extend_from_slice(bytes);
                Bytes::Owned(std::mem::take(&mut conn.input))
            };
            let (at, unrun, exhausted) = (0, None, false);
            sources.push(Source { conn: id, bytes, parser, at, unrun, exhausted });
        }
        if !bytes.is_empty()
            && let Some(session) = self.sessions.get(id)
        {
            session.input_total += bytes.len() as u64;
            self.node.counters.net_input_bytes += bytes.len() as u64;
            self.node.counters.reads_processed += 1;
        }
    }

    fn run_sources(&mut self, sources: &mut Vec<Source<'_>>) {
        let mut first = 0;
        while first < sources.len() {
            self.cmds.clear();
            self.spans.clear();
            self.places.clear();
            for (at, source) in sources.iter_mut().enumerate().skip(first) {
                self.read_requests(source, at as u32);
                if self.cmds.len() >= WINDOW_LEN {
                    break;
                }
            }
            if self.cmds.is_empty() {
                break;
            }
            self.run_window(sources);
            while first < sources.len() && sources[first].exhausted {
                first += 1;
            }
        }
        for source in sources.drain(..) {
            self.finish_source(source);
        }
    }

    /// Reads whole requests of one source into the window.
    fn read_requests(&mut self, source: &mut Source<'_>, number: u32) {
        let authenticated =
            self.sessions.get(source.conn).is_some_and(|session| session.authenticated);
        let limits = Limits {
            bulk_len_max: self.node.config.proto_max_bulk_len as usize,
            unauthenticated: !authenticated,
            ..Limits::default()
        };
        while !source.exhausted && self.cmds.len() < WINDOW_LEN {
            let spans_at = self.spans.len() as u32;
            let start = source.at;
            let bytes = source.bytes.as_slice();
            if start == bytes.len() {
                source.exhausted = true;
                return;
            }
            let parsed = source.parser.parse(bytes, start, &limits, &mut self.spans);
            let (argc, what) = match parsed {
                Ok(Parsed::Request { argc, consumed }) => {
                    source.at += consumed;
                    (argc, None)
                }
                Ok(Parsed::Empty { consumed }) => {
                    source.at += consumed;
                    (0, Some(What::Empty))
                }
                Ok(Parsed::Incomplete { .. }) => {
                    source.exhausted = true;
                    return;
                }
                Err(error) => {
                    source.exhausted = true;
                    (0, Some(What::Malformed(error)))
                }
            };
            let mut cmd = Cmd {
                source: number,
                start,
                spans_at,
                argc,
                hash: 0,
                slot: SlotId(0),
                places_at: 0,
                places: 0,
                are_own: false,
                what: what.unwrap_or(What::Unknown),
            };
            if what.is_none() {
                self.look_up(&mut cmd, source);
            }
            self.cmds.push(cmd);
            // Until it has logged in, every request is held against the smaller limits.
            if !authenticated {
                return;
            }
        }
    }

    #[inline]
    fn look_up(&mut self, cmd: &mut Cmd, source: &Source<'_>) {
        let spans = &self.spans[cmd.spans_at as usize..];
        let name = source.arg(spans[0]);
        let Some(index) = self.node.table.find_lately(name, &mut self.lately) else { return };
        cmd.what = match self.plans[index as usize] {
            Plan::OneKey(at) if u32::from(at) < cmd.argc => {
                let key = self.keyspace.seed().key(source.arg(spans[at as usize]));
                (cmd.hash, cmd.slot) = (key.hash, key.slot);
                if owner_of(key.slot, self.node.shards) == self.node.shard {
                    What::Own(index, at)
                } else {
                    What::Foreign(index, at)
                }
            }
            Plan::Keys | Plan::Split(_) => {
                if let Some(stride) = self.strides[index as usize] {
                    cmd.places_at = self.places.len() as u32;
                    let arg = |at: usize| source.arg(spans[at]);
                    let (seed, shards) = (self.keyspace.seed(), self.node.shards);
                    let found = stride.find(cmd.argc as usize, arg, seed, shards, &mut self.places);
                    cmd.places = found as u32;
                    let mut found = cmd.places(&self.places).iter();
                    cmd.are_own = found.all(|place| place.owner == self.node.shard);
                }
                if cmd.places > 0 { What::Many(index) } else { What::Other(index) }
            }
            Plan::OneKey(_)
            | Plan::Home
            | Plan::AllShards(_)
            | Plan::Walk
            | Plan::Exec
            | Plan::Watch => What::Other(index),
        };
    }

    fn run_window(&mut self, sources: &mut [Source<'_>]) {
        let cmds = std::mem::take(&mut self.cmds);
        let places = std::mem::take(&mut self.places);
        let mut started = (self.clock)();
        let mut rest = cmds.as_slice();
        while !rest.is_empty() {
            let stage;
            (stage, rest) = rest.split_at(stage_len(rest));
            let inserted = self.keyspace.stats.inserted;
            if stage.len() >= STAGE_LEN_MIN || stage[0].places >= STAGE_LEN_MIN as u32 {
                self.prefetch(stage, &places, sources);
            }
            let mut left = stage;
            while let [cmd, others @ ..] = left {
                let ran = self.run_row(left, sources);
                if ran == 0 {
                    self.run_cmd(cmd, &places, sources);
                }
                left = if ran == 0 { others } else { &left[ran..] };
            }
            let ended = (self.clock)();
            let took_ns = ended.0.saturating_sub(started.0);
            started = ended;
            self.count_ran(took_ns);
            if self.keyspace.stats.inserted != inserted {
                // The whole stage's time: no insert of it took longer.
                self.node.inserts.record(took_ns);
            }
        }
        self.cmds = cmds;
        // One request of very many keys does not hold memory for good.
        if places.capacity() <= PLACES_KEPT_MAX {
            self.places = places;
        }
    }

    fn prefetch(&mut self, stage: &[Cmd], places: &[Place], sources: &[Source<'_>]) {
        // A guess where SELECT stands in the pipeline; a wrong one only fetches for nothing.
        let Some(first) = stage.first() else { return };
        let conn = sources[first.source as usize].conn;
        let Some(db) = self.sessions.get(conn).map(|session| session.db) else { return };
        self.stage.clear();
        for cmd in stage {
            match cmd.what {
                What::Own(..) => {
                    let spot = Spot { slot: cmd.slot, hash: cmd.hash };
                    // A pipeline on one key wants it once.
                    if self.stage.last() != Some(&spot) {
                        self.stage.push(spot);
                    }
                }
                // What is divided runs later, and is fetched then.
                What::Many(_) if cmd.are_own => {
                    self.stage.extend(cmd.places(places).iter().map(|place| place.spot));
                }
                _ => {}
            }
        }
        prefetch(&self.keyspace, db, &self.stage);
    }

    /// Gives a connection back what did not run.
    fn finish_source(&mut self, source: Source<'_>) {
        // Places in a buffer are counted in 32 bits, so no setting lifts the limit altogether.
        let limit = match self.node.config.client_query_buffer_limit {
            0 => INPUT_LEN_MAX,
            limit => INPUT_LEN_MAX.min(limit as usize),
        };
        let id = source.conn;
        let Some(conn) = self.conn(id) else { return };
        conn.source = None;
        if conn.closing {
            return;
        }
        let rest_at = source.unrun.unwrap_or(source.at);
        // Half-read state is of the last request; when earlier ones are held it is read again.
        conn.parser = if source.unrun.is_some() { Parser::new() } else { source.parser };
        conn.input = match source.bytes {
            Bytes::Borrowed(bytes) if rest_at == bytes.len() => Vec::new(),
            Bytes::Borrowed(bytes) => bytes[rest_at..].to_vec(),
            Bytes::Owned(mut bytes) => {
                bytes.drain(..rest_at);
                // An idle connection owns no buffer.
                if bytes.is_empty() { Vec::new() } else { bytes }
            }
        };
        let held = conn.input.len();
        let waits_for_more = conn.stall.is_none();
        if let Some(session) = self.sessions.get(id) {
            session.input_len = held;
        }
        if held > limit && waits_for_more {
            self.node.counters.query_buffer_limit_disconnections += 1;
            let why =
                format!("{held} bytes of an unfinished request pass client-query-buffer-limit");
            self.log_cut_off(id, &why);
            self.close(id, false);
        }
    }

    /// Holds back a request and all that follows on its connection.
    pub(crate) fn stall(&mut self, id: ConnId, stall: Stall) {
        if let Some(conn) = self.conn(id) {
            conn.stall = Some(stall);
        }
    }
}

/// How many requests run together: so many that their keys are as many as one stage may have.
fn stage_len(cmds: &[Cmd]) -> usize {
    let mut keys = 0;
    let fits = cmds.iter().take(STAGE_CMDS).take_while(|cmd| {
        let fits = keys < STAGE_KEYS;
        keys += match cmd.what {
            What::Foreign(..) => 0,
            _ => cmd.places.max(2),
        };
        fits
    });
    fits.count()
}

/// The same allocation for the next pass's borrows.
fn recycle<'b>(mut sources: Vec<Source<'_>>) -> Vec<Source<'b>> {
    sources.clear();
    sources.into_iter().map(|_| unreachable!("it was cleared")).collect()
}
