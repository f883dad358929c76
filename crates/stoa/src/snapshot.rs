//! All keys of a database into a file and out of one.
//!
//! The moment of a snapshot is simple here: one thread drives all shards, each call ends with no
//! transaction under way, and no call begins while the file is written. So what is written is the state
//! between two calls, over all shards. The price is that calls wait for the disk.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use stoa_engine::stored;
use stoa_observability::info::REDIS_VERSION;
use stoa_rdb::{FileReader, FileWriter, KeyRecord, Record, VERSION, VERSION_MIN};
use stoa_shard::{KeyLoaded, Shard, owner_of};
use stoa_stdx::{DbIndex, key_slot};

use crate::Error;
use crate::executor::{Executor, Seat, moment};
use crate::home::{Home, failed};

/// Bytes read, and written, at a time.
const PIECE_LEN: usize = 256 * 1024;

impl Executor {
    /// Makes this the database of a directory: loads what was saved there.
    pub(crate) fn move_in(&mut self, home: Home) -> Result<(), Error> {
        if let Some(file) = home.snapshot()? {
            self.load(file, home.snapshot_path())?;
        }
        // Libraries that were loaded are no changes.
        self.each_shard(|shard| shard.snapshots().changes = shard.changes());
        self.home = Some(home);
        Ok(())
    }

    fn each_shard(&mut self, act: impl FnMut(&mut Shard)) {
        self.seats.iter_mut().map(|seat| &mut seat.shard).for_each(act);
    }

    /// Saves what changed since it was saved, if anything did.
    pub(crate) fn save_changes(&mut self) -> Result<(), Error> {
        let is_changed = |seat: &mut Seat| seat.shard.changes() > seat.shard.snapshots().changes;
        if self.home.is_some() && self.seats.iter_mut().any(is_changed) {
            return self.save();
        }
        Ok(())
    }

    /// Saves all there is.
    pub(crate) fn save(&mut self) -> Result<(), Error> {
        let home = self.home.take().ok_or(Error::InMemory)?;
        let saved = home.replace_snapshot(|file| self.write_snapshot(file));
        self.home = Some(home);
        let (begun, ended) = (self.now, moment(&*self.clock));
        let seconds = ended.mono.0.saturating_sub(begun.mono.0) / 1_000_000_000;
        let is_saved = saved.is_ok();
        self.each_shard(|shard| {
            let changes = shard.changes();
            let facts = shard.snapshots();
            facts.has_failed = !is_saved;
            if is_saved {
                (facts.changes, facts.last_at) = (changes, begun.unix);
                (facts.last_s, facts.count) = (Some(seconds), facts.count + 1);
            }
        });
        saved
    }

    fn write_snapshot(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.now = moment(&*self.clock);
        let are_at_rest = self.seats.iter().all(|seat| seat.shard.is_at_rest());
        assert!(are_at_rest, "between calls no transaction is under way");
        let config = self.seats[0].shard.config().clone();
        let version = self.version(config.databases);
        let mut writer = FileWriter::new(version, config.rdb_compression, config.rdb_checksum);
        let unix_s = self.now.unix.0 / 1_000;
        writer.aux(b"redis-ver", REDIS_VERSION.as_bytes());
        writer.aux(b"redis-bits", b"64");
        writer.aux(b"ctime", unix_s.to_string().as_bytes());
        writer.aux(b"stoa-ver", env!("CARGO_PKG_VERSION").as_bytes());
        for code in self.seats[0].shard.libraries() {
            writer.library(&code);
        }
        for index in (0..config.databases).map(DbIndex) {
            self.write_database(index, &mut writer, out)?;
        }
        writer.end();
        out.write_all(&writer.take())
    }

    /// The oldest version of the format that holds what there is. It stands first in the file, so all
    /// keys are looked at once before.
    fn version(&mut self, databases: u16) -> u16 {
        let mut version = VERSION_MIN;
        let now = self.now.unix;
        for index in (0..databases).map(DbIndex) {
            for seat in &mut self.seats {
                seat.shard.each_key(index, now, &mut |entry, _| {
                    if version < VERSION {
                        version = version.max(stored(&entry).version());
                    }
                });
            }
        }
        version
    }

    fn write_database(
        &mut self,
        index: DbIndex,
        writer: &mut FileWriter,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let counts = self.seats.iter().map(|seat| seat.shard.keyspace().counts(index));
        let (keys, deadlines) =
            counts.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        if keys == 0 {
            return Ok(());
        }
        writer.database(index.0, keys as u64, deadlines as u64);
        let mut outcome = Ok(());
        for seat in &mut self.seats {
            let limits = seat.shard.config().limits;
            seat.shard.each_key(index, self.now.unix, &mut |entry, head| {
                if outcome.is_err() {
                    return;
                }
                let mut value = writer.key(head, stored(&entry), &limits);
                while outcome.is_ok() && !value.is_over() {
                    writer.value(&mut value, PIECE_LEN);
                    if writer.waiting() >= PIECE_LEN {
                        outcome = out.write_all(&writer.take());
                    }
                }
            });
        }
        outcome
    }

    fn load(&mut self, mut file: File, path: &Path) -> Result<(), Error> {
        let damaged = |why: String| Error::Damaged { path: path.to_owned(), why };
        let checks_sum = self.seats[0].shard.config().rdb_checksum;
        let mut reader = FileReader::new(self.seats[0].shard.rules(), checks_sum);
        let mut piece = vec![0; PIECE_LEN];
        let (mut keys_loaded, mut keys_expired) = (0, 0);
        loop {
            while let Some(record) = reader.next().map_err(|fault| damaged(fault.to_string()))? {
                match record {
                    Record::Aux { .. } | Record::Sizes { .. } | Record::Slot { .. } => {}
                    Record::Library(code) => self.load_library(&code).map_err(damaged)?,
                    Record::Key(record) => {
                        let is_there = self.load_key(record).map_err(damaged)?;
                        *(if is_there { &mut keys_loaded } else { &mut keys_expired }) += 1;
                    }
                    Record::End { .. } => {
                        self.each_shard(|shard| {
                            let facts = shard.snapshots();
                            (facts.keys_loaded, facts.keys_expired) = (keys_loaded, keys_expired);
                        });
                        return ends(&mut file, &reader, path);
                    }
                }
            }
            let len = file.read(&mut piece).map_err(|error| failed("read", path, &error))?;
            if len == 0 {
                reader.finish();
            } else {
                reader.feed(&piece[..len]);
            }
        }
    }

    /// False if its deadline is past.
    fn load_key(&mut self, record: KeyRecord) -> Result<bool, String> {
        let owner = owner_of(key_slot(&record.key), self.seats.len() as u16);
        let database = record.database;
        let shard = &mut self.seats[owner.0 as usize].shard;
        match shard.load_key(record, self.now.unix) {
            KeyLoaded::Taken => Ok(true),
            KeyLoaded::Expired => Ok(false),
            KeyLoaded::Twice(key) => Err(format!(
                "the key '{}' is there twice in database {database}; load another copy of the file",
                key.escape_ascii()
            )),
            KeyLoaded::NoDatabase => Err(format!(
                "it has keys in database {database}, and there are {}; set the directive databases \
                 to {} or more",
                shard.config().databases,
                database.saturating_add(1)
            )),
        }
    }

    /// Every shard has its own compiled copy.
    fn load_library(&mut self, code: &[u8]) -> Result<(), String> {
        for seat in &mut self.seats {
            seat.shard.load_library(code).map_err(|line| {
                format!(
                    "a library of functions does not load: {}; delete it where the file comes from, \
                     then write the file anew",
                    String::from_utf8_lossy(&line)
                )
            })?;
        }
        Ok(())
    }
}

/// Nothing may follow: a log that begins with a snapshot would lose all that it says behind it.
fn ends(file: &mut File, reader: &FileReader, path: &Path) -> Result<(), Error> {
    let mut more = [0];
    let len = file.read(&mut more).map_err(|error| failed("read", path, &error))?;
    if reader.left().is_empty() && len == 0 {
        return Ok(());
    }
    let why = "there is more behind its end: it is the beginning of a log, or two files in one; \
               give a snapshot alone";
    Err(Error::Damaged { path: path.to_owned(), why: why.to_owned() })
}
