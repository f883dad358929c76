//! What clients see of single keys, and of keys that several shards must agree on, fits one order.

use std::collections::BTreeMap;

use stoa_resp::decode;
use stoa_sim::checker::search::{Call, check};
use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const SHARDS: [u16; 6] = [1, 2, 3, 5, 8, 16];
const STEPS_MAX: u64 = 1_000_000;
const PLACES_MAX: usize = 1_000_000;

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("STOA_SIM_TIMES").ok().and_then(|times| times.parse().ok());
    0..count * times.unwrap_or(1)
}

fn world(seed: u64) -> World {
    World::new(&Options::rough(SHARDS[(seed % SHARDS.len() as u64) as usize], seed))
}

fn random_command(rng: &mut Rng, key: &str) -> Vec<String> {
    let value = rng.below(100).to_string();
    let words: &[&str] = match rng.below(10) {
        0..4 => &["GET", key],
        4 => &["SET", key, &value],
        5 => &["SET", key, &value, "NX"],
        6 => &["GETSET", key, &value],
        7 => &["GETDEL", key],
        8 => &["APPEND", key, "7"],
        _ => &["INCR", key],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A client that waits for each reply before it asks again.
struct Asker {
    id: ClientId,
    /// Key and number of the call it waits for.
    waits: Option<(&'static str, usize)>,
}

/// What several clients do with a few keys; by key.
fn history(seed: u64) -> BTreeMap<&'static str, Vec<Call>> {
    const KEYS: [&str; 3] = ["a", "b", "{a}c"];
    let mut rng = Rng::new(seed ^ 0xabcd);
    let mut world = world(seed);
    let mut calls: BTreeMap<&str, Vec<Call>> = KEYS.iter().map(|key| (*key, Vec::new())).collect();
    let mut askers: Vec<Asker> =
        (0..5).map(|_| Asker { id: world.connect(), waits: None }).collect();
    let mut left = 80;
    while left > 0 || askers.iter().any(|asker| asker.waits.is_some()) {
        assert!(world.steps() < STEPS_MAX, "seed {seed}: nobody gets on");
        let at = rng.below(askers.len() as u64) as usize;
        let asker = &mut askers[at];
        let now = world.steps();
        if let Some((key, number)) = asker.waits {
            if let Some(reply) = world.next_reply(asker.id) {
                let (reply, _) = decode(&reply).expect("a reply").expect("all of it");
                calls.get_mut(key).expect("a key")[number].ended = Some((now, vec![reply]));
                asker.waits = None;
            } else if rng.one_in(400) {
                // It may have happened or not: nobody will know.
                world.disconnect(asker.id);
                *asker = Asker { id: world.connect(), waits: None };
            }
        } else if left > 0 && rng.one_in(3) {
            let key = *rng.pick(&KEYS);
            let of_key = calls.get_mut(key).expect("a key");
            let command = random_command(&mut rng, key);
            world.call(asker.id, &command);
            asker.waits = Some((key, of_key.len()));
            let (client, commands) = (asker.id.0 as u32, vec![command]);
            of_key.push(Call { client, commands, began: now, ended: None });
            left -= 1;
        }
        world.step();
    }
    calls
}

#[test]
fn single_keys_behave_as_if_one_thread_served_everybody() {
    for seed in seeds(400) {
        for (key, calls) in history(seed) {
            let verdict = check(&calls, PLACES_MAX);
            assert!(verdict.is_pass(), "seed {seed}, key {key}: {verdict}");
        }
    }
}

fn number_in(reply: &[u8]) -> i64 {
    let line = reply.strip_prefix(b":").and_then(|line| line.strip_suffix(b"\r\n"));
    line.and_then(stoa_command::parse_int).expect("an integer reply")
}

#[test]
fn no_increment_is_lost_and_none_counts_twice() {
    for seed in seeds(60) {
        let mut rng = Rng::new(seed);
        let mut world = world(seed);
        let keys = ["n", "m", "{n}o"];
        let clients: Vec<ClientId> = (0..6).map(|_| world.connect()).collect();
        let mut asked: Vec<Vec<&str>> = vec![Vec::new(); clients.len()];
        for _ in 0..200 {
            let at = rng.below(clients.len() as u64) as usize;
            let key = *rng.pick(&keys);
            world.call(clients[at], &["INCR", key]);
            asked[at].push(key);
            world.run(rng.below(4));
        }
        assert!(world.settle(STEPS_MAX), "seed {seed}");
        let mut seen: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (client, asked) in clients.iter().zip(&asked) {
            let mut last: BTreeMap<&str, i64> = BTreeMap::new();
            for key in asked {
                let reply = world.next_reply(*client);
                let number = number_in(&reply.unwrap_or_else(|| panic!("seed {seed}: no reply")));
                let before = last.insert(key, number).unwrap_or(0);
                assert!(before < number, "seed {seed}: {key} went from {before} to {number}");
                seen.entry(key).or_default().push(number);
            }
        }
        for (key, mut numbers) in seen {
            numbers.sort_unstable();
            let all: Vec<i64> = (1..=numbers.len() as i64).collect();
            assert_eq!(numbers, all, "seed {seed}: {key}");
        }
    }
}

/// Clients that set overlapping groups of keys, all or none, with their own number as value.
#[test]
fn of_overlapping_groups_set_together_winners_win_whole_and_losers_lose_to_somebody() {
    const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "{a}x", "{b}x"];
    for seed in seeds(300) {
        let mut rng = Rng::new(seed);
        let mut world = world(seed);
        let count = if seed % 50 == 0 { 300 } else { 12 };
        let mut groups: Vec<(ClientId, Vec<&str>)> = Vec::new();
        for number in 0..count {
            let client = world.connect();
            let mut keys: Vec<&str> = KEYS.to_vec();
            for at in (1..keys.len()).rev() {
                keys.swap(at, rng.below(at as u64 + 1) as usize);
            }
            keys.truncate(2 + rng.below(6) as usize);
            let mut argv = vec!["MSETNX".to_owned()];
            keys.iter().for_each(|key| argv.extend([(*key).to_owned(), number.to_string()]));
            world.call(client, &argv);
            groups.push((client, keys));
            world.run(rng.below(8));
        }
        assert!(world.settle(STEPS_MAX), "seed {seed}: no rest");
        let mut holder: BTreeMap<&str, usize> = BTreeMap::new();
        let mut lost = Vec::new();
        for (number, (client, keys)) in groups.iter().enumerate() {
            let reply = world.next_reply(*client);
            match number_in(&reply.unwrap_or_else(|| panic!("seed {seed}: {number} waits"))) {
                1 => {
                    for key in keys {
                        let other = holder.insert(key, number);
                        assert_eq!(other, None, "seed {seed}: {key} has two winners");
                    }
                }
                _ => lost.push(keys),
            }
        }
        for keys in lost {
            let beaten = keys.iter().any(|key| holder.contains_key(key));
            assert!(beaten, "seed {seed}: nobody stood in the way of {keys:?}");
        }
        let client = world.connect();
        for key in KEYS {
            world.call(client, &["GET", key]);
            assert!(world.settle(STEPS_MAX), "seed {seed}: no rest");
            let want = holder.get(key).map_or_else(
                || "$-1\r\n".to_owned(),
                |number| format!("${}\r\n{number}\r\n", number.to_string().len()),
            );
            let got = world.next_reply(client).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&got), want, "seed {seed}: {key}");
        }
    }
}

/// Clients that move values from key to key, never onto another, while some leave in the middle.
#[test]
fn a_value_moved_between_shards_is_neither_lost_nor_doubled() {
    const PLACES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "{a}x", "{b}x"];
    const VALUES: usize = 5;
    for seed in seeds(200) {
        let mut rng = Rng::new(seed);
        let mut world = world(seed);
        let first = world.connect();
        for (number, place) in PLACES.iter().enumerate().take(VALUES) {
            world.call(first, &["SET", place, &format!("v{number}"), "EX", "1000"]);
        }
        assert!(world.settle(STEPS_MAX), "seed {seed}: no rest");
        let mut clients: Vec<ClientId> = (0..8).map(|_| world.connect()).collect();
        for _ in 0..200 {
            let at = rng.below(clients.len() as u64) as usize;
            if rng.one_in(20) {
                world.disconnect(clients[at]);
                clients[at] = world.connect();
            }
            let [from, to] = [0; 2].map(|_| *rng.pick(&PLACES));
            world.call(clients[at], &["RENAMENX", from, to]);
            world.run(rng.below(12));
        }
        assert!(world.settle(STEPS_MAX), "seed {seed}: no rest");
        let mut found = Vec::new();
        let last = world.connect();
        for place in PLACES {
            world.call(last, &["GETDEL", place]);
            assert!(world.settle(STEPS_MAX), "seed {seed}: {place} never comes");
            let value = world.next_reply(last).unwrap_or_default();
            if value != b"$-1\r\n" {
                found.push(String::from_utf8_lossy(&value).into_owned());
            }
        }
        found.sort();
        let want: Vec<String> = (0..VALUES).map(|number| format!("$2\r\nv{number}\r\n")).collect();
        assert_eq!(found, want, "seed {seed}");
    }
}
