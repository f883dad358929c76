//! The driver over readiness (epoll), for hosts that forbid io_uring.
//!
//! The same turns with the same rules: wait, read what is ready into a fixed set of buffers, one
//! pass, write what came of it. It costs a system call for each connection that reads or writes,
//! which is why it is the second choice. Interest is level-triggered, so a connection that is not
//! read in one turn is simply reported again in the next.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use stoa_stdx::{ConnId, MonoMs};

use crate::clock;
use crate::core::{Core, Sockets, Turn};
use crate::entrance::Guest;
use crate::listen::{Listener, accepted};
use crate::options::Tuning;
use crate::service::{CloseReason, Peer, Service, Unlinked};
use crate::uring_driver::{ACCEPT_REST_MS, say_cannot_accept};

/// Connections read in one pass, each into one buffer.
const READS_MAX: usize = 64;

/// Sockets taken from one listener in one turn, so that a storm of connections does not starve
/// those that are there.
const ACCEPTS_MAX: usize = 64;

/// Keys of the poller that are not connections: this index, and the listener's number.
const OTHER_INDEX: u32 = u32::MAX;
const BELL: u32 = u32::MAX - 1;

/// A shard and its poller.
pub(crate) struct PollDriver<S: Service> {
    core: Core<S>,
    sockets: PollSockets,
    listeners: Vec<Listener>,
    buffers: Vec<Vec<u8>>,
    buffer_bytes: usize,
    /// Whose bytes are in the buffers of this turn, in order, and how many.
    filled: Vec<(ConnId, usize)>,
    accept_rest: Option<MonoMs>,
    has_said: bool,
}

struct PollSockets {
    poller: Poller,
    rows: Vec<Row>,
    free: Vec<u32>,
    /// To be told to the core, which is busy calling us when it happens.
    sent: Vec<(ConnId, usize)>,
    lost: Vec<(ConnId, Errno)>,
    again: Vec<ConnId>,
    spares: Vec<Vec<u8>>,
    flushing: VecDeque<(MonoMs, ConnId)>,
    sending: usize,
    flush_grace_ms: u64,
    is_stopping: bool,
}

#[derive(Default)]
struct Row {
    fd: Option<OwnedFd>,
    generation: u32,
    /// Not yet written, from `out_sent` on.
    out: Vec<u8>,
    out_sent: usize,
    last: Vec<u8>,
    is_flushing: bool,
    paused: bool,
    ended: bool,
    again: bool,
    /// What the poller reports now: reading, writing.
    interest: (bool, bool),
}

impl<S: Service> PollDriver<S> {
    pub(crate) fn new(
        core: Core<S>,
        listeners: Vec<Listener>,
        tuning: &Tuning,
    ) -> io::Result<Self> {
        let sockets = PollSockets {
            poller: Poller::new()?,
            rows: Vec::new(),
            free: Vec::new(),
            sent: Vec::new(),
            lost: Vec::new(),
            again: Vec::new(),
            spares: Vec::new(),
            flushing: VecDeque::new(),
            sending: 0,
            flush_grace_ms: tuning.flush_grace_ms,
            is_stopping: false,
        };
        let driver = Self {
            core,
            sockets,
            listeners,
            buffers: Vec::new(),
            buffer_bytes: tuning.recv_buffer_bytes as usize,
            filled: Vec::new(),
            accept_rest: None,
            has_said: false,
        };
        let bell = driver.core.shared().bell(driver.core.shard());
        // SAFETY: the bell is shared with all other shards and outlives the poller, which is ours.
        unsafe { driver.sockets.add(bell.as_raw_fd(), key(BELL))? };
        driver.watch_listeners()?;
        Ok(driver)
    }

    /// Runs until the node stops.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::new();
        loop {
            match self.turn(&mut events)? {
                Turn::Again | Turn::Idle => {}
                Turn::Blocked => std::thread::yield_now(),
                Turn::Done => return Ok(()),
            }
        }
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<Turn> {
        self.wait(events)?;
        for event in events.iter() {
            self.handle(event);
        }
        for guest in self.core.guests() {
            match guest {
                Guest::Client { socket, peer } => self.open(socket, &peer),
                Guest::Linked { tag, linked } => {
                    let linked =
                        linked.and_then(|fd| self.sockets.open(fd).ok_or(Unlinked::Unreached));
                    self.core.linked(tag, linked, clock::now());
                }
            }
        }
        self.report();
        if self.core.begins_to_stop() {
            self.stop_reading();
            self.pass();
        }
        if self.core.is_overdue() {
            return Ok(Turn::Done);
        }
        self.core.fetch_mail();
        let has_timed = self.rest_is_over()? | self.sockets.give_up_flushing();
        if !self.filled.is_empty() || has_timed || self.core.has_work() {
            self.pass();
            if self.core.has_work() {
                return Ok(Turn::Again);
            }
        }
        // Also behind a pass: the next turn begins with a wait, which nothing may end any more.
        if self.core.is_finished(self.sockets.sending > 0) {
            return Ok(Turn::Done);
        }
        Ok(self.core.idle_turn())
    }

    /// Waits for sockets, if there is nothing else to do, until the next deadline.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        events.clear();
        let bell = self.core.shared().bell(self.core.shard());
        bell.park();
        let timeout = if self.core.may_sleep() && self.sockets.has_nothing_to_report() {
            let flushing = self.sockets.flushing.front().map(|&(at, _)| at);
            let wanted = [self.core.deadline(), self.accept_rest, flushing];
            wanted.into_iter().flatten().min().map(|at| {
                // One more, because the clock is cut to milliseconds.
                Duration::from_millis((at.0 + 1).saturating_sub(clock::mono().ms().0))
            })
        } else {
            Some(Duration::ZERO)
        };
        let result = self.sockets.poller.wait(events, timeout);
        self.core.shared().bell(self.core.shard()).unpark();
        match result {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn handle(&mut self, event: Event) {
        let conn = conn(event.key);
        match (conn.index, conn.generation) {
            (OTHER_INDEX, BELL) => self.core.shared().bell(self.core.shard()).clear(),
            (OTHER_INDEX, listener) => self.accept(listener as usize),
            _ => {
                if event.writable {
                    self.sockets.write(conn);
                }
                if event.readable && !self.core.holds_data() {
                    self.read(conn);
                }
            }
        }
    }

    fn read(&mut self, conn: ConnId) {
        let used = self.filled.len();
        let Some(row) = self.sockets.get_open(conn) else { return };
        if used == READS_MAX || row.paused || row.ended {
            return;
        }
        if used == self.buffers.len() {
            self.buffers.push(vec![0; self.buffer_bytes]);
        }
        let fd = row.fd.as_ref().expect("an open row has a socket");
        match rustix::net::recv(fd, &mut self.buffers[used][..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => {
                row.ended = true;
                self.core.events().ended.push(conn);
                self.sockets.watch(conn);
            }
            Ok((len, _)) => self.filled.push((conn, len)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => self.sockets.lose(conn, errno),
        }
    }

    fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTS_MAX {
            let Listener { fd, kind } = &self.listeners[listener];
            match rustix::net::accept_with(fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(fd) => {
                    // An error here means that the peer is gone already.
                    if let Ok(peer) = accepted(&fd, kind) {
                        self.open(fd, &peer);
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                    if !std::mem::replace(&mut self.has_said, true) {
                        say_cannot_accept(errno.into());
                    }
                    self.accept_rest = Some(MonoMs(clock::mono().ms().0 + ACCEPT_REST_MS));
                    for listener in &self.listeners {
                        let _ = self.sockets.poller.delete(&listener.fd);
                    }
                    return;
                }
                // The client was gone before we came.
                Err(_) => {}
            }
        }
    }

    fn open(&mut self, fd: OwnedFd, peer: &Peer) {
        if let Some(conn) = self.sockets.open(fd) {
            self.core.open(conn, peer, clock::now(), &mut self.sockets);
        }
    }

    fn rest_is_over(&mut self) -> io::Result<bool> {
        if self.accept_rest.is_none_or(|until| clock::mono().ms() < until) {
            return Ok(false);
        }
        self.accept_rest = None;
        self.watch_listeners()?;
        Ok(true)
    }

    fn watch_listeners(&self) -> io::Result<()> {
        for (n, listener) in self.listeners.iter().enumerate() {
            // SAFETY: a listener lives as long as the driver, and `stop_reading` or the rest after
            // an error deletes it from the poller before it is closed or added again.
            unsafe { self.sockets.add(listener.fd.as_raw_fd(), key(n as u32))? };
        }
        Ok(())
    }

    /// Tells the core what happened while it was calling us.
    fn report(&mut self) {
        let sockets = &mut self.sockets;
        let events = self.core.events();
        events.sent.append(&mut sockets.sent);
        for (conn, errno) in sockets.lost.drain(..) {
            events.closed.push((conn, CloseReason::from_errno(errno.raw_os_error())));
        }
        for conn in sockets.again.drain(..) {
            self.core.wants_send(conn);
        }
        for spare in sockets.spares.drain(..) {
            self.core.keep_spare(spare);
        }
    }

    fn pass(&mut self) {
        let filled = self.filled.iter().zip(&self.buffers);
        let data: Vec<_> = filled.map(|(&(conn, len), buffer)| (conn, &buffer[..len])).collect();
        self.core.pass(&data, clock::now(), &mut self.sockets);
        self.filled.clear();
    }

    fn stop_reading(&mut self) {
        self.sockets.is_stopping = true;
        self.accept_rest = None;
        for listener in self.listeners.drain(..) {
            let _ = self.sockets.poller.delete(&listener.fd);
        }
        for index in 0..self.sockets.rows.len() {
            let generation = self.sockets.rows[index].generation;
            self.sockets.pause(ConnId { index: index as u32, generation });
        }
    }
}

impl PollSockets {
    fn get(&mut self, conn: ConnId) -> Option<&mut Row> {
        let row = self.rows.get_mut(conn.index as usize)?;
        (row.generation == conn.generation && row.fd.is_some()).then_some(row)
    }

    fn get_open(&mut self, conn: ConnId) -> Option<&mut Row> {
        self.get(conn).filter(|row| !row.is_flushing)
    }

    fn open(&mut self, fd: OwnedFd) -> Option<ConnId> {
        let index = self.free.pop().or_else(|| {
            let index = u32::try_from(self.rows.len()).ok().filter(|&n| n < OTHER_INDEX)?;
            self.rows.push(Row::default());
            Some(index)
        })?;
        let row = &mut self.rows[index as usize];
        let conn = ConnId { index, generation: row.generation };
        row.fd = Some(fd);
        self.watch(conn);
        Some(conn)
    }

    /// Has the poller report what this connection waits for, and nothing else: a hang-up is
    /// reported to whoever waits for anything, so waiting for nothing is not being watched.
    fn watch(&mut self, conn: ConnId) {
        let Some(row) = self.get(conn) else { return };
        let reads = !row.paused && !row.ended && !row.is_flushing;
        let wanted = (reads, !row.out.is_empty());
        let before = std::mem::replace(&mut row.interest, wanted);
        let fd = row.fd.as_ref().expect("a row in use has a socket");
        let raw = fd.as_raw_fd();
        let event = Event::new(packed(conn), wanted.0, wanted.1);
        let result = match (before, wanted) {
            (before, wanted) if before == wanted => Ok(()),
            // SAFETY: `close` deletes the socket from the poller before it is closed.
            ((false, false), _) => unsafe {
                self.poller.add_with_mode(raw, event, PollMode::Level)
            },
            (_, (false, false)) => {
                let fd = self.rows[conn.index as usize].fd.as_ref().expect("as before");
                self.poller.delete(fd.as_fd())
            }
            _ => {
                let fd = self.rows[conn.index as usize].fd.as_ref().expect("as before");
                self.poller.modify_with_mode(fd.as_fd(), event, PollMode::Level)
            }
        };
        if let Err(error) = result {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            self.rows[conn.index as usize].interest = (false, false);
            self.lose(conn, errno);
        }
    }

    /// # Safety
    ///
    /// The descriptor must stay open until it was deleted from the poller or the poller is gone.
    unsafe fn add(&self, fd: i32, key: usize) -> io::Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.poller.add_with_mode(fd, Event::readable(key), PollMode::Level) }
    }

    fn has_nothing_to_report(&self) -> bool {
        self.sent.is_empty() && self.lost.is_empty() && self.again.is_empty()
    }

    /// Writes as much as the socket takes.
    fn write(&mut self, conn: ConnId) {
        let Some(row) = self.get(conn) else { return };
        if row.out.is_empty() {
            return;
        }
        let fd = row.fd.as_ref().expect("a row in use has a socket");
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(fd, &row.out[row.out_sent..], flags) {
            Ok(count) => {
                row.out_sent += count;
                let (is_flushing, is_done) = (row.is_flushing, row.out_sent == row.out.len());
                if !is_flushing {
                    self.sent.push((conn, count));
                }
                if is_done {
                    self.end_send(conn);
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return self.lose(conn, errno),
        }
        self.watch(conn);
    }

    fn end_send(&mut self, conn: ConnId) {
        let Some(row) = self.get(conn) else { return };
        row.out_sent = 0;
        let last = std::mem::take(&mut row.last);
        let (is_flushing, again) = (row.is_flushing, std::mem::take(&mut row.again));
        let out = std::mem::replace(&mut row.out, last);
        let is_empty = row.out.is_empty();
        self.spares.push(out);
        if is_empty {
            self.sending -= 1;
            if is_flushing {
                self.close(conn);
            } else if again {
                self.again.push(conn);
            }
        }
    }

    /// The socket failed.
    fn lose(&mut self, conn: ConnId, errno: Errno) {
        if self.get_open(conn).is_some() {
            self.lost.push((conn, errno));
        }
        self.close(conn);
    }

    fn give_up_flushing(&mut self) -> bool {
        let before = self.flushing.len();
        while let Some(&(at, conn)) = self.flushing.front() {
            let is_done = self.get(conn).is_none();
            if !is_done && clock::mono().ms() < at {
                break;
            }
            self.flushing.pop_front();
            self.close(conn);
        }
        self.flushing.len() < before
    }
}

impl Sockets for PollSockets {
    fn ready_to_send(&mut self, conn: ConnId) -> bool {
        let Some(row) = self.get_open(conn) else { return false };
        row.again = !row.out.is_empty();
        !row.again
    }

    fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let Some(row) = self.get(conn) else { return };
        assert!(row.out.is_empty() && !bytes.is_empty(), "one send at a time, of something");
        row.out = bytes;
        self.sending += 1;
        self.write(conn);
    }

    fn close_after(&mut self, conn: ConnId, last: Vec<u8>, now: MonoMs) {
        let Some(row) = self.get_open(conn) else { return };
        row.is_flushing = true;
        match (row.out.is_empty(), last.is_empty()) {
            (true, true) => return self.close(conn),
            (true, false) => self.send(conn, last),
            (false, _) => {
                row.last = last;
                self.watch(conn);
            }
        }
        self.flushing.push_back((MonoMs(now.0 + self.flush_grace_ms), conn));
    }

    fn close(&mut self, conn: ConnId) {
        let Some(row) = self.get(conn) else { return };
        let is_sending = !row.out.is_empty();
        let (fd, interest) = (row.fd.take(), row.interest);
        *row = Row { generation: row.generation.wrapping_add(1), ..Row::default() };
        self.free.push(conn.index);
        self.sending -= usize::from(is_sending);
        if let (Some(fd), true) = (fd, interest != (false, false)) {
            let _ = self.poller.delete(fd.as_fd());
        }
    }

    fn pause(&mut self, conn: ConnId) {
        if let Some(row) = self.get_open(conn) {
            row.paused = true;
            self.watch(conn);
        }
    }

    fn resume(&mut self, conn: ConnId) {
        if self.is_stopping {
            return;
        }
        if let Some(row) = self.get_open(conn) {
            row.paused = false;
            self.watch(conn);
        }
    }
}

const _: () = assert!(size_of::<usize>() == 8, "a key holds an index and a generation");

fn packed(conn: ConnId) -> usize {
    (conn.index as usize) << 32 | conn.generation as usize
}

fn key(other: u32) -> usize {
    packed(ConnId { index: OTHER_INDEX, generation: other })
}

fn conn(key: usize) -> ConnId {
    ConnId { index: (key >> 32) as u32, generation: key as u32 }
}
