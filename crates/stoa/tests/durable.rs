//! What a directory keeps: reopening, saving, ending, and every way that goes wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use stoa::command::{Args, Arity, Command, Ctx, ReplyError, Spec, Table, entry, table_with};
use stoa::{Db, Error, ManualClock, Reply};
use stoa_stdx::Rng;
use tempfile::TempDir;

const START_UNIX_MS: u64 = 1_700_000_000_000;

/// Where the database of a test lives; gone with it.
struct Scratch {
    dir: PathBuf,
    _room: TempDir,
}

impl Scratch {
    fn new() -> Self {
        let room = tempfile::tempdir().expect("a temporary directory");
        Self { dir: room.path().join("data"), _room: room }
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn snapshot(&self) -> PathBuf {
        self.dir.join("dump.rdb")
    }

    /// Another directory with the snapshot as it is now: what would be found after a crash.
    fn after_a_crash(&self) -> Self {
        let other = Self::new();
        fs::create_dir_all(other.dir()).expect("a scratch directory");
        if self.snapshot().exists() {
            fs::copy(self.snapshot(), other.snapshot()).expect("a copy");
        }
        other
    }
}

fn open(scratch: &Scratch, shards: u16) -> Result<Db, Error> {
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    let builder = Db::builder().shards(shards).clock(clock).seed(1);
    builder.directive("enable-debug-command", "yes").open(scratch.dir())
}

fn digest(db: &Db) -> Reply {
    db.execute(&[b"DEBUG", b"DIGEST"]).expect("a digest")
}

fn run(db: &Db, line: &str) -> Reply {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    db.execute(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn reopening_keeps_keys_of_all_types_databases_deadlines_and_functions() -> Result<(), Error> {
    for (shards, shards_later) in [(1, 1), (3, 1), (1, 7), (5, 2)] {
        let scratch = Scratch::new();
        let db = open(&scratch, shards)?;
        for line in [
            "SET s text",
            "SET n 42",
            "RPUSH l a b 3",
            "SADD ints 1 2 3",
            "SADD set a b 3",
            "HSET h f v g w",
            "HSET hd f v g w",
            "HPEXPIREAT hd 1800000000000 FIELDS 1 g",
            "ZADD z 1.5 a -inf b",
            "XADD x 5-1 f v",
            "XGROUP CREATE x g 0",
            "XCLAIM x g c 0 5-1 FORCE JUSTID",
            "PFADD p a b c",
            "PEXPIREAT s 1800000000001",
            "SELECT 9",
            "SET k in-nine",
            "SELECT 0",
        ] {
            run(&db, line);
        }
        let code = b"#!lua name=mine\nredis.register_function('one', function() return 1 end)";
        db.execute(&[b"FUNCTION", b"LOAD", code])?;
        let before = digest(&db);
        db.close()?;

        let db = open(&scratch, shards_later)?;
        assert_eq!(digest(&db), before, "{shards} shards, then {shards_later}");
        assert_eq!(run(&db, "PEXPIRETIME s"), Reply::Int(1_800_000_000_001));
        let deadline = run(&db, "HPEXPIRETIME hd FIELDS 2 f g");
        assert_eq!(deadline, Reply::Array(vec![Reply::Int(-1), Reply::Int(1_800_000_000_000)]));
        assert_eq!(run(&db, "FCALL one 0"), Reply::Int(1));
        assert_eq!(run(&db, "OBJECT ENCODING n"), Reply::Bulk(b"int".to_vec()));
        let pending = run(&db, "XPENDING x g");
        assert!(
            matches!(&pending, Reply::Array(parts) if parts[0] == Reply::Int(1)),
            "{pending:?}"
        );
        db.select(9)?;
        assert_eq!(db.get(b"k")?.as_deref(), Some(b"in-nine".as_slice()));
    }
    Ok(())
}

/// A change by chance.
fn change(db: &Db, rng: &mut Rng) {
    let key = format!("key:{}", rng.below(60));
    let text = match rng.below(4) {
        0 => "x".repeat(rng.below(5_000) as usize + 1),
        1 => (rng.next() as i64 >> rng.below(64)).to_string(),
        _ => rng.below(300).to_string(),
    };
    let line = match rng.below(10) {
        0 => format!("SET {key} {text}"),
        1 => format!("RPUSH {key} {text} {text}b"),
        2 => format!("SADD {key} {text}"),
        3 => format!("HSET {key} {text} v"),
        4 => format!("ZADD {key} {} {text}", rng.below(99)),
        5 => format!("XADD {key} * f {text}"),
        6 => format!("PEXPIREAT {key} {}", START_UNIX_MS + 1 + rng.below(1 << 40)),
        7 => format!("DEL {key}"),
        8 => format!("SELECT {}", rng.below(3)),
        _ => format!("SUNIONSTORE {key} key:1 key:2"),
    };
    // A key may be of another type: that is refused, and good.
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    drop(db.execute(&words));
}

#[test]
fn what_is_saved_is_the_state_of_one_moment_whatever_came_before_and_after() -> Result<(), Error> {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let scratch = Scratch::new();
        let db = open(&scratch, 1 + rng.below(5) as u16)?;
        for round in 0..4 {
            (0..rng.below(400)).for_each(|_| change(&db, &mut rng));
            db.save()?;
            let saved = digest(&db);
            (0..rng.below(50)).for_each(|_| change(&db, &mut rng));
            let crashed = scratch.after_a_crash();
            let found = open(&crashed, 1 + rng.below(5) as u16)?;
            assert_eq!(digest(&found), saved, "seed {seed}, round {round}");
        }
    }
    Ok(())
}

#[test]
fn a_database_that_is_dropped_is_saved_and_one_that_dies_is_as_it_was_saved() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 2)?;
    db.set(b"k", b"one")?;
    assert!(!scratch.snapshot().exists(), "nothing was saved yet");
    let session = db.session();
    drop(db);
    assert!(!scratch.snapshot().exists(), "a session still has it");
    drop(session);
    let db = open(&scratch, 2)?;
    assert_eq!(db.get(b"k")?.as_deref(), Some(b"one".as_slice()));
    db.set(b"k", b"two")?;
    let crashed = open(&scratch.after_a_crash(), 1)?;
    assert_eq!(crashed.get(b"k")?.as_deref(), Some(b"one".as_slice()));
    Ok(())
}

#[test]
fn what_old_servers_can_hold_is_saved_so_that_they_load_it() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 3)?;
    for (line, head) in [
        ("SADD set a b", b"REDIS0010"),
        ("XADD x 1-1 f v", b"REDIS0010"),
        ("XGROUP CREATE x g 0", b"REDIS0010"),
        ("XGROUP CREATECONSUMER x g c", b"REDIS0011"),
        ("HSET h f v", b"REDIS0011"),
        ("HPEXPIREAT h 1800000000000 FIELDS 1 f", b"REDIS0012"),
        ("FLUSHALL", b"REDIS0010"),
    ] {
        run(&db, line);
        db.save()?;
        let saved = fs::read(scratch.snapshot()).expect("a snapshot");
        assert!(saved.starts_with(head), "{line}");
        let found = open(&scratch.after_a_crash(), 1)?;
        assert_eq!(digest(&found), digest(&db), "{line}");
    }
    Ok(())
}

#[test]
fn what_did_not_change_is_not_written_again() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 2)?;
    db.set(b"k", b"v")?;
    db.close()?;
    fs::rename(scratch.snapshot(), scratch.dir().join("kept")).expect("it was saved");
    fs::copy(scratch.dir().join("kept"), scratch.snapshot()).expect("a copy");
    let db = open(&scratch, 2)?;
    assert!(db.get(b"k")?.is_some());
    fs::remove_file(scratch.snapshot()).expect("it is there");
    db.close()?;
    assert!(!scratch.snapshot().exists(), "reading is no change");
    Ok(())
}

#[test]
fn a_directory_has_one_database_at_a_time() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 1)?;
    let session = db.session();
    let refused = open(&scratch, 1).expect_err("it is taken");
    assert_eq!(refused, Error::Locked(scratch.dir().to_owned()));
    assert!(refused.to_string().contains("close it, or give another directory"), "{refused}");
    db.set(b"k", b"v")?;
    db.close()?;
    // A session is left, and does not keep the directory.
    let again = open(&scratch, 1)?;
    assert_eq!(session.get(b"k"), Err(Error::Closed));
    assert!(again.get(b"k")?.is_some());
    Ok(())
}

#[test]
fn saving_that_fails_leaves_what_was_saved_and_the_database_goes_on() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 2)?;
    db.set(b"k", b"one")?;
    db.save()?;
    // Where the new one would be written stands something else.
    let unfinished = scratch.dir().join("dump.rdb.unfinished");
    fs::create_dir(&unfinished).expect("a directory");
    db.set(b"k", b"two")?;
    let failed = db.save().expect_err("a directory is no file");
    assert!(matches!(&failed, Error::File { doing: "write", path, .. } if *path == unfinished));
    assert_eq!(db.get(b"k")?.as_deref(), Some(b"two".as_slice()));
    let crashed = open(&scratch.after_a_crash(), 1)?;
    assert_eq!(crashed.get(b"k")?.as_deref(), Some(b"one".as_slice()));
    let session = db.session();
    assert!(db.close().is_err());
    // Nothing was closed.
    session.set(b"k", b"three")?;
    fs::remove_dir(&unfinished).expect("it is empty");
    drop(session);
    let db = open(&scratch, 2)?;
    assert_eq!(db.get(b"k")?.as_deref(), Some(b"three".as_slice()));
    Ok(())
}

#[test]
fn a_torn_new_snapshot_is_never_taken_for_one() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 1)?;
    db.set(b"k", b"v")?;
    db.close()?;
    fs::write(scratch.dir().join("dump.rdb.unfinished"), b"REDIS0012\xfe").expect("written");
    let db = open(&scratch, 1)?;
    assert!(db.get(b"k")?.is_some());
    db.set(b"k", b"w")?;
    db.close()?;
    assert!(!scratch.dir().join("dump.rdb.unfinished").exists(), "it was used again");
    Ok(())
}

#[test]
fn a_damaged_snapshot_is_refused_and_left_alone() -> Result<(), Error> {
    let scratch = Scratch::new();
    let db = open(&scratch, 3)?;
    (0..100).for_each(|n| drop(run(&db, &format!("SET key:{n} {n}"))));
    db.close()?;
    let whole = fs::read(scratch.snapshot()).expect("a snapshot");
    for at in [0, 5, 9, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        for file in [&damaged[..], &whole[..at]] {
            fs::write(scratch.snapshot(), file).expect("written");
            let error = open(&scratch, 3).expect_err("it is damaged");
            let Error::Damaged { path, why } = &error else { panic!("{at}: {error}") };
            assert_eq!(*path, scratch.snapshot());
            assert!(why.starts_with("at byte "), "{at}: {why}");
            assert_eq!(fs::read(scratch.snapshot()).expect("there"), file, "{at}");
        }
    }
    fs::write(scratch.snapshot(), &whole).expect("written");
    assert_eq!(open(&scratch, 1)?.execute(&[b"DBSIZE"])?, Reply::Int(100));
    Ok(())
}

#[test]
fn files_that_would_lose_something_are_refused() {
    for (file, want) in [
        (&b"REDIS0003\xfe\x10\x00\x01k\x01v\xff"[..], "set the directive databases to 17"),
        (b"REDIS0003\x00\x01k\x01v\x00\x01k\x01w\xff", "the key 'k' is there twice"),
        (b"REDIS0003\xff*1\r\n$4\r\nPING\r\n", "there is more behind its end"),
        (b"REDIS0011\xf5\x03bad\xff\0\0\0\0\0\0\0\0", "a library of functions does not load"),
        (b"", "it ends here, in the middle"),
        (b"not a snapshot", "this is no RDB file"),
    ] {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.dir()).expect("a directory");
        fs::write(scratch.snapshot(), file).expect("written");
        let error = open(&scratch, 2).expect_err("it is refused").to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn keys_past_their_deadline_are_not_saved_and_not_loaded() -> Result<(), Error> {
    let scratch = Scratch::new();
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    let at = |clock: &ManualClock| Db::builder().clock(clock.clone()).seed(1).open(scratch.dir());
    let db = at(&clock)?;
    db.set_ex(b"soon", b"v", Duration::from_millis(10))?;
    db.set_ex(b"later", b"v", Duration::from_millis(1_000))?;
    clock.advance(Duration::from_millis(11));
    db.close()?;
    let file = fs::read(scratch.snapshot()).expect("a snapshot");
    assert!(!file.windows(4).any(|bytes| bytes == b"soon"));
    let db = at(&clock)?;
    assert_eq!(db.ttl(b"later")?, Some(Duration::from_millis(989)));
    db.close()?;
    clock.advance(Duration::from_secs(1));
    assert_eq!(at(&clock)?.execute(&[b"DBSIZE"])?, Reply::Int(0));
    Ok(())
}

#[test]
fn how_keys_were_used_is_kept_where_the_policy_makes_something_of_it() -> Result<(), Error> {
    for (policy, ask, idle_s_or_count) in [
        ("allkeys-lru", "IDLETIME", 100),
        ("allkeys-lfu", "FREQ", 5),
        ("noeviction", "IDLETIME", 0),
    ] {
        let scratch = Scratch::new();
        let clock = ManualClock::at_unix_ms(START_UNIX_MS);
        let at = |clock: &ManualClock| {
            let builder = Db::builder().clock(clock.clone()).seed(1);
            builder.directive("maxmemory-policy", policy).open(scratch.dir())
        };
        let db = at(&clock)?;
        db.set(b"k", b"v")?;
        clock.advance(Duration::from_secs(if ask == "FREQ" { 0 } else { 100 }));
        db.close()?;
        let db = at(&clock)?;
        let told = run(&db, &format!("OBJECT {ask} k"));
        assert_eq!(told, Reply::Int(idle_s_or_count), "{policy}");
    }
    Ok(())
}

#[test]
fn fields_past_their_deadline_are_gone_after_loading() -> Result<(), Error> {
    let scratch = Scratch::new();
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    let at = |clock: &ManualClock| Db::builder().clock(clock.clone()).seed(1).open(scratch.dir());
    let db = at(&clock)?;
    for key in ["all", "some"] {
        run(&db, &format!("HSET {key} f v g w"));
        run(&db, &format!("HPEXPIRE {key} 50 FIELDS 1 f"));
    }
    run(&db, "HPEXPIRE all 50 FIELDS 1 g");
    db.close()?;
    clock.advance(Duration::from_millis(60));
    let db = at(&clock)?;
    assert_eq!(run(&db, "EXISTS all some"), Reply::Int(1));
    assert_eq!(run(&db, "HLEN some"), Reply::Int(1));
    for _ in 0..1_000 {
        if db.run_due().is_none() {
            break;
        }
        clock.advance(Duration::from_millis(10));
    }
    assert_eq!(run(&db, "DBSIZE"), Reply::Int(1));
    Ok(())
}

#[test]
fn info_says_what_was_loaded_and_saved_and_what_is_not() -> Result<(), Error> {
    let field = |db: &Db, name: &str| -> String {
        let Ok(Reply::Verbatim(_, text)) = db.execute(&[b"INFO", b"persistence"]) else {
            panic!("INFO is a text");
        };
        let text = String::from_utf8(text).expect("words");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}")).to_owned()
    };
    let scratch = Scratch::new();
    let clock = ManualClock::at_unix_ms(START_UNIX_MS);
    let at = |clock: &ManualClock| {
        Db::builder().shards(3).clock(clock.clone()).seed(1).open(scratch.dir())
    };
    let db = at(&clock)?;
    for key in ["a", "b", "c", "d"] {
        db.set(key.as_bytes(), b"v")?;
    }
    db.set_ex(b"e", b"v", Duration::from_secs(5))?;
    assert_eq!(field(&db, "rdb_changes_since_last_save"), "5");
    clock.advance(Duration::from_secs(2));
    db.save()?;
    assert_eq!(field(&db, "rdb_changes_since_last_save"), "0");
    assert_eq!(field(&db, "rdb_last_save_time"), (START_UNIX_MS / 1_000 + 2).to_string());
    assert_eq!(field(&db, "rdb_saves"), "1");
    db.set(b"a", b"w")?;
    fs::create_dir(scratch.dir().join("dump.rdb.unfinished")).expect("a directory");
    assert!(db.save().is_err());
    assert_eq!(field(&db, "rdb_last_bgsave_status"), "err");
    assert_eq!(field(&db, "rdb_changes_since_last_save"), "1");
    fs::remove_dir(scratch.dir().join("dump.rdb.unfinished")).expect("it is empty");
    db.close()?;
    clock.advance(Duration::from_secs(9));
    let db = at(&clock)?;
    assert_eq!(field(&db, "rdb_last_load_keys_loaded"), "4");
    assert_eq!(field(&db, "rdb_last_load_keys_expired"), "1");
    assert_eq!(field(&db, "rdb_changes_since_last_save"), "0");
    Ok(())
}

/// `BREAK`: changes a key and panics.
struct Break;

impl Command for Break {
    const SPEC: Spec = Spec { name: "break", arity: Arity(1), ..Spec::DEFAULT };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute(
        (): (),
        ctx: &mut Ctx<'_>,
        _: &mut dyn stoa::command::Reply,
    ) -> Result<(), ReplyError> {
        ctx.changed(1);
        panic!("as it was told");
    }
}

#[test]
fn after_a_panic_nothing_takes_the_place_of_what_was_saved() -> Result<(), Error> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| table_with(&[entry::<Break>()]));
    let scratch = Scratch::new();
    let db = Db::builder().table(&TABLE).seed(1).open(scratch.dir())?;
    db.set(b"k", b"v")?;
    db.save()?;
    let before = fs::read(scratch.snapshot()).expect("a snapshot");
    let broke = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| db.execute(&[b"BREAK"])));
    assert!(broke.is_err());
    drop(db);
    assert_eq!(fs::read(scratch.snapshot()).expect("a snapshot"), before);
    assert!(open(&scratch, 1)?.get(b"k")?.is_some(), "the directory is free");
    Ok(())
}

#[test]
fn shutdown_saves_unless_it_is_told_not_to() -> Result<(), Error> {
    let scratch = Scratch::new();
    for (line, is_saved) in [("SHUTDOWN NOSAVE", false), ("SHUTDOWN", true)] {
        let db = open(&scratch, 2)?;
        db.set(b"k", b"v")?;
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        assert_eq!(db.execute(&words), Err(Error::Closed));
        drop(db);
        assert_eq!(open(&scratch, 2)?.get(b"k")?.is_some(), is_saved, "{line}");
    }
    Ok(())
}

#[test]
fn what_is_no_place_for_a_database_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.dir()).expect("a directory");
    let file = scratch.dir().join("file");
    fs::write(&file, b"x").expect("written");
    let error = Db::open(&file).expect_err("a file").to_string();
    assert!(error.contains("it is a file; give the directory"), "{error}");
    let below = Db::open(file.join("below")).expect_err("below a file");
    assert!(matches!(below, Error::File { doing: "create the directory", .. }), "{below}");
    for name in ["stoa.lock", "..", ""] {
        let refused = Db::builder().directive("dbfilename", name).open(scratch.dir());
        let error = refused.expect_err("no name for a snapshot").to_string();
        assert!(error.contains("the directive dbfilename"), "{name}: {error}");
    }
    assert_eq!(Db::open_memory().expect("it opens").save(), Err(Error::InMemory));
}
