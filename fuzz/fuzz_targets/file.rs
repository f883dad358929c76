//! Any bytes as a whole RDB file, in pieces: refused, or records that go out and come in again the same.
//!
//! The first byte chooses limits and how long the pieces are. Checksums are not compared: the fuzzer
//! would only learn to count.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_rdb::{FileReader, FileWriter, KeyHead, KeyRecord, Loaded, Record, ValueRef};
use stoa_stdx::HashSeed;
use stoa_value::{Limits, Rules, Str};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, file)) = data.split_first() else { return };
    let mut limits = Limits::default();
    if choice & 1 == 1 {
        (limits.hash_max_entries, limits.set_max_entries, limits.zset_max_entries) = (3, 3, 3);
        (limits.set_max_intset_entries, limits.list_max_size) = (3, 3);
    }
    let rules = Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) };
    let Some(records) = read(file, 1 + usize::from(choice >> 1) * 8, &rules) else { return };
    let once = write(&records, &limits);
    let again = read(&once, 64, &rules).expect("what we write we read");
    // Consumers of streams have numbers of their own, so bytes are compared and not records.
    assert_eq!(write(&again, &limits), once);
});

/// All records up to the end, or none.
fn read(file: &[u8], piece_len: usize, rules: &Rules) -> Option<Vec<Record>> {
    let mut reader = FileReader::new(rules.clone(), false);
    let mut records = Vec::new();
    for piece in file.chunks(piece_len).map(Some).chain([None]) {
        match piece {
            Some(piece) => reader.feed(piece),
            None => reader.finish(),
        }
        while let Some(record) = reader.next().ok()? {
            if matches!(record, Record::End { .. }) {
                return Some(records);
            }
            records.push(record);
        }
        assert!(reader.held_bytes() <= 64 * 1024 + 16 * file.len());
    }
    unreachable!("cut off is a fault")
}

fn write(records: &[Record], limits: &Limits) -> Vec<u8> {
    let mut writer = FileWriter::new(stoa_rdb::VERSION, false, true);
    let mut file = Vec::new();
    let mut database = 0;
    for record in records {
        match record {
            Record::Aux { name, value } => writer.aux(name, value),
            Record::Library(code) => writer.library(code),
            Record::Sizes { .. } | Record::Slot { .. } | Record::End { .. } => {}
            Record::Key(KeyRecord { database: of, key, deadline, idle_s, frequency, value }) => {
                let Ok(index) = u16::try_from(*of) else { continue };
                if index != database {
                    database = index;
                    writer.database(index, 0, 0);
                }
                let (idle_s, frequency) = (*idle_s, *frequency);
                let head = KeyHead { key, deadline: *deadline, idle_s, frequency };
                let value = match value {
                    Loaded::String(text) => ValueRef::String(Str::Bytes(text)),
                    Loaded::Object(object) => ValueRef::Object(object.as_ref()),
                };
                let mut value = writer.key(head, value, limits);
                while !value.is_over() {
                    writer.value(&mut value, 100);
                    file.append(&mut writer.take());
                }
            }
        }
    }
    writer.end();
    file.append(&mut writer.take());
    file
}
