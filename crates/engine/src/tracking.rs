//! Client-side caching, as far as one command sees it: what its client caches from now on, and which keys
//! it changed that others cache.
//!
//! The owner of a key keeps who read it. A command's keys need not be all of this shard: it may run on
//! borrowed ones, or in a script that is going to be undone. So what it did is written into a log, in
//! order, which whoever routes applies after it: here, or at the owners with the keys that go home. A key
//! of this shard read by a plain command goes into the table at once.
//!
//! Nothing of this happens, for the price of a branch a command, until some client tracks.

use std::collections::{BTreeMap, BTreeSet};

use stoa_command::{Args, Flags, Group, KeyPositions, Spec};
use stoa_keyspace::{ChangedKey, Keyspace};
use stoa_pubsub::tracking::{Listeners, Prefixes, Readers};
use stoa_stdx::{ConnId, ShardId};

use crate::{Ctx, Node, Session};

/// How a client tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a client")]
pub struct TrackingMode {
    /// REDIRECT: the client that hears of changes in its place; 0 is none.
    pub redirect: u64,
    /// That client is gone, which is found when it is to hear something.
    pub is_broken: bool,
    /// BCAST: it hears of all keys, or of those with its prefixes.
    pub broadcast: bool,
    /// OPTIN: it caches only what it reads behind CLIENT CACHING YES.
    pub opt_in: bool,
    /// OPTOUT: it does not cache what it reads behind CLIENT CACHING NO.
    pub opt_out: bool,
    /// NOLOOP: it does not hear of its own changes.
    pub no_loop: bool,
    /// CLIENT CACHING was said, for the next command or transaction.
    pub caching: bool,
    /// That command is under way: nothing more goes by it.
    pub spent: bool,
    /// What it listens to (BCAST); every key has the empty prefix.
    pub prefixes: BTreeSet<Vec<u8>>,
}

impl TrackingMode {
    /// Whether it caches what it reads now.
    #[must_use]
    pub const fn remembers(&self) -> bool {
        let asked = if self.opt_in { self.caching } else { !(self.opt_out && self.caching) };
        asked && !self.broadcast
    }
}

/// A client that tracks, as other shards see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// CLIENT ID.
    pub client: u64,
    /// It caches what it reads now.
    pub remembers: bool,
}

impl Tracker {
    /// The shard of a client: ids are dealt out so that they tell.
    #[must_use]
    pub fn home(client: u64, shards: u16) -> ShardId {
        ShardId((client.saturating_sub(1) % u64::from(shards)) as u16)
    }
}

impl Session {
    /// Whom its commands are tracked for.
    #[must_use]
    pub fn tracker(&self) -> Option<Tracker> {
        match &self.tracking {
            Some(mode) => Some(Tracker { client: self.id, remembers: mode.remembers() }),
            None => self.stands_for,
        }
    }
}

/// Something that happened to keys that somebody may cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackEvent {
    /// A client read a key that it caches from now on.
    Read {
        /// The key.
        key: Vec<u8>,
        /// CLIENT ID.
        client: u64,
    },
    /// A key changed.
    Changed {
        /// The key.
        key: Vec<u8>,
        /// The client that changed it, if it is one that tracks; 0: somebody else, or time.
        by: u64,
    },
    /// A database lost all its keys.
    Emptied,
}

impl TrackEvent {
    const fn is_read(&self) -> bool {
        matches!(self, Self::Read { .. })
    }
}

/// So far back the log is looked at for what it tells already.
const LATELY: usize = 16;

/// What one shard knows of client-side caching.
#[derive(Debug, Default)]
pub struct Tracking {
    /// Who read keys of this shard.
    pub readers: Readers,
    /// Which shards want to hear of keys of which prefixes.
    pub prefixes: Prefixes,
    /// The clients of this shard that track.
    pub clients: BTreeMap<u64, ConnId>,
    /// Those of them that listen to prefixes.
    pub listeners: Listeners,
    /// Clients of this shard to whom others redirect, as far as they were looked for.
    pub targets: BTreeMap<u64, ConnId>,
    /// Clients of this shard that have said CLIENT CACHING for what they say next.
    pub caching: u32,
    log: Vec<TrackEvent>,
}

impl Tracking {
    /// What happened since the last time, in order.
    pub fn take_log(&mut self) -> Vec<TrackEvent> {
        std::mem::take(&mut self.log)
    }

    /// Puts back what was taken and is not for anybody else, before anything else is noted.
    pub fn put_back_log(&mut self, log: Vec<TrackEvent>) {
        debug_assert!(self.log.is_empty(), "what was noted since must go first");
        self.log = log;
    }

    /// Whether nobody on this shard tracks, nothing is remembered and nobody listens.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty()
            && self.readers.is_empty()
            && self.prefixes.is_empty()
            && self.log.is_empty()
    }

    fn concerns(&self, key: &[u8]) -> bool {
        !self.prefixes.is_empty() || self.readers.has(key)
    }
}

impl Node {
    /// Notes what happened to a key.
    pub fn log_tracked(&mut self, event: TrackEvent) {
        let log = &mut self.tracking.log;
        // A script may change a few keys very many times. Whoever read one since is told once more.
        let lately = log.iter().rev().take(LATELY).take_while(|known| !known.is_read());
        if !lately.into_iter().any(|known| *known == event) || event.is_read() {
            log.push(event);
        }
        self.pubsub.tell_tracked();
    }

    /// Notes what happened to keys beside commands: deadlines, or what was changed while they were away.
    pub fn log_told(&mut self, keyspace: &mut Keyspace) {
        if keyspace.take_emptied() {
            // Whatever was read since stays cached.
            self.tracking.log.insert(0, TrackEvent::Emptied);
            self.pubsub.tell_tracked();
        }
        for ChangedKey { key, .. } in keyspace.take_told() {
            self.log_tracked(TrackEvent::Changed { key, by: 0 });
        }
    }

    /// A client of this shard tracks no more.
    pub fn untrack(&mut self, session: &mut Session) {
        let Some(mode) = session.tracking.take() else { return };
        self.tracking.clients.remove(&session.id);
        self.tracking.caching -= u32::from(mode.caching);
        for prefix in mode.prefixes {
            if let Some(name) = self.tracking.listeners.remove(&prefix, session.id) {
                self.tracking.prefixes.set(&name, self.shard, false);
                self.pubsub.tell_prefix(name, false);
            }
        }
    }

    /// Puts how many keys this shard remembers on the board.
    pub fn tell_tracked_keys(&self) {
        self.facts.tracked.put(self.shard, self.tracking.readers.len() as i64);
    }

    /// How many keys this shard has to forget, to keep within `tracking-table-max-keys`. The limit is
    /// the node's, and each shard may have its share whatever the others have: shards that forget at the
    /// same moment do not go below it together.
    #[must_use]
    pub fn tracked_keys_above_limit(&self) -> usize {
        let limit = self.config.tracking_table_max_keys;
        let own = self.tracking.readers.len() as u64;
        if limit == 0 || own == 0 {
            return 0;
        }
        let others = self.facts.tracked.others(self.shard, self.shards).max(0) as u64;
        let (shards, here) = (u64::from(self.shards), u64::from(self.shard.0));
        let share = limit / shards + u64::from(here < limit % shards);
        let above = (own + others).saturating_sub(limit);
        above.min(own.saturating_sub(share)) as usize
    }
}

impl Ctx<'_> {
    /// The client tracks from now on, or tracks otherwise: `wanted` tells how. Prefixes come to those it
    /// has. One that left meanwhile tracks nothing.
    pub fn track_client(&mut self, wanted: TrackingMode) {
        let session = self.sessions.at(self.row);
        if session.is_proxy {
            return;
        }
        let (id, conn) = (session.id, session.conn);
        let mode = session.tracking.get_or_insert_default();
        let (caching, spent) = (mode.caching, mode.spent);
        let mut prefixes = std::mem::take(&mut mode.prefixes);
        for prefix in &wanted.prefixes {
            if let Some(name) = self.node.tracking.listeners.add(prefix, id) {
                self.node.tracking.prefixes.set(&name, self.node.shard, true);
                self.node.pubsub.tell_prefix(name, true);
            }
        }
        prefixes.extend(wanted.prefixes);
        **mode = TrackingMode { prefixes, caching, spent, ..wanted };
        self.node.tracking.clients.insert(id, conn);
        self.keyspace.tell_changes(true);
    }

    /// CLIENT CACHING: what the client says next is an exception. False if it does not track in that
    /// way: `opt_in`, or opted out.
    pub fn except_next(&mut self, opt_in: bool) -> bool {
        let Some(mode) = self.sessions.at(self.row).tracking.as_deref_mut() else { return false };
        if if opt_in { !mode.opt_in } else { !mode.opt_out } {
            return false;
        }
        self.node.tracking.caching += u32::from(!mode.caching);
        (mode.caching, mode.spent) = (true, false);
        true
    }

    /// The client tracks no more.
    pub fn untrack_client(&mut self) {
        self.node.untrack(self.sessions.at(self.row));
    }

    /// After a command while somebody tracks: what it changed, and what its client has read.
    #[cold]
    pub(crate) fn track(&mut self, spec: &Spec, argv: &[&[u8]], at: usize) {
        let tracker = self.session().tracker();
        let changer = tracker.map_or(0, |tracker| tracker.client);
        // On loan the keyspaces take their own news home.
        if self.borrowed.is_none() && self.keyspace.take_emptied() {
            self.node.log_tracked(TrackEvent::Emptied);
        }
        for ChangedKey { key, by_command } in self.keyspace.take_told() {
            if !self.is_settled_here(&key) || self.node.tracking.concerns(&key) {
                let by = if by_command { changer } else { 0 };
                self.node.log_tracked(TrackEvent::Changed { key, by });
            }
        }
        let Some(Tracker { client, remembers: true }) = tracker else { return };
        // A script's commands are tracked one by one; channels are no keys.
        let reads = spec.flags.has(Flags::READONLY)
            && !spec.flags.has(Flags::PUBSUB)
            && spec.group != Group::Scripting;
        let mut keys = KeyPositions::default();
        if !reads || spec.key_positions(&Args::new(argv, at), &mut keys).is_err() {
            return;
        }
        for (position, _) in keys.as_slice() {
            let key = argv[*position];
            if self.is_settled_here(key) {
                self.node.tracking.readers.add(key, client);
            } else {
                self.node.log_tracked(TrackEvent::Read { key: key.to_vec(), client });
            }
        }
    }

    /// Whether what happens to a key need not go by the log: it is ours, nothing is going to be put
    /// back, and nothing stands in the log before it.
    fn is_settled_here(&self, key: &[u8]) -> bool {
        self.node.tracking.log.is_empty()
            && self.borrowed.is_none()
            && !self.keyspace.is_undoing()
            && self.owns(&self.keyspace.seed().key(key))
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::ShardId;

    use super::{Tracker, TrackingMode};

    #[test]
    fn what_is_cached_hangs_on_the_mode_and_on_what_was_said_before() {
        let of = |broadcast, opt_in, opt_out, caching| {
            TrackingMode { broadcast, opt_in, opt_out, caching, ..TrackingMode::default() }
                .remembers()
        };
        assert!(of(false, false, false, false));
        assert!(!of(true, false, false, false));
        assert!(!of(false, true, false, false) && of(false, true, false, true));
        assert!(of(false, false, true, false) && !of(false, false, true, true));
    }

    #[test]
    fn an_id_tells_the_shard_of_its_client() {
        for shards in [1, 2, 3, 7, 16] {
            for shard in 0..shards {
                for number in 1_u64..5 {
                    // As they are dealt out.
                    let id = (number - 1) * u64::from(shards) + u64::from(shard) + 1;
                    assert_eq!(Tracker::home(id, shards), ShardId(shard));
                }
            }
        }
    }
}
