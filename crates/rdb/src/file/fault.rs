//! Why a file is not read to its end: where, in which key, what, and what to do.

use std::fmt;

use crate::Damaged;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes before the place.
    pub offset: u64,
    /// The key whose value it is in.
    pub key: Option<Vec<u8>>,
    /// What it is.
    pub wrong: Wrong,
}

/// What may be wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// It does not begin as such files do.
    NoRdb,
    /// A version that is not known.
    Version {
        /// Which.
        version: u32,
        /// The file begins as Valkey's do.
        is_valkey: bool,
    },
    /// It ends before its end.
    Cut,
    /// Something about a value, a name or a number.
    Damaged(Damaged),
    /// A value or mark of a number that has no meaning here.
    Kind(u8),
    /// Data of a module.
    Module(String),
    /// Functions as no released server wrote them.
    EarlyFunctions,
    /// The checksum at the end is another than that of the bytes.
    Sum {
        /// What stands there.
        told: u64,
        /// What the bytes have.
        found: u64,
    },
}

/// Keys longer than this are shown in part.
const SHOWN_LEN_MAX: usize = 64;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if let Some(key) = &self.key {
            let shown = &key[..key.len().min(SHOWN_LEN_MAX)];
            let more = if shown.len() < key.len() { "..." } else { "" };
            write!(f, ", in key '{}{more}'", shown.escape_ascii())?;
        }
        write!(f, ": {}", self.wrong)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COPY: &str = "load another copy of it";
        match self {
            Self::NoRdb => f.write_str(
                "this is no RDB file, which begins with REDIS or VALKEY and a version; \
                 give the path of one",
            ),
            Self::Version { version, is_valkey } => {
                let whose = if *is_valkey { "Valkey" } else { "Redis" };
                write!(
                    f,
                    "version {version} of {whose} is not known here (read are 1 to 13, and 80 and \
                     81 of Valkey); write the file with an older server, or load it there and copy \
                     its keys over"
                )
            }
            Self::Cut => write!(f, "it ends here, in the middle; {COPY}"),
            Self::Damaged(damaged) => write!(f, "{damaged}; the file is damaged, {COPY}"),
            Self::Kind(kind) => write!(
                f,
                "there is a mark {kind}, which has no known meaning: a newer server wrote the file, \
                 or it is damaged; write it with Redis up to 7.4, or {COPY}"
            ),
            Self::Module(name) => write!(
                f,
                "it has data of the module '{name}', and there are no modules here; delete such keys \
                 and unload the module where the file comes from, then write it anew"
            ),
            Self::EarlyFunctions => f.write_str(
                "it has functions as candidates of Redis 7.0 wrote them; load it into Redis 7.0 or \
                 later, then write it anew",
            ),
            Self::Sum { told, found } => write!(
                f,
                "its checksum is {told:016x}, but that of its bytes {found:016x}: it changed after \
                 it was written; {COPY}"
            ),
        }
    }
}

impl std::error::Error for Fault {}
