//! A running server judged from outside, over TCP.
//!
//! [`live`] lets clients do what the simulator's clients do, at full speed and on real threads, and has
//! the simulator's checkers judge it. It knows only the wire, so any server that speaks it can be
//! judged; the reference server passes, which says that the judge is fair.

pub mod counters;
pub mod live;
mod process;

pub use process::{Server, free_port, is_up, local};

use stoa_client::{Connection, Endpoint, Error, Options, Value};

/// Connects to a server of ours.
fn connect(endpoint: &Endpoint) -> Result<Connection, Error> {
    // Long beyond any command here: a server that hangs is to be told of, not waited for.
    let timeout = Some(std::time::Duration::from_secs(30));
    let endpoint = endpoint.clone();
    Connection::open(&Options { endpoint, timeout, connect_timeout: timeout, ..Options::default() })
}

/// Whether the server has a command.
fn has(connection: &mut Connection, name: &str) -> bool {
    match connection.call(&["COMMAND", "INFO", name]) {
        Ok(Value::Array(rows)) => rows.iter().any(|row| matches!(row, Value::Array(_))),
        _ => false,
    }
}
