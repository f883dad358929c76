//! The `redis` table of scripts and functions.

use std::rc::Rc;

use mlua::{Error, Function, Lua, MultiValue, Result, Table, Value};
use sha1::{Digest, Sha1};
use smallvec::SmallVec;

use crate::convert::{counted_error_table, error_table, to_lua};
use crate::host::{Called, LogLevel};
use crate::number::argument;
use crate::room::Shared;
use crate::thrown::{caught, locate, raise_counted, raise_reply};
use crate::{Stop, Tape};

/// Arguments of a command that fit on the stack.
const ARGV_INLINE: usize = 8;
/// A longer reply's buffer is given back, bytes.
const TAPE_KEPT_MAX: usize = 256 * 1024;

const NO_COMMAND: &str = "ERR Please specify at least one argument for this redis lib call";
const BAD_ARGUMENT: &str = "ERR Lua redis lib command arguments must be strings or integers";

/// Propagation flags of `redis.set_repl`.
const REPL_AOF: i64 = 1;
const REPL_REPLICA: i64 = 2;

/// What is under which name in the `redis` table.
pub(crate) struct Api {
    /// For scripts.
    pub(crate) script: Table,
    /// For functions of libraries that run.
    pub(crate) function: Table,
    /// For libraries while they are loaded.
    pub(crate) loading: Table,
}

/// A function that scripts may call.
pub(crate) fn callback<F>(lua: &Lua, shared: &Rc<Shared>, body: F) -> Result<Function>
where
    F: Fn(&Lua, &Shared, MultiValue) -> Result<Value> + 'static,
{
    let shared = Rc::clone(shared);
    lua.create_function(move |lua, args: MultiValue| body(lua, &shared, args))
}

impl Api {
    pub(crate) fn new(lua: &Lua, shared: &Rc<Shared>, version: &str) -> Result<Self> {
        let api = Self {
            script: lua.create_table()?,
            function: lua.create_table()?,
            loading: lua.create_table()?,
        };
        let all = [&api.script, &api.function, &api.loading];
        let running = [&api.script, &api.function];
        let add = |tables: &[&Table], name: &str, body: Body| -> Result<()> {
            let function = callback(lua, shared, body)?;
            tables.iter().try_for_each(|table| table.raw_set(name, function.clone()))
        };
        add(&running, "call", |lua, shared, args| {
            let reply = command(lua, shared, &args, true)?;
            shared.called(lua)?;
            Ok(reply)
        })?;
        add(&running, "pcall", |lua, shared, args| {
            let reply = command(lua, shared, &args, false)?;
            shared.called(lua)?;
            Ok(reply)
        })?;
        add(&running, "error_reply", error_reply)?;
        add(&running, "status_reply", status_reply)?;
        add(&running, "sha1hex", sha1hex)?;
        add(&all, "log", log)?;
        add(&running, "setresp", set_resp)?;
        add(&running, "set_repl", set_repl)?;
        add(&running, "acl_check_cmd", acl_check_cmd)?;
        add(&[&api.script], "replicate_commands", |_, _, _| Ok(Value::Boolean(true)))?;
        add(&[&api.script], "breakpoint", |_, _, _| Ok(Value::Boolean(false)))?;
        add(&[&api.script], "debug", |_, _, _| Ok(Value::Nil))?;
        add(&[&api.loading], "register_function", crate::register::register)?;
        for table in all {
            constants(table, version)?;
        }
        for table in running {
            for (name, value) in [
                ("REPL_NONE", 0),
                ("REPL_AOF", REPL_AOF),
                ("REPL_SLAVE", REPL_REPLICA),
                ("REPL_REPLICA", REPL_REPLICA),
                ("REPL_ALL", REPL_AOF | REPL_REPLICA),
            ] {
                table.raw_set(name, value)?;
            }
        }
        Ok(api)
    }
}

type Body = fn(&Lua, &Shared, MultiValue) -> Result<Value>;

fn constants(table: &Table, version: &str) -> Result<()> {
    for (name, level) in LEVELS {
        table.raw_set(name, level as i64)?;
    }
    let number: i64 =
        version.split('.').fold(0, |all, part| (all << 8) | part.parse().unwrap_or(0));
    table.raw_set("REDIS_VERSION", version)?;
    table.raw_set("REDIS_VERSION_NUM", number)
}

const LEVELS: [(&str, LogLevel); 4] = [
    ("LOG_DEBUG", LogLevel::Debug),
    ("LOG_VERBOSE", LogLevel::Verbose),
    ("LOG_NOTICE", LogLevel::Notice),
    ("LOG_WARNING", LogLevel::Warning),
];

/// Functions that the sandbox itself needs.
pub(crate) fn natives(lua: &Lua, shared: &Rc<Shared>) -> Result<Table> {
    let native = lua.create_table()?;
    let seen = Rc::clone(shared);
    let look = move |lua: &Lua, value: Value| Ok((caught(lua, value)?, seen.stop.get().is_some()));
    native.raw_set("caught", lua.create_function(look)?)?;
    native.raw_set("locate", lua.create_function(locate)?)?;
    crate::stock::add(lua, shared, &native)?;
    Ok(native)
}

/// Fails in the way of `redis.call` or of `redis.pcall`.
fn fail(lua: &Lua, text: &[u8], raises: bool) -> Result<Value> {
    if raises { raise_reply(text) } else { Ok(Value::Table(error_table(lua, text)?)) }
}

enum Word {
    Text(mlua::BorrowedBytes),
    Digits(itoa::Buffer, i64),
    Number(String),
}

/// An argument as a command gets it. None: it cannot be one.
fn word(value: &Value) -> Option<Word> {
    const EXACT: i64 = 1 << 52;
    match value {
        Value::String(text) => Some(Word::Text(text.as_bytes())),
        Value::Integer(number) if number.unsigned_abs() < EXACT as u64 => {
            Some(Word::Digits(itoa::Buffer::new(), *number))
        }
        Value::Integer(number) => Some(Word::Number(argument(*number as f64))),
        Value::Number(number) => Some(Word::Number(argument(*number))),
        _ => None,
    }
}

/// Reads the arguments of a command and hands them on.
fn with_argv<R>(args: &MultiValue, run: impl FnOnce(&[&[u8]]) -> R) -> Option<R> {
    let mut words: SmallVec<[Word; ARGV_INLINE]> = SmallVec::new();
    for value in args.iter() {
        words.push(word(value)?);
    }
    let argv: SmallVec<[&[u8]; ARGV_INLINE]> = words
        .iter_mut()
        .map(|word| match word {
            Word::Text(bytes) => &**bytes,
            Word::Digits(buffer, number) => buffer.format(*number).as_bytes(),
            Word::Number(text) => text.as_bytes(),
        })
        .collect();
    Some(run(&argv))
}

/// `redis.call` and `redis.pcall`.
fn command(lua: &Lua, shared: &Shared, args: &MultiValue, raises: bool) -> Result<Value> {
    let _memory = shared.unbounded(lua);
    if args.is_empty() {
        return fail(lua, NO_COMMAND.as_bytes(), raises);
    }
    if let Some(stop) = shared.stop.get() {
        return Err(shared.stopped(lua, stop));
    }
    let mut tape = shared.tape.take();
    tape.clear();
    let resp3 = shared.resp3.get();
    let ran = with_argv(args, |argv| {
        loop {
            let called = shared.host.with(|host| host.call(argv, resp3, &mut tape))?;
            match called {
                Ok(Called::Answered) => return Some(Ok(())),
                Err(stop) => return Some(Err(stop)),
                Ok(Called::Waits) => tape.clear(),
            }
            if let Err(stop) = shared.wait(lua)? {
                return Some(Err(stop));
            }
        }
    });
    let reply = match ran {
        None => fail(lua, BAD_ARGUMENT.as_bytes(), raises),
        Some(None) => fail(lua, b"ERR redis.call() is not available here", raises),
        Some(Some(Err(stop))) => Err(shared.stopped(lua, stop)),
        Some(Some(Ok(()))) => answer(lua, &tape, resp3, raises),
    };
    tape.shrink(TAPE_KEPT_MAX);
    shared.tape.replace(tape);
    reply
}

fn answer(lua: &Lua, tape: &Tape, resp3: bool, raises: bool) -> Result<Value> {
    match tape.as_error() {
        Some(text) if raises => raise_counted(text),
        Some(text) => Ok(Value::Table(counted_error_table(lua, text)?)),
        None => to_lua(lua, &mut tape.read(), resp3),
    }
}

fn wrong_arguments(lua: &Lua) -> Result<Value> {
    Ok(Value::Table(error_table(lua, b"ERR wrong number or type of arguments")?))
}

fn only_string(args: &MultiValue) -> Option<Vec<u8>> {
    match args.iter().collect::<SmallVec<[&Value; 2]>>()[..] {
        [Value::String(text)] => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn error_reply(lua: &Lua, _: &Shared, args: MultiValue) -> Result<Value> {
    let Some(text) = only_string(&args) else { return wrong_arguments(lua) };
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    Ok(Value::Table(error_table(lua, text)?))
}

fn status_reply(lua: &Lua, _: &Shared, args: MultiValue) -> Result<Value> {
    let Some(text) = only_string(&args) else { return wrong_arguments(lua) };
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("ok", lua.create_string(text)?)?;
    Ok(Value::Table(table))
}

/// A string, or a number as Lua writes it.
pub(crate) fn text(value: Option<&Value>) -> Option<Vec<u8>> {
    match value? {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(crate::number::format_g(*number as f64, 14).into_bytes()),
        Value::Number(number) => Some(crate::number::format_g(*number, 14).into_bytes()),
        _ => None,
    }
}

fn sha1hex(lua: &Lua, _: &Shared, args: MultiValue) -> Result<Value> {
    if args.len() != 1 {
        return raise_reply("ERR wrong number of arguments");
    }
    let bytes = text(args.front()).unwrap_or_default();
    Ok(Value::String(lua.create_string(hex(&sha1(&bytes)))?))
}

/// The SHA-1 of `bytes`.
pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

/// A SHA-1 in 40 digits.
pub(crate) fn hex(sha: &[u8; 20]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(sha) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn integer_of(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Integer(number) => Some(*number),
        Value::Number(number) => Some(crate::number::integer(*number)),
        _ => None,
    }
}

fn log(_: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    if args.len() < 2 {
        return raise_reply("ERR redis.log() requires two arguments or more.");
    }
    let Some(level) = integer_of(args.front()) else {
        return raise_reply("ERR First argument must be a number (log level).");
    };
    let Some((_, level)) = LEVELS.iter().find(|(_, known)| *known as i64 == level) else {
        return raise_reply("ERR Invalid debug level.");
    };
    let parts: Vec<Vec<u8>> = args.iter().skip(1).filter_map(|value| text(Some(value))).collect();
    shared.host.with(|host| host.log(*level, &parts.join(&b' ')));
    Ok(Value::Nil)
}

fn set_resp(_: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    if args.len() != 1 {
        return raise_reply("ERR redis.setresp() requires one argument.");
    }
    match integer_of(args.front()) {
        Some(version @ (2 | 3)) => shared.resp3.set(version == 3),
        _ => return raise_reply("ERR RESP version must be 2 or 3."),
    }
    Ok(Value::Nil)
}

fn set_repl(_: &Lua, _: &Shared, args: MultiValue) -> Result<Value> {
    if args.len() != 1 {
        return raise_reply("ERR redis.set_repl() requires one argument.");
    }
    match integer_of(args.front()) {
        // What is logged and sent on are the effects, all or none of a transaction: there is nothing to
        // leave out.
        Some(flags) if flags & !(REPL_AOF | REPL_REPLICA) == 0 => Ok(Value::Nil),
        _ => raise_reply(
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ),
    }
}

fn acl_check_cmd(_: &Lua, shared: &Shared, args: MultiValue) -> Result<Value> {
    if args.is_empty() {
        return raise_reply(NO_COMMAND);
    }
    let permitted = with_argv(&args, |argv| shared.host.with(|host| host.permits(argv)));
    match permitted {
        None => {
            raise_reply("ERR redis.acl_check_cmd() command arguments must be strings or integers")
        }
        Some(Some(Some(permitted))) => Ok(Value::Boolean(permitted)),
        Some(_) => raise_reply("ERR Invalid command passed to redis.acl_check_cmd()"),
    }
}

impl Shared {
    /// Ends the script: from here on its every step fails.
    pub(crate) fn stopped(&self, lua: &Lua, stop: Stop) -> Error {
        self.stop.set(Some(stop));
        crate::room::watch(lua, 1);
        Error::external(crate::thrown::Thrown::Reply(format!("ERR {stop}").into_bytes()))
    }
}
