//! cjson, cmsgpack, struct and bit against the reference: random calls and what they answered there.
//!
//! A line of `reference/libraries.tsv` is a script and its reply as Redis 7.0.15 gave it, bytes that do
//! not print escaped. `@` in front stands for `reference/show.lua`, which writes any value as text.

use crate::stub::{Stub, scripting};
use stoa_scripting::{Item, Tape};

const CALLS: &str = include_str!("reference/libraries.tsv");
const SHOW: &str = include_str!("reference/show.lua");

#[test]
fn random_calls_answer_what_they_answer_in_the_reference() {
    let mut scripting = scripting();
    let mut wrong = Vec::new();
    for line in CALLS.lines() {
        let (script, wanted) = line.split_once('\t').expect("a script and its reply");
        let text = script.replacen('@', SHOW, 1);
        let text = if script.starts_with('@') { text } else { script.to_owned() };
        let got = answer(&mut scripting, &text);
        if got != wanted {
            wrong.push(format!("{script}\n  wanted {wanted}\n  got    {got}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

fn answer(scripting: &mut stoa_scripting::Scripting, text: &str) -> String {
    let found = scripting.script(text.as_bytes()).expect("it compiled there");
    let mut tape = Tape::default();
    scripting.run(&found, &[], &[], &mut Stub::default(), &mut tape);
    let (sign, bytes) = match tape.read().item().expect("it answers") {
        Item::Bulk(bytes) => ("", bytes.to_vec()),
        Item::Int(value) => (":", value.to_string().into_bytes()),
        Item::Error(text) => {
            let end = text.windows(9).position(|part| part == b" script: ");
            ("-", text[..end.unwrap_or(text.len())].to_vec())
        }
        other => panic!("{text}: {other:?}"),
    };
    let shown = |byte: &u8| match byte {
        b'\\' => "\\x5c".to_owned(),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    format!("{sign}{}", bytes.iter().map(shown).collect::<String>())
}
