//! From bytes, in any pieces, to records.

use stoa_stdx::{Crc64, UnixMs};
use stoa_value::Rules;

use super::{Fault, Wrong, opcode};
use crate::load::{EMPTY, Loading};
use crate::read::{CUT, Damaged};
use crate::{Kind, Loaded, Reader};

/// Nine bytes say what the file is, in which version.
const HEAD_LEN: usize = 9;
/// Versions of Redis that are read. What 13 adds beside the kinds known here is refused where it stands.
const REDIS_VERSIONS: std::ops::RangeInclusive<u32> = 1..=13;
/// Versions of Valkey that are read.
const VALKEY_VERSIONS: std::ops::RangeInclusive<u32> = 80..=81;
/// The number of Valkey's hash with deadlines of fields; in Redis that of an early draft of its own.
const VALKEY_HASH: u8 = 22;
/// Kinds and marks from here on differ between Redis and Valkey.
const KINDS_APART: std::ops::RangeInclusive<u8> = 22..=243;
/// From this version on a checksum stands at the end.
const VERSION_WITH_SUM: u32 = 5;
/// What was used is forgotten when this much of it is held, or when all is.
const USED_LEN_MAX: usize = 64 * 1024;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A note of the writer: its version, the time, and the like.
    Aux {
        /// What about.
        name: Vec<u8>,
        /// What.
        value: Vec<u8>,
    },
    /// How many keys the database has, and how many of them a deadline.
    Sizes {
        /// The database.
        database: u64,
        /// All keys.
        keys: u64,
        /// Those with a deadline.
        deadlines: u64,
    },
    /// The same of a slot of a cluster.
    Slot {
        /// The slot.
        slot: u64,
        /// All keys.
        keys: u64,
        /// Those with a deadline.
        deadlines: u64,
    },
    /// The code of a library of functions.
    Library(Vec<u8>),
    /// A key.
    Key(KeyRecord),
    /// The end. What comes behind it is not the file's: [`FileReader::left`].
    End {
        /// Whether a checksum stood there and was compared.
        is_checked: bool,
    },
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its database.
    pub database: u64,
    /// Its name.
    pub key: Vec<u8>,
    /// When it is due.
    pub deadline: Option<UnixMs>,
    /// Seconds since it was used, if the writer evicts by that.
    pub idle_s: Option<u64>,
    /// How often it is used, if the writer evicts by that.
    pub frequency: Option<u8>,
    /// Its value.
    pub value: Loaded,
}

/// Reads a file that comes in pieces.
///
/// ```
/// # use stoa_rdb::{FileReader, Record};
/// # let rules = stoa_value::Rules {
/// #     limits: stoa_value::Limits::default(),
/// #     seed: stoa_stdx::HashSeed::new([1, 2, 3, 4]),
/// # };
/// let mut reader = FileReader::new(rules, true);
/// reader.feed(b"REDIS0003\xfe\x00\x00\x01k");
/// assert_eq!(reader.next(), Ok(None), "the value has not come yet");
/// reader.feed(b"\x01v\xff");
/// let Ok(Some(Record::Key(key))) = reader.next() else { panic!("a key") };
/// assert_eq!(key.key, b"k");
/// assert_eq!(reader.next(), Ok(Some(Record::End { is_checked: false })));
/// ```
#[derive(Debug)]
pub struct FileReader {
    rules: Rules,
    /// What came and was not used yet, from `at` on.
    held: Vec<u8>,
    at: usize,
    /// Bytes of the file before what is held.
    before: u64,
    /// Of what was used, if anybody wants to know.
    sum: Option<Crc64>,
    stage: Stage,
    is_last: bool,
    /// With fewer bytes it is not worth trying: what is next was seen to be longer.
    wanted: usize,
    version: u32,
    is_valkey: bool,
    database: u64,
    /// What was said of the next key.
    next: Next,
    /// Values without elements that were passed over.
    empty: u64,
}

#[derive(Debug, Default)]
struct Next {
    deadline: Option<UnixMs>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

#[derive(Debug)]
enum Stage {
    Head,
    Records,
    Value(Vec<u8>, Box<Loading>),
    Sum,
    Over,
}

/// What a step came to.
enum Step {
    /// It is used, and nothing comes of it.
    Silent,
    Record(Record),
    Begin(Vec<u8>, Box<Loading>),
    End,
}

impl FileReader {
    /// At the beginning of a file. Its checksum is compared, or not.
    #[must_use]
    pub fn new(rules: Rules, checks_sum: bool) -> Self {
        Self {
            rules,
            held: Vec::new(),
            at: 0,
            before: 0,
            sum: checks_sum.then(Crc64::new),
            stage: Stage::Head,
            is_last: false,
            wanted: 0,
            version: 0,
            is_valkey: false,
            database: 0,
            next: Next::default(),
            empty: 0,
        }
    }

    /// The next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at >= USED_LEN_MAX || self.at == self.held.len() {
            self.before += self.at as u64;
            self.held.drain(..self.at);
            self.at = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// No more will come.
    pub const fn finish(&mut self) {
        self.is_last = true;
    }

    /// The next record. None: feed more. After [`Record::End`] there is none.
    ///
    /// # Errors
    /// [`Fault`], after which it must not be asked again.
    #[expect(clippy::should_implement_trait, reason = "None is no end but a wish for more")]
    pub fn next(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            if self.left().len() < self.wanted {
                return self.wait();
            }
            let came = match &self.stage {
                Stage::Head => self.head()?,
                Stage::Records => self.record()?,
                Stage::Value(..) => self.value()?,
                Stage::Sum => self.end()?,
                Stage::Over => return Ok(None),
            };
            match came {
                None => return Ok(None),
                Some(Step::Record(record)) => return Ok(Some(record)),
                Some(Step::Silent) => {}
                Some(Step::Begin(key, loading)) => self.stage = Stage::Value(key, loading),
                Some(Step::End) => self.stage = Stage::Sum,
            }
        }
    }

    /// What was fed and is not the file's, once its end was read.
    #[must_use]
    pub fn left(&self) -> &[u8] {
        &self.held[self.at..]
    }

    /// Memory taken for what cannot be used yet, beside the value under construction.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// The version of the format, once it was read.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Keys without a value that were passed over, as old servers wrote by mistake.
    #[must_use]
    pub const fn empty_keys(&self) -> u64 {
        self.empty
    }

    fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    fn use_up(&mut self, len: usize) {
        if let Some(sum) = &mut self.sum {
            sum.update(&self.held[self.at..self.at + len]);
        }
        self.at += len;
        self.wanted = 0;
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        let key = match &self.stage {
            Stage::Value(key, _) => Some(key.clone()),
            Stage::Head | Stage::Records | Stage::Sum | Stage::Over => None,
        };
        Fault { offset: self.offset(), key, wrong }
    }

    /// More is needed: it may come, or the file is cut off.
    fn wait<T>(&self) -> Result<Option<T>, Fault> {
        if self.is_last { Err(self.fault(Wrong::Cut)) } else { Ok(None) }
    }

    fn head(&mut self) -> Result<Option<Step>, Fault> {
        let begin = &self.left()[..self.left().len().min(HEAD_LEN)];
        let is_like = |magic: &[u8]| begin.iter().zip(magic).all(|(has, wants)| has == wants);
        let is_valkey = is_like(b"VALKEY");
        if !is_like(b"REDIS") && !is_valkey {
            return Err(self.fault(Wrong::NoRdb));
        }
        if begin.len() < HEAD_LEN {
            return self.wait();
        }
        let digits = &begin[if is_valkey { 6 } else { 5 }..];
        let is_number = digits.iter().all(u8::is_ascii_digit);
        let version = std::str::from_utf8(digits).ok().filter(|_| is_number);
        let Some(version) = version.and_then(|digits| digits.parse::<u32>().ok()) else {
            return Err(self.fault(Wrong::NoRdb));
        };
        let known = if is_valkey { VALKEY_VERSIONS } else { REDIS_VERSIONS };
        if !known.contains(&version) {
            return Err(self.fault(Wrong::Version { version, is_valkey }));
        }
        (self.version, self.is_valkey) = (version, is_valkey);
        self.use_up(HEAD_LEN);
        self.stage = Stage::Records;
        Ok(Some(Step::Silent))
    }

    fn record(&mut self) -> Result<Option<Step>, Fault> {
        let mut reader = Reader::new(&self.held[self.at..], usize::MAX);
        let len = reader.left().len();
        let outcome = of_mark(&mut reader, &mut self.next, &mut self.database, self.is_valkey);
        let (used, missing) = (len - reader.left().len(), reader.missing());
        match outcome {
            Ok(step) => {
                self.use_up(used);
                Ok(Some(step))
            }
            Err(Wrong::Damaged(CUT)) => {
                self.wanted = len + missing;
                self.wait()
            }
            Err(wrong) => Err(self.fault(wrong)),
        }
    }

    fn value(&mut self) -> Result<Option<Step>, Fault> {
        let Stage::Value(_, loading) = &mut self.stage else { unreachable!("as matched") };
        let mut reader = Reader::new(&self.held[self.at..], usize::MAX);
        let len = reader.left().len();
        let outcome = loading.advance(&mut reader, &self.rules);
        let (used, missing) = (len - reader.left().len(), reader.missing());
        self.use_up(used);
        match outcome {
            Ok(value) => {
                let key = self.take_key();
                let Next { deadline, idle_s, frequency } = std::mem::take(&mut self.next);
                let database = self.database;
                let record = KeyRecord { database, key, deadline, idle_s, frequency, value };
                Ok(Some(Step::Record(Record::Key(record))))
            }
            Err(CUT) => {
                self.wanted = self.left().len() + missing;
                self.wait()
            }
            Err(EMPTY) => {
                self.take_key();
                self.next = Next::default();
                self.empty += 1;
                Ok(Some(Step::Silent))
            }
            Err(damaged) => Err(self.fault(Wrong::Damaged(damaged))),
        }
    }

    fn take_key(&mut self) -> Vec<u8> {
        match std::mem::replace(&mut self.stage, Stage::Records) {
            Stage::Value(key, _) => key,
            Stage::Head | Stage::Records | Stage::Sum | Stage::Over => {
                unreachable!("a value is being read")
            }
        }
    }

    fn end(&mut self) -> Result<Option<Step>, Fault> {
        let mut is_checked = false;
        if self.version >= VERSION_WITH_SUM {
            let Some(told) = self.left().first_chunk().copied() else { return self.wait() };
            let told = u64::from_le_bytes(told);
            // Zero: whoever wrote it computes none.
            if told != 0
                && let Some(sum) = &self.sum
            {
                let found = sum.sum();
                if told != found {
                    return Err(self.fault(Wrong::Sum { told, found }));
                }
                is_checked = true;
            }
            self.sum = None;
            self.use_up(8);
        }
        self.stage = Stage::Over;
        Ok(Some(Step::Record(Record::End { is_checked })))
    }
}

/// What stands between values. Nothing is changed when it is cut off.
fn of_mark(
    reader: &mut Reader<'_>,
    next: &mut Next,
    database: &mut u64,
    is_valkey: bool,
) -> Result<Step, Wrong> {
    Ok(match reader.byte()? {
        opcode::EXPIRES_S => {
            let deadline_s = i64::from(i32::from_le_bytes(reader.array()?));
            next.deadline = Some(deadline(deadline_s * 1_000));
            Step::Silent
        }
        opcode::EXPIRES_MS => {
            next.deadline = Some(deadline(i64::from_le_bytes(reader.array()?)));
            Step::Silent
        }
        opcode::IDLE => {
            next.idle_s = Some(reader.len()?);
            Step::Silent
        }
        opcode::FREQ => {
            next.frequency = Some(reader.byte()?);
            Step::Silent
        }
        opcode::SELECT_DB => {
            *database = reader.len()?;
            Step::Silent
        }
        opcode::AUX => {
            let (name, value) = (reader.string()?.into_owned(), reader.string()?.into_owned());
            Step::Record(Record::Aux { name, value })
        }
        opcode::RESIZE_DB => {
            let (keys, deadlines) = (reader.len()?, reader.len()?);
            Step::Record(Record::Sizes { database: *database, keys, deadlines })
        }
        opcode::SLOT_INFO => {
            let (slot, keys, deadlines) = (reader.len()?, reader.len()?, reader.len()?);
            Step::Record(Record::Slot { slot, keys, deadlines })
        }
        opcode::FUNCTION2 => Step::Record(Record::Library(reader.string()?.into_owned())),
        opcode::FUNCTION_EARLY => return Err(Wrong::EarlyFunctions),
        opcode::MODULE_AUX => return Err(Wrong::Module(module_name(reader.len()?))),
        opcode::END => Step::End,
        opcode::MODULE_EARLY | opcode::MODULE => {
            reader.string()?;
            return Err(Wrong::Module(module_name(reader.len()?)));
        }
        VALKEY_HASH if is_valkey => {
            let key = reader.string()?.into_owned();
            Step::Begin(key, Box::new(Loading::valkey_hash()))
        }
        kind if is_valkey && KINDS_APART.contains(&kind) => return Err(Wrong::Kind(kind)),
        kind => {
            let kind = Kind::of(kind).ok_or(Wrong::Kind(kind))?;
            let key = reader.string()?.into_owned();
            Step::Begin(key, Box::new(Loading::new(kind)))
        }
    })
}

impl From<Damaged> for Wrong {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// Before 1970 is long past, like its first millisecond.
fn deadline(ms: i64) -> UnixMs {
    UnixMs(u64::try_from(ms).unwrap_or(0))
}

/// A module is named by nine letters of six bits each, above ten bits of version.
fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |at: u64| char::from(LETTERS[(id >> (10 + 6 * at)) as usize & 63]);
    (0..9).rev().map(letter).collect()
}
