//! What people who embed the library lean on: sessions, shards, clocks, seeds, and endings.

use std::sync::LazyLock;
use std::time::Duration;

use stoa::command::{
    Args, Arity, BeginSearch, Command, Ctx, Flags, KeyFlags, KeySpec, ReplyError, Spec, Table,
    entry, table_with,
};
use stoa::{Db, Error, ManualClock, Reply, Session};

const START_UNIX_MS: u64 = 1_700_000_000_000;

fn db(shards: u16) -> Db {
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    Db::builder().shards(shards).clock(clock).seed(1).open_memory().expect("it opens")
}

/// Keys that lie on several shards, whatever their number.
fn keys() -> Vec<Vec<u8>> {
    (0..40).map(|n| format!("key:{n}").into_bytes()).collect()
}

#[test]
fn a_value_set_through_one_session_is_read_through_another() -> Result<(), Error> {
    for shards in [1, 2, 3, 7, 16] {
        let db = db(shards);
        let sessions: Vec<Session> = (0..20).map(|_| db.session()).collect();
        for (number, key) in keys().iter().enumerate() {
            sessions[number % 20].set(key, key)?;
        }
        for (number, key) in keys().iter().enumerate() {
            let read = sessions[(number + 7) % 20].get(key)?;
            assert_eq!(read.as_ref(), Some(key), "{shards} shards");
        }
    }
    Ok(())
}

#[test]
fn commands_of_several_keys_answer_in_the_order_of_keys() -> Result<(), Error> {
    for shards in [1, 2, 3, 7, 16] {
        let db = db(shards);
        let keys = keys();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let pairs: Vec<(&[u8], &[u8])> = slices.iter().map(|key| (*key, *key)).collect();
        db.mset(&pairs)?;
        let got: Option<Vec<Vec<u8>>> = db.mget(&slices)?.into_iter().collect();
        assert_eq!(got.as_ref(), Some(&keys), "{shards} shards");
        let renewed = db.execute(&[b"MSETNX", b"new", b"1", slices[3], b"2"])?;
        assert_eq!(renewed, Reply::Int(0), "{shards} shards");
        assert_eq!(db.get(b"new")?, None, "{shards} shards");
    }
    Ok(())
}

#[test]
fn sessions_have_databases_of_their_own_and_clones_start_where_they_are() -> Result<(), Error> {
    for shards in [1, 3] {
        let db = db(shards);
        db.set(b"k", b"zero")?;
        let session = db.session();
        session.select(3)?;
        session.set(b"k", b"three")?;
        let clone = session.clone();
        session.select(4)?;
        assert_eq!(clone.get(b"k")?.as_deref(), Some(b"three".as_slice()));
        assert_eq!(session.get(b"k")?, None);
        assert_eq!(db.get(b"k")?.as_deref(), Some(b"zero".as_slice()));
    }
    Ok(())
}

#[test]
fn a_refusal_carries_the_protocols_words_and_changes_nothing() -> Result<(), Error> {
    let db = db(2);
    db.set(b"k", b"text")?;
    let error = db.incr(b"k").expect_err("text is no number");
    assert_eq!(error.to_string(), "ERR value is not an integer or out of range");
    assert_eq!(db.get(b"k")?.as_deref(), Some(b"text".as_slice()));
    assert_eq!(db.execute(&[]), Err(Error::Empty));
    let unknown = db.execute(&[b"NOSUCH", b"x"]).expect_err("there is no such command");
    assert!(unknown.to_string().starts_with("ERR unknown command 'NOSUCH'"), "{unknown}");
    assert!(matches!(db.execute(&[b""]), Err(Error::Refused(_))));
    Ok(())
}

#[test]
fn keys_expire_by_the_clock_that_was_given() -> Result<(), Error> {
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    let db = Db::builder().shards(3).clock(clock.clone()).seed(1).open_memory()?;
    for key in keys() {
        db.set_ex(&key, b"v", Duration::from_millis(100))?;
    }
    clock.advance(Duration::from_millis(99));
    assert!(db.get(b"key:1")?.is_some());
    clock.advance(Duration::from_millis(2));
    assert_eq!(db.get(b"key:1")?, None);
    // What nobody asked for is removed in portions, until nothing is due.
    for _ in 0..1_000 {
        if db.run_due().is_none() {
            return Ok(());
        }
    }
    panic!("run_due never ends: {:?}", db.run_due());
}

#[test]
fn quit_ends_its_session_and_no_other() -> Result<(), Error> {
    let db = db(3);
    let session = db.session();
    assert_eq!(session.execute(&[b"QUIT"])?, Reply::Simple("OK".into()));
    assert_eq!(session.execute(&[b"PING"]), Err(Error::Closed));
    assert_eq!(session.get(b"k"), Err(Error::Closed));
    drop(session);
    assert_eq!(db.session().execute(&[b"PING"])?, Reply::Simple("PONG".into()));
    Ok(())
}

#[test]
fn a_session_that_takes_an_old_ones_place_has_nothing_of_it() -> Result<(), Error> {
    let db = db(1);
    for _ in 0..100 {
        let session = db.session();
        assert_eq!(session.get(b"k")?, None);
        session.select(5)?;
        session.set(b"k", b"v")?;
    }
    assert_eq!(db.get(b"k")?, None);
    Ok(())
}

#[test]
fn the_database_lives_as_long_as_any_session() -> Result<(), Error> {
    let session = {
        let db = db(2);
        db.set(b"k", b"v")?;
        db.session()
    };
    assert_eq!(session.get(b"k")?.as_deref(), Some(b"v".as_slice()));
    Ok(())
}

#[test]
fn several_databases_in_one_process_know_nothing_of_each_other() -> Result<(), Error> {
    let all: Vec<Db> = (0..20).map(|_| db(3)).collect();
    for (number, db) in all.iter().enumerate() {
        db.set(b"k", number.to_string().as_bytes())?;
    }
    for (number, db) in all.iter().enumerate() {
        assert_eq!(db.get(b"k")?, Some(number.to_string().into_bytes()));
    }
    Ok(())
}

#[test]
fn sessions_on_several_threads_take_turns() -> Result<(), Error> {
    let db = db(3);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let session = db.session();
            scope.spawn(move || {
                for _ in 0..500 {
                    session.incr(b"n").expect("it counts");
                }
            });
        }
    });
    assert_eq!(db.get(b"n")?.as_deref(), Some(b"2000".as_slice()));
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_replies() -> Result<(), Error> {
    let run = |seed: u64| -> Result<Vec<Reply>, Error> {
        let clock = ManualClock::at_unix_ms(START_UNIX_MS);
        let db = Db::builder().shards(3).clock(clock).seed(seed).open_memory()?;
        for key in keys() {
            db.set(&key, b"v")?;
        }
        (0..100).map(|_| db.execute(&[b"RANDOMKEY"])).collect()
    };
    assert_eq!(run(5)?, run(5)?);
    assert_ne!(run(5)?, run(6)?);
    Ok(())
}

#[test]
fn what_a_call_cannot_have_is_refused_and_the_session_goes_on() -> Result<(), Error> {
    let db = db(1);
    for mode in [b"OFF".as_slice(), b"SKIP", b"ON"] {
        let refused = db.execute(&[b"client", b"Reply", mode]);
        assert_eq!(refused, Err(Error::ServerOnly("CLIENT".into())));
    }
    assert!(db.execute(&[b"PING"]).is_ok());
    Ok(())
}

#[test]
fn a_wrong_directive_says_so() {
    let wrong = Db::builder().directive("no-such-directive", "1").open_memory();
    assert!(matches!(wrong, Err(Error::Directive(_))), "{wrong:?}");
}

#[test]
fn nothing_is_sent_to_other_servers() -> Result<(), Error> {
    for shards in [1, 2, 3] {
        let db = db(shards);
        for key in [b"a".as_slice(), b"b", b"c"] {
            db.set(key, b"1")?;
        }
        let words = "MIGRATE 127.0.0.1 1  0 1000 KEYS a b c".split(' ').map(str::as_bytes);
        let refused = db.execute(&words.collect::<Vec<_>>());
        let why = refused.expect_err("it makes no connections").to_string();
        assert!(why.contains("DUMP and RESTORE"), "{why}");
        assert_eq!(db.get(b"b")?.as_deref(), Some(b"1".as_slice()));
    }
    Ok(())
}

#[test]
fn a_large_value_goes_through_whole() -> Result<(), Error> {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| ((n * 7) >> 3) as u8).collect();
    for shards in [1, 2] {
        let db = db(shards);
        for key in [b"a".as_slice(), b"b", b"c", b"d"] {
            db.set(key, &large)?;
            assert!(db.get(key)?.as_ref() == Some(&large), "{shards} shards");
        }
    }
    Ok(())
}

/// `SLOTS word... KEYS key`: for each word the slot that it has as a key, as the shard is told.
struct Slots;

impl Command for Slots {
    const SPEC: Spec = Spec {
        name: "slots",
        syntax: "word... KEYS key",
        arity: Arity(-3),
        flags: Flags::READONLY,
        keys: &[KeySpec {
            begin: BeginSearch::Keyword("KEYS", 1),
            ..KeySpec::first(KeyFlags::RO.with(KeyFlags::ACCESS))
        }],
        ..Spec::DEFAULT
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        words: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn stoa::command::Reply,
    ) -> Result<(), ReplyError> {
        reply.array(words.len());
        words.iter().for_each(|word| reply.int(i64::from(ctx.key(word).slot.0)));
        Ok(())
    }
}

#[test]
fn a_key_that_stands_far_behind_is_taken_for_no_other() -> Result<(), Error> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| table_with(&[entry::<Slots>()]));
    let ask = |shards, far: usize| {
        let db = Db::builder().table(&TABLE).shards(shards).seed(1).open_memory()?;
        let words: Vec<Vec<u8>> = (0..far).map(|n| format!("w{n}").into_bytes()).collect();
        let words = words.iter().map(Vec::as_slice);
        let argv: Vec<&[u8]> = [&b"SLOTS"[..]].into_iter().chain(words).collect();
        db.execute(&[&argv[..], &[b"KEYS", b"key"]].concat())
    };
    for far in [1, 252, 253, 254, 255, 300, 600] {
        assert_eq!(ask(16, far)?, ask(1, far)?, "{far} words before");
    }
    Ok(())
}

#[test]
fn a_request_that_no_shard_could_hold_is_refused() -> Result<(), Error> {
    let db = db(3);
    // Zeros that nobody reads take no memory.
    let long = vec![0; 512 << 20];
    let argv: Vec<&[u8]> = [&b"MSET"[..]].into_iter().chain((0..8).map(|_| &long[..])).collect();
    let error = db.execute(&argv).expect_err("4 GiB");
    assert!(error.to_string().contains("too long"), "{error}");
    db.set(b"k", b"v")?;
    Ok(())
}
