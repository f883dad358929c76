//! One thing that a client does: requests to send, replies to take, and what they say happened.

use stoa_resp::Value;

use super::hidden::Hidden;
use super::{Mix, Record, Torn};
use crate::checker::search::brief;
use crate::checker::{Key, Lists, Op, Outcome, Txn};

/// One read or write, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Append(Key, u64),
    ReadList(Key),
    Write(Key, u64),
    Read(Key),
    /// GETSET.
    Swap(Key, u64),
}

impl Step {
    pub(super) const fn key(self) -> Key {
        match self {
            Self::Append(key, _)
            | Self::ReadList(key)
            | Self::Write(key, _)
            | Self::Read(key)
            | Self::Swap(key, _) => key,
        }
    }
}

/// How steps are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One command, one key.
    Single,
    Mset,
    Mget,
    /// Between MULTI and EXEC.
    Exec,
    /// Likewise, after WATCH of keys that are read first.
    Watch,
    /// In a script.
    Eval {
        declared: bool,
    },
}

/// What a script does with its arguments: a letter, a key and a value for each step.
const SCRIPT: &str = "\
local out = {} \
for i = 1, #ARGV, 3 do \
  local how, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 2] \
  if how == 'A' then out[#out + 1] = redis.call('APPEND', key, value) \
  elseif how == 'P' then out[#out + 1] = redis.call('RPUSH', key, value) \
  elseif how == 'S' then out[#out + 1] = redis.call('SET', key, value) \
  elseif how == 'X' then out[#out + 1] = redis.call('GETSET', key, value) \
  elseif how == 'L' then out[#out + 1] = redis.call('LRANGE', key, 0, -1) \
  else out[#out + 1] = redis.call('GET', key) end \
end \
return out";

/// One thing that a client does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// On open keys.
    Open(Open),
    /// On a hidden group.
    Hidden(Hidden),
}

/// Whether a deed goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There are more requests.
    More,
    /// That was all.
    Done,
}

impl Deed {
    /// What it is called in counts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Open(open) => match open.form {
                Form::Single => "single",
                Form::Mset => "MSET",
                Form::Mget => "MGET",
                Form::Exec => "EXEC",
                Form::Watch => "WATCH+EXEC",
                Form::Eval { declared: true } => "EVAL declared",
                Form::Eval { declared: false } => "EVAL undeclared",
            },
            Self::Hidden(hidden) => hidden.kind(),
        }
    }

    /// The deadlines that it sets: their hidden group, their numbers in the history, and how far off
    /// each is from the moment it is set, in milliseconds.
    pub fn deadlines(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        let hidden = match self {
            Self::Open(_) => None,
            Self::Hidden(hidden) => Some(hidden),
        };
        hidden.into_iter().flat_map(Hidden::deadlines)
    }

    /// Requests to send now, all at once.
    #[must_use]
    pub fn requests(&self) -> Vec<Vec<String>> {
        match self {
            Self::Open(open) => open.requests(),
            Self::Hidden(hidden) => hidden.requests(),
        }
    }

    /// Takes the replies to [`requests`](Self::requests), which were sent at `began` and all there at
    /// `ended`.
    pub fn answer(
        &mut self,
        client: u32,
        (began, ended): (u64, u64),
        replies: Vec<Value>,
        record: &mut Record,
    ) -> Progress {
        match self {
            Self::Open(open) => open.answer(client, (began, ended), &replies, record),
            Self::Hidden(hidden) => {
                hidden.answer(client, (began, ended), replies, record);
                Progress::Done
            }
        }
    }

    /// The requests were sent at `began`, and nobody will know what became of them.
    pub fn lose(&self, client: u32, began: u64, record: &mut Record) {
        match self {
            Self::Open(open) => open.lose(client, began, record),
            Self::Hidden(hidden) => hidden.lose(client, began, record),
        }
    }
}

/// Steps on open keys.
#[derive(Clone, Debug)]
pub struct Open {
    form: Form,
    steps: Vec<Step>,
    /// Reads before a transaction that is refused if they are no longer true.
    watched: Vec<Step>,
    /// What those reads saw, once they were answered.
    seen: Option<Vec<Op>>,
    /// Name and kind of each key of `watched`, then `steps`.
    keys: Vec<(String, Lists)>,
    /// Sent as a command a step, one after the other, although the form says otherwise: when the first
    /// was sent, and the replies so far.
    torn: Option<(u64, Vec<Value>)>,
}

impl Open {
    pub(super) fn new(form: Form, steps: Vec<Step>, watched: Vec<Step>, mix: &Mix) -> Self {
        let all = watched.iter().chain(&steps);
        let keys = all.map(|step| (mix.space.name(step.key()), mix.lists(step.key()))).collect();
        let is_torn =
            matches!((mix.torn, form), (Torn::Reads, Form::Mget) | (Torn::Writes, Form::Mset));
        let torn = is_torn.then(|| (0, Vec::new()));
        Self { form, steps, watched, seen: None, keys, torn }
    }

    fn requests(&self) -> Vec<Vec<String>> {
        let steps = || (self.watched.len()..self.keys.len()).map(|at| self.command(at));
        match self.form {
            Form::Single => steps().collect(),
            Form::Mset | Form::Mget => match &self.torn {
                Some((_, replies)) => steps().skip(replies.len()).take(1).collect(),
                None => vec![self.joined()],
            },
            Form::Watch if self.seen.is_none() => {
                let mut watch = vec!["WATCH".to_owned()];
                watch.extend(self.keys[..self.watched.len()].iter().map(|(name, _)| name.clone()));
                let reads = (0..self.watched.len()).map(|at| self.command(at));
                std::iter::once(watch).chain(reads).collect()
            }
            Form::Exec | Form::Watch => {
                let frame = |word: &str| std::iter::once(vec![word.to_owned()]);
                frame("MULTI").chain(steps()).chain(frame("EXEC")).collect()
            }
            Form::Eval { declared } => vec![self.script(declared)],
        }
    }

    fn step(&self, at: usize) -> Step {
        *self.watched.iter().chain(&self.steps).nth(at).expect("there is a step for each key")
    }

    fn command(&self, at: usize) -> Vec<String> {
        let (name, lists) = &self.keys[at];
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self.step(at) {
            Step::Append(_, token) => lists.append(name, token),
            Step::ReadList(_) => lists.read(name),
            Step::Write(_, token) => words(&["SET", name, &token.to_string()]),
            Step::Read(_) => words(&["GET", name]),
            Step::Swap(_, token) => words(&["GETSET", name, &token.to_string()]),
        }
    }

    fn joined(&self) -> Vec<String> {
        let name = if self.form == Form::Mset { "MSET" } else { "MGET" };
        let args = (0..self.keys.len()).flat_map(|at| self.command(at).into_iter().skip(1));
        std::iter::once(name.to_owned()).chain(args).collect()
    }

    fn script(&self, declared: bool) -> Vec<String> {
        let mut argv = vec!["EVAL".to_owned(), SCRIPT.to_owned()];
        let count = if declared { self.keys.len() } else { 0 };
        argv.push(count.to_string());
        argv.extend(self.keys[..count].iter().map(|(name, _)| name.clone()));
        for at in 0..self.keys.len() {
            let command = self.command(at);
            let letter = match command[0].as_str() {
                "APPEND" => "A",
                "RPUSH" => "P",
                "SET" => "S",
                "GETSET" => "X",
                "LRANGE" => "L",
                _ => "G",
            };
            let value = match self.step(at) {
                Step::ReadList(_) | Step::Read(_) => String::new(),
                Step::Append(..) | Step::Write(..) | Step::Swap(..) => command[2].clone(),
            };
            argv.extend([letter.to_owned(), self.keys[at].0.clone(), value]);
        }
        argv
    }

    /// What the step at a place did, by its reply; [`None`] if that makes no sense.
    fn ops(&self, at: usize, reply: &Value) -> Option<Vec<Op>> {
        let lists = self.keys[at].1;
        match (self.step(at), reply) {
            (Step::Append(key, token), Value::Int(_)) => Some(vec![Op::Append(key, token)]),
            (Step::ReadList(key), _) => Some(vec![Op::ReadList(key, lists.decode(reply)?)]),
            (Step::Write(key, token), Value::Simple(_)) => Some(vec![Op::Write(key, token)]),
            (Step::Read(key), _) => Some(vec![Op::read(key, reply)?]),
            (Step::Swap(key, token), _) => Some(vec![Op::read(key, reply)?, Op::Write(key, token)]),
            (Step::Append(..) | Step::Write(..), _) => None,
        }
    }

    /// All writes, as if they had happened.
    fn writes(&self) -> Vec<Op> {
        let write = |step: &Step| match *step {
            Step::Append(key, token) => Some(Op::Append(key, token)),
            Step::Write(key, token) | Step::Swap(key, token) => Some(Op::Write(key, token)),
            Step::ReadList(_) | Step::Read(_) => None,
        };
        self.steps.iter().filter_map(write).collect()
    }

    fn answer(
        &mut self,
        client: u32,
        (mut began, ended): (u64, u64),
        replies: &[Value],
        record: &mut Record,
    ) -> Progress {
        let mut replies = replies.to_vec();
        if let Some((first, all)) = &mut self.torn {
            *first = if all.is_empty() { began } else { *first };
            all.append(&mut replies);
            if all.len() < self.steps.len() {
                return Progress::More;
            }
            (began, replies) = (*first, all.clone());
        }
        let replies = replies.as_slice();
        let mut add = |label: String, outcome, ops| {
            record.txns.push(Txn { client, label, began, ended, outcome, ops });
        };
        let label = self.label(replies);
        if self.form == Form::Watch && self.seen.is_none() {
            // Whatever becomes of the transaction, these were reads of their own.
            let reads: Option<Vec<Vec<Op>>> =
                (0..self.watched.len()).map(|at| self.ops(at, &replies[at + 1])).collect();
            let Some(reads) = reads else {
                record.strange.push(label);
                return Progress::Done;
            };
            reads.iter().for_each(|ops| add(label.clone(), Outcome::Done, ops.clone()));
            self.seen = Some(reads.concat());
            return Progress::More;
        }
        match self.fate(replies) {
            Fate::Did(replies) => {
                let first = self.watched.len();
                let done: Option<Vec<Vec<Op>>> = replies
                    .iter()
                    .enumerate()
                    .map(|(at, reply)| self.ops(first + at, reply))
                    .collect();
                match done.filter(|done| done.len() == self.steps.len()) {
                    Some(done) => {
                        let mut ops = self.seen.take().unwrap_or_default();
                        ops.extend(done.concat());
                        add(label, Outcome::Done, ops);
                    }
                    None => record.strange.push(label),
                }
            }
            Fate::Refused => add(label, Outcome::Refused, self.writes()),
            Fate::Strange => record.strange.push(label),
        }
        Progress::Done
    }

    /// What the replies say of the whole, with one reply a step if it happened.
    fn fate(&self, replies: &[Value]) -> Fate {
        let Some(last) = replies.last() else { return Fate::Strange };
        if self.torn.is_some() {
            return Fate::Did(replies.to_vec());
        }
        match (self.form, last) {
            (Form::Exec | Form::Watch, Value::Array(each)) => Fate::Did(each.clone()),
            (Form::Watch, Value::Null) => Fate::Refused,
            (_, Value::Error(_)) if is_refusal(last) => Fate::Refused,
            (_, Value::Error(_)) => Fate::Strange,
            (Form::Mset, reply) => Fate::Did(vec![reply.clone(); self.steps.len()]),
            (Form::Mget | Form::Eval { .. }, Value::Array(each)) => Fate::Did(each.clone()),
            (Form::Single, reply) => Fate::Did(vec![reply.clone()]),
            (Form::Mget | Form::Exec | Form::Watch | Form::Eval { .. }, _) => Fate::Strange,
        }
    }

    fn lose(&self, client: u32, began: u64, record: &mut Record) {
        if self.form == Form::Watch && self.seen.is_none() {
            return;
        }
        let began = match &self.torn {
            Some((first, all)) if !all.is_empty() => *first,
            Some(_) | None => began,
        };
        let (label, ops) = (self.label(&[]), self.writes());
        let outcome = Outcome::Unknown;
        record.txns.push(Txn { client, label, began, ended: 0, outcome, ops });
    }

    fn label(&self, replies: &[Value]) -> String {
        let mut words: Vec<String> = Vec::new();
        let requests = if self.torn.is_some() { vec![self.joined()] } else { self.requests() };
        for request in requests {
            let told = request.iter().map(|word| if word == SCRIPT { "(script)" } else { word });
            words.push(told.collect::<Vec<&str>>().join(" "));
        }
        let replies: Vec<String> = replies.iter().map(brief).collect();
        format!("{} -> {}", words.join("; "), replies.join(", "))
    }
}

/// What became of a transaction.
enum Fate {
    Did(Vec<Value>),
    Refused,
    Strange,
}

/// Errors that say that nothing was done.
fn is_refusal(reply: &Value) -> bool {
    const CODES: [&[u8]; 4] = [b"OOM ", b"EXECABORT ", b"BUSY ", b"LOADING "];
    matches!(reply, Value::Error(text) if CODES.iter().any(|code| text.starts_with(code)))
}
