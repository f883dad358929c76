//! What a request can get wrong. The texts are the ones clients and test suites know, without the
//! leading `-ERR `; after any of them the connection is closed, since where the next request would
//! start is no longer known.

use std::fmt;

/// Why the bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// No line end within the inline limit.
    InlineTooBig,
    /// No line end after `*` within the header limit.
    ArgsHeaderTooBig,
    /// `*N` where N is no number, or above the limit.
    ArgsLen,
    /// `*N` above what a connection may send before login.
    ArgsLenUnauthenticated,
    /// No line end after `$` within the header limit.
    BulkHeaderTooBig,
    /// An argument starts with this byte instead of `$`.
    ExpectedBulk(u8),
    /// `$N` where N is no number, negative, or above the limit.
    BulkLen,
    /// `$N` above what a connection may send before login.
    BulkLenUnauthenticated,
    /// An inline request whose quotes do not match.
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            Self::InlineTooBig => "too big inline request",
            Self::ArgsHeaderTooBig => "too big mbulk count string",
            Self::ArgsLen => "invalid multibulk length",
            Self::ArgsLenUnauthenticated => "unauthenticated multibulk length",
            Self::BulkHeaderTooBig => "too big bulk count string",
            Self::ExpectedBulk(got) => {
                return write!(f, "expected '$', got '{}'", char::from(*got));
            }
            Self::BulkLen => "invalid bulk length",
            Self::BulkLenUnauthenticated => "unauthenticated bulk length",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
        })
    }
}

impl std::error::Error for ProtocolError {}
