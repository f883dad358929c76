//! Commands of your own: what it takes to describe and run one, without another dependency.
//!
//! A command is a type that implements [`Command`]: a [`Spec`] from which everything but its work is
//! read, `parse` from arguments to typed values, and `execute` on the keys of one shard. Put it into a
//! table with [`table_with`] and give that to [`Builder::table`](crate::Builder::table);
//! `examples/own_command.rs` is one from start to end.
//!
//! [`Reply`] here is where a command writes its answer; what a caller gets is [`crate::Reply`].

pub use stoa_command::{
    Args, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeyFlags, KeySpec, ReplyError,
    RequestPolicy, ResponsePolicy, Spec, format_double, parse_double, parse_int,
};
pub use stoa_commands::{table, table_with};
pub use stoa_engine::{Class, Command, Ctx, Entry, Part, Proto, Reply, Table, entry};
pub use stoa_keyspace::{Db, EntryRef, Str, Ttl, Type, WrongType};
