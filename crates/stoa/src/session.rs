//! A database and its sessions: each session is a client with a selected database of its own.

use std::ops::Deref;
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

    /// Settings for a database that [`Db::open_memory`] does not make.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(core: Arc<Mutex<Executor>>) -> Self {
        Self { session: Session::open(core, DbIndex(0)) }
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
    core: Arc<Mutex<Executor>>,
    port: Port,
}

impl Session {
    fn open(core: Arc<Mutex<Executor>>, db: DbIndex) -> Self {
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
        if let Ok(mut executor) = self.core.lock() {
            executor.close(self.port);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("port", &self.port).finish_non_exhaustive()
    }
}

fn lock(core: &Mutex<Executor>) -> MutexGuard<'_, Executor> {
    core.lock().expect("an earlier call panicked, the database is not to be trusted; open another")
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
    let silences = spec.name == "client" && child.is_some_and(|c| c.eq_ignore_ascii_case(b"reply"));
    if silences || spec.flags.has(Flags::BLOCKING) || spec.flags.has(Flags::PUBSUB) {
        return Err(Error::ServerOnly(spec.name.to_ascii_uppercase()));
    }
    Ok(())
}
