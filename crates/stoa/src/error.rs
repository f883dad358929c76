//! What can keep a call from its answer.

use std::fmt;
use std::path::PathBuf;

use crate::Reply;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The command refused. The text is the protocol's, its code first: `WRONGTYPE Operation ...`.
    Refused(String),
    /// The session is over: QUIT, CLIENT KILL, SHUTDOWN or a request beyond the protocol's limits
    /// ended it.
    Closed,
    /// A request without words.
    Empty,
    /// The command talks about a connection and its stream of replies, which a library call does not
    /// have.
    ServerOnly(String),
    /// A typed method got a reply of another kind: the command was given another meaning than the
    /// method expects, for example by options.
    Unexpected(Reply),
    /// A directive given to the builder does not exist or does not take this value.
    Directive(String),
    /// The system gave no random seed.
    NoRandomness(String),
    /// The database is in memory only, so there is nowhere to save it.
    InMemory,
    /// Another database, of this process or another, has this directory.
    Locked(PathBuf),
    /// The system did not do something to a file or directory.
    File {
        /// What was to be done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it was not.
        why: String,
    },
    /// A snapshot cannot be loaded. It is as it was.
    Damaged {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// The code of a refusal, the first word of its text.
    ///
    /// ```
    /// let db = stoa::Db::open_memory()?;
    /// let error = db.execute(&[b"GET"]).unwrap_err();
    /// assert_eq!(error.code(), Some("ERR"));
    /// # Ok::<(), stoa::Error>(())
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(text) => text.split(' ').next(),
            Self::Closed
            | Self::Empty
            | Self::ServerOnly(_)
            | Self::Unexpected(_)
            | Self::Directive(_)
            | Self::NoRandomness(_)
            | Self::InMemory
            | Self::Locked(_)
            | Self::File { .. }
            | Self::Damaged { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => f.write_str(text),
            Self::Closed => f.write_str("the session is closed; take another with Db::session"),
            Self::Empty => f.write_str("a request needs at least the name of a command"),
            Self::ServerOnly(name) => {
                write!(f, "{name} needs a connection; it works with stoa-server only")
            }
            Self::Unexpected(reply) => {
                write!(f, "a reply of another kind came: {reply:?}; use execute for this command")
            }
            Self::Directive(text) => f.write_str(text),
            Self::NoRandomness(why) => {
                write!(f, "no random seed from the system ({why}); give one with Builder::seed")
            }
            Self::InMemory => {
                f.write_str("the database is in memory only; one opened with Db::open can be saved")
            }
            Self::Locked(path) => write!(
                f,
                "another database is open in {}; close it, or give another directory",
                path.display()
            ),
            Self::File { doing, path, why } => {
                write!(f, "cannot {doing} {}: {why}", path.display())
            }
            Self::Damaged { path, why } => write!(f, "{} is not loaded: {why}", path.display()),
        }
    }
}

impl std::error::Error for Error {}
