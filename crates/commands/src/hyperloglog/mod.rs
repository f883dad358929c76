//! HyperLogLog: how many distinct elements there were, within one percent, in 12 KiB. A sketch is a
//! string value with bytes of a known form, so GET, SET, COPY and DUMP carry it like any other.

mod estimate;
mod murmur;
mod pfadd;
mod pfcount;
mod pfdebug;
mod pfmerge;
mod pfselftest;
mod sketch;

use stoa_command::ReplyError;
use stoa_engine::{Ctx, Entry, entry};
use stoa_keyspace::{EntryRef, Owned, Value};
use stoa_stdx::Key;

use crate::wrong_type;
use sketch::Corrupt;

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<pfadd::PfAdd>(),
    entry::<pfcount::PfCount>(),
    entry::<pfdebug::PfDebug>(),
    entry::<pfmerge::PfMerge>(),
    entry::<pfselftest::PfSelfTest>(),
];

const NOT_A_SKETCH: ReplyError =
    ReplyError::Text("WRONGTYPE Key is not a valid HyperLogLog string value.");

const fn corrupt(_: Corrupt) -> ReplyError {
    ReplyError::Text("INVALIDOBJ Corrupted HLL object detected")
}

/// Hands the bytes of a sketch to `read`.
fn read_sketch<R>(
    entry: &EntryRef<'_>,
    read: impl FnOnce(&[u8]) -> Result<R, Corrupt>,
) -> Result<R, ReplyError> {
    entry.string().map_err(wrong_type)?.with(|bytes| {
        if sketch::is_sketch(bytes) { read(bytes).map_err(corrupt) } else { Err(NOT_A_SKETCH) }
    })
}

/// Stores a sketch; the deadline of its key stays, whose use was counted when it was looked up.
fn store(key: &Key<'_>, bytes: Vec<u8>, ctx: &mut Ctx<'_>) {
    let mut db = ctx.db();
    let value = Value::Bytes { bytes, raw: true };
    match db.peek(key).map(|entry| (entry.deadline(), entry.clock())) {
        Some((deadline, clock)) => db.put(key, Owned { value, deadline, clock }),
        None => db.store(key, Owned { value, deadline: None, clock: 0 }),
    }
}
