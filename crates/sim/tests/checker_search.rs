//! The checker that tries, on histories written by hand.
//!
//! A line is a call: when it began and ended (`3..?` was never answered), the commands with `;` between
//! them, and after `->` the replies, likewise.

use stoa_resp::Value;
use stoa_sim::checker::Verdict;
use stoa_sim::checker::search::{Call, check};

fn reply(text: &str) -> Value {
    let items = |rest: &str| rest.split(' ').map(reply).collect();
    match text.as_bytes() {
        b"nil" => Value::Null,
        b"OK" => Value::Simple(b"OK".to_vec()),
        [b':', rest @ ..] => {
            Value::Int(String::from_utf8_lossy(rest).parse().expect("a number behind the colon"))
        }
        [b'[', ..] => Value::Array(items(text.trim_matches(['[', ']']))),
        [b'-', rest @ ..] => Value::Error(rest.to_vec()),
        text => Value::Bulk(text.to_vec()),
    }
}

fn verdict(text: &str) -> Verdict {
    let mut calls = Vec::new();
    for (client, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (times, rest) = line.split_once(' ').expect("times first");
        let (began, ended) = times.split_once("..").expect("two times");
        let (commands, replies) = rest.split_once(" -> ").unwrap_or((rest, ""));
        let command = |text: &str| text.split(' ').map(str::to_owned).collect();
        let ended = ended.parse().ok().map(|end| (end, replies.split("; ").map(reply).collect()));
        calls.push(Call {
            client: client as u32,
            commands: commands.split("; ").map(command).collect(),
            began: began.parse().expect("a time"),
            ended,
        });
    }
    check(&calls, 10_000)
}

#[track_caller]
fn right(text: &str) {
    let verdict = verdict(text);
    assert!(verdict.is_pass(), "{text}\n{verdict}");
}

#[track_caller]
fn wrong(text: &str) {
    let verdict = verdict(text);
    assert!(matches!(verdict, Verdict::Fail(_)), "{text}\n{verdict}");
}

#[test]
fn a_read_may_see_a_write_at_the_same_time_but_not_forget_it_again() {
    right("1..9 SET a 1 -> OK\n 2..3 GET a -> 1");
    right("1..9 SET a 1 -> OK\n 4..5 GET a -> nil");
    wrong("1..9 SET a 1 -> OK\n 2..3 GET a -> 1\n 4..5 GET a -> nil");
}

#[test]
fn a_stale_read_is_found() {
    wrong("1..2 SET a 1 -> OK\n 3..4 GET a -> nil");
}

#[test]
fn a_lost_increment_is_found() {
    wrong("1..8 INCR n -> :1\n 2..9 INCR n -> :1");
    right("1..8 INCR n -> :1\n 2..9 INCR n -> :2");
    wrong("1..8 GET n; SET n 1 -> nil; OK\n 2..9 GET n; SET n 1 -> nil; OK");
}

#[test]
fn a_call_that_was_never_answered_may_have_counted_or_not() {
    for seen in [":2", ":3"] {
        right(&format!("1..2 INCR n -> :1\n 3..? INCR n\n 4..5 INCR n -> {seen}"));
    }
    wrong("1..2 INCR n -> :1\n 3..? INCR n\n 4..5 INCR n -> :4");
    wrong("1..2 INCR n -> :2\n 3..? INCR n");
}

#[test]
fn of_two_who_set_what_was_not_there_one_wins() {
    right("1..8 SET a 1 NX -> OK\n 2..9 SET a 2 NX -> nil");
    wrong("1..8 SET a 1 NX -> OK\n 2..9 SET a 2 NX -> OK");
    wrong("1..8 SET a 1 NX -> nil\n 2..9 SET a 2 NX -> nil");
    right("1..8 GETSET a 1 -> 2\n 2..9 GETSET a 2 -> nil");
    wrong("1..8 GETSET a 1 -> 2\n 2..9 GETSET a 2 -> 1");
}

#[test]
fn torn_commands_on_several_keys_are_found() {
    wrong("1..9 MSET a 1 b 1 -> OK\n 2..3 MGET a b -> [1 nil]");
    right("1..9 MSET a 1 b 1 -> OK\n 2..3 MGET a b -> [1 1]\n 4..5 GET b -> 1");
    wrong("1..9 MSET a 1 b 1 -> OK\n 2..8 MSET a 2 b 2 -> OK\n 10..11 MGET a b -> [1 2]");
    wrong("1..2 SET a 1 -> OK\n 3..9 RENAME a b -> OK\n 4..8 MGET a b -> [nil nil]");
    wrong("1..2 SET a 1 -> OK\n 3..9 RENAME a b -> OK\n 4..8 MGET a b -> [1 1]");
    wrong("1..2 SET a 1 -> OK\n 3..8 RENAME a b -> OK\n 4..9 RENAME a c -> OK");
    right("1..2 SET a 1 -> OK\n 3..8 RENAME a b -> OK\n 4..9 RENAME a c -> -ERR no such key");
}

#[test]
fn a_write_of_what_is_there_already_may_be_needed_later() {
    right("1..5 SET a 1 -> OK\n 3..9 SET a 1 -> OK\n 4..8 GETDEL a -> 1\n 10..11 GET a -> 1");
}

#[test]
fn several_commands_may_run_as_one() {
    right("1..9 INCR a; INCR b -> :1; :1\n 2..8 MGET a b -> [1 1]");
    wrong("1..9 INCR a; INCR b -> :1; :1\n 2..8 MGET a b -> [1 nil]");
}

#[test]
fn giving_up_is_said_and_is_not_a_pass() {
    let all: Vec<String> =
        (0..20).map(|at| format!("{}..{} APPEND a {at} -> :999", at + 1, at + 100)).collect();
    assert!(matches!(verdict(&all.join("\n")), Verdict::Fail(_)));
    let all: Vec<String> =
        (0..20).map(|at| format!("{}..{} SET a {at} -> OK", at + 1, at + 100)).collect();
    let text = format!("{}\n 500..501 GET a -> 99", all.join("\n"));
    assert!(matches!(verdict(&text), Verdict::Inconclusive(_)), "{}", verdict(&text));
}
