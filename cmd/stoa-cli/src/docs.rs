//! What the server says its commands are (COMMAND DOCS): names to complete, syntax to hint, help.
//!
//! Asked of the server, not compiled in: it knows its own commands and those of its modules.

use std::fmt::Write;

use stoa_client::Value;

/// One command, or one subcommand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CommandDoc {
    /// In capitals, words separated by a space: `CONFIG GET`.
    pub name: String,
    pub summary: String,
    pub since: String,
    pub group: String,
    /// The arguments one by one, as a person reads them: `key`, `[NX | XX]`.
    pub syntax: Vec<String>,
}

/// All commands, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Docs(pub Vec<CommandDoc>);

impl Docs {
    /// Reads the reply of COMMAND DOCS, in either protocol. What is not understood is left out.
    pub(crate) fn from_reply(reply: &Value) -> Self {
        let mut docs = Vec::new();
        add_commands(reply, &mut docs);
        docs.sort_by(|a, b| a.name.cmp(&b.name));
        Self(docs)
    }

    /// The command whose name the words start with, the longest if there are several, and how many
    /// words its name has.
    pub(crate) fn find(&self, words: &[Vec<u8>]) -> Option<(&CommandDoc, usize)> {
        let matches = |doc: &&CommandDoc| {
            let name: Vec<&str> = doc.name.split(' ').collect();
            name.len() <= words.len()
                && name.iter().zip(words).all(|(a, b)| b.eq_ignore_ascii_case(a.as_bytes()))
        };
        let longest = self.0.iter().filter(matches).max_by_key(|doc| doc.name.len())?;
        Some((longest, longest.name.split(' ').count()))
    }

    /// The names that start with `prefix`, in the case it is typed in.
    pub(crate) fn complete(&self, prefix: &str) -> Vec<String> {
        let upper = prefix.to_ascii_uppercase();
        let in_capitals = prefix.bytes().any(|byte| byte.is_ascii_uppercase());
        let names = self.0.iter().map(|doc| &doc.name).filter(|name| name.starts_with(&upper));
        names
            .map(|name| if in_capitals { name.clone() } else { name.to_ascii_lowercase() })
            .collect()
    }

    /// The groups there are.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.0.iter().map(|doc| doc.group.clone()).collect();
        groups.sort();
        groups.dedup();
        groups
    }
}

impl CommandDoc {
    /// What may still be typed after so many arguments.
    pub(crate) fn rest(&self, typed: usize) -> String {
        let mut rest = self.syntax.iter().map(String::as_str).collect::<Vec<_>>();
        for _ in 0..typed {
            // What may be repeated can always be typed once more.
            if rest.first().is_none_or(|part| part.contains("...")) {
                break;
            }
            rest.remove(0);
        }
        rest.join(" ")
    }
}

fn add_commands(commands: &Value, docs: &mut Vec<CommandDoc>) {
    for (name, fields) in pairs(commands) {
        let mut doc = CommandDoc {
            name: name.replace('|', " ").to_ascii_uppercase(),
            ..CommandDoc::default()
        };
        for (field, value) in pairs(fields) {
            match field.as_str() {
                "summary" => doc.summary = text(value),
                "since" => doc.since = text(value),
                "group" => doc.group = text(value),
                "arguments" => doc.syntax = elements(value).iter().map(argument).collect(),
                "subcommands" => add_commands(value, docs),
                _ => {}
            }
        }
        docs.push(doc);
    }
}

/// How an argument is typed, its parts included.
fn argument(value: &Value) -> String {
    let mut fields = pairs(value);
    let mut take = |name: &str| {
        let i = fields.iter().position(|(field, _)| field == name)?;
        Some(fields.swap_remove(i).1)
    };
    let kind = take("type").map(text).unwrap_or_default();
    let token = take("token").map(text);
    let flags: Vec<String> =
        take("flags").map(|flags| elements(flags).iter().map(text).collect()).unwrap_or_default();
    let parts: Vec<String> = take("arguments")
        .map(|parts| elements(parts).iter().map(argument).collect())
        .unwrap_or_default();
    let name = take("display_text").or_else(|| take("name")).map(text).unwrap_or_default();
    let has = |flag: &str| flags.iter().any(|have| have == flag);

    let mut body = match kind.as_str() {
        "pure-token" => String::new(),
        "oneof" if has("optional") || token.is_some() => parts.join(" | "),
        "oneof" => format!("<{}>", parts.join(" | ")),
        "block" => parts.join(" "),
        _ => name,
    };
    if has("multiple") {
        let again = match &token {
            Some(token) if has("multiple_token") => format!("{token} {body}"),
            Some(_) | None => body.clone(),
        };
        // Writing to a string cannot fail.
        let _ = write!(body, " [{again} ...]");
    }
    let typed = match token {
        // An empty token is written as two quotes, as it must be typed.
        Some(token) if token.is_empty() => "\"\"".to_owned(),
        Some(token) if body.is_empty() => token,
        Some(token) => format!("{token} {body}"),
        None => body,
    };
    if has("optional") { format!("[{typed}]") } else { typed }
}

/// Names and values of a map, or of the flat array RESP2 has for it.
fn pairs(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (text(name), value)).collect(),
        Value::Array(flat) => flat.chunks_exact(2).map(|pair| (text(&pair[0]), &pair[1])).collect(),
        _ => Vec::new(),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) | Value::Set(values) => values,
        _ => &[],
    }
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Docs, Value};

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    /// A map as RESP2 has it.
    fn flat(pairs: &[(&str, Value)]) -> Value {
        Value::Array(pairs.iter().flat_map(|(name, value)| [bulk(name), value.clone()]).collect())
    }

    fn arg(kind: &str, name: &str, more: &[(&str, Value)]) -> Value {
        let first = [("name", bulk(name)), ("type", bulk(kind))];
        flat(&[&first, more].concat())
    }

    fn flags(flags: &[&str]) -> (&'static str, Value) {
        ("flags", Value::Set(flags.iter().map(|flag| bulk(flag)).collect()))
    }

    fn token(token: &str) -> (&'static str, Value) {
        ("token", bulk(token))
    }

    fn args(args: &[Value]) -> (&'static str, Value) {
        ("arguments", Value::Array(args.to_vec()))
    }

    /// SET, MGET and CONFIG with GET, much as a server tells them.
    pub(crate) fn some_docs() -> Docs {
        let pure = |name: &str| arg("pure-token", name, &[token(name)]);
        let doc = |summary: &str, group: &str, more: &[(&str, Value)]| {
            let first =
                [("summary", bulk(summary)), ("since", bulk("1.0.0")), ("group", bulk(group))];
            flat(&[&first, more].concat())
        };
        let set = args(&[
            arg("key", "key", &[]),
            arg("string", "value", &[]),
            arg("oneof", "condition", &[flags(&["optional"]), args(&[pure("NX"), pure("XX")])]),
            arg("integer", "seconds", &[token("EX"), flags(&["optional"])]),
        ]);
        let mget = args(&[arg("key", "key", &[flags(&["multiple"])])]);
        let get = args(&[arg(
            "block",
            "block",
            &[
                flags(&["multiple", "multiple_token"]),
                token("BY"),
                args(&[
                    arg("string", "a", &[]),
                    arg("oneof", "b", &[args(&[pure("MIN"), pure("MAX")])]),
                ]),
            ],
        )]);
        let config =
            ("subcommands", flat(&[("config|get", doc("Read settings.", "server", &[get]))]));
        Docs::from_reply(&flat(&[
            ("set", doc("Sets a value.", "string", &[set])),
            ("mget", doc("Gets values.", "string", &[mget])),
            ("config", doc("Settings.", "server", &[config])),
        ]))
    }

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn arguments_read_as_they_are_typed() {
        let docs = some_docs();
        let syntax = |line: &str| docs.find(&words(line)).expect(line).0.rest(0);
        assert_eq!(syntax("set"), "key value [NX | XX] [EX seconds]");
        assert_eq!(syntax("MGET a"), "key [key ...]");
        assert_eq!(syntax("config get"), "BY a <MIN | MAX> [BY a <MIN | MAX> ...]");
        assert_eq!(syntax("config x"), "");
        assert_eq!(docs.find(&words("nosuch")), None);
    }

    #[test]
    fn what_is_typed_is_no_longer_hinted() {
        let docs = some_docs();
        let rest = |line: &str, typed| docs.find(&words(line)).expect(line).0.rest(typed);
        assert_eq!(rest("set", 1), "value [NX | XX] [EX seconds]");
        assert_eq!(rest("set", 3), "[EX seconds]");
        assert_eq!(rest("set", 9), "");
        assert_eq!(rest("mget", 5), "key [key ...]", "there may always be one more");
    }

    #[test]
    fn names_are_completed_in_the_case_they_are_typed_in() {
        let docs = some_docs();
        assert_eq!(docs.complete("co"), ["config", "config get"]);
        assert_eq!(docs.complete("CONFIG "), ["CONFIG GET"]);
        assert_eq!(docs.complete("x"), Vec::<String>::new());
        assert_eq!(docs.groups(), ["server", "string"]);
    }
}
