//! `cjson`: JSON as scripts know it, with its settings and its error texts.
//!
//! Settings last for a script only: they are a shard's, and which shard runs a script is nothing that
//! a script may notice.

mod decode;
mod encode;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::args::Args;

/// What nesting a script may ask for at most: both directions recurse.
const DEPTH_MAX: i64 = 1_000;
const INT_MAX: i64 = i32::MAX as i64;

/// What becomes of NaN and the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

/// The settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    sparse_converts: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_depth: i64,
    decode_depth: i64,
    encode_invalid: Invalid,
    decode_invalid: bool,
    keep_buffer: bool,
    precision: i64,
}

/// Settings that a run of a script begins with again.
pub(crate) type Shared = Rc<Cell<Settings>>;

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_converts: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1_000,
            decode_depth: 1_000,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
            precision: 14,
        }
    }
}

type Body = fn(&Lua, &Args<'_>, &Cell<Settings>) -> Result<MultiValue>;

const FUNCTIONS: [(&str, Body); 10] = [
    ("encode", encode::encode),
    ("decode", decode::decode),
    ("encode_sparse_array", sparse_array),
    ("encode_max_depth", encode_depth),
    ("decode_max_depth", decode_depth),
    ("encode_number_precision", precision),
    ("encode_keep_buffer", keep_buffer),
    ("encode_invalid_numbers", encode_invalid),
    ("decode_invalid_numbers", decode_invalid),
    ("new", |lua, _, _| one(Value::Table(module(lua, &Shared::default())?))),
];

/// The library with its own settings.
pub(crate) fn module(lua: &Lua, settings: &Shared) -> Result<Table> {
    let table = lua.create_table()?;
    for (name, body) in FUNCTIONS {
        let settings = Rc::clone(settings);
        let function = lua.create_function(move |lua, values: MultiValue| {
            body(lua, &Args::new(lua, name, &values), &settings)
        })?;
        table.raw_set(name, function)?;
    }
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn one(value: Value) -> Result<MultiValue> {
    Ok(MultiValue::from_iter([value]))
}

/// Refuses more arguments than `most`.
fn at_most(args: &Args<'_>, most: usize) -> Result<()> {
    if args.len() > most { args.refuse(most, "found too many arguments") } else { Ok(()) }
}

/// An integer setting: read if given, and answered.
fn integer(args: &Args<'_>, at: usize, now: i64, least: i64, most: i64) -> Result<i64> {
    if args.is_nil(at) {
        return Ok(now);
    }
    let value = args.integer(at)?;
    if !(least..=most).contains(&value) {
        return args.refuse(at, &format!("expected integer between {least} and {most}"));
    }
    Ok(value)
}

/// A setting that is one of some words, or a boolean.
fn choice<T: Copy>(
    args: &Args<'_>,
    at: usize,
    now: T,
    words: &[(&str, T)],
    of_bool: [T; 2],
) -> Result<T> {
    match args.get(at) {
        None | Some(Value::Nil) => return Ok(now),
        Some(Value::Boolean(value)) => return Ok(of_bool[usize::from(*value)]),
        Some(_) => {}
    }
    let word = args.bytes(at)?;
    match words.iter().find(|(known, _)| known.as_bytes() == word) {
        Some((_, value)) => Ok(*value),
        None => args.refuse(at, &format!("invalid option '{}'", String::from_utf8_lossy(&word))),
    }
}

const SWITCH: [(&str, bool); 2] = [("off", false), ("on", true)];

fn sparse_array(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 3)?;
    let mut now = settings.get();
    now.sparse_converts = choice(args, 0, now.sparse_converts, &SWITCH, [false, true])?;
    now.sparse_ratio = integer(args, 1, now.sparse_ratio, 0, INT_MAX)?;
    now.sparse_safe = integer(args, 2, now.sparse_safe, 0, INT_MAX)?;
    settings.set(now);
    Ok(MultiValue::from_iter([
        Value::Boolean(now.sparse_converts),
        Value::Integer(now.sparse_ratio),
        Value::Integer(now.sparse_safe),
    ]))
}

fn encode_depth(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let mut now = settings.get();
    now.encode_depth = integer(args, 0, now.encode_depth, 1, INT_MAX)?;
    settings.set(now);
    one(Value::Integer(now.encode_depth))
}

fn decode_depth(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let mut now = settings.get();
    now.decode_depth = integer(args, 0, now.decode_depth, 1, INT_MAX)?;
    settings.set(now);
    one(Value::Integer(now.decode_depth))
}

fn precision(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let mut now = settings.get();
    now.precision = integer(args, 0, now.precision, 1, 14)?;
    settings.set(now);
    one(Value::Integer(now.precision))
}

fn keep_buffer(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let mut now = settings.get();
    now.keep_buffer = choice(args, 0, now.keep_buffer, &SWITCH, [false, true])?;
    settings.set(now);
    one(Value::Boolean(now.keep_buffer))
}

fn encode_invalid(lua: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let words = [("off", Invalid::Refused), ("on", Invalid::Written), ("null", Invalid::Null)];
    let mut now = settings.get();
    let of_bool = [Invalid::Refused, Invalid::Written];
    now.encode_invalid = choice(args, 0, now.encode_invalid, &words, of_bool)?;
    settings.set(now);
    one(match now.encode_invalid {
        Invalid::Refused => Value::Boolean(false),
        Invalid::Written => Value::Boolean(true),
        Invalid::Null => Value::String(lua.create_string("null")?),
    })
}

fn decode_invalid(_: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    at_most(args, 1)?;
    let mut now = settings.get();
    now.decode_invalid = choice(args, 0, now.decode_invalid, &SWITCH, [false, true])?;
    settings.set(now);
    one(Value::Boolean(now.decode_invalid))
}
