//! Commands about the shards themselves say in EXEC and in scripts what they say alone: on any number of
//! shards the same.

use stoa::{Db, Error, ManualClock, Reply, Session};

const SHARDS: [u16; 5] = [1, 2, 3, 7, 16];

fn open(shards: u16) -> (Db, Vec<Session>) {
    let clock = ManualClock::at_unix_ms(1_700_000_000_000);
    let builder = Db::builder().shards(shards).clock(clock).seed(1);
    let db = builder.directive("enable-debug-command", "yes").open_memory().expect("it opens");
    // As many as there can be shards: each has one at least.
    let sessions = (0..20).map(|_| db.session()).collect();
    (db, sessions)
}

fn run(db: &Session, line: &str) -> Reply {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    db.execute(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// The replies of what is queued.
fn exec(db: &Session, lines: &[&str]) -> Vec<Reply> {
    run(db, "MULTI");
    lines.iter().for_each(|line| drop(run(db, line)));
    match run(db, "EXEC") {
        Reply::Array(replies) => replies,
        other => panic!("{other:?}"),
    }
}

fn script(db: &Session, text: &str) -> Reply {
    let ran = db.execute(&[b"EVAL", text.as_bytes(), b"0"]);
    ran.unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Verbatim(_, text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

fn field(info: &str, name: &str) -> String {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {info}")).to_owned()
}

#[test]
fn clients_of_all_shards_are_listed() {
    for shards in SHARDS {
        let (db, sessions) = open(shards);
        run(&db, "DEBUG SET-DISABLE-DENY-SCRIPTS 1");
        run(&sessions[7], "CLIENT SETNAME seven");
        let alone = text(&run(&db, "CLIENT LIST")).lines().count();
        assert_eq!(alone, 21);
        let replies = exec(&db, &["SET a 1", "CLIENT LIST", "CLIENT LIST", "SET b 2"]);
        for list in &replies[1..3] {
            assert_eq!(text(list).lines().count(), alone, "{shards} shards, EXEC");
            assert!(text(list).contains("name=seven"), "{shards} shards");
        }
        let list = script(&db, "redis.call('SET', 'c', 3); return redis.call('CLIENT', 'LIST')");
        assert_eq!(text(&list).lines().count(), alone, "{shards} shards, script");
        assert_eq!(run(&db, "DBSIZE"), Reply::Int(3), "{shards} shards");
    }
}

#[test]
fn info_counts_keys_and_clients_of_all_shards() {
    let of = |info: &str| {
        let names = ["connected_clients", "db0", "keyspace_hits", "keyspace_misses"];
        names.map(|name| field(info, name))
    };
    let want = ["21", "keys=41,expires=0,avg_ttl=0,subexpiry=0", "41", "2"];
    for shards in SHARDS {
        let (db, _sessions) = open(shards);
        (0..40).for_each(|n| drop(run(&db, &format!("SET key{n} v"))));
        (0..40).for_each(|n| drop(run(&db, &format!("GET key{n}"))));
        run(&db, "GET nothing");
        let replies = exec(&db, &["SET more 1", "GET more", "GET nothing", "INFO"]);
        assert_eq!(of(&text(&replies[3])), want, "{shards} shards, EXEC");
        let info = script(&db, "return redis.call('INFO')");
        assert_eq!(of(&text(&info)), want, "{shards} shards, script");
    }
}

#[test]
fn what_acts_on_all_shards_acts_at_its_place_among_the_commands() -> Result<(), Error> {
    for shards in SHARDS {
        let (db, sessions) = open(shards);
        let replies = exec(
            &db,
            &[
                "CONFIG SET hash-max-listpack-entries 1",
                "HSET {a}h x 1 y 2",
                "OBJECT ENCODING {a}h",
                "CONFIG RESETSTAT",
                "INFO stats",
            ],
        );
        assert_eq!(text(&replies[2]), "hashtable", "{shards} shards");
        assert_eq!(field(&text(&replies[4]), "keyspace_misses"), "0", "{shards} shards");
        for session in &sessions {
            let got = run(session, "CONFIG GET hash-max-listpack-entries");
            assert!(format!("{got:?}").contains("[49]"), "{shards} shards: {got:?}");
        }
        let digest = run(&db, "DEBUG DIGEST");
        assert_eq!(exec(&db, &["DEBUG DIGEST"]), [digest], "{shards} shards");
    }
    Ok(())
}

#[test]
fn libraries_loaded_in_a_transaction_are_there_for_all() -> Result<(), Error> {
    let code = b"#!lua name=lib\nredis.register_function('one', function() return 1 end)";
    for shards in SHARDS {
        let (db, sessions) = open(shards);
        run(&db, "MULTI");
        db.execute(&[b"FUNCTION", b"LOAD", code])?;
        run(&db, "FCALL one 0");
        let replies = run(&db, "EXEC");
        let want = Reply::Array(vec![Reply::Bulk(b"lib".to_vec()), Reply::Int(1)]);
        assert_eq!(replies, want, "{shards} shards");
        for session in &sessions {
            assert_eq!(run(session, "FCALL one 0"), Reply::Int(1), "{shards} shards");
        }
    }
    Ok(())
}

#[test]
fn clients_of_any_shard_are_closed_and_counted() {
    for shards in SHARDS {
        let (db, sessions) = open(shards);
        let ids: Vec<Reply> = sessions.iter().map(|session| run(session, "CLIENT ID")).collect();
        let [Reply::Int(one), Reply::Int(two)] = ids[4..6] else { panic!("{ids:?}") };
        let lines = [format!("CLIENT KILL ID {one}"), format!("CLIENT KILL ID {two}")];
        let replies = exec(&db, &[&lines[0], &lines[1], &lines[0], "CLIENT LIST"]);
        assert_eq!(replies[..3], [Reply::Int(1), Reply::Int(1), Reply::Int(0)], "{shards} shards");
        assert_eq!(text(&replies[3]).lines().count(), 19, "{shards} shards");
        let left = text(&run(&db, "CLIENT LIST")).lines().count();
        assert_eq!(left, 19, "{shards} shards");
        assert_eq!(sessions[4].get(b"k"), Err(Error::Closed), "{shards} shards");
    }
}

#[test]
fn refusals_and_errors_leave_the_transaction_as_it_was() {
    for shards in SHARDS {
        let (db, _sessions) = open(shards);
        let replies =
            exec(&db, &["SET a 1", "CLIENT KILL ID nought", "CONFIG SET nothing 1", "GET a"]);
        assert!(
            matches!(&replies[1], Reply::Error(text) if text.contains("client-id")),
            "{replies:?}"
        );
        assert!(
            matches!(&replies[2], Reply::Error(text) if text.contains("Unknown")),
            "{replies:?}"
        );
        assert_eq!(replies[3], Reply::Bulk(b"1".to_vec()), "{shards} shards");
    }
}
