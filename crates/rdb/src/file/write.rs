//! From a keyspace to bytes.

use stoa_stdx::{Crc64, UnixMs};
use stoa_value::Limits;

use super::opcode;
use crate::write::{Portions, ValueRef, Writer};
use crate::{VERSION, VERSION_MIN};

/// What stands in front of a value.
#[derive(Clone, Copy, Debug)]
pub struct KeyHead<'a> {
    /// The key.
    pub key: &'a [u8],
    /// When it is due.
    pub deadline: Option<UnixMs>,
    /// Seconds since it was used, if whoever reads the file is to know.
    pub idle_s: Option<u64>,
    /// How often it is used, if whoever reads the file is to know.
    pub frequency: Option<u8>,
}

/// Writes a file. Its bytes are taken away with [`FileWriter::take`] as often as one likes.
///
/// In this order: notes, libraries, then for each database its sizes and its keys, and the end.
///
/// ```
/// # use stoa_rdb::{FileWriter, KeyHead, ValueRef};
/// let limits = stoa_value::Limits::default();
/// let mut writer = FileWriter::new(stoa_rdb::VERSION, true, true);
/// writer.database(0, 1, 0);
/// let head = KeyHead { key: b"k", deadline: None, idle_s: None, frequency: None };
/// let mut value = writer.key(head, ValueRef::String(stoa_value::Str::Bytes(b"v")), &limits);
/// while !value.is_over() {
///     writer.value(&mut value, 64 * 1024);
/// }
/// writer.end();
/// assert!(writer.take().starts_with(b"REDIS0012\xfe\x00\xfb\x01\x00\x00\x01k\x01v\xff"));
/// ```
#[derive(Debug)]
pub struct FileWriter {
    writer: Writer,
    version: u16,
    /// Of what was taken. None: zero is written in its place.
    sum: Option<Crc64>,
}

impl FileWriter {
    /// Begins a file of a version that holds all values to come, see [`ValueRef::version`]: the older it
    /// is, the more servers load it. Strings are compressed or not; a checksum is computed or not.
    ///
    /// # Panics
    /// When the version is none that is written: [`VERSION_MIN`] to [`VERSION`].
    #[must_use]
    pub fn new(version: u16, compresses: bool, has_sum: bool) -> Self {
        assert!((VERSION_MIN..=VERSION).contains(&version), "version {version} is not written");
        let mut writer = Writer::new(compresses);
        writer.raw(format!("REDIS{version:04}").as_bytes());
        Self { writer, version, sum: has_sum.then(Crc64::new) }
    }

    /// A note. Readers pass over those they do not know.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.writer.byte(opcode::AUX);
        self.writer.text(name);
        self.writer.text(value);
    }

    /// A library of functions.
    pub fn library(&mut self, code: &[u8]) {
        self.writer.byte(opcode::FUNCTION2);
        self.writer.text(code);
    }

    /// The keys that follow are of this database, which has so many, and so many with a deadline.
    pub fn database(&mut self, index: u16, keys: u64, deadlines: u64) {
        self.writer.byte(opcode::SELECT_DB);
        self.writer.len(index.into());
        self.writer.byte(opcode::RESIZE_DB);
        self.writer.len(keys);
        self.writer.len(deadlines);
    }

    /// A key, of whose value nothing is written yet: that is for [`FileWriter::value`].
    ///
    /// # Panics
    /// When the version of the file does not hold it.
    pub fn key<'v>(
        &mut self,
        head: KeyHead<'_>,
        value: ValueRef<'v>,
        limits: &Limits,
    ) -> Portions<'v> {
        assert!(value.version() <= self.version, "the file's version does not hold this value");
        if let Some(deadline) = head.deadline {
            self.writer.byte(opcode::EXPIRES_MS);
            self.writer.word(deadline.0);
        }
        if let Some(idle_s) = head.idle_s {
            self.writer.byte(opcode::IDLE);
            self.writer.len(idle_s);
        }
        if let Some(frequency) = head.frequency {
            self.writer.byte(opcode::FREQ);
            self.writer.byte(frequency);
        }
        self.writer.byte(value.kind_in(self.version) as u8);
        self.writer.text(head.key);
        Portions::in_version(value, limits, self.version)
    }

    /// Writes of a value until what waits to be taken was `len_max` bytes before it was compressed, or all is
    /// written; an element at least.
    pub fn value(&mut self, value: &mut Portions<'_>, len_max: usize) {
        value.write(&mut self.writer, len_max);
    }

    /// Bytes that wait to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = self.writer.take();
        if let Some(sum) = &mut self.sum {
            sum.update(&bytes);
        }
        bytes
    }

    /// Ends the file: what is taken now is the last of it.
    pub fn end(&mut self) {
        self.writer.byte(opcode::END);
        let sum = self.sum.take().map_or(0, |mut sum| {
            sum.update(self.writer.bytes());
            sum.sum()
        });
        self.writer.word(sum);
    }
}
