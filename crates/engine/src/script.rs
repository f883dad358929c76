//! Scripts and functions on this engine: a script's commands run on the context of the command that
//! runs the script.
//!
//! A script may touch what it declared, and what happens to be at hand ([`Reach`]). A key that is not
//! ends it then and there ([`Escape`]); whoever routes may run it again where all keys are. On one
//! shard everything is at hand and nothing is asked.

use stoa_command::{Args, Flags as Does, KeyPositions, RequestPolicy};
use stoa_config::LogLevel;
use stoa_observability::info::REDIS_VERSION;
use stoa_scripting::{
    Called, Flags, Found, Host, Outcome, Policy, Scripting, Sink, Stop, Tape, Tick,
};
use stoa_stdx::{DbIndex, MonoNs};

use crate::tally::{Answered, Came, Tally};
use crate::{Ctx, Entry, Order, PausedScript, Proto, Reply, run_unrouted};

/// How long loading a library may take, as in the reference.
const LOAD_NS_MAX: u64 = 500_000_000;

/// The same where the clock stands still, in looks at the world.
const LOAD_LOOKS_MAX: u64 = 2_000;

/// Values up to this size are copied before a script changes them, bytes. A script that changes a
/// larger one runs where all keys are, and cannot come to want another.
const UNDO_BYTES_MAX: usize = 64 * 1024;

const UNKNOWN: &[u8] = b"ERR Unknown Redis command called from script";
const WRONG_ARITY: &[u8] = b"ERR Wrong number of args calling Redis command from script";
const NOT_FROM_SCRIPT: &[u8] = b"ERR This Redis command is not allowed from script";
const OUT_OF_MEMORY: &[u8] = crate::OUT_OF_MEMORY.as_bytes();
const READ_ONLY: &[u8] = b"ERR Write commands are not allowed from read-only scripts.";

/// Scripts and functions of a shard, and how they stand to its keys.
pub struct Scripts {
    /// The interpreter and what it has loaded.
    pub scripting: Scripting,
    /// What scripts may touch. Set by whoever routes, before a command runs.
    pub reach: Reach,
    /// Why the last script ended early. Taken by whoever routes, after a command ran; the reply, an
    /// error, is what a client gets that is not run again.
    pub escape: Option<Escape>,
    /// The script that pauses, because it takes long. Its command has not answered: whoever ran it sees
    /// to that, and runs no other meanwhile.
    pub paused: Option<PausedScript>,
    /// A script is running, and what runs runs for it.
    pub is_running: bool,
    /// How many it has, while the interpreter is with the script that runs.
    figures: Figures,
    /// What its commands came to.
    pub(crate) tally: Tally,
    /// Measures how long scripts and their commands take.
    clock: fn() -> MonoNs,
}

/// Which keys are at hand for a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All there are: one shard alone, or all others lent theirs.
    All,
    /// Those of this shard, and those that the script declared.
    Owned,
    /// Those that the script declared: others of this shard may be lent, or wait for something.
    Declared,
}

/// Why a script ended early, for whoever routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// It wants what is not at hand.
    Undeclared {
        /// It had changed keys before.
        wrote: bool,
    },
    /// It is new: all shards must have it before somebody is told that it ran.
    Unshared,
}

/// What a script is run with.
#[derive(Clone, Copy, Debug)]
pub struct ScriptCall<'a> {
    /// The keys it declared.
    pub keys: &'a [&'a [u8]],
    /// Its other arguments.
    pub argv: &'a [&'a [u8]],
    /// By EVAL_RO and the like.
    pub read_only: bool,
}

impl Scripts {
    /// None so far.
    #[must_use]
    pub fn new(shards: u16, chance: u64, clock: fn() -> MonoNs) -> Self {
        let reach = if shards == 1 { Reach::All } else { Reach::Declared };
        Self {
            scripting: Scripting::new(REDIS_VERSION, chance),
            reach,
            escape: None,
            paused: None,
            is_running: false,
            figures: Figures::default(),
            tally: Tally::default(),
            clock,
        }
    }
}

/// How many scripts and functions there are, for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Scripts, and the bytes of their texts.
    pub scripts: (usize, usize),
    /// Libraries, and their functions.
    pub libraries: (usize, usize),
    /// Bytes that the interpreter holds.
    pub memory: usize,
}

impl Figures {
    fn of(scripting: &Scripting) -> Self {
        Self {
            scripts: scripting.script_figures(),
            libraries: scripting.library_figures(),
            memory: scripting.memory(),
        }
    }
}

impl Scripts {
    /// How many there are, also while one of them runs.
    #[must_use]
    pub fn figures(&self) -> Figures {
        if self.is_running { self.figures } else { Figures::of(&self.scripting) }
    }

    /// How long something runs.
    #[must_use]
    pub fn ran_ns(&self, since: MonoNs) -> u64 {
        (self.clock)().0.saturating_sub(since.0)
    }

    /// Keeps a script that another shard runs for the first time.
    pub fn share(&mut self, text: &[u8]) {
        // What does not compile is kept nowhere.
        let _ = self.scripting.script(text);
    }
}

impl Ctx<'_> {
    /// Whether `key`, which no key spec told of, is at hand. If not the command ends, whatever it
    /// answers, and runs again where all keys are.
    pub fn reach(&mut self, key: &[u8]) -> bool {
        if self.node.shards == 1 {
            return true;
        }
        if self.borrowed.is_some() {
            self.adopt(key);
            return true;
        }
        self.node.scripts.escape = Some(Escape::Undeclared { wrote: false });
        false
    }

    /// The script of `text`, if it may run now. None: some shard does not have it, so that the same
    /// script would be unknown there by its name; it runs where all shards take part.
    ///
    /// # Errors
    /// An error line when it does not compile.
    pub fn script(&mut self, text: &[u8]) -> Result<Option<Found>, Vec<u8>> {
        let new = self.node.shards > 1 && !self.node.scripts.scripting.knows(text);
        if new && self.borrowed.is_none() {
            self.node.scripts.escape = Some(Escape::Unshared);
            return Ok(None);
        }
        let found = self.node.scripts.scripting.script(text)?;
        if new {
            self.node.orders.push(Order::ShareScript(text.into()));
        }
        Ok(Some(found))
    }

    /// Runs a script or function that was found here, and answers, unless it pauses.
    pub fn run_script(&mut self, found: &Found, call: ScriptCall<'_>, reply: &mut dyn Reply) {
        let session = self.session();
        let (db, proto, no_touch) = (session.db, session.proto, session.no_touch);
        let read_only = call.read_only || found.flags.has(Flags::NO_WRITES);
        let mut scripting = self.take_scripting();
        let mut host = ScriptHost::new(self, call.keys, read_only);
        host.is_function = found.is_function();
        host.lacks_memory = host.ctx.node.is_out_of_memory() && !found.flags.has(Flags::ALLOW_OOM);
        let mut out = ToReply::new(reply);
        let outcome = scripting.run(found, call.keys, call.argv, &mut host, &mut out);
        let answered = out.answered;
        let paused = (outcome == Outcome::Paused).then(|| host.pause(found.name()));
        let (wrote, shows) = (host.wrote, host.shows);
        self.put_scripting(scripting);
        let session = self.session();
        (session.db, session.proto, session.no_touch) = (db, proto, no_touch);
        self.script_went(outcome, wrote, shows, paused, &answered);
    }

    /// Goes on with the script that pauses. False: it pauses again, and has not answered.
    ///
    /// # Panics
    /// When none pauses.
    pub fn resume_script(&mut self, reply: &mut dyn Reply) -> bool {
        let was = self.node.scripts.paused.take().expect("a script pauses");
        let session = self.session();
        let (db, proto, no_touch) = (session.db, session.proto, session.no_touch);
        session.db = was.db;
        let mut scripting = self.take_scripting();
        let keys: Vec<&[u8]> = was.keys.iter().map(Vec::as_slice).collect();
        let mut host = ScriptHost::new(self, &keys, was.read_only);
        (host.wrote, host.started, host.looks) = (was.wrote, Some(was.started), was.looks);
        (host.home_db, host.is_function) = (was.home_db, was.is_function);
        (host.lacks_memory, host.shows) = (was.lacks_memory, was.shows);
        let mut out = ToReply::new(reply);
        let outcome = scripting.resume(&mut host, &mut out);
        let answered = out.answered;
        let paused = (outcome == Outcome::Paused).then(|| host.pause(was.name.clone()));
        let (wrote, shows) = (host.wrote, host.shows);
        self.put_scripting(scripting);
        let session = self.session();
        (session.db, session.proto, session.no_touch) = (db, proto, no_touch);
        let paused = paused.map(|now| PausedScript { command: was.command.clone(), ..now });
        self.script_went(outcome, wrote, shows, paused, &answered);
        outcome != Outcome::Paused
    }

    fn script_went(
        &mut self,
        outcome: Outcome,
        wrote: bool,
        shows: bool,
        paused: Option<PausedScript>,
        answered: &Answered,
    ) {
        let runs_again = outcome == Outcome::Stopped(Stop::Undeclared);
        if paused.is_none() {
            self.node.count_script(answered, runs_again);
        }
        if runs_again {
            self.node.scripts.escape = Some(Escape::Undeclared { wrote });
        }
        if shows && paused.is_none() {
            self.node.facts.scripts.end(self.node.shard);
        }
        self.node.scripts.paused = paused;
    }

    /// Loads a library; gives its name or an error line.
    ///
    /// # Errors
    /// What is wrong with it. Nothing is changed then.
    pub fn load_library(&mut self, code: &[u8], replace: bool) -> Result<Vec<u8>, Vec<u8>> {
        let mut scripting = self.take_scripting();
        let mut host = ScriptHost::new(self, &[], true);
        host.loads = true;
        let loaded = scripting.load_library(code, replace, &mut host);
        self.put_scripting(scripting);
        loaded
    }

    /// Loads the libraries of a dump, all or none.
    ///
    /// # Errors
    /// What is wrong with it, as an error line. Nothing is changed then.
    pub fn restore_libraries(&mut self, payload: &[u8], policy: Policy) -> Result<(), Vec<u8>> {
        let mut scripting = self.take_scripting();
        let mut host = ScriptHost::new(self, &[], true);
        host.loads = true;
        let restored = scripting.restore_libraries(payload, policy, &mut host);
        self.put_scripting(scripting);
        restored
    }

    /// The interpreter, out of the node while it borrows the rest of it. What a script could do to it
    /// meanwhile is refused before it gets there.
    fn take_scripting(&mut self) -> Scripting {
        let scripts = &mut self.node.scripts;
        scripts.figures = Figures::of(&scripts.scripting);
        scripts.is_running = true;
        std::mem::replace(&mut self.node.scripts.scripting, Scripting::new(REDIS_VERSION, 0))
    }

    fn put_scripting(&mut self, scripting: Scripting) {
        self.node.scripts.scripting = scripting;
        self.node.scripts.is_running = false;
    }
}

/// The command that may not run, if it is one, and why.
type Refused = (Option<u16>, &'static [u8]);

/// Runs a script's commands.
struct ScriptHost<'h, 'c> {
    ctx: &'h mut Ctx<'c>,
    keys: &'h [&'h [u8]],
    read_only: bool,
    loads: bool,
    wrote: bool,
    /// There is no memory left for what it may want to write first.
    lacks_memory: bool,
    is_function: bool,
    /// It is on the board.
    shows: bool,
    /// When it was first looked at: by its first command, or after so many instructions.
    started: Option<MonoNs>,
    /// Looks at the clock: it goes on even where the clock stands still.
    looks: u64,
    /// Databases whose keys were asked for.
    home_db: DbIndex,
}

impl<'h, 'c> ScriptHost<'h, 'c> {
    fn new(ctx: &'h mut Ctx<'c>, keys: &'h [&'h [u8]], read_only: bool) -> Self {
        let home_db = ctx.session().db;
        Self {
            ctx,
            keys,
            read_only,
            loads: false,
            wrote: false,
            lacks_memory: false,
            is_function: false,
            shows: false,
            started: None,
            looks: 0,
            home_db,
        }
    }

    /// What it goes on with.
    fn pause(&mut self, name: Vec<u8>) -> PausedScript {
        PausedScript {
            keys: self.keys.iter().map(|key| key.to_vec()).collect(),
            read_only: self.read_only,
            wrote: self.wrote,
            lacks_memory: self.lacks_memory,
            shows: self.shows,
            started: self.started.unwrap_or_else(|| (self.ctx.node.scripts.clock)()),
            looks: self.looks,
            home_db: self.home_db,
            db: self.ctx.session().db,
            name,
            is_function: self.is_function,
            command: Vec::new(),
        }
    }

    /// The command and where its arguments begin, or why not.
    fn admit(&self, argv: &[&[u8]]) -> Result<(u16, usize), Refused> {
        let table = self.ctx.node.table;
        let mut index = table.find(argv[0]).ok_or((None, UNKNOWN))?;
        let mut args_at = 1;
        if table.is_container(index) && argv.len() > 1 {
            index = table.find_child(index, argv[1]).ok_or((None, UNKNOWN))?;
            args_at = 2;
        }
        let spec = &table.at(index).spec;
        if !spec.arity.admits(argv.len()) {
            return Err((Some(index), WRONG_ARITY));
        }
        if spec.flags.has(Does::NOSCRIPT) && !self.ctx.node.scripts_may_all {
            return Err((Some(index), NOT_FROM_SCRIPT));
        }
        if self.read_only && spec.flags.has(Does::WRITE) {
            return Err((Some(index), READ_ONLY));
        }
        Ok((index, args_at))
    }

    /// Whether every key is at hand, so that the script cannot come to want another.
    fn has_all(&self) -> bool {
        self.ctx.node.scripts.reach == Reach::All || self.ctx.borrowed.is_some()
    }

    /// Whether all that a command touches is at hand.
    fn reaches(&mut self, entry: &Entry, argv: &[&[u8]], args_at: usize) -> bool {
        match entry.spec.request {
            RequestPolicy::AllShards | RequestPolicy::Walk => return false,
            RequestPolicy::Keys
            | RequestPolicy::Split
            | RequestPolicy::Exec
            | RequestPolicy::Watch => {}
        }
        let mut positions = KeyPositions::default();
        if entry.spec.key_positions(&Args::new(argv, args_at), &mut positions).is_err() {
            // Its parser will say what is wrong.
            return true;
        }
        let owned = self.ctx.node.scripts.reach == Reach::Owned;
        let same_db = self.ctx.session().db == self.home_db;
        positions.as_slice().iter().all(|(at, _)| {
            let key = argv[*at];
            let owns = owned && self.ctx.owns(&self.ctx.key(key));
            owns || same_db && self.keys.contains(&key)
        })
    }

    /// Whether a command may change a value too large to be copied first, lest the script must be undone.
    fn is_large(&mut self, entry: &Entry, argv: &[&[u8]], args_at: usize) -> bool {
        let mut positions = KeyPositions::default();
        if entry.spec.key_positions(&Args::new(argv, args_at), &mut positions).is_err() {
            return false;
        }
        let db = self.ctx.session().db;
        positions.as_slice().iter().any(|(at, _)| {
            let key = self.ctx.key(argv[*at]);
            self.ctx.keyspace.undo_would_cost(db, &key) > UNDO_BYTES_MAX
        })
    }

    fn execute(&mut self, entry: &Entry, argv: &[&[u8]], args_at: usize, reply: &mut Tape) {
        let mut ctx = self.ctx.again();
        let resp3 = ctx.proto() == Proto::Resp3;
        run_unrouted(entry, argv, args_at, &mut ctx, &mut OnTape { tape: reply, resp3 });
    }
}

impl Host for ScriptHost<'_, '_> {
    fn call(&mut self, argv: &[&[u8]], resp3: bool, reply: &mut Tape) -> Result<Called, Stop> {
        let (index, args_at) = match self.admit(argv) {
            Ok(found) => found,
            Err((index, text)) => {
                let sure = self.has_all();
                self.ctx.node.note(sure, index, Came::Refused, Some(text));
                reply.error(text);
                return Ok(Called::Answered);
            }
        };
        let entry = self.ctx.node.table.at(index);
        let has_all = self.has_all();
        if !has_all && !self.reaches(entry, argv, args_at) {
            return Err(Stop::Undeclared);
        }
        let writes = entry.spec.flags.has(Does::WRITE);
        // What has begun to write is not stopped half way.
        if self.lacks_memory && !self.wrote && entry.spec.flags.has(Does::DENYOOM) {
            reply.error(OUT_OF_MEMORY);
            return Ok(Called::Answered);
        }
        if writes && !has_all && self.is_large(entry, argv, args_at) {
            return Err(Stop::Undeclared);
        }
        if writes && self.shows && !self.ctx.node.facts.scripts.may_write(self.ctx.node.shard) {
            return Err(Stop::Killed);
        }
        self.wrote |= writes;
        self.ctx.session().proto = if resp3 { Proto::Resp3 } else { Proto::Resp2 };
        let clock = self.ctx.node.scripts.clock;
        let began = clock();
        self.started.get_or_insert(began);
        self.execute(entry, argv, args_at, reply);
        if self.ctx.node.scripts.escape.is_some() {
            return Err(Stop::Undeclared);
        }
        if self.ctx.node.asking.is_some() {
            return Ok(Called::Waits);
        }
        let took_ns = clock().0.saturating_sub(began.0);
        let error = reply.as_error();
        let failures = u32::from(error.is_some());
        self.ctx.node.note(has_all, Some(index), Came::Ran { took_ns, failures }, error);
        Ok(Called::Answered)
    }

    fn permits(&mut self, argv: &[&[u8]]) -> Option<bool> {
        let table = self.ctx.node.table;
        let mut index = table.find(argv[0])?;
        if table.is_container(index) && argv.len() > 1 {
            index = table.find_child(index, argv[1])?;
        }
        table.at(index).spec.arity.admits(argv.len()).then_some(true)
    }

    fn log(&mut self, level: stoa_scripting::LogLevel, text: &[u8]) {
        let level = match level {
            stoa_scripting::LogLevel::Debug => LogLevel::Debug,
            stoa_scripting::LogLevel::Verbose => LogLevel::Verbose,
            stoa_scripting::LogLevel::Notice => LogLevel::Notice,
            stoa_scripting::LogLevel::Warning => LogLevel::Warning,
        };
        if level >= self.ctx.node.config.log_level {
            let text = String::from_utf8_lossy(text).into_owned();
            self.ctx.node.orders.push(Order::Log(level, text));
        }
    }

    fn clock_us(&mut self) -> u64 {
        self.looks += 1;
        (self.ctx.node.scripts.clock)().0 / 1_000 + self.looks
    }

    fn tick(&mut self) -> Result<Tick, Stop> {
        let now = (self.ctx.node.scripts.clock)();
        let ran_ns = now.0.saturating_sub(self.started.get_or_insert(now).0);
        if self.loads {
            // A clock that stands still must not let it run for ever.
            self.looks += 1;
            let too_long = ran_ns > LOAD_NS_MAX || self.looks > LOAD_LOOKS_MAX;
            return if too_long { Err(Stop::LoadTimeout) } else { Ok(Tick::Go) };
        }
        let (board, shard) = (&self.ctx.node.facts.scripts, self.ctx.node.shard);
        if !self.shows {
            self.shows = true;
            board.begin(shard, self.is_function, self.wrote);
        } else if board.is_killed(shard) {
            return Err(Stop::Killed);
        }
        let threshold_ms = self.ctx.node.config.busy_reply_ms;
        let is_busy = threshold_ms > 0 && ran_ns / 1_000_000 >= threshold_ms;
        if !is_busy {
            return Ok(Tick::Go);
        }
        self.ctx.node.facts.scripts.is_late(self.ctx.node.shard);
        Ok(Tick::Pause)
    }
}

/// A command's reply, written down for a script.
struct OnTape<'a> {
    tape: &'a mut Tape,
    resp3: bool,
}

impl Reply for OnTape<'_> {
    fn simple(&mut self, text: &str) {
        self.tape.status(text.as_bytes());
    }

    fn error_text(&mut self, text: &[u8]) {
        self.tape.error(text);
    }

    fn int(&mut self, value: i64) {
        self.tape.int(value);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.tape.bulk(bytes);
    }

    fn null(&mut self) {
        self.tape.null();
    }

    fn null_array(&mut self) {
        self.tape.null_array();
    }

    fn array(&mut self, len: usize) {
        self.tape.array(len);
    }

    fn map(&mut self, len: usize) {
        self.tape.map(len);
    }

    fn set(&mut self, len: usize) {
        self.tape.set(len);
    }

    fn push(&mut self, len: usize) {
        self.tape.array(len);
    }

    fn double(&mut self, value: f64) {
        self.tape.double(value);
    }

    fn double_digits(&mut self, digits: &str) {
        match digits.parse() {
            Ok(value) if self.resp3 => self.tape.double(value),
            Ok(_) | Err(_) => self.tape.bulk(digits.as_bytes()),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.tape.boolean(value);
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        self.tape.verbatim(format.as_bytes(), text);
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.tape.big_number(digits);
    }

    fn set_proto(&mut self, _: Proto) {}

    fn mark(&self) -> usize {
        self.tape.len()
    }

    fn rewind(&mut self, mark: usize) {
        self.tape.truncate(mark);
    }

    fn error_at(&self, mark: usize) -> Option<&[u8]> {
        self.tape.error_at(mark)
    }
}

/// A script's reply on its way to the client.
struct ToReply<'a> {
    reply: &'a mut dyn Reply,
    answered: Answered,
}

impl<'a> ToReply<'a> {
    fn new(reply: &'a mut dyn Reply) -> Self {
        Self { reply, answered: Answered::default() }
    }
}

impl Sink for ToReply<'_> {
    fn status(&mut self, text: &[u8]) {
        match std::str::from_utf8(text) {
            Ok(text) => self.reply.simple(text),
            Err(_) => self.reply.simple(&String::from_utf8_lossy(text)),
        }
    }

    fn error(&mut self, text: &[u8]) {
        self.answered.own.push(text.to_vec());
        self.reply.error_text(text);
    }

    fn counted_error(&mut self, text: &[u8]) {
        self.answered.counted += 1;
        self.reply.error_text(text);
    }

    fn int(&mut self, value: i64) {
        self.reply.int(value);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.reply.bulk(bytes);
    }

    fn null(&mut self) {
        self.reply.null();
    }

    fn null_array(&mut self) {
        self.reply.null_array();
    }

    fn array(&mut self, len: usize) {
        self.reply.array(len);
    }

    fn map(&mut self, len: usize) {
        self.reply.map(len);
    }

    fn set(&mut self, len: usize) {
        self.reply.set(len);
    }

    fn double(&mut self, value: f64) {
        self.reply.double(value);
    }

    fn boolean(&mut self, value: bool) {
        self.reply.boolean(value);
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.reply.big_number(digits);
    }

    fn verbatim(&mut self, format: &[u8], text: &[u8]) {
        self.reply.verbatim(&String::from_utf8_lossy(format), text);
    }
}
