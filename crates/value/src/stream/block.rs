//! A run of a stream's entries in one packed buffer, of the published form: snapshots carry it as
//! it is.
//!
//! ```text
//! head:  entries | deleted ones | field count | field ... | 0
//! entry: flags | ms and seq since the block's first id | value ... | elements before this one
//!        flags | ms | seq | field count | field value ... | elements before this one
//! ```
//!
//! Entries with the head's fields (flag 2) write no fields. A deleted one (flag 1) stays where it is
//! until its block goes. A search inside a block is a walk: blocks are small.

use super::StreamId;
use crate::element::{self, Encoded};
use crate::packed::FIRST;
use crate::{Iter, Packed, Place, Str};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// A block. Its first id is its key in the stream.
#[derive(Clone, Debug)]
pub(super) struct Block(pub(super) Packed);

/// An entry inside its block.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub(super) id: StreamId,
    pub(super) is_deleted: bool,
    /// Where it begins.
    pub(super) at: usize,
    pub(super) fields: Fields<'a>,
}

/// The fields of an entry with their values.
#[derive(Clone)]
pub struct Fields<'a> {
    /// The head's fields, when the entry has the same.
    names: Option<Iter<'a>>,
    body: Iter<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Str<'a>, Str<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.body.next()?,
        };
        Some((name, self.body.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// The head of a block, read.
struct Head<'a> {
    names: Iter<'a>,
    name_count: usize,
    /// Where the first entry begins.
    end: usize,
}

/// Reads elements front to back.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn int(&mut self) -> i64 {
        let (text, len) = element::read(&self.bytes[self.at..]);
        self.at += len;
        match text {
            Str::Int(value) => value,
            Str::Bytes(_) => unreachable!("a block's own elements are integers"),
        }
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.at += element::len_at(&self.bytes[self.at..]);
        }
    }

    fn rest(&self) -> Iter<'a> {
        Iter::over(&self.bytes[self.at..])
    }
}

impl Block {
    /// A block whose head names the fields of its first entry, which is not in it yet.
    pub(super) fn new(fields: &[&[u8]]) -> Self {
        let mut packed = Packed::new();
        let names = fields.iter().step_by(2).map(|name| Encoded::of(name));
        let count = Encoded::int(fields.len() as i64 / 2);
        let zero = Encoded::int(0);
        packed.append([zero, zero, count].into_iter().chain(names).chain([zero]));
        Self(packed)
    }

    /// Adds an entry, later than all.
    pub(super) fn push(&mut self, first: StreamId, id: StreamId, fields: &[&[u8]]) {
        let is_same = self.has_names(fields);
        let count = fields.len() as i64 / 2;
        // The difference wraps: it is read back the same way.
        let ms = Encoded::int(id.ms.wrapping_sub(first.ms) as i64);
        let seq = Encoded::int(id.seq.wrapping_sub(first.seq) as i64);
        if is_same {
            let values = fields.iter().skip(1).step_by(2).map(|value| Encoded::of(value));
            let head = [Encoded::int(SAME_FIELDS), ms, seq];
            self.0.append(head.into_iter().chain(values).chain([Encoded::int(count + 3)]));
        } else {
            let pairs = fields.iter().map(|text| Encoded::of(text));
            let head = [Encoded::int(0), ms, seq, Encoded::int(count)];
            self.0.append(head.into_iter().chain(pairs).chain([Encoded::int(count * 2 + 4)]));
        }
        self.set_live(self.live() + 1);
    }

    /// Entries that are not deleted.
    pub(super) fn live(&self) -> i64 {
        Reader { bytes: self.0.as_bytes(), at: FIRST }.int()
    }

    /// Deleted entries that still lie there.
    pub(super) fn deleted(&self) -> i64 {
        let mut reader = Reader { bytes: self.0.as_bytes(), at: FIRST };
        reader.skip(1);
        reader.int()
    }

    fn set_live(&mut self, live: i64) {
        self.0.set_int(Place(FIRST), live);
    }

    /// Marks entries as deleted, by where they begin.
    pub(super) fn delete(&mut self, places: &[usize]) {
        let (live, deleted) = (self.live(), self.deleted());
        for at in places {
            let flags = Reader { bytes: self.0.as_bytes(), at: *at }.int();
            // Flags are small integers of one byte: nothing moves.
            self.0.set_int(Place(*at), flags | DELETED);
        }
        let count = places.len() as i64;
        // From the back: these may change their width.
        let second = FIRST + element::len_at(&self.0.as_bytes()[FIRST..]);
        self.0.set_int(Place(second), deleted + count);
        self.set_live(live - count);
    }

    /// Entries from the first on, deleted ones included.
    pub(super) fn entries(&self, first: StreamId) -> Entries<'_> {
        let bytes = self.0.as_bytes();
        let head = self.head();
        Entries { bytes, first, names: head.names, name_count: head.name_count, at: head.end }
    }

    /// The entry that ends at `end`, deleted or not; None before the first.
    pub(super) fn before(&self, first: StreamId, end: usize) -> Option<Found<'_>> {
        let bytes = self.0.as_bytes();
        let mut entries = self.entries(first);
        if end <= entries.at {
            return None;
        }
        let mut at = end - element::len_before(&bytes[..end]);
        let count = Reader { bytes, at }.int();
        for _ in 0..count {
            at -= element::len_before(&bytes[..at]);
        }
        entries.at = at;
        entries.next()
    }

    /// Where the last entry ends.
    pub(super) fn end(&self) -> usize {
        self.0.as_bytes().len() - 1
    }

    fn head(&self) -> Head<'_> {
        let mut reader = Reader { bytes: self.0.as_bytes(), at: FIRST };
        reader.skip(2);
        let name_count = reader.int() as usize;
        let names = reader.rest();
        reader.skip(name_count + 1);
        Head { names, name_count, end: reader.at }
    }

    fn has_names(&self, fields: &[&[u8]]) -> bool {
        let head = self.head();
        head.name_count == fields.len() / 2
            && head
                .names
                .zip(fields.iter().step_by(2))
                .all(|(name, field)| name.with(|name| name == *field))
    }
}

/// The entries of a block in order.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    first: StreamId,
    names: Iter<'a>,
    name_count: usize,
    pub(super) at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let at = self.at;
        if at + 1 >= self.bytes.len() {
            return None;
        }
        let mut reader = Reader { bytes: self.bytes, at };
        let flags = reader.int();
        let id = StreamId {
            ms: self.first.ms.wrapping_add(reader.int() as u64),
            seq: self.first.seq.wrapping_add(reader.int() as u64),
        };
        let is_same = flags & SAME_FIELDS != 0;
        let left = if is_same { self.name_count } else { reader.int() as usize };
        let names = is_same.then(|| self.names.clone());
        let fields = Fields { names, body: reader.rest(), left };
        reader.skip(if is_same { left } else { left * 2 } + 1);
        self.at = reader.at;
        Some(Found { id, is_deleted: flags & DELETED != 0, at, fields })
    }
}
