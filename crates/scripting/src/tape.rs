//! A reply written down: what a command answers to a script, and what a script answers to its client.
//!
//! Not RESP: lengths are binary, and what the protocol cannot tell apart (a null array, a status from
//! a bulk of one version) stays apart. A command writes on the tape without Lua being touched, so
//! nothing of Lua's, memory errors least of all, can happen in the middle of a command. The price is
//! one copy of the bytes; the buffer is used again, so there is no allocation.

/// Takes a reply, value by value: an aggregate's length, then its elements.
pub trait Sink {
    /// A status.
    fn status(&mut self, text: &[u8]);
    /// An error, code first, without the minus sign.
    fn error(&mut self, text: &[u8]);
    /// An error that a command answered to the script, which handed it on: it was counted then.
    fn counted_error(&mut self, text: &[u8]) {
        self.error(text);
    }
    /// An integer.
    fn int(&mut self, value: i64);
    /// Bytes.
    fn bulk(&mut self, bytes: &[u8]);
    /// Nothing there.
    fn null(&mut self);
    /// Nothing there, where an array would be.
    fn null_array(&mut self);
    /// `len` elements follow.
    fn array(&mut self, len: usize);
    /// `len` pairs follow.
    fn map(&mut self, len: usize);
    /// `len` distinct elements follow.
    fn set(&mut self, len: usize);
    /// A floating point number.
    fn double(&mut self, value: f64);
    /// A boolean.
    fn boolean(&mut self, value: bool);
    /// Digits of a number of any size.
    fn big_number(&mut self, digits: &[u8]);
    /// Text for people with its three-letter format.
    fn verbatim(&mut self, format: &[u8], text: &[u8]);
}

/// One reply, written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    bytes: Vec<u8>,
}

/// The value under the reading head.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "as in Sink")]
pub enum Item<'a> {
    Status(&'a [u8]),
    Error(&'a [u8]),
    CountedError(&'a [u8]),
    Int(i64),
    Bulk(&'a [u8]),
    Null,
    NullArray,
    Array(usize),
    Map(usize),
    Set(usize),
    Double(f64),
    Boolean(bool),
    BigNumber(&'a [u8]),
    Verbatim(&'a [u8], &'a [u8]),
}

const STATUS: u8 = b'+';
const ERROR: u8 = b'-';
const COUNTED_ERROR: u8 = b'!';
const INT: u8 = b':';
const BULK: u8 = b'$';
const NULL: u8 = b'_';
const NULL_ARRAY: u8 = b'0';
const ARRAY: u8 = b'*';
const MAP: u8 = b'%';
const SET: u8 = b'~';
const DOUBLE: u8 = b',';
const TRUE: u8 = b't';
const FALSE: u8 = b'f';
const BIG_NUMBER: u8 = b'(';
const VERBATIM: u8 = b'=';

impl Tape {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Where writing stands.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was written since [`Tape::len`] was `len`.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Gives back what a long reply took.
    pub fn shrink(&mut self, capacity: usize) {
        if self.bytes.capacity() > capacity {
            self.bytes = Vec::new();
        }
    }

    /// The error, if that is what the reply is.
    #[must_use]
    pub fn as_error(&self) -> Option<&[u8]> {
        self.error_at(0)
    }

    /// The error, if that is what was written when [`Tape::len`] was `len`.
    #[must_use]
    pub fn error_at(&self, len: usize) -> Option<&[u8]> {
        match (Reader { left: &self.bytes[len..] }).item() {
            Some(Item::Error(text)) => Some(text),
            Some(_) | None => None,
        }
    }

    /// Reads from the beginning.
    #[must_use]
    pub fn read(&self) -> Reader<'_> {
        Reader { left: &self.bytes }
    }

    /// Writes it all into `sink`.
    pub fn play(&self, sink: &mut dyn Sink) {
        let mut reader = self.read();
        while let Some(item) = reader.item() {
            match item {
                Item::Status(text) => sink.status(text),
                Item::Error(text) => sink.error(text),
                Item::CountedError(text) => sink.counted_error(text),
                Item::Int(value) => sink.int(value),
                Item::Bulk(bytes) => sink.bulk(bytes),
                Item::Null => sink.null(),
                Item::NullArray => sink.null_array(),
                Item::Array(len) => sink.array(len),
                Item::Map(len) => sink.map(len),
                Item::Set(len) => sink.set(len),
                Item::Double(value) => sink.double(value),
                Item::Boolean(value) => sink.boolean(value),
                Item::BigNumber(digits) => sink.big_number(digits),
                Item::Verbatim(format, text) => sink.verbatim(format, text),
            }
        }
    }

    /// Begins an aggregate whose length is found out while its elements are written.
    pub(crate) fn open(&mut self) -> usize {
        self.array(0);
        self.bytes.len() - 8
    }

    /// As [`Tape::open`], for a map.
    pub(crate) fn open_map(&mut self) -> usize {
        self.map(0);
        self.bytes.len() - 8
    }

    /// As [`Tape::open`], for a set.
    pub(crate) fn open_set(&mut self) -> usize {
        self.set(0);
        self.bytes.len() - 8
    }

    /// Says the length of the aggregate opened at `at`.
    pub(crate) fn close(&mut self, at: usize, len: usize) {
        self.bytes[at..at + 8].copy_from_slice(&(len as u64).to_le_bytes());
    }

    fn tagged(&mut self, tag: u8, word: u64) {
        let mut record = [tag; 9];
        record[1..].copy_from_slice(&word.to_le_bytes());
        self.bytes.extend_from_slice(&record);
    }

    fn text(&mut self, tag: u8, bytes: &[u8]) {
        self.tagged(tag, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

impl Sink for Tape {
    fn status(&mut self, text: &[u8]) {
        self.text(STATUS, text);
    }

    fn error(&mut self, text: &[u8]) {
        self.text(ERROR, text);
    }

    fn counted_error(&mut self, text: &[u8]) {
        self.text(COUNTED_ERROR, text);
    }

    fn int(&mut self, value: i64) {
        self.tagged(INT, value.cast_unsigned());
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.text(BULK, bytes);
    }

    fn null(&mut self) {
        self.bytes.push(NULL);
    }

    fn null_array(&mut self) {
        self.bytes.push(NULL_ARRAY);
    }

    fn array(&mut self, len: usize) {
        self.tagged(ARRAY, len as u64);
    }

    fn map(&mut self, len: usize) {
        self.tagged(MAP, len as u64);
    }

    fn set(&mut self, len: usize) {
        self.tagged(SET, len as u64);
    }

    fn double(&mut self, value: f64) {
        self.tagged(DOUBLE, value.to_bits());
    }

    fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    fn big_number(&mut self, digits: &[u8]) {
        self.text(BIG_NUMBER, digits);
    }

    fn verbatim(&mut self, format: &[u8], text: &[u8]) {
        self.text(VERBATIM, format);
        self.text(VERBATIM, text);
    }
}

/// Reads a tape. It was written here, so it is well formed.
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next value; elements follow their aggregate.
    pub fn item(&mut self) -> Option<Item<'a>> {
        let (tag, rest) = self.left.split_first()?;
        self.left = rest;
        Some(match *tag {
            STATUS => Item::Status(self.text()),
            ERROR => Item::Error(self.text()),
            COUNTED_ERROR => Item::CountedError(self.text()),
            INT => Item::Int(self.word().cast_signed()),
            BULK => Item::Bulk(self.text()),
            NULL => Item::Null,
            NULL_ARRAY => Item::NullArray,
            ARRAY => Item::Array(self.word() as usize),
            MAP => Item::Map(self.word() as usize),
            SET => Item::Set(self.word() as usize),
            DOUBLE => Item::Double(f64::from_bits(self.word())),
            TRUE => Item::Boolean(true),
            FALSE => Item::Boolean(false),
            BIG_NUMBER => Item::BigNumber(self.text()),
            VERBATIM => {
                let format = self.text();
                self.left = &self.left[1..];
                Item::Verbatim(format, self.text())
            }
            other => unreachable!("no record of a tape begins with {other}"),
        })
    }

    fn word(&mut self) -> u64 {
        let (word, rest) = self.left.split_first_chunk().expect("a record is whole");
        self.left = rest;
        u64::from_le_bytes(*word)
    }

    fn text(&mut self) -> &'a [u8] {
        let len = self.word() as usize;
        let (text, rest) = self.left.split_at(len);
        self.left = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, Sink, Tape};

    #[test]
    fn what_is_written_is_read_and_plays_onto_an_equal_tape() {
        let mut tape = Tape::default();
        tape.map(1);
        tape.bulk(b"k\r\n");
        tape.set(2);
        tape.int(i64::MIN);
        tape.double(-0.5);
        tape.verbatim(b"txt", b"");
        tape.boolean(true);
        tape.counted_error(b"ERR x");
        tape.null_array();
        let mut copy = Tape::default();
        tape.play(&mut copy);
        assert_eq!(copy, tape);
        let mut reader = tape.read();
        let mut items = Vec::new();
        while let Some(item) = reader.item() {
            items.push(item);
        }
        assert_eq!(
            items,
            [
                Item::Map(1),
                Item::Bulk(b"k\r\n"),
                Item::Set(2),
                Item::Int(i64::MIN),
                Item::Double(-0.5),
                Item::Verbatim(b"txt", b""),
                Item::Boolean(true),
                Item::CountedError(b"ERR x"),
                Item::NullArray
            ]
        );
    }

    #[test]
    fn a_length_may_be_said_last() {
        let mut tape = Tape::default();
        let at = tape.open();
        tape.int(1);
        tape.close(at, 1);
        let mut want = Tape::default();
        want.array(1);
        want.int(1);
        assert_eq!(tape, want);
    }
}
