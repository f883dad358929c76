//! INFO: one table of fields, from which the reply, its sections and the field reference come.
//!
//! A field is its section, its name, a line of documentation and a function from the merged facts
//! to a value. Who answers INFO fills in [`InfoInputs`] and names sections; nothing here asks the
//! world. A field that Redis shows only at times has the value [`FieldValue::Hidden`] at others.
//! What Redis has and this server has not is listed with its reason in [`ABSENT`], and a test holds
//! table and list against the field names of the reference.

mod absent;
mod activity;
mod inputs;
mod node;
mod rows;

pub use absent::ABSENT;
pub use inputs::{
    Allocator, Clients, CpuUs, DbFacts, InfoInputs, Instantaneous, Listener, MemoryFacts,
    Persistence, PubSub, Replication, ServerFacts, ShardFacts, Tracking,
};

use std::borrow::Cow;
use std::fmt;

/// The Redis version whose behaviour and INFO format clients may expect.
pub const REDIS_VERSION: &str = "7.4.7";

/// This server's own version.
pub const STOA_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A section of INFO, in the order of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the title is the documentation")]
pub enum Section {
    Server,
    Clients,
    Memory,
    Persistence,
    Stats,
    Replication,
    Cpu,
    Modules,
    Commandstats,
    Errorstats,
    Latencystats,
    Cluster,
    Keyspace,
    Shards,
}

impl Section {
    /// All, in the order of the reply.
    pub const ALL: [Self; 14] = [
        Self::Server,
        Self::Clients,
        Self::Memory,
        Self::Persistence,
        Self::Stats,
        Self::Replication,
        Self::Cpu,
        Self::Modules,
        Self::Commandstats,
        Self::Errorstats,
        Self::Latencystats,
        Self::Cluster,
        Self::Keyspace,
        Self::Shards,
    ];

    /// As in the `# Title` line. The name a client asks by is the same in any case.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Clients => "Clients",
            Self::Memory => "Memory",
            Self::Persistence => "Persistence",
            Self::Stats => "Stats",
            Self::Replication => "Replication",
            Self::Cpu => "CPU",
            Self::Modules => "Modules",
            Self::Commandstats => "Commandstats",
            Self::Errorstats => "Errorstats",
            Self::Latencystats => "Latencystats",
            Self::Cluster => "Cluster",
            Self::Keyspace => "Keyspace",
            Self::Shards => "Shards",
        }
    }

    /// Whether INFO without arguments shows it. Those with a row a command or a shard are left out.
    #[must_use]
    pub const fn is_default(self) -> bool {
        !matches!(self, Self::Commandstats | Self::Latencystats | Self::Shards)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The sections a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections(u32);

impl Sections {
    /// From the arguments of INFO: section names, `default`, `all`, `everything`, in any case.
    /// None means `default`. A name that is no section asks for nothing, as in Redis.
    #[must_use]
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bits = 0;
        let mut none = true;
        for name in names {
            none = false;
            bits |= Self::named(name).0;
        }
        if none { Self::default() } else { Self(bits) }
    }

    /// Whether `section` is among them: facts that nobody asked for need not be gathered.
    #[must_use]
    pub const fn has(self, section: Section) -> bool {
        self.0 & section.bit() != 0
    }

    fn named(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"default") {
            return Self::default();
        }
        let all = name.eq_ignore_ascii_case(b"all") || name.eq_ignore_ascii_case(b"everything");
        let asked = |section: &Section| {
            all || name.eq_ignore_ascii_case(section.title().as_bytes())
                || (*section == Section::Modules && name.eq_ignore_ascii_case(b"module_list"))
        };
        Self(Section::ALL.iter().filter(|section| asked(section)).fold(0, |bits, s| bits | s.bit()))
    }
}

impl Default for Sections {
    fn default() -> Self {
        let defaults = Section::ALL.iter().filter(|section| section.is_default());
        Self(defaults.fold(0, |bits, section| bits | section.bit()))
    }
}

/// A line of INFO, or a line for each command, error, database or shard.
pub struct Field {
    /// Where it stands.
    pub section: Section,
    /// Its name; with rows, what each row's name begins with.
    pub name: &'static str,
    /// What it says, with its unit.
    pub doc: &'static str,
    /// How it follows from the facts.
    pub value: Value,
}

/// How a field follows from the facts.
pub enum Value {
    /// One line.
    One(fn(&InfoInputs) -> FieldValue),
    /// A line each: the rest of the name, and the value.
    Rows(fn(&InfoInputs) -> Vec<(String, String)>),
}

/// A value in its form on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Words.
    Text(Cow<'static, str>),
    /// A count, a size in bytes, a duration in the field's unit.
    Count(u64),
    /// What may be below zero.
    Signed(i64),
    /// `1` or `0`.
    Flag(bool),
    /// A ratio with two decimals.
    Ratio(f64),
    /// Two decimals and `%`.
    Percent(f64),
    /// Bytes for people: `1.05M`.
    Human(u64),
    /// Microseconds shown as seconds with six decimals.
    Seconds(u64),
    /// Not shown now.
    Hidden,
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => count.fmt(f),
            Self::Signed(count) => count.fmt(f),
            Self::Flag(on) => u8::from(*on).fmt(f),
            Self::Ratio(ratio) => write!(f, "{ratio:.2}"),
            Self::Percent(percent) => write!(f, "{percent:.2}%"),
            Self::Human(bytes) => human(*bytes, f),
            Self::Seconds(us) => write!(f, "{}.{:06}", us / 1_000_000, us % 1_000_000),
            Self::Hidden => Ok(()),
        }
    }
}

/// A row of the table with one line.
const fn one(
    section: Section,
    name: &'static str,
    doc: &'static str,
    value: fn(&InfoInputs) -> FieldValue,
) -> Field {
    Field { section, name, doc, value: Value::One(value) }
}

/// Every field, in the order of the reply.
pub fn fields() -> impl Iterator<Item = &'static Field> {
    [node::FIELDS, activity::FIELDS, rows::FIELDS].into_iter().flatten()
}

/// Appends the reply of INFO: `# Title`, the lines of the section, an empty line between sections.
/// Text of the operator (paths) cannot break a line: what is no printable character becomes `?`.
pub fn render(inputs: &InfoInputs, sections: Sections, out: &mut String) {
    let start = out.len();
    for section in Section::ALL.into_iter().filter(|section| sections.has(*section)) {
        if out.len() > start {
            out.push_str("\r\n");
        }
        out.push_str("# ");
        out.push_str(section.title());
        out.push_str("\r\n");
        for field in fields().filter(|field| field.section == section) {
            match field.value {
                Value::One(value) => match value(inputs) {
                    FieldValue::Hidden => {}
                    value => line(out, field.name, "", &value.to_string()),
                },
                Value::Rows(rows) => {
                    for (rest, value) in rows(inputs) {
                        line(out, field.name, &rest, &value);
                    }
                }
            }
        }
    }
}

fn line(out: &mut String, name: &str, rest: &str, value: &str) {
    out.push_str(name);
    out.push_str(rest);
    out.push(':');
    out.extend(value.chars().map(|c| if c.is_control() { '?' } else { c }));
    out.push_str("\r\n");
}

/// As Redis: powers of 1,024, two decimals, plain bytes below a kibibyte.
fn human(bytes: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    if bytes < 1_024 {
        return write!(f, "{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    let scaled = bytes as f64 / (1_u64 << (10 * power)) as f64;
    write!(f, "{scaled:.2}{}", UNITS[power as usize - 1])
}

/// `above / below`, and 0 where nothing can be said yet.
fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 { 0.0 } else { above as f64 / below as f64 }
}

#[cfg(test)]
mod tests;
