//! The random programs are worth something: every command in them is also said right.

use std::collections::BTreeMap;

use stoa_sim::law::{Pace, is_compared, program_of, replies};
use stoa_sim::{Grammar, Item};

/// Commands that only ever refuse here, and why.
const NEVER_GOOD: &[(&str, &str)] = &[
    ("auth", "no password is set"),
    ("client|caching", "nobody tracks"),
    ("evalsha", "no random word is the SHA-1 of a script"),
    ("evalsha_ro", "no random word is the SHA-1 of a script"),
    ("fcall", "no random word is a library"),
    ("fcall_ro", "no random word is a library"),
    ("function|delete", "no random word is a library"),
    ("function|kill", "nothing runs meanwhile"),
    ("function|load", "no random word is a library"),
    ("function|restore", "no random word is a dump"),
    ("pfdebug", "its words are not in its grammar"),
    ("script|kill", "nothing runs meanwhile"),
];

#[test]
fn every_command_of_the_grammar_succeeds_in_some_program() {
    let table = stoa_commands::table();
    let grammar = Grammar::of(table, is_compared);
    let mut good: BTreeMap<String, u64> = grammar.names().map(|name| (name, 0)).collect();
    for seed in 0..8_000 {
        let (program, _, _) = program_of(&grammar, seed);
        let all = replies(&program, 1, seed, Pace::OneByOne).expect("one shard answers");
        let calls = program.0.iter().filter_map(|item| match item {
            Item::Call(argv) => Some(argv),
            Item::Wait(_) => None,
        });
        for (argv, reply) in calls.zip(&all) {
            let name = String::from_utf8_lossy(&argv[0]).to_ascii_lowercase();
            let child = argv.get(1).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
            let full = child.map(|child| format!("{name}|{child}"));
            let known = full.filter(|full| good.contains_key(full)).unwrap_or(name);
            if let Some(count) = good.get_mut(&known) {
                *count += u64::from(reply[0] != b'-' && reply != b"+QUEUED\r\n");
            }
        }
    }
    let never: Vec<&str> =
        good.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name.as_str()).collect();
    let excused: Vec<&str> = NEVER_GOOD.iter().map(|(name, _)| *name).collect();
    assert_eq!(never, excused, "these never succeed; the left list is what was seen");
}
