//! What a client did wrong, in the protocol's words.
//!
//! Static and `Copy` on purpose: an error carries no argument of the request, so it is bounded,
//! has no state to change and is the same bytes on every run.

use std::fmt;

/// An error reply. Its `Display` is the line on the wire after the minus sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the Display text is the documentation")]
pub enum ReplyError {
    Syntax,
    WrongType,
    NotInteger,
    NotFloat,
    NotPositive,
    OutOfRange,
    IndexOutOfRange,
    NoSuchKey,
    Overflow,
    InvalidCursor,
    InvalidDbIndex,
    DbOutOfRange,
    InvalidKeyCount,
    NotEnoughKeys,
    StringTooLong,
    /// `invalid expire time in 'set' command`; holds the command's name.
    InvalidExpire(&'static str),
    /// `wrong number of arguments for 'get' command`; holds the full name (`client|list`).
    WrongArity(&'static str),
    NoAuth,
    /// `Can't execute 'get' ...`; holds the full name.
    Subscribed(&'static str),
    /// A text of one command's own, with its code (`ERR ...`).
    Text(&'static str),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Syntax => "ERR syntax error",
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::NotPositive => "ERR value is out of range, must be positive",
            Self::OutOfRange => "ERR value is out of range",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::NoSuchKey => "ERR no such key",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::InvalidDbIndex => "ERR invalid DB index",
            Self::DbOutOfRange => "ERR DB index is out of range",
            Self::InvalidKeyCount => "ERR Invalid arguments specified for command",
            Self::NotEnoughKeys => "ERR The command has no key arguments",
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::Subscribed(name) => {
                return write!(
                    f,
                    "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                     RESET are allowed in this context"
                );
            }
            Self::InvalidExpire(name) => {
                return write!(f, "ERR invalid expire time in '{name}' command");
            }
            Self::WrongArity(name) => {
                return write!(f, "ERR wrong number of arguments for '{name}' command");
            }
            Self::Text(text) => text,
        };
        f.write_str(text)
    }
}

impl std::error::Error for ReplyError {}
