//! GETBIT and SETBIT: one bit.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec, parse_int,
};
use stoa_engine::{Class, Command, Ctx, Reply};

use crate::wrong_type;

/// `GETBIT key offset`
pub struct GetBit;

/// `SETBIT key offset value`
pub struct SetBit;

/// The arguments of GETBIT.
pub struct GetBitArgs<'a> {
    key: &'a [u8],
    offset: u64,
}

/// The arguments of SETBIT.
pub struct SetBitArgs<'a> {
    key: &'a [u8],
    offset: u64,
    on: Result<bool, ReplyError>,
}

pub(super) const BAD_OFFSET: ReplyError =
    ReplyError::Text("ERR bit offset is not an integer or out of range");
const BAD_BIT: ReplyError = ReplyError::Text("ERR bit is not an integer or out of range");

/// The offset of a bit, which may be in a string of `len_max` bytes.
pub(super) fn check_offset(offset: u64, len_max: u64) -> Result<u64, ReplyError> {
    if offset >> 3 < len_max { Ok(offset) } else { Err(BAD_OFFSET) }
}

fn read_offset(args: &mut Args<'_>) -> Result<u64, ReplyError> {
    Ok(args.int_in(0..=i64::MAX, BAD_OFFSET)? as u64)
}

impl Command for GetBit {
    const SPEC: Spec = Spec {
        name: "getbit",
        summary: "Answers one bit of a string.",
        since: "2.2.0",
        group: Group::Bitmap,
        complexity: "O(1)",
        syntax: "key offset",
        arity: Arity(3),
        flags: Flags::READONLY.with(Flags::FAST),
        categories: &[Category::Bitmap],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = GetBitArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<GetBitArgs<'a>, ReplyError> {
        Ok(GetBitArgs { key: args.bytes()?, offset: read_offset(args)? })
    }

    fn execute(
        args: GetBitArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let offset = check_offset(args.offset, ctx.node.config.proto_max_bulk_len)?;
        let key = ctx.key(args.key);
        let byte = match ctx.db().get(&key) {
            None => 0,
            Some(entry) => {
                let text = entry.string().map_err(wrong_type)?;
                text.with(|bytes| bytes.get(offset as usize / 8).copied().unwrap_or(0))
            }
        };
        reply.int(i64::from(byte >> (7 - offset % 8) & 1));
        Ok(())
    }
}

impl Command for SetBit {
    const SPEC: Spec = Spec {
        name: "setbit",
        summary: "Sets or clears one bit of a string, which grows with zeros as far as it must.",
        since: "2.2.0",
        group: Group::Bitmap,
        complexity: "O(1)",
        syntax: "key offset value:integer",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::Bitmap],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = SetBitArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetBitArgs<'a>, ReplyError> {
        let (key, offset) = (args.bytes()?, read_offset(args)?);
        let on = match parse_int(args.bytes()?) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) | None => Err(BAD_BIT),
        };
        Ok(SetBitArgs { key, offset, on })
    }

    fn execute(
        args: SetBitArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        // The offset's bound is configured, and its error comes before that of the bit.
        let offset = check_offset(args.offset, ctx.node.config.proto_max_bulk_len)?;
        let (key, on) = (ctx.key(args.key), args.on?);
        let (at, mask) = (offset as usize / 8, 0x80 >> (offset % 8));
        let mut db = ctx.db();
        let (bytes, old_len) = db.string_mut(&key, at + 1).map_err(wrong_type)?;
        let was = bytes[at] & mask != 0;
        if on {
            bytes[at] |= mask;
        } else {
            bytes[at] &= !mask;
        }
        if bytes.len() > old_len || was != on {
            ctx.notify(Class::String, "setbit", key.bytes);
            ctx.changed(1);
        }
        reply.int(was.into());
        Ok(())
    }
}
