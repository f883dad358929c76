//! What holds whatever clients do: deadlines against a plain map, commands done twice, and walks
//! while keys change. Programs are random by seed; a failure names its seed and step.

use std::collections::{BTreeMap, BTreeSet};

use stoa_stdx::Rng;

use crate::bench::Bench;

fn number(reply: &str) -> i64 {
    let digits = reply.strip_prefix("(integer) ").unwrap_or_else(|| panic!("no integer: {reply}"));
    digits.parse().expect("an integer prints as one")
}

/// The bulks of a reply, in order. Keys and values here have no quotes in them.
fn bulks(reply: &str) -> impl Iterator<Item = &str> {
    reply.split('"').skip(1).step_by(2)
}

/// Every key with when it is due: the stupid keyspace.
#[derive(Default)]
struct Model(BTreeMap<String, Option<i64>>);

impl Model {
    fn forget_due(&mut self, now: i64) {
        self.0.retain(|_, deadline| deadline.is_none_or(|deadline| now <= deadline));
    }

    /// What EXPIRE and its variants answer and do, in arithmetic that never overflows.
    fn expire(
        &mut self,
        key: &str,
        number: i64,
        form: Form,
        conditions: &[&str],
        now: i64,
    ) -> String {
        let (command, unit, base) = form.parts(now);
        let scaled = i128::from(number) * unit;
        let deadline = scaled + i128::from(base);
        let wraps = i64::try_from(scaled).is_err() || i64::try_from(deadline).is_err();
        if wraps {
            return format!("(error) ERR invalid expire time in '{command}' command");
        }
        let Some(old) = self.0.get_mut(key) else { return "(integer) 0".into() };
        // No deadline is the end of time.
        let end = old.map_or(i128::MAX, i128::from);
        let holds = conditions.iter().all(|condition| match *condition {
            "NX" => old.is_none(),
            "XX" => old.is_some(),
            "GT" => deadline > end,
            _ => deadline < end,
        });
        if !holds {
            return "(integer) 0".into();
        }
        *old = Some(deadline as i64);
        if deadline <= i128::from(now) {
            self.0.remove(key);
        }
        "(integer) 1".into()
    }
}

#[derive(Clone, Copy)]
enum Form {
    Expire,
    PExpire,
    ExpireAt,
    PExpireAt,
}

impl Form {
    /// Name, milliseconds in one, and where it counts from.
    fn parts(self, now: i64) -> (&'static str, i128, i64) {
        match self {
            Self::Expire => ("expire", 1_000, now),
            Self::PExpire => ("pexpire", 1, now),
            Self::ExpireAt => ("expireat", 1_000, 0),
            Self::PExpireAt => ("pexpireat", 1, 0),
        }
    }

    /// A number that means something here: around now, around the ends, anywhere.
    fn number(self, rng: &mut Rng, now: i64) -> i64 {
        let (_, unit, base) = self.parts(now);
        let unit = unit as i64;
        let near = (now - base) / unit;
        match rng.below(8) {
            0 => *rng.pick(&[0, 1, -1, i64::MIN, i64::MIN / 1_000, i64::MIN / 1_000 - 1]),
            1 => *rng.pick(&[i64::MAX, i64::MAX / 1_000, i64::MAX - now, i64::MAX - now + 1]),
            2 => (1 << 48) / unit - base / unit + rng.below(5) as i64 - 3,
            3 => near + rng.below(5) as i64 - 2,
            4 => near - rng.below(100_000) as i64,
            _ => near + rng.below(20_000 / unit as u64 + 3) as i64,
        }
    }
}

const FORMS: [Form; 4] = [Form::Expire, Form::PExpire, Form::ExpireAt, Form::PExpireAt];
const CONDITIONS: [&[&str]; 8] = [&[], &[], &[], &["NX"], &["XX"], &["GT"], &["LT"], &["XX", "LT"]];

fn key_of(rng: &mut Rng, keys: u64) -> String {
    format!("k{}", rng.below(keys))
}

/// One random command on both.
fn step(bench: &mut Bench, model: &mut Model, rng: &mut Rng, case: &str) {
    let now = bench.now.0 as i64;
    let (key, other) = (key_of(rng, 8), key_of(rng, 8));
    let (request, want) = match rng.below(12) {
        0 => {
            model.0.insert(key.clone(), None);
            (format!("SET {key} v"), "OK".into())
        }
        1 => {
            model.0.entry(key.clone()).or_insert(None);
            (format!("SET {key} w KEEPTTL"), "OK".into())
        }
        2 => {
            let ms = 1 + rng.below(5_000) as i64;
            model.0.insert(key.clone(), Some(now + ms));
            (format!("SET {key} v PX {ms}"), "OK".into())
        }
        3 => {
            let had = model.0.get_mut(&key).is_some_and(|deadline| deadline.take().is_some());
            (format!("PERSIST {key}"), format!("(integer) {}", u8::from(had)))
        }
        4 => {
            let had = model.0.remove(&key).is_some();
            (format!("UNLINK {key}"), format!("(integer) {}", u8::from(had)))
        }
        5 => {
            let want = match model.0.remove(&key) {
                None => "(error) ERR no such key",
                Some(deadline) => {
                    model.0.insert(other.clone(), deadline);
                    "OK"
                }
            };
            (format!("RENAME {key} {other}"), want.into())
        }
        6 if key != other => {
            let source = model.0.get(&key).copied();
            if let Some(deadline) = source {
                model.0.insert(other.clone(), deadline);
            }
            let want = format!("(integer) {}", u8::from(source.is_some()));
            (format!("COPY {key} {other} REPLACE"), want)
        }
        _ => {
            let form = *rng.pick(&FORMS);
            let conditions = *rng.pick(&CONDITIONS);
            let number = form.number(rng, now);
            let request = format!("{} {key} {number} {}", form.parts(now).0, conditions.join(" "));
            (request, model.expire(&key, number, form, conditions, now))
        }
    };
    assert_eq!(bench.run(&request), want, "{case}: {request}");
}

/// All that can be asked about when `key` is due.
fn check_deadline(bench: &mut Bench, model: &Model, key: &str, case: &str) {
    let now = bench.now.0 as i64;
    let mut ask = |command: &str| number(&bench.run(&format!("{command} {key}")));
    let got = ["EXISTS", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"].map(&mut ask);
    let want = match model.0.get(key) {
        None => [0, -2, -2, -2, -2],
        Some(None) => [1, -1, -1, -1, -1],
        Some(Some(deadline)) => {
            let left = deadline - now;
            assert!(left >= 0, "{case}: a key that is there has time left, {left}");
            let seconds = |ms: i64| ((i128::from(ms) + 500) / 1_000) as i64;
            [1, seconds(left), left, seconds(*deadline), *deadline]
        }
    };
    assert_eq!(got, want, "{case}: {key}");
}

/// Lets time pass, often to the very edge of a deadline, and the background reclaim something.
fn pass_time(bench: &mut Bench, model: &mut Model, rng: &mut Rng) {
    let now = bench.now.0 as i64;
    let next = model.0.values().flatten().min().map(|deadline| (deadline - now) as u64);
    let ms = match (rng.below(8), next) {
        (0, Some(next)) if next < 100_000 => next,
        (1, Some(next)) if next < 100_000 => next + 1,
        (2, _) => rng.below(2_000),
        _ => 0,
    };
    bench.advance(ms);
    model.forget_due(bench.now.0 as i64);
    if rng.one_in(3) {
        bench.keyspace.expire_due(bench.now, rng.below(4) as usize);
    }
}

#[test]
fn what_is_told_about_deadlines_agrees_with_a_map_and_is_never_before_now() {
    for seed in 0..60 {
        let (mut bench, mut model, mut rng) = (Bench::new(), Model::default(), Rng::new(seed));
        for number in 0..500 {
            let case = format!("seed {seed}, step {number}");
            pass_time(&mut bench, &mut model, &mut rng);
            step(&mut bench, &mut model, &mut rng, &case);
            check_deadline(&mut bench, &model, &key_of(&mut rng, 8), &case);
        }
        for key in 0..8 {
            check_deadline(&mut bench, &model, &format!("k{key}"), &format!("seed {seed}, end"));
        }
    }
}

/// All that a client can see of the keys, without touching them.
fn sight(bench: &mut Bench) -> Vec<String> {
    let mut keys: Vec<String> = bulks(&bench.run("KEYS *")).map(str::to_owned).collect();
    keys.sort();
    bench.session().no_touch = true;
    let rows = keys
        .iter()
        .map(|key| {
            let asks = ["GET", "PEXPIRETIME", "OBJECT ENCODING", "OBJECT IDLETIME"];
            let told: Vec<String> =
                asks.iter().map(|ask| bench.run(&format!("{ask} {key}"))).collect();
            format!("{key}: {}", told.join(" "))
        })
        .collect();
    bench.session().no_touch = false;
    rows
}

#[test]
fn done_twice_at_one_moment_is_as_done_once() {
    const SECOND_ANSWERS_ALIKE: [&str; 9] = [
        "SET A v PXAT T",
        "SET A 12 KEEPTTL",
        "EXPIREAT A S",
        "PEXPIREAT A T",
        "EXPIRE A 7",
        "PEXPIRE A 7000",
        "TOUCH A",
        "COPY A B REPLACE",
        "SET A v XX",
    ];
    const SECOND_FINDS_IT_DONE: [&str; 9] = [
        "DEL A",
        "UNLINK A",
        "PERSIST A",
        "RENAME A B",
        "RENAMENX A B",
        "SET A v NX",
        "PEXPIREAT A T NX",
        "PEXPIREAT A T GT",
        "PEXPIREAT A T LT",
    ];
    for seed in 0..300 {
        let (mut bench, mut model, mut rng) = (Bench::new(), Model::default(), Rng::new(seed));
        for number in 0..30 {
            pass_time(&mut bench, &mut model, &mut rng);
            step(&mut bench, &mut model, &mut rng, &format!("seed {seed}, step {number}"));
        }
        let alike = rng.one_in(2);
        let form = *rng.pick(if alike { &SECOND_ANSWERS_ALIKE } else { &SECOND_FINDS_IT_DONE });
        let a = rng.below(8);
        let b = (a + 1 + rng.below(7)) % 8;
        let deadline_ms = bench.now.0 + 1 + rng.below(10_000);
        let words = form.split(' ').map(|word| match word {
            "A" => format!("k{a}"),
            "B" => format!("k{b}"),
            "T" => deadline_ms.to_string(),
            "S" => (deadline_ms / 1_000 + 1).to_string(),
            word => word.to_owned(),
        });
        let request = words.collect::<Vec<_>>().join(" ");
        let case = format!("seed {seed}: {request}");
        let first = bench.run(&request);
        let once = sight(&mut bench);
        let dirty = bench.node.dirty;
        let second = bench.run(&request);
        assert_eq!(sight(&mut bench), once, "{case}");
        if alike {
            // A deadline that was already past removed the key.
            assert_eq!(second, first, "{case}");
        } else {
            assert_eq!(bench.node.dirty, dirty, "{case}: nothing left to change");
        }
    }
}

/// Changes some keys between two calls of a walk; those in `kept` stay.
fn disturb(bench: &mut Bench, rng: &mut Rng, kept: u64, tag: &str, churn: u64) {
    for _ in 0..rng.below(churn) {
        let n = kept + rng.below(600);
        let request = match rng.below(6) {
            0 | 1 => format!("SET {tag}{n} v"),
            2 => format!("DEL {tag}{n}"),
            3 => format!("PEXPIRE {tag}{n} {}", rng.below(50)),
            4 => format!("RENAME {tag}{n} {tag}{}", kept + rng.below(600)),
            _ => format!("SET {tag}{} {}", rng.below(kept), "w".repeat(rng.below(90) as usize)),
        };
        bench.run(&request);
    }
    bench.advance(rng.below(20));
    if rng.one_in(2) {
        bench.keyspace.expire_due(bench.now, 100);
    }
}

/// Walks from 0 to 0. Gives what was handed over, and in how many calls.
fn walk(
    bench: &mut Bench,
    options: &str,
    mut between: impl FnMut(&mut Bench),
) -> (Vec<String>, usize) {
    let (mut cursor, mut found, mut calls) = (String::from("0"), Vec::new(), 0);
    loop {
        let reply = bench.run(&format!("SCAN {cursor} {options}"));
        let mut parts = bulks(&reply).map(str::to_owned);
        cursor = parts.next().expect("a cursor comes first");
        found.extend(parts);
        calls += 1;
        if cursor == "0" {
            return (found, calls);
        }
        assert!(calls < 100_000, "the walk does not end");
        between(bench);
    }
}

#[test]
fn a_walk_gives_every_key_that_is_there_all_the_while_and_none_that_never_was() {
    // Spread over slots, and all in one, whose table grows to a node of tables.
    for tag in ["k:", "{t}"] {
        for seed in 0..25 {
            let (mut bench, mut rng) = (Bench::new(), Rng::new(seed));
            let kept = *rng.pick(&[0, 1, 30, 700]);
            for n in 0..kept {
                bench.run(&format!("SET {tag}{n} v"));
            }
            bench.run("SELECT 1");
            bench.run("SET elsewhere v");
            bench.run("SELECT 0");
            let count = *rng.pick(&[1, 2, 10, 97]);
            let (found, _) = walk(&mut bench, &format!("COUNT {count}"), |bench| {
                disturb(bench, &mut rng, kept.max(1), tag, 40);
            });
            let case = format!("tag {tag}, seed {seed}, {kept} keys, count {count}");
            let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            for n in 0..kept {
                assert!(
                    found.contains(format!("{tag}{n}").as_str()),
                    "{case}: {tag}{n} is missing"
                );
            }
            assert!(found.iter().all(|key| key.starts_with(tag)), "{case}: of another database");
        }
    }
}

#[test]
fn an_undisturbed_walk_gives_every_key_once_in_calls_of_about_the_count() {
    for tag in ["k:", "{t}"] {
        for (keys, count) in [(0, 1), (1, 1), (100, 1), (1_000, 7), (3_000, 100), (100, 100)] {
            let mut bench = Bench::new();
            for n in 0..keys {
                bench.run(&format!("SET {tag}{n} v"));
            }
            let (mut found, calls) = walk(&mut bench, &format!("COUNT {count}"), |_| {});
            found.sort();
            let mut all: Vec<String> = bulks(&bench.run("KEYS *")).map(str::to_owned).collect();
            all.sort();
            let case = format!("tag {tag}, {keys} keys, count {count}");
            assert_eq!(found.len(), keys, "{case}");
            assert_eq!(found, all, "{case}");
            assert!(calls <= keys.div_ceil(count).max(1), "{case}: {calls} calls");
        }
    }
}

#[test]
fn filters_of_a_walk_choose_what_keys_does_and_change_no_cursor() {
    let mut bench = Bench::new();
    for n in 0..500 {
        bench.run(&format!("SET k:{n} v"));
    }
    let calls = walk(&mut bench, "COUNT 9", |_| {}).1;
    for pattern in ["*", "k:*7", "k:1?", "k:[0-4]*", "none", "**"] {
        let options = format!("COUNT 9 MATCH {pattern} TYPE string");
        let (mut found, calls_filtered) = walk(&mut bench, &options, |_| {});
        let reply = bench.run(&format!("KEYS {pattern}"));
        let mut want: Vec<&str> = bulks(&reply).collect();
        want.sort_unstable();
        found.sort();
        assert_eq!(found, want, "{pattern}");
        assert_eq!(calls_filtered, calls, "{pattern}");
    }
    assert_eq!(walk(&mut bench, "COUNT 9 TYPE list", |_| {}).0, Vec::<String>::new());
}

#[test]
fn any_cursor_that_a_client_makes_up_leads_somewhere_harmless() {
    let (mut bench, mut rng) = (Bench::new(), Rng::new(1));
    for n in 0..200 {
        bench.run(&format!("SET k:{n} v"));
    }
    for step in 0..3_000 {
        let cursor = rng.next() >> rng.below(64);
        let reply = bench.run(&format!("SCAN {cursor} COUNT 3"));
        assert!(bulks(&reply).skip(1).all(|key| key.starts_with("k:")), "step {step}: {reply}");
    }
}

#[test]
fn a_random_key_is_any_live_one_and_leaves_no_trace() {
    const DRAWS: u32 = 8_000;
    let mut bench = Bench::new();
    for n in 0..80 {
        bench.run(&format!("SET k{n} v"));
    }
    for n in 0..20 {
        bench.run(&format!("SET gone{n} v PX 1000"));
    }
    bench.advance(3_000);
    let before = sight(&mut bench);
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..DRAWS {
        let reply = bench.run("RANDOMKEY");
        *drawn.entry(bulks(&reply).next().expect("a key").to_owned()).or_default() += 1;
    }
    assert_eq!(drawn.len(), 80, "each live key, and no other");
    // A hundred of each is expected; six standard deviations around it.
    for (key, times) in drawn {
        assert!((40..=160).contains(&times), "{key} {times} times");
    }
    assert_eq!(sight(&mut bench), before);
}

#[test]
fn the_last_live_key_is_found_among_any_number_of_expired_ones() {
    let mut bench = Bench::new();
    for n in 0..2_000 {
        bench.run(&format!("SET gone{n} v PX 1"));
    }
    bench.run("SET here v");
    bench.advance(2);
    assert_eq!(bench.run("RANDOMKEY"), "\"here\"");
}
