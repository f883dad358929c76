//! Keys given to another server: a job like others (see `jobs`), over a connection of `links`.
//!
//! ```text
//!        shard                                    the other server
//!   [AUTH ...] [SELECT db] RESTORE k1 ... RESTORE k2 ... ---->|
//!        |<---------------- +OK or an error, for each --------|
//!   runs the command again, which removes k1, k2 ...
//! ```
//!
//! All requests go out one behind the other. A value is written down, in portions, when there is room for it in
//! the output, so what waits to be sent is one value and a few hundred KiB, whatever the keys hold together. Values
//! go out in the oldest version of the format that can say them, so that older servers take them. Answers
//! are lines; anything else ends the connection. A key is taken when its own answer says so. What went
//! wrong first is what the client hears, and keys that were not taken stay as they are.

use stoa_engine::{Migrated, Migration, stored_value};
use stoa_rdb::Dumping;
use stoa_resp::{Encoder, Proto, write_request};
use stoa_stdx::{MonoMs, UnixMs};

use crate::Shard;
use crate::event::{Action, Unlinked};
use crate::jobs::Whose;

/// Bytes between two looks at the clock. To compress more than that takes longer than the rest of a portion.
const STEP_LEN: usize = 4 << 10;
/// When a portion ends, in nanoseconds and in bytes.
const PORTION_NS: u64 = 50_000;
const PORTION_LEN: usize = 64 << 10;
/// A value that is not whole is kept in pieces of this length: one buffer that grew with it would be
/// moved as a whole, again and again.
const PIECE_LEN: usize = 256 << 10;

/// A migration on its way.
pub(crate) struct Errand {
    migration: Box<Migration>,
    whose: Whose,
    /// Requests before those for the keys that were not answered.
    leads: usize,
    /// What one of those was refused with.
    refusal: Option<Vec<u8>>,
    /// What stands before the keys.
    leading: Vec<Vec<u8>>,
    /// The value that is being written, and what there is of it.
    dumping: Option<(Dumping, Vec<Vec<u8>>)>,
    /// Keys that were written.
    written: usize,
    /// Keys that were answered.
    answered: usize,
    /// Any answer has come.
    is_heard: bool,
    migrated: Migrated,
}

/// What came of it, and what is to be done then. None: it is to be tried once more.
pub(crate) type Outcome = (Whose, Option<Migrated>);

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was never there.
    Unlinked(Unlinked),
    /// Its peer ended it.
    Closed,
    /// Nothing moved for too long.
    TimeUp,
    /// What its peer says is no answer.
    Garbage,
}

/// How far an errand has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    Writing,
    Reading,
}

impl Errand {
    pub(crate) fn new(migration: Box<Migration>, whose: Whose) -> Self {
        Self {
            migration,
            whose,
            leads: 0,
            refusal: None,
            leading: Vec::new(),
            dumping: None,
            written: 0,
            answered: 0,
            is_heard: false,
            migrated: Migrated::default(),
        }
    }

    /// When it is given up if nothing moves after `now`.
    pub(crate) const fn patience(&self, now: MonoMs) -> MonoMs {
        self.migration.patience(now)
    }

    /// Whether some key is still to be written.
    pub(crate) const fn has_more(&self) -> bool {
        self.written < self.migration.keys.len()
    }

    /// Whether all keys were answered.
    pub(crate) const fn is_over(&self) -> bool {
        self.answered == self.migration.keys.len()
    }

    /// Whether no answer has come.
    pub(crate) const fn is_unheard(&self) -> bool {
        !self.is_heard
    }

    /// The database that is selected there when it is over, if that is known.
    pub(crate) fn selected(&self) -> Option<i64> {
        self.migrated.error.is_none().then_some(self.migration.db)
    }

    /// Writes what stands before the keys.
    fn lead(&mut self, selected: Option<i64>) {
        let Migration { auth, db, .. } = &*self.migration;
        let mut out = Vec::new();
        if !auth.is_empty() {
            let words: Vec<&[u8]> =
                [&b"AUTH"[..]].into_iter().chain(auth.iter().map(Vec::as_slice)).collect();
            write_request(&mut out, &words);
            self.leads += 1;
        }
        if selected != Some(*db) {
            write_request(&mut out, &["SELECT", &db.to_string()]);
            self.leads += 1;
        }
        self.leading.push(out);
    }

    /// Hears an answer, without the end of its line. False: it is none.
    pub(crate) fn hears(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let refused = match line.split_first() {
            Some((b'+', _)) => None,
            Some((b'-', text)) => Some(text),
            Some(_) | None => return false,
        };
        self.is_heard = true;
        if self.leads > 0 {
            // Whatever comes of the keys then, they are not where they should be.
            self.leads -= 1;
            self.refusal = self.refusal.take().or_else(|| refused.map(<[u8]>::to_vec));
            return true;
        }
        if self.answered == self.written {
            return false;
        }
        let (key, _) = &self.migration.keys[self.answered];
        match self.refusal.as_deref().or(refused) {
            None => self.migrated.taken.push(key.clone()),
            Some(text) if self.migrated.error.is_none() => {
                let error = [b"ERR Target instance replied with error: ", text].concat();
                self.migrated.error = Some(error);
            }
            Some(_) => {}
        }
        self.answered += 1;
        true
    }

    /// All was answered.
    pub(crate) fn end(self) -> Outcome {
        (self.whose, Some(self.migrated))
    }

    /// It begins anew.
    pub(crate) fn once_more(self) -> Outcome {
        (self.whose, None)
    }

    /// It ends before all was answered. What the other server said counts more than that it went away.
    pub(crate) fn fail(mut self, trouble: Trouble, stage: Stage) -> Outcome {
        let text: &[u8] = match (trouble, stage) {
            (Trouble::Unlinked(Unlinked::Never), _) => {
                b"IOERR this server is part of a program that makes no connections; copy the keys \
                  with DUMP and RESTORE"
            }
            (Trouble::Garbage, _) => {
                b"IOERR error or timeout reading to target instance: what it answers is no answer \
                  to RESTORE; look at what listens there"
            }
            (Trouble::Unlinked(Unlinked::Refused), _) | (_, Stage::Writing) => {
                b"IOERR error or timeout writing to target instance"
            }
            (Trouble::Unlinked(Unlinked::Unreached), _) | (_, Stage::Connecting) => {
                b"IOERR error or timeout connecting to the client"
            }
            (Trouble::Closed | Trouble::TimeUp, Stage::Reading) => {
                b"IOERR error or timeout reading to target instance"
            }
        };
        self.migrated.error.get_or_insert_with(|| text.to_vec());
        (self.whose, Some(self.migrated))
    }
}

impl Shard {
    /// Gives a migration a connection, or a place among those that wait for one.
    pub(crate) fn start_migration(&mut self, migration: Box<Migration>, whose: Whose) {
        let Some(row) = self.link_for(&migration) else {
            return self.links.queue(migration, whose, self.now.mono.ms());
        };
        let mut errand = Errand::new(migration, whose);
        let link = self.links.at(row);
        errand.lead(link.selected);
        self.use_link(row, errand);
    }

    /// Goes on with what is on its way, and runs what is over. True when there is more to do at once.
    pub(crate) fn go_on_migrating(&mut self) -> bool {
        if self.links.is_idle() && self.links.over.is_empty() {
            return false;
        }
        for (whose, migrated) in std::mem::take(&mut self.links.over) {
            self.node.migrated = migrated.map(Box::new);
            self.run_again(whose);
        }
        while let Some((migration, whose)) = self.links.next_waiting() {
            self.start_migration(migration, whose);
        }
        let mut goes_on = false;
        for row in self.links.with_errands() {
            goes_on |= self.write_some(row);
        }
        goes_on
    }

    /// Writes some of the next key of a connection's errand, if it has room. True when it has more.
    fn write_some(&mut self, row: usize) -> bool {
        let link = self.links.at(row);
        let Some(conn) = link.conn() else { return false };
        if link.has_room()
            && let Some(mut errand) = link.errand.take_if(|errand| errand.has_more())
        {
            let pieces = self.write_portion(&mut errand);
            let now = self.now.mono.ms();
            let link = self.links.at(row);
            pieces.into_iter().for_each(|piece| link.write(piece));
            link.errand = Some(errand);
            // The other server is not to blame for the time that this takes.
            link.moves(now);
        }
        let link = self.links.at(row);
        if link.asks_to_send() {
            self.actions.push_back(Action::Send(conn));
        }
        let link = self.links.at(row);
        link.has_room() && link.errand.as_ref().is_some_and(Errand::has_more)
    }

    /// Writes down a portion of the next key's value, or of several. Gives what can be sent: its length
    /// stands in front of a value, so one is sent when all of it is written.
    fn write_portion(&mut self, errand: &mut Errand) -> Vec<Vec<u8>> {
        let started = (self.clock)();
        let (mut out, mut len) = (std::mem::take(&mut errand.leading), 0);
        while errand.has_more() && len < PORTION_LEN {
            len += self.write_step(errand, &mut out);
            if (self.clock)().0.saturating_sub(started.0) > PORTION_NS {
                break;
            }
        }
        out
    }

    /// Gives how many bytes were written.
    fn write_step(&mut self, errand: &mut Errand, out: &mut Vec<Vec<u8>>) -> usize {
        let (name, ttl_ms) = &errand.migration.keys[errand.written];
        let (from, limits) = (errand.migration.from, self.node.config.limits);
        let lent = match &errand.whose {
            Whose::Loan(lending) => lending.entry(from, name),
            Whose::Kept { .. } => None,
        };
        let compresses = self.node.config.rdb_compression;
        let mut database;
        let value = if let Some(owned) = lent {
            owned.value()
        } else {
            let key = self.keyspace.seed().key(name);
            database = self.keyspace.db(from, errand.whose.moment(), false);
            // Only DEBUG takes away a key that is held: it is as if it had not been named.
            let Some(entry) = database.peek(&key) else {
                errand.dumping = None;
                errand.migration.keys.remove(errand.written);
                return 0;
            };
            entry.value()
        };
        let value = stored_value(value);
        let (mut dumping, mut pieces) = errand
            .dumping
            .take()
            .unwrap_or_else(|| (Dumping::oldest(value, compresses), Vec::new()));
        let before = dumping.waiting();
        let goes_on = dumping.go_on(value, &limits, STEP_LEN);
        let written = dumping.waiting() - before;
        if goes_on {
            if dumping.waiting() >= PIECE_LEN {
                pieces.push(dumping.take());
            }
            errand.dumping = Some((dumping, pieces));
            return written;
        }
        pieces.push(dumping.finish());
        let replaces = errand.migration.replaces;
        let mut head = Vec::new();
        let mut encoder = Encoder::new(&mut head, Proto::Resp2);
        encoder.array(if replaces { 5 } else { 4 });
        encoder.bulk(b"RESTORE");
        encoder.bulk(name);
        encoder.bulk(left_ms(*ttl_ms, errand.whose.moment(), self.now.unix).to_string().as_bytes());
        encoder.bulk_header(pieces.iter().map(Vec::len).sum());
        out.push(head);
        out.append(&mut pieces);
        let tail: &[u8] = if replaces { b"\r\n$7\r\nREPLACE\r\n" } else { b"\r\n" };
        out.push(tail.to_vec());
        errand.written += 1;
        written
    }
}

/// How long a key still lives that had so long `then`; zero is for ever. The other server counts from when it
/// hears of it, so what is past of it is not given twice.
fn left_ms(ttl_ms: u64, then: UnixMs, now: UnixMs) -> u64 {
    match ttl_ms {
        0 => 0,
        _ => ttl_ms.saturating_sub(now.0.saturating_sub(then.0)).max(1),
    }
}
