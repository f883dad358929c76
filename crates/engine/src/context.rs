//! What a command runs on: one shard's keys, one client, one moment.

use stoa_command::ReplyError;
use stoa_config::EventClass;
use stoa_keyspace::{Db, Edit, Keyspace, ScanCursor, WrongType};
use stoa_stdx::{DbIndex, Key, MonoMs, Rng, SLOT_COUNT, ShardId, UnixMs, owner_of};
use stoa_value::{Kind, Rules};

use crate::session::SessionRow;
use crate::{Blocking, Borrowed, Node, Proto, Session, Sessions, Stage};

/// The context of one command.
pub struct Ctx<'a> {
    /// This shard's keys, all databases.
    pub keyspace: &'a mut Keyspace,
    /// This shard's clients.
    pub sessions: &'a mut Sessions,
    /// This shard's view of the node.
    pub node: &'a mut Node,
    /// The one moment the whole command happens at.
    pub now: UnixMs,
    /// The same moment on the clock that never jumps.
    pub mono: MonoMs,
    /// Whom it runs for.
    pub row: SessionRow,
    /// The first key with its place, as the router computed it.
    pub key: Option<Key<'a>>,
    /// Whether it may wait.
    pub blocking: Blocking,
    /// The keys of all other shards, if they are on loan here.
    pub borrowed: Option<&'a mut Borrowed>,
    /// For [`RequestPolicy::Walk`](stoa_command::RequestPolicy::Walk): where to go on.
    pub walk: Option<Walk>,
}

/// Where a walk over the slots goes on, on this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// From here; None: from where the request says.
    pub from: Option<ScanCursor>,
    /// How many more to look at; None: as many as the request says.
    pub left: Option<usize>,
    /// The slot after the last one of this shard.
    pub end_slot: usize,
}

/// What one shard did of a walk. The part of a `Walk` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// Where to go on inside this shard; None: it has no more.
    pub next: Option<ScanCursor>,
    /// How many are still to be looked at.
    pub left: usize,
    /// What was found.
    pub found: Vec<Vec<u8>>,
}

impl<'a> Ctx<'a> {
    /// Of a command for this client at this moment, which waits for nothing and has nothing on loan.
    #[inline]
    pub const fn new(
        keyspace: &'a mut Keyspace,
        sessions: &'a mut Sessions,
        node: &'a mut Node,
        (now, mono): (UnixMs, MonoMs),
        row: SessionRow,
    ) -> Self {
        let (key, blocking, borrowed, walk) = (None, Blocking::Denied, None, None);
        Self { keyspace, sessions, node, now, mono, row, key, blocking, borrowed, walk }
    }
}

impl Ctx<'_> {
    /// The same for another command of the same client, at the same moment.
    #[inline]
    pub fn again(&mut self) -> Ctx<'_> {
        Ctx {
            keyspace: &mut *self.keyspace,
            sessions: &mut *self.sessions,
            node: &mut *self.node,
            now: self.now,
            mono: self.mono,
            row: self.row,
            key: None,
            blocking: Blocking::Denied,
            borrowed: self.borrowed.as_deref_mut(),
            walk: None,
        }
    }

    /// The client.
    pub fn session(&mut self) -> &mut Session {
        self.sessions.at(self.row)
    }

    /// The client's protocol version.
    pub fn proto(&mut self) -> Proto {
        self.session().proto
    }

    /// The client's database.
    #[inline]
    pub fn db(&mut self) -> Db<'_> {
        self.node.tracer.mark(Stage::Engine);
        let session = self.sessions.at(self.row);
        let (index, touch) = (session.db, !session.no_touch);
        self.node.tracer.mark(Stage::Database);
        self.keyspace.db(index, self.now, touch).noticing()
    }

    /// Another database.
    pub fn db_at(&mut self, index: DbIndex) -> Db<'_> {
        let touch = !self.session().no_touch;
        self.keyspace.db(index, self.now, touch).noticing()
    }

    /// A key with its place: the router's if it is the one it routed by, else computed now.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        match self.key {
            Some(key) if std::ptr::eq(key.bytes, bytes) => Key { bytes, ..key },
            Some(_) | None => self.keyspace.seed().key(bytes),
        }
    }

    /// What collections must know to grow.
    #[must_use]
    #[inline]
    pub fn rules(&self) -> Rules {
        Rules { limits: self.node.config.limits, seed: self.keyspace.seed().clone() }
    }

    /// A stream of chance for one command.
    pub fn chance(&mut self) -> Rng {
        Rng::new(self.node.rng.next())
    }

    /// The collection at `key`, to be read; None without a key.
    ///
    /// # Errors
    /// [`ReplyError::WrongType`].
    #[inline]
    pub fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, ReplyError> {
        let key = self.key(key);
        self.db().read(&key).map_err(|WrongType| ReplyError::WrongType)
    }

    /// The collections at `keys`, to be read together.
    ///
    /// # Errors
    /// [`ReplyError::WrongType`] when any is something else.
    pub fn read_all<T: Kind>(&mut self, keys: &[&[u8]]) -> Result<Vec<Option<&T>>, ReplyError> {
        let keys: Vec<Key<'_>> = keys.iter().map(|key| self.key(key)).collect();
        self.db().read_all(keys.into_iter()).map_err(|WrongType| ReplyError::WrongType)
    }

    /// The collection at `key`, to be changed; None without a key.
    ///
    /// # Errors
    /// [`ReplyError::WrongType`].
    #[inline(always)]
    pub fn edit<'e, T: Kind>(
        &'e mut self,
        key: &'e [u8],
    ) -> Result<Option<Edit<'e, T>>, ReplyError> {
        let key = self.key(key);
        self.db().edit(&key).map_err(|WrongType| ReplyError::WrongType)
    }

    /// The collection at `key`, to be changed; a missing key gets an empty one for the while.
    ///
    /// # Errors
    /// [`ReplyError::WrongType`].
    #[inline(always)]
    pub fn edit_or_new<'e, T: Kind>(
        &'e mut self,
        key: &'e [u8],
    ) -> Result<Edit<'e, T>, ReplyError> {
        let key = self.key(key);
        self.db().edit_or_new(&key).map_err(|WrongType| ReplyError::WrongType)
    }

    /// Whether this shard holds `key`: for commands that make up keys on every shard.
    #[must_use]
    pub fn owns(&self, key: &Key<'_>) -> bool {
        owner_of(key.slot, self.node.shards) == self.node.shard
    }

    /// Says that `count` keys changed. Every write says so, and nothing else does.
    pub fn changed(&mut self, count: u64) {
        self.node.dirty += count;
    }

    /// Says what happened to a key of the client's database: told after the command, if anybody
    /// wants to know (`notify-keyspace-events`, observers). The events go out in the order they are said in.
    #[inline]
    pub fn notify(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        if self.keyspace.notices.heed(class) {
            let db = self.session().db;
            self.keyspace.notices.push(db, class, event, key);
        }
    }

    /// As [`Ctx::notify`], for a key of another database.
    #[inline]
    pub fn notify_at(&mut self, db: DbIndex, class: EventClass, event: &'static str, key: &[u8]) {
        if self.keyspace.notices.heed(class) {
            self.keyspace.notices.push(db, class, event, key);
        }
    }

    /// Says what happened to all keys of a database, of whatever shard. No channel hears it: the
    /// reference has no event for it. Observers do, once, though every shard has its part in it.
    pub fn notify_of_all(&mut self, db: DbIndex, event: &'static str) {
        if self.speaks_for_all() {
            self.keyspace.notices.push_of_all(db, event);
        }
    }

    /// Of a command that all shards run, or that runs on the keys of each: true in one of these runs.
    #[must_use]
    pub fn speaks_for_all(&self) -> bool {
        match &self.borrowed {
            Some(borrowed) => !borrowed.is_elsewhere(),
            None => self.node.shard == ShardId(0),
        }
    }

    /// The walk of this shard; all slots when it is alone.
    #[must_use]
    pub fn walk(&self) -> Walk {
        self.walk.unwrap_or(Walk { from: None, left: None, end_slot: SLOT_COUNT })
    }
}
