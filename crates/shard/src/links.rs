//! Connections to other servers: made when a migration needs one, kept for a while for the next.
//!
//! The shard asks its driver for a connection by a number of its own ([`Action::Connect`]) and hears later
//! what came of it ([`Shard::linked`]). Then bytes come and go as those of clients do, but nothing else of a
//! client is there: no session, no limits, no place in CLIENT LIST. What a link is used for is in
//! `migrate`. A connection that is in nobody's way costs a place in a list of at most [`LINKS_MAX`].

use std::collections::VecDeque;

use stoa_engine::{Migration, Target};
use stoa_stdx::{ConnId, MonoMs};

use crate::Shard;
use crate::event::{Action, Moment, Pass, Unlinked};
use crate::jobs::Whose;
use crate::migrate::{Errand, Outcome, Stage, Trouble};

/// Connections of one shard at once, as many as Redis keeps. Who finds no place waits for one, no longer than
/// the other server may take.
const LINKS_MAX: usize = 64;
/// How long one is kept that nobody uses.
const IDLE_MS: u64 = 10_000;
/// The longest answer that is read: whatever is longer is none.
const LINE_LEN_MAX: usize = 1_024;
/// Output that may wait to be sent when the next value is written.
const SEND_LEN: usize = 256 << 10;
/// Output that is given away at a time, if it does not come in larger pieces.
const PIECE_LEN: usize = 64 << 10;

/// All connections of a shard to other servers.
#[derive(Default)]
pub(crate) struct Links {
    rows: Vec<Link>,
    next_tag: u64,
    /// Something came while no pass was under way: one is due.
    pub(crate) has_news: bool,
    /// Migrations for which there is no place yet.
    waiting: Queue,
    /// Migrations that are over, and what came of them.
    pub(crate) over: Vec<Outcome>,
}

/// Migrations that wait for a place, and when each is given up: as long as the other server may take, for to
/// whoever asked it is the same.
#[derive(Default)]
struct Queue {
    rows: VecDeque<(MonoMs, Box<Migration>, Whose)>,
    /// Nobody is given up before.
    due: Option<MonoMs>,
}

/// One of them.
pub(crate) struct Link {
    /// What it is called by the driver until it is there.
    tag: u64,
    target: Target,
    /// None while it is being made.
    conn: Option<ConnId>,
    /// It was made for another migration: its peer may have closed it meanwhile.
    pub(crate) is_kept: bool,
    /// The database that is selected there.
    pub(crate) selected: Option<i64>,
    /// What is to be sent, in pieces.
    out: VecDeque<Vec<u8>>,
    out_len: usize,
    /// Bytes that the driver has taken and not sent yet.
    in_flight: usize,
    /// The beginning of an answer.
    input: Vec<u8>,
    /// What it is used for.
    pub(crate) errand: Option<Errand>,
    /// When it is given up.
    due: MonoMs,
}

impl Links {
    /// Whether there is none, nobody wants one, and nothing was heard of one.
    pub(crate) fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.waiting.rows.is_empty() && !self.has_news
    }

    /// When something is to be done though nothing comes.
    pub(crate) fn due(&self) -> Option<MonoMs> {
        self.rows.iter().map(|link| link.due).chain(self.waiting.due).min()
    }

    /// Lets a migration wait for a place.
    pub(crate) fn queue(&mut self, migration: Box<Migration>, whose: Whose, now: MonoMs) {
        let due = migration.patience(now);
        self.waiting.due = Some(self.waiting.due.map_or(due, |first| first.min(due)));
        self.waiting.rows.push_back((due, migration, whose));
    }

    /// The one that has waited longest, if there may be a place for it.
    pub(crate) fn next_waiting(&mut self) -> Option<(Box<Migration>, Whose)> {
        if self.rows.len() == LINKS_MAX && self.rows.iter().all(|link| link.errand.is_some()) {
            return None;
        }
        let (_, migration, whose) = self.waiting.rows.pop_front()?;
        if self.waiting.rows.is_empty() {
            self.waiting.due = None;
        }
        Some((migration, whose))
    }

    /// Gives up those that have waited for too long.
    fn give_up_waiting(&mut self, now: MonoMs) {
        if self.waiting.due.is_none_or(|due| due > now) {
            return;
        }
        for (due, migration, whose) in std::mem::take(&mut self.waiting.rows) {
            if due <= now {
                let errand = Errand::new(migration, whose);
                self.over.push(errand.fail(Trouble::TimeUp, Stage::Connecting));
            } else {
                self.waiting.rows.push_back((due, migration, whose));
            }
        }
        self.waiting.due = self.waiting.rows.iter().map(|(due, ..)| *due).min();
    }

    /// Those that nobody uses.
    pub(crate) fn idle_count(&self) -> usize {
        self.rows.iter().filter(|link| link.errand.is_none()).count()
    }

    /// Takes what is to be sent over a connection.
    pub(crate) fn take_output(&mut self, conn: ConnId, spare: Vec<u8>) -> Vec<u8> {
        let Some(link) = self.rows.iter_mut().find(|link| link.conn == Some(conn)) else {
            return spare;
        };
        let taken = link.out.pop_front().unwrap_or(spare);
        link.out_len -= taken.len();
        link.in_flight += taken.len();
        taken
    }

    /// Those that have a peer and something to say to it.
    pub(crate) fn with_errands(&self) -> impl Iterator<Item = usize> + use<> {
        let rows = self.rows.iter().enumerate();
        let busy = rows.filter(|(_, link)| link.errand.is_some() && link.conn.is_some());
        busy.map(|(row, _)| row).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn at(&mut self, row: usize) -> &mut Link {
        &mut self.rows[row]
    }

    fn find(&self, conn: ConnId) -> Option<usize> {
        self.rows.iter().position(|link| link.conn == Some(conn))
    }
}

impl Link {
    /// Adds something to be sent. Small pieces leave as one.
    pub(crate) fn write(&mut self, piece: Vec<u8>) {
        self.out_len += piece.len();
        match self.out.back_mut() {
            Some(last) if last.len() + piece.len() <= PIECE_LEN => last.extend_from_slice(&piece),
            Some(_) | None => self.out.push_back(piece),
        }
    }

    /// Whether the driver can be given more.
    pub(crate) const fn has_room(&self) -> bool {
        self.out_len + self.in_flight < SEND_LEN
    }

    /// Whether all was sent that was written.
    const fn is_sent(&self) -> bool {
        self.out_len + self.in_flight == 0
    }

    /// How far an errand has come.
    fn stage(&self) -> Stage {
        match &self.errand {
            _ if self.conn.is_none() => Stage::Connecting,
            Some(errand) if !self.is_sent() || errand.has_more() => Stage::Writing,
            Some(_) | None => Stage::Reading,
        }
    }

    pub(crate) const fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// Whether the driver is to be told that there is output.
    pub(crate) const fn asks_to_send(&self) -> bool {
        self.out_len > 0 && self.in_flight == 0
    }

    /// Something moved.
    pub(crate) fn moves(&mut self, now: MonoMs) {
        if let Some(errand) = &self.errand {
            self.due = errand.patience(now);
        }
    }
}

impl Shard {
    /// What came of [`Action::Connect`]. Not while a pass is under way; [`Shard::busy`] asks for one then.
    pub fn linked(&mut self, tag: u64, linked: Result<ConnId, Unlinked>, now: Moment) {
        self.now = now;
        self.links.has_news = true;
        let found = self.links.rows.iter().position(|link| link.tag == tag);
        match (found, linked) {
            (Some(row), Ok(conn)) => {
                let link = self.links.at(row);
                link.conn = Some(conn);
                link.moves(now.mono.ms());
            }
            (Some(row), Err(why)) => self.link_fails(row, Trouble::Unlinked(why)),
            // Nobody waits for it any more.
            (None, Ok(conn)) => self.end_conn(conn),
            (None, Err(_)) => {}
        }
    }

    /// Takes what came from other servers in a pass.
    pub(crate) fn heed_links(&mut self, pass: &Pass<'_>) {
        self.links.has_news = false;
        let now = self.now.mono.ms();
        for (conn, len) in pass.sent {
            if let Some(row) = self.links.find(*conn) {
                let link = self.links.at(row);
                link.in_flight = link.in_flight.saturating_sub(*len);
                link.moves(now);
            }
        }
        for (conn, bytes) in pass.data {
            if let Some(row) = self.links.find(*conn) {
                self.link_says(row, bytes);
            }
        }
        for conn in pass.ended {
            if let Some(row) = self.links.find(*conn) {
                self.link_fails(row, Trouble::Closed);
            }
        }
        for conn in pass.closed {
            if let Some(row) = self.links.find(*conn) {
                self.link_fails(row, Trouble::Closed);
            }
        }
        while let Some(row) = self.links.rows.iter().position(|link| link.due <= now) {
            self.link_fails(row, Trouble::TimeUp);
        }
        self.links.give_up_waiting(now);
    }

    fn link_says(&mut self, row: usize, bytes: &[u8]) {
        let now = self.now.mono.ms();
        let link = self.links.at(row);
        link.input.extend_from_slice(bytes);
        let mut taken = 0;
        let mut is_good = true;
        while let Some(errand) = link.errand.as_mut().filter(|errand| !errand.is_over()) {
            let rest = &link.input[taken..];
            let Some(len) = rest.iter().position(|byte| *byte == b'\n') else {
                is_good = rest.len() <= LINE_LEN_MAX;
                break;
            };
            is_good = len <= LINE_LEN_MAX && errand.hears(&rest[..len]);
            if !is_good {
                break;
            }
            taken += len + 1;
            link.due = errand.patience(now);
        }
        link.input.drain(..taken);
        if !is_good {
            return self.link_fails(row, Trouble::Garbage);
        }
        match &link.errand {
            // What nobody asked for.
            None => self.link_fails(row, Trouble::Garbage),
            Some(errand) if errand.is_over() => self.errand_done(row),
            Some(_) => {}
        }
    }

    /// All was answered: the connection is kept for the next.
    fn errand_done(&mut self, row: usize) {
        let due = MonoMs(self.now.mono.ms().0 + IDLE_MS);
        let link = self.links.at(row);
        let errand = link.errand.take().expect("it is over");
        let is_clean = link.input.is_empty() && link.is_sent();
        (link.selected, link.is_kept, link.due) = (errand.selected(), true, due);
        self.links.over.push(errand.end());
        if !is_clean {
            self.end_link(row);
        }
        self.node.idle_links = self.links.idle_count();
    }

    /// A connection is of no use any more.
    fn link_fails(&mut self, row: usize, trouble: Trouble) {
        let stage = self.links.rows[row].stage();
        let link = self.end_link(row);
        if let Some(errand) = link.errand {
            // Its peer may have closed it long ago. Others like it will be no better.
            let again = link.is_kept && trouble == Trouble::Closed && errand.is_unheard();
            if again {
                self.end_kept(&link.target);
            }
            let outcome = match trouble {
                Trouble::Closed if again => errand.once_more(),
                trouble => errand.fail(trouble, stage),
            };
            self.links.over.push(outcome);
        }
        self.node.idle_links = self.links.idle_count();
    }

    /// Closes all connections to a server that nobody uses.
    fn end_kept(&mut self, target: &Target) {
        let is_kept = |link: &Link| link.errand.is_none() && link.target == *target;
        while let Some(row) = self.links.rows.iter().position(is_kept) {
            self.end_link(row);
        }
    }

    /// Forgets a connection, and closes it if it is there.
    fn end_link(&mut self, row: usize) -> Link {
        let link = self.links.rows.swap_remove(row);
        if let Some(conn) = link.conn {
            self.end_conn(conn);
        }
        link
    }

    fn end_conn(&mut self, conn: ConnId) {
        self.actions.push_back(Action::Close { conn, after_flush: false });
    }

    /// A connection for a migration: one that is there, or one that is asked for now. None: there are as
    /// many as there may be, all in use.
    pub(crate) fn link_for(&mut self, migration: &Migration) -> Option<usize> {
        let Migration { target, timeout_ms, .. } = migration;
        let is_free = |link: &Link| link.errand.is_none() && link.target == *target;
        if let Some(row) = self.links.rows.iter().position(is_free) {
            return Some(row);
        }
        if self.links.rows.len() == LINKS_MAX {
            let rows = self.links.rows.iter().enumerate();
            let idle = rows.filter(|(_, link)| link.errand.is_none());
            let (oldest, _) = idle.min_by_key(|(_, link)| link.due)?;
            self.end_link(oldest);
        }
        let (tag, timeout_ms) = (self.links.next_tag, *timeout_ms);
        self.links.next_tag += 1;
        let Target { host, port } = target.clone();
        self.actions.push_back(Action::Connect { tag, host, port, timeout_ms });
        self.links.rows.push(Link {
            tag,
            target: target.clone(),
            conn: None,
            is_kept: false,
            selected: None,
            out: VecDeque::new(),
            out_len: 0,
            in_flight: 0,
            input: Vec::new(),
            errand: None,
            due: migration.patience(self.now.mono.ms()),
        });
        Some(self.links.rows.len() - 1)
    }

    /// Gives a connection something to do.
    pub(crate) fn use_link(&mut self, row: usize, errand: Errand) {
        let now = self.now.mono.ms();
        let link = self.links.at(row);
        link.due = errand.patience(now);
        link.errand = Some(errand);
        self.node.idle_links = self.links.idle_count();
    }
}
