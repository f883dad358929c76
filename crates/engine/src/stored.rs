//! Values between keys and RDB bytes: what DUMP, RESTORE and snapshots write from and make keys of.

use stoa_config::Remembers;
use stoa_keyspace::{Access, Counting, EntryRef, Value};
use stoa_rdb::{KeyHead, Loaded, ValueRef};
use stoa_value::Str;

/// What the value of a key is written from.
#[must_use]
pub fn stored<'a>(entry: &EntryRef<'a>) -> ValueRef<'a> {
    match entry.object() {
        Some(object) => ValueRef::Object(object),
        None => ValueRef::String(entry.string().unwrap_or(Str::Bytes(b""))),
    }
}

/// The same of a value that may be in no database.
#[must_use]
pub const fn stored_value(value: stoa_keyspace::ValueRef<'_>) -> ValueRef<'_> {
    match value {
        stoa_keyspace::ValueRef::String { text, .. } => ValueRef::String(text),
        stoa_keyspace::ValueRef::Object(object) => ValueRef::Object(object),
    }
}

/// What stands in front of it in a file: how the key was used only if the policy makes something of it.
#[must_use]
pub fn head<'a>(
    entry: &EntryRef<'a>,
    remembers: Remembers,
    counting: Option<Counting>,
) -> KeyHead<'a> {
    KeyHead {
        key: entry.key(),
        deadline: entry.deadline(),
        idle_s: (remembers == Remembers::Last).then(|| entry.idle_s()),
        frequency: counting.map(|counting| entry.frequency(counting)),
    }
}

/// How a key from a file was used. Nothing said: just now.
#[must_use]
pub fn access(idle_s: Option<u64>, frequency: Option<u8>) -> Access {
    frequency.map_or(Access::IdleS(idle_s.unwrap_or(0)), Access::Frequency)
}

/// What a key holds of a value that was read.
#[must_use]
pub fn restored(loaded: Loaded) -> Value {
    match loaded {
        Loaded::Object(object) => Value::Object(object),
        Loaded::String(bytes) => match stoa_command::parse_int(&bytes) {
            Some(value) => Value::Int(value),
            None => Value::Bytes { bytes, raw: false },
        },
    }
}
