//! RESP2 and RESP3, as bytes in and bytes out: requests are parsed, replies are encoded, and the
//! client's side of the same wire is decoded.
//!
//! Nothing here reads a socket or knows a command. A server hands [`Parser`] its read buffer and
//! gets argument positions back; it writes replies through [`Encoder`] into a buffer it owns. A
//! client hands [`decode`] (or [`Framer`], for replies that come in pieces) what it has read.

mod decode;
mod encode;
mod error;
mod inline;
mod limits;
mod request;
mod value;

pub use decode::{DEPTH_MAX, DecodeError, Framer, decode};
pub use encode::{Encoder, Mark, Proto, write_request};
pub use error::ProtocolError;
pub use inline::split_words;
pub use limits::Limits;
pub use request::{Parsed, Parser, Span};
pub use stoa_stdx::write_double;
pub use value::Value;
