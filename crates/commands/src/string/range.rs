//! GETRANGE (and its older name SUBSTR) and SETRANGE: a part of a string.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};

use crate::string::check_len;
use crate::wrong_type;

/// `GETRANGE key start end`
pub struct GetRange;

/// `SUBSTR key start end`
pub struct SubStr;

/// `SETRANGE key offset value`
pub struct SetRange;

/// The arguments of GETRANGE and SUBSTR; negative ends count from the end.
pub struct RangeArgs<'a> {
    key: &'a [u8],
    start: i64,
    end: i64,
}

/// The arguments of SETRANGE.
pub struct SetRangeArgs<'a> {
    key: &'a [u8],
    offset: usize,
    value: &'a [u8],
}

/// The part of `bytes` from `start` to `end`, the last one included.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let place = |index: i64| if index < 0 { len + index.max(-len) } else { index };
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

impl Command for GetRange {
    const SPEC: Spec = Spec {
        name: "getrange",
        summary: "Answers a part of a string.",
        since: "2.4.0",
        group: Group::String,
        complexity: "O(N), N bytes answered.",
        syntax: "key start:integer end:integer",
        arity: Arity(4),
        flags: Flags::READONLY,
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = RangeArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
        Ok(RangeArgs { key: args.bytes()?, start: args.int()?, end: args.int()? })
    }

    fn execute(
        args: RangeArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(args.key);
        match ctx.db().get(&key) {
            None => reply.bulk(b""),
            Some(entry) => {
                let text = entry.string().map_err(wrong_type)?;
                text.with(|bytes| reply.bulk(part(bytes, args.start, args.end)));
            }
        }
        Ok(())
    }
}

impl Command for SubStr {
    const SPEC: Spec = Spec {
        name: "substr",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        summary: "Answers a part of a string; the older name of GETRANGE.",
        since: "1.0.0",
        ..GetRange::SPEC
    };

    type Args<'a> = RangeArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<RangeArgs<'a>, ReplyError> {
        GetRange::parse(args)
    }

    fn execute(
        args: RangeArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        GetRange::execute(args, ctx, reply)
    }
}

impl Command for SetRange {
    const SPEC: Spec = Spec {
        name: "setrange",
        summary: "Overwrites a part of a string, which grows with zero bytes as far as it must.",
        since: "2.2.0",
        group: Group::String,
        complexity: "O(M), M bytes written or filled with zeros.",
        syntax: "key offset value",
        arity: Arity(4),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::String],
        keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::UPDATE))],
        ..Spec::DEFAULT
    };

    type Args<'a> = SetRangeArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetRangeArgs<'a>, ReplyError> {
        let (key, offset) = (args.bytes()?, args.int()?);
        let offset =
            usize::try_from(offset).or(Err(ReplyError::Text("ERR offset is out of range")))?;
        Ok(SetRangeArgs { key, offset, value: args.bytes()? })
    }

    fn execute(
        args: SetRangeArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let (key, len_max) = (ctx.key(args.key), ctx.node.config.proto_max_bulk_len);
        let mut db = ctx.db();
        let old_len = match db.peek(&key) {
            Some(entry) => entry.string().map_err(wrong_type)?.len(),
            None => 0,
        };
        // Nothing to write makes no key and fills nothing with zeros.
        if args.value.is_empty() {
            db.get_for_write(&key);
            reply.int(old_len as i64);
            return Ok(());
        }
        let end = check_len(args.offset, args.value.len(), len_max)?;
        let (bytes, _) = db.string_mut(&key, end).map_err(wrong_type)?;
        bytes[args.offset..end].copy_from_slice(args.value);
        let len = bytes.len();
        ctx.notify(Class::String, "setrange", key.bytes);
        ctx.changed(1);
        reply.int(len as i64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_is_cut_to_what_there_is() {
        let cases: [(i64, i64, &[u8]); 12] = [
            (0, 3, b"This"),
            (0, -1, b"This is"),
            (-2, -1, b"is"),
            (-1, -2, b""),
            (5, 100, b"is"),
            (7, 8, b""),
            (3, 2, b""),
            (-100, 1, b"Th"),
            (-100, -100, b"T"),
            (-5, -100, b""),
            (i64::MIN, i64::MAX, b"This is"),
            (i64::MAX, i64::MIN, b""),
        ];
        for (start, end, want) in cases {
            assert_eq!(part(b"This is", start, end), want, "{start} {end}");
        }
        assert_eq!(part(b"", 0, -1), b"");
    }
}
