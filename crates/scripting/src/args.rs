//! Arguments of our library functions, read as Lua's own C functions read theirs, with its texts.

use mlua::{Lua, MultiValue, Result, Value};

use crate::number::strtod;
use crate::thrown::bad_argument;

/// The arguments of one call.
pub(crate) struct Args<'a> {
    lua: &'a Lua,
    /// What errors call the function.
    name: &'a str,
    values: &'a MultiValue,
    /// What stands behind the last.
    behind: &'static str,
}

impl<'a> Args<'a> {
    pub(crate) const fn new(lua: &'a Lua, name: &'a str, values: &'a MultiValue) -> Self {
        Self { lua, name, values, behind: "no value" }
    }

    /// The same with a nil behind them.
    pub(crate) const fn ending_with_nil(&self) -> Self {
        Self { lua: self.lua, name: self.name, values: self.values, behind: "nil" }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Refuses argument `at` (the first is 0).
    pub(crate) fn refuse<T>(&self, at: usize, why: &str) -> Result<T> {
        bad_argument(self.lua, at + 1, self.name, why)
    }

    fn wrong_type<T>(&self, at: usize, wanted: &str) -> Result<T> {
        let got = match self.values.get(at) {
            None if at == self.len() => self.behind,
            value => type_name(value),
        };
        self.refuse(at, &format!("{wanted} expected, got {got}"))
    }

    pub(crate) fn number(&self, at: usize) -> Result<f64> {
        match self.values.get(at).and_then(to_number) {
            Some(number) => Ok(number),
            None => self.wrong_type(at, "number"),
        }
    }

    /// As C casts it.
    pub(crate) fn integer(&self, at: usize) -> Result<i64> {
        self.number(at).map(crate::number::integer)
    }

    /// A missing argument is `default`.
    pub(crate) fn integer_or(&self, at: usize, default: i64) -> Result<i64> {
        if self.is_nil(at) { Ok(default) } else { self.integer(at) }
    }

    pub(crate) fn is_nil(&self, at: usize) -> bool {
        matches!(self.values.get(at), None | Some(Value::Nil))
    }

    /// The bytes of a string, or of a number as Lua writes it.
    pub(crate) fn bytes(&self, at: usize) -> Result<Vec<u8>> {
        match crate::api::text(self.values.get(at)) {
            Some(bytes) => Ok(bytes),
            None => self.wrong_type(at, "string"),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Value> {
        self.values.get(at)
    }
}

/// A number, or a string that is one.
pub(crate) fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => {
            let text = text.as_bytes();
            let text = text.trim_ascii();
            strtod(text).filter(|(_, len)| *len == text.len()).map(|(number, _)| number)
        }
        _ => None,
    }
}

/// The name of a value's type as Lua 5.1 says it.
pub(crate) fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Nil) => "nil",
        Some(Value::Boolean(_)) => "boolean",
        Some(Value::LightUserData(_) | Value::UserData(_)) => "userdata",
        Some(Value::Integer(_) | Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Table(_)) => "table",
        Some(Value::Function(_)) => "function",
        Some(Value::Thread(_)) => "thread",
        Some(_) => "userdata",
    }
}
