//! Errors that our own functions raise into a script, and what becomes of the ones that leave it.
//!
//! A callback can only return an error of the interpreter's binding, which scripts would see as an
//! opaque value. So it carries what the script ought to see, and whatever catches errors in a script
//! (see `sandbox.lua`) looks inside.

use std::fmt;

use mlua::debug::Debug;
use mlua::{Error, Lua, Result, Table, Value};

use crate::convert::{counted_error_table, error_table};
use crate::number::format_g;

/// Chunk names of scripts and of libraries begin so.
pub(crate) const USER: &str = "@user_";
/// How deep the frame that is at fault is looked for.
const LEVELS_MAX: usize = 200;
/// Errors that the sandbox's own lines raise begin so.
const SANDBOX: &[u8] = b"sandbox:";

/// What a callback raises.
#[derive(Debug)]
pub(crate) enum Thrown {
    /// A string, as Lua's own functions raise: where it happened is in front.
    Text(Vec<u8>),
    /// An error table: the text has a code.
    Reply(Vec<u8>),
    /// The same for what a command answered to `redis.call`.
    Counted(Vec<u8>),
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Text(text) | Self::Reply(text) | Self::Counted(text)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Thrown {}

/// Raises a string, with the place of the caller in front.
pub(crate) fn raise<T>(lua: &Lua, text: impl AsRef<[u8]>) -> Result<T> {
    let place = lua.inspect_stack(1, place_of).flatten().unwrap_or_default();
    let text = [place.as_bytes(), text.as_ref()].concat();
    Err(Error::external(Thrown::Text(text)))
}

/// Raises a string as it is.
pub(crate) fn raise_bare<T>(text: &str) -> Result<T> {
    Err(Error::external(Thrown::Text(text.as_bytes().to_vec())))
}

/// Raises an error table.
pub(crate) fn raise_reply<T>(text: impl Into<Vec<u8>>) -> Result<T> {
    Err(Error::external(Thrown::Reply(text.into())))
}

/// Raises what a command answered.
pub(crate) fn raise_counted<T>(text: &[u8]) -> Result<T> {
    Err(Error::external(Thrown::Counted(text.to_vec())))
}

/// Refuses an argument as Lua's library does.
pub(crate) fn bad_argument<T>(lua: &Lua, number: usize, name: &str, why: &str) -> Result<T> {
    raise(lua, format!("bad argument #{number} to '{name}' ({why})"))
}

/// `user_script:3: `, if that frame is at a line.
fn place_of(debug: &Debug<'_>) -> Option<String> {
    let line = debug.current_line()?;
    let source = debug.source();
    Some(format!("{}:{line}: ", source.short_src.as_deref()?))
}

/// The value a script sees for what it caught.
pub(crate) fn caught(lua: &Lua, value: Value) -> Result<Value> {
    let Value::Error(error) = &value else { return Ok(value) };
    Ok(match error.downcast_ref::<Thrown>() {
        Some(Thrown::Reply(text)) => Value::Table(error_table(lua, text)?),
        Some(Thrown::Counted(text)) => Value::Table(counted_error_table(lua, text)?),
        Some(Thrown::Text(text)) => Value::String(lua.create_string(text)?),
        None => Value::String(lua.create_string(plain_text(error))?),
    })
}

/// Makes whatever was raised an error table that knows where it came from. Runs as the handler of the
/// outermost call, while the stack still stands.
pub(crate) fn locate(lua: &Lua, value: Value) -> Result<Table> {
    let place = (1..LEVELS_MAX).find_map(|level| {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref().filter(|name| name.starts_with(USER))?;
            Some((name.to_owned(), debug.current_line()?))
        });
        found.flatten()
    });
    let table = match caught(lua, value)? {
        Value::Table(table) => table,
        other => {
            let mut text = text_of(&other);
            if text.starts_with(SANDBOX) {
                let line_end = text.windows(2).position(|two| two == b": ").map_or(0, |at| at + 2);
                let here = place
                    .as_ref()
                    .map_or(String::new(), |(name, line)| format!("{}:{line}: ", &name[1..]));
                text.splice(..line_end, here.bytes());
            }
            let table = lua.create_table_with_capacity(0, 3)?;
            table.raw_set("err", lua.create_string([b"ERR ", text.as_slice()].concat())?)?;
            table
        }
    };
    if let Some((source, line)) = place {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

/// `tostring` without metamethods.
fn text_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Number(number) => format_g(*number, 14).into_bytes(),
        Value::Boolean(value) => value.to_string().into_bytes(),
        Value::Nil => b"nil".to_vec(),
        other => format!("(error object is a {} value)", other.type_name()).into_bytes(),
    }
}

/// The first line of an error of the interpreter's binding.
pub(crate) fn plain_text(error: &Error) -> String {
    let text = match error {
        Error::MemoryError(_) => "not enough memory".to_owned(),
        Error::RuntimeError(text) | Error::SyntaxError { message: text, .. } => text.clone(),
        Error::CallbackError { cause, .. } => plain_text(cause),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}
