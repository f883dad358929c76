//! Named arguments: the members of an object put into the order that a command's syntax says.
//!
//! An argument is named by its word (`ex`), by its name in the reference (`seconds`), or, where it is
//! a group or a choice, through its parts. A part that JSON can say shorter may be: a choice between
//! words is `"condition": "NX"` or `"nx": true`, repeated pairs are an object, `numkeys` counts
//! itself. What is said must be understood to the last member, or nothing is sent.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use stoa_command::syntax::{self, Arg, Kind};
use stoa_command::{Flags, Spec};

use crate::Refusal;
use crate::open::{Json, is_tag, open, shortened, word};
use crate::request::Argv;

/// How the arguments of each command are named.
#[derive(Debug, Default)]
pub struct Forms(BTreeMap<String, Form>);

/// The arguments of one command.
#[derive(Debug)]
pub(crate) struct Form {
    name: &'static str,
    args: Vec<Arg>,
    is_container: bool,
}

impl Forms {
    /// The forms of these commands.
    #[must_use]
    pub fn of<'s>(specs: impl Iterator<Item = &'s Spec>) -> Self {
        let form = |spec: &Spec| Form {
            name: spec.name,
            args: syntax::parse(spec.syntax),
            is_container: spec.flags.has(Flags::CONTAINER),
        };
        Self(specs.map(|spec| (spec.name.to_owned(), form(spec))).collect())
    }

    /// The form of a command of one or two words.
    pub(crate) fn find(&self, words: &[Vec<u8>]) -> Option<&Form> {
        let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        self.0.get(&words.join("|").to_ascii_lowercase())
    }

    pub(crate) fn unknown(&self, words: &[Vec<u8>]) -> Refusal {
        let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let name = words.join(" ");
        Refusal::new(format_args!("unknown command '{}', or name of one", shortened(&name)))
    }
}

impl Form {
    /// Whether an argument has that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut found = false;
        for arg in &self.args {
            walk(arg, &mut |arg| found |= is_named(arg, name));
        }
        found
    }

    fn names(&self) -> String {
        let mut names = Vec::new();
        for arg in &self.args {
            walk(arg, &mut |arg| names.extend(own_names(arg).next()));
        }
        names.dedup();
        names.join(", ")
    }
}

fn walk(arg: &Arg, see: &mut impl FnMut(&Arg)) {
    see(arg);
    arg.children.iter().for_each(|child| walk(child, see));
}

/// The names of an argument, the best first.
fn own_names(arg: &Arg) -> impl Iterator<Item = String> + '_ {
    let word = arg.token.as_deref().filter(|word| word.starts_with(char::is_alphabetic));
    // A group that nobody named is called like its first part, a choice like all others.
    let is_own = match arg.kind {
        Kind::Block => arg.children.first().is_none_or(|first| first.name != arg.name),
        Kind::OneOf => arg.name != "option",
        _ => true,
    };
    let plural = (arg.multiple && is_own).then(|| format!("{}s", arg.name));
    // How long a key lives is what most people set, and no word of it is the same everywhere.
    let ttl = match (arg.token.as_deref(), arg.name.as_str()) {
        (None | Some("EX"), "seconds") => Some("ttl".to_owned()),
        (None | Some("PX"), "milliseconds") => Some("ttl-ms".to_owned()),
        _ => None,
    };
    let name = is_own.then(|| arg.name.clone());
    word.map(str::to_ascii_lowercase).into_iter().chain(name).chain(plural).chain(ttl)
}

fn is_named(arg: &Arg, name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    own_names(arg).any(|own| own == name)
}

/// Members of one object at most: more than any command has arguments. Each argument looks through all.
const MEMBERS_MAX: usize = 64;

/// The members of one object, each to be taken once. `null` is as if it were not there.
pub(crate) struct Members<'a>(Vec<Member<'a>>);

struct Member<'a> {
    name: String,
    raw: &'a RawValue,
    is_taken: Cell<bool>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(members: Vec<(String, &'a RawValue)>) -> Result<Self, Refusal> {
        if members.len() > MEMBERS_MAX {
            let text = format_args!("an object names at most {MEMBERS_MAX} arguments");
            return Err(Refusal::new(text));
        }
        let there = members.into_iter().filter(|(_, raw)| raw.get() != "null");
        let member = |(name, raw)| Member { name, raw, is_taken: Cell::new(false) };
        Ok(Self(there.map(member).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|member| member.name.eq_ignore_ascii_case(name))?;
        Some(self.0.remove(at).raw)
    }

    /// The value of `arg` by any of its own names.
    fn take(&self, arg: &Arg) -> Option<&'a RawValue> {
        let member = self.find(arg)?;
        member.is_taken.set(true);
        Some(member.raw)
    }

    fn find(&self, arg: &Arg) -> Option<&Member<'a>> {
        self.0.iter().find(|member| !member.is_taken.get() && is_named(arg, &member.name))
    }

    /// Whether `arg` or a part of it is spoken of.
    fn mention(&self, arg: &Arg) -> bool {
        self.find(arg).is_some() || arg.children.iter().any(|part| self.mention(part))
    }

    /// Whether all that `arg` needs is there.
    fn make_whole(&self, arg: &Arg) -> bool {
        self.find(arg).is_some()
            || match arg.kind {
                Kind::OneOf => arg.children.iter().any(|child| self.make_whole(child)),
                Kind::Block => arg.children.iter().all(|part| {
                    part.optional || part.kind == Kind::PureToken || self.make_whole(part)
                }),
                _ => false,
            }
    }

    /// How many members speak of `arg` or parts of it.
    fn count(&self, arg: &Arg) -> usize {
        let parts: usize = arg.children.iter().map(|part| self.count(part)).sum();
        parts + usize::from(self.find(arg).is_some())
    }

    /// Refuses what no argument has taken.
    pub(crate) fn all_taken(&self, form: Option<&Form>) -> Result<(), Refusal> {
        let Some(left) = self.0.iter().find(|member| !member.is_taken.get()) else {
            return Ok(());
        };
        let left = shortened(&left.name);
        Err(match form {
            Some(form) if form.args.is_empty() => {
                Refusal::new(format_args!("{} takes no '{left}': it takes nothing", form.name))
            }
            Some(form) => Refusal::new(format_args!(
                "{} takes no '{left}', or not with the others; it takes {}",
                form.name,
                form.names()
            )),
            None => Refusal::new(format_args!("'{left}' is not understood here")),
        })
    }
}

/// Writes the arguments of `form` behind its name.
pub(crate) fn write(form: &Form, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    if form.is_container {
        return Err(Refusal::new(format_args!(
            "{} needs a subcommand: \"cmd\": \"{} HELP\"",
            form.name, form.name
        )));
    }
    sequence(&form.args, members, argv)
}

fn sequence(args: &[Arg], members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    let mut rest = args;
    while let Some((arg, after)) = rest.split_first() {
        rest = after;
        if arg.kind == Kind::PureToken && !arg.optional {
            // It stands there whatever is said.
            argv.extend(arg.token.clone().map(String::into_bytes));
            continue;
        }
        match after.split_first() {
            Some((counted, after)) if counts(arg, counted) && members.find(arg).is_none() => {
                rest = after;
                let mut items = Argv::new();
                one(counted, members, &mut items)?;
                argv.push(items.len().to_string().into_bytes());
                argv.append(&mut items);
            }
            _ => one(arg, members, argv)?,
        }
    }
    Ok(())
}

/// Whether `arg` says how many of `next` there are.
fn counts(arg: &Arg, next: &Arg) -> bool {
    arg.name.starts_with("num")
        && arg.kind == Kind::Integer
        && arg.token.is_none()
        && next.multiple
        && next.children.is_empty()
}

/// Writes an argument if it is spoken of, whole or by its parts.
fn one(arg: &Arg, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    // A choice may be called like one of its own: then that one is meant.
    let is_choice = arg.kind == Kind::OneOf && !arg.multiple;
    if is_choice && arg.children.iter().any(|child| members.find(child).is_some()) {
        return parts(arg, members, argv);
    }
    if let Some(raw) = members.take(arg) {
        return value(arg, raw, members, argv);
    }
    if !arg.children.is_empty() && members.mention(arg) {
        return parts(arg, members, argv);
    }
    if arg.optional { Ok(()) } else { Err(missing(arg)) }
}

fn missing(arg: &Arg) -> Refusal {
    let name = own_names(arg).next();
    let name = name.unwrap_or_else(|| match arg.kind {
        Kind::OneOf => choices(arg),
        _ => arg
            .children
            .iter()
            .filter_map(|part| own_names(part).next())
            .collect::<Vec<_>>()
            .join(" and "),
    });
    Refusal::new(format_args!("'{name}' is missing"))
}

fn choices(arg: &Arg) -> String {
    let name = |child: &Arg| child.token.clone().unwrap_or_else(|| child.name.clone());
    arg.children.iter().map(name).collect::<Vec<_>>().join(" or ")
}

/// Writes a group or a choice whose parts are members themselves.
fn parts(arg: &Arg, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    argv.extend(token(arg));
    if arg.kind == Kind::Block {
        return sequence(&arg.children, members, argv);
    }
    // What is named outright goes before what shares the names of its parts with its neighbours, and of
    // those the one that the most members make whole.
    let outright: Vec<&Arg> =
        arg.children.iter().filter(|child| members.find(child).is_some()).collect();
    let whole = || arg.children.iter().filter(|child| members.make_whole(child));
    match outright[..] {
        [] => {}
        // A group may have a part of that name: then more members speak of the group.
        [child] => {
            let more = whole().filter(|other| members.count(other) > members.count(child));
            let meant = more.max_by_key(|other| members.count(other)).unwrap_or(child);
            return one(meant, members, argv);
        }
        _ => return Err(Refusal::new(format_args!("give one of {}, not several", choices(arg)))),
    }
    let mut mentioned = arg.children.iter().filter(|child| members.mention(child));
    let (Some(first), second) = (mentioned.next(), mentioned.next()) else {
        return Err(missing(arg));
    };
    if second.is_none() {
        return one(first, members, argv);
    }
    match whole().max_by_key(|child| members.count(child)) {
        Some(child) => one(child, members, argv),
        None => Err(Refusal::new(format_args!("give one of {}, whole", choices(arg)))),
    }
}

fn token(arg: &Arg) -> Option<Vec<u8>> {
    let token = arg.token.as_ref().filter(|_| arg.kind != Kind::PureToken);
    token.map(|token| token.clone().into_bytes())
}

/// Writes an argument that `raw` was said for.
fn value(arg: &Arg, raw: &RawValue, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    if !arg.multiple {
        argv.extend(token(arg));
        return once(arg, raw, members, argv);
    }
    let before = |first: bool| token(arg).filter(|_| first || arg.multiple_token);
    match open(raw)? {
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                argv.extend(before(at == 0));
                once(arg, item, members, argv)?;
            }
        }
        Json::Object(pairs) if is_pair(arg) && !is_tag(&pairs) => {
            for (at, (name, item)) in pairs.into_iter().enumerate() {
                argv.extend(before(at == 0));
                argv.push(name.into_bytes());
                argv.push(word(item, &arg.children[1].name)?);
            }
        }
        _ => {
            argv.extend(token(arg));
            once(arg, raw, members, argv)?;
        }
    }
    Ok(())
}

/// Two values that belong together, as a member's name and value do.
fn is_pair(arg: &Arg) -> bool {
    let is_plain = |part: &Arg| {
        part.children.is_empty() && part.token.is_none() && !part.multiple && !part.optional
    };
    arg.kind == Kind::Block && arg.children.len() == 2 && arg.children.iter().all(is_plain)
}

/// Writes `raw` for one `arg`, whose word has been written.
fn once(arg: &Arg, raw: &RawValue, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    match arg.kind {
        Kind::PureToken => switch(arg, raw, argv),
        Kind::OneOf => choice(arg, raw, argv),
        Kind::Block => group(arg, raw, members, argv),
        Kind::String
        | Kind::Integer
        | Kind::Double
        | Kind::Key
        | Kind::Pattern
        | Kind::UnixTime => {
            argv.push(word(raw, &arg.name)?);
            Ok(())
        }
    }
}

fn switch(arg: &Arg, raw: &RawValue, argv: &mut Argv) -> Result<(), Refusal> {
    let token = arg.token.as_deref().unwrap_or_default();
    match open(raw)? {
        Json::Bool(true) => argv.push(token.as_bytes().to_vec()),
        Json::Bool(false) => {}
        Json::Text(text) if text.eq_ignore_ascii_case(token) => argv.push(text.into_bytes()),
        _ => {
            return Err(Refusal::new(format_args!("'{}' is true or false", token.to_lowercase())));
        }
    }
    Ok(())
}

fn choice(arg: &Arg, raw: &RawValue, argv: &mut Argv) -> Result<(), Refusal> {
    let wrong = || Refusal::new(format_args!("'{}' must be {}", arg.name, choices(arg)));
    let opened = open(raw)?;
    if let Json::Text(text) = &opened {
        let is_it = |child: &&Arg| {
            child.kind == Kind::PureToken
                && child.token.as_deref().is_some_and(|word| word.eq_ignore_ascii_case(text))
        };
        if let Some(child) = arg.children.iter().find(is_it) {
            argv.extend(child.token.clone().map(String::into_bytes));
            return Ok(());
        }
    }
    match opened {
        Json::Object(inner) if !is_tag(&inner) => {
            let inner = Members::new(inner)?;
            let bare = Arg { token: None, ..arg.clone() };
            parts(&bare, &inner, argv)?;
            inner.all_taken(None)
        }
        Json::Text(_) | Json::Number(_) | Json::Object(_) => {
            let is_value = |child: &&Arg| child.token.is_none() && child.children.is_empty();
            let child = arg.children.iter().find(is_value).ok_or_else(wrong)?;
            argv.push(word(raw, &child.name)?);
            Ok(())
        }
        Json::Null | Json::Bool(_) | Json::Array(_) => Err(wrong()),
    }
}

fn group(arg: &Arg, raw: &RawValue, members: &Members<'_>, argv: &mut Argv) -> Result<(), Refusal> {
    match open(raw)? {
        Json::Object(inner) if !is_tag(&inner) => {
            let inner = Members::new(inner)?;
            sequence(&arg.children, &inner, argv)?;
            inner.all_taken(None)
        }
        // The word alone, with its parts beside it.
        Json::Bool(true) if arg.token.is_some() => sequence(&arg.children, members, argv),
        Json::Array(items) => match &arg.children[..] {
            [count, counted] if counts(count, counted) => {
                argv.push(items.len().to_string().into_bytes());
                value(counted, raw, members, argv)
            }
            _ => in_order(arg, &items, members, argv),
        },
        Json::Text(_) | Json::Number(_) | Json::Object(_) if !arg.multiple => {
            // Its first part by the name of the whole, the others beside it.
            let Some((first, rest)) = arg.children.split_first() else { return Err(missing(arg)) };
            value(first, raw, members, argv)?;
            sequence(rest, members, argv)
        }
        _ => Err(Refusal::new(format_args!("'{}' takes an object or a list", arg.name))),
    }
}

/// The parts of a group without their names.
fn in_order(
    arg: &Arg,
    items: &[&RawValue],
    members: &Members<'_>,
    argv: &mut Argv,
) -> Result<(), Refusal> {
    if items.len() > arg.children.len() {
        let (most, name) = (arg.children.len(), &arg.name);
        return Err(Refusal::new(format_args!("'{name}' takes at most {most} values")));
    }
    for (at, part) in arg.children.iter().enumerate() {
        match items.get(at) {
            Some(item) => value(part, item, members, argv)?,
            None if part.optional => {}
            None => return Err(missing(part)),
        }
    }
    Ok(())
}
