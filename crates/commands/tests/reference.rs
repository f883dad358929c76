//! The table against the facts of Redis 7.4: what a client, a proxy or an access rule reads off
//! COMMAND must be the same here, and what is missing is missing on purpose.
//!
//! The facts are `reference/commands.tsv`, one command a line. Key specs are written
//! `begin+find:flag`: `i1` begins at argument 1, `kw:STORE@5` behind a word; `r(last,step,limit)` is a
//! range, `kn(num,first,step)` a counted list, `?` what no spec can say.

use std::collections::{BTreeMap, BTreeSet};

use stoa_command::{BeginSearch, Category, FindKeys, Flags, KeyFlags, KeySpec, Spec, syntax};
use stoa_commands::compatibility::{MISSING, UNFINISHED};

/// One command of the reference.
struct Fact {
    group: &'static str,
    since: &'static str,
    arity: i16,
    flags: BTreeSet<&'static str>,
    categories: BTreeSet<&'static str>,
    keys: Vec<&'static str>,
}

/// Commands that the reference does not have, and why they are here.
const OURS: &[(&str, &str)] = &[];

/// A flag of the facts that 7.4 does not print.
const NEWER_FLAG: &str = "script_runner";

fn facts() -> BTreeMap<String, Fact> {
    let text: &'static str = include_str!("reference/commands.tsv");
    let fact = |line: &'static str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, group, since, arity, flags, categories, keys] = columns[..] else {
            panic!("seven columns in {line:?}");
        };
        let name = name.to_ascii_lowercase().replace(' ', "|");
        let flags = flags.split(',').filter(|flag| !flag.is_empty() && *flag != NEWER_FLAG);
        let categories = categories.split_whitespace().map(|name| name.trim_start_matches('@'));
        let fact = Fact {
            group,
            since,
            arity: arity.parse().expect("a number"),
            flags: flags.collect(),
            categories: categories.collect(),
            keys: keys.split_whitespace().collect(),
        };
        (name, fact)
    };
    text.lines().skip(1).map(fact).collect()
}

fn specs() -> impl Iterator<Item = &'static Spec> {
    stoa_commands::table().entries().iter().map(|entry| &entry.spec)
}

/// A key spec as the facts write it.
fn written(key: &KeySpec) -> String {
    let begin = match key.begin {
        BeginSearch::Index(at) => format!("i{at}"),
        BeginSearch::Keyword(word, from) => format!("kw:{word}@{from}"),
        BeginSearch::Unknown => "?".into(),
    };
    let find = match key.find {
        FindKeys::Range { last, step, limit } => format!("r({last},{step},{limit})"),
        FindKeys::Count { num, first, step } => format!("kn({num},{first},{step})"),
        FindKeys::Unknown => "?".into(),
    };
    let kinds = [KeyFlags::RO, KeyFlags::RW, KeyFlags::OW, KeyFlags::RM];
    let kind = kinds.iter().filter(|kind| key.flags.has(**kind)).flat_map(|kind| kind.names());
    let kind: Vec<&str> = kind.collect();
    assert!(kind.len() <= 1, "a key is read, changed, overwritten or removed: {kind:?}");
    match kind.first() {
        Some(kind) => format!("{begin}+{find}:{kind}"),
        None => format!("{begin}+{find}"),
    }
}

#[test]
fn every_command_is_described_as_in_the_reference() {
    let facts = facts();
    let mut wrong = Vec::new();
    for spec in specs() {
        let name = spec.name;
        let Some(fact) = facts.get(name) else { continue };
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                wrong.push(format!("{name}: {what}: {ours}, in the reference {theirs}"));
            }
        };
        compare("group", spec.group.name().into(), fact.group.into());
        compare("since", spec.since.into(), fact.since.into());
        compare("arity", spec.arity.0.to_string(), fact.arity.to_string());
        let flags: BTreeSet<&str> = spec.flags.names().filter(|flag| !flag.is_empty()).collect();
        compare("flags", format!("{flags:?}"), format!("{:?}", fact.flags));
        let categories: BTreeSet<&str> = spec.categories().map(Category::name).collect();
        compare("categories", format!("{categories:?}"), format!("{:?}", fact.categories));
        let keys: Vec<String> = spec.keys.iter().map(written).collect();
        compare("keys", format!("{keys:?}"), format!("{:?}", fact.keys));
    }
    assert!(wrong.is_empty(), "{} facts differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_our_groups_lack_is_named_with_a_reason() {
    let facts = facts();
    let here: BTreeSet<&str> = specs().map(|spec| spec.name).collect();
    let missing: BTreeMap<&str, &str> = MISSING.iter().copied().collect();
    assert_eq!(missing.len(), MISSING.len(), "a command is listed twice");
    let groups: BTreeSet<&str> = specs().map(|spec| spec.group.name()).collect();
    let lacking = |name: &&String| {
        let fact = &facts[*name];
        groups.contains(fact.group)
            && !UNFINISHED.contains(&fact.group)
            && !here.contains(name.as_str())
            && !missing.contains_key(name.as_str())
    };
    let unnamed: Vec<&String> = facts.keys().filter(lacking).collect();
    assert!(unnamed.is_empty(), "neither here nor listed as missing: {unnamed:?}");
    for (name, reason) in MISSING {
        assert!(facts.contains_key(*name), "{name} is not in the reference: take it off the list");
        assert!(!reason.is_empty(), "{name}: why is it missing?");
        let finished = !UNFINISHED.contains(&facts[*name].group);
        assert!(!(finished && here.contains(name)), "{name} is here: take it off the list");
    }
}

#[test]
fn what_the_reference_lacks_is_named_with_a_reason() {
    let facts = facts();
    let ours: BTreeMap<&str, &str> = OURS.iter().copied().collect();
    let unnamed: Vec<&str> = specs()
        .map(|spec| spec.name)
        .filter(|name| !facts.contains_key(*name) && !ours.contains_key(name))
        .collect();
    assert!(unnamed.is_empty(), "not in the reference, and no reason given: {unnamed:?}");
}

#[test]
fn flags_that_depend_on_the_arguments_can_be_asked_for() {
    for spec in specs() {
        let open = spec.keys.iter().any(|key| key.flags.has(KeyFlags::VARIABLE_FLAGS));
        assert_eq!(open, spec.key_flags.is_some(), "{}", spec.name);
    }
}

#[test]
fn every_description_can_be_read() {
    for spec in specs() {
        let name = spec.name;
        assert!(!spec.summary.is_empty(), "{name}: a sentence is missing");
        let args = syntax::parse(spec.syntax);
        let words = if spec.parent().is_some() { 2 } else { 1 };
        let takes_none = i32::from(spec.arity.0) == words;
        let needs_some = i32::from(spec.arity.0.unsigned_abs()) > words;
        let container = spec.flags.has(Flags::CONTAINER);
        assert!(!takes_none || args.is_empty(), "{name}: takes nothing, but has a syntax");
        assert!(container || !needs_some || !args.is_empty(), "{name}: has no syntax");
        assert_eq!(name, name.to_ascii_lowercase(), "{name}: names are in lower case");
        assert_ne!(
            (spec.flags.has(Flags::WRITE), spec.flags.has(Flags::READONLY)),
            (true, true),
            "{name}: either writes or reads"
        );
    }
}
