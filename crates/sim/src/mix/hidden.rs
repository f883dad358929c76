//! Deeds on small groups of keys where anything goes: what the specification can explain.

use stoa_resp::Value;
use stoa_stdx::Rng;

use super::{Deed, Features, GROUPS_MAX, Mix, Record, Whole};
use crate::checker::search::{Call, brief};
use crate::checker::spec::DEADLINE;

/// Commands on a hidden group, one or several as one.
#[derive(Clone, Debug)]
pub struct Hidden {
    group: u32,
    /// As the specification takes them.
    commands: Vec<Vec<String>>,
    /// The group's database, if it has one of its own.
    database: Option<u32>,
    /// Numbers of the deadlines among them, and how far off each is, in milliseconds.
    deadlines: Vec<(u64, u64)>,
}

/// What the keys of a group hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Texts,
    Lists,
    Hashes,
}

/// A deed on a group.
pub(super) fn deed(mix: &Mix, group: u32, token: u64, rng: &mut Rng) -> Deed {
    let features = mix.features;
    let kind = match group % 3 {
        1 if features.lists => Kind::Lists,
        2 if features.fields => Kind::Hashes,
        _ => Kind::Texts,
    };
    let key = |rng: &mut Rng| {
        format!("{}group{group}:{}", mix.space.prefix, rng.below(u64::from(mix.space.hidden)))
    };
    let database = (mix.whole != Whole::Never).then(|| {
        assert!(group < GROUPS_MAX, "there is a database for each group");
        1 + group
    });
    let count = if features.exec && rng.one_in(4) { 2 + rng.below(2) } else { 1 };
    let alone = count == 1;
    let has_whole = match mix.whole {
        Whole::Never => false,
        Whole::Alone => alone,
        Whole::InExec => true,
    };
    let commands: Vec<Vec<String>> = (0..count)
        .map(|_| {
            if has_whole && rng.one_in(16) {
                whole_command(rng)
            } else {
                match kind {
                    Kind::Texts => text_command(rng, &key),
                    Kind::Lists => list_command(features, alone, token, rng, &key),
                    Kind::Hashes => hash_command(rng, &key),
                }
            }
        })
        .collect();
    let mut hidden = Hidden { group, commands, database, deadlines: Vec::new() };
    for (at, command) in hidden.commands.iter_mut().enumerate() {
        if mix.deadline_one_in > 0 && rng.one_in(mix.deadline_one_in) {
            let (name, number) = (key(rng), token + at as u64);
            *command = deadline_command(kind, &name, number, rng);
            hidden.deadlines.push((number, 1 + rng.below(60)));
        }
    }
    Deed::Hidden(hidden)
}

/// A command on the group's whole database.
fn whole_command(rng: &mut Rng) -> Vec<String> {
    let words: &[&str] = if rng.one_in(3) { &["FLUSHDB"] } else { &["KEYS", "*"] };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A command that sets deadline `number`.
fn deadline_command(kind: Kind, key: &str, number: u64, rng: &mut Rng) -> Vec<String> {
    let (number, field) = (number.to_string(), field(rng));
    let words: &[&str] = match (kind, rng.below(4)) {
        (Kind::Texts, 0) => &["SET", key, &number, DEADLINE, &number],
        (Kind::Texts, 1) => &["SET", key, &number, "NX", DEADLINE, &number],
        (Kind::Hashes, 0..3) => &["HPEXPIRE", key, DEADLINE, &number, "FIELDS", "1", field],
        _ => &["PEXPIRE", key, DEADLINE, &number],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text_command(rng: &mut Rng, key: &impl Fn(&mut Rng) -> String) -> Vec<String> {
    let (one, two, three) = (key(rng), key(rng), key(rng));
    let value = rng.below(90).to_string();
    let words: &[&str] = match rng.below(24) {
        0..3 => &["SET", &one, &value],
        3 => &["SET", &one, &value, "NX"],
        4 => &["GETSET", &one, &value],
        5 => &["GETDEL", &one],
        6 | 7 => &["INCR", &one],
        8 => &["GET", &one],
        9..12 => &["MGET", &one, &two, &three],
        12 | 13 => &["MSET", &one, &value, &two, &value, &three, &value],
        14 => &["MSETNX", &one, &value, &two, &value],
        15 | 16 => &["DEL", &one, &two],
        17 => &["EXISTS", &one, &two, &three],
        18 | 19 => &["RENAME", &one, &two],
        20 => &["RENAMENX", &one, &two],
        21 if one != two => &["COPY", &one, &two, "REPLACE"],
        22 => &["BITOP", "OR", &one, &two, &three],
        _ => &["APPEND", &one, "0"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Few, so that one key's commands meet.
fn field(rng: &mut Rng) -> &'static str {
    const FIELDS: [&str; 3] = ["f", "g", "h"];
    FIELDS[rng.below(FIELDS.len() as u64) as usize]
}

fn hash_command(rng: &mut Rng, key: &impl Fn(&mut Rng) -> String) -> Vec<String> {
    let (one, two, field) = (key(rng), key(rng), field(rng));
    let value = rng.below(90).to_string();
    let words: &[&str] = match rng.below(16) {
        0..4 => &["HSET", &one, field, &value],
        4..6 => &["HINCRBY", &one, field, "1"],
        6 => &["HDEL", &one, field],
        7..9 => &["HLEN", &one],
        9 => &["RENAME", &one, &two],
        10 if one != two => &["COPY", &one, &two, "REPLACE"],
        11 => &["EXISTS", &one, &two],
        12 => &["DEL", &one],
        _ => &["HGETALL", &one],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn list_command(
    features: Features,
    may_block: bool,
    token: u64,
    rng: &mut Rng,
    key: &impl Fn(&mut Rng) -> String,
) -> Vec<String> {
    let (one, two) = (key(rng), key(rng));
    let value = token.to_string();
    let words: &[&str] = match rng.below(16) {
        0..4 => &["RPUSH", &one, &value],
        4 => &["LPUSH", &one, &value, "x"],
        5 => &["LPOP", &one],
        6 => &["RPOP", &one],
        7 | 8 if features.lmove => &["LMOVE", &one, &two, "LEFT", "RIGHT"],
        9 | 10 if features.lmpop => &["LMPOP", "2", &one, &two, "LEFT"],
        11 | 12 if features.blpop && may_block => &["BLPOP", &one, &two, "0.02"],
        13 => &["RENAME", &one, &two],
        14 => &["DEL", &one],
        15 => &["LLEN", &one],
        _ => &["LRANGE", &one, "0", "-1"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Hidden {
    pub(super) const fn kind(&self) -> &'static str {
        if self.commands.len() > 1 { "any EXEC" } else { "any command" }
    }

    /// The deadlines that it sets: its group, their numbers, milliseconds from then.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        self.deadlines.iter().map(|(number, ms)| (self.group, *number, *ms))
    }

    pub(super) fn requests(&self) -> Vec<Vec<String>> {
        let mut commands = self.commands.clone();
        let mut lengths = self.deadlines.iter().map(|(_, ms)| ms.to_string());
        for command in &mut commands {
            let Some(at) = command.iter().position(|word| word == DEADLINE) else { continue };
            let unit = (command[0] == "SET").then(|| "PX".to_owned());
            command.splice(at..at + 2, unit.into_iter().chain(lengths.next()));
        }
        if commands.len() > 1 {
            commands.insert(0, vec!["MULTI".to_owned()]);
            commands.push(vec!["EXEC".to_owned()]);
        }
        if let Some(database) = self.database {
            let select = |number: u32| vec!["SELECT".to_owned(), number.to_string()];
            commands.insert(0, select(database));
            commands.push(select(0));
        }
        commands
    }

    pub(super) fn answer(
        &self,
        client: u32,
        (began, ended): (u64, u64),
        mut replies: Vec<Value>,
        record: &mut Record,
    ) {
        if self.database.is_some() {
            replies.pop();
        }
        let mut replies = match replies.pop() {
            Some(Value::Array(each)) if self.commands.len() > 1 => each,
            Some(one) if self.commands.len() == 1 => vec![one],
            other => {
                let told = other.as_ref().map(brief).unwrap_or_default();
                record.strange.push(format!("{:?} -> {told}", self.commands));
                return;
            }
        };
        for (command, reply) in self.commands.iter().zip(&mut replies) {
            let name = command.first().map(String::as_str).unwrap_or_default();
            match (name, reply) {
                // They come in any order.
                ("KEYS", Value::Array(keys)) => keys.sort_by_cached_key(brief),
                ("HGETALL", Value::Array(words)) => {
                    let mut pairs: Vec<&[Value]> = words.chunks(2).collect();
                    pairs.sort_by_cached_key(|pair| brief(&pair[0]));
                    *words = pairs.concat();
                }
                _ => {}
            }
        }
        // A refusal for want of memory is no reply of the specification; nothing was done.
        let is_oom =
            |reply: &Value| matches!(reply, Value::Error(text) if text.starts_with(b"OOM"));
        if replies.iter().any(is_oom) {
            return;
        }
        let ended = Some((ended, replies));
        let call = Call { client, commands: self.commands.clone(), began, ended };
        record.calls.push((self.group, call));
    }

    pub(super) fn lose(&self, client: u32, began: u64, record: &mut Record) {
        let call = Call { client, commands: self.commands.clone(), began, ended: None };
        record.calls.push((self.group, call));
    }
}
