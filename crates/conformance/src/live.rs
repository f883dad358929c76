//! Clients on threads do anything they can to shared keys of a running server, and the checkers of the
//! simulator say whether one thread could have served them all.
//!
//! A run goes in portions, each on keys of its own, so that a million transactions need no more memory
//! than twenty thousand. Time is a counter that every client takes a number from before it sends and
//! after it has read: if one's last number is below another's first, it really was over before the
//! other began. Now and then a client leaves without its reply, and nobody will know.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_client::{Connection, Endpoint, Error, Value};
use stoa_sim::checker::{Key, Outcome};
use stoa_sim::mix::{
    Deed, Features, Mix, Progress, Record, Space, TOKENS_MAX, Torn, Verdicts, Whole,
};
use stoa_stdx::Rng;

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of what clients do; when, nobody can say.
    pub seed: u64,
    /// Transactions in all.
    pub txns: u64,
    /// Transactions that are checked together.
    pub txns_per_portion: u64,
    /// Clients, each on a thread.
    pub clients: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, txns: 1_000_000, txns_per_portion: 20_000, clients: 12 }
    }
}

/// A client leaves without its reply, once in so many transactions.
const LEAVE_ONE_IN: u64 = 1_000;

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Transactions by kind.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Of those, refused by WATCH or for want of memory.
    pub refused: u64,
    /// And those whose reply nobody read.
    pub lost: u64,
    /// Portions in which a checker gave up.
    pub inconclusive: u64,
}

impl Tally {
    /// All transactions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_kind.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.by_kind {
            writeln!(f, "  {kind:<16} {count:>9}")?;
        }
        write!(
            f,
            "  {:<16} {:>9}   of which refused {}, never answered {}, inconclusive portions {}",
            "all",
            self.total(),
            self.refused,
            self.lost,
            self.inconclusive
        )
    }
}

/// Why a run ended before its time.
#[derive(Debug)]
pub enum Failure {
    /// The server did what no single thread would.
    Anomaly(Box<Verdicts>),
    /// The server could not be talked to.
    Client(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anomaly(verdicts) => write!(f, "{verdicts}"),
            Self::Client(error) => write!(f, "{error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

/// Lets clients loose on the server at `endpoint`, and checks each portion.
///
/// # Errors
/// At the first portion with an anomaly, or when the server is gone.
pub fn run(endpoint: &Endpoint, options: &Options) -> Result<Tally, Failure> {
    let mut connections = (0..options.clients)
        .map(|_| crate::connect(endpoint))
        .collect::<Result<Vec<Connection>, Error>>()?;
    let features = Features::of(|name| crate::has(&mut connections[0], name));
    let mut tally = Tally::default();
    let mut portion = 0;
    while tally.total() < options.txns {
        let space = Space {
            prefix: format!("p{portion}:"),
            lists: 8,
            registers: 8,
            deeds_per_window: 400,
            hidden: 5,
            deeds_per_group: 160,
        };
        let mix = Mix {
            features,
            space,
            hidden_one_in: 4,
            deadline_one_in: 0,
            whole: Whole::Never,
            torn: Torn::Nothing,
        };
        let deeds = options.txns_per_portion.min(options.txns - tally.total());
        let one = Portion {
            endpoint,
            mix: &mix,
            deeds,
            next: AtomicU64::new(0),
            clock: AtomicU64::new(1),
            seed: options.seed ^ (portion << 32),
        };
        let verdicts = one.run(&mut connections, &mut tally)?;
        if verdicts.is_fail() {
            return Err(Failure::Anomaly(Box::new(verdicts)));
        }
        tally.inconclusive += u64::from(!verdicts.is_pass());
        portion += 1;
    }
    Ok(tally)
}

/// Transactions on keys that no others use.
struct Portion<'a> {
    endpoint: &'a Endpoint,
    mix: &'a Mix,
    deeds: u64,
    /// The number of the next deed.
    next: AtomicU64,
    clock: AtomicU64,
    seed: u64,
}

/// What a thread brings home.
type Brought = Result<(Record, BTreeMap<&'static str, u64>), Error>;

impl Portion<'_> {
    fn run(&self, connections: &mut [Connection], tally: &mut Tally) -> Result<Verdicts, Error> {
        let mut all = Record::default();
        let brought: Vec<Brought> = std::thread::scope(|scope| {
            let threads: Vec<_> = { connections.iter_mut().enumerate() }
                .map(|(number, connection)| {
                    scope.spawn(move || self.client(number as u32, connection))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no client panics")).collect()
        });
        for one in brought {
            let (record, counts) = one?;
            all.extend(record);
            for (kind, count) in counts {
                *tally.by_kind.entry(kind).or_default() += count;
            }
        }
        let names = self.mix.space.names(self.deeds);
        self.last_look(&mut connections[0], names.len() as u32, &mut all)?;
        connections[0].call(&["FLUSHALL"])?;
        let fates = |fate| all.txns.iter().filter(|txn| txn.outcome == fate).count() as u64;
        tally.refused += fates(Outcome::Refused);
        tally.lost += fates(Outcome::Unknown);
        Ok(all.judge(names))
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn client(&self, number: u32, connection: &mut Connection) -> Brought {
        let mut rng = Rng::new(self.seed ^ (u64::from(number) << 16));
        let (mut record, mut counts) = (Record::default(), BTreeMap::new());
        let mut token = u64::from(number) * 100_000_000;
        loop {
            let deed_number = self.next.fetch_add(1, Ordering::Relaxed);
            if deed_number >= self.deeds {
                return Ok((record, counts));
            }
            let deed = self.mix.deed(deed_number, token, &mut rng);
            token += TOKENS_MAX;
            *counts.entry(deed.kind()).or_default() += 1;
            if rng.one_in(LEAVE_ONE_IN) {
                self.leave(deed, number, connection, &mut record)?;
            } else {
                self.see_through(deed, number, connection, &mut record)?;
            }
        }
    }

    fn see_through(
        &self,
        mut deed: Deed,
        number: u32,
        connection: &mut Connection,
        record: &mut Record,
    ) -> Result<(), Error> {
        loop {
            let requests = deed.requests();
            let began = self.tick();
            let replies: Vec<Value> = connection.pipeline(&requests)?;
            let times = (began, self.tick());
            if deed.answer(number, times, replies, record) == Progress::Done {
                return Ok(());
            }
        }
    }

    /// Sends the requests and goes.
    fn leave(
        &self,
        deed: Deed,
        number: u32,
        connection: &mut Connection,
        record: &mut Record,
    ) -> Result<(), Error> {
        let began = self.tick();
        deed.requests().iter().for_each(|request| connection.send(request));
        connection.flush()?;
        deed.lose(number, began, record);
        *connection = crate::connect(self.endpoint)?;
        Ok(())
    }

    fn last_look(
        &self,
        connection: &mut Connection,
        keys: u32,
        record: &mut Record,
    ) -> Result<(), Error> {
        for key in (0..keys).map(Key) {
            self.see_through(self.mix.last_look(key), u32::MAX, connection, record)?;
        }
        Ok(())
    }
}
