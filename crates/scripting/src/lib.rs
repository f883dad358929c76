//! Lua scripts and functions of one shard, behind the trait [`Host`]: whoever runs commands for them.
//!
//! No I/O and no clock: a script gets what it gets from its host. One interpreter a shard, made when
//! the first script comes, so a server without scripts pays nothing. Lua is stock 5.1 by way of
//! `mlua`; what stock Lua leaves open is closed from this side, see `sandbox.lua` and `stock`.
#![expect(unsafe_code, reason = "an interpreter moves with its shard: see `Send` below")]

mod api;
mod args;
mod bit;
mod cjson;
mod convert;
pub mod dump;
mod flags;
mod functions;
mod host;
mod libraries;
mod msgpack;
mod number;
mod packed;
mod pause;
mod register;
mod room;
mod scripts;
mod shebang;
mod stock;
mod tape;
mod thrown;

pub use flags::Flags;
use std::rc::Rc;

pub use functions::{FunctionFacts, LibraryFacts};
pub use host::{Called, Host, LogLevel, Stop, Tick};
pub use room::Outcome;
pub use tape::{Item, Reader, Sink, Tape};

use functions::{Functions, Library};
use room::Room;
use scripts::Scripts;

/// What names a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha(pub [u8; 20]);

impl Sha {
    /// From 40 hex digits, of either case.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let mut sha = [0; 20];
        if text.len() != 40 {
            return None;
        }
        for (byte, pair) in sha.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(sha))
    }

    /// In 40 hex digits of lower case.
    #[must_use]
    pub fn hex(&self) -> [u8; 40] {
        api::hex(&self.0)
    }
}

/// What FUNCTION RESTORE does with libraries that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Away with all of them first.
    Flush,
    /// None of them may be in the dump.
    Append,
    /// Those that are in the dump go.
    Replace,
}

/// A script or function that was found and may be run.
#[derive(Clone, Debug)]
pub struct Found {
    function: Rc<mlua::Function>,
    what: What,
    /// What it says of itself.
    pub flags: Flags,
}

#[derive(Clone, Debug)]
enum What {
    Script(Sha),
    Function(Vec<u8>),
}

impl Found {
    /// Whether it is a function of a library.
    #[must_use]
    pub const fn is_function(&self) -> bool {
        matches!(self.what, What::Function(_))
    }

    /// What errors call it: the SHA-1 of a script, the name of a function.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        match &self.what {
            What::Script(sha) => sha.hex().to_vec(),
            What::Function(name) => name.clone(),
        }
    }
}

/// Scripts and functions of a shard.
pub struct Scripting {
    version: &'static str,
    chance: u64,
    room: Option<Box<Room>>,
    scripts: Scripts,
    functions: Functions,
}

// SAFETY: what keeps an interpreter on one thread are the counted references into it, and all there
// are lie inside: those of `Room`, those of the loaded functions and libraries, and those that Lua itself
// holds on `Shared`. One is handed out, a `Found`: it cannot leave its thread, and lives as long as
// the command that looked it up, during which its shard stays where it is. So whoever moves this moves every reference at once, and counts
// are never touched by two threads. C Lua keeps nothing by thread. It is not Sync.
unsafe impl Send for Scripting {}

impl Scripting {
    /// None so far. `version` is what `redis.REDIS_VERSION` says; `math.random` begins with `chance`.
    #[must_use]
    pub fn new(version: &'static str, chance: u64) -> Self {
        Self {
            version,
            chance,
            room: None,
            scripts: Scripts::default(),
            functions: Functions::default(),
        }
    }

    fn room(&mut self) -> &Room {
        let (version, chance) = (self.version, self.chance);
        self.room.get_or_insert_with(|| Box::new(Room::new(version, chance)))
    }

    /// The script of that text, compiled if it is new.
    ///
    /// # Errors
    /// What is wrong with it, as an error line.
    #[inline]
    pub fn script(&mut self, text: &[u8]) -> Result<Found, Vec<u8>> {
        let row = match self.scripts.by_text(text) {
            Some(row) => row,
            None => self.add_script(text, false)?,
        };
        Ok(self.found(row))
    }

    /// Whether the script is kept already.
    #[must_use]
    pub fn knows(&mut self, text: &[u8]) -> bool {
        self.scripts.by_text(text).is_some()
    }

    /// The script of that SHA-1.
    #[must_use]
    pub fn script_by_sha(&mut self, sha: &Sha) -> Option<Found> {
        let row = self.scripts.by_sha(sha)?;
        Some(self.found(row))
    }

    fn found(&mut self, row: usize) -> Found {
        let script = self.scripts.at(row);
        Found {
            function: script.function.clone(),
            what: What::Script(script.sha),
            flags: script.flags,
        }
    }

    fn add_script(&mut self, text: &[u8], stays: bool) -> Result<usize, Vec<u8>> {
        let (flags, body) = shebang::script(text).map_err(error_line)?;
        let room = self.room();
        let globals = room.globals.clone();
        let function = stock::compile(&room.lua, body, "@user_script", globals)
            .map_err(|why| error_line(format!("Error compiling script (new function): {why}")))?;
        Ok(self.scripts.add(text, flags, function, stays))
    }

    /// Keeps a script until it is flushed (SCRIPT LOAD).
    ///
    /// # Errors
    /// What is wrong with it, as an error line.
    pub fn load_script(&mut self, text: &[u8]) -> Result<Sha, Vec<u8>> {
        let row = match self.scripts.by_text(text) {
            Some(row) => row,
            None => self.add_script(text, true)?,
        };
        self.scripts.keep(row);
        Ok(self.scripts.at(row).sha)
    }

    /// Whether that script is here.
    #[must_use]
    pub fn has_script(&self, sha: &Sha) -> bool {
        self.scripts.by_sha(sha).is_some()
    }

    /// The text of a script that is here.
    #[must_use]
    pub fn text(&self, sha: &Sha) -> Option<&[u8]> {
        Some(self.scripts.text(self.scripts.by_sha(sha)?))
    }

    /// How many scripts there are, and the bytes of their texts.
    #[must_use]
    pub fn script_figures(&self) -> (usize, usize) {
        (self.scripts.len(), self.scripts.text_bytes())
    }

    /// Bytes that the interpreter holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.lua.used_memory())
    }

    /// Forgets all scripts (SCRIPT FLUSH).
    pub fn flush_scripts(&mut self) {
        self.scripts = Scripts::default();
        // With nothing left that refers into it, the interpreter goes too.
        if self.functions.library_count() == 0 {
            self.room = None;
        }
    }

    /// The function of that name.
    #[must_use]
    pub fn function(&self, name: &[u8]) -> Option<Found> {
        let function = self.functions.get(name)?;
        Some(Found {
            function: function.callback.clone(),
            what: What::Function(function.name.clone()),
            flags: function.flags,
        })
    }

    /// Loads a library; gives its name.
    ///
    /// # Errors
    /// What is wrong with it, as an error line. Nothing is changed then.
    pub fn load_library(
        &mut self,
        code: &[u8],
        replace: bool,
        host: &mut dyn Host,
    ) -> Result<Vec<u8>, Vec<u8>> {
        let line = shebang::library(code).map_err(error_line)?;
        if !replace && self.functions.has_library(line.name) {
            let text = [b"Library '", line.name, b"' already exists"].concat();
            return Err(error_line(text));
        }
        let room = self.room();
        let globals = room.library_globals.clone();
        let function = stock::compile(&room.lua, line.body, "@user_function", globals)
            .map_err(|why| error_line(format!("Error compiling function: {why}")))?;
        room.run_library(&function, host)
            .map_err(|text| error_line([b"Error registering functions: ", &text[..]].concat()))?;
        let functions = room.shared.registered.take();
        if functions.is_empty() {
            return Err(error_line("No functions registered"));
        }
        if let Some(name) = self.functions.taken(line.name, &functions) {
            return Err(error_line([b"Function ", name, b" already exists"].concat()));
        }
        self.functions.put(line.name, Library { code: code.to_vec(), functions });
        Ok(line.name.to_vec())
    }

    /// Removes a library. False: there is none of that name.
    pub fn delete_library(&mut self, name: &[u8]) -> bool {
        self.functions.remove(name)
    }

    /// Removes all libraries.
    pub fn flush_libraries(&mut self) {
        self.functions = Functions::default();
        if self.scripts.len() == 0 {
            self.room = None;
        }
    }

    /// Loads the libraries of a dump, all or none.
    ///
    /// # Errors
    /// What is wrong with it, as an error line. Nothing is changed then.
    pub fn restore_libraries(
        &mut self,
        payload: &[u8],
        policy: Policy,
        host: &mut dyn Host,
    ) -> Result<(), Vec<u8>> {
        let codes = dump::read(payload).map_err(error_line)?;
        let before = self.functions.clone();
        if policy == Policy::Flush {
            self.functions = Functions::default();
        }
        for code in codes {
            let name = shebang::library(&code).map(|line| line.name.to_vec()).unwrap_or_default();
            if policy != Policy::Replace && self.functions.has_library(&name) {
                self.functions = before;
                return Err(error_line([b"Library ", &name[..], b" already exists"].concat()));
            }
            if let Err(error) = self.load_library(&code, policy == Policy::Replace, host) {
                self.functions = before;
                return Err(error);
            }
        }
        Ok(())
    }

    /// All libraries, by name.
    #[must_use]
    pub fn libraries(&self) -> Vec<LibraryFacts> {
        self.functions.facts()
    }

    /// How many libraries and functions there are.
    #[must_use]
    pub fn library_figures(&self) -> (usize, usize) {
        (self.functions.library_count(), self.functions.function_count())
    }

    /// Goes on with the run that paused.
    ///
    /// # Panics
    /// When none did.
    pub fn resume(&mut self, host: &mut dyn Host, out: &mut dyn Sink) -> Outcome {
        self.room.as_deref().expect("a run paused in it").resume(host, out)
    }

    /// Runs what was found. A run that pauses is resumed to its end before the next begins.
    ///
    /// # Panics
    /// When `found` is not of this shard.
    pub fn run(
        &mut self,
        found: &Found,
        keys: &[&[u8]],
        argv: &[&[u8]],
        host: &mut dyn Host,
        out: &mut dyn Sink,
    ) -> Outcome {
        let room = self.room.as_deref().expect("it was found in this interpreter");
        match &found.what {
            What::Script(sha) => {
                room.run_script(&found.function, &sha.hex(), keys, argv, host, out)
            }
            What::Function(name) => room.run_function(&found.function, name, keys, argv, host, out),
        }
    }
}

fn error_line(text: impl AsRef<[u8]>) -> Vec<u8> {
    [b"ERR ", text.as_ref()].concat()
}
