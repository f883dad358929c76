//! A database and its sessions: each session is a client with a selected database of its own.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stoa_command::Flags;
use stoa_engine::Table;
use stoa_stdx::DbIndex;

use crate::executor::{Executor, Port};
use crate::{Builder, Error, Filter, Observer, Reply};

/// A database. Commands run through its first session, to which it dereferences, or through
/// others from [`Db::session`].
#[derive(Debug)]
pub struct Db {
    session: Session,
}

impl Db {
    /// Opens an empty database in memory, with one shard, the system's clock and a random seed.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] when the system has no random seed to give.
    pub fn open_memory() -> Result<Self, Error> {
        Self::builder().open_memory()
    }

    /// Opens the database that lives in a directory, with what was saved there; both come to be if
    /// they are not there. One database at a time has a directory: a second one, in this process or in
    /// another, is refused until the first is closed.
    ///
    /// In the directory are `dump.rdb`, a snapshot, and `stoa.lock`. The snapshot is an RDB file of the
    /// oldest version that holds what there is: Redis 7.0 and later load it, 7.2 if streams have
    /// consumers, 7.4 if hashes have fields with deadlines. To take over what a Redis (1.0 to 7.4, with what 8 writes in the same layouts) or a Valkey (up to 9)
    /// saved, put its file there under that name.
    ///
    /// **What lasts:** what was there at the last [`Db::save`] or [`Db::close`] that gave `Ok`, whole,
    /// whatever dies afterwards, program or machine. What changed since then is lost when the program
    /// is killed or crashes: there is no log of changes yet. A database that is dropped is saved too,
    /// but nobody hears whether that worked, so whoever needs to know calls one of the two.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("stoa-doc-open-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&dir);
    /// let db = stoa::Db::open(&dir)?;
    /// db.set(b"k", b"v")?;
    /// db.close()?;
    ///
    /// let db = stoa::Db::open(&dir)?;
    /// assert_eq!(db.get(b"k")?.as_deref(), Some(b"v".as_slice()));
    /// # drop(db);
    /// # std::fs::remove_dir_all(&dir).unwrap();
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Locked`] while another database is open there, [`Error::Damaged`] for a snapshot that
    /// cannot be loaded (it is left as it is), [`Error::File`] for what the system refuses, and those
    /// of [`Db::open_memory`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().open(dir)
    }

    /// Settings for a database that is opened in another way.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { session: Session::open(core, DbIndex(0)) }
    }

    /// Saves the database into its directory: all keys, deadlines and functions as they are between two
    /// calls, on all shards at one moment. Calls of other sessions wait until it is done.
    ///
    /// With `Ok` it is on the disk, and so is its name. After an error what was saved before still
    /// stands, or the new snapshot does, whole, if only its name could not be made durable; the database goes on.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("stoa-doc-save-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&dir);
    /// let db = stoa::Db::open(&dir)?;
    /// db.set(b"k", b"v")?;
    /// db.save()?;
    /// assert_eq!(stoa::Db::open_memory()?.save(), Err(stoa::Error::InMemory));
    /// # drop(db);
    /// # std::fs::remove_dir_all(&dir).unwrap();
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InMemory`] for one that has no directory, and [`Error::File`].
    pub fn save(&self) -> Result<(), Error> {
        self.session.executor().save()
    }

    /// Saves what changed, ends all sessions of this database, and leaves its directory to others. One
    /// in memory just ends.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// let session = db.session();
    /// db.close()?;
    /// assert_eq!(session.get(b"k"), Err(stoa::Error::Closed));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`]. Nothing is closed then: other sessions go on, and if there are none the
    /// database is dropped, which tries once more. Whoever wants to do something about it calls
    /// [`Db::save`] first.
    pub fn close(self) -> Result<(), Error> {
        self.session.executor().end()
    }

    /// Another session, in database 0.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// let other = db.session();
    /// other.select(1)?;
    /// other.set(b"k", b"in one")?;
    /// assert_eq!(db.get(b"k")?, None);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    #[must_use]
    pub fn session(&self) -> Session {
        Session::open(Arc::clone(&self.session.core), DbIndex(0))
    }

    /// Does a portion of what time brought though nobody called: removing expired keys, freeing
    /// large values. Gives how long nothing will be due after it; [`None`] if nothing is. Every
    /// call of a command does a portion too, and a key is never seen after its deadline, so this is
    /// for programs that idle for long and want the memory back.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// while db.run_due() == Some(std::time::Duration::ZERO) {}
    /// # Ok::<(), stoa::Error>(())
    /// ```
    pub fn run_due(&self) -> Option<Duration> {
        self.session.executor().run_due()
    }
}

impl Deref for Db {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// A client of a [`Db`], with its own selected database and settings. Cheap to make; a clone starts
/// in the database its original has selected. The database lives as long as any of its sessions.
pub struct Session {
    core: Arc<Core>,
    port: Port,
}

/// What all sessions of a database share.
pub(crate) struct Core(Mutex<Executor>);

impl Core {
    pub(crate) const fn new(executor: Executor) -> Self {
        Self(Mutex::new(executor))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // After a panic in a shard, what it holds must not take the place of what was saved. And an
        // error has nobody to go to.
        if let Ok(executor) = self.0.get_mut() {
            drop(executor.save_changes());
        }
    }
}

impl Session {
    fn open(core: Arc<Core>, db: DbIndex) -> Self {
        let port = lock(&core).open(db);
        Self { core, port }
    }

    /// Runs any command.
    ///
    /// ```
    /// use stoa::Reply;
    /// let db = stoa::Db::open_memory()?;
    /// assert_eq!(db.execute(&[b"SET", b"k", b"v"])?, Reply::Simple("OK".into()));
    /// assert_eq!(db.execute(&[b"STRLEN", b"k"])?, Reply::Int(1));
    /// assert_eq!(db.execute(&[b"GET", b"nothing"])?, Reply::Null);
    /// let error = db.execute(&[b"INCR", b"k"]).unwrap_err();
    /// assert_eq!(error.to_string(), "ERR value is not an integer or out of range");
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] with the command's own words; the other kinds when it did not run.
    ///
    /// # Panics
    /// When an earlier call panicked: what the shards hold is not to be trusted then.
    pub fn execute(&self, argv: &[&[u8]]) -> Result<Reply, Error> {
        refuse_too_long(argv)?;
        let mut executor = self.executor();
        refuse_server_only(executor.table, argv)?;
        match Reply::from(executor.call(self.port, argv)?) {
            Reply::Error(text) => Err(Error::Refused(text)),
            reply => Ok(reply),
        }
    }

    /// Watches what happens to keys from now on, whichever session does it and whatever
    /// `notify-keyspace-events` says.
    ///
    /// ```
    /// use stoa::{Class, Event, Filter, Observed};
    /// let db = stoa::Db::open_memory()?;
    /// let users = db.observe(Filter::new().matching(b"user:*"));
    /// db.set(b"user:1", b"Ann")?;
    /// db.set(b"page:1", b"not of a user")?;
    /// db.execute(&[b"RENAME", b"user:1", b"user:2"])?;
    /// let told: Vec<_> = std::iter::from_fn(|| users.try_recv()).collect();
    /// let event = |class, name, key: &[u8]| {
    ///     Observed::Event(Event { db: 0, class, name, key: key.to_vec() })
    /// };
    /// assert_eq!(told, [
    ///     event(Class::String, "set", b"user:1"),
    ///     event(Class::Generic, "rename_from", b"user:1"),
    ///     event(Class::Generic, "rename_to", b"user:2"),
    /// ]);
    /// drop(db);
    /// assert_eq!(users.recv(), Observed::Closed);
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Session::execute`].
    #[must_use]
    pub fn observe(&self, filter: Filter) -> Observer {
        Observer::new(self.executor().observe(filter))
    }

    /// Watches one key of one database. The name is taken as it is, with no pattern in it.
    ///
    /// ```
    /// use stoa::Observed;
    /// let db = stoa::Db::open_memory()?;
    /// let stock = db.subscribe_key(0, b"stock");
    /// db.execute(&[b"INCR", b"stock"])?;
    /// let Some(Observed::Event(event)) = stock.try_recv() else { panic!("it was changed") };
    /// assert_eq!(event.name, "incrby");
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Panics
    /// As [`Session::execute`].
    #[must_use]
    pub fn subscribe_key(&self, db: u16, key: &[u8]) -> Observer {
        self.observe(Filter::new().db(db).key(key))
    }

    /// Selects the database this session works in.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn select(&self, index: u16) -> Result<(), Error> {
        self.execute(&[b"SELECT", index.to_string().as_bytes()])?.ok()
    }

    fn executor(&self) -> MutexGuard<'_, Executor> {
        lock(&self.core)
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        let db = self.executor().selected(self.port);
        Self::open(Arc::clone(&self.core), db)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // After a panic in a shard there is nothing left to tidy up.
        if let Ok(mut executor) = self.core.0.lock() {
            executor.close(self.port);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("port", &self.port).finish_non_exhaustive()
    }
}

fn lock(core: &Core) -> MutexGuard<'_, Executor> {
    core.0
        .lock()
        .expect("an earlier call panicked, the database is not to be trusted; open another")
}

/// The longest request, all words together. Places in it are counted in 32 bits, and a shard takes
/// some more for its own.
const REQUEST_LEN_MAX: usize = 3 << 30;

/// Refuses what no shard could hold, before it is copied.
fn refuse_too_long(argv: &[&[u8]]) -> Result<(), Error> {
    let len = argv.iter().fold(0_usize, |sum, word| sum.saturating_add(word.len()));
    if len > REQUEST_LEN_MAX {
        let text = format!("ERR a request of {len} bytes is too long; send it in several");
        return Err(Error::Refused(text));
    }
    Ok(())
}

/// Refuses what speaks of a stream of replies: a call has exactly one.
fn refuse_server_only(table: &Table, argv: &[&[u8]]) -> Result<(), Error> {
    let name = argv.first().ok_or(Error::Empty)?;
    let Some(index) = table.find(name) else { return Ok(()) };
    let spec = &table.at(index).spec;
    let child = argv.get(1).filter(|_| table.is_container(index));
    let is_child = |name: &[u8]| child.is_some_and(|child| child.eq_ignore_ascii_case(name));
    let is_of_stream = spec.name == "client" && (is_child(b"reply") || is_child(b"tracking"));
    if is_of_stream || spec.flags.has(Flags::BLOCKING) || spec.flags.has(Flags::PUBSUB) {
        return Err(Error::ServerOnly(spec.name.to_ascii_uppercase()));
    }
    Ok(())
}
