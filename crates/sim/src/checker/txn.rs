//! What clients did and saw, as the checkers take it, and what the checkers say.

use std::fmt;

use stoa_resp::Value;

use super::graph::Cycle;

/// A key of a history: its place in [`History::keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u32);

/// One read or write. Every written number is written once in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A number put behind the others of a list.
    Append(Key, u64),
    /// All numbers of a list.
    ReadList(Key, Vec<u64>),
    /// A register set.
    Write(Key, u64),
    /// What a register held.
    Read(Key, Option<u64>),
}

/// What is known of a transaction's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Done,
    /// It did not happen, and whoever sees its writes sees a ghost.
    Refused,
    /// The reply never came. If any of its writes is seen, it happened; its reads are not known.
    Unknown,
}

/// What one client did in one go.
#[derive(Clone, Debug)]
pub struct Txn {
    /// Who.
    pub client: u32,
    /// The request and its reply, for whoever reads the report.
    pub label: String,
    /// When it was sent. All times of a history differ, and their order is the order of the world.
    pub began: u64,
    /// When its reply was there; not looked at unless it is [`Outcome::Done`].
    pub ended: u64,
    /// Its fate.
    pub outcome: Outcome,
    /// What it did, in order.
    pub ops: Vec<Op>,
}

/// What all clients did.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Transactions in any order.
    pub txns: Vec<Txn>,
    /// The names of the keys.
    pub keys: Vec<String>,
}

/// How lists of numbers are kept in a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Words of fixed width in a string: APPEND, GET.
    Text,
    /// A list: RPUSH, LRANGE.
    List,
}

/// Width of a number in [`Lists::Text`].
const WIDTH: usize = 10;

impl Lists {
    /// The request that appends.
    #[must_use]
    pub fn append(self, key: &str, token: u64) -> Vec<String> {
        let command = match self {
            Self::Text => "APPEND",
            Self::List => "RPUSH",
        };
        vec![command.to_owned(), key.to_owned(), format!("{token:0WIDTH$}")]
    }

    /// The request that reads all.
    #[must_use]
    pub fn read(self, key: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Text => &["GET", key],
            Self::List => &["LRANGE", key, "0", "-1"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The numbers in the reply to a read; [`None`] if it is none.
    #[must_use]
    pub fn decode(self, reply: &Value) -> Option<Vec<u64>> {
        match (self, reply) {
            (Self::Text, Value::Null) => Some(Vec::new()),
            (Self::Text, Value::Bulk(text)) if text.len().is_multiple_of(WIDTH) => {
                text.chunks(WIDTH).map(number).collect()
            }
            (Self::List, Value::Array(items)) => items.iter().map(number_of).collect(),
            _ => None,
        }
    }
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The number in a reply that is one.
fn number_of(reply: &Value) -> Option<u64> {
    match reply {
        Value::Bulk(word) => number(word),
        _ => None,
    }
}

impl Op {
    /// A register's read, by its reply; [`None`] if that is no value of a register.
    #[must_use]
    pub fn read(key: Key, reply: &Value) -> Option<Self> {
        match reply {
            Value::Null => Some(Self::Read(key, None)),
            other => Some(Self::Read(key, Some(number_of(other)?))),
        }
    }
}

/// A kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A value that nobody wrote.
    Garbage,
    /// A value that was refused (G1a).
    Aborted,
    /// A value that its own transaction replaced (G1b).
    Intermediate,
    /// A transaction does not see its own writes, or sees others' between them.
    Internal,
    /// A number stands twice in a list.
    Duplicate,
    /// Two reads of a list of which neither is a beginning of the other.
    Incompatible,
    /// An answered append is missing in a read that began later.
    Lost,
    /// What was seen of one register fits no order of its values.
    Register,
    /// Writes in a circle (G0).
    G0,
    /// Writes and reads in a circle (G1c).
    G1c,
    /// A circle with one read that misses a write (G-single): read skew, lost update.
    GSingle,
    /// A circle with several reads that miss writes (G2): write skew, long fork.
    G2,
    /// A circle that only closes because one was over before another began.
    RealTime,
}

/// Something wrong.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// What kind.
    pub kind: Kind,
    /// In words, with the transactions concerned.
    pub says: String,
    /// The circle, if it is one.
    pub cycle: Option<Cycle>,
}

/// Everything wrong that was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// At least one.
    pub anomalies: Vec<Anomaly>,
}

/// What a checker says.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// There is a serial order.
    Pass,
    /// There is none.
    Fail(Report),
    /// It gave up.
    Inconclusive(String),
}

impl Verdict {
    /// Only a pass.
    #[must_use]
    pub const fn is_pass(&self) -> bool {
        matches!(self, Self::Pass)
    }

    /// The kinds of wrong found, each once.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let Self::Fail(report) = self else { return Vec::new() };
        let mut kinds: Vec<Kind> = report.anomalies.iter().map(|one| one.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Inconclusive(why) => write!(f, "inconclusive: {why}"),
            Self::Fail(report) => {
                writeln!(f, "{} anomalies", report.anomalies.len())?;
                report.anomalies.iter().try_for_each(|anomaly| {
                    writeln!(f, "{:?}: {}", anomaly.kind, anomaly.says.trim_end())
                })
            }
        }
    }
}

impl History {
    /// One transaction, as a report names it.
    pub(super) fn tell(&self, at: usize) -> String {
        let txn = &self.txns[at];
        let ended = match txn.outcome {
            Outcome::Done => txn.ended.to_string(),
            Outcome::Refused => "refused".to_owned(),
            Outcome::Unknown => "unknown".to_owned(),
        };
        format!("T{at} [client {}, {}..{ended}] {}", txn.client, txn.began, txn.label)
    }

    pub(super) fn name(&self, key: Key) -> &str {
        self.keys.get(key.0 as usize).map_or("?", String::as_str)
    }
}
