//! What observers may lean on: every event once, in order, on any number of shards; a bound; an end.

use stoa::{Class, Db, Error, Event, Filter, ManualClock, Observed, Observer};

const SHARDS: [u16; 5] = [1, 2, 3, 7, 16];

fn open(shards: u16) -> (Db, ManualClock) {
    let clock = ManualClock::at_unix_ms(1_700_000_000_000);
    let builder = Db::builder().shards(shards).clock(clock.clone()).seed(1);
    (builder.open_memory().expect("it opens"), clock)
}

fn run(db: &Db, line: &str) -> Result<(), Error> {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    db.execute(&words).map(drop)
}

/// What it was told so far, as `db name key`.
fn told(observer: &Observer) -> Vec<String> {
    let text = |seen| match seen {
        Observed::Event(Event { db, name, key, .. }) => {
            format!("{db} {name} {}", key.escape_ascii())
        }
        Observed::Missed(count) => format!("missed {count}"),
        Observed::Closed => "closed".to_owned(),
    };
    let next = || {
        let seen = observer.try_recv()?;
        (seen != Observed::Closed).then(|| text(seen))
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn commands_on_keys_of_several_shards_are_told_key_by_key_as_on_one() -> Result<(), Error> {
    let program = [
        "MSET a 1 b 2 c 3 d 4 e 5",
        "RENAME a f",
        "DEL b nothing c d",
        "COPY e g",
        "SUNIONSTORE s nothing",
        "RPUSH l 1 2 3",
        "LMOVE l m LEFT RIGHT",
        "EXPIRE g 100",
        "HSET h x 1 y 2",
        "GETDEL e",
    ];
    let mut want = Vec::new();
    for shards in SHARDS {
        let (db, _) = open(shards);
        let observer = db.observe(Filter::new());
        for line in program {
            run(&db, line)?;
        }
        let seen = told(&observer);
        if shards == 1 {
            assert_eq!(
                seen[..7],
                [
                    "0 set a",
                    "0 set b",
                    "0 set c",
                    "0 set d",
                    "0 set e",
                    "0 rename_from a",
                    "0 rename_to f"
                ]
            );
            want.clone_from(&seen);
        }
        assert_eq!(seen, want, "{shards} shards");
    }
    Ok(())
}

#[test]
fn transactions_and_scripts_are_told_in_the_order_of_their_commands() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, _) = open(shards);
        let observer = db.observe(Filter::new());
        for line in ["MULTI", "SET a 1", "FLUSHDB", "INCR b", "SWAPDB 0 1", "RPUSH c x", "EXEC"] {
            run(&db, line)?;
        }
        let want = ["0 set a", "0 flushdb ", "0 incrby b", "0 swapdb ", "1 swapdb ", "0 rpush c"];
        assert_eq!(told(&observer), want, "{shards} shards");
        // It wants keys it did not declare, so on several shards it begins again: what it did before is
        // undone, and not told.
        let script = b"for i = 1, 5 do redis.call('SET', 'key' .. i, i) end";
        db.execute(&[b"EVAL", script, b"0"])?;
        let want: Vec<String> = (1..=5).map(|n| format!("0 set key{n}")).collect();
        assert_eq!(told(&observer), want, "{shards} shards");
    }
    Ok(())
}

#[test]
fn what_is_about_all_keys_is_told_once_and_to_those_too_who_want_one_key() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, _) = open(shards);
        let one = db.subscribe_key(1, b"k");
        for line in ["SET k v", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SELECT 1", "SET k v", "DEL k"]
        {
            run(&db, line)?;
        }
        let want = ["1 flushdb ", "1 swapdb ", "1 set k", "1 del k"];
        assert_eq!(told(&one), want, "{shards} shards");
    }
    Ok(())
}

#[test]
fn a_key_that_reaches_its_deadline_is_told_by_the_portion_that_reclaims_it() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, clock) = open(shards);
        let key = db.subscribe_key(0, b"k");
        run(&db, "SET k v PX 10")?;
        clock.advance(std::time::Duration::from_secs(1));
        while db.run_due() == Some(std::time::Duration::ZERO) {}
        assert_eq!(told(&key), ["0 set k", "0 expire k", "0 expired k"], "{shards} shards");
    }
    Ok(())
}

#[test]
fn classes_that_are_not_asked_for_are_not_told() -> Result<(), Error> {
    let (db, _) = open(3);
    let lists = db.observe(Filter::new().classes(&[Class::List]));
    let new = db.observe(Filter::new().classes(&[Class::New, Class::Miss]).db(0));
    for line in ["SET k v", "RPUSH l a", "RPUSH l b", "GET nothing", "DEL l"] {
        run(&db, line)?;
    }
    assert_eq!(told(&lists), ["0 rpush l", "0 rpush l"]);
    assert_eq!(told(&new), ["0 new k", "0 new l", "0 keymiss nothing"]);
    Ok(())
}

#[test]
fn who_falls_behind_learns_how_much_is_missing_and_where() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, _) = open(shards);
        let slow = db.observe(Filter::new().room(3));
        for n in 1..=10 {
            run(&db, &format!("SET key{n} v"))?;
        }
        let Some(Observed::Event(_)) = slow.try_recv() else { panic!("three are there") };
        run(&db, "SET late v")?;
        assert_eq!(told(&slow), ["0 set key2", "0 set key3", "missed 8"], "{shards} shards");
        run(&db, "SET again v")?;
        assert_eq!(told(&slow), ["0 set again"], "{shards} shards");
    }
    Ok(())
}

#[test]
fn long_keys_do_not_make_a_queue_grow_beyond_its_bytes() -> Result<(), Error> {
    let (db, _) = open(1);
    let slow = db.observe(Filter::new());
    let key = vec![b'k'; 7 << 20];
    for _ in 0..5 {
        db.set(&key, b"v")?;
    }
    let events = std::iter::from_fn(|| slow.try_recv()).collect::<Vec<_>>();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2], Observed::Missed(3));
    Ok(())
}

#[test]
fn a_script_that_writes_without_end_leaves_a_bounded_number_of_events() -> Result<(), Error> {
    let (db, _) = open(1);
    let observer = db.observe(Filter::new().room(usize::MAX));
    let script = b"for i = 1, 70000 do redis.call('SET', 'k', i) end";
    db.execute(&[b"EVAL", script, b"1", b"k"])?;
    let seen = told(&observer);
    assert_eq!(seen.len(), 65_537);
    assert_eq!(seen[65_536], "missed 4464");
    Ok(())
}

#[test]
fn observers_hear_of_the_end_of_the_database() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, _) = open(shards);
        let (all, one) = (db.observe(Filter::new()), db.subscribe_key(0, b"k"));
        run(&db, "SET k v")?;
        let session = db.session();
        drop(db);
        session.set(b"k", b"w")?;
        assert_eq!(told(&all), ["0 set k", "0 set k"], "a session keeps it open");
        assert_eq!(all.try_recv(), None);
        drop(session);
        assert_eq!(all.recv(), Observed::Closed);
        assert_eq!(told(&one), ["0 set k", "0 set k"], "what came before is still there");
        assert_eq!(one.recv(), Observed::Closed);
    }
    Ok(())
}

#[test]
fn shutdown_ends_the_stream_though_sessions_are_left() -> Result<(), Error> {
    let (db, _) = open(2);
    let one = db.subscribe_key(0, b"k");
    assert_eq!(run(&db, "SHUTDOWN"), Err(Error::Closed));
    assert_eq!(one.recv(), Observed::Closed);
    assert_eq!(db.observe(Filter::new()).recv(), Observed::Closed);
    Ok(())
}

#[test]
fn an_observer_on_another_thread_gets_what_this_one_writes() -> Result<(), Error> {
    let (db, _) = open(3);
    let observer = db.observe(Filter::new());
    let reader = std::thread::spawn(move || {
        let mut count = 0;
        while let Observed::Event(event) = observer.recv() {
            assert_eq!(event.key, format!("key{count}").into_bytes());
            count += 1;
        }
        count
    });
    for n in 0..1_000 {
        run(&db, &format!("SET key{n} v"))?;
    }
    drop(db);
    assert_eq!(reader.join().expect("it ends by itself"), 1_000);
    Ok(())
}

#[test]
fn closing_the_database_ends_observers_though_a_session_is_left() -> Result<(), Error> {
    let db = stoa::Db::open_memory()?;
    let session = db.session();
    let observer = session.observe(Filter::new());
    session.set(b"k", b"v")?;
    db.close()?;
    assert_eq!(told(&observer), ["0 set k"]);
    assert_eq!(observer.recv(), Observed::Closed);
    assert!(session.get(b"k").is_err());
    Ok(())
}

#[test]
fn channels_say_what_they_say_whether_anybody_observes_or_not() -> Result<(), Error> {
    // A client's view of its own configuration does not change by an observer, either.
    let (db, _) = open(3);
    let observer = db.observe(Filter::new());
    run(&db, "SET k v")?;
    drop(observer);
    run(&db, "SET k v")?;
    let late = db.observe(Filter::new());
    run(&db, "DEL k")?;
    assert_eq!(told(&late), ["0 del k"]);
    let letters = db.execute(&[b"CONFIG", b"GET", b"notify-keyspace-events"])?;
    assert!(format!("{letters:?}").contains("[]"), "{letters:?}");
    Ok(())
}
