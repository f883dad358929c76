//! Files there and back in any pieces, every mark by hand, and what becomes of damaged ones.

use stoa_stdx::{Rng, UnixMs, crc64};
use stoa_value::{Kind as _, Str};

use super::{Fault, FileReader, FileWriter, KeyHead, KeyRecord, Record, Wrong};
use crate::load::tests::{object, rules, text};
use crate::{Damaged, Loaded, ValueRef};

fn value_ref(value: &Loaded) -> ValueRef<'_> {
    match value {
        Loaded::String(text) => ValueRef::String(Str::Bytes(text)),
        Loaded::Object(object) => ValueRef::Object(object.as_ref()),
    }
}

/// What a keyspace might hold, as records of the file that it makes.
fn records(rng: &mut Rng) -> Vec<Record> {
    let rules = rules(rng);
    let mut records = Vec::new();
    for name in 0..rng.below(4) {
        let name = format!("note{name}").into_bytes();
        records.push(Record::Aux { name, value: text(rng) });
    }
    for _ in 0..rng.below(3) {
        records.push(Record::Library(text(rng)));
    }
    for database in 0..rng.below(4) * 3 {
        let (keys, deadlines) = (rng.below(20), rng.below(100_000));
        records.push(Record::Sizes { database, keys, deadlines });
        for at in 0..keys {
            let value = match rng.below(4) {
                0 => Loaded::String(text(rng)),
                _ => Loaded::Object(object(rng, &rules)),
            };
            let key = [text(rng), at.to_string().into_bytes()].concat();
            let deadline = rng.one_in(2).then(|| UnixMs(rng.next() >> 1));
            let idle_s = rng.one_in(3).then(|| rng.below(100_000));
            let frequency = (idle_s.is_none() && rng.one_in(3)).then(|| rng.next() as u8);
            records.push(Record::Key(KeyRecord {
                database,
                key,
                deadline,
                idle_s,
                frequency,
                value,
            }));
        }
    }
    records
}

/// Writes `records`, taking pieces away at random; a large value in portions.
fn written(records: &[Record], rng: &mut Rng) -> Vec<u8> {
    let limits = rules(rng).limits;
    let versions = records.iter().filter_map(|record| match record {
        Record::Key(key) => Some(value_ref(&key.value).version()),
        _ => None,
    });
    let version = versions.max().unwrap_or(10).max(10 + rng.below(3) as u16);
    let mut writer = FileWriter::new(version, rng.one_in(2), true);
    let mut file = Vec::new();
    for record in records {
        match record {
            Record::Aux { name, value } => writer.aux(name, value),
            Record::Library(code) => writer.library(code),
            Record::Sizes { database, keys, deadlines } => {
                writer.database(*database as u16, *keys, *deadlines);
            }
            Record::Key(KeyRecord { key, deadline, idle_s, frequency, value, .. }) => {
                let (idle_s, frequency) = (*idle_s, *frequency);
                let head = KeyHead { key, deadline: *deadline, idle_s, frequency };
                let mut value = writer.key(head, value_ref(value), &limits);
                while !value.is_over() {
                    writer.value(&mut value, rng.below(300) as usize);
                    if rng.one_in(2) {
                        file.append(&mut writer.take());
                    }
                }
            }
            Record::Slot { .. } | Record::End { .. } => unreachable!("not made here"),
        }
        if rng.one_in(3) {
            file.append(&mut writer.take());
        }
    }
    writer.end();
    file.append(&mut writer.take());
    file
}

/// Reads `file` in pieces, to its end or the first fault.
fn read(file: &[u8], rng: &mut Rng) -> (Vec<Record>, Option<Fault>) {
    let mut reader = FileReader::new(rules(rng), true);
    let piece_max = *rng.pick(&[1, 20, 700, 100_000]);
    let (mut records, mut left) = (Vec::new(), file);
    loop {
        loop {
            match reader.next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(fault) => return (records, Some(fault)),
            }
        }
        if matches!(records.last(), Some(Record::End { .. })) {
            return (records, None);
        }
        if left.is_empty() {
            reader.finish();
        }
        let (piece, rest) = left.split_at(left.len().min(1 + rng.below(piece_max) as usize));
        reader.feed(piece);
        left = rest;
    }
}

#[test]
fn what_was_written_is_read_in_whatever_pieces() {
    for seed in 0..if cfg!(miri) { 2 } else { 400 } {
        let mut rng = Rng::new(seed);
        let mut want = records(&mut rng);
        let file = written(&want, &mut rng);
        want.push(Record::End { is_checked: true });
        let (got, fault) = read(&file, &mut rng);
        assert_eq!(fault, None, "seed {seed}");
        assert_eq!(got, want, "seed {seed}");
    }
}

#[test]
fn a_file_with_any_bit_changed_or_cut_off_anywhere_is_refused() {
    for seed in 0..if cfg!(miri) { 1 } else { 20 } {
        let mut rng = Rng::new(seed);
        let whole = records(&mut rng);
        let file = written(&whole, &mut rng);
        for _ in 0..if cfg!(miri) { 3 } else { 40 } {
            let at = rng.below(file.len() as u64) as usize;
            let (got, fault) = read(&file[..at], &mut rng);
            let fault = fault.unwrap_or_else(|| panic!("seed {seed}: cut at {at}"));
            assert_eq!(fault.wrong, Wrong::Cut, "seed {seed}: cut at {at}");
            assert!(fault.offset <= at as u64 && got.len() <= whole.len(), "seed {seed}: {at}");
            let mut damaged = file.clone();
            // The version and a sum of zero are not guarded by the sum.
            damaged[at] ^= 1 << rng.below(8);
            if at < 9 || damaged[file.len() - 8..].iter().all(|byte| *byte == 0) {
                continue;
            }
            let (_, fault) = read(&damaged, &mut rng);
            assert!(fault.is_some(), "seed {seed}: bit changed at {at}");
        }
    }
}

/// All records of a file without a checksum.
fn all(file: &[u8]) -> Result<Vec<Record>, Fault> {
    match read(file, &mut Rng::new(1)) {
        (records, None) => Ok(records),
        (_, Some(fault)) => Err(fault),
    }
}

fn key(database: u64, deadline: Option<u64>) -> KeyRecord {
    KeyRecord {
        database,
        key: b"k".to_vec(),
        deadline: deadline.map(UnixMs),
        idle_s: None,
        frequency: None,
        value: Loaded::String(b"v".to_vec()),
    }
}

#[test]
fn every_mark_is_known() {
    let file = [
        &b"REDIS0011\xfa\x04bits\xc0\x40\xf5\x04code\xfe\x03\xfb\x02\x01\xf4\x07\x01\x00"[..],
        b"\xfd\x02\x00\x00\x00\xf8\x41\x00\x00\x01k\x01v",
        b"\xfc\x07\x00\x00\x00\x00\x00\x00\x00\xf9\x09\x00\x01k\x01v\x00\x01k\x01v",
        b"\xfd\xff\xff\xff\xff\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let want = vec![
        Record::Aux { name: b"bits".to_vec(), value: b"64".to_vec() },
        Record::Library(b"code".to_vec()),
        Record::Sizes { database: 3, keys: 2, deadlines: 1 },
        Record::Slot { slot: 7, keys: 1, deadlines: 0 },
        Record::Key(KeyRecord { idle_s: Some(256), ..key(3, Some(2_000)) }),
        Record::Key(KeyRecord { frequency: Some(9), ..key(3, Some(7)) }),
        Record::Key(key(3, None)),
        Record::Key(key(3, Some(0))),
        Record::End { is_checked: false },
    ];
    assert_eq!(all(&file), Ok(want));
}

#[test]
fn old_files_end_without_a_sum_and_what_follows_is_left() {
    let rules = rules(&mut Rng::new(2));
    let mut reader = FileReader::new(rules, true);
    reader.feed(b"REDIS0004\x00\x01k\x01v\xff*1\r\n");
    assert_eq!(reader.next(), Ok(Some(Record::Key(key(0, None)))));
    assert_eq!(reader.next(), Ok(Some(Record::End { is_checked: false })));
    assert_eq!(reader.next(), Ok(None));
    assert_eq!(reader.left(), b"*1\r\n");
    assert_eq!(reader.version(), 4);
}

#[test]
fn versions_and_beginnings_that_are_not_known_are_named() {
    let wrong = |file: &[u8]| all(file).map_err(|fault| fault.wrong);
    for version in ["REDIS0001", "REDIS0013", "VALKEY080"] {
        let file = [version.as_bytes(), b"\xff\0\0\0\0\0\0\0\0"].concat();
        assert!(all(&file).is_ok(), "{version}");
    }
    for (file, version, is_valkey) in [
        (&b"REDIS0000\xff"[..], 0, false),
        (b"REDIS0014\xff", 14, false),
        (b"REDIS0080\xff", 80, false),
        (b"VALKEY011\xff", 11, true),
    ] {
        assert_eq!(wrong(file), Err(Wrong::Version { version, is_valkey }), "{file:?}");
    }
    for file in
        [&b"PK\x03\x04"[..], b"*3\r\n$3\r\nSET", b"REDIS 012\xff", b"REDIS+012", b"redis0012"]
    {
        assert_eq!(wrong(file), Err(Wrong::NoRdb), "{file:?}");
    }
    assert_eq!(wrong(b""), Err(Wrong::Cut));
    assert_eq!(wrong(b"REDIS00"), Err(Wrong::Cut));
}

#[test]
fn numbers_that_mean_another_thing_elsewhere_are_read_as_their_writer_meant_them() {
    let mut hash = stoa_value::Hash::default();
    let rules = rules(&mut Rng::new(2));
    hash.expect_deadlines();
    hash.set(b"f", b"v", &rules);
    hash.set(b"g", b"w", &rules);
    hash.set_deadline(b"g", Some(UnixMs(5)));
    let never = [0xff; 8];
    let valkey =
        [&b"VALKEY080\x16\x01k\x02\x01f\x01v"[..], &never, b"\x01g\x01w\x05\0\0\0\0\0\0\0"];
    let file = [&valkey.concat(), &b"\xff\0\0\0\0\0\0\0\0"[..]].concat();
    let value = Loaded::Object(hash.into_object());
    let want = Record::Key(KeyRecord { value, ..key(0, None) });
    assert_eq!(all(&file).map(|mut records| records.remove(0)), Ok(want));
    for kind in [23, 25, 26, 100, 243] {
        let file = [&b"VALKEY080"[..], &[kind], b"\x01k\x01\x01f\x01v"].concat();
        assert_eq!(all(&file).map_err(|fault| fault.wrong), Err(Wrong::Kind(kind)));
    }
}

#[test]
fn faults_say_where_what_and_what_to_do() {
    for (file, want) in [
        (
            &b"REDIS0012\x02\x03key\x02\x01a\x01a"[..],
            "at byte 17, in key 'key': an element is there twice; the file is damaged, load another copy of it",
        ),
        (
            b"REDIS0012\x00\x01k\x05v",
            "at byte 12, in key 'k': it ends here, in the middle; load another copy of it",
        ),
        (
            b"REDIS0012\xf7\x81\x1e\xd3\x2f\x5a\x3c\x7d\x28\x01",
            "has data of the module 'HtMvWjx9K'",
        ),
        (b"REDIS0012\x07\x01k\x81\x1e\xd3\x2f\x5a\x3c\x7d\x28\x01", "there are no modules here"),
        (b"REDIS0012\xf6", "as candidates of Redis 7.0 wrote them"),
        (b"REDIS0012\x1a\x01k", "at byte 9: there is a mark 26"),
        (b"REDIS0012\x00\x01k\x01v\xff\x01\0\0\0\0\0\0\0", "it changed after it was written"),
        (b"REDIS0012\x00\x81\0\0\0\x02\0\0\0\0", "a string is longer than any may be"),
    ] {
        let fault = all(file).expect_err("it is damaged");
        let text = fault.to_string();
        assert!(text.contains(want), "{file:?}: {text}");
    }
    let fault = Fault {
        offset: 3,
        key: Some(vec![b'x'; 100]),
        wrong: Wrong::Damaged(Damaged("it is empty")),
    };
    assert!(fault.to_string().contains("xxx...'"), "{fault}");
}

#[test]
fn keys_without_a_value_are_passed_over() {
    let rules = rules(&mut Rng::new(2));
    let mut reader = FileReader::new(rules, true);
    let empty_listpack = b"\x10\x01b\x07\x07\0\0\0\0\0\xff";
    let file = [
        &b"REDIS0012\xfc\x07\0\0\0\0\0\0\0\x02\x01a\x00"[..],
        empty_listpack,
        b"\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0",
    ];
    // Piece by piece, too.
    file.concat().chunks(1).for_each(|piece| reader.feed(piece));
    assert_eq!(reader.next(), Ok(Some(Record::Key(key(0, None)))));
    assert_eq!(reader.next(), Ok(Some(Record::End { is_checked: false })));
    assert_eq!(reader.empty_keys(), 2);
}

#[test]
fn the_oldest_version_that_holds_a_value_holds_all_of_it() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..if cfg!(miri) { 4 } else { 600 } {
        let mut rng = Rng::new(seed);
        let rules = rules(&mut rng);
        let value = Loaded::Object(object(&mut rng, &rules));
        let version = value_ref(&value).version();
        *seen.entry(version).or_insert(0) += 1;
        let mut writer = FileWriter::new(version, true, true);
        let head = KeyHead { key: b"k", deadline: None, idle_s: None, frequency: None };
        let mut portions = writer.key(head, value_ref(&value), &rules.limits);
        writer.value(&mut portions, usize::MAX);
        drop(portions);
        writer.end();
        let file = writer.take();
        assert_eq!(file[7..9], *version.to_string().as_bytes());
        let want = Record::Key(KeyRecord { value, ..key(0, None) });
        assert_eq!(all(&file).map(|mut records| records.remove(0)), Ok(want), "seed {seed}");
    }
    assert!(cfg!(miri) || [10, 11, 12].iter().all(|version| seen[version] > 20), "{seen:?}");
}

#[test]
fn the_sum_is_that_of_all_before_it() {
    let mut writer = FileWriter::new(10, true, true);
    writer.aux(b"a", b"b");
    let mut file = writer.take();
    writer.end();
    file.extend(writer.take());
    let (covered, sum) = file.split_at(file.len() - 8);
    assert_eq!(sum, crc64(covered).to_le_bytes());
    let mut writer = FileWriter::new(10, true, false);
    writer.end();
    assert!(writer.take().ends_with(b"\xff\0\0\0\0\0\0\0\0"));
}

#[test]
fn a_reader_holds_what_it_cannot_use_yet_and_no_more() {
    // Lengths that promise the world cost nothing; a large set is taken in as it comes.
    let rules = rules(&mut Rng::new(2));
    let mut reader = FileReader::new(rules, true);
    reader.feed(b"REDIS0012\x02\x01k\x81\x00\x00\x00\x7f\xff\xff\xff\xff");
    for at in 0..if cfg!(miri) { 50_u32 } else { 50_000 } {
        let member = [&[5][..], &at.to_be_bytes(), b"x"].concat();
        reader.feed(&member);
        assert_eq!(reader.next(), Ok(None));
        assert!(reader.left().is_empty() && reader.held_bytes() < 256 * 1024, "{at}");
    }
    reader.feed(b"\x80\xff\xff\xff\xffabc");
    assert_eq!(reader.next(), Ok(None));
    assert!(reader.held_bytes() < 256 * 1024, "{}", reader.held_bytes());
}
