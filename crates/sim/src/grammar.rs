//! Random calls from the specs of the command table: what may be said, often said right.
//!
//! The grammar gives the shape; names of arguments give their meaning where the shape is not enough
//! (a database index is not an offset). Keys and values come from small pools, so that commands meet
//! each other's keys, and numbers come from small ones and from the edges. Nothing in between: a
//! valid bit offset of half a gigabyte would test the allocator.

use stoa_command::syntax::{self, Arg, Kind};
use stoa_command::{Flags, Spec};
use stoa_engine::Table;
use stoa_stdx::Rng;

use crate::payloads;
use crate::program::LAST_CURSOR;
use crate::world::START;

/// Keys that spread over all shards; pairs in braces stay together.
const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"f",
    b"k:1",
    b"k:2",
    b"k:3",
    b"{t}a",
    b"{t}b",
    b"{u}a",
    b"{u}b",
    b"{}a",
    b"{}b",
    b"",
    b"with space",
    b"\x00\xff\r\n",
];

const VALUES: &[&[u8]] = &[
    b"",
    b"0",
    b"1",
    b"7",
    b"-1",
    b"10",
    b"abc",
    b"hello world",
    b"3.25",
    b"1e3",
    b"-0.5",
    b"nan",
    b"inf",
    b" 1",
    b"01",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"\x00\xff\x0f\xf0",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"xabcabcabcabcabcabcabcabcabcabcx",
];

const EDGES: &[i64] = &[
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
    1 << 62,
    (1 << 32) - 1,
    1 << 32,
    1 << 31,
    -(1 << 31),
    1 << 53,
];

const PATTERNS: &[&[u8]] = &[
    b"*",
    b"*",
    b"?",
    b"k:*",
    b"{t}*",
    b"[a-c]",
    b"[^a]*",
    b"\\*",
    b"*:[12]",
    b"a",
    b"nothing",
    b"",
    b"[",
    b"***********a",
];

/// Calls of some commands.
pub struct Grammar {
    forms: Vec<Form>,
    /// Forms that take keys, which most calls are.
    keyed: Vec<usize>,
}

struct Form {
    words: Vec<&'static str>,
    args: Vec<Arg>,
}

/// The keys of one program: the fewer, the more often its commands meet.
pub struct Pool(Vec<&'static [u8]>);

impl Grammar {
    /// The grammar of all commands of `table` that `admits` lets in.
    #[must_use]
    pub fn of(table: &'static Table, admits: impl Fn(&Spec) -> bool) -> Self {
        let mut grammar = Self { forms: Vec::new(), keyed: Vec::new() };
        for entry in table.entries() {
            let spec = &entry.spec;
            if spec.flags.has(Flags::CONTAINER) || !admits(spec) {
                continue;
            }
            if !spec.keys.is_empty() || spec.name == "scan" || spec.name == "keys" {
                grammar.keyed.push(grammar.forms.len());
            }
            let words = spec.name.split('|').collect();
            grammar.forms.push(Form { words, args: syntax::parse(spec.syntax) });
        }
        grammar
    }

    /// The names of the commands in it.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.forms.iter().map(|form| form.words.join("|"))
    }

    /// Keys for one program.
    #[must_use]
    pub fn pool(&self, rng: &mut Rng) -> Pool {
        let len = 2 + rng.below(6);
        Pool((0..len).map(|_| *rng.pick(KEYS)).collect())
    }

    /// A random call: mostly right, sometimes half-right.
    #[must_use]
    pub fn call(&self, pool: &Pool, rng: &mut Rng) -> Vec<Vec<u8>> {
        let form =
            if rng.one_in(8) { rng.pick(&self.forms) } else { &self.forms[*rng.pick(&self.keyed)] };
        // A group of consumers is made by one command and named by others, of one stream: were its key
        // any, they would never meet.
        let name = form.words[0];
        let has_groups = name.starts_with('x') || (name == "restore" && rng.one_in(2));
        let mut writer = Writer { pool, rng, has_groups, out: Vec::new() };
        for word in &form.words {
            writer.word(word);
        }
        writer.sequence(&form.args);
        if writer.rng.one_in(12) {
            writer.spoil();
        }
        writer.out
    }
}

/// A call being written.
struct Writer<'a> {
    pool: &'a Pool,
    rng: &'a mut Rng,
    has_groups: bool,
    out: Vec<Vec<u8>>,
}

impl Writer<'_> {
    fn sequence(&mut self, args: &[Arg]) {
        let mut at = 0;
        while at < args.len() {
            let options = args[at..].iter().take_while(|arg| is_option(arg)).count();
            if options > 0 {
                self.options(&args[at..at + options]);
                at += options;
            } else if args[at].name == "numkeys" && args.get(at + 1).is_some_and(|a| a.multiple) {
                let count = 1 + self.rng.below(3);
                let said = if self.rng.one_in(16) { self.rng.below(6) } else { count };
                self.out.push(said.to_string().into_bytes());
                (0..count).for_each(|_| self.once(&args[at + 1]));
                at += 2;
            } else {
                self.arg(&args[at]);
                at += 1;
            }
        }
    }

    /// Options in any order, some left out, rarely one twice.
    fn options(&mut self, args: &[Arg]) {
        let mut order: Vec<&Arg> = args.iter().collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
        for arg in order {
            self.arg(arg);
            if self.rng.one_in(40) {
                self.once(arg);
            }
        }
    }

    fn arg(&mut self, arg: &Arg) {
        if arg.optional && !self.rng.one_in(2) {
            return;
        }
        let times = if arg.multiple { 1 + self.rng.below(4) } else { 1 };
        (0..times).for_each(|_| self.once(arg));
    }

    fn once(&mut self, arg: &Arg) {
        if let Some(token) = &arg.token {
            self.word(token);
        }
        match arg.kind {
            Kind::PureToken => {}
            Kind::OneOf => {
                let child = &arg.children[self.rng.below(arg.children.len() as u64) as usize];
                self.once(child);
            }
            Kind::Block => self.sequence(&arg.children),
            Kind::Key if self.has_groups && !self.rng.one_in(8) => self.out.push(b"s".to_vec()),
            Kind::Key => {
                let key = *self.rng.pick(&self.pool.0);
                self.out.push(key.to_vec());
            }
            Kind::Pattern => self.pick(PATTERNS),
            Kind::String => self.string(&arg.name),
            Kind::Integer | Kind::UnixTime => self.number(&arg.name),
            Kind::Double => {
                self.pick(&[
                    b"0.1", b"-0.1", b"1", b"3.0e3", b"5e-20", b"1e308", b"inf", b"nan", b"x",
                    b"-7",
                ]);
            }
        }
    }

    /// A word that stands for itself, in some case.
    fn word(&mut self, word: &str) {
        let word = match self.rng.below(3) {
            0 => word.to_ascii_uppercase(),
            1 => word.to_ascii_lowercase(),
            _ => word.to_owned(),
        };
        self.out.push(word.into_bytes());
    }

    fn pick(&mut self, from: &[&[u8]]) {
        let chosen = self.rng.pick(from).to_vec();
        self.out.push(chosen);
    }

    fn string(&mut self, name: &str) {
        match name {
            "type" => self.pick(&[b"string", b"STRING", b"list", b"nonsense"]),
            "encoding" => self.pick(&[
                b"u1", b"u8", b"i8", b"i16", b"u63", b"i64", b"I8", b"u64", b"i65", b"x8", b"i0",
            ]),
            "section" => self.pick(&[b"keyspace", b"all", b"nothing"]),
            "parameter" => self.pick(&[b"maxmemory", b"databases", b"*bulk*", b"nothing"]),
            "command" | "command-name" => self.pick(&[b"get", b"mset", b"bitop", b"nothing"]),
            "offset" if self.rng.one_in(3) => self.pick(&[b"#0", b"#1", b"#7", b"#x"]),
            "min" | "max" => self.pick(&[
                b"-",
                b"+",
                b"[a",
                b"(abc",
                b"[hello world",
                b"-inf",
                b"+inf",
                b"(1",
                b"7",
                b"x",
            ]),
            "id" | "lastid" | "last-id" | "max-deleted-id" | "threshold" => {
                self.pick(&[b"1-1", b"2-1", b"5", b"9-0", b"12-3", b"0-0", b"7-*", b"99", b"x"]);
            }
            "start" | "end" | "stop" => {
                self.pick(&[b"-", b"+", b"0", b"-1", b"1-1", b"(2-1", b"5", b"(9-0", b"x"]);
            }
            // Few names, so that commands meet each other's groups.
            "group" => self.pick(&[b"g", b"g", b"g", b"h"]),
            "consumer" => self.pick(&[b"one", b"two"]),
            "serialized-value" => {
                let payload = payloads::any(self.rng);
                self.out.push(payload);
            }
            "min-idle-time" => self.pick(&[b"0", b"0", b"50", b"x"]),
            _ => self.pick(VALUES),
        }
    }

    fn number(&mut self, name: &str) {
        if self.rng.one_in(30) {
            return self.pick(&[b"x", b"", b"1.5", b"99999999999999999999", b"+1", b"007"]);
        }
        let start = START.unix.0 as i64;
        let value = match name {
            "cursor" if !self.rng.one_in(4) => return self.out.push(LAST_CURSOR.to_vec()),
            "cursor" => *self.rng.pick(&[0, 0, 0, 1, 12_345, 1 << 40]),
            _ if self.rng.one_in(20) => *self.rng.pick(EDGES),
            "index" | "db" | "destination-db" => *self.rng.pick(&[0, 0, 0, 1, 1, 2, 15, 16, -1]),
            "count" => *self.rng.pick(&[1, 1, 2, 3, 10, 100, 0, -1]),
            "seconds" => *self.rng.pick(&[1, 1, 2, 5, 10, 100, 0, -1, -100]),
            "milliseconds" => *self.rng.pick(&[1, 50, 51, 1_000, 5_000, 100_000, 0, -1]),
            "unix-time-seconds" => start / 1_000 + self.rng.pick(&[-10, 0, 1, 2, 10, 100, 1_000]),
            "unix-time-milliseconds" => start + self.rng.pick(&[-1, 0, 1, 50, 1_000, 100_000]),
            "unix-time" => *self.rng.pick(&[start, start / 1_000, start / 1_000 + 10]),
            _ if self.rng.one_in(8) => self.rng.below(300) as i64,
            _ => self.rng.below(14) as i64 - 4,
        };
        self.out.push(value.to_string().into_bytes());
    }

    /// Makes a call half-right.
    fn spoil(&mut self) {
        let at = 1 + self.rng.below(self.out.len() as u64) as usize;
        match self.rng.below(4) {
            0 => self.out.truncate(at),
            1 => {
                let junk = self.rng.pick(VALUES).to_vec();
                self.out.insert(at, junk);
            }
            2 if at < self.out.len() => {
                let junk = self.rng.pick(VALUES).to_vec();
                self.out[at] = junk;
            }
            _ if at < self.out.len() => {
                self.out.remove(at);
            }
            _ => {}
        }
    }
}

/// May stand anywhere among its kind: begins with a word of its own.
fn is_option(arg: &Arg) -> bool {
    arg.optional && has_word(arg)
}

fn has_word(arg: &Arg) -> bool {
    arg.token.is_some() || arg.kind == Kind::OneOf && arg.children.iter().all(has_word)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::Grammar;

    #[test]
    fn most_random_calls_are_well_formed() {
        let table = stoa_commands::table();
        let grammar = Grammar::of(table, |_| true);
        let mut rng = Rng::new(1);
        let pool = grammar.pool(&mut rng);
        let mut good = 0;
        for _ in 0..10_000 {
            let call = grammar.call(&pool, &mut rng);
            let argv: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
            let session = stoa_engine::Session::new(1, Default::default(), Default::default());
            let Ok(verdict) = stoa_engine::admit(table, &argv, &session) else { continue };
            let mut args = stoa_command::Args::new(&argv, verdict.args_at);
            good += usize::from((table.at(verdict.index).check)(&mut args).is_ok());
        }
        assert!(good > 5_000, "only {good} of 10000 calls parse");
    }
}
