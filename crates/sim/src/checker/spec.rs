//! What a single thread would answer: a server of strings, lists and hashes in a page, to compare with.
//!
//! It is written from the commands' documentation and shares no code with the server. It knows the
//! commands that the programs of the checkers use, in the forms that they use, and refuses others
//! loudly: a wrong specification would be worse than none. Values of two types never meet under one
//! name there, so there are no wrong types.

use std::collections::BTreeMap;
use std::fmt;

use stoa_resp::Value;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// A string.
    Text(Vec<u8>),
    /// A list, never empty.
    List(Vec<Vec<u8>>),
    /// A hash, never empty: values, and the deadlines that fields are under.
    Hash(Fields),
}

type Fields = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

/// A value, and which of the history's deadlines it is under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    held: Held,
    deadline: Option<u64>,
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(BTreeMap<Vec<u8>, Entry>);

/// Not a command: the deadline with this number passes.
pub const EXPIRE: &str = "@EXPIRE";

/// Stands for the milliseconds of a deadline in the specification: its number in the history.
pub const DEADLINE: &str = "@DEADLINE";

const NOT_INTEGER: &[u8] = b"ERR value is not an integer or out of range";
const NO_SUCH_KEY: &[u8] = b"ERR no such key";

/// Whether a command never changes anything.
#[must_use]
pub fn only_reads(argv: &[impl AsRef<[u8]>]) -> bool {
    const READS: [&[u8]; 10] = [
        b"GET", b"MGET", b"EXISTS", b"TOUCH", b"STRLEN", b"LLEN", b"LRANGE", b"KEYS", b"HGETALL",
        b"HLEN",
    ];
    argv.first().is_some_and(|name| READS.contains(&name.as_ref()))
}

impl State {
    /// Runs a command. `seen` is the reply that a client had, for commands that leave a choice.
    ///
    /// # Panics
    /// On a command, or a form of one, that it does not know.
    pub fn run<W: AsRef<[u8]>>(&mut self, argv: &[W], seen: Option<&Value>) -> Value {
        let words: Vec<&[u8]> = argv.iter().map(AsRef::as_ref).collect();
        let (name, args) = words.split_first().expect("a command has a name");
        let name = std::str::from_utf8(name).expect("a name is text");
        let args: &[&[u8]] = args;
        match name {
            "GET" | "SET" | "GETSET" | "GETDEL" | "APPEND" | "STRLEN" | "INCR" | "DECR"
            | "INCRBY" => self.run_text(name, args),
            "MGET" | "MSET" | "MSETNX" | "DEL" | "UNLINK" | "EXISTS" | "TOUCH" => {
                self.run_many(name, args)
            }
            "RENAME" | "RENAMENX" | "COPY" | "BITOP" => self.run_moves(name, args),
            "PERSIST" | "PEXPIRE" => self.run_deadline(name, args),
            "RPUSH" | "LPUSH" | "LPOP" | "RPOP" | "LLEN" | "LRANGE" | "LMOVE" | "LMPOP"
            | "BLPOP" => self.run_lists(name, args, seen),
            "HSET" | "HDEL" | "HINCRBY" | "HLEN" | "HGETALL" | "HPEXPIRE" => {
                self.run_hash(name, args)
            }
            "FLUSHDB" => {
                self.0.clear();
                ok()
            }
            // In order, as the histories have them.
            "KEYS" => Value::Array(self.0.keys().cloned().map(Value::Bulk).collect()),
            EXPIRE => {
                let number = parse(args[0]).map(|number| number as u64);
                self.0.retain(|_, entry| entry.outlives(number));
                ok()
            }
            _ => panic!("the specification knows no {name}"),
        }
    }

    fn text(&self, key: &[u8]) -> Option<&Vec<u8>> {
        match &self.0.get(key)?.held {
            Held::Text(text) => Some(text),
            Held::List(_) | Held::Hash(_) => panic!("types are kept apart"),
        }
    }

    fn put(&mut self, key: &[u8], text: &[u8], deadline: Option<u64>) {
        self.0.insert(key.to_vec(), Entry { held: Held::Text(text.to_vec()), deadline });
    }

    /// Changes a string and leaves its deadline.
    fn change(&mut self, key: &[u8], text: &[u8]) {
        let deadline = self.0.get(key).and_then(|entry| entry.deadline);
        self.put(key, text, deadline);
    }

    fn run_text(&mut self, name: &str, args: &[&[u8]]) -> Value {
        let key = args[0];
        let held = self.text(key).cloned();
        match (name, args) {
            ("GET", [_]) => bulk_or_null(held),
            ("SET", [_, value, options @ ..]) => self.set(key, value, options, held),
            ("GETSET", [_, value]) => {
                self.put(key, value, None);
                bulk_or_null(held)
            }
            ("GETDEL", [_]) => {
                self.0.remove(key);
                bulk_or_null(held)
            }
            ("APPEND", [_, more]) => {
                let joined = [held.as_deref().unwrap_or_default(), more].concat();
                self.change(key, &joined);
                count(joined.len())
            }
            ("STRLEN", [_]) => count(held.map_or(0, |held| held.len())),
            ("INCR", [_]) => self.add(key, held, 1),
            ("DECR", [_]) => self.add(key, held, -1),
            ("INCRBY", [_, by]) => self.add(key, held, parse(by).expect("a number to add")),
            _ => panic!("the specification knows {name}, but not so"),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], options: &[&[u8]], held: Option<Vec<u8>>) -> Value {
        match options {
            [] => self.put(key, value, None),
            [b"NX", ..] if held.is_some() => return Value::Null,
            [b"XX"] if held.is_none() => return Value::Null,
            [b"NX" | b"XX"] => self.put(key, value, None),
            [b"GET"] => {
                self.put(key, value, None);
                return bulk_or_null(held);
            }
            [name, number] | [b"NX", name, number] if *name == DEADLINE.as_bytes() => {
                self.put(key, value, parse(number).map(|number| number as u64));
            }
            _ => panic!("the specification knows SET, but not so"),
        }
        ok()
    }

    fn add(&mut self, key: &[u8], held: Option<Vec<u8>>, by: i64) -> Value {
        let sum = held.map_or(Some(0), |held| parse(&held)).and_then(|old| old.checked_add(by));
        let Some(sum) = sum else { return Value::Error(NOT_INTEGER.to_vec()) };
        self.change(key, sum.to_string().as_bytes());
        Value::Int(sum)
    }

    fn run_many(&mut self, name: &str, args: &[&[u8]]) -> Value {
        let there = |key: &&&[u8]| self.0.contains_key(**key);
        match name {
            "MGET" => {
                Value::Array(args.iter().map(|key| bulk_or_null(self.text(key).cloned())).collect())
            }
            "EXISTS" | "TOUCH" => count(args.iter().filter(there).count()),
            "DEL" | "UNLINK" => {
                count(args.iter().filter(|key| self.0.remove(**key).is_some()).count())
            }
            "MSETNX" if args.iter().step_by(2).any(|key| self.0.contains_key(*key)) => count(0),
            _ => {
                args.chunks_exact(2).for_each(|pair| self.put(pair[0], pair[1], None));
                if name == "MSET" { ok() } else { count(1) }
            }
        }
    }

    fn run_moves(&mut self, name: &str, args: &[&[u8]]) -> Value {
        match (name, args) {
            ("RENAME", [from, to]) => match self.0.remove(*from) {
                Some(entry) => {
                    self.0.insert(to.to_vec(), entry);
                    ok()
                }
                None => Value::Error(NO_SUCH_KEY.to_vec()),
            },
            ("RENAMENX", [from, to]) => {
                if !self.0.contains_key(*from) {
                    Value::Error(NO_SUCH_KEY.to_vec())
                } else if self.0.contains_key(*to) {
                    count(0)
                } else {
                    let entry = self.0.remove(*from).expect("it was there");
                    self.0.insert(to.to_vec(), entry);
                    count(1)
                }
            }
            ("COPY", [from, to, options @ ..]) => {
                let blocked = options.is_empty() && self.0.contains_key(*to);
                let Some(entry) = self.0.get(*from).filter(|_| !blocked).cloned() else {
                    return count(0);
                };
                self.0.insert(to.to_vec(), entry);
                count(1)
            }
            ("BITOP", [how, to, from @ ..]) => self.bitop(how, to, from),
            _ => panic!("the specification knows {name}, but not so"),
        }
    }

    fn run_deadline(&mut self, name: &str, args: &[&[u8]]) -> Value {
        let Some(entry) = self.0.get_mut(args[0]) else { return count(0) };
        match (name, args) {
            ("PERSIST", [_]) => count(usize::from(entry.deadline.take().is_some())),
            ("PEXPIRE", [_, mark, number]) if *mark == DEADLINE.as_bytes() => {
                entry.deadline = parse(number).map(|number| number as u64);
                count(1)
            }
            _ => panic!("the specification knows {name}, but not so"),
        }
    }

    fn bitop(&mut self, how: &[u8], to: &[u8], from: &[&[u8]]) -> Value {
        let texts: Vec<Vec<u8>> =
            from.iter().map(|key| self.text(key).cloned().unwrap_or_default()).collect();
        let len = texts.iter().map(Vec::len).max().unwrap_or(0);
        let byte = |text: &Vec<u8>, at: usize| text.get(at).copied().unwrap_or(0);
        let joined: Vec<u8> = (0..len)
            .map(|at| {
                let bytes = texts.iter().map(|text| byte(text, at));
                match how {
                    b"OR" => bytes.fold(0, |a, b| a | b),
                    b"XOR" => bytes.fold(0, |a, b| a ^ b),
                    _ => bytes.fold(0xff, |a, b| a & b),
                }
            })
            .collect();
        if len == 0 {
            self.0.remove(to);
        } else {
            self.put(to, &joined, None);
        }
        count(len)
    }

    fn run_lists(&mut self, name: &str, args: &[&[u8]], seen: Option<&Value>) -> Value {
        match (name, args) {
            ("RPUSH" | "LPUSH", [key, items @ ..]) => {
                items.iter().for_each(|item| self.push(key, item.to_vec(), name == "LPUSH"));
                count(self.list(key).len())
            }
            ("LPOP" | "RPOP", [key]) => bulk_or_null(self.pop(key, name == "LPOP")),
            ("LLEN", [key]) => count(self.list(key).len()),
            ("LRANGE", [key, b"0", b"-1"]) => {
                Value::Array(self.list(key).iter().cloned().map(Value::Bulk).collect())
            }
            ("LMOVE", [from, to, from_end, to_end]) => {
                // A list of one item that goes round never ends, so its deadline stays.
                let deadline = self.0.get(*to).and_then(|entry| entry.deadline);
                let Some(item) = self.pop(from, *from_end == b"LEFT") else { return Value::Null };
                self.push(to, item.clone(), *to_end == b"LEFT");
                self.0.get_mut(*to).expect("just pushed").deadline = deadline;
                Value::Bulk(item)
            }
            ("LMPOP", [_, keys @ .., end]) => match self.pop_first(keys, *end == b"LEFT") {
                Some((key, item)) => Value::Array(vec![key, Value::Array(vec![item])]),
                None => Value::Null,
            },
            // One that gave up waiting says that there was nothing at some moment.
            ("BLPOP", [keys @ .., _]) => match self.pop_first(&first_seen(keys, seen), true) {
                Some((key, item)) => Value::Array(vec![key, item]),
                None => Value::Null,
            },
            _ => panic!("the specification knows {name}, but not so"),
        }
    }

    fn run_hash(&mut self, name: &str, args: &[&[u8]]) -> Value {
        let key = args[0];
        let mut fields = self.hash(key);
        let reply = match (name, args) {
            ("HSET", [_, field, value]) => {
                let old = fields.insert(field.to_vec(), (value.to_vec(), None));
                count(usize::from(old.is_none()))
            }
            ("HDEL", [_, field]) => count(usize::from(fields.remove(*field).is_some())),
            ("HINCRBY", [_, field, by]) => {
                let held = fields.entry(field.to_vec()).or_insert((b"0".to_vec(), None));
                let by = parse(by).expect("a number to add");
                let sum = parse(&held.0).and_then(|old| old.checked_add(by));
                let sum = sum.expect("fields hold small numbers");
                held.0 = sum.to_string().into_bytes();
                Value::Int(sum)
            }
            ("HLEN", [_]) => count(fields.len()),
            ("HGETALL", [_]) => {
                let pairs = fields.iter().flat_map(|(field, (value, _))| [field, value]);
                Value::Array(pairs.cloned().map(Value::Bulk).collect())
            }
            ("HPEXPIRE", [_, mark, number, b"FIELDS", b"1", field])
                if *mark == DEADLINE.as_bytes() =>
            {
                let held = fields.get_mut(*field);
                let found = if held.is_some() { 1 } else { -2 };
                if let Some((_, deadline)) = held {
                    *deadline = parse(number).map(|number| number as u64);
                }
                Value::Array(vec![Value::Int(found)])
            }
            _ => panic!("the specification knows {name}, but not so"),
        };
        self.put_hash(key, fields);
        reply
    }

    fn hash(&self, key: &[u8]) -> Fields {
        match self.0.get(key).map(|entry| &entry.held) {
            None => Fields::new(),
            Some(Held::Hash(fields)) => fields.clone(),
            Some(Held::Text(_) | Held::List(_)) => panic!("types are kept apart"),
        }
    }

    fn put_hash(&mut self, key: &[u8], fields: Fields) {
        if fields.is_empty() {
            self.0.remove(key);
        } else {
            let deadline = self.0.get(key).and_then(|entry| entry.deadline);
            self.0.insert(key.to_vec(), Entry { held: Held::Hash(fields), deadline });
        }
    }

    fn list(&self, key: &[u8]) -> &[Vec<u8>] {
        match self.0.get(key).map(|entry| &entry.held) {
            None => &[],
            Some(Held::List(items)) => items,
            Some(Held::Text(_) | Held::Hash(_)) => panic!("types are kept apart"),
        }
    }

    fn push(&mut self, key: &[u8], item: Vec<u8>, at_front: bool) {
        let mut items = self.list(key).to_vec();
        let at = if at_front { 0 } else { items.len() };
        items.insert(at, item);
        self.put_list(key, items);
    }

    fn pop(&mut self, key: &[u8], at_front: bool) -> Option<Vec<u8>> {
        let mut items = self.list(key).to_vec();
        let item =
            if at_front { (!items.is_empty()).then(|| items.remove(0)) } else { items.pop() };
        self.put_list(key, items);
        item
    }

    fn pop_first(&mut self, keys: &[&[u8]], at_front: bool) -> Option<(Value, Value)> {
        let key = keys.iter().find(|key| !self.list(key).is_empty())?;
        let item = self.pop(key, at_front)?;
        Some((Value::Bulk(key.to_vec()), Value::Bulk(item)))
    }

    fn put_list(&mut self, key: &[u8], items: Vec<Vec<u8>>) {
        if items.is_empty() {
            self.0.remove(key);
        } else {
            let deadline = self.0.get(key).and_then(|entry| entry.deadline);
            self.0.insert(key.to_vec(), Entry { held: Held::List(items), deadline });
        }
    }
}

impl Entry {
    /// Lets a deadline pass. False if it ends the entry.
    fn outlives(&mut self, number: Option<u64>) -> bool {
        if let Held::Hash(fields) = &mut self.held {
            fields.retain(|_, (_, deadline)| deadline.is_none() || *deadline != number);
            if fields.is_empty() {
                return false;
            }
        }
        self.deadline.is_none() || self.deadline != number
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut told: Vec<String> = Vec::new();
        for (key, entry) in &self.0 {
            let held = match &entry.held {
                Held::Text(held) => text(held),
                Held::List(items) => {
                    let items: Vec<String> = items.iter().map(|item| text(item)).collect();
                    format!("[{}]", items.join(" "))
                }
                Held::Hash(fields) => {
                    let pairs = fields.iter().map(|(field, (value, deadline))| {
                        format!("{}: {} {deadline:?}", text(field), text(value))
                    });
                    format!("{{{}}}", pairs.collect::<Vec<String>>().join(", "))
                }
            };
            told.push(format!("{} = {held}", text(key)));
        }
        f.write_str(if told.is_empty() { "no keys" } else { "" })?;
        f.write_str(&told.join(", "))
    }
}

/// Keys with the one that a blocked client was served from in front. A client that waits for several
/// keys, of which a transaction fills two at once, is served from the one that was filled first, and
/// nothing here remembers which.
fn first_seen<'a>(keys: &[&'a [u8]], seen: Option<&Value>) -> Vec<&'a [u8]> {
    let mut keys = keys.to_vec();
    if let Some(Value::Array(pair)) = seen
        && let [Value::Bulk(from), _] = pair.as_slice()
    {
        keys.sort_by_key(|key| key != from);
    }
    keys
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn count(number: usize) -> Value {
    Value::Int(number as i64)
}

fn bulk_or_null(text: Option<Vec<u8>>) -> Value {
    text.map_or(Value::Null, Value::Bulk)
}

fn parse(text: &[u8]) -> Option<i64> {
    stoa_command::parse_int(text)
}

#[cfg(test)]
mod tests {
    use super::{DEADLINE, EXPIRE, State};

    #[track_caller]
    fn check(calls: &[(&str, &str)]) {
        let mut state = State::default();
        for (call, want) in calls {
            let argv: Vec<&str> = call.split(' ').collect();
            assert_eq!(format!("{:?}", state.run(&argv, None)), *want, "{call}");
        }
    }

    #[test]
    fn a_key_that_moves_takes_its_deadline_along_and_one_that_is_set_forgets_it() {
        let set = format!("SET a 1 {DEADLINE} 7");
        let pass = format!("{EXPIRE} 7");
        check(&[
            (&set, r#"Simple([79, 75])"#),
            ("RENAME a b", r#"Simple([79, 75])"#),
            ("INCR b", "Int(2)"),
            (&pass, r#"Simple([79, 75])"#),
            ("GET b", "Null"),
            (&set, r#"Simple([79, 75])"#),
            ("SET a 2", r#"Simple([79, 75])"#),
            (&pass, r#"Simple([79, 75])"#),
            ("GET a", "Bulk([50])"),
        ]);
    }

    #[test]
    fn fields_end_one_by_one_and_the_last_takes_the_key_along() {
        let expire = |field: &str| format!("HPEXPIRE h {DEADLINE} 7 FIELDS 1 {field}");
        let pass = format!("{EXPIRE} 7");
        check(&[
            ("HSET h f 1", "Int(1)"),
            ("HSET h g 2", "Int(1)"),
            (&expire("f"), "Array([Int(1)])"),
            (&expire("x"), "Array([Int(-2)])"),
            ("HINCRBY h f 4", "Int(5)"),
            (&pass, r#"Simple([79, 75])"#),
            ("HGETALL h", "Array([Bulk([103]), Bulk([50])])"),
            (&expire("g"), "Array([Int(1)])"),
            ("HSET h g 3", "Int(0)"),
            (&pass, r#"Simple([79, 75])"#),
            ("HLEN h", "Int(1)"),
            (&expire("g"), "Array([Int(1)])"),
            (&pass, r#"Simple([79, 75])"#),
            ("EXISTS h", "Int(0)"),
        ]);
    }

    #[test]
    fn all_or_nothing_and_first_come() {
        check(&[
            ("MSETNX a 1 b 2", "Int(1)"),
            ("MSETNX c 1 b 2", "Int(0)"),
            ("EXISTS a b c", "Int(2)"),
            ("COPY a b", "Int(0)"),
            ("COPY a b REPLACE", "Int(1)"),
            ("MGET a b c", "Array([Bulk([49]), Bulk([49]), Null])"),
            ("RPUSH l 1 2", "Int(2)"),
            ("LMPOP 2 k l LEFT", "Array([Bulk([108]), Array([Bulk([49])])])"),
            ("BLPOP k l 0", "Array([Bulk([108]), Bulk([50])])"),
            ("BLPOP k l 1", "Null"),
            ("LLEN l", "Int(0)"),
        ]);
    }
}
