//! A blocking client for programs that talk to one server and wait: the command line client, tests,
//! tools.
//!
//! One [`Connection`] is one socket. A call writes a request and reads its reply; requests may also be
//! sent ahead and their replies received later. Messages nobody asked for (RESP3 pushes) are set
//! aside until asked for, so they never stand in for a reply.

mod connection;
mod endpoint;
mod error;
mod stream;
mod uri;

pub use connection::{Auth, Connection, Options};
pub use endpoint::Endpoint;
pub use error::Error;
pub use stoa_resp::{Proto, Value};
pub use stream::Stream;
pub use uri::{Uri, UriError};
