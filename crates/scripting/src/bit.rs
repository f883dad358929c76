//! `bit`: operations on 32 bits.

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::args::{Args, to_number};

type Body = fn(&Args<'_>) -> Result<u32>;

const FUNCTIONS: [(&str, Body); 11] = [
    ("tobit", |args| bits(args, 0)),
    ("bnot", |args| bits(args, 0).map(|value| !value)),
    ("band", |args| fold(args, |a, b| a & b)),
    ("bor", |args| fold(args, |a, b| a | b)),
    ("bxor", |args| fold(args, |a, b| a ^ b)),
    ("lshift", |args| shift(args, u32::wrapping_shl)),
    ("rshift", |args| shift(args, u32::wrapping_shr)),
    ("arshift", |args| {
        shift(args, |value, by| value.cast_signed().wrapping_shr(by).cast_unsigned())
    }),
    ("rol", |args| shift(args, u32::rotate_left)),
    ("ror", |args| shift(args, u32::rotate_right)),
    ("bswap", |args| bits(args, 0).map(u32::swap_bytes)),
];

/// The library.
pub(crate) fn module(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, body) in FUNCTIONS {
        let function = lua.create_function(move |lua, values: MultiValue| {
            let value = body(&Args::new(lua, name, &values))?;
            Ok(Value::Number(value.cast_signed().into()))
        })?;
        table.raw_set(name, function)?;
    }
    let function = lua.create_function(|lua, values: MultiValue| {
        to_hex(lua, &Args::new(lua, "tohex", &values))
    })?;
    table.raw_set("tohex", function)?;
    Ok(table)
}

/// The low 32 bits of a number rounded to an integer.
fn bits(args: &Args<'_>, at: usize) -> Result<u32> {
    // Added to this, a double has the integer in the low bits of its own representation.
    const SHIFTED: f64 = 6_755_399_441_055_744.0;
    let number = match args.get(at).and_then(to_number) {
        Some(number) => number,
        None => args.number(at)?,
    };
    Ok((number + SHIFTED).to_bits() as u32)
}

fn fold(args: &Args<'_>, operation: fn(u32, u32) -> u32) -> Result<u32> {
    let first = bits(args, 0)?;
    (1..args.len()).try_fold(first, |value, at| Ok(operation(value, bits(args, at)?)))
}

fn shift(args: &Args<'_>, operation: fn(u32, u32) -> u32) -> Result<u32> {
    Ok(operation(bits(args, 0)?, bits(args, 1)? & 31))
}

/// Eight digits or as many as asked for; a negative number of digits is one of upper case.
fn to_hex(lua: &Lua, args: &Args<'_>) -> Result<Value> {
    let value = bits(args, 0)?;
    let digits = if args.len() < 2 { 8 } else { bits(args, 1)?.cast_signed() };
    let count = digits.unsigned_abs().min(8) as usize;
    let all = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(Value::String(lua.create_string(&all[8 - count..])?))
}
