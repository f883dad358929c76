//! What clients of the checkers do: requests whose replies tell what happened, in every form that a
//! server has for them.
//!
//! There is no network here: a [`Deed`] gives requests and takes replies, so the same programs run in
//! the simulator and against any server over TCP. Two kinds of keys never meet. *Open* keys hold lists
//! and registers of numbers written once, for [`serial`](crate::checker::serial); *hidden* keys belong
//! to small groups on which anything is done, for [`search`](crate::checker::search). Keys change with
//! time, so that values stay short and groups small.

mod deed;
mod hidden;
mod record;

pub use deed::{Deed, Progress};
pub use record::{Record, Verdicts};

use std::collections::BTreeSet;

use stoa_stdx::Rng;

use crate::checker::{Key, Lists};
use deed::{Form, Open, Step};

/// Which commands a server has.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// MULTI, EXEC, WATCH.
    pub exec: bool,
    /// EVAL.
    pub eval: bool,
    /// RPUSH, LPUSH, LPOP, RPOP, LRANGE, LLEN.
    pub lists: bool,
    /// LMOVE.
    pub lmove: bool,
    /// LMPOP.
    pub lmpop: bool,
    /// BLPOP.
    pub blpop: bool,
    /// Hashes whose fields have deadlines.
    pub fields: bool,
}

impl Features {
    /// Asks for each command whether it is there.
    pub fn of(mut has: impl FnMut(&str) -> bool) -> Self {
        let mut all = |names: &[&str]| names.iter().all(|name| has(name));
        Self {
            exec: all(&["multi", "exec", "watch", "unwatch"]),
            eval: all(&["eval"]),
            lists: all(&["rpush", "lpush", "lpop", "rpop", "lrange", "llen"]),
            lmove: all(&["lmove"]),
            lmpop: all(&["lmpop"]),
            blpop: all(&["blpop"]),
            fields: all(&["hset", "hdel", "hincrby", "hlen", "hgetall", "hpexpire"]),
        }
    }

    /// What the table of this build has.
    #[must_use]
    pub fn here() -> Self {
        let table = stoa_commands::table();
        Self::of(|name| table.find(name.as_bytes()).is_some())
    }
}

/// The keys of a history, and how often they change.
#[derive(Clone, Debug)]
pub struct Space {
    /// Before all names, so that histories do not meet.
    pub prefix: String,
    /// Lists at a time.
    pub lists: u32,
    /// Registers at a time.
    pub registers: u32,
    /// Deeds until all open keys are new ones.
    pub deeds_per_window: u64,
    /// Keys of a hidden group.
    pub hidden: u32,
    /// Deeds until the hidden group is a new one.
    pub deeds_per_group: u64,
}

impl Space {
    const fn per_window(&self) -> u32 {
        self.lists + self.registers
    }

    /// Names of all open keys that `deeds` deeds use.
    #[must_use]
    pub fn names(&self, deeds: u64) -> Vec<String> {
        let windows = deeds / self.deeds_per_window + 1;
        (0..windows as u32 * self.per_window()).map(|key| self.name(Key(key))).collect()
    }

    fn name(&self, key: Key) -> String {
        let (window, at) = (key.0 / self.per_window(), key.0 % self.per_window());
        match at.checked_sub(self.lists) {
            None => format!("{}{window}:list{at}", self.prefix),
            Some(at) => format!("{}{window}:reg{at}", self.prefix),
        }
    }

    /// Whether a key is a list.
    #[must_use]
    pub const fn is_list(&self, key: Key) -> bool {
        key.0 % self.per_window() < self.lists
    }
}

/// Makes deeds.
#[derive(Clone, Debug)]
pub struct Mix {
    /// What the server can.
    pub features: Features,
    /// The keys.
    pub space: Space,
    /// A deed is on a hidden group, once in so many; 0 is never.
    pub hidden_one_in: u64,
    /// A command on a hidden group sets a deadline, once in so many; 0 is never. Only where the
    /// checker is told the time.
    pub deadline_one_in: u64,
    /// FLUSHDB and KEYS on hidden groups.
    pub whole: Whole,
    /// What is wrong on purpose.
    pub torn: Torn,
}

/// Commands on whole databases. With any, a hidden group has a database of its own, and a history at
/// most [`GROUPS_MAX`] groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// None.
    Never,
    /// By themselves.
    Alone,
    /// In MULTI blocks, too.
    InExec,
}

/// A client that lies, so that the checkers have something to find on a server without faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// None does.
    Nothing,
    /// What is called MGET is many GETs.
    Reads,
    /// What is called MSET is many SETs.
    Writes,
}

impl Mix {
    /// The deed with this number. `token` is a number that no deed had before; those up to
    /// [`TOKENS_MAX`] behind it are taken, too.
    #[must_use]
    pub fn deed(&self, number: u64, token: u64, rng: &mut Rng) -> Deed {
        if self.hidden_one_in > 0 && rng.one_in(self.hidden_one_in) {
            let group = (number / self.space.deeds_per_group) as u32;
            return hidden::deed(self, group, token, rng);
        }
        let window = (number / self.space.deeds_per_window) as u32;
        let mut maker = Maker { mix: self, window, token, left: TOKENS_MAX, rng };
        Deed::Open(maker.open())
    }

    /// A deed that reads an open key at the end, so that what was lost is missed.
    #[must_use]
    pub fn last_look(&self, key: Key) -> Deed {
        let step = if self.space.is_list(key) { Step::ReadList(key) } else { Step::Read(key) };
        Deed::Open(Open::new(Form::Single, vec![step], Vec::new(), self))
    }

    /// How a list is kept.
    pub(crate) const fn lists(&self, key: Key) -> Lists {
        if self.features.lists && key.0 % 2 == 1 { Lists::List } else { Lists::Text }
    }
}

/// Databases for hidden groups: all but the first.
pub const GROUPS_MAX: u32 = 15;

/// Numbers that one deed writes at most.
pub const TOKENS_MAX: u64 = 8;

/// What one deed is made of.
struct Maker<'a> {
    mix: &'a Mix,
    window: u32,
    token: u64,
    /// Numbers that it may still write.
    left: u64,
    rng: &'a mut Rng,
}

impl Maker<'_> {
    fn open(&mut self) -> Open {
        let form = self.form();
        let count = match form {
            Form::Single => 1,
            Form::Mset | Form::Mget => 2 + self.rng.below(4),
            Form::Exec | Form::Watch | Form::Eval { .. } => 1 + self.rng.below(5),
        };
        let mut steps: Vec<Step> = (0..count).map(|_| self.step(form)).collect();
        if form == Form::Mset {
            // Of one key twice, only the last would be written.
            let mut keys = BTreeSet::new();
            steps.retain(|step| keys.insert(step.key()));
        }
        let mut watched: Vec<Step> = Vec::new();
        if form == Form::Watch {
            watched = (0..1 + self.rng.below(3)).map(|_| self.read()).collect();
            watched.dedup();
        }
        Open::new(form, steps, watched, self.mix)
    }

    fn form(&mut self) -> Form {
        let features = self.mix.features;
        match self.rng.below(20) {
            0..3 => Form::Mset,
            3..7 => Form::Mget,
            7..9 if features.exec => Form::Exec,
            9..12 if features.exec => Form::Watch,
            12..14 if features.eval => Form::Eval { declared: true },
            14..16 if features.eval => Form::Eval { declared: false },
            _ => Form::Single,
        }
    }

    fn step(&mut self, form: Form) -> Step {
        match form {
            Form::Mset => Step::Write(self.register(), self.next_token()),
            Form::Mget => match self.read() {
                Step::ReadList(key) if self.mix.lists(key) == Lists::List => {
                    Step::Read(self.register())
                }
                step => step,
            },
            Form::Single | Form::Exec | Form::Watch | Form::Eval { .. } => {
                match self.rng.below(9) {
                    0..3 => Step::Append(self.list(), self.next_token()),
                    3..5 => Step::Write(self.register(), self.next_token()),
                    5 => Step::Swap(self.register(), self.next_token()),
                    _ => self.read(),
                }
            }
        }
    }

    fn read(&mut self) -> Step {
        if self.rng.one_in(2) { Step::ReadList(self.list()) } else { Step::Read(self.register()) }
    }

    fn list(&mut self) -> Key {
        let space = &self.mix.space;
        let at = self.rng.below(u64::from(space.lists)) as u32;
        Key(self.window * space.per_window() + at)
    }

    fn register(&mut self) -> Key {
        let space = &self.mix.space;
        let at = self.rng.below(u64::from(space.registers)) as u32;
        Key(self.window * space.per_window() + space.lists + at)
    }

    fn next_token(&mut self) -> u64 {
        assert!(self.left > 0, "TOKENS_MAX holds for every form");
        self.left -= 1;
        self.token += 1;
        self.token - 1
    }
}
