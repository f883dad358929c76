//! Values between keys and RDB bytes: what DUMP, RESTORE and snapshots write from and make keys of.

use stoa_keyspace::{EntryRef, Value};
use stoa_rdb::{Loaded, ValueRef};
use stoa_value::Str;

/// What the value of a key is written from.
#[must_use]
pub fn stored<'a>(entry: &EntryRef<'a>) -> ValueRef<'a> {
    match entry.object() {
        Some(object) => ValueRef::Object(object),
        None => ValueRef::String(entry.string().unwrap_or(Str::Bytes(b""))),
    }
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
