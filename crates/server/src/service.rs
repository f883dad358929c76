//! A shard as the driver wants it: the two know nothing of each other's types.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::log::LogPort;
use stoa_shard::{Action, Message, Moment, Pass, PeerFacts, Setup, Shard};
use stoa_stdx::{ConnId, MonoMs};
use stoa_uring::{Now, Peer, Service, Unlinked};

/// One shard behind the driver's trait.
pub(crate) struct ShardService {
    shard: Shard,
    /// Clients of all shards, for `maxclients`: read and written when one comes or goes.
    clients: Arc<AtomicUsize>,
    /// Our share of it, as last told.
    told: usize,
    gone: Vec<ConnId>,
    log: LogPort,
}

impl ShardService {
    pub(crate) fn new(setup: Setup, clients: Arc<AtomicUsize>, log: LogPort) -> Self {
        Self { shard: Shard::new(setup), clients, told: 0, gone: Vec::new(), log }
    }

    fn tell_clients(&mut self) {
        let now = self.shard.clients();
        if now > self.told {
            self.clients.fetch_add(now - self.told, Ordering::Relaxed);
        } else if now < self.told {
            self.clients.fetch_sub(self.told - now, Ordering::Relaxed);
        }
        self.told = now;
    }
}

const fn moment(now: Now) -> Moment {
    Moment { mono: now.mono, unix: now.unix }
}

impl Service for ShardService {
    type Message = Message;

    fn open(&mut self, conn: ConnId, peer: &Peer, now: Now, out: &mut Vec<u8>) -> bool {
        let clients = self.clients.load(Ordering::Relaxed) + 1;
        let facts = match peer {
            Peer::Tcp { peer, local } => PeerFacts {
                addr: peer.to_string(),
                laddr: local.to_string(),
                is_unix: false,
                is_local: peer.ip().is_loopback(),
                clients,
            },
            Peer::Unix { path } => PeerFacts {
                addr: format!("{path}:0"),
                laddr: format!("{path}:0"),
                is_unix: true,
                is_local: true,
                clients,
            },
        };
        let stays = self.shard.open(conn, facts, moment(now), out);
        self.tell_clients();
        stays
    }

    fn linked(&mut self, tag: u64, linked: Result<ConnId, Unlinked>, now: Now) {
        let linked = linked.map_err(|why| match why {
            Unlinked::Refused => stoa_shard::Unlinked::Refused,
            Unlinked::Unreached => stoa_shard::Unlinked::Unreached,
        });
        self.shard.linked(tag, linked, moment(now));
    }

    fn pass(&mut self, input: &mut stoa_uring::Pass<'_, Message>, now: Now) {
        if input.stopping {
            self.shard.stops();
        }
        self.gone.clear();
        self.gone.extend(input.closed.iter().map(|(conn, _)| *conn));
        let mut pass = Pass {
            data: input.data,
            sent: input.sent,
            ended: input.ended,
            closed: &self.gone,
            messages: input.messages,
        };
        self.shard.pass(&mut pass, moment(now));
        self.tell_clients();
    }

    fn poll(&mut self) -> Option<stoa_uring::Action<Message>> {
        use stoa_uring::Action as Out;
        let action = loop {
            match self.shard.poll()? {
                Action::Log(level, text) => self.log.put(level, text),
                action => break action,
            }
        };
        Some(match action {
            Action::Log(..) => unreachable!("the loop above puts it into the log"),
            Action::Send(conn) => Out::Send(conn),
            Action::Close { conn, after_flush } => Out::Close { conn, after_flush },
            Action::Request { to, message } => Out::Request { to, message },
            Action::Reply { to, message } => Out::Reply { to, message },
            Action::Connect { tag, host, port, timeout_ms } => {
                Out::Connect { tag, host, port, timeout_ms }
            }
            Action::PauseRead(conn) => Out::PauseRead(conn),
            Action::ResumeRead(conn) => Out::ResumeRead(conn),
            Action::Shutdown(_) => Out::Shutdown,
        })
    }

    fn take_output(&mut self, conn: ConnId, spare: Vec<u8>) -> Vec<u8> {
        self.shard.take_output(conn, spare)
    }

    fn poll_timeout(&self) -> Option<MonoMs> {
        self.shard.poll_timeout()
    }

    fn busy(&self) -> bool {
        self.shard.busy()
    }
}
