//! Values of replies as Lua sees them, and what a script returns as a reply.

use mlua::{Lua, LuaString, Result, Table, Value};

use crate::number::integer;
use crate::tape::{Item, Reader};
use crate::{Sink, Tape};

/// How deep a script's reply may be nested: each level takes places on the stack in the reference,
/// which ends there with this error in the place of the value.
const DEPTH_MAX: usize = 1_997;
const TOO_DEEP: &[u8] = b"ERR reached lua stack limit";

/// The field of an error table that says so. Scripts of the reference see it too.
const COUNTED: &str = "ignore_error_stats_update";

/// A reply as a Lua value, in the shape of RESP3 if the script asked for it.
pub(crate) fn to_lua(lua: &Lua, reader: &mut Reader<'_>, resp3: bool) -> Result<Value> {
    let Some(item) = reader.item() else { return Ok(Value::Nil) };
    Ok(match item {
        Item::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
        // Through a double, as in the reference.
        Item::Int(value) => Value::Number(value as f64),
        Item::Status(text) => one_field(lua, "ok", lua.create_string(text)?)?,
        Item::Error(text) | Item::CountedError(text) => Value::Table(error_table(lua, text)?),
        Item::Null | Item::NullArray if resp3 => Value::Nil,
        Item::Null | Item::NullArray => Value::Boolean(false),
        Item::Array(len) => Value::Table(array(lua, reader, len, resp3)?),
        Item::Map(len) if resp3 => {
            // Grown pair by pair, as in the reference: what a script's pairs() gives hangs on that.
            let map = lua.create_table()?;
            for _ in 0..len {
                let (key, value) = (to_lua(lua, reader, resp3)?, to_lua(lua, reader, resp3)?);
                set(&map, key, value)?;
            }
            one_field(lua, "map", map)?
        }
        Item::Map(len) => Value::Table(array(lua, reader, len * 2, resp3)?),
        Item::Set(len) if resp3 => {
            let set_of = lua.create_table()?;
            for _ in 0..len {
                set(&set_of, to_lua(lua, reader, resp3)?, Value::Boolean(true))?;
            }
            one_field(lua, "set", set_of)?
        }
        Item::Set(len) => Value::Table(array(lua, reader, len, resp3)?),
        Item::Double(value) if resp3 => one_field(lua, "double", value)?,
        Item::Double(value) => {
            let mut text = Vec::new();
            stoa_stdx::write_double(&mut text, value);
            Value::String(lua.create_string(text)?)
        }
        Item::Boolean(value) if resp3 => Value::Boolean(value),
        Item::Boolean(value) => Value::Number(value.into()),
        Item::BigNumber(digits) if resp3 => {
            one_field(lua, "big_number", lua.create_string(digits)?)?
        }
        Item::Verbatim(format, text) if resp3 => {
            let verbatim = lua.create_table_with_capacity(0, 2)?;
            verbatim.raw_set("format", lua.create_string(format)?)?;
            verbatim.raw_set("string", lua.create_string(text)?)?;
            one_field(lua, "verbatim_string", verbatim)?
        }
        Item::BigNumber(text) | Item::Verbatim(_, text) => Value::String(lua.create_string(text)?),
    })
}

fn array(lua: &Lua, reader: &mut Reader<'_>, len: usize, resp3: bool) -> Result<Table> {
    let table = lua.create_table_with_capacity(len, 0)?;
    for at in 1..=len {
        table.raw_set(at, to_lua(lua, reader, resp3)?)?;
    }
    Ok(table)
}

/// Sets a field unless the key cannot be one.
fn set(table: &Table, key: Value, value: Value) -> Result<()> {
    if key.is_nil() || key.as_number().is_some_and(f64::is_nan) {
        return Ok(());
    }
    table.raw_set(key, value)
}

fn one_field(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// An error as scripts see it. Its text has a code: `text` begins with one.
pub(crate) fn error_table(lua: &Lua, text: &[u8]) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    let trimmed = text.trim_ascii_end();
    let text = if trimmed.contains(&b' ') {
        lua.create_string(trimmed)?
    } else {
        lua.create_string([b"ERR ", trimmed].concat())?
    };
    table.raw_set("err", text)?;
    Ok(table)
}

/// As [`error_table`], for what a command answered: whoever ran it counted it.
pub(crate) fn counted_error_table(lua: &Lua, text: &[u8]) -> Result<Table> {
    let table = error_table(lua, text)?;
    table.raw_set(COUNTED, true)?;
    Ok(table)
}

/// Whether an error table is of an error that was counted already.
pub(crate) fn is_counted(table: &Table) -> Result<bool> {
    Ok(matches!(table.raw_get(COUNTED)?, Value::Boolean(true)))
}

/// What a script returned, as a reply.
pub(crate) fn reply(value: &Value, resp3: bool, out: &mut Tape) -> Result<()> {
    write(value, resp3, DEPTH_MAX, out)
}

fn write(value: &Value, resp3: bool, depth: usize, out: &mut Tape) -> Result<()> {
    match value {
        Value::String(text) => out.bulk(&text.as_bytes()),
        Value::Integer(value) => out.int(*value),
        Value::Number(value) => out.int(integer(*value)),
        Value::Boolean(value) if resp3 => out.boolean(*value),
        Value::Boolean(true) => out.int(1),
        Value::Table(_) if depth == 0 => out.error(TOO_DEEP),
        Value::Table(table) => write_table(table, resp3, depth - 1, out)?,
        _ => out.null(),
    }
    Ok(())
}

fn write_table(table: &Table, resp3: bool, depth: usize, out: &mut Tape) -> Result<()> {
    if let Some(text) = string_field(table, "err")? {
        let line = on_line(&text.as_bytes());
        if is_counted(table)? {
            out.counted_error(&line);
        } else {
            out.error(&line);
        }
        return Ok(());
    }
    if write_typed(table, resp3, depth, out)? {
        return Ok(());
    }
    let at = out.open();
    let mut len = 0;
    loop {
        let value: Value = table.raw_get(len + 1)?;
        if value.is_nil() {
            break;
        }
        write(&value, resp3, depth, out)?;
        len += 1;
    }
    out.close(at, len);
    Ok(())
}

/// Writes a table that stands for another type of reply; false if it does not.
fn write_typed(table: &Table, resp3: bool, depth: usize, out: &mut Tape) -> Result<bool> {
    if let Some(text) = string_field(table, "ok")? {
        out.status(&on_line(&text.as_bytes()));
        return Ok(true);
    }
    match table.raw_get::<Value>("double")? {
        Value::Number(value) => {
            out.double(value);
            return Ok(true);
        }
        Value::Integer(value) => {
            out.double(value as f64);
            return Ok(true);
        }
        _ => {}
    }
    if let Value::Table(map) = table.raw_get("map")? {
        let at = out.open_map();
        let mut len = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            write(&key, resp3, depth, out)?;
            write(&value, resp3, depth, out)?;
            len += 1;
        }
        out.close(at, len);
        return Ok(true);
    }
    if let Value::Table(set) = table.raw_get("set")? {
        let at = out.open_set();
        let mut len = 0;
        for pair in set.pairs::<Value, Value>() {
            write(&pair?.0, resp3, depth, out)?;
            len += 1;
        }
        out.close(at, len);
        return Ok(true);
    }
    if let Some(digits) = string_field(table, "big_number")? {
        out.big_number(&on_line(&digits.as_bytes()));
        return Ok(true);
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let Some(format) = string_field(&verbatim, "format")?
        && let Some(text) = string_field(&verbatim, "string")?
    {
        out.verbatim(&format.as_bytes(), &text.as_bytes());
        return Ok(true);
    }
    Ok(false)
}

fn string_field(table: &Table, name: &str) -> Result<Option<LuaString>> {
    Ok(match table.raw_get(name)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// Without line ends, which would break the line of the protocol.
fn on_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}
