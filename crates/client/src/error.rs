//! What can go wrong with a connection. An error *reply* is not among it: that is a value.

use std::fmt;
use std::io;

use stoa_resp::DecodeError;

use crate::Endpoint;

/// Why there is no reply.
#[derive(Debug)]
pub enum Error {
    /// No connection was made.
    Connect(Endpoint, io::Error),
    /// The connection failed while it was used.
    Io(io::Error),
    /// The server closed the connection.
    Closed,
    /// The reply made no sense.
    Decode(DecodeError),
    /// The server refused a step of opening the connection (`AUTH`, `HELLO`, `SELECT 3`), with this
    /// text.
    Refused(String, String),
}

impl Error {
    /// Whether the reply did not come in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        // Which of the two a timed-out read gives depends on the platform.
        let timed_out = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        };
        matches!(self, Self::Io(error) | Self::Connect(_, error) if timed_out(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(endpoint, error) => {
                write!(f, "Could not connect to Redis at {endpoint}: {}", plain(error))
            }
            Self::Io(error) => f.write_str(&plain(error)),
            Self::Closed => f.write_str("Server closed the connection"),
            Self::Decode(error) => error.fmt(f),
            Self::Refused(step, text) => write!(f, "{step} failed: {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, UnexpectedEof};
        if matches!(error.kind(), BrokenPipe | UnexpectedEof) {
            Self::Closed
        } else {
            Self::Io(error)
        }
    }
}

/// The system's own words, without the number and the library call that std adds.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split(" (os error ").next().unwrap_or(text).to_owned()
}
