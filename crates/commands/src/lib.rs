//! The command table: a folder a group, a file a command with its variants, and one line in the
//! group's list. Everything else (routing, arity, access, documentation, tests) is read off the specs.

pub mod bitmap;
pub mod compatibility;
pub mod connection;
mod container;
mod define;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod pubsub;
mod sample;
pub mod scripting;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
mod timeout;
pub mod transactions;
mod ttl;
mod walk;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod page;
#[cfg(test)]
mod transcript;

use std::sync::OnceLock;

use stoa_command::ReplyError;
use stoa_engine::{Entry, Reply, Table};
use stoa_keyspace::{EntryRef, WrongType};

/// All groups, in the order of the reference pages.
pub const GROUPS: &[&[Entry]] = &[
    string::COMMANDS,
    generic::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
    bitmap::COMMANDS,
    hash::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    transactions::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    hyperloglog::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    geo::COMMANDS,
];

/// The table of all commands, made once.
#[must_use]
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(GROUPS))
}

/// The same with commands of a program's own.
///
/// # Panics
/// When two commands share a name, or a subcommand has no parent.
#[must_use]
pub fn table_with(own: &[Entry]) -> Table {
    let groups: Vec<&[Entry]> = GROUPS.iter().copied().chain([own]).collect();
    Table::new(&groups)
}

/// The keyspace's word for a type mismatch in the protocol's words.
pub(crate) const fn wrong_type(_: WrongType) -> ReplyError {
    ReplyError::WrongType
}

/// Answers a string value, or null when there is none.
pub(crate) fn reply_string(
    entry: Option<&EntryRef<'_>>,
    reply: &mut dyn Reply,
) -> Result<(), ReplyError> {
    match entry {
        None => reply.null(),
        Some(entry) => entry.string().map_err(wrong_type)?.with(|bytes| reply.bulk(bytes)),
    }
    Ok(())
}
