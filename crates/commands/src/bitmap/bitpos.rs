//! BITPOS: the first bit that is set, or that is clear.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::bits;
use super::range::{Unit, Wanted};
use crate::wrong_type;

/// `BITPOS key bit [start [end [BYTE | BIT]]]`
pub struct BitPos;

/// The arguments of BITPOS.
pub struct BitPosArgs<'a> {
    key: &'a [u8],
    bit: bool,
    wanted: Wanted,
    /// With an end, the string ends there; without, zeros follow it.
    has_end: bool,
}

impl Command for BitPos {
    const SPEC: Spec = Spec {
        name: "bitpos",
        summary: "Finds the first set or clear bit of a string, or of a part of it.",
        since: "2.8.7",
        group: Group::Bitmap,
        complexity: "O(N), N bytes.",
        syntax: "key bit:integer [range: start:integer [end-unit: end:integer [unit: BYTE | BIT]]]",
        arity: Arity(-3),
        flags: Flags::READONLY,
        categories: &[Category::Bitmap],
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = BitPosArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BitPosArgs<'a>, ReplyError> {
        let key = args.bytes()?;
        let bit = match args.int()? {
            0 => false,
            1 => true,
            _ => return Err(ReplyError::Text("ERR The bit argument must be 1 or 0.")),
        };
        if args.left() > 3 {
            return Err(ReplyError::Syntax);
        }
        let has_end = args.left() >= 2;
        let mut wanted = Wanted::ALL;
        if args.left() > 0 {
            wanted.start = args.int()?;
        }
        if has_end {
            // A wrong unit is said before a wrong end.
            let end = args.bytes()?;
            wanted.unit = Unit::read(args)?;
            wanted.end = stoa_command::parse_int(end).ok_or(ReplyError::NotInteger)?;
        }
        Ok(BitPosArgs { key, bit, wanted, has_end })
    }

    fn execute(
        args: BitPosArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(args.key);
        let found = match ctx.db().get(&key) {
            // A missing key is zeros without end.
            None => (!args.bit).then_some(0),
            Some(entry) => entry.string().map_err(wrong_type)?.with(|bytes| {
                let range = args.wanted.bits(bytes.len());
                let behind = !args.bit && !args.has_end && !range.is_empty();
                bits::find(bytes, args.bit, range).or(behind.then_some(bytes.len() * 8))
            }),
        };
        reply.int(found.map_or(-1, |position| position as i64));
        Ok(())
    }
}
