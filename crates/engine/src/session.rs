//! What the server remembers of a client: everything about a connection but its bytes.

use std::collections::BTreeSet;

use stoa_stdx::{ConnId, DbIndex, MonoMs, ShardId};

use crate::{Multi, Proto, Tracker, TrackingMode};

/// Which replies a client gets (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None until switched on again.
    Off,
    /// Not the next command's.
    SkipNext,
    /// Not the one's that is running; then all again, unless it says otherwise.
    SkipThis,
}

/// One client.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a client")]
pub struct Session {
    /// Never reused (CLIENT ID).
    pub id: u64,
    /// The row of its connection.
    pub conn: ConnId,
    /// The selected database.
    pub db: DbIndex,
    /// The protocol version.
    pub proto: Proto,
    /// May run commands besides AUTH, HELLO and the like.
    pub authenticated: bool,
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Box<[u8]>,
    /// `ip:port` of the peer, or the socket's path.
    pub addr: Box<str>,
    /// `ip:port` of our end.
    pub laddr: Box<str>,
    /// From this host.
    pub is_local: bool,
    /// Came over a unix socket.
    pub is_unix: bool,
    /// When it connected.
    pub created: MonoMs,
    /// When it last sent a command.
    pub active: MonoMs,
    /// The last command's full name; empty before the first.
    pub last_command: &'static str,
    /// Which replies it gets.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// How many channels, patterns and shard channels it listens to.
    subscriptions: [u32; 3],
    /// Whether that is any. Looked at for every command, so it stands among the other switches.
    listens: bool,
    /// To be closed once its replies are out.
    pub closing: bool,
    /// It was ended by somebody, and is closed when what runs is over.
    pub is_killed: bool,
    /// Bytes of unread input held for it.
    pub input_len: usize,
    /// Bytes of replies waiting to be sent.
    pub output_len: usize,
    /// Bytes received and sent in all.
    pub input_total: u64,
    /// Bytes sent in all.
    pub output_total: u64,
    /// Commands run in all.
    pub commands_total: u64,
    /// What it queued since MULTI.
    pub multi: Option<Box<Multi>>,
    /// What it watches.
    pub watching: Watching,
    /// It waits for a key.
    pub blocked: bool,
    /// CLIENT TRACKING ON: it caches what it reads.
    pub tracking: Option<Box<TrackingMode>>,
    /// Of the stand-in for clients of other shards: the one it stands for, if that tracks.
    pub stands_for: Option<Tracker>,
    /// Stands for a client of another shard while a part of its request runs here.
    pub is_proxy: bool,
}

/// What a client watches: on which shards, and how many keys. The owners know which keys and how they were.
#[derive(Clone, Debug, Default)]
pub struct Watching(Option<Box<Watched>>);

/// The same of one that watches something, as few do.
#[derive(Clone, Debug, Default)]
struct Watched {
    shards: Vec<ShardId>,
    /// Databases and hashes of keys: one watched twice counts once.
    keys: BTreeSet<(u16, u64)>,
}

impl Watching {
    /// It watches this key of that shard, too.
    pub fn add(&mut self, shard: ShardId, db: DbIndex, hash: u64) {
        let watched = self.0.get_or_insert_default();
        if !watched.shards.contains(&shard) {
            watched.shards.push(shard);
        }
        watched.keys.insert((db.0, hash));
    }

    /// The shards.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.0.iter().flat_map(|watched| watched.shards.iter().copied())
    }

    /// How many keys it watches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |watched| watched.keys.len())
    }

    /// Whether it watches none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Session {
    /// A client that just connected.
    #[must_use]
    pub fn new(id: u64, conn: ConnId, now: MonoMs) -> Self {
        Self {
            id,
            conn,
            db: DbIndex(0),
            proto: Proto::Resp2,
            authenticated: true,
            name: Box::default(),
            lib_name: Box::default(),
            lib_ver: Box::default(),
            addr: Box::default(),
            laddr: Box::default(),
            is_local: false,
            is_unix: false,
            created: now,
            active: now,
            last_command: "",
            reply_mode: ReplyMode::On,
            no_touch: false,
            no_evict: false,
            subscriptions: [0; 3],
            listens: false,
            closing: false,
            is_killed: false,
            input_len: 0,
            output_len: 0,
            input_total: 0,
            output_total: 0,
            commands_total: 0,
            multi: None,
            watching: Watching::default(),
            blocked: false,
            tracking: None,
            stands_for: None,
            is_proxy: false,
        }
    }
}

impl Session {
    /// Whether it listens to anything.
    #[must_use]
    #[inline]
    pub const fn is_subscriber(&self) -> bool {
        self.listens
    }

    /// How many channels, patterns and shard channels it listens to.
    #[must_use]
    pub fn subscriptions(&self) -> [usize; 3] {
        self.subscriptions.map(|count| count as usize)
    }

    /// Says to how many it listens from now on.
    pub fn set_subscriptions(&mut self, subscriptions: [usize; 3]) {
        self.listens = subscriptions != [0; 3];
        self.subscriptions = subscriptions.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    }
}

// An idle client is hardly more than this, its connection's row and its address.
const _: () =
    assert!(size_of::<Session>() <= 240, "see the bytes of an idle connection in docs/perf");

/// The clients of one shard, by the row of their connection. Row 0 of `rows` is the proxy.
#[derive(Debug)]
pub struct Sessions {
    rows: Vec<Option<Session>>,
    len: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        let mut proxy = Session::new(0, ConnId::default(), MonoMs(0));
        proxy.is_proxy = true;
        Self { rows: vec![Some(proxy)], len: 0 }
    }
}

/// Which client a command runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRow(usize);

impl Sessions {
    /// The row of a client of another shard.
    pub const PROXY: SessionRow = SessionRow(0);

    /// The row of a connection.
    #[must_use]
    pub const fn row(conn: ConnId) -> SessionRow {
        SessionRow(conn.index as usize + 1)
    }

    /// Adds a client at its connection's row.
    pub fn insert(&mut self, session: Session) {
        let SessionRow(row) = Self::row(session.conn);
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, || None);
        }
        self.len += usize::from(self.rows[row].is_none());
        self.rows[row] = Some(session);
    }

    /// Forgets a client.
    pub fn remove(&mut self, conn: ConnId) -> Option<Session> {
        let SessionRow(row) = Self::row(conn);
        let taken = self.rows.get_mut(row)?.take_if(|session| session.conn == conn);
        self.len -= usize::from(taken.is_some());
        taken
    }

    /// The client at `row`.
    ///
    /// # Panics
    /// When nobody is there: rows come from live connections.
    #[inline]
    pub fn at(&mut self, row: SessionRow) -> &mut Session {
        self.rows[row.0].as_mut().expect("a command runs for a client that is there")
    }

    /// The client of `conn`, if it is still the same.
    pub fn get(&mut self, conn: ConnId) -> Option<&mut Session> {
        let SessionRow(row) = Self::row(conn);
        self.rows.get_mut(row)?.as_mut().filter(|session| session.conn == conn)
    }

    /// All clients.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.rows[1..].iter().flatten()
    }

    /// All clients, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.rows[1..].iter_mut().flatten()
    }

    /// How many clients there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
