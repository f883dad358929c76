//! Client-side caching over shards: no client keeps a value that is not the key's any more, and what
//! clients are told does not tell how many shards there are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stoa_resp::{Value, decode};
use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const STEPS_MAX: u64 = 2_000_000;
const SHARDS: [u16; 5] = [1, 2, 3, 5, 8];
const STRINGS: [&str; 6] = ["a1", "a2", "b1", "b2", "a3", "c"];
const LISTS: [&str; 3] = ["al", "bl", "l"];

#[expect(clippy::disallowed_methods, reason = "the nightly run says so from outside")]
fn seeds(count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("STOA_SIM_TIMES").ok().and_then(|times| times.parse().ok());
    0..count * times.unwrap_or(1)
}

fn settle(world: &mut World, at: &str) {
    assert!(world.settle(STEPS_MAX), "{at}: no rest");
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(items) | Value::Push(items) | Value::Set(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" "))
        }
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("{}={}", text(key), text(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(" "))
        }
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Simple(text) => String::from_utf8_lossy(text.as_ref()).into_owned(),
        Value::Error(text) => format!("(error) {}", String::from_utf8_lossy(text.as_ref())),
        Value::Int(number) => number.to_string(),
        Value::Null => "(nil)".to_owned(),
        other => format!("{other:?}"),
    }
}

fn next(world: &mut World, client: ClientId) -> Option<Value> {
    let raw = world.next_reply(client)?;
    Some(decode(&raw).expect("a reply").expect("a whole one").0)
}

/// Asks, and waits for the answer; what is pushed meanwhile is dropped.
fn ask(world: &mut World, client: ClientId, argv: &[&str], at: &str) -> Value {
    world.call(client, argv);
    for _ in 0..STEPS_MAX {
        match next(world, client) {
            Some(Value::Push(_)) => {}
            Some(value) => return value,
            None => drop(world.step()),
        }
    }
    panic!("{at}: {argv:?} has no reply");
}

/// News in a push, or in a message of the channel for those who redirect: the keys, or none for all.
fn news(value: &Value) -> Option<Option<Vec<String>>> {
    let items = match value {
        Value::Push(items) | Value::Array(items) => items,
        _ => return None,
    };
    let keys = match (items.as_slice(), matches!(value, Value::Push(_))) {
        ([kind, keys], true) if text(kind) == "invalidate" => keys,
        ([kind, channel, keys], _)
            if text(kind) == "message" && text(channel) == "__redis__:invalidate" =>
        {
            keys
        }
        _ => return None,
    };
    match keys {
        Value::Array(keys) => Some(Some(keys.iter().map(text).collect())),
        _ => Some(None),
    }
}

/// How a client caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    NoLoop,
    OptIn,
    OptOut,
    Broadcast,
    BroadcastNoLoop,
    /// Through another connection, in RESP2.
    Redirect,
}

const MODES: [Mode; 7] = [
    Mode::Plain,
    Mode::NoLoop,
    Mode::OptIn,
    Mode::OptOut,
    Mode::Broadcast,
    Mode::BroadcastNoLoop,
    Mode::Redirect,
];

impl Mode {
    fn words(self, target: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Plain => &[],
            Self::NoLoop => &["NOLOOP"],
            Self::OptIn => &["OPTIN"],
            Self::OptOut => &["OPTOUT", "NOLOOP"],
            Self::Broadcast => &["BCAST", "PREFIX", "a", "PREFIX", "b"],
            Self::BroadcastNoLoop => &["BCAST", "NOLOOP"],
            Self::Redirect => &["REDIRECT", target],
        };
        let words = ["CLIENT", "TRACKING", "ON"].iter().chain(words);
        words.map(|word| (*word).to_owned()).collect()
    }

    fn hears_own(self) -> bool {
        !matches!(self, Self::NoLoop | Self::OptOut | Self::BroadcastNoLoop)
    }

    fn caches(self, key: &str, excepted: bool) -> bool {
        match self {
            Self::OptIn => excepted,
            Self::OptOut => !excepted,
            Self::Broadcast => key.starts_with(['a', 'b']),
            Self::Plain | Self::NoLoop | Self::BroadcastNoLoop | Self::Redirect => true,
        }
    }
}

/// What a client does with the answer to a request of its own.
#[derive(Clone, Debug)]
enum Sent {
    /// Nothing.
    Plain,
    /// The value of a key; false once it was told that the key changed.
    Reads(Vec<(String, bool)>),
    /// It changed these keys itself.
    Wrote(Vec<String>),
    /// What a transaction did, in order.
    Exec(Vec<Sent>),
}

/// A client with a cache.
struct Cacher {
    mode: Mode,
    client: ClientId,
    /// Where it hears of changes.
    ear: ClientId,
    cache: BTreeMap<String, String>,
    sent: VecDeque<Sent>,
}

impl Cacher {
    fn new(world: &mut World, mode: Mode, at: &str) -> Self {
        let client = world.connect();
        let mut ear = client;
        let mut target = String::new();
        if mode == Mode::Redirect {
            ear = world.connect();
            target = text(&ask(world, ear, &["CLIENT", "ID"], at));
            ask(world, ear, &["SUBSCRIBE", "__redis__:invalidate"], at);
        } else {
            ask(world, client, &["HELLO", "3"], at);
        }
        let words = mode.words(&target);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(text(&ask(world, client, &words, at)), "OK", "{at}");
        Self { mode, client, ear, cache: BTreeMap::new(), sent: VecDeque::new() }
    }

    fn say(&mut self, world: &mut World, argv: &[&str], sent: Sent) {
        world.call(self.client, argv);
        self.sent.push_back(sent);
    }

    fn excepts(&mut self, world: &mut World, rng: &mut Rng) -> bool {
        let word = match self.mode {
            Mode::OptIn => "YES",
            Mode::OptOut => "NO",
            _ => return false,
        };
        let excepts = rng.one_in(2);
        if excepts {
            self.say(world, &["CLIENT", "CACHING", word], Sent::Plain);
        }
        excepts
    }

    fn marks(&self, keys: &[&str], excepted: bool) -> Sent {
        let marks = keys.iter().map(|key| ((*key).to_owned(), self.mode.caches(key, excepted)));
        Sent::Reads(marks.collect())
    }

    /// Something to read, or to write, or both.
    fn act(&mut self, world: &mut World, rng: &mut Rng, number: &mut u64) {
        let (one, two) = (*rng.pick(&STRINGS), *rng.pick(&STRINGS));
        let list = *rng.pick(&LISTS);
        match rng.below(10) {
            0..=2 => {
                let excepted = self.excepts(world, rng);
                let marks = self.marks(&[one], excepted);
                self.say(world, &["GET", one], marks);
            }
            3 => {
                let excepted = self.excepts(world, rng);
                let keys = [one, two, "c"];
                let marks = self.marks(&keys, excepted);
                self.say(world, &[&["MGET"][..], &keys].concat(), marks);
            }
            4 => {
                let excepted = self.excepts(world, rng);
                let marks = self.marks(&[list], excepted);
                self.say(world, &["LRANGE", list, "0", "-1"], marks);
            }
            5 => {
                let excepted = self.excepts(world, rng);
                let script = "return redis.call('MGET', KEYS[1], ARGV[1])";
                let marks = self.marks(&[one, two], excepted);
                self.say(world, &["EVAL", script, "1", one, two], marks);
            }
            6 => self.transact(world, rng, number),
            7 => {
                let (argv, keys) = write(rng, number);
                let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                self.say(world, &argv, Sent::Wrote(keys));
            }
            8 => {
                let excepted = self.excepts(world, rng);
                let script =
                    "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";
                *number += 1;
                let marks = self.marks(&[one], excepted);
                let both = Sent::Exec(vec![Sent::Wrote(vec![one.to_owned()]), marks]);
                self.say(world, &["EVAL", script, "1", one, &format!("v{number}")], both);
            }
            _ => self.say(world, &["PING"], Sent::Plain),
        }
    }

    fn transact(&mut self, world: &mut World, rng: &mut Rng, number: &mut u64) {
        let excepted = self.excepts(world, rng);
        self.say(world, &["MULTI"], Sent::Plain);
        let mut all = Vec::new();
        for _ in 0..1 + rng.below(3) {
            let key = *rng.pick(&STRINGS);
            if rng.one_in(2) {
                let marks = self.marks(&[key], excepted);
                self.say(world, &["GET", key], Sent::Plain);
                all.push(marks);
            } else {
                *number += 1;
                self.say(world, &["SET", key, &format!("v{number}")], Sent::Plain);
                all.push(Sent::Wrote(vec![key.to_owned()]));
            }
        }
        self.say(world, &["EXEC"], Sent::Exec(all));
    }

    /// Reads what came.
    fn read(&mut self, world: &mut World, rng: &mut Rng, at: &str) {
        let mut ends = [self.ear, self.client];
        if rng.one_in(2) {
            ends.reverse();
        }
        for end in ends {
            while let Some(value) = next(world, end) {
                match news(&value) {
                    Some(keys) => self.hear(keys),
                    None if end != self.client => {}
                    None => {
                        let sent = self.sent.pop_front().unwrap_or_else(|| {
                            panic!("{at}: {:?} got {} unasked", self.mode, text(&value))
                        });
                        self.take(sent, &value, at);
                    }
                }
            }
        }
    }

    /// Something is not as it was. Over one connection answers that come later are newer; over two,
    /// those that are awaited may be old.
    fn hear(&mut self, keys: Option<Vec<String>>) {
        match &keys {
            Some(keys) => self.cache.retain(|key, _| !keys.contains(key)),
            None => self.cache.clear(),
        }
        if self.mode == Mode::Redirect {
            let spoils = |key: &String| keys.as_ref().is_none_or(|keys| keys.contains(key));
            self.sent.iter_mut().for_each(|sent| spoil(sent, &spoils));
        }
    }

    fn take(&mut self, sent: Sent, value: &Value, at: &str) {
        match (sent, value) {
            (Sent::Plain, _) => {}
            (Sent::Wrote(keys), _) => {
                if !self.mode.hears_own() {
                    self.cache.retain(|key, _| !keys.contains(key));
                }
            }
            (Sent::Reads(marks), Value::Error(_)) => {
                marks.iter().for_each(|(key, _)| drop(self.cache.remove(key)));
            }
            (Sent::Reads(marks), value) => match (marks.as_slice(), value) {
                ([(key, true)], value) => drop(self.cache.insert(key.clone(), text(value))),
                ([_], _) => {}
                (marks, Value::Array(values)) => {
                    for ((key, _), value) in marks.iter().zip(values).filter(|((_, ok), _)| *ok) {
                        self.cache.insert(key.clone(), text(value));
                    }
                }
                (_, other) => panic!("{at}: no array of values: {}", text(other)),
            },
            (Sent::Exec(all), Value::Array(values)) => {
                assert_eq!(all.len(), values.len(), "{at}");
                all.into_iter().zip(values).for_each(|(one, value)| self.take(one, value, at));
            }
            // A script that writes and then reads has one answer.
            (Sent::Exec(all), value) => {
                all.into_iter().for_each(|one| self.take(one, value, at));
            }
        }
    }
}

fn spoil(sent: &mut Sent, spoils: &dyn Fn(&String) -> bool) {
    match sent {
        Sent::Reads(marks) => marks.iter_mut().for_each(|(key, ok)| *ok &= !spoils(key)),
        Sent::Exec(all) => all.iter_mut().for_each(|one| spoil(one, spoils)),
        Sent::Plain | Sent::Wrote(_) => {}
    }
}

/// A change, and the keys that it may change.
fn write(rng: &mut Rng, number: &mut u64) -> (Vec<String>, Vec<String>) {
    let (one, two) = (*rng.pick(&STRINGS), *rng.pick(&STRINGS));
    let (list, other) = (*rng.pick(&LISTS), *rng.pick(&LISTS));
    *number += 1;
    let value = format!("v{number}");
    let value = value.as_str();
    let script = "redis.call('SET', KEYS[1], ARGV[2]) redis.call('APPEND', ARGV[1], '+')";
    let ttl = rng.below(40).to_string();
    let (argv, keys): (Vec<&str>, Vec<&str>) = match rng.below(18) {
        0..=2 => (vec!["SET", one, value], vec![one]),
        3 => (vec!["SET", one, value, "PX", if ttl == "0" { "1" } else { &ttl }], vec![one]),
        4 => (vec!["MSET", one, value, two, value], vec![one, two]),
        5 => (vec!["DEL", one, two], vec![one, two]),
        6 => (vec!["RENAME", one, two], vec![one, two]),
        7 => (vec!["COPY", one, two, "REPLACE"], vec![two]),
        8 => (vec!["APPEND", one, "x"], vec![one]),
        9 => (vec!["RPUSH", list, value], vec![list]),
        10 => (vec!["LMOVE", list, other, "LEFT", "RIGHT"], vec![list, other]),
        11 => (vec!["LPOP", list], vec![list]),
        12 => (vec!["PEXPIRE", one, &ttl], vec![one]),
        13 => (vec!["EVAL", script, "1", one, two, value], vec![one, two]),
        14 => (vec!["BLMOVE", list, other, "LEFT", "LEFT", "0.01"], vec![list, other]),
        15 => (vec!["GETEX", one, "PX", if ttl == "0" { "1" } else { &ttl }], vec![one]),
        16 if rng.one_in(6) => (vec!["FLUSHALL"], Vec::new()),
        16 => (vec!["UNLINK", list], vec![list]),
        _ => (vec!["BITOP", "NOT", two, one], vec![two]),
    };
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    (owned(argv), owned(keys))
}

/// What each key holds.
fn truth(world: &mut World, observer: ClientId, at: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for key in STRINGS {
        all.insert(key.to_owned(), text(&ask(world, observer, &["GET", key], at)));
    }
    for key in LISTS {
        all.insert(key.to_owned(), text(&ask(world, observer, &["LRANGE", key, "0", "-1"], at)));
    }
    all
}

#[test]
fn nobody_keeps_what_is_not_so_any_more() {
    let mut kept = 0;
    for seed in seeds(150) {
        let mut rng = Rng::new(seed);
        let shards = *rng.pick(&SHARDS);
        let at = format!("seed {seed}, {shards} shards");
        let mut options = Options::rough(shards, seed);
        if rng.one_in(3) {
            options.directives.push(("tracking-table-max-keys", "3"));
        }
        let mut world = World::new(&options);
        let observer = world.connect();
        let writers: Vec<ClientId> = (0..3).map(|_| world.connect()).collect();
        let mut cachers: Vec<Cacher> = (0..4)
            .map(|_| {
                let mode = *rng.pick(&MODES);
                Cacher::new(&mut world, mode, &at)
            })
            .collect();
        let mut number = 0;
        for _ in 0..4 {
            for _ in 0..40 {
                match rng.below(8) {
                    0..=3 => {
                        let who = rng.below(cachers.len() as u64) as usize;
                        cachers[who].act(&mut world, &mut rng, &mut number);
                    }
                    4..=6 => {
                        let (argv, _) = write(&mut rng, &mut number);
                        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                        world.call(*rng.pick(&writers), &argv);
                    }
                    _ => {
                        let who = rng.below(cachers.len() as u64) as usize;
                        cachers[who].read(&mut world, &mut rng, &at);
                    }
                }
                world.run(rng.below(12));
            }
            if rng.one_in(4) {
                let gone = rng.below(cachers.len() as u64) as usize;
                world.disconnect(cachers[gone].client);
                let mode = *rng.pick(&MODES);
                cachers[gone] = Cacher::new(&mut world, mode, &at);
            }
            settle(&mut world, &at);
            world.advance(60);
            settle(&mut world, &at);
            // Looking may find a key past its deadline first.
            truth(&mut world, observer, &at);
            settle(&mut world, &at);
            for cacher in &mut cachers {
                cacher.read(&mut world, &mut rng, &at);
                assert!(cacher.sent.is_empty(), "{at}: {:?} is owed replies", cacher.mode);
            }
            let so = truth(&mut world, observer, &at);
            for cacher in &cachers {
                for (key, value) in &cacher.cache {
                    kept += 1;
                    assert_eq!(Some(value), so.get(key), "{at}: {:?} keeps {key}", cacher.mode);
                }
            }
        }
        // Nothing is left of it.
        ask(&mut world, observer, &["FLUSHALL"], &at);
        let info = text(&ask(&mut world, observer, &["INFO", "stats"], &at));
        assert!(info.contains("tracking_total_keys:0\r\n"), "{at}: {info}");
        assert!(info.contains("tracking_total_items:0\r\n"), "{at}");
        cachers.iter().for_each(|cacher| world.disconnect(cacher.client));
        settle(&mut world, &at);
        let info = text(&ask(&mut world, observer, &["INFO", "stats", "clients"], &at));
        assert!(info.contains("tracking_total_prefixes:0\r\n"), "{at}: {info}");
        assert!(info.contains("tracking_clients:0\r\n"), "{at}");
    }
    assert!(kept > 500, "a cache that keeps nothing proves nothing: {kept}");
}

/// What a client got in one step: replies in order, and the keys that it was told of.
type Got = (Vec<String>, BTreeSet<String>);

fn got(world: &mut World, client: ClientId) -> Got {
    let (mut replies, mut told) = (Vec::new(), BTreeSet::new());
    while let Some(value) = next(world, client) {
        match news(&value) {
            Some(Some(keys)) => told.extend(keys),
            Some(None) => drop(told.insert("(all)".to_owned())),
            None => replies.push(text(&value)),
        }
    }
    (replies, told)
}

/// One program, a step at a time, each given the time it takes.
fn run(program: &[(usize, Vec<String>)], shards: u16, seed: u64) -> Vec<Vec<Got>> {
    let at = format!("seed {seed}, {shards} shards");
    let mut world = World::new(&Options::calm(shards, seed));
    let clients: Vec<ClientId> = MODES.iter().map(|_| world.connect()).collect();
    let ear = world.connect();
    let target = text(&ask(&mut world, ear, &["CLIENT", "ID"], &at));
    ask(&mut world, ear, &["SUBSCRIBE", "__redis__:invalidate"], &at);
    for (client, mode) in clients.iter().zip(MODES) {
        if mode != Mode::Redirect {
            ask(&mut world, *client, &["HELLO", "3"], &at);
        }
        let words = mode.words(&target);
        ask(&mut world, *client, &words.iter().map(String::as_str).collect::<Vec<_>>(), &at);
    }
    let mut all = Vec::new();
    for (who, argv) in program {
        world.call(clients[*who], argv);
        settle(&mut world, &at);
        all.push(clients.iter().chain([&ear]).map(|client| got(&mut world, *client)).collect());
        if argv[0] == "TIME" {
            world.advance(50);
            settle(&mut world, &at);
        }
    }
    all
}

#[test]
fn what_clients_are_told_does_not_tell_the_number_of_shards() {
    for seed in seeds(60) {
        let mut rng = Rng::new(seed);
        let mut number = 0;
        let say = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut program: Vec<(usize, Vec<String>)> = Vec::new();
        for _ in 0..80 {
            let who = rng.below(MODES.len() as u64) as usize;
            let (one, two) = (*rng.pick(&STRINGS), *rng.pick(&STRINGS));
            match rng.below(12) {
                0..=2 => program.push((who, say(&["GET", one]))),
                3 => program.push((who, say(&["MGET", one, two, "c"]))),
                4 => program.push((who, say(&["LRANGE", *rng.pick(&LISTS), "0", "-1"]))),
                5 => {
                    let word = if MODES[who] == Mode::OptIn { "YES" } else { "NO" };
                    program.push((who, say(&["CLIENT", "CACHING", word])));
                    program.push((who, say(&["GET", one])));
                }
                6 => {
                    program.push((who, say(&["MULTI"])));
                    program.push((who, say(&["GET", one])));
                    program.push((who, say(&["SET", two, "in"])));
                    program.push((who, say(&["GET", two])));
                    program.push((who, say(&["EXEC"])));
                }
                7 => {
                    let script = "return redis.call('GET', ARGV[1])";
                    program.push((who, say(&["EVAL", script, "1", one, two])));
                }
                8 => program.push((who, say(&["CLIENT", "TRACKINGINFO"]))),
                _ => {
                    let (argv, _) = write(&mut rng, &mut number);
                    // It would wait.
                    if argv[0] != "BLMOVE" && !argv.contains(&"PX".to_owned()) {
                        program.push((who, argv));
                    }
                }
            }
        }
        // The target's number differs; nobody else's answer does.
        let shown = |all: Vec<Vec<Got>>| -> Vec<Vec<Got>> {
            let hide = |(mut replies, told): Got| {
                replies.iter_mut().filter(|reply| reply.starts_with('{')).for_each(|reply| {
                    let at = reply.find("redirect=").expect("TRACKINGINFO tells it");
                    reply.truncate(at);
                });
                replies.iter_mut().filter(|reply| reply.starts_with("[flags")).for_each(|reply| {
                    let at = reply.find("redirect").expect("TRACKINGINFO tells it");
                    reply.truncate(at);
                });
                (replies, told)
            };
            all.into_iter().map(|step| step.into_iter().map(hide).collect()).collect()
        };
        let one = shown(run(&program, 1, seed));
        for shards in [2, 3, 8] {
            let many = shown(run(&program, shards, seed));
            for (step, (one, many)) in one.iter().zip(&many).enumerate() {
                let (who, argv) = &program[step];
                assert_eq!(
                    many, one,
                    "seed {seed}, {shards} shards, step {step}: {:?} says {argv:?}",
                    MODES[*who]
                );
            }
        }
    }
}

/// Connects clients until there is one at home on that shard; its CLIENT ID too.
fn at_home(world: &mut World, home: u64, shards: u16, at: &str) -> (ClientId, String) {
    for _ in 0..1_000 {
        let client = world.connect();
        let id = text(&ask(world, client, &["CLIENT", "ID"], at));
        let number: u64 = id.parse().expect("a number");
        if (number - 1) % u64::from(shards) == home {
            return (client, id);
        }
    }
    panic!("{at}: no client on shard {home}")
}

#[test]
fn who_redirects_learns_that_its_target_left_whatever_shard_that_was_on() {
    for shards in SHARDS {
        for (home, far) in [(0, 0), (0, u64::from(shards) - 1), (u64::from(shards) - 1, 0)] {
            let at = format!("{shards} shards, from {home} to {far}");
            let mut world = World::new(&Options::calm(shards, 1));
            let (reader, _) = at_home(&mut world, home, shards, &at);
            let (ear, target) = at_home(&mut world, far, shards, &at);
            ask(&mut world, ear, &["SUBSCRIBE", "__redis__:invalidate"], &at);
            ask(&mut world, reader, &["HELLO", "3"], &at);
            ask(&mut world, reader, &["CLIENT", "TRACKING", "ON", "REDIRECT", &target], &at);
            let writer = world.connect();
            for key in STRINGS {
                ask(&mut world, reader, &["GET", key], &at);
                ask(&mut world, writer, &["SET", key, "1"], &at);
                settle(&mut world, &at);
                let told = next(&mut world, ear).map(|value| text(&value));
                assert_eq!(told, Some(format!("[message __redis__:invalidate [{key}]]")), "{at}");
                // Other shards have nothing to do with tracking any more.
                settle(&mut world, &at);
            }
            world.disconnect(ear);
            settle(&mut world, &at);
            ask(&mut world, reader, &["GET", "a1"], &at);
            ask(&mut world, writer, &["SET", "a1", "2"], &at);
            settle(&mut world, &at);
            let told = next(&mut world, reader).map(|value| text(&value));
            assert_eq!(told, Some(format!("[tracking-redir-broken {target}]")), "{at}");
        }
    }
}
