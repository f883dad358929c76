//! Channels over shards: one order for all, counts that are true, confirmations before messages, and the
//! number of shards never shows.

use stoa_resp::{Value, decode};
use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const STEPS_MAX: u64 = 1_000_000;
const SHARDS: [u16; 5] = [1, 2, 3, 5, 8];

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("STOA_SIM_TIMES").ok().and_then(|times| times.parse().ok());
    0..count * times.unwrap_or(1)
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(items) | Value::Push(items) => {
            items.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Simple(text) => String::from_utf8_lossy(text.as_ref()).into_owned(),
        Value::Error(text) => String::from_utf8_lossy(text.as_ref()).into_owned(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// All that came to a client since the last time, a line each.
fn heard(world: &mut World, client: ClientId) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(raw) = world.next_reply(client) {
        let (value, len) = decode(&raw).expect("a reply").expect("a whole one");
        assert_eq!(len, raw.len());
        all.push(text(&value));
    }
    all
}

fn settle(world: &mut World, at: &str) {
    assert!(world.settle(STEPS_MAX), "{at}: no rest");
}

/// A client that speaks RESP3 every other time.
fn connect(world: &mut World, rng: &mut Rng) -> ClientId {
    let client = world.connect();
    if rng.one_in(2) {
        world.call(client, &["HELLO", "3"]);
        assert!(world.settle(STEPS_MAX));
        world.next_reply(client).expect("HELLO is answered");
    }
    client
}

/// What a line says of a message: its channel and payload, whatever it came by.
fn message(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["message" | "smessage", channel, payload] => Some(format!("{channel} {payload}")),
        ["pmessage", _, channel, payload] => Some(format!("{channel} {payload}")),
        _ => None,
    }
}

#[test]
fn everybody_hears_everything_in_one_order_and_is_counted() {
    for seed in seeds(120) {
        let at = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut world = World::new(&Options::rough(*rng.pick(&SHARDS), seed));
        let channels = ["a", "b", "ab", "c"];
        let wholes: Vec<ClientId> = (0..3).map(|_| connect(&mut world, &mut rng)).collect();
        let some: Vec<ClientId> = (0..4).map(|_| connect(&mut world, &mut rng)).collect();
        for client in &wholes {
            world.call(*client, &["PSUBSCRIBE", "*"]);
        }
        let mut wanted: Vec<Vec<&str>> = Vec::new();
        for client in &some {
            let mine: Vec<&str> = channels.into_iter().filter(|_| rng.one_in(2)).collect();
            for channel in &mine {
                world.call(*client, &["SUBSCRIBE", channel]);
            }
            wanted.push(mine);
        }
        settle(&mut world, &at);
        wholes.iter().chain(&some).for_each(|client| drop(heard(&mut world, *client)));
        let tellers: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
        let mut said: Vec<Vec<String>> = vec![Vec::new(); tellers.len()];
        for number in 0..60 {
            let teller = rng.below(tellers.len() as u64) as usize;
            let (channel, payload) = (*rng.pick(&channels), format!("{teller}.{number}"));
            world.call(tellers[teller], &["PUBLISH", channel, &payload]);
            said[teller].push(format!("{channel} {payload}"));
            world.run(rng.below(10));
        }
        settle(&mut world, &at);
        let whole: Vec<String> =
            heard(&mut world, wholes[0]).iter().filter_map(|line| message(line)).collect();
        assert_eq!(whole.len(), 60, "{at}");
        for other in &wholes[1..] {
            let other: Vec<String> =
                heard(&mut world, *other).iter().filter_map(|line| message(line)).collect();
            assert_eq!(other, whole, "{at}");
        }
        for (client, mine) in some.iter().zip(&wanted) {
            let got: Vec<String> =
                heard(&mut world, *client).iter().filter_map(|line| message(line)).collect();
            let wants =
                |line: &&String| mine.iter().any(|one| line.starts_with(&format!("{one} ")));
            let want: Vec<String> = whole.iter().filter(wants).cloned().collect();
            assert_eq!(got, want, "{at}");
        }
        for (teller, said) in tellers.iter().zip(&said) {
            let mark =
                format!(" {}.", tellers.iter().position(|one| one == teller).expect("there"));
            let got: Vec<String> =
                whole.iter().filter(|line| line.contains(&mark)).cloned().collect();
            assert_eq!(got, *said, "{at}: in the order it was said");
            let counts = heard(&mut world, *teller);
            for (line, count) in said.iter().zip(counts) {
                let channel = line.split(' ').next().expect("a channel");
                let listeners = wanted.iter().filter(|mine| mine.contains(&channel)).count();
                assert_eq!(count, (listeners + wholes.len()).to_string(), "{at}: {line}");
            }
        }
    }
}

#[test]
fn who_was_told_that_a_message_is_out_finds_it_there() {
    for seed in seeds(150) {
        let at = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut world = World::new(&Options::rough(*rng.pick(&SHARDS), seed));
        let [listener, teller] = [0; 2].map(|_| world.connect());
        let verbs =
            [("SUBSCRIBE", "PUBLISH"), ("PSUBSCRIBE", "PUBLISH"), ("SSUBSCRIBE", "SPUBLISH")];
        let (listen, tell) = *rng.pick(&verbs);
        world.call(listener, &[listen, "c"]);
        let reply = await_reply(&mut world, listener, &at);
        assert!(reply.starts_with(&listen.to_ascii_lowercase()), "{at}: {reply}");
        // From its confirmation on the listener counts, wherever the teller is.
        world.call(teller, &[tell, "c", "news"]);
        assert_eq!(await_reply(&mut world, teller, &at), "1", "{at}");
        // What the listener asks after that is answered behind the message.
        world.call(listener, &["PING", "now"]);
        settle(&mut world, &at);
        let lines = heard(&mut world, listener);
        assert_eq!(lines.len(), 2, "{at}: {lines:?}");
        assert!(lines[0].ends_with("c news") && lines[1] == "pong now", "{at}: {lines:?}");
        // And from the end of its subscription on it does not count.
        let end = format!("{}UN{}", &listen[..listen.len() - 9], "SUBSCRIBE");
        world.call(listener, &[end.as_str()]);
        await_reply(&mut world, listener, &at);
        world.call(teller, &[tell, "c", "more"]);
        assert_eq!(await_reply(&mut world, teller, &at), "0", "{at}");
    }
}

fn await_reply(world: &mut World, client: ClientId, at: &str) -> String {
    for _ in 0..STEPS_MAX {
        if let Some(raw) = world.next_reply(client) {
            return text(&decode(&raw).expect("a reply").expect("a whole one").0);
        }
        world.step();
    }
    panic!("{at}: no reply");
}

/// A program about channels for one client, with a word about keys now and then if so wished.
fn program(rng: &mut Rng, keys: bool) -> Vec<Vec<String>> {
    let names = ["a", "b", "a*", "?", "__key*"];
    let mut all = Vec::new();
    for number in 0..30 {
        let name = (*rng.pick(&names)).to_owned();
        let other = (*rng.pick(&names)).to_owned();
        let say = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        if rng.one_in(12) {
            let script = "return redis.call('PUBLISH', ARGV[1], 'from a script')";
            let key = if keys { vec!["1", &other] } else { vec!["0"] };
            all.push(say(&[&["EVAL", script][..], &key, &[&name]].concat()));
            continue;
        }
        if rng.one_in(6) {
            all.push(say(&["MULTI"]));
            all.push(say(&["PUBLISH", &name, "in"]));
            all.push(say(&["SUBSCRIBE", &other]));
            if keys {
                all.push(say(&["SET", &name, "in"]));
                all.push(say(&["SET", &other, "in"]));
            }
            all.push(say(&["PUBLISH", &other, "out"]));
            all.push(say(&["EXEC"]));
            continue;
        }
        all.push(match rng.below(if keys { 19 } else { 16 }) {
            0 | 1 => say(&["SUBSCRIBE", &name, &other]),
            2 => say(&["PSUBSCRIBE", &name]),
            3 => say(&["SSUBSCRIBE", &name]),
            4 => say(&["UNSUBSCRIBE", &name, &other]),
            5 => say(&[*rng.pick(&["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"])]),
            6 => say(&["PUBSUB", "NUMSUB", &name, &other]),
            7 => say(&["PUBSUB", *rng.pick(&["CHANNELS", "SHARDCHANNELS", "NUMPAT"])]),
            8 => say(&["SPUBLISH", &name, &number.to_string()]),
            9 => say(&["PING"]),
            10 if rng.one_in(4) => say(&["RESET"]),
            16 => say(&["SET", &name, "1"]),
            17 => say(&["DEL", &name, &other]),
            18 => say(&["RENAME", &name, &other]),
            10 => say(&["CLIENT", "REPLY", *rng.pick(&["ON", "SKIP"])]),
            _ => say(&["PUBLISH", &name, &number.to_string()]),
        });
    }
    all
}

#[test]
fn what_a_client_hears_of_itself_is_the_same_on_any_number_of_shards() {
    for seed in seeds(150) {
        let run = |shards: u16, pipelined: bool| {
            // A pipeline that changes keys of other shards may go on before they have changed, and
            // unsubscribe before it is told.
            let program = program(&mut Rng::new(seed), !pipelined);
            let mut options = Options::rough(shards, seed);
            options.directives.push(("notify-keyspace-events", "KEA"));
            let mut world = World::new(&options);
            let client = world.connect();
            if seed % 3 > 0 {
                world.call(client, &["HELLO", "3"]);
                settle(&mut world, "hello");
                world.next_reply(client).expect("HELLO is answered");
            }
            for argv in &program {
                world.call(client, argv);
                if !pipelined {
                    settle(&mut world, &format!("seed {seed}"));
                }
            }
            settle(&mut world, &format!("seed {seed}"));
            heard(&mut world, client)
        };
        for pipelined in [false, true] {
            let one = run(1, pipelined);
            for shards in &SHARDS[1..] {
                assert_eq!(run(*shards, pipelined), one, "seed {seed}, {shards} shards");
            }
        }
    }
}

#[test]
fn events_of_keys_are_heard_in_the_order_in_which_they_were_asked_for() {
    for seed in seeds(80) {
        let mut rng = Rng::new(seed);
        let keys = ["a", "b", "c", "d", "e"];
        let program: Vec<Vec<String>> = (0..40)
            .map(|_| {
                let (key, other) = (*rng.pick(&keys), *rng.pick(&keys));
                let words: &[&str] = match rng.below(12) {
                    0 => &["SET", key, "1"],
                    9 => &["MSET", key, "1", other, "2", "a", "3"],
                    10 => &["DEL", key, other, "b", "c"],
                    11 => &["MGET", key, other, "d"],
                    1 => &["SET", key, "1", "PX", "5"],
                    2 => &["RENAME", key, other],
                    3 => &["COPY", key, other, "REPLACE"],
                    4 => &["DEL", key],
                    5 => &["GET", key],
                    6 => &["APPEND", key, "2"],
                    7 => &["MSETNX", key, "1", other, "2"],
                    _ => &["EXPIRE", key, "-1"],
                };
                words.iter().map(|word| (*word).to_owned()).collect()
            })
            .collect();
        let run = |shards: u16| {
            let mut options = Options::calm(shards, seed);
            options.directives.push(("notify-keyspace-events", "KEAnm"));
            let mut world = World::new(&options);
            let [listener, one, other] = [0; 3].map(|_| world.connect());
            world.call(listener, &["PSUBSCRIBE", "__key*"]);
            // What is due goes when somebody looks: when a shard gets round to it is its own affair.
            world.call(one, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
            settle(&mut world, "subscribe");
            heard(&mut world, one);
            for (number, argv) in program.iter().enumerate() {
                // By its reply the event is out: nobody waits for the listener.
                let client = if number % 2 == 0 { one } else { other };
                world.advance(number as u64 % 3);
                world.call(client, argv);
                await_reply(&mut world, client, &format!("seed {seed}"));
            }
            settle(&mut world, "end");
            heard(&mut world, listener)
        };
        let one = run(1);
        for shards in &SHARDS[1..] {
            assert_eq!(run(*shards), one, "seed {seed}, {shards} shards: {program:?}");
        }
    }
}

#[test]
fn who_leaves_is_not_counted_any_more() {
    for seed in seeds(60) {
        let at = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut world = World::new(&Options::rough(*rng.pick(&SHARDS), seed));
        let asker = world.connect();
        for _ in 0..5 {
            let leaver = world.connect();
            for channel in ["x", "y"] {
                world.call(leaver, &["SUBSCRIBE", channel]);
                world.call(leaver, &["PSUBSCRIBE", "p*"]);
                world.call(leaver, &["SSUBSCRIBE", channel]);
            }
            world.run(rng.below(30));
            world.call(asker, &["PUBLISH", "x", "m"]);
            world.run(rng.below(10));
            match rng.below(3) {
                0 => world.disconnect(leaver),
                1 => world.end(leaver),
                _ => world.call(leaver, &["QUIT"]),
            }
        }
        settle(&mut world, &at);
        heard(&mut world, asker);
        for words in [["PUBSUB", "CHANNELS"], ["PUBSUB", "SHARDCHANNELS"], ["PUBSUB", "NUMPAT"]] {
            world.call(asker, &words);
        }
        settle(&mut world, &at);
        assert_eq!(heard(&mut world, asker), ["", "", "0"], "{at}");
    }
}

#[test]
fn a_listener_that_does_not_read_is_closed_at_the_limit_of_its_class() {
    for seed in seeds(30) {
        let at = format!("seed {seed}");
        let mut options = Options::rough(1 + (seed % 4) as u16, seed);
        options.directives.push(("client-output-buffer-limit", "pubsub 65536 0 0"));
        let mut world = World::new(&options);
        let [deaf, keen, teller] = [0; 3].map(|_| world.connect());
        for listener in [deaf, keen] {
            world.call(listener, &["SUBSCRIBE", "c"]);
        }
        settle(&mut world, &at);
        world.set_reads(deaf, false);
        for _ in 0..40 {
            world.call(teller, &["PUBLISH", "c", &"x".repeat(10_000)]);
            settle(&mut world, &at);
        }
        assert!(world.is_closed(deaf), "{at}: still there");
        assert_eq!(heard(&mut world, keen).len(), 41, "{at}");
        assert_eq!(heard(&mut world, teller).last().map(String::as_str), Some("1"), "{at}");
    }
}
