//! `cmsgpack`: MessagePack as scripts know it.

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::args::Args;
use crate::number::integer;
use crate::room::MEMORY_MAX;
use crate::thrown::{raise, raise_bare};

/// Tables deeper than this are packed as nil.
const PACK_DEPTH_MAX: usize = 16;
/// Deeper data is refused: reading it recurses.
const UNPACK_DEPTH_MAX: usize = 1_000;

/// The library.
pub(crate) fn module(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let pack = lua.create_function(|lua, values: MultiValue| pack(lua, &values))?;
    let all = lua.create_function(|lua, values: MultiValue| {
        let args = Args::new(lua, "unpack", &values);
        unpack(lua, &args.bytes(0)?, 0, 0)
    })?;
    let one = lua.create_function(|lua, values: MultiValue| {
        let args = Args::new(lua, "unpack_one", &values);
        let offset = args.integer_or(1, 0)?;
        unpack(lua, &args.bytes(0)?, 1, offset)
    })?;
    let limit = lua.create_function(|lua, values: MultiValue| {
        let args = Args::new(lua, "unpack_limit", &values);
        let (limit, offset) = (args.integer(1)?, args.integer_or(2, 0)?);
        unpack(lua, &args.bytes(0)?, limit, offset)
    })?;
    table.raw_set("pack", pack)?;
    table.raw_set("unpack", all)?;
    table.raw_set("unpack_one", one)?;
    table.raw_set("unpack_limit", limit)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd.")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, values: &MultiValue) -> Result<Value> {
    if values.is_empty() {
        return raise(lua, "bad argument #0 to 'pack' (MessagePack pack needs input.)");
    }
    let mut out = Vec::new();
    for value in values.iter() {
        write(value, 0, &mut out)?;
        if out.len() > MEMORY_MAX {
            return raise(lua, "not enough memory");
        }
    }
    Ok(Value::String(lua.create_string(out)?))
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::String(text) => {
            let text = text.as_bytes();
            head(text.len(), (0xa0, 32), [Some(0xd9), Some(0xda), Some(0xdb)], out);
            out.extend_from_slice(&text);
        }
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => write_number(*number as f64, out),
        Value::Number(number) => write_number(*number, out),
        Value::Table(table) if depth < PACK_DEPTH_MAX => write_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// A length behind the shortest tag there is for it.
fn head(len: usize, (tag, short_max): (u8, usize), tags: [Option<u8>; 3], out: &mut Vec<u8>) {
    if len < short_max {
        return out.push(tag | len as u8);
    }
    match tags {
        [Some(tag), ..] if len <= 0xff => out.extend([tag, len as u8]),
        [_, Some(tag), _] if len <= 0xffff => {
            out.push(tag);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        [.., tag] => {
            out.push(tag.unwrap_or_default());
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

fn write_number(number: f64, out: &mut Vec<u8>) {
    let whole = integer(number);
    if !number.is_infinite() && whole as f64 == number {
        return write_integer(whole, out);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (tag, len) = match number {
        -32..=127 => return out.push(bytes[7]),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -128..=-33 => (0xd0, 1),
        -32_768..=-129 => (0xd1, 2),
        -2_147_483_648..=-32_769 => (0xd2, 4),
        ..=-2_147_483_649 => (0xd3, 8),
    };
    out.push(tag);
    out.extend_from_slice(&bytes[8 - len..]);
}

/// Whether the keys are 1 to the count of them.
fn is_array(table: &Table) -> Result<bool> {
    let (mut count, mut last) = (0_i64, 0_i64);
    for pair in table.pairs::<Value, Value>() {
        let key = match pair?.0 {
            Value::Integer(key) => key as f64,
            Value::Number(key) => key,
            _ => return Ok(false),
        };
        if key <= 0.0 || key.fract() != 0.0 || key > f64::from(i32::MAX) {
            return Ok(false);
        }
        last = last.max(key as i64);
        count += 1;
    }
    Ok(last == count)
}

fn write_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if is_array(table)? {
        let len = table.raw_len();
        head(len, (0x90, 16), [None, Some(0xdc), Some(0xdd)], out);
        for at in 1..=len {
            write(&table.raw_get(at)?, depth + 1, out)?;
        }
        return Ok(());
    }
    let len = table.pairs::<Value, Value>().count();
    head(len, (0x80, 16), [None, Some(0xde), Some(0xdf)], out);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(&key, depth + 1, out)?;
        write(&value, depth + 1, out)?;
    }
    Ok(())
}

/// Values from `offset` on, `limit` of them; with neither all, and only they are returned.
fn unpack(lua: &Lua, text: &[u8], limit: i64, offset: i64) -> Result<MultiValue> {
    let len = text.len();
    if offset < 0 || limit < 0 {
        return raise(
            lua,
            format!("Invalid request to unpack with offset of {offset} and limit of {len}."),
        );
    }
    if offset as usize > len {
        return raise(lua, format!("Start offset {offset} greater than input length {len}."));
    }
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut reader = Reader { lua, left: &text[offset as usize..] };
    let mut values = Vec::new();
    while !reader.left.is_empty() && (values.len() as i64) < limit {
        values.push(reader.value(0)?);
        if values.len() > VALUES_MAX {
            return raise(lua, "stack overflow (too many values)");
        }
    }
    if !all {
        let left = reader.left.len();
        let next = if left == 0 { -1 } else { (len - left) as i64 };
        values.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from(values))
}

/// Values that one call may return: as many as a C function's stack holds.
const VALUES_MAX: usize = 7_990;

struct Reader<'a> {
    lua: &'a Lua,
    left: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Result<&[u8]> {
        match self.left.split_at_checked(len) {
            Some((taken, rest)) => {
                self.left = rest;
                Ok(taken)
            }
            None => raise(self.lua, "Missing bytes in input."),
        }
    }

    fn unsigned(&mut self, len: usize) -> Result<u64> {
        let bytes = self.take(len)?;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, len: usize) -> Result<f64> {
        let unused = 64 - 8 * len as u32;
        Ok(((self.unsigned(len)? << unused).cast_signed() >> unused) as f64)
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let tag = self.take(1)?[0];
        let low = usize::from(tag);
        Ok(match tag {
            0x00..=0x7f => Value::Number(tag.into()),
            0x80..=0x8f => self.map(low & 15, depth)?,
            0x90..=0x9f => self.array(low & 15, depth)?,
            0xa0..=0xbf => self.string(low & 31)?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f32::from_bits(self.unsigned(4)? as u32).into()),
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            // The largest goes through a signed integer in the reference.
            0xcc..=0xcf => Value::Number(self.unsigned(1 << (tag - 0xcc))?.cast_signed() as f64),
            0xd0..=0xd3 => Value::Number(self.signed(1 << (tag - 0xd0))?),
            0xd9..=0xdb => {
                let len = self.unsigned(1 << (tag - 0xd9))? as usize;
                self.string(len)?
            }
            0xdc..=0xdd => {
                let len = self.unsigned(2 << (tag - 0xdc))? as usize;
                self.array(len, depth)?
            }
            0xde..=0xdf => {
                let len = self.unsigned(2 << (tag - 0xde))? as usize;
                self.map(len, depth)?
            }
            0xe0..=0xff => Value::Number(tag.cast_signed().into()),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => {
                return raise(self.lua, "Bad data format in input.");
            }
        })
    }

    fn string(&mut self, len: usize) -> Result<Value> {
        let lua = self.lua;
        let bytes = self.take(len)?;
        Ok(Value::String(lua.create_string(bytes)?))
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<Value> {
        self.not_too_deep(depth, "mp_decode_to_lua_array")?;
        // What is claimed may be more than there is.
        let table = self.lua.create_table_with_capacity(len.min(self.left.len()), 0)?;
        for at in 1..=len {
            table.raw_set(at, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value> {
        self.not_too_deep(depth, "mp_decode_to_lua_hash")?;
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return raise_bare("table index is nil"),
                Value::Number(number) if number.is_nan() => {
                    return raise_bare("table index is NaN");
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }

    fn not_too_deep(&self, depth: usize, place: &str) -> Result<()> {
        if depth < UNPACK_DEPTH_MAX {
            return Ok(());
        }
        raise(self.lua, format!("stack overflow (in function {place})"))
    }
}
