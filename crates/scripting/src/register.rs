//! `redis.register_function`, which a library calls while it is loaded.

use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use crate::Flags;
use crate::room::Shared;
use crate::shebang::{BAD_NAME, is_name};
use crate::thrown::raise_reply;

/// A function as its library registered it.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) name: Vec<u8>,
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) flags: Flags,
    pub(crate) callback: Rc<Function>,
}

/// The callback.
pub(crate) fn register(_: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    if !shared.loading.get() {
        return raise_reply(
            "ERR redis.register_function can only be called on FUNCTION LOAD command",
        );
    }
    let mut args = args.into_iter();
    let read = match (args.len(), args.next(), args.next()) {
        (1, Some(Value::Table(table)), None) => named(&table),
        (1, ..) => {
            Err("calling redis.register_function with a single argument is only applicable \
            to Lua table (representing named arguments)."
                .to_owned())
        }
        (2, Some(name), Some(callback)) => positional(&name, callback),
        _ => Err("wrong number of arguments to redis.register_function".to_owned()),
    };
    let function = match read {
        Ok(function) => function,
        Err(text) => return raise_reply(format!("ERR {text}")),
    };
    if !is_name(&function.name) {
        return raise_reply(format!("ERR {BAD_NAME}"));
    }
    let mut all = shared.registered.borrow_mut();
    if all.iter().any(|other| other.name.eq_ignore_ascii_case(&function.name)) {
        return raise_reply("ERR Function already exists in the library");
    }
    all.push(function);
    Ok(Value::Nil)
}

type Read<T> = std::result::Result<T, String>;

/// A string; a number is one, too.
fn string(value: &Value) -> Option<Vec<u8>> {
    crate::api::text(Some(value))
}

fn positional(name: &Value, callback: Value) -> Read<Registered> {
    let name = string(name)
        .ok_or("first argument to redis.register_function must be a string".to_owned())?;
    let Value::Function(callback) = callback else {
        return Err("second argument to redis.register_function must be a function".to_owned());
    };
    Ok(Registered { name, description: None, flags: Flags::NONE, callback: Rc::new(callback) })
}

fn named(table: &Table) -> Read<Registered> {
    let (mut name, mut description, mut callback) = (None, None, None);
    let mut flags = Flags::NONE;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        let key = string(&key).ok_or(
            "named argument key given to redis.register_function is not a string".to_owned(),
        )?;
        match key.as_slice() {
            b"function_name" => {
                name = Some(string(&value).ok_or_else(|| must("function_name", "string"))?);
            }
            b"description" => {
                description = Some(string(&value).ok_or_else(|| must("description", "string"))?);
            }
            b"callback" => match value {
                Value::Function(function) => callback = Some(function),
                _ => return Err(must("callback", "function")),
            },
            b"flags" => {
                match value {
                    Value::Table(list) => flags = read_flags(&list)?,
                    _ => {
                        return Err("flags argument to redis.register_function must be a table representing \
                        function flags"
                        .to_owned());
                    }
                }
            }
            _ => return Err("unknown argument given to redis.register_function".to_owned()),
        }
    }
    let name =
        name.ok_or("redis.register_function must get a function name argument".to_owned())?;
    let callback =
        callback.ok_or("redis.register_function must get a callback argument".to_owned())?;
    Ok(Registered { name, description, flags, callback: Rc::new(callback) })
}

fn must(name: &str, kind: &str) -> String {
    format!("{name} argument given to redis.register_function must be a {kind}")
}

fn read_flags(list: &Table) -> Read<Flags> {
    let mut flags = Flags::NONE;
    for at in 1.. {
        let value: Value = list.raw_get(at).map_err(|error| error.to_string())?;
        if value.is_nil() {
            break;
        }
        let flag = string(&value).and_then(|name| Flags::named(&name));
        flags = flags.with(flag.ok_or("unknown flag given".to_owned())?);
    }
    Ok(flags)
}
