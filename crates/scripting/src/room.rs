//! The interpreter of one shard, and one run in it.
//!
//! What a run leaves behind in the interpreter is garbage only: everything scripts share is read-only
//! (`sandbox.lua`). Memory is bounded while a script's own code runs; our side, which allocates for
//! it in known amounts, is not interrupted by the bound.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use mlua::{
    Error, Function, HookTriggers, IntoLua, Lua, LuaOptions, Result, StdLib, Table, Value, VmState,
};
use smallvec::SmallVec;
use stoa_stdx::Lender;

use crate::api::{Api, natives};
use crate::convert::is_counted;
use crate::host::HostLoan;
use crate::pause::{Ended, Paused, WayOut, Went};
use crate::register::Registered;
use crate::thrown::{Thrown, plain_text};
use crate::{Host, Sink, Stop, Tape, Tick, convert};

/// Bytes that all scripts of a shard may hold together. A script that wants more fails.
pub(crate) const MEMORY_MAX: usize = 512 << 20;
/// Instructions between two looks at the world.
const TICK_INSTRUCTIONS: u32 = 100_000;
/// Commands between two looks at the world: each may take as long as thousands of instructions.
const TICK_COMMANDS: u32 = 256;

/// What the interpreter's callbacks know.
pub(crate) struct Shared {
    /// Whom the script runs for.
    pub(crate) host: Lender<HostLoan>,
    /// Replies of commands.
    pub(crate) tape: RefCell<Tape>,
    /// The script wants replies in the shape of RESP3.
    pub(crate) resp3: Cell<bool>,
    /// The script must end, and why.
    pub(crate) stop: Cell<Option<Stop>>,
    /// The state of `math.random`.
    pub(crate) chance: Cell<u64>,
    /// The way out of a run that pauses.
    pub(crate) way_out: Rc<Lender<WayOut>>,
    /// Settings of cjson, which a run begins with afresh.
    pub(crate) cjson: crate::cjson::Shared,
    /// Commands since the last look at the world on account of those.
    pub(crate) commands: Cell<u32>,
    /// A library is being loaded.
    pub(crate) loading: Cell<bool>,
    /// Functions of the library that is being loaded.
    pub(crate) registered: RefCell<Vec<Registered>>,
}

/// Lifts the bound of memory until it is dropped.
pub(crate) struct Unbounded<'a>(&'a Lua);

impl Drop for Unbounded<'_> {
    fn drop(&mut self) {
        bound(self.0, MEMORY_MAX);
    }
}

/// 0 is without bound.
fn bound(lua: &Lua, bytes: usize) {
    lua.set_memory_limit(bytes).expect("the interpreter has our allocator");
}

impl Shared {
    pub(crate) fn unbounded<'a>(&self, lua: &'a Lua) -> Unbounded<'a> {
        bound(lua, 0);
        Unbounded(lua)
    }

    /// A script has run a command.
    #[inline]
    pub(crate) fn called(&self, lua: &Lua) -> Result<()> {
        let commands = self.commands.get() + 1;
        self.commands.set(commands % TICK_COMMANDS);
        if commands < TICK_COMMANDS {
            return Ok(());
        }
        self.tick().map_err(|stop| self.stopped(lua, stop))
    }

    /// Lets others run until what a command waits for is there. None: nothing runs that could pause.
    pub(crate) fn wait(&self, lua: &Lua) -> Option<std::result::Result<(), Stop>> {
        self.way_out.with(|yielder| yielder.suspend(()))?;
        // A command is under way: see `unbounded`.
        bound(lua, 0);
        Some(self.stop.get().map_or(Ok(()), Err))
    }

    fn tick(&self) -> std::result::Result<(), Stop> {
        if let Some(stop) = self.stop.get() {
            return Err(stop);
        }
        match self.host.with(|host| host.tick()) {
            None | Some(Ok(Tick::Go)) => Ok(()),
            Some(Err(stop)) => Err(stop),
            Some(Ok(Tick::Pause)) => {
                self.way_out.with(|yielder| yielder.suspend(()));
                self.stop.get().map_or(Ok(()), Err)
            }
        }
    }
}

/// Has the interpreter look at the world every so many instructions. Coroutines made after this
/// inherit it; those made before are behind by at most their own interval.
pub(crate) fn watch(lua: &Lua, instructions: u32) {
    let triggers = HookTriggers::new().every_nth_instruction(instructions);
    let hook = |lua: &Lua, _: &mlua::debug::Debug<'_>| {
        let shared = lua.app_data_ref::<Rc<Shared>>().expect("put there with the interpreter");
        match shared.tick() {
            Ok(()) => Ok(VmState::Continue),
            // At every instruction from here on, so that no pcall can hold it.
            Err(stop) => Err(shared.stopped(lua, stop)),
        }
    };
    // It fails when the state has no stack left, and then the script is at its end anyhow.
    let _ = lua.set_global_hook(triggers, hook);
}

/// One interpreter.
pub(crate) struct Room {
    pub(crate) lua: Lua,
    pub(crate) shared: Rc<Shared>,
    pub(crate) globals: Table,
    pub(crate) library_globals: Table,
    script: Rc<Function>,
    call: Rc<Function>,
    load: Function,
    /// Where the next run takes place.
    stack: RefCell<Option<DefaultStack>>,
    /// The run that paused, and what errors call it.
    paused: RefCell<Option<(Paused, Vec<u8>)>>,
}

impl Drop for Room {
    /// A run that paused is ended first: its frames must not be left to a destructor.
    fn drop(&mut self) {
        while let Some((paused, name)) = self.paused.take() {
            self.shared.stop.set(Some(Stop::Killed));
            if let Went::Paused(paused) = paused.go_on() {
                self.paused.replace(Some((paused, name)));
            }
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, if only an error.
    Answered,
    /// It was stopped. What is answered says so.
    Stopped(Stop),
    /// It paused, and has not answered.
    Paused,
}

/// An argument on its way into Lua.
struct Bytes<'a>(&'a [u8]);

impl IntoLua for Bytes<'_> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_string(self.0).map(Value::String)
    }
}

impl Room {
    /// Makes the interpreter.
    ///
    /// # Panics
    /// When our own Lua does not compile, or there is no memory to begin with.
    pub(crate) fn new(version: &str, chance: u64) -> Self {
        Self::make(version, chance).expect("the sandbox is part of the program")
    }

    fn make(version: &str, chance: u64) -> Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let shared = Rc::new(Shared {
            host: Lender::default(),
            tape: RefCell::default(),
            resp3: Cell::new(false),
            stop: Cell::new(None),
            chance: Cell::new(chance),
            way_out: Rc::default(),
            cjson: crate::cjson::Shared::default(),
            commands: Cell::new(0),
            loading: Cell::new(false),
            registered: RefCell::default(),
        });
        lua.set_app_data(Rc::clone(&shared));
        let api = Api::new(&lua, &shared, version)?;
        let native = natives(&lua, &shared)?;
        native.raw_set("script_api", api.script)?;
        native.raw_set("function_api", api.function)?;
        native.raw_set("loading_api", api.loading)?;
        let libraries = lua.create_table()?;
        crate::libraries::add(&lua, &shared, &libraries)?;
        let sandbox = lua.load(include_str!("sandbox.lua")).set_name("=sandbox");
        let made: Table = sandbox.call((native, libraries))?;
        watch(&lua, TICK_INSTRUCTIONS);
        Ok(Self {
            globals: made.raw_get("globals")?,
            library_globals: made.raw_get("library_globals")?,
            script: Rc::new(made.raw_get("script")?),
            call: Rc::new(made.raw_get("call")?),
            load: made.raw_get("load")?,
            stack: RefCell::default(),
            paused: RefCell::default(),
            lua,
            shared,
        })
    }

    /// Runs a script; `name` is what errors call it.
    pub(crate) fn run_script(
        &self,
        function: &Rc<Function>,
        name: &[u8],
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
        out: &mut dyn Sink,
    ) -> Outcome {
        self.run(&self.script, function, name, keys, argv, host, out)
    }

    /// Runs a function of a library.
    pub(crate) fn run_function(
        &self,
        function: &Rc<Function>,
        name: &[u8],
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
        out: &mut dyn Sink,
    ) -> Outcome {
        self.run(&self.call, function, name, keys, argv, host, out)
    }

    /// Runs the text of a library; its functions are in `registered` then.
    pub(crate) fn run_library(
        &self,
        function: &Function,
        host: &mut dyn Host,
    ) -> std::result::Result<(), Vec<u8>> {
        self.shared.registered.borrow_mut().clear();
        self.begin();
        bound(&self.lua, MEMORY_MAX);
        self.shared.loading.set(true);
        let ended = self.shared.host.lend(host, || self.load.call((function,)));
        self.shared.loading.set(false);
        bound(&self.lua, 0);
        match ended {
            Ok((true, _)) => Ok(()),
            Ok((false, error)) => Err(self.error_text(&error)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a run is these")]
    fn run(
        &self,
        runner: &Rc<Function>,
        function: &Rc<Function>,
        name: &[u8],
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
        out: &mut dyn Sink,
    ) -> Outcome {
        self.shared.resp3.set(false);
        self.shared.cjson.take();
        let lists = self.list(keys).and_then(|keys| Ok((keys, self.list(argv)?)));
        let (keys, argv) = match lists {
            Ok(lists) => lists,
            Err(error) => return self.finish(Err(error), name, out),
        };
        self.begin();
        let (runner, function) = (Rc::clone(runner), Rc::clone(function));
        let stack = self.stack.take().unwrap_or_else(crate::pause::stack);
        let way_out = Rc::clone(&self.shared.way_out);
        let run = Paused::new(stack, way_out, move || runner.call((&*function, keys, argv)));
        self.go_on(run, name, host, out)
    }

    /// Goes on with the run that paused.
    pub(crate) fn resume(&self, host: &mut dyn Host, out: &mut dyn Sink) -> Outcome {
        let (run, name) = self.paused.take().expect("a run paused");
        self.go_on(run, &name, host, out)
    }

    fn go_on(&self, run: Paused, name: &[u8], host: &mut dyn Host, out: &mut dyn Sink) -> Outcome {
        bound(&self.lua, MEMORY_MAX);
        let went = self.shared.host.lend(host, || run.go_on());
        bound(&self.lua, 0);
        match went {
            Went::Paused(run) => {
                self.paused.replace(Some((run, name.to_vec())));
                Outcome::Paused
            }
            Went::Ended(ended, stack) => {
                self.stack.replace(Some(stack));
                self.finish(ended, name, out)
            }
        }
    }

    fn finish(&self, ended: Ended, name: &[u8], out: &mut dyn Sink) -> Outcome {
        let answered = ended.and_then(|(ok, value)| {
            if ok { self.answer(&value, out).map(|()| None) } else { Ok(Some(value)) }
        });
        match answered {
            Ok(None) => {}
            Ok(Some(error)) => {
                let text = self.located_text(&error, name);
                let counted = self.shared.stop.get().is_none()
                    && error.as_table().is_some_and(|table| matches!(is_counted(table), Ok(true)));
                if counted { out.counted_error(&text) } else { out.error(&text) }
            }
            Err(error) => out.error(&self.failed(&error)),
        }
        self.shared.stop.get().map_or(Outcome::Answered, Outcome::Stopped)
    }

    fn list(&self, words: &[&[u8]]) -> Result<Table> {
        // Text goes straight to the interpreter's stack; other bytes take a detour of a reference each.
        let text: Option<SmallVec<[&str; 8]>> =
            words.iter().map(|word| std::str::from_utf8(word).ok()).collect();
        match text {
            Some(text) => self.lua.create_sequence_from(text),
            None => self.lua.create_sequence_from(words.iter().map(|word| Bytes(word))),
        }
    }

    /// Makes ready for a run.
    fn begin(&self) {
        if self.shared.stop.take().is_some() {
            watch(&self.lua, TICK_INSTRUCTIONS);
        }
    }

    /// Writes what a script returned.
    fn answer(&self, value: &Value, out: &mut dyn Sink) -> Result<()> {
        let mut tape = self.shared.tape.take();
        tape.clear();
        let written = convert::reply(value, self.shared.resp3.get(), &mut tape);
        if written.is_ok() {
            tape.play(out);
        }
        self.shared.tape.replace(tape);
        written
    }

    /// The text of an error table.
    fn error_text(&self, error: &Value) -> Vec<u8> {
        if let Some(stop) = self.shared.stop.get() {
            return format!("ERR {stop}").into_bytes();
        }
        let table = match error {
            Value::Table(table) => table,
            // No handler is called when memory is out.
            Value::String(text) => {
                let _ = self.lua.gc_collect();
                return [b"ERR ", &text.as_bytes()[..]].concat();
            }
            _ => return b"ERR unknown error".to_vec(),
        };
        match table.raw_get("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        }
    }

    /// The same with the place where it happened.
    fn located_text(&self, error: &Value, name: &[u8]) -> Vec<u8> {
        let mut text = self.error_text(error);
        let Value::Table(table) = error else { return text };
        let source: Result<Value> = table.raw_get("source");
        let line: Result<Value> = table.raw_get("line");
        if let (Ok(Value::String(source)), Ok(Value::Integer(line))) = (source, line) {
            let place = [&b" script: "[..], name, b", on ", &source.as_bytes()].concat();
            text.extend_from_slice(&place);
            text.extend_from_slice(format!(":{line}.").as_bytes());
        }
        text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
    }

    /// The text of an error that no handler saw.
    fn failed(&self, error: &Error) -> Vec<u8> {
        if let Some(stop) = self.shared.stop.get() {
            return format!("ERR {stop}").into_bytes();
        }
        if let Some(Thrown::Reply(text) | Thrown::Counted(text)) = error.downcast_ref() {
            return text.clone();
        }
        // What it filled the memory with is garbage now.
        let _ = self.lua.gc_collect();
        format!("ERR {}", plain_text(error)).into_bytes()
    }
}
