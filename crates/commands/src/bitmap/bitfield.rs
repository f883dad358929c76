//! BITFIELD and BITFIELD_RO: integers of 1 to 64 bits at any bit of a string.
//!
//! A field lies in at most nine bytes. They are read into (and written back from) one 128-bit number,
//! so there is no loop over bits, and what an operation computes is checked in 128 bits, where
//! nothing overflows.

use stoa_command::{
    Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec, parse_int,
};
use stoa_engine::{Class, Command, Ctx, Reply};
use stoa_keyspace::Str;

use super::bit::{BAD_OFFSET, check_offset};
use crate::wrong_type;

/// `BITFIELD key [GET encoding offset | [OVERFLOW WRAP | SAT | FAIL] SET ... | INCRBY ...] ...`
pub struct BitField;

/// `BITFIELD_RO key [GET encoding offset ...]`
pub struct BitFieldRo;

/// The arguments of BITFIELD and BITFIELD_RO.
pub struct BitFieldArgs<'a> {
    key: &'a [u8],
    steps: Vec<Step>,
    /// What is wrong behind the steps that were read. Kept because an offset among those may be
    /// wrong as well, by a bound that is configured, and the first error is the one that is said.
    error: Option<ReplyError>,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    field: Field,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

/// What to do with a number that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// Where an integer is, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    signed: bool,
    bits: u32,
    offset: u64,
}

const BAD_TYPE: ReplyError = ReplyError::Text(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const BAD_OVERFLOW: ReplyError = ReplyError::Text("ERR Invalid OVERFLOW type specified");
const READ_ONLY: ReplyError = ReplyError::Text("ERR BITFIELD_RO only supports the GET subcommand");

impl Command for BitField {
    const SPEC: Spec = Spec {
        name: "bitfield",
        summary: "Reads and changes integers of any width inside a string.",
        since: "3.2.0",
        group: Group::Bitmap,
        complexity: "O(1) for each operation.",
        syntax: "key [operation: GET encoding offset | (write: [OVERFLOW (WRAP | SAT | FAIL)] \
                 (SET encoding offset value:integer | INCRBY encoding offset increment:integer))]...",
        arity: Arity(-2),
        flags: Flags::WRITE.with(Flags::DENYOOM),
        categories: &[Category::Bitmap],
        keys: &[KeySpec::first(
            KeyFlags::RW
                .with(KeyFlags::ACCESS)
                .with(KeyFlags::UPDATE)
                .with(KeyFlags::VARIABLE_FLAGS),
        )],
        key_flags: Some(key_flags),
        ..Spec::DEFAULT
    };

    type Args<'a> = BitFieldArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BitFieldArgs<'a>, ReplyError> {
        let key = args.bytes()?;
        let mut steps = Vec::new();
        let error = read_steps(args, &mut steps).err();
        Ok(BitFieldArgs { key, steps, error })
    }

    fn execute(
        args: BitFieldArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        args.check(ctx.node.config.proto_max_bulk_len)?;
        if args.writes() { args.change(ctx, reply) } else { args.read(ctx, reply) }
    }
}

/// What a request does with its key. A broken one counts as writing, which is the safer guess.
fn key_flags(args: &Args<'_>) -> KeyFlags {
    let mut at = 2;
    while let Some(word) = args.at(at) {
        let behind = args.argc() - at - 1;
        if word.eq_ignore_ascii_case(b"get") && behind >= 2 {
            at += 3;
        } else if word.eq_ignore_ascii_case(b"overflow") && behind >= 1 {
            at += 2;
        } else {
            return KeyFlags::RW.with(KeyFlags::ACCESS).with(KeyFlags::UPDATE);
        }
    }
    KeyFlags::RO.with(KeyFlags::ACCESS)
}

impl Command for BitFieldRo {
    const SPEC: Spec = Spec {
        name: "bitfield_ro",
        summary: "Reads integers of any width inside a string.",
        since: "6.0.0",
        syntax: "key [get-block: GET encoding offset]...",
        flags: Flags::READONLY.with(Flags::FAST),
        keys: &[KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))],
        key_flags: None,
        ..BitField::SPEC
    };

    type Args<'a> = BitFieldArgs<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<BitFieldArgs<'a>, ReplyError> {
        BitField::parse(args)
    }

    fn execute(
        args: BitFieldArgs<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        args.check(ctx.node.config.proto_max_bulk_len)?;
        if args.writes() { Err(READ_ONLY) } else { args.read(ctx, reply) }
    }
}

fn read_steps(args: &mut Args<'_>, steps: &mut Vec<Step>) -> Result<(), ReplyError> {
    let mut overflow = Overflow::Wrap;
    while args.left() > 0 {
        // A word whose arguments are not all there is a syntax error before they are looked at.
        let left = args.left() - 1;
        if left >= 2 && args.word("GET") {
            steps.push(Step { field: Field::read(args)?, action: Action::Get });
        } else if left >= 3 && args.word("SET") {
            let field = Field::read(args)?;
            steps.push(Step { field, action: Action::Set(0, overflow) });
            set_last(steps, Action::Set(args.int()?, overflow));
        } else if left >= 3 && args.word("INCRBY") {
            let field = Field::read(args)?;
            steps.push(Step { field, action: Action::Add(0, overflow) });
            set_last(steps, Action::Add(args.int()?, overflow));
        } else if left >= 1 && args.word("OVERFLOW") {
            let words =
                [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
            overflow = args.choice(&words).or(Err(BAD_OVERFLOW))?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(())
}

/// The offset of a step is judged before its number, so the step is there before the number is read.
fn set_last(steps: &mut [Step], action: Action) {
    if let Some(step) = steps.last_mut() {
        step.action = action;
    }
}

impl BitFieldArgs<'_> {
    fn check(&self, len_max: u64) -> Result<(), ReplyError> {
        for step in &self.steps {
            check_offset(step.field.offset, len_max)?;
        }
        self.error.map_or(Ok(()), Err)
    }

    fn writes(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Get)
    }

    fn read(&self, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(self.key);
        let mut db = ctx.db();
        let entry = db.get(&key);
        let text = entry.map(|entry| entry.string().map_err(wrong_type)).transpose()?;
        reply.array(self.steps.len());
        text.unwrap_or(Str::Bytes(b"")).with(|bytes| {
            for step in &self.steps {
                reply.int(step.field.get(bytes) as i64);
            }
        });
        Ok(())
    }

    fn change(&self, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let key = ctx.key(self.key);
        let mut db = ctx.db();
        let writes = self.steps.iter().filter(|step| step.action != Action::Get);
        let len_min = writes.map(|step| step.field.end_byte()).max().unwrap_or(0);
        let (bytes, old_len) = db.string_mut(&key, len_min).map_err(wrong_type)?;
        let grown = bytes.len() > old_len;
        let mut changes = 0;
        reply.array(self.steps.len());
        for Step { field, action } in &self.steps {
            let old = field.get(bytes);
            let (wanted, overflow, is_set) = match *action {
                Action::Get => {
                    reply.int(old as i64);
                    continue;
                }
                Action::Set(value, overflow) => (field.as_written(value, overflow), overflow, true),
                Action::Add(value, overflow) => (old + i128::from(value), overflow, false),
            };
            let Some(new) = field.fit(wanted, overflow) else {
                reply.null();
                continue;
            };
            field.set(bytes, new);
            changes += u64::from(grown || new != old);
            reply.int(if is_set { old } else { new } as i64);
        }
        // Growing is a change too, also when every operation failed.
        let changes = changes.max(grown.into());
        if changes > 0 {
            ctx.notify(Class::String, "setbit", key.bytes);
        }
        ctx.changed(changes);
        Ok(())
    }
}

impl Field {
    fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        let (signed, width) = match args.bytes()? {
            [b'i', width @ ..] => (true, width),
            [b'u', width @ ..] => (false, width),
            _ => return Err(BAD_TYPE),
        };
        // An unsigned one of 64 bits has no place in a signed reply.
        let bits_max = if signed { 64 } else { 63 };
        let bits = parse_int(width).filter(|bits| (1..=bits_max).contains(bits)).ok_or(BAD_TYPE)?;
        let offset = match args.bytes()? {
            [b'#', index @ ..] => parse_int(index).and_then(|index| index.checked_mul(bits)),
            offset => parse_int(offset),
        };
        let offset = offset.and_then(|offset| u64::try_from(offset).ok()).ok_or(BAD_OFFSET)?;
        Ok(Self { signed, bits: bits as u32, offset })
    }

    /// The byte behind the last one it touches.
    fn end_byte(self) -> usize {
        ((self.offset + u64::from(self.bits) - 1) / 8 + 1) as usize
    }

    /// How far its lowest bit is from the lowest of the sixteen bytes that begin with its first.
    fn shift(self) -> u32 {
        128 - (self.offset % 8) as u32 - self.bits
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    /// Sixteen bytes beginning with its first, as a number; what is not there is zero.
    fn window(self, bytes: &[u8]) -> (u128, usize) {
        let there = bytes.get((self.offset / 8) as usize..).unwrap_or(&[]);
        let len = there.len().min(16);
        let mut window = [0; 16];
        window[..len].copy_from_slice(&there[..len]);
        (u128::from_be_bytes(window), len)
    }

    fn get(self, bytes: &[u8]) -> i128 {
        self.sign_extend(self.window(bytes).0 >> self.shift())
    }

    fn set(self, bytes: &mut [u8], value: i128) {
        let (window, len) = self.window(bytes);
        let mask = self.mask() << self.shift();
        let window = window & !mask | (value as u128) << self.shift() & mask;
        let at = (self.offset / 8) as usize;
        bytes[at..at + len].copy_from_slice(&window.to_be_bytes()[..len]);
    }

    /// The value of its bits alone.
    fn sign_extend(self, bits: u128) -> i128 {
        let bits = bits & self.mask();
        let negative = self.signed && bits >> (self.bits - 1) & 1 == 1;
        if negative { bits as i128 - (1 << self.bits) } else { bits as i128 }
    }

    /// A number that SET was given: an unsigned field reads a negative one as its 64 bits. Programs
    /// were written against a check whose distance to the highest number overflows in 64 bits: what
    /// is further below a narrow field than that is taken for above it.
    fn as_written(self, value: i64, overflow: Overflow) -> i128 {
        if !self.signed {
            return (value as u64).into();
        }
        let narrow = self.bits < 64 && overflow == Overflow::Saturate;
        let max = i64::MAX >> (64 - self.bits);
        if narrow && max.checked_sub(value).is_none() { i64::MAX.into() } else { value.into() }
    }

    /// `wanted` as it fits into the field; none when it must not be made to fit.
    fn fit(self, wanted: i128, overflow: Overflow) -> Option<i128> {
        let count = 1_i128 << self.bits;
        let (min, max) = if self.signed { (-count / 2, count / 2 - 1) } else { (0, count - 1) };
        match overflow {
            _ if (min..=max).contains(&wanted) => Some(wanted),
            Overflow::Wrap => Some(self.sign_extend(wanted as u128)),
            Overflow::Saturate => Some(wanted.clamp(min, max)),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Field, Overflow};

    #[test]
    fn a_field_is_its_bits_and_nothing_around_it() {
        let seed = 0xf1e1d;
        let mut rng = Rng::new(seed);
        for step in 0..3_000 {
            let mut bytes: Vec<u8> = (0..1 + rng.below(24)).map(|_| rng.next() as u8).collect();
            let total = bytes.len() as u64 * 8;
            let bits = 1 + rng.below(total.min(63)) as u32;
            let offset = rng.below(total - u64::from(bits) + 1);
            let field = Field { signed: rng.one_in(2), bits, offset };
            let place = format!("seed {seed}, step {step}, {field:?}");

            let text = |bytes: &[u8]| -> String {
                bytes.iter().map(|byte| format!("{byte:08b}")).collect()
            };
            let range = offset as usize..offset as usize + bits as usize;
            let before = text(&bytes);
            let unsigned = i128::from_str_radix(&before[range.clone()], 2).expect("bits");
            let negative = field.signed && before.as_bytes()[range.start] == b'1';
            let want = if negative { unsigned - (1 << bits) } else { unsigned };
            assert_eq!(field.get(&bytes), want, "{place}");

            let wanted = i128::from(rng.next() as i64);
            let value = field.fit(wanted, Overflow::Wrap).expect("wrapping always fits");
            assert_eq!((value - wanted) % (1 << bits), 0, "{place}");
            field.set(&mut bytes, value);
            assert_eq!(field.get(&bytes), value, "{place}");
            let after = text(&bytes);
            assert_eq!(after[..range.start], before[..range.start], "{place}");
            assert_eq!(after[range.end..], before[range.end..], "{place}");
            assert_eq!(field.end_byte(), (range.end - 1) / 8 + 1, "{place}");
        }
    }

    #[test]
    fn what_does_not_fit_wraps_stops_at_the_limit_or_fails() {
        let cases = [
            (true, 8, 128, -128, 127),
            (true, 8, -129, 127, -128),
            (false, 8, 256, 0, 255),
            (false, 8, -1, 255, 0),
            (true, 64, 1_i128 << 63, -1 << 63, (1 << 63) - 1),
            (true, 64, (-1 << 63) - 1, (1 << 63) - 1, -1 << 63),
            (true, 63, -3 << 62, -1 << 62, -1 << 62),
            (false, 63, -922_337_203, (1 << 63) - 922_337_203, 0),
            (false, 63, 1 << 63, 0, (1 << 63) - 1),
            (true, 1, 1, -1, 0),
        ];
        for (signed, bits, wanted, wrapped, limit) in cases {
            let field = Field { signed, bits, offset: 0 };
            assert_eq!(field.fit(wanted, Overflow::Wrap), Some(wrapped), "{field:?} {wanted}");
            assert_eq!(field.fit(wanted, Overflow::Saturate), Some(limit), "{field:?} {wanted}");
            assert_eq!(field.fit(wanted, Overflow::Fail), None, "{field:?} {wanted}");
            assert_eq!(field.fit(limit, Overflow::Fail), Some(limit), "{field:?} {limit}");
        }
    }
}
