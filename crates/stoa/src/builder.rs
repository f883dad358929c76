//! How a database is made: shards, clock, seed, directives.

use std::path::Path;
use std::sync::Arc;

use stoa_config::Config;
use stoa_engine::{Facts, Table};
use stoa_shard::Setup;
use stoa_stdx::{HashSeed, Rng, ShardId};

use crate::executor::{Executor, moment};
use crate::home::Home;
use crate::session::{Core, Db};
use crate::{Clock, Error, SystemClock};

/// Most shards of one database. One thread drives them all, so more than one serve tests only.
const SHARDS_MAX: u16 = 1_024;

/// Settings of a database to be opened.
///
/// ```
/// let clock = stoa::ManualClock::at_unix_ms(1_700_000_000_000);
/// let db = stoa::Db::builder()
///     .shards(3)
///     .clock(clock)
///     .seed(7)
///     .directive("databases", "4")
///     .open_memory()?;
/// assert!(db.select(4).is_err());
/// # Ok::<(), stoa::Error>(())
/// ```
#[must_use = "nothing is opened before open or open_memory"]
pub struct Builder {
    shards: u16,
    clock: Box<dyn Clock>,
    seed: Option<u64>,
    directives: Vec<(String, String)>,
    table: &'static Table,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            shards: 1,
            clock: Box::new(SystemClock),
            seed: None,
            directives: Vec::new(),
            table: stoa_commands::table(),
        }
    }

    /// How many shards the keys lie on; 1 if nothing is said. No reply depends on it: the shards of
    /// one database run on one thread, so more of them make nothing faster.
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = shards.clamp(1, SHARDS_MAX);
        self
    }

    /// Where time comes from.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The seed of all chance: RANDOMKEY, sampling, the order of keys in a slot. Random if nothing
    /// is said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A directive of the configuration, as in `redis.conf`.
    pub fn directive(mut self, name: &str, value: &str) -> Self {
        self.directives.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The commands there are: the server's, if nothing is said. With commands of your own among
    /// them, see [`command`](crate::command).
    pub fn table(mut self, table: &'static Table) -> Self {
        self.table = table;
        self
    }

    /// Opens an empty database in memory.
    ///
    /// # Errors
    /// [`Error::Directive`] for a directive that does not exist or does not fit, and
    /// [`Error::NoRandomness`] when no seed was given and the system has none.
    pub fn open_memory(self) -> Result<Db, Error> {
        let config = self.config()?;
        Ok(Db::new(Arc::new(Core::new(self.executor(config)?))))
    }

    /// Opens the database that lives in a directory; see [`Db::open`]. Of the directives, `dbfilename`
    /// is the name of the snapshot there, `rdbcompression` and `rdbchecksum` say how it is written.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("stoa-doc-builder-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&dir);
    /// let db = stoa::Db::builder().directive("dbfilename", "mine.rdb").open(&dir)?;
    /// db.save()?;
    /// assert!(dir.join("mine.rdb").exists());
    /// # drop(db);
    /// # std::fs::remove_dir_all(&dir).unwrap();
    /// # Ok::<(), stoa::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Builder::open_memory`], and those of [`Db::open`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Db, Error> {
        let config = self.config()?;
        let home = Home::take(dir.as_ref(), &config.db_file_name)?;
        let mut executor = self.executor(config)?;
        executor.move_in(home)?;
        Ok(Db::new(Arc::new(Core::new(executor))))
    }

    fn config(&self) -> Result<Config, Error> {
        let mut config = Config::default();
        for (name, value) in &self.directives {
            let settled = config.settle(name, value.as_bytes());
            settled.map_err(|error| Error::Directive(error.to_string()))?;
        }
        Ok(config)
    }

    fn executor(self, config: Config) -> Result<Executor, Error> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| Error::NoRandomness(error.to_string()))?,
        };
        let mut rng = Rng::new(seed);
        let hash_seed = HashSeed::new(std::array::from_fn(|_| rng.next()));
        let chance = rng.next();
        let now = moment(&*self.clock);
        let facts = Arc::new(Facts {
            stoa_version: env!("CARGO_PKG_VERSION"),
            run_id: (0..5).map(|_| format!("{:08x}", rng.next() as u32)).collect(),
            driver: "embedded",
            started_unix: now.unix,
            started: now.mono.ms(),
            ..Facts::default()
        });
        let (shards, table, clock) = (self.shards, self.table, self.clock.stopwatch());
        let setup = |id: ShardId| Setup {
            id,
            shards,
            table,
            config: config.clone(),
            facts: Arc::clone(&facts),
            seed: hash_seed.clone(),
            chance: chance ^ u64::from(id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            now,
            clock,
        };
        Ok(Executor::new(self.clock, shards, table, setup))
    }
}
