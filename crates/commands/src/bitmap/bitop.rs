//! BITOP: strings combined bit by bit into another.

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::{Owned, Str, Value};

use crate::wrong_type;

/// `BITOP AND | OR | XOR | NOT destkey key [key ...]`
pub struct BitOp;

/// The arguments of BITOP.
pub struct BitOpArgs<'a> {
    op: Op,
    into: &'a [u8],
    from: &'a [&'a [u8]],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    And,
    Or,
    Xor,
    Not,
}

impl Command for BitOp {
    const SPEC: Spec = Spec {
        name: "bitop",
        summary: "Combines strings bit by bit and stores the result.",
        since: "2.6.0",
        group: Group::Bitmap,
        complexity: "O(N), N bytes in all.",
        syntax: "(operation: AND | OR | XOR | NOT) destkey key...",
        arity: Arity(-4),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::Bitmap],
        keys: &[
            KeySpec::range(2, 0, 1, KeyFlags::OW.with(KeyFlags::UPDATE)),
            KeySpec::range(3, -1, 1, KeyFlags::RO.with(KeyFlags::ACCESS)),
        ],
        ..Spec::DEFAULT
    };

    type Args<'a> = BitOpArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BitOpArgs<'a>, ReplyError> {
        let op =
            args.choice(&[("AND", Op::And), ("OR", Op::Or), ("XOR", Op::Xor), ("NOT", Op::Not)])?;
        let (into, from) = (args.bytes()?, args.rest());
        if op == Op::Not && from.len() != 1 {
            return Err(ReplyError::Text("ERR BITOP NOT must be called with a single source key."));
        }
        Ok(BitOpArgs { op, into, from })
    }

    fn execute(
        args: BitOpArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let mut result = Vec::new();
        for (index, key) in args.from.iter().enumerate() {
            let key = ctx.key(key);
            let mut db = ctx.db();
            let entry = db.get(&key);
            let text = entry.map(|entry| entry.string().map_err(wrong_type)).transpose()?;
            text.unwrap_or(Str::Bytes(b"")).with(|bytes| match index {
                0 => result.extend_from_slice(bytes),
                _ => combine(args.op, &mut result, bytes),
            });
        }
        if args.op == Op::Not {
            result.iter_mut().for_each(|byte| *byte = !*byte);
        }
        let len = result.len();
        store(args.into, result, ctx);
        reply.int(len as i64);
        Ok(())
    }
}

/// Combines `result` with `bytes`; the shorter one counts as filled with zeros.
fn combine(op: Op, result: &mut Vec<u8>, bytes: &[u8]) {
    if result.len() < bytes.len() {
        result.resize(bytes.len(), 0);
    }
    let (both, behind) = result.split_at_mut(bytes.len());
    let pairs = both.iter_mut().zip(bytes);
    // Simple loops over bytes: the compiler makes wide ones of them.
    match op {
        Op::And => {
            pairs.for_each(|(byte, other)| *byte &= other);
            behind.fill(0);
        }
        Op::Or => pairs.for_each(|(byte, other)| *byte |= other),
        Op::Xor => pairs.for_each(|(byte, other)| *byte ^= other),
        Op::Not => {}
    }
}

/// Stores the result as a whole value; an empty one is a missing key.
fn store(key: &[u8], bytes: Vec<u8>, ctx: &mut Ctx<'_>) {
    let (key, keeps) = (ctx.key(key), ctx.node.config.set_preserves_ttl);
    let mut db = ctx.db();
    let stored = if bytes.is_empty() {
        let removed = db.remove(&key);
        if removed {
            ctx.notify(Class::Generic, "del", key.bytes);
        }
        removed
    } else {
        let old = if keeps { db.peek(&key) } else { None };
        let deadline = old.and_then(|entry| entry.deadline());
        let value = Value::Bytes { bytes, raw: true };
        db.store(&key, Owned { value, deadline, clock: 0 });
        ctx.notify(Class::String, "set", key.bytes);
        true
    };
    ctx.changed(stored.into());
}

#[cfg(test)]
mod tests {
    use super::{Op, combine};

    #[test]
    fn the_shorter_string_counts_as_filled_with_zeros() {
        let cases: [(Op, [&[u8]; 3]); 6] = [
            (Op::And, [b"\xff\x0f", b"\x3f", b"\x3f\0"]),
            (Op::And, [b"\x3f", b"\xff\x0f", b"\x3f\0"]),
            (Op::Or, [b"\x01\x02", b"\x10", b"\x11\x02"]),
            (Op::Or, [b"", b"\x10", b"\x10"]),
            (Op::Xor, [b"\xff", b"\x0f\xff", b"\xf0\xff"]),
            (Op::Xor, [b"", b"", b""]),
        ];
        for (op, [left, right, want]) in cases {
            let mut result = left.to_vec();
            combine(op, &mut result, right);
            assert_eq!(result, want, "{op:?} {left:?} {right:?}");
        }
    }
}
