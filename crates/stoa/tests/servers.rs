//! Files that real servers saved: taken over with everything in them, and saved again without loss.

use std::fs;
use std::path::Path;

use stoa::{Db, Error, Reply};

/// Redis 7.0.15, Redis 7.4.1 and Valkey 9.1 after the same commands, as far as they know them. One line
/// each: name, DEBUG DIGEST, and what SAVE wrote.
const SERVERS: &str = include_str!("servers.txt");

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).expect("hexadecimal") as u8;
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn open(dir: &Path, shards: u16) -> Result<Db, Error> {
    Db::builder().shards(shards).directive("enable-debug-command", "yes").open(dir)
}

fn digest(db: &Db) -> Result<Reply, Error> {
    db.execute(&[b"DEBUG", b"DIGEST"])
}

/// What a digest leaves out.
fn beside_the_digest(name: &str, db: &Db) -> Result<Vec<Reply>, Error> {
    let mut facts = vec![
        db.execute(&[b"FCALL", b"one", b"0"])?,
        db.execute(&[b"PEXPIRETIME", b"due"])?,
        db.execute(&[b"PEXPIRETIME", b"due-set"])?,
        db.execute(&[b"XPENDING", b"stream", b"g1"])?,
        db.execute(&[b"XLEN", b"stream-empty"])?,
        db.execute(&[b"OBJECT", b"ENCODING", b"int"])?,
        db.execute(&[b"DBSIZE"])?,
    ];
    if name != "redis-7.0" {
        facts.push(db.execute(&[b"HPEXPIRETIME", b"fields", b"FIELDS", b"2", b"f", b"g"])?);
        facts.push(db.execute(&[b"HPEXPIRETIME", b"fields-large", b"FIELDS", b"1", b"f500"])?);
    }
    Ok(facts)
}

#[test]
fn what_real_servers_saved_is_taken_over_whole() -> Result<(), Error> {
    const FAR_MS: i64 = 4_000_000_000_000;
    let int = Reply::Int;
    for line in SERVERS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("three words");
        let (name, told, file) = (word(), word(), bytes(word()));
        let room = tempfile::tempdir().expect("a temporary directory");
        fs::write(room.path().join("dump.rdb"), file).expect("written");

        let db = open(room.path(), 3)?;
        assert_eq!(digest(&db)?, Reply::Simple(told.to_owned()), "{name}");
        let facts = beside_the_digest(name, &db)?;
        let keys = if name == "redis-7.0" { 18 } else { 20 };
        let want = [int(1), int(FAR_MS + 5), int(FAR_MS + 6)];
        assert_eq!(facts[..3], want, "{name}");
        assert_eq!(facts[4..7], [int(0), Reply::Bulk(b"int".to_vec()), int(keys)], "{name}");
        if name != "redis-7.0" {
            let deadlines = Reply::Array(vec![int(-1), int(FAR_MS + 7)]);
            let far = Reply::Array(vec![int(FAR_MS + 8)]);
            assert_eq!(facts[7..], [deadlines, far], "{name}");
        }
        db.save()?;
        let saved = fs::read(room.path().join("dump.rdb")).expect("a snapshot");
        let version = if name == "redis-7.0" { b"REDIS0011" } else { b"REDIS0012" };
        assert!(saved.starts_with(version), "{name}: streams have consumers, hashes deadlines");
        db.close()?;

        let db = open(room.path(), 1)?;
        assert_eq!(digest(&db)?, Reply::Simple(told.to_owned()), "{name}, saved again");
        assert_eq!(beside_the_digest(name, &db)?, facts, "{name}, saved again");
    }
    Ok(())
}
