//! Lua values to JSON.

use std::cell::Cell;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::{DEPTH_MAX, Invalid, Settings, one};
use crate::args::{Args, type_name};
use crate::number::format_g;
use crate::room::MEMORY_MAX;
use crate::thrown::raise;

pub(super) fn encode(lua: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    let (1, Some(value)) = (args.len(), args.get(0)) else {
        return args.refuse(0, "expected 1 argument");
    };
    let mut writer = Writer { lua, settings: settings.get(), out: Vec::new() };
    writer.value(value, 0)?;
    one(Value::String(lua.create_string(&writer.out)?))
}

struct Writer<'a> {
    lua: &'a Lua,
    settings: Settings,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: i64) -> Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            Value::Table(table) => self.table(table, depth + 1)?,
            other => return self.refuse(other, "type not supported"),
        }
        if self.out.len() > MEMORY_MAX {
            return raise(self.lua, "not enough memory");
        }
        Ok(())
    }

    fn refuse<T>(&self, value: &Value, why: &str) -> Result<T> {
        raise(self.lua, format!("Cannot serialise {}: {why}", type_name(Some(value))))
    }

    fn number(&mut self, number: f64) -> Result<()> {
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Refused => {
                    return self.refuse(&Value::Number(number), "must not be NaN or Inf");
                }
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Written => {}
            }
        }
        self.digits(number);
        Ok(())
    }

    fn digits(&mut self, number: f64) {
        // Most numbers of programs are small integers, and those are the same in any precision that
        // can hold them.
        if number.fract() == 0.0
            && number.abs() < 1e9
            && self.settings.precision >= 9
            && number != 0.0
        {
            let mut buffer = itoa::Buffer::new();
            self.out.extend_from_slice(buffer.format(number as i64).as_bytes());
        } else {
            let text = format_g(number, self.settings.precision as usize);
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn string(&mut self, text: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' | b'\\' | b'/' => self.out.extend([b'\\', byte]),
                8 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..=31 | 127 => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend([byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: i64) -> Result<()> {
        if depth > self.settings.encode_depth.min(DEPTH_MAX) {
            return raise(self.lua, format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.array_len(table)? {
            Some(len) => self.array(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The length as an array; None: it is an object.
    fn array_len(&self, table: &Table) -> Result<Option<i64>> {
        let (mut last, mut items) = (0.0_f64, 0_i64);
        // An array without holes is known by its end being its count.
        for pair in table.pairs::<Value, Value>() {
            let key = match pair?.0 {
                Value::Integer(key) => key as f64,
                Value::Number(key) => key,
                _ => return Ok(None),
            };
            if key.fract() != 0.0 || key < 1.0 {
                return Ok(None);
            }
            last = last.max(key);
            items += 1;
        }
        let Settings { sparse_ratio, sparse_safe, sparse_converts, .. } = self.settings;
        if sparse_ratio > 0
            && last > items as f64 * sparse_ratio as f64
            && last > sparse_safe as f64
        {
            if !sparse_converts {
                return self.refuse(&Value::Table(table.clone()), "excessively sparse array");
            }
            return Ok(None);
        }
        // What stands in a hole takes five bytes.
        if last * 5.0 > MEMORY_MAX as f64 {
            return raise(self.lua, "not enough memory");
        }
        Ok((items > 0).then_some(last as i64))
    }

    fn array(&mut self, table: &Table, len: i64, depth: i64) -> Result<()> {
        self.out.push(b'[');
        for at in 1..=len {
            if at > 1 {
                self.out.push(b',');
            }
            let item: Value = table.raw_get(at)?;
            self.value(&item, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i64) -> Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::replace(&mut first, false) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(number) => {
                    self.out.push(b'"');
                    self.number(*number as f64)?;
                    self.out.push(b'"');
                }
                Value::Number(number) => {
                    self.out.push(b'"');
                    self.number(*number)?;
                    self.out.push(b'"');
                }
                other => return self.refuse(other, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
