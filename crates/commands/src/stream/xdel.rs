//! XDEL, which removes entries, and XSETID, which says where a stream stands.

use stoa_command::{Args, Arity, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{Stream, StreamId};

use super::{WRITES, id};
use crate::define::define;

define! { "`XDEL key id [id ...]`", XDel, DelArgs, parse, execute, Spec {
    name: "xdel",
    summary: "Removes entries.",
    complexity: "O(1) for each entry.",
    syntax: "key id...",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::FAST),
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
    ..WRITES
}}

define! { "`XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]`",
XSetId, SetArgs, parse_set, set, Spec {
    name: "xsetid",
    summary: "Sets the last id of a stream; for servers that copy it.",
    syntax: "key last-id [ENTRIESADDED entries-added:integer] [MAXDELETEDID max-deleted-id]",
    arity: Arity(-3),
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
    ..WRITES
}}

/// A key and ids; a wrong id is of no interest without a stream.
pub struct DelArgs<'a> {
    key: &'a [u8],
    ids: Result<Vec<StreamId>, ReplyError>,
}

/// The arguments of XSETID.
pub struct SetArgs<'a> {
    key: &'a [u8],
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted_id: Option<StreamId>,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<DelArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let ids = args.rest().iter().map(|text| id::parse(text, 0)).collect();
    Ok(DelArgs { key, ids })
}

fn execute(args: DelArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let mut removed = 0;
    if let Some(mut stream) = ctx.edit::<Stream>(args.key)? {
        // Named in full: the borrowed value has a `remove` of its own, of the whole key.
        removed = args.ids?.into_iter().filter(|id| Stream::remove(&mut stream, *id)).count();
    }
    if removed > 0 {
        ctx.notify(Class::Stream, "xdel", args.key);
        ctx.changed(removed as u64);
    }
    reply.int(removed as i64);
    Ok(())
}

fn parse_set<'a>(args: &mut Args<'a>) -> Result<SetArgs<'a>, ReplyError> {
    let (key, last_id) = (args.bytes()?, id::parse(args.bytes()?, 0)?);
    let (mut entries_added, mut max_deleted_id) = (None, None);
    while args.left() > 1 {
        if args.word("ENTRIESADDED") {
            let negative = ReplyError::Text("ERR entries_added must be positive");
            entries_added = Some(u64::try_from(args.int()?).map_err(|_| negative)?);
        } else if args.word("MAXDELETEDID") {
            let deleted = id::parse(args.bytes()?, 0)?;
            if last_id < deleted {
                return Err(ReplyError::Text(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
            max_deleted_id = Some(deleted);
        } else {
            break;
        }
    }
    args.end()?;
    Ok(SetArgs { key, last_id, entries_added, max_deleted_id })
}

fn set(args: SetArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let mut stream = ctx.edit::<Stream>(args.key)?.ok_or(ReplyError::NoSuchKey)?;
    if args.last_id < stream.max_deleted_id() {
        return Err(ReplyError::Text(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    let top = stream.range(StreamId::MIN, StreamId::MAX, true).next().map(|entry| entry.id);
    if let Some(top) = top {
        if args.last_id < top {
            return Err(ReplyError::Text(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if args.entries_added.is_some_and(|added| added < stream.len() as u64) {
            return Err(ReplyError::Text(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    let deleted = args.max_deleted_id.filter(|id| *id != StreamId::MIN);
    stream.set_last_id(args.last_id, args.entries_added, deleted);
    drop(stream);
    ctx.notify(Class::Stream, "xsetid", args.key);
    ctx.changed(1);
    reply.ok();
    Ok(())
}
