//! The checker of transactions, on histories written by hand: what is right passes, and every way to
//! be wrong that has a name is found under it.
//!
//! A line is a transaction: when it began and ended (`3..!` was refused, `3..?` was never answered),
//! then its operations. `x+1` appends 1 to the list x, `x=12` reads 1 and 2 of it, `x=` nothing;
//! `r:1` sets the register r, `r?1` reads it, `r?` finds nothing.

use std::collections::BTreeMap;

use stoa_resp::Value;
use stoa_sim::checker::{History, Key, Kind, Lists, Op, Outcome, Txn, Verdict, serial};

fn history(text: &str) -> History {
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    let mut history = History::default();
    for (client, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let mut words = line.split_whitespace();
        let (began, ended) = words.next().and_then(|word| word.split_once("..")).expect("times");
        let outcome = match ended {
            "!" => Outcome::Refused,
            "?" => Outcome::Unknown,
            _ => Outcome::Done,
        };
        let ops = words.map(|word| {
            let at = word.find(['+', '=', ':', '?']).expect("an operation");
            let (name, how, rest) = (&word[..at], word.as_bytes()[at], &word[at + 1..]);
            let next = Key(keys.len() as u32);
            let key = *keys.entry(name.to_owned()).or_insert(next);
            let number = || rest.parse().expect("a number");
            match how {
                b'+' => Op::Append(key, number()),
                b'=' => Op::ReadList(key, rest.bytes().map(|b| u64::from(b - b'0')).collect()),
                b':' => Op::Write(key, number()),
                _ => Op::Read(key, rest.parse().ok()),
            }
        });
        let ops = ops.collect();
        let (began, ended) = (began.parse().expect("a time"), ended.parse().unwrap_or(0));
        let (client, label) = (client as u32, line.to_owned());
        history.txns.push(Txn { client, label, began, ended, outcome, ops });
    }
    history.keys = vec![String::new(); keys.len()];
    keys.into_iter().for_each(|(name, key)| history.keys[key.0 as usize] = name);
    history
}

fn verdict(text: &str) -> Verdict {
    serial::check(&history(text))
}

#[track_caller]
fn right(text: &str) {
    let verdict = verdict(text);
    assert!(verdict.is_pass(), "{text}\n{verdict}");
}

#[track_caller]
fn wrong(kind: Kind, text: &str) {
    let verdict = verdict(text);
    assert!(verdict.kinds().contains(&kind), "{kind:?} expected:\n{text}\n{verdict}");
}

#[test]
fn what_one_thread_could_have_done_passes() {
    right("");
    right("1..2 x+1\n 3..4 x=1\n 5..6 x+2 x=12\n 7..8 x=12");
    right("1..9 x+1 y+2\n 2..8 x= y=\n 3..10 x=1 y=2");
    right("1..9 r:1 s:2\n 2..8 r? s?\n 3..10 r?1 s?2");
    right("1..2 r:1\n 3..9 r:2\n 4..8 r:3\n 10..11 r?2\n 12..13 r?2");
    right("1..2 r? r:1 r?1\n 3..4 r?1 r:2\n 5..6 r?2");
    right("1..9 r? s:1\n 2..8 s?1 r:2");
}

#[test]
fn at_the_same_time_either_order_will_do() {
    right("1..9 x+1\n 2..8 x+2\n 10..11 x=12");
    right("1..9 x+1\n 2..8 x+2\n 10..11 x=21");
    right("1..9 r:1\n 2..8 r:2\n 10..11 r?1\n 12..13 r?1");
}

#[test]
fn what_was_never_answered_may_have_happened_or_not() {
    right("1..? x+1 y+2\n 3..4 x=\n 5..6 x=1\n 7..8 y=2");
    right("1..? x+1\n 3..4 x=\n 5..6 x=");
    right("1..? r:1 s:2\n 3..4 r?\n 5..6 r?1 s?2");
    // But not by half.
    wrong(Kind::GSingle, "1..? x+1 y+2\n 3..4 x=1 y=");
    wrong(Kind::GSingle, "1..? r:1 s:2\n 3..4 r?1 s?");
    // And not before it began.
    wrong(Kind::RealTime, "1..2 x=1\n 3..? x+1");
}

#[test]
fn values_that_nobody_can_have_seen_are_found() {
    wrong(Kind::Garbage, "1..2 x=7");
    wrong(Kind::Garbage, "1..2 r?7");
    wrong(Kind::Aborted, "1..! x+1\n 3..4 x=1");
    wrong(Kind::Aborted, "1..! r:1\n 3..4 r?1");
    wrong(Kind::Intermediate, "1..9 x+1 x+2\n 2..8 x=1\n 10..11 x=12");
    wrong(Kind::Intermediate, "1..9 r:1 r:2\n 2..8 r?1");
    right("1..! x+1 r:2\n 3..4 x= r?");
}

#[test]
fn lists_that_lose_double_or_disagree_are_found() {
    wrong(Kind::Lost, "1..2 x+1\n 3..4 x+2\n 5..6 x=2");
    wrong(Kind::Duplicate, "1..2 x+1\n 3..4 x=11");
    wrong(Kind::Incompatible, "1..9 x+1\n 2..8 x+2\n 3..7 x=12\n 4..6 x=2");
    wrong(Kind::Internal, "1..2 x+1 x=");
    wrong(Kind::Internal, "1..2 x= x=7\n 1..9 x+7");
    wrong(Kind::Internal, "1..2 r:1 r?2\n 1..9 r:2");
}

#[test]
fn writes_in_a_circle_are_found() {
    wrong(Kind::G0, "1..9 x+1 y+2\n 2..8 x+3 y+4\n 10..11 x=13\n 12..13 y=42");
}

#[test]
fn reads_of_each_others_writes_are_found() {
    wrong(Kind::G1c, "1..9 x+1 y=2\n 2..8 y+2 x=1");
    wrong(Kind::G1c, "1..9 r:1 s?2\n 2..8 s:2 r?1");
}

#[test]
fn half_seen_transactions_and_lost_updates_are_found() {
    wrong(Kind::GSingle, "1..9 x+1 y+2\n 2..8 x=1 y=");
    wrong(Kind::GSingle, "1..9 r:1 s:2\n 2..8 r?1 s?");
    wrong(Kind::GSingle, "1..9 x= x+1\n 2..8 x= x+2\n 10..11 x=12");
    wrong(Kind::G2, "1..9 r? r:1\n 2..8 r? r:2");
}

#[test]
fn a_write_of_several_registers_torn_by_another_is_found_by_the_clock() {
    // Each register alone is in order, but x says that the second came last, and y the first.
    wrong(Kind::G0, "1..9 x:1 y:2\n 2..8 x:3 y:4\n 10..11 x?3 y?2");
    right("1..9 x:1 y:2\n 2..8 x:3 y:4\n 10..11 x?3 y?4");
}

#[test]
fn write_skew_and_long_forks_are_found() {
    wrong(Kind::G2, "1..9 x= y+1\n 2..8 y= x+2\n 10..11 x=2 y=1");
    wrong(Kind::G2, "1..9 x+1\n 2..8 y+2\n 3..7 x=1 y=\n 4..6 x= y=2");
    wrong(Kind::G2, "1..9 r? s:1\n 2..8 s? r:2");
}

#[test]
fn a_stale_read_is_found_only_by_the_clock() {
    wrong(Kind::RealTime, "1..2 x+1\n 3..4 x=\n 5..6 x=1");
    wrong(Kind::Register, "1..2 r:1\n 3..4 r?");
    wrong(Kind::Register, "1..2 r:1\n 3..4 r:2\n 5..6 r?1");
    wrong(Kind::Register, "1..9 r:1\n 2..3 r?1\n 4..5 r?\n 10..11 r?1");
    // Two keys, each in order by itself.
    wrong(Kind::RealTime, "1..2 x+1\n 3..4 y+2\n 1..9 x= y=2");
}

#[test]
fn the_shortest_circle_is_told_with_all_who_stand_in_it() {
    let text = "1..99 x+1 y+2\n 2..98 x=1 y=\n 3..97 z+3\n 4..96 z=3 x=";
    let told = verdict(text).to_string();
    assert!(told.contains("x+1 y+2") && told.contains("x=1 y="), "{told}");
    assert!(told.contains("wrote what T1 read of x"), "{told}");
    assert!(told.contains("did not see what T0 wrote to y"), "{told}");
    assert!(!told.contains("z+3"), "{told}");
}

#[test]
fn a_long_history_needs_no_deep_stack_and_no_square_of_its_length() {
    let mut history = History { keys: vec!["x".to_owned(), "r".to_owned()], txns: Vec::new() };
    for at in 0..100_000_u64 {
        let (began, ended) = (at * 2 + 1, at * 2 + 9);
        let ops = vec![Op::Append(Key(0), at), Op::Write(Key(1), at)];
        let (client, label) = (at as u32, String::new());
        let outcome = Outcome::Done;
        history.txns.push(Txn { client, label, began, ended, outcome, ops });
    }
    let ops = vec![Op::ReadList(Key(0), (0..100_000).collect()), Op::Read(Key(1), Some(99_999))];
    let (client, label, began, ended) = (0, String::new(), 300_000, 300_001);
    history.txns.push(Txn { client, label, began, ended, outcome: Outcome::Done, ops });
    assert!(serial::check(&history).is_pass());
    // The last two in the other order: the read saw neither of them last.
    let last = history.txns.len() - 1;
    history.txns[last].ops[1] = Op::Read(Key(1), Some(5));
    assert!(!serial::check(&history).is_pass());
}

#[test]
fn both_ways_to_keep_a_list_are_read_back() {
    assert_eq!(Lists::Text.decode(&Value::Null), Some(vec![]));
    let text = Value::Bulk(b"00000000010000000002".to_vec());
    assert_eq!(Lists::Text.decode(&text), Some(vec![1, 2]));
    assert_eq!(Lists::Text.append("k", 1)[2].len(), 10);
    let list = Value::Array(vec![Value::Bulk(b"0000000007".to_vec())]);
    assert_eq!(Lists::List.decode(&list), Some(vec![7]));
    assert_eq!(Lists::List.decode(&Value::Error(b"WRONGTYPE".to_vec())), None);
}
