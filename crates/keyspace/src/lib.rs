//! One shard's keys: numbered databases of slot tables, packed entries, and the wheel of their
//! deadlines.
//!
//! Knows nothing of commands, connections or clocks: the moment is an argument, and a command sees
//! one database at one moment as a [`Db`]. `unsafe` lives in four files (`arena`, `entry`, `slots`,
//! `table`), each with the layout it relies on at its head.
#![expect(
    unsafe_code,
    reason = "one allocation an entry, eight bytes a table word: see arena, entry, table"
)]

mod arena;
mod compaction;
mod copying;
mod db;
mod edit;
mod entry;
mod expiry;
mod held;
mod keyspace;
mod notice;
mod put_off;
mod slots;
mod table;
mod told;
mod undo;
mod uses;
mod watch;
pub mod wheel;

#[cfg(test)]
mod model_test;

pub use copying::{Copying, ValueRef};
pub use db::{Db, EntryRef, Owned, ScanCursor, Ttl, WrongType};
pub use edit::Edit;
pub use entry::{DEADLINE_MAX, INLINE_LEN_MAX, Value};
pub use held::Held;
pub use keyspace::{Keyspace, KeyspaceStats};
pub use notice::{Heeds, Notice, Noticed, Notices, ObservedRoom};
pub use stoa_value::{Str, Type};
pub use told::ChangedKey;
pub use uses::{Access, Counting};
