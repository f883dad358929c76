//! Client-side caching: the way of the news that a key changed.
//!
//! ```text
//!   owner of the key            home of the reader          home of its redirect
//!     | table: who read it              |                            |
//!     | Invalidate(key, clients) ------>| written behind its replies |
//!     |<------------------- receipt ----| or Redirect -------------->| written
//!   the reply of the change leaves
//! ```
//!
//! **Nothing is lost.** The owner of a key serves its reads and its changes in one order, and registers the
//! reader as it serves the read: a request of another shard's client says for whom it reads. Keys on loan
//! take along whether somebody tracks them; what is read and changed meanwhile is written down in its order
//! and comes back with them, and their owner goes through it before anybody else gets them.
//!
//! **Nothing is early.** The reply of a read and the news that it is old come to the reader's home by
//! different rings. So news is written behind all replies that the client is owed, as if it were one: the
//! old value cannot come after it. Two exceptions: what the client's own request led to follows that
//! request's reply, and a client that waits for a key (BLPOP) hears news meanwhile.
//!
//! **Nothing is late.** The reply of a change leaves when the readers' homes have the news, as with
//! messages of channels (see `publish`). Not so if the change was made on borrowed keys, nor for BCAST,
//! which gathers a turn's keys into one message.
//!
//! BCAST needs no table: every shard knows which prefixes have listeners on which shards, and a change is
//! matched where it was made, so the keys of a transaction come in one message.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_command::Flags;
use stoa_engine::{Proto, Reply, TrackEvent, Tracker};
use stoa_pubsub::tracking::{By, Changed};
use stoa_pubsub::{Cause, Name};
use stoa_stdx::{ConnId, ShardId};

use crate::Shard;
use crate::blocking::Waits;
use crate::execute::OUTPUT_LOOK_LEN;
use crate::publish::{Item, NO_ROW};
use crate::reply::RespReply;

/// The channel that RESP2 clients listen to for those who redirect to them.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What is said about keys.
#[derive(Debug)]
pub(crate) enum Said {
    /// These are not as they were.
    Keys(Vec<Name>),
    /// No key is: a database was emptied.
    All,
}

/// What shards tell each other.
#[derive(Debug)]
pub(crate) enum TrackItem {
    /// The sender has clients that listen to keys of this prefix, or none any more.
    Prefix { prefix: Name, listens: bool },
    /// To be told to these of the receiver's clients, who read the key.
    Invalidate { said: Arc<Said>, clients: Vec<u64>, by: u64, cause: Option<Cause>, row: u64 },
    /// To be told to the receiver's clients that listen to this prefix.
    Broadcast { prefix: Name, changed: Arc<Changed> },
    /// To be told to this client of the receiver's, for one of the sender's.
    Redirect { target: u64, of: u64, said: Arc<Said> },
    /// This client of the receiver's redirects to one that is gone.
    Broken { client: u64, target: u64 },
}

/// News as clients read it, encoded once for each form that one of them reads.
struct Letter {
    said: Arc<Said>,
    encoded: [Vec<u8>; 2],
}

impl Letter {
    const fn new(said: Arc<Said>) -> Self {
        Self { said, encoded: [Vec::new(), Vec::new()] }
    }

    fn bytes(&mut self, proto: Proto) -> &[u8] {
        let out = &mut self.encoded[usize::from(proto == Proto::Resp3)];
        if out.is_empty() {
            let mut reply = RespReply::new(out, proto);
            match proto {
                Proto::Resp3 => {
                    reply.push(2);
                    reply.bulk(b"invalidate");
                }
                Proto::Resp2 => {
                    reply.push(3);
                    reply.bulk(b"message");
                    reply.bulk(CHANNEL);
                }
            }
            match &*self.said {
                Said::Keys(keys) => {
                    reply.array(keys.len());
                    keys.iter().for_each(|key| reply.bulk(key));
                }
                Said::All => reply.null(),
            }
        }
        out
    }
}

impl Shard {
    /// Tells what the log holds: keys of this shard that changed, to those who read them. Changes of
    /// other shards' keys are for their owners, and only broadcast from here.
    pub(crate) fn tell_tracked(&mut self, cause: Option<Cause>, row: u64) {
        for event in self.node.tracking.take_log() {
            match event {
                TrackEvent::Emptied => {
                    self.node.tracking.readers.clear();
                    self.tell_emptied(cause);
                }
                TrackEvent::Read { key, client } => {
                    if self.owner_of_key(&key) == self.node.shard {
                        self.node.tracking.readers.add(&key, client);
                    }
                }
                TrackEvent::Changed { key, by } => {
                    self.node.tracking.prefixes.changed(&key, By::client(by));
                    if self.owner_of_key(&key) == self.node.shard {
                        self.invalidate(&key, by, cause, row);
                    }
                }
            }
        }
    }

    /// A key of this shard changed, by a client that tracks or by nobody (0).
    fn invalidate(&mut self, key: &[u8], by: u64, cause: Option<Cause>, row: u64) {
        let clients = self.node.tracking.readers.take(key);
        if clients.is_empty() {
            return;
        }
        let said = Arc::new(Said::Keys(vec![Name::from(key)]));
        let mut homes: BTreeMap<ShardId, Vec<u64>> = BTreeMap::new();
        for client in clients {
            homes.entry(Tracker::home(client, self.node.shards)).or_default().push(client);
        }
        for (home, clients) in homes {
            if home == self.node.shard {
                self.tell_readers(&said, &clients, by, cause);
                continue;
            }
            let said = Arc::clone(&said);
            let item = TrackItem::Invalidate { said, clients, by, cause, row };
            self.publishing.post(home, Item::Track(item));
            self.publishing.expect(row, 1);
        }
    }

    /// Takes what another shard tells.
    pub(crate) fn take_tracked(&mut self, from: ShardId, item: TrackItem) {
        match item {
            TrackItem::Prefix { prefix, listens } => {
                self.node.tracking.prefixes.set(&prefix, from, listens);
                self.keyspace.tell_changes(true);
            }
            TrackItem::Invalidate { said, clients, by, cause, row } => {
                self.tell_readers(&said, &clients, by, cause);
                self.publishing.receipt(from, row, -1);
            }
            TrackItem::Broadcast { prefix, changed } => self.tell_listeners(&prefix, &changed),
            TrackItem::Redirect { target, of, said } => match self.target(target) {
                Some(conn) => self.write_news(conn, &mut Letter::new(said), true, None),
                None => {
                    let item = TrackItem::Broken { client: of, target };
                    self.publishing.post(from, Item::Track(item));
                }
            },
            TrackItem::Broken { client, target } => self.redirect_is_broken(client, target),
        }
    }

    fn tell_readers(&mut self, said: &Arc<Said>, clients: &[u64], by: u64, cause: Option<Cause>) {
        let mut letter = Letter::new(Arc::clone(said));
        for client in clients {
            // It may have left, or listen to prefixes now.
            let wants = self
                .tracker(*client)
                .is_some_and(|(_, mode)| !(mode.broadcast || mode.no_loop && by == *client));
            if wants {
                self.tell(*client, &mut letter, cause);
            }
        }
    }

    fn tell_listeners(&mut self, prefix: &[u8], changed: &Changed) {
        let mut letter = Letter::new(Arc::new(Said::Keys(changed.keys().cloned().collect())));
        let clients: Vec<u64> = self.node.tracking.listeners.of(prefix).collect();
        for client in clients {
            let Some((_, mode)) = self.tracker(client) else { continue };
            let own = By::Only(client);
            if !mode.no_loop || changed.values().all(|by| *by != own) {
                self.tell(client, &mut letter, None);
                continue;
            }
            let others = changed.iter().filter(|(_, by)| **by != own);
            let keys: Vec<Name> = others.map(|(key, _)| Arc::clone(key)).collect();
            if !keys.is_empty() {
                self.tell(client, &mut Letter::new(Arc::new(Said::Keys(keys))), None);
            }
        }
    }

    fn tell_emptied(&mut self, cause: Option<Cause>) {
        let mut letter = Letter::new(Arc::new(Said::All));
        let clients: Vec<u64> = self.node.tracking.clients.keys().copied().collect();
        for client in clients {
            self.tell(client, &mut letter, cause);
        }
    }

    /// A client of this shard that tracks.
    fn tracker(&mut self, client: u64) -> Option<(ConnId, &mut stoa_engine::TrackingMode)> {
        let conn = *self.node.tracking.clients.get(&client)?;
        let mode = self.sessions.get(conn)?.tracking.as_deref_mut()?;
        Some((conn, mode))
    }

    /// Tells a client of this shard, or whom it redirects to.
    fn tell(&mut self, client: u64, letter: &mut Letter, cause: Option<Cause>) {
        let Some((conn, mode)) = self.tracker(client) else { return };
        let (target, is_broken) = (mode.redirect, mode.is_broken);
        let home = Tracker::home(target, self.node.shards);
        if target == 0 {
            self.write_news(conn, letter, false, cause);
        } else if is_broken {
            self.redirect_is_broken(client, target);
        } else if home != self.node.shard {
            let said = Arc::clone(&letter.said);
            let item = TrackItem::Redirect { target, of: client, said };
            self.publishing.post(home, Item::Track(item));
        } else if let Some(conn) = self.target(target) {
            self.write_news(conn, letter, true, cause);
        } else {
            self.redirect_is_broken(client, target);
        }
    }

    /// The connection of a client of this shard, whether it tracks or not.
    fn target(&mut self, client: u64) -> Option<ConnId> {
        if let Some(conn) = self.node.tracking.targets.get(&client) {
            return Some(*conn);
        }
        let conn = self.sessions.iter().find(|session| session.id == client)?.conn;
        self.node.tracking.targets.insert(client, conn);
        Some(conn)
    }

    /// A client of this shard redirects to one that is gone, for good: numbers are not used again.
    fn redirect_is_broken(&mut self, client: u64, target: u64) {
        let found = self.tracker(client).filter(|(_, mode)| mode.redirect == target);
        let Some((conn, mode)) = found else { return };
        mode.is_broken = true;
        if self.sessions.get(conn).is_none_or(|session| session.proto == Proto::Resp2) {
            return;
        }
        let mut bytes = Vec::new();
        let mut reply = RespReply::new(&mut bytes, Proto::Resp3);
        reply.push(2);
        reply.bulk(b"tracking-redir-broken");
        reply.int(target as i64);
        self.put_news(conn, &bytes, None);
    }

    /// Writes news to a connection, if it can read them: RESP2 only as a message, and only for others.
    fn write_news(
        &mut self,
        id: ConnId,
        letter: &mut Letter,
        redirected: bool,
        cause: Option<Cause>,
    ) {
        let Some(session) = self.sessions.get(id) else { return };
        let proto = session.proto;
        if proto == Proto::Resp3 || redirected && session.is_subscriber() {
            self.put_news(id, letter.bytes(proto), cause);
        }
    }

    fn put_news(&mut self, id: ConnId, bytes: &[u8], cause: Option<Cause>) {
        let here = self.node.shard;
        let again = self.answer_may_be_old(id);
        let Some(conn) = self.conn(id).filter(|conn| !conn.closing) else { return };
        match cause.filter(|cause| cause.home == here && cause.conn == id) {
            Some(cause) => conn.news_after(cause.ticket, bytes),
            None => conn.news(bytes),
        }
        if again {
            conn.news_behind(bytes);
        }
        let long = conn.output_len() > OUTPUT_LOOK_LEN;
        self.touched(id);
        if long {
            self.check_output(id);
        }
    }

    /// Whether the answer that a client waits for may be on its way from another shard already, with
    /// what the news is about (XREAD BLOCK): then it is told once more behind that.
    fn answer_may_be_old(&mut self, id: ConnId) -> bool {
        let here = self.node.shard;
        let waits = self.conn(id).and_then(|conn| conn.waits);
        if !matches!(waits, Some(Waits::At(owner)) if owner != here) {
            return false;
        }
        let name = self.sessions.get(id).map_or("", |session| session.last_command);
        let found = self.node.table.find(name.as_bytes());
        found.is_some_and(|index| self.node.table.at(index).spec.flags.has(Flags::READONLY))
    }

    /// Sends what this turn has for those who listen to prefixes.
    pub(crate) fn post_broadcasts(&mut self) {
        for (prefix, shards, changed) in self.node.tracking.prefixes.take_changed() {
            let changed = Arc::new(changed);
            for shard in shards {
                if shard == self.node.shard {
                    self.tell_listeners(&prefix, &changed);
                    continue;
                }
                let (prefix, changed) = (Arc::clone(&prefix), Arc::clone(&changed));
                let item = TrackItem::Broadcast { prefix, changed };
                self.publishing.post(shard, Item::Track(item));
            }
        }
    }

    /// Tells what happened to keys beside commands: deadlines, and what was done while they were away.
    #[cold]
    pub(crate) fn tell_told(&mut self) {
        self.node.log_told(&mut self.keyspace);
        self.tell_tracked(None, NO_ROW);
    }

    // Keys on loan.

    /// An owner has lent keys that somebody may cache.
    pub(crate) fn heed_tracking(&mut self, tracks: bool) {
        if tracks {
            self.keyspace.tell_changes(true);
        }
    }

    /// What was done on borrowed keys, by their owners: it goes home with them.
    pub(crate) fn part_log(&mut self) -> BTreeMap<ShardId, Vec<TrackEvent>> {
        let mut parts: BTreeMap<ShardId, Vec<TrackEvent>> = BTreeMap::new();
        let mut own = Vec::new();
        for event in self.node.tracking.take_log() {
            let owner = match &event {
                TrackEvent::Read { key, .. } | TrackEvent::Changed { key, .. } => {
                    self.owner_of_key(key)
                }
                TrackEvent::Emptied => self.node.shard,
            };
            if owner == self.node.shard {
                own.push(event);
                continue;
            }
            if let TrackEvent::Changed { key, by } = &event {
                self.node.tracking.prefixes.changed(key, By::client(*by));
            }
            parts.entry(owner).or_default().push(event);
        }
        self.node.tracking.put_back_log(own);
        parts
    }

    /// A script was undone and runs again elsewhere: what it read is not cached. That keys changed is told
    /// all the same: they may have reached a deadline meanwhile, and who hears of a change too many only
    /// reads again. What is for owners of borrowed keys waits for these.
    pub(crate) fn tell_undone(&mut self) {
        let log = self.node.tracking.take_log().into_iter();
        let (own, others) = log
            .filter(|event| !matches!(event, TrackEvent::Read { .. }))
            .partition(|event| match event {
                TrackEvent::Read { key, .. } | TrackEvent::Changed { key, .. } => {
                    self.owner_of_key(key) == self.node.shard
                }
                TrackEvent::Emptied => true,
            });
        self.node.tracking.put_back_log(own);
        self.tell_tracked(None, NO_ROW);
        self.node.tracking.put_back_log(others);
    }

    /// Keys of this shard came home, with what was done to them. It was broadcast where it was done.
    pub(crate) fn take_home(&mut self, events: Vec<TrackEvent>) {
        for event in events {
            match event {
                TrackEvent::Read { key, client } => {
                    self.keyspace.tell_changes(true);
                    self.node.tracking.readers.add(&key, client);
                }
                TrackEvent::Changed { key, by } => self.invalidate(&key, by, None, NO_ROW),
                TrackEvent::Emptied => unreachable!("a keyspace knows itself that it was emptied"),
            }
        }
    }

    // What is over.

    /// A connection is gone: it caches nothing, and hears nothing for others.
    pub(crate) fn end_tracking(&mut self, id: ConnId) {
        // Others may redirect to clients of a shard where nobody tracks and no key is remembered.
        let is_idle = !self.keyspace.tells_changes() && self.node.tracking.targets.is_empty();
        if let Some(session) = self.sessions.get(id).filter(|_| !is_idle) {
            self.node.tracking.targets.remove(&session.id);
            self.node.untrack(session);
        }
    }

    /// The request that CLIENT CACHING was said for begins: what was said for one before it counts no more.
    #[cold]
    pub(crate) fn begin_caching(&mut self, id: ConnId) {
        let mode = self.sessions.get(id).and_then(|session| session.tracking.as_deref_mut());
        if let Some(mode) = mode.filter(|mode| mode.spent) {
            (mode.caching, mode.spent) = (false, false);
            self.node.tracking.caching -= 1;
        }
    }

    /// A request of a client has run or is under way: what CLIENT CACHING said goes no further, unless it
    /// was said just now or the request only began a transaction.
    #[cold]
    pub(crate) fn end_caching(&mut self, id: ConnId) {
        if self.sessions.get(id).is_some_and(|it| !it.last_command.starts_with("client")) {
            self.spend_caching(id);
        }
    }

    /// A request of a client was refused, or a transaction is over that ran later than it was asked for.
    pub(crate) fn spend_caching(&mut self, id: ConnId) {
        let Some(session) = self.sessions.get(id).filter(|it| it.multi.is_none()) else { return };
        if let Some(mode) = session.tracking.as_deref_mut() {
            mode.spent = mode.caching;
        }
    }

    /// Forgets keys above `tracking-table-max-keys`, a portion: those who read them are told that they
    /// changed. True if there are more.
    pub(crate) fn forget_tracked(&mut self, portion: usize) -> bool {
        let above = self.node.tracked_keys_above_limit();
        for _ in 0..above.min(portion) {
            let chance = self.node.rng.next();
            if let Some(key) = self.node.tracking.readers.any(chance) {
                self.invalidate(&key, 0, None, NO_ROW);
            }
        }
        self.node.tell_tracked_keys();
        // A script that pauses may have more to write down.
        if self.node.tracking.is_idle() && self.busy_script.is_none() {
            self.keyspace.tell_changes(false);
        }
        above > portion
    }
}
