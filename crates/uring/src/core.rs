//! What both drivers have in common: collect a pass, hand it to the service, carry out what it
//! wants.
//!
//! The drivers differ only in how bytes come and go, which is the small trait [`Sockets`]. All
//! rules about order, about full mailboxes and about stopping are here once.

use stoa_stdx::{ConnId, MonoMs, ShardId};

use crate::buffers::Spares;
use crate::clock;
use crate::dial::{Dial, dial};
use crate::entrance::Guest;
use crate::post::Post;
use crate::service::{Action, CloseReason, Now, Pass, Peer, Service, Unlinked};

/// The sockets of a driver, as actions see them. Ids that are dead are ignored.
pub(crate) trait Sockets {
    /// Whether output of `conn` can be sent now. If something is in flight this notes that more is
    /// to come, and the driver calls [`Core::wants_send`] when it has left.
    fn ready_to_send(&mut self, conn: ConnId) -> bool;
    /// Sends all of `bytes`, which is not empty. Only after `ready_to_send` said yes.
    fn send(&mut self, conn: ConnId, bytes: Vec<u8>);
    /// Sends what is in flight and `last`, then closes.
    fn close_after(&mut self, conn: ConnId, last: Vec<u8>, now: MonoMs);
    /// Closes at once.
    fn close(&mut self, conn: ConnId);
    /// Stops reading.
    fn pause(&mut self, conn: ConnId);
    /// Reads again.
    fn resume(&mut self, conn: ConnId);
}

/// What a turn of a driver came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done; look again at once.
    Again,
    /// Nothing to do.
    Idle,
    /// Nothing to do but to wait for room in another shard's mailbox, which rings no bell.
    Blocked,
    /// The shard has stopped.
    Done,
}

/// One shard's service with its mail and its pending outputs.
pub(crate) struct Core<S: Service> {
    service: S,
    post: Post<S::Message>,
    spares: Spares,
    events: Events,
    messages: Vec<(ShardId, S::Message)>,
    dirty: Vec<ConnId>,
    stop: Stop,
    stop_grace_ms: u64,
}

/// What sockets reported since the last pass.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) sent: Vec<(ConnId, usize)>,
    pub(crate) ended: Vec<ConnId>,
    pub(crate) closed: Vec<(ConnId, CloseReason)>,
}

impl Events {
    fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.ended.is_empty() && self.closed.is_empty()
    }

    fn clear(&mut self) {
        self.sent.clear();
        self.ended.clear();
        self.closed.clear();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    /// Sending what is owed, until then at most.
    Flushing {
        until: MonoMs,
        quiet: bool,
    },
}

impl<S: Service> Core<S> {
    pub(crate) fn new(service: S, post: Post<S::Message>, stop_grace_ms: u64) -> Self {
        Self {
            service,
            post,
            spares: Spares::default(),
            events: Events::default(),
            messages: Vec::new(),
            dirty: Vec::new(),
            stop: Stop::No,
            stop_grace_ms,
        }
    }

    /// Where the driver puts what its sockets report.
    pub(crate) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// `conn` asked to send while it could not, and now it can.
    pub(crate) fn wants_send(&mut self, conn: ConnId) {
        self.dirty.push(conn);
    }

    /// Takes back a buffer that was sent.
    pub(crate) fn keep_spare(&mut self, buffer: Vec<u8>) {
        self.spares.keep(buffer);
    }

    /// Tells the service of an accepted socket, and sends its greeting or refusal.
    pub(crate) fn open(&mut self, conn: ConnId, peer: &Peer, now: Now, sockets: &mut impl Sockets) {
        let mut out = self.spares.take();
        let wanted = self.service.open(conn, peer, now, &mut out);
        match (wanted, out.is_empty()) {
            (true, true) => self.spares.keep(out),
            (true, false) => sockets.send(conn, out),
            (false, _) => sockets.close_after(conn, out, now.mono.ms()),
        }
    }

    /// Tells the service what came of a connection that it asked for.
    pub(crate) fn linked(&mut self, tag: u64, linked: Result<ConnId, Unlinked>, now: Now) {
        self.service.linked(tag, linked, now);
    }

    /// Whether another thread has brought sockets.
    pub(crate) fn has_guests(&self) -> bool {
        self.post.shared().hall(self.post.shard()).has_guests()
    }

    /// The sockets that were brought, each to be opened like an accepted one. None while stopping:
    /// they are closed then.
    pub(crate) fn guests(&mut self) -> Vec<Guest> {
        let guests = self.post.shared().hall(self.post.shard()).take();
        if self.stop == Stop::No { guests } else { Vec::new() }
    }

    /// Whether socket data must wait, because requests it led to already do.
    pub(crate) fn holds_data(&self) -> bool {
        self.post.holds_requests()
    }

    /// Fetches mail; leaves quiet first if there is any, see `Shared::all_quiet`.
    pub(crate) fn fetch_mail(&mut self) {
        self.post.retry();
        if let Stop::Flushing { quiet: quiet @ true, .. } = &mut self.stop {
            if !self.post.has_mail() {
                return;
            }
            *quiet = false;
            self.post.shared().leave_quiet();
        }
        self.post.receive(&mut self.messages);
    }

    /// Whether a pass is due apart from socket data.
    pub(crate) fn has_work(&self) -> bool {
        !self.events.is_empty()
            || !self.messages.is_empty()
            || !self.dirty.is_empty()
            || self.has_guests()
            || self.service.busy()
            || self.is_due()
    }

    /// Runs one pass and carries out what comes of it.
    pub(crate) fn pass(&mut self, data: &[(ConnId, &[u8])], now: Now, sockets: &mut impl Sockets) {
        let mut input = Pass {
            data,
            sent: &self.events.sent,
            ended: &self.events.ended,
            closed: &self.events.closed,
            messages: &mut self.messages,
            stopping: self.stop != Stop::No,
        };
        self.service.pass(&mut input, now);
        self.messages.clear();
        self.events.clear();
        while let Some(action) = self.service.poll() {
            self.act(action, now, sockets);
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            if sockets.ready_to_send(conn) {
                let out = self.service.take_output(conn, self.spares.take());
                if out.is_empty() { self.spares.keep(out) } else { sockets.send(conn, out) }
            }
        }
        self.dirty = dirty;
        self.post.wake_touched();
    }

    /// When something must happen without anything arriving.
    pub(crate) fn deadline(&self) -> Option<MonoMs> {
        let stop = match self.stop {
            Stop::Flushing { until, .. } => Some(until),
            Stop::No => None,
        };
        [self.service.poll_timeout(), stop].into_iter().flatten().min()
    }

    /// What an empty turn means.
    pub(crate) fn idle_turn(&self) -> Turn {
        if self.post.is_blocked() { Turn::Blocked } else { Turn::Idle }
    }

    /// Whether the shard may sleep: the last look, after `park`.
    pub(crate) fn may_sleep(&mut self) -> bool {
        !self.post.has_mail()
            && !self.post.is_blocked()
            && !self.has_work()
            && (self.stop != Stop::No) == self.post.shared().is_stopping()
            && !self.all_quiet()
    }

    pub(crate) fn shared(&self) -> &std::sync::Arc<crate::park::Shared> {
        self.post.shared()
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.post.shard()
    }

    /// Whether the driver must stop accepting and reading now; true once.
    pub(crate) fn begins_to_stop(&mut self) -> bool {
        if self.stop != Stop::No || !self.post.shared().is_stopping() {
            return false;
        }
        let until = MonoMs(clock::mono().ms().0.saturating_add(self.stop_grace_ms));
        self.stop = Stop::Flushing { until, quiet: false };
        true
    }

    /// Whether a stopping shard has used up its grace, whatever it is still doing.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self.stop, Stop::Flushing { until, .. } if clock::mono().ms() >= until)
    }

    /// Whether a stopping shard is finished, given whether its sockets still have output in
    /// flight. A shard that is done with its own work still answers others until all are.
    pub(crate) fn is_finished(&mut self, in_flight: bool) -> bool {
        let Stop::Flushing { quiet, .. } = &mut self.stop else {
            return false;
        };
        if !*quiet && !in_flight && self.post.is_drained() {
            *quiet = true;
            self.post.shared().enter_quiet();
            if self.post.shared().all_quiet() {
                // The others sleep until somebody tells them.
                self.post.shared().stop();
            }
        }
        self.all_quiet()
    }

    fn all_quiet(&self) -> bool {
        self.stop != Stop::No && self.post.shared().all_quiet()
    }

    fn is_due(&self) -> bool {
        self.service.poll_timeout().is_some_and(|at| clock::mono().ms() >= at)
    }

    fn act(&mut self, action: Action<S::Message>, now: Now, sockets: &mut impl Sockets) {
        match action {
            Action::Send(conn) => self.dirty.push(conn),
            Action::Close { conn, after_flush } => {
                let last = self.service.take_output(conn, Vec::new());
                if after_flush {
                    sockets.close_after(conn, last, now.mono.ms());
                } else {
                    sockets.close(conn);
                    self.spares.keep(last);
                }
            }
            Action::Request { to, message } => self.post.request(to, message),
            Action::Reply { to, message } => self.post.reply(to, message),
            Action::Connect { tag, host, port, timeout_ms } => {
                let wanted = Dial { tag, host, port, timeout_ms };
                dial(self.post.shared(), self.post.shard(), wanted);
            }
            Action::PauseRead(conn) => sockets.pause(conn),
            Action::ResumeRead(conn) => sockets.resume(conn),
            Action::Shutdown => self.post.shared().stop(),
        }
    }
}
