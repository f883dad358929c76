//! What commands ask of the shard, and what time asks: pauses, idle clients, slow readers, expiry.

use stoa_command::Flags;
use stoa_config::ClientClass;
use stoa_engine::{COPY_LEN, Order, PauseMode};
use stoa_stdx::{ConnId, MonoMs, ShardId};

use crate::Shard;
use crate::blocking::End;
use crate::event::Action;
use crate::message::{Ask, ScriptText};
use crate::sites::Site;

/// Keys reclaimed or entries freed in one portion: some tens of microseconds.
const PORTION_LEN: usize = 64;
/// Clients looked over in one portion: some tens of nanoseconds each, while few are closed.
const CLIENTS_LEN: usize = 256;

/// CLIENT PAUSE in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    mode: PauseMode,
    until: MonoMs,
}

/// Whether a pause holds back a command with these flags.
pub(crate) fn holds_back(pause: &Pause, flags: Flags) -> bool {
    match pause.mode {
        PauseMode::All => true,
        PauseMode::Write => flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE),
    }
}

impl Shard {
    /// Does what commands asked for.
    pub(crate) fn carry_out_orders(&mut self) {
        for order in std::mem::take(&mut self.node.orders) {
            match order {
                Order::Kill(client) => {
                    let found = self.sessions.iter().find(|session| session.id == client);
                    if let Some(id) = found.map(|session| session.conn) {
                        self.close(id, false);
                    }
                }
                Order::Stall(until) => self.stalled_until = Some(until),
                Order::Pause { mode, until } => {
                    // A pause in force may be made stricter and longer, never shorter.
                    let old = self.pause.take();
                    let mode = match old {
                        Some(Pause { mode: PauseMode::All, .. }) => PauseMode::All,
                        Some(_) | None => mode,
                    };
                    let until = old.map_or(until, |old| old.until.max(until));
                    self.pause = Some(Pause { mode, until });
                }
                Order::ShareScript(text) => {
                    for shard in (0..self.node.shards).map(ShardId) {
                        if shard != self.node.shard {
                            self.send_step(shard, Ask::Script(Box::new(ScriptText(text.clone()))));
                        }
                    }
                }
                Order::Unblock { conn, error } => {
                    self.unblock(conn, if error { End::Error } else { End::Timeout });
                }
                Order::Unwatch(conn) => self.unwatch(conn),
                Order::Unpause => self.end_pause(),
                Order::Log(level, text) => self.log(level, text),
                Order::Shutdown(mode) => self.actions.push_back(Action::Shutdown(mode)),
            }
        }
    }

    fn end_pause(&mut self) {
        self.pause = None;
        self.unstall_paused();
    }

    /// What time brings.
    pub(crate) fn cron(&mut self) {
        let now = self.now.mono.ms();
        if self.stalled_until.is_some_and(|until| now >= until) {
            self.stalled_until = None;
            let held: Vec<ConnId> = self
                .conns
                .iter()
                .flatten()
                .filter(|conn| conn.stall.is_none() && !conn.input.is_empty())
                .map(|conn| conn.id)
                .collect();
            held.into_iter().for_each(|id| self.unstall(id));
            self.run_deferred();
        }
        if !self.keys_are_lent {
            self.end_waits();
        }
        if self.pause.is_some_and(|pause| now >= pause.until) {
            self.end_pause();
        }
        if self.needs_cron() && now >= self.next_cron {
            self.next_cron = MonoMs(now.0 + 1_000 / u64::from(self.node.config.hz));
            // A round that is still under way goes on.
            if self.look_at.is_none() {
                (self.look_at, self.slow_readers) = (Some(0), false);
            }
        }
    }

    fn needs_cron(&self) -> bool {
        !self.node.cron_rests && (self.node.config.timeout_s > 0 || self.slow_readers)
    }

    /// Holds a portion of the clients against the limits that time makes them pass. True while the
    /// round is not over.
    fn look_over_clients(&mut self) -> bool {
        let Some(from) = self.look_at else { return false };
        let now = self.now.mono.ms();
        let timeout_ms = u64::from(self.node.config.timeout_s) * 1_000;
        let end = self.conns.len().min(from + CLIENTS_LEN);
        for row in from..end {
            let Some(id) = self.conns[row].as_ref().map(|conn| conn.id) else { continue };
            self.check_output(id);
            // Who listens only has nothing to say.
            let session = self.sessions.get(id).filter(|session| !session.is_subscriber());
            let idle = session.map_or(0, |s| now.0.saturating_sub(s.active.0));
            if timeout_ms > 0 && idle > timeout_ms {
                self.close(id, false);
            }
        }
        self.look_at = (end < self.conns.len()).then_some(end);
        self.look_at.is_some()
    }

    /// The kernel took some output.
    pub(crate) fn output_sent(&mut self, id: ConnId, len: usize) {
        let Some(conn) = self.conn(id) else { return };
        conn.in_flight = conn.in_flight.saturating_sub(len);
        let more = !conn.out.is_empty();
        if let Some(session) = self.sessions.get(id) {
            session.output_total += len as u64;
        }
        self.node.counters.net_output_bytes += len as u64;
        self.node.counters.writes_processed += 1;
        if more {
            self.touched(id);
        }
        self.check_output(id);
    }

    /// Holds a slow reader against `client-output-buffer-limit`.
    pub(crate) fn check_output(&mut self, id: ConnId) {
        let listens = self.sessions.get(id).is_some_and(|session| session.is_subscriber());
        let class = if listens { ClientClass::PubSub } else { ClientClass::Normal };
        let limit = self.node.config.output_limits[class as usize];
        let now = self.now.mono.ms();
        let Some(conn) = self.conn(id) else { return };
        let len = conn.output_len();
        if conn.leaving {
            return;
        }
        let above_soft = limit.soft_bytes > 0 && len as u64 > limit.soft_bytes;
        let since = if above_soft { conn.soft_since.min(now) } else { MonoMs(u64::MAX) };
        conn.soft_since = since;
        self.slow_readers |= above_soft;
        let too_long = now.0.saturating_sub(since.0) > limit.soft_seconds.saturating_mul(1_000);
        if let Some(session) = self.sessions.get(id) {
            session.output_len = len;
        }
        if limit.hard_bytes > 0 && len as u64 > limit.hard_bytes || too_long {
            self.node.counters.output_buffer_limit_disconnections += 1;
            let which = if too_long { "soft limit, for too long" } else { "hard limit" };
            self.log_cut_off(id, &format!(
                "{len} bytes of replies that it does not read pass client-output-buffer-limit ({which})"
            ));
            self.close(id, false);
        }
    }

    /// Reclaims keys that are due, a portion. Before anything runs: what a command counts or walks
    /// over then hangs on the moment it runs at, not on what else the shard did before.
    pub(crate) fn expire(&mut self) {
        let due = self.node.reclaims()
            && self.keyspace.next_deadline().is_some_and(|due| due <= self.unix());
        let portion = if self.rarely(Site::ShortPortion) { 1 } else { PORTION_LEN };
        self.expiry_waits = due && self.keyspace.expire_due(self.unix(), portion);
        if self.keyspace.has_told() {
            self.tell_told();
        }
    }

    /// A portion of what nobody waits for.
    pub(crate) fn background(&mut self) {
        let freeing = self.keyspace.free_condemned(PORTION_LEN);
        let tidies = !self.node.cron_rests;
        let compacting = tidies && self.keyspace.compact(PORTION_LEN);
        let sifting = tidies && self.keyspace.sift(PORTION_LEN);
        let looking = self.look_over_clients();
        let working = self.do_jobs();
        // Without bytes nothing is small enough to be copied at once.
        self.node.copy_len = if self.rarely(Site::SlowCopy) { 0 } else { COPY_LEN };
        let forgetting = self.keyspace.tells_changes() && self.forget_tracked(PORTION_LEN);
        let unreading = self.node.tracking.readers.free_some(PORTION_LEN);
        let of_keys = freeing || compacting || sifting || working || forgetting || unreading;
        self.background_waits = self.expiry_waits || of_keys || looking;
    }

    /// When to be called again though nothing arrives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoMs> {
        let now = self.now;
        let in_mono = |due: stoa_stdx::UnixMs| {
            MonoMs(now.mono.ms().0 + due.0.saturating_sub(now.unix.0).max(1))
        };
        let expiry = self.keyspace.next_deadline().filter(|_| self.node.reclaims()).map(in_mono);
        let pause = self.pause.map(|pause| pause.until);
        let cron = self.needs_cron().then_some(self.next_cron);
        let wait = self.next_wait_end();
        let parting = self.parting.due();
        let links = self.links.due();
        [expiry, pause, cron, wait, parting, links, self.stalled_until].into_iter().flatten().min()
    }
}
