//! What a directive is: one row of the table, written as a short chain of `const` calls.
//!
//! A row holds everything that anyone asks about a directive, so that defaults, parsing, CONFIG
//! GET and SET, the rewritten file, the help and the documentation cannot disagree. Defaults are
//! written as an operator would write them and go through the same parser as everything else.

/// One directive: a row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The name on the wire and in `redis.conf`, lower case.
    pub name: &'static str,
    /// The older name, which CONFIG GET lists as well.
    pub alias: Option<&'static str>,
    /// Where the directive lives in a YAML configuration.
    pub yaml_path: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The default, as an operator would write it.
    pub default: &'static str,
    /// When it may be set.
    pub mutability: Mutability,
    /// Left out of CONFIG GET with a pattern; answered by its full name.
    pub hidden: bool,
    /// The value is a secret: never logged.
    pub sensitive: bool,
    /// False if the value is taken and answered, but changes nothing yet.
    pub acts: bool,
    /// One sentence for the operator.
    pub doc: &'static str,
}

/// When a directive may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// At the start and with CONFIG SET.
    Mutable,
    /// At the start only.
    Immutable,
    /// With CONFIG SET only where `enable-protected-configs` allows it.
    Protected,
}

/// What values a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number within bounds.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A whole number that is moved into these bounds instead of being refused.
    Clamped {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// File permissions, in octal.
    Octal {
        /// Largest value.
        max: i64,
    },
    /// Bytes, with a unit if wanted: `1k` is 1000, `1kb` is 1024.
    Memory {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// Bytes, or a share of `maxmemory` as `5%`.
    MemoryOrPercent,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any of these words together; the first stands for none of the others.
    Choices(&'static [&'static str]),
    /// Any bytes.
    Text,
    /// The name of a file or directory, without a path.
    FileName,
    /// Addresses, at most [`ADDRESSES_MAX`].
    Addresses,
    /// `<seconds> <changes>` pairs, or `""` for none.
    SavePoints,
    /// `<class> <hard> <soft> <soft seconds>`, for one or several classes.
    OutputLimits,
    /// Event classes of keyspace notifications.
    KeyspaceEvents,
    /// Percentiles from 0 to 100.
    Percentiles,
    /// Three process scores from -2000 to 2000.
    OomScores,
    /// `<host> <port>`, or `no one`.
    ReplicaOf,
}

/// Addresses that `bind` takes: Redis's number.
pub const ADDRESSES_MAX: usize = 16;

impl Kind {
    /// True if the value may be several words, in one argument or in many.
    pub(crate) const fn is_several_words(self) -> bool {
        match self {
            Self::Choices(_)
            | Self::Addresses
            | Self::SavePoints
            | Self::OutputLimits
            | Self::Percentiles
            | Self::OomScores
            | Self::ReplicaOf => true,
            Self::Bool
            | Self::Integer { .. }
            | Self::Clamped { .. }
            | Self::Octal { .. }
            | Self::Memory { .. }
            | Self::MemoryOrPercent
            | Self::Choice(_)
            | Self::Text
            | Self::FileName
            | Self::KeyspaceEvents => false,
        }
    }
}

impl Directive {
    /// What the log says of one that is set and that nothing acts on.
    #[must_use]
    pub fn inert_line(&self) -> String {
        format!("directive '{}' is accepted and not acting yet", self.name)
    }
}

/// Builders for the rows of the table.
impl Directive {
    const fn new(
        name: &'static str,
        yaml_path: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            alias: None,
            yaml_path,
            kind,
            default,
            mutability: Mutability::Mutable,
            hidden: false,
            sensitive: false,
            acts: true,
            doc,
        }
    }

    /// Has an older name as well.
    pub(crate) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Can be set at the start only.
    pub(crate) const fn at_start(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    /// Can be set while running only where `enable-protected-configs` allows it.
    pub(crate) const fn protected(mut self) -> Self {
        self.mutability = Mutability::Protected;
        self
    }

    /// Not listed by patterns.
    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Holds a secret.
    pub(crate) const fn secret(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Taken and answered, but without effect yet.
    pub(crate) const fn later(mut self) -> Self {
        self.acts = false;
        self
    }
}

pub(crate) const fn switch(
    name: &'static str,
    yaml_path: &'static str,
    default: bool,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, Kind::Bool, if default { "yes" } else { "no" }, doc)
}

pub(crate) const fn integer(
    name: &'static str,
    yaml_path: &'static str,
    (min, max): (i64, i64),
    default: &'static str,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, Kind::Integer { min, max }, default, doc)
}

pub(crate) const fn memory(
    name: &'static str,
    yaml_path: &'static str,
    (min, max): (u64, u64),
    default: &'static str,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, Kind::Memory { min, max }, default, doc)
}

pub(crate) const fn choice(
    name: &'static str,
    yaml_path: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, Kind::Choice(words), default, doc)
}

pub(crate) const fn text(
    name: &'static str,
    yaml_path: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, Kind::Text, default, doc)
}

pub(crate) const fn special(
    name: &'static str,
    yaml_path: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Directive {
    Directive::new(name, yaml_path, kind, default, doc)
}

/// Bounds that many rows share: they are the machine types of Redis's own variables, and clients
/// see them in error texts.
pub(crate) mod bounds {
    pub(crate) const INT: (i64, i64) = (0, i32::MAX as i64);
    pub(crate) const INT_FROM_1: (i64, i64) = (1, i32::MAX as i64);
    pub(crate) const INT_SIGNED: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);
    pub(crate) const UINT: (i64, i64) = (0, u32::MAX as i64);
    pub(crate) const LONG: (i64, i64) = (0, i64::MAX);
    pub(crate) const PORT: (i64, i64) = (0, 65_535);
    pub(crate) const BYTES: (u64, u64) = (0, i64::MAX as u64);
    pub(crate) const BYTES_FROM_1: (u64, u64) = (1, i64::MAX as u64);
    pub(crate) const BYTES_FROM_1MB: (u64, u64) = (1024 * 1024, i64::MAX as u64);
    pub(crate) const BYTES_ANY: (u64, u64) = (0, u64::MAX);
}
