//! One line of syntax serves RESP and JSON: for every command of the table, a call with named arguments
//! comes to the words that the line itself says, whatever is left out.

use std::collections::BTreeSet;

use stoa_command::Flags;
use stoa_command::syntax::{self, Arg, Kind};
use stoa_json::{Forms, Request, read};
use stoa_stdx::Rng;

/// Calls of each command.
const TRIES: u64 = 60;

/// Stands for a count that is not known yet; no word is like it.
const PLACE: &str = "\0";

/// A call as both sides write it.
struct Call<'r> {
    rng: &'r mut Rng,
    words: Vec<String>,
}

impl Call<'_> {
    /// Writes arguments behind each other, and gives the members that say so.
    fn sequence(&mut self, args: &[Arg]) -> Vec<String> {
        let mut members = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            let counted = args.get(at + 1).filter(|next| next.multiple && next.children.is_empty());
            if arg.name.starts_with("num") && counted.is_some() {
                // It counts itself: its place is filled when that is known.
                self.words.push(PLACE.to_owned());
                continue;
            }
            let before = self.words.len();
            members.extend(self.arg(arg));
            let count = self.words.len() - before;
            if let Some(place) = before.checked_sub(1).filter(|at| self.words[*at] == PLACE) {
                self.words[place] = count.to_string();
            }
        }
        members
    }

    fn arg(&mut self, arg: &Arg) -> Vec<String> {
        if arg.optional && self.rng.one_in(2) {
            return Vec::new();
        }
        if !arg.multiple {
            self.token(arg);
            return self.parts(arg, arg.optional || arg.kind != Kind::PureToken);
        }
        let count = 1 + self.rng.below(3) as usize;
        let mut items = Vec::new();
        for at in 0..count {
            if at == 0 || arg.multiple_token {
                self.token(arg);
            }
            if arg.children.is_empty() {
                items.push(self.value());
            } else {
                let inner = self.parts(arg, true);
                items.push(format!("{{{}}}", inner.join(",")));
            }
        }
        vec![format!("\"{}\":[{}]", name(arg), items.join(","))]
    }

    /// The members of one argument that stands once, its word being written.
    fn parts(&mut self, arg: &Arg, is_said: bool) -> Vec<String> {
        match arg.kind {
            Kind::PureToken => {
                self.words.push(arg.token.clone().unwrap_or_default());
                if is_said { vec![format!("\"{}\":true", name(arg))] } else { Vec::new() }
            }
            Kind::OneOf => {
                let child = self.rng.pick(&arg.children).clone();
                if child.kind == Kind::PureToken {
                    let word = child.token.unwrap_or_default();
                    self.words.push(word.clone());
                    return vec![format!(
                        "\"{}\":{word:?}",
                        if arg.name == "option" && arg.token.is_none() {
                            return vec![format!("\"{}\":true", word.to_lowercase())];
                        } else {
                            name(arg)
                        }
                    )];
                }
                let optional = Arg { optional: false, ..child };
                self.arg(&optional)
            }
            Kind::Block => {
                let members = self.sequence(&arg.children);
                // With no part there is only its word to go by.
                match &arg.token {
                    Some(word) if members.is_empty() => {
                        vec![format!("\"{}\":true", word.to_lowercase())]
                    }
                    _ => members,
                }
            }
            _ => {
                let value = self.value();
                vec![format!("\"{}\":{value}", name(arg))]
            }
        }
    }

    fn token(&mut self, arg: &Arg) {
        if arg.kind != Kind::PureToken {
            self.words.extend(arg.token.clone());
        }
    }

    fn value(&mut self) -> String {
        let number = self.rng.below(1_000);
        if self.rng.one_in(2) {
            self.words.push(number.to_string());
            number.to_string()
        } else {
            self.words.push(format!("v{number}"));
            format!("\"v{number}\"")
        }
    }
}

/// The name that a member has for an argument: its word, or its own.
fn name(arg: &Arg) -> String {
    match &arg.token {
        Some(word) if word.starts_with(char::is_alphabetic) => word.to_lowercase(),
        _ => arg.name.clone(),
    }
}

#[test]
fn every_command_can_be_called_by_the_names_of_its_syntax() {
    let table = stoa_commands::table();
    let forms = Forms::of(table.entries().iter().map(|entry| &entry.spec));
    let mut wrong = BTreeSet::new();
    for entry in table.entries() {
        let spec = &entry.spec;
        if spec.flags.has(Flags::CONTAINER) {
            continue;
        }
        let args = syntax::parse(spec.syntax);
        for seed in 0..TRIES {
            let mut rng = Rng::new(seed);
            let mut call = Call { rng: &mut rng, words: Vec::new() };
            let members = call.sequence(&args);
            let want: Vec<Vec<u8>> = spec
                .name
                .split('|')
                .map(str::to_owned)
                .chain(call.words)
                .map(String::into_bytes)
                .collect();
            let mut text = format!("{{\"cmd\":\"{}\"", spec.name.replace('|', " "));
            for member in members {
                text += ",";
                text += &member;
            }
            text += "}";
            let got = read(text.as_bytes(), &forms);
            if got.as_ref() != Ok(&Request::One(want.clone())) {
                let want: Vec<_> = want.iter().map(|w| String::from_utf8_lossy(w)).collect();
                wrong.insert(format!(
                    "{}, seed {seed}: {text}\n  want {want:?}\n  got {got:?}",
                    spec.name
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} commands:\n{}", wrong.len(), Vec::from_iter(wrong).join("\n"));
}

#[test]
fn no_argument_is_called_like_the_request_itself() {
    for entry in stoa_commands::table().entries() {
        let mut rest = syntax::parse(entry.spec.syntax);
        while let Some(arg) = rest.pop() {
            assert_ne!(arg.name, "cmd", "{}", entry.spec.name);
            rest.extend(arg.children);
        }
    }
}
