//! Stock functions that are ours: bounded, deterministic, or of text only.

use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use crate::api::{callback, text};
use crate::args::{Args, type_name};
use crate::room::{MEMORY_MAX, Shared};
use crate::thrown::{bad_argument, plain_text, raise};

/// `=` signs of a long bracket that a text may have: the parser counts them in an `int`, and nobody
/// who writes by hand needs more.
const BRACKET_LEVEL_MAX: usize = 1_000;

/// Adds them to what the sandbox gets.
pub(crate) fn add(lua: &Lua, shared: &Rc<Shared>, native: &Table) -> Result<()> {
    native.raw_set("rep", callback(lua, shared, |lua, _, args| rep(lua, &args))?)?;
    native.raw_set("random", callback(lua, shared, random)?)?;
    native.raw_set("randomseed", callback(lua, shared, random_seed)?)?;
    native.raw_set("clock", callback(lua, shared, clock)?)?;
    native.raw_set("collectgarbage", callback(lua, shared, |lua, _, args| collect(lua, &args))?)?;
    let compiler = |lua: &Lua, (text, name, globals): (mlua::LuaString, Value, Table)| {
        let name = crate::api::text(Some(&name)).unwrap_or_default();
        let name = String::from_utf8_lossy(&name).replace('\0', " ");
        match compile(lua, &text.as_bytes(), &name, globals) {
            Ok(function) => Ok((Value::Function(function), Value::Nil)),
            Err(why) => Ok((Value::Nil, Value::String(lua.create_string(why)?))),
        }
    };
    native.raw_set("compile", lua.create_function(compiler)?)
}

/// Compiles a text. The error is one line.
///
/// The parser of Lua 5.1 holds objects that the collector does not know of, so nothing is collected
/// while it runs, and it gets text only: it would believe whatever bytecode says.
pub(crate) fn compile(
    lua: &Lua,
    text: &[u8],
    name: &str,
    globals: Table,
) -> std::result::Result<Function, String> {
    if let Some(level) = long_bracket(text) {
        return Err(format!("{name}: long bracket of level {level} is too long"));
    }
    lua.gc_stop();
    let chunk = lua.load(text).set_name(name).set_mode(ChunkMode::Text).set_environment(globals);
    let function = chunk.into_function();
    lua.gc_restart();
    function.map_err(|error| plain_text(&error))
}

/// The level of the first long bracket that is too long.
fn long_bracket(text: &[u8]) -> Option<usize> {
    let mut run = 0;
    for byte in text {
        if *byte == b'=' {
            run += 1;
        } else {
            run = 0;
        }
        if run > BRACKET_LEVEL_MAX {
            return Some(run);
        }
    }
    None
}

/// `string.rep`: the result's length is known before it is made.
fn rep(lua: &Lua, args: &MultiValue) -> Result<Value> {
    let Some(piece) = text(args.front()) else {
        let got = type_name(args.front());
        return bad_argument(lua, 1, "rep", &format!("string expected, got {got}"));
    };
    let count = Args::new(lua, "rep", args).number(1)?;
    let count = if count >= 1.0 { count as usize } else { 0 };
    let Some(len) = piece.len().checked_mul(count).filter(|len| *len <= MEMORY_MAX) else {
        return raise(lua, "resulting string too large");
    };
    if len == 0 {
        return Ok(Value::String(lua.create_string("")?));
    }
    Ok(Value::String(lua.create_string(piece.repeat(count))?))
}

/// `math.random`: the generator of the reference, seeded by the shard.
fn random(lua: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    const LRAND48_MAX: i64 = i32::MAX as i64;
    let chance = shared.chance.get().wrapping_mul(0x5_deec_e66d).wrapping_add(11) & ((1 << 48) - 1);
    shared.chance.set(chance);
    let drawn = (chance >> 17) as i64;
    let part = (drawn % LRAND48_MAX) as f64 / LRAND48_MAX as f64;
    let drawn_from = Args::new(lua, "random", &args);
    let value = match args.len() {
        0 => return Ok(Value::Number(part)),
        1 => {
            let most = drawn_from.number(0)?.trunc();
            if most < 1.0 {
                return bad_argument(lua, 1, "random", "interval is empty");
            }
            (part * most).floor() + 1.0
        }
        2 => {
            let least = drawn_from.number(0)?.trunc();
            let most = drawn_from.number(1)?.trunc();
            if least > most {
                return bad_argument(lua, 2, "random", "interval is empty");
            }
            (part * (most - least + 1.0)).floor() + least
        }
        _ => return raise(lua, "wrong number of arguments"),
    };
    Ok(Value::Number(value))
}

fn random_seed(lua: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    let seed = Args::new(lua, "randomseed", &args).number(0)?;
    shared.seed(seed as i64 as i32);
    Ok(Value::Nil)
}

impl Shared {
    /// `math.randomseed`.
    pub(crate) fn seed(&self, seed: i32) {
        self.chance.set((u64::from(seed.cast_unsigned()) << 16) | 0x330e);
    }
}

fn clock(_: &Lua, shared: &Shared, _: MultiValue) -> Result<Value> {
    let us = shared.host.with(|host| host.clock_us()).unwrap_or(0);
    Ok(Value::Number(us as f64 / 1e6))
}

/// `collectgarbage`: collects and counts; a script cannot tune what outlives it.
fn collect(lua: &Lua, args: &MultiValue) -> Result<Value> {
    let what = match args.front() {
        None | Some(Value::Nil) => b"collect".to_vec(),
        other => text(other).unwrap_or_default(),
    };
    match what.as_slice() {
        b"collect" => lua.gc_collect().map(|()| Value::Integer(0)),
        b"count" => Ok(Value::Number(lua.used_memory() as f64 / 1024.0)),
        b"step" => lua.gc_step().map(Value::Boolean),
        b"stop" | b"restart" | b"setpause" | b"setstepmul" => Ok(Value::Integer(0)),
        other => {
            let word = String::from_utf8_lossy(other);
            bad_argument(lua, 1, "collectgarbage", &format!("invalid option '{word}'"))
        }
    }
}
