//! APPEND: bytes at the end of a string, in place.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::Ttl;

use crate::string::check_len;
use crate::wrong_type;

/// `APPEND key value`
pub struct Append;

impl Command for Append {
    const SPEC: Spec = Spec {
        name: "append",
        summary: "Appends to a string; a missing key counts as an empty one.",
        since: "2.0.0",
        group: Group::String,
        complexity: "O(1) for each byte appended, on average.",
        syntax: "key value",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::INSERT))],
        ..Spec::DEFAULT
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<(&'a [u8], &'a [u8]), ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (key, tail): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (key, len_max) = (ctx.key(key), ctx.node.config.proto_max_bulk_len);
        let mut db = ctx.db();
        let old_len = match db.peek(&key) {
            Some(entry) => Some(entry.string().map_err(wrong_type)?.len()),
            None => None,
        };
        let len = match old_len {
            // A new key is stored as SET would: an integer as one.
            None => {
                db.set_string(&key, tail, Ttl::Clear);
                tail.len()
            }
            Some(old_len) => {
                let len = check_len(old_len, tail.len(), len_max)?;
                let (bytes, _) = db.string_mut(&key, len).map_err(wrong_type)?;
                bytes[old_len..].copy_from_slice(tail);
                len
            }
        };
        ctx.notify(Class::String, "append", key.bytes);
        ctx.changed(1);
        reply.int(len as i64);
        Ok(())
    }
}
