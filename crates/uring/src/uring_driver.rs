//! The driver over io_uring: a shard's turn is one `enter`, one pass, and what it leads to.
//!
//! All completions at hand are collected before the service is called, its actions become
//! submissions, and the next turn's `enter` hands those over and fetches what has come meanwhile:
//! under load there is one system call a pass, however many connections and commands it carries.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use stoa_stdx::{ConnId, MonoMs};

use crate::buffers::RecvBuffers;
use crate::clock;
use crate::conns::{Conns, Kept, Phase};
use crate::core::{Core, Sockets, Turn};
use crate::entrance::Guest;
use crate::idle::{Idle, Step};
use crate::listen::{Listener, accepted};
use crate::options::Tuning;
use crate::ring::{Completion, Ring, Tag};
use crate::service::{CloseReason, Now, Peer, Service, Unlinked};

/// After the system ran out of descriptors, accepting rests this long; trying at once would fail
/// the same way and burn the core.
pub(crate) const ACCEPT_REST_MS: u64 = 100;

/// How long the kernel may take to cancel what is under way when a shard ends.
const LET_GO_MS: u64 = 1_000;

/// A shard and its ring. The ring is dropped first: the kernel knows the other fields' memory.
pub(crate) struct UringDriver<S: Service> {
    sockets: UringSockets,
    core: Core<S>,
    buffers: RecvBuffers,
    inbox: VecDeque<Arrival>,
    /// What this pass delivers, and its slices; kept for their allocations.
    batch: Vec<Delivery>,
    slices: Vec<(ConnId, &'static [u8])>,
    completions: Vec<Completion>,
    accepts: Vec<(u32, OwnedFd)>,
    listeners: Vec<Listener>,
    accept_rest: AcceptRest,
    deadline: Option<MonoMs>,
    bell_armed: bool,
    idle: Idle,
}

/// The ring with all that its operations point to.
struct UringSockets {
    ring: Ring,
    conns: Conns,
    /// Receives to arm again once this pass has given its buffers back.
    starved: Vec<ConnId>,
    /// Connections that were resumed with something kept for them.
    resumed: Vec<(ConnId, Box<Kept>)>,
    /// When to give up on last outputs, in order.
    flushing: VecDeque<(MonoMs, ConnId)>,
    flush_grace_ms: u64,
    is_stopping: bool,
}

/// Something to hand to the service, in order of arrival.
enum Arrival {
    Buffer { conn: ConnId, buffer: u16, len: u32 },
    Kept { conn: ConnId, bytes: Vec<u8> },
    End { conn: ConnId },
}

/// Bytes that this pass hands over.
enum Delivery {
    Buffer { conn: ConnId, buffer: u16, len: u32 },
    Kept { conn: ConnId, bytes: Vec<u8> },
}

#[derive(Default)]
struct AcceptRest {
    until: Option<MonoMs>,
    listeners: Vec<u32>,
    said: bool,
}

impl<S: Service> UringDriver<S> {
    /// Must be called on the thread that will drive it: the ring knows its issuer.
    pub(crate) fn new(
        core: Core<S>,
        listeners: Vec<Listener>,
        tuning: &Tuning,
    ) -> io::Result<Self> {
        let mut ring = Ring::new()?;
        let buffers = RecvBuffers::new(&mut ring, tuning.recv_buffers, tuning.recv_buffer_bytes)?;
        for (n, listener) in listeners.iter().enumerate() {
            ring.accept(listener.fd.as_raw_fd(), n as u32);
        }
        let sockets = UringSockets {
            ring,
            conns: Conns::default(),
            starved: Vec::new(),
            resumed: Vec::new(),
            flushing: VecDeque::new(),
            flush_grace_ms: tuning.flush_grace_ms,
            is_stopping: false,
        };
        Ok(Self {
            sockets,
            core,
            buffers,
            inbox: VecDeque::new(),
            batch: Vec::new(),
            slices: Vec::new(),
            completions: Vec::new(),
            accepts: Vec::new(),
            listeners,
            accept_rest: AcceptRest::default(),
            deadline: None,
            bell_armed: false,
            idle: Idle::new(tuning.looks_before_park, tuning.yields_before_park),
        })
    }

    /// Runs until the node stops.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            match self.turn()? {
                Turn::Again => self.idle.found(),
                Turn::Blocked => std::thread::yield_now(),
                Turn::Done => return Ok(()),
                Turn::Idle => match self.idle.next(clock::mono) {
                    Step::Look => std::hint::spin_loop(),
                    Step::GiveWay => self.give_way(),
                    Step::Sleep => self.park()?,
                },
            }
        }
    }

    fn give_way(&mut self) {
        let from = clock::mono();
        std::thread::yield_now();
        self.idle.gave_way(from, clock::mono());
    }

    /// One look at the world, and one pass if it brought anything.
    fn turn(&mut self) -> io::Result<Turn> {
        if self.sockets.ring.needs_enter() {
            self.sockets.ring.enter(0)?;
        }
        self.take_completions();
        if self.core.begins_to_stop() {
            self.stop_reading();
            self.run_pass();
            return Ok(Turn::Again);
        }
        if self.core.is_overdue() {
            self.let_go();
            return Ok(Turn::Done);
        }
        self.core.fetch_mail();
        let has_data = !self.inbox.is_empty() && !self.core.holds_data();
        let has_rested = self.rest_is_over() || self.give_up_flushing();
        if has_data || has_rested || !self.accepts.is_empty() || self.core.has_work() {
            self.run_pass();
            self.rearm();
            return Ok(Turn::Again);
        }
        self.rearm();
        if self.core.is_finished(self.sockets.conns.sending() > 0) {
            self.let_go();
            return Ok(Turn::Done);
        }
        Ok(self.core.idle_turn())
    }

    /// Sleeps in the ring until a completion comes or a peer rings.
    fn park(&mut self) -> io::Result<()> {
        self.arm_deadline();
        let bell = self.core.shared().bell(self.core.shard());
        bell.park();
        if !self.bell_armed {
            self.bell_armed = true;
            let fd = bell.as_raw_fd();
            self.sockets.ring.poll_bell(fd);
        }
        // One call submits the bell and the deadline, finishes what the kernel has set aside, and
        // sleeps if that completes nothing.
        let want = u32::from(self.has_nothing());
        let entered = self.sockets.ring.enter(want);
        self.core.shared().bell(self.core.shard()).unpark();
        entered
    }

    fn has_nothing(&mut self) -> bool {
        !self.sockets.ring.has_completions() && self.accepts.is_empty() && self.core.may_sleep()
    }

    fn arm_deadline(&mut self) {
        let flushing = self.sockets.flushing.front().map(|&(at, _)| at);
        let wanted = [self.core.deadline(), self.accept_rest.until, flushing];
        let Some(at) = wanted.into_iter().flatten().min() else { return };
        match self.deadline {
            // It fires early then, once, and is armed anew.
            Some(armed) if armed <= at => {}
            armed => {
                self.sockets.ring.deadline(at, armed.is_some());
                self.deadline = Some(at);
            }
        }
    }

    fn take_completions(&mut self) {
        let mut completions = std::mem::take(&mut self.completions);
        self.sockets.ring.take(&mut completions);
        for completion in completions.drain(..) {
            match completion.tag {
                Tag::Recv(conn) => self.received(conn, completion),
                Tag::Send(conn) => self.sent(conn, completion.result),
                Tag::Accept(listener) => self.accepted(listener, completion),
                Tag::Deadline => self.deadline = None,
                Tag::Bell => {
                    self.bell_armed = false;
                    // Not if the wait was cancelled: reading a silent bell would block.
                    if completion.result > 0 {
                        self.core.shared().bell(self.core.shard()).clear();
                    }
                }
                Tag::None => {}
            }
        }
        self.completions = completions;
    }

    fn received(&mut self, conn: ConnId, completion: Completion) {
        if completion.buffer.is_some() {
            self.buffers.taken();
        }
        let row = self.sockets.conns.get(conn);
        let is_open = row.as_ref().is_some_and(|row| row.phase == Phase::Open);
        if let Some(row) = row {
            row.receiving = completion.more;
            row.ended |= completion.result == 0;
        }
        match (completion.result, completion.buffer) {
            (len @ 1.., Some(buffer)) if is_open => {
                self.inbox.push_back(Arrival::Buffer { conn, buffer, len: len as u32 });
            }
            (result, buffer) => {
                if let Some(unused) = buffer {
                    self.buffers.give_back(unused);
                }
                match result {
                    0 if is_open => self.inbox.push_back(Arrival::End { conn }),
                    ..0 if is_open && !is_passing(-result) => self.lose(conn, -result),
                    _ => {}
                }
            }
        }
        if self.sockets.conns.get(conn).is_some_and(|row| row.wants_recv()) {
            self.sockets.starved.push(conn);
        }
        self.sockets.conns.reap(conn);
    }

    fn sent(&mut self, conn: ConnId, result: i32) {
        let Some(row) = self.sockets.conns.get(conn) else { return };
        let (fd, phase) = (row.raw_fd(), row.phase);
        if result < 0 && !is_passing(-result) {
            let out = self.sockets.conns.end_send(conn);
            self.core.keep_spare(out);
            match phase {
                Phase::Open => self.lose(conn, -result),
                Phase::Flushing => self.sockets.close(conn),
                Phase::Closing | Phase::Free => {}
            }
            return self.sockets.conns.reap(conn);
        }
        let count = usize::try_from(result).unwrap_or(0);
        if phase == Phase::Open && count > 0 {
            self.core.events().sent.push((conn, count));
        }
        let rest = self.sockets.conns.sent(conn, count);
        if !rest.is_empty() && phase != Phase::Closing {
            // SAFETY: the rest of the row's output, which stays until `end_send`, called only for
            // the last completion of the output.
            return unsafe { self.sockets.ring.send(fd, rest, conn) };
        }
        let out = self.sockets.conns.end_send(conn);
        self.core.keep_spare(out);
        self.after_send(conn);
    }

    /// The output of `conn` has left; what next?
    fn after_send(&mut self, conn: ConnId) {
        let Some(row) = self.sockets.conns.get(conn) else { return };
        match row.phase {
            Phase::Open if std::mem::take(&mut row.again) => self.core.wants_send(conn),
            Phase::Flushing => match row.take_last() {
                last if last.is_empty() => self.sockets.close(conn),
                last => self.sockets.start_send(conn, last),
            },
            Phase::Open | Phase::Closing | Phase::Free => self.sockets.conns.reap(conn),
        }
    }

    /// The socket failed while the service still knows it.
    fn lose(&mut self, conn: ConnId, errno: i32) {
        self.core.events().closed.push((conn, CloseReason::from_errno(errno)));
        self.sockets.close(conn);
    }

    fn accepted(&mut self, listener: u32, completion: Completion) {
        if completion.result >= 0 {
            // SAFETY: the kernel just made this descriptor for us; nothing else knows it.
            let fd = unsafe { OwnedFd::from_raw_fd(completion.result) };
            if !self.sockets.is_stopping {
                self.accepts.push((listener, fd));
            }
        }
        if completion.more || self.core.shared().is_stopping() {
            return;
        }
        match -completion.result {
            // The kernel ended the series, or the client was gone before we came.
            ..=0 | libc::ECONNABORTED | libc::EINTR | libc::EAGAIN => {
                self.sockets.ring.accept(self.listener_fd(listener), listener);
            }
            // We ended it ourselves.
            libc::ECANCELED => {}
            errno => {
                if !std::mem::replace(&mut self.accept_rest.said, true) {
                    say_cannot_accept(io::Error::from_raw_os_error(errno));
                }
                self.accept_rest.listeners.push(listener);
                self.accept_rest.until = Some(MonoMs(clock::mono().ms().0 + ACCEPT_REST_MS));
            }
        }
    }

    fn listener_fd(&self, listener: u32) -> RawFd {
        self.listeners[listener as usize].fd.as_raw_fd()
    }

    fn rest_is_over(&mut self) -> bool {
        if self.accept_rest.until.is_none_or(|until| clock::mono().ms() < until) {
            return false;
        }
        self.accept_rest.until = None;
        for listener in std::mem::take(&mut self.accept_rest.listeners) {
            self.sockets.ring.accept(self.listener_fd(listener), listener);
        }
        true
    }

    fn give_up_flushing(&mut self) -> bool {
        let before = self.sockets.flushing.len();
        while let Some(&(at, conn)) = self.sockets.flushing.front() {
            let is_done =
                self.sockets.conns.get(conn).is_none_or(|row| row.phase != Phase::Flushing);
            if !is_done && clock::mono().ms() < at {
                break;
            }
            self.sockets.flushing.pop_front();
            if !is_done {
                self.sockets.close(conn);
            }
        }
        self.sockets.flushing.len() < before
    }

    fn run_pass(&mut self) {
        let now = clock::now();
        for (listener, fd) in std::mem::take(&mut self.accepts) {
            let kind = &self.listeners[listener as usize].kind;
            // An error here means that the peer is gone already.
            if let Ok(peer) = accepted(&fd, kind) {
                self.open(fd, &peer, now);
            }
        }
        for guest in self.core.guests() {
            match guest {
                Guest::Client { socket, peer } => self.open(socket, &peer, now),
                Guest::Linked { tag, linked } => self.link(tag, linked, now),
            }
        }
        if !self.core.holds_data() {
            self.fill_batch();
        }
        let mut slices = again(std::mem::take(&mut self.slices));
        slices.extend(self.batch.iter().map(|arrived| match arrived {
            Delivery::Buffer { conn, buffer, len } => (*conn, self.buffers.bytes(*buffer, *len)),
            Delivery::Kept { conn, bytes } => (*conn, bytes.as_slice()),
        }));
        self.core.pass(&slices, now, &mut self.sockets);
        self.slices = again(slices);
        for arrived in self.batch.drain(..) {
            if let Delivery::Buffer { buffer, .. } = arrived {
                self.buffers.give_back(buffer);
            }
        }
        for (conn, kept) in self.sockets.resumed.drain(..) {
            // In front: whatever else waits for this connection came later.
            if kept.ended {
                self.inbox.push_front(Arrival::End { conn });
            }
            self.inbox.push_front(Arrival::Kept { conn, bytes: kept.bytes });
        }
    }

    fn open(&mut self, fd: OwnedFd, peer: &Peer, now: Now) {
        if let Some(conn) = self.sockets.conns.open(fd) {
            self.core.open(conn, peer, now, &mut self.sockets);
            self.sockets.starved.push(conn);
        }
    }

    fn link(&mut self, tag: u64, linked: Result<OwnedFd, Unlinked>, now: Now) {
        let linked = linked.and_then(|fd| self.sockets.conns.open(fd).ok_or(Unlinked::Unreached));
        self.core.linked(tag, linked, now);
        self.sockets.starved.extend(linked);
    }

    /// Sorts what arrived into what this pass delivers and what a paused connection must wait for.
    fn fill_batch(&mut self) {
        for arrival in self.inbox.drain(..) {
            let conn = arrival.conn();
            let row = self.sockets.conns.get_open(conn);
            match (arrival, row) {
                (Arrival::Buffer { buffer, .. }, None) => self.buffers.give_back(buffer),
                (Arrival::Kept { .. } | Arrival::End { .. }, None) => {}
                (arrival, Some(row)) if row.paused => {
                    let kept = row.kept.get_or_insert_default();
                    match arrival {
                        // Copied, because a few hundred paused clients must not hold all buffers.
                        Arrival::Buffer { buffer, len, .. } => {
                            kept.bytes.extend_from_slice(self.buffers.bytes(buffer, len));
                            self.buffers.give_back(buffer);
                        }
                        Arrival::Kept { bytes, .. } => {
                            assert!(kept.bytes.is_empty(), "what was kept first comes first");
                            kept.bytes = bytes;
                        }
                        Arrival::End { .. } => kept.ended = true,
                    }
                }
                (Arrival::Buffer { conn, buffer, len }, Some(_)) => {
                    self.batch.push(Delivery::Buffer { conn, buffer, len });
                }
                (Arrival::Kept { conn, bytes }, Some(_)) if !bytes.is_empty() => {
                    self.batch.push(Delivery::Kept { conn, bytes });
                }
                (Arrival::Kept { .. }, Some(_)) => {}
                (Arrival::End { conn }, Some(_)) => self.core.events().ended.push(conn),
            }
        }
    }

    /// Gives the kernel its buffers back, then arms what ended for want of them.
    fn rearm(&mut self) {
        self.buffers.publish();
        if self.buffers.is_dry() {
            // It would end again at once.
            return;
        }
        let UringSockets { ring, conns, starved, .. } = &mut self.sockets;
        for conn in starved.drain(..) {
            if let Some(row) = conns.get(conn).filter(|row| row.wants_recv()) {
                row.receiving = true;
                ring.recv(row.raw_fd(), conn);
            }
        }
    }

    fn stop_reading(&mut self) {
        self.sockets.is_stopping = true;
        for listener in &self.listeners {
            self.sockets.ring.cancel_fd(listener.fd.as_raw_fd());
            // Or the kernel goes on saying yes to clients that nobody will ever answer. If it will not
            // listen to that either, they hear it when the process ends.
            let _ = rustix::net::shutdown(&listener.fd, rustix::net::Shutdown::Read);
        }
        self.accepts.clear();
        for conn in self.sockets.conns.ids() {
            self.sockets.pause(conn);
        }
    }

    /// Makes the kernel let go of all our memory.
    fn let_go(&mut self) {
        for conn in self.sockets.conns.ids() {
            if let Some(row) = self.sockets.conns.get(conn) {
                row.phase = Phase::Closing;
            }
            self.sockets.conns.reap(conn);
        }
        if !self.sockets.conns.is_under_way() {
            return;
        }
        self.sockets.ring.cancel_all();
        let entered = self.sockets.ring.enter(0);
        self.take_completions();
        let at = MonoMs(clock::mono().ms().0 + LET_GO_MS);
        self.sockets.ring.deadline(at, self.deadline.is_some());
        self.deadline = Some(at);
        let mut is_fine = entered.is_ok();
        while is_fine && self.sockets.conns.is_under_way() && self.deadline.is_some() {
            is_fine = self.sockets.ring.enter(1).is_ok();
            self.take_completions();
        }
        if self.sockets.conns.is_under_way() {
            // The kernel may still use this memory, so nobody else ever may.
            std::mem::forget(std::mem::take(&mut self.sockets.conns));
            self.buffers.leak();
        }
    }
}

impl<S: Service> Drop for UringDriver<S> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl UringSockets {
    fn start_send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let Some(row) = self.conns.get(conn) else { return };
        let fd = row.raw_fd();
        let bytes = self.conns.start_send(conn, bytes);
        // SAFETY: the bytes are in the row from here to `end_send`, which the last completion of
        // this output calls; rows are not freed while sending, and moving a row in memory does
        // not move what its vector points to.
        unsafe { self.ring.send(fd, bytes, conn) };
    }
}

impl Sockets for UringSockets {
    fn ready_to_send(&mut self, conn: ConnId) -> bool {
        let Some(row) = self.conns.get_open(conn) else { return false };
        row.again = row.is_sending();
        !row.again
    }

    fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.start_send(conn, bytes);
    }

    fn close_after(&mut self, conn: ConnId, last: Vec<u8>, now: MonoMs) {
        let Some(row) = self.conns.get_open(conn) else { return };
        if !row.is_sending() && last.is_empty() {
            return self.close(conn);
        }
        row.phase = Phase::Flushing;
        if row.receiving {
            self.ring.cancel_recv(conn);
        }
        if row.is_sending() {
            row.set_last(last);
        } else {
            self.start_send(conn, last);
        }
        self.flushing.push_back((MonoMs(now.0 + self.flush_grace_ms), conn));
    }

    fn close(&mut self, conn: ConnId) {
        let Some(row) = self.conns.get(conn) else { return };
        if row.phase == Phase::Closing {
            return;
        }
        row.phase = Phase::Closing;
        if row.receiving || row.is_sending() {
            self.ring.cancel_fd(row.raw_fd());
        }
        self.conns.reap(conn);
    }

    fn pause(&mut self, conn: ConnId) {
        let Some(row) = self.conns.get_open(conn) else { return };
        row.paused = true;
        if row.receiving {
            self.ring.cancel_recv(conn);
        }
    }

    fn resume(&mut self, conn: ConnId) {
        let Some(row) = self.conns.get_open(conn).filter(|_| !self.is_stopping) else { return };
        row.paused = false;
        if let Some(kept) = row.kept.take() {
            self.resumed.push((conn, kept));
        }
        // If its end is still being cancelled, that completion arms it again.
        self.starved.push(conn);
    }
}

impl Arrival {
    fn conn(&self) -> ConnId {
        match self {
            Self::Buffer { conn, .. } | Self::Kept { conn, .. } | Self::End { conn } => *conn,
        }
    }
}

/// An empty vector of slices with the allocation of an earlier one, whose borrows are over.
fn again<'b>(mut slices: Vec<(ConnId, &[u8])>) -> Vec<(ConnId, &'b [u8])> {
    slices.clear();
    // Collecting an emptied vector of the same layout keeps its memory.
    slices.into_iter().map(|_| -> (ConnId, &'b [u8]) { unreachable!("it was cleared") }).collect()
}

pub(crate) fn say_cannot_accept(error: io::Error) {
    eprintln!(
        "cannot accept connections: {error}; raise the limit of open files (ulimit -n) or close \
         some; trying again every {ACCEPT_REST_MS} ms"
    );
}

/// Errors that say nothing about the connection: try again.
fn is_passing(errno: i32) -> bool {
    matches!(errno, libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN)
}
