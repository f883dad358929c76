//! BITCOUNT: how many bits are set.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::bits;
use super::range::{Unit, Wanted};
use crate::wrong_type;

/// `BITCOUNT key [start end [BYTE | BIT]]`
pub struct BitCount;

/// The arguments of BITCOUNT.
pub struct BitCountArgs<'a> {
    key: &'a [u8],
    wanted: Wanted,
}

impl Command for BitCount {
    const SPEC: Spec = Spec {
        name: "bitcount",
        summary: "Counts the bits that are set in a string, or in a part of it.",
        since: "2.6.0",
        group: Group::Bitmap,
        complexity: "O(N), N bytes.",
        syntax: "key [range: start:integer end:integer [unit: BYTE | BIT]]",
        arity: Arity(-2),
        flags: Flags::READONLY,
        categories: &[Category::Bitmap],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = BitCountArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BitCountArgs<'a>, ReplyError> {
        let key = args.bytes()?;
        let wanted = match args.left() {
            0 => Wanted::ALL,
            2 | 3 => Wanted { start: args.int()?, end: args.int()?, unit: Unit::read(args)? },
            _ => return Err(ReplyError::Syntax),
        };
        Ok(BitCountArgs { key, wanted })
    }

    fn execute(
        args: BitCountArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(args.key);
        let Wanted { start, end, .. } = args.wanted;
        let count = match ctx.db().get(&key) {
            None => 0,
            Some(entry) => {
                let text = entry.string().map_err(wrong_type)?;
                // Backwards from the end is empty even where both ends are cut to the first byte.
                let backwards = start < 0 && end < 0 && start > end;
                text.with(|bytes| match backwards {
                    true => 0,
                    false => bits::count(bytes, args.wanted.bits(bytes.len())),
                })
            }
        };
        reply.int(count as i64);
        Ok(())
    }
}
