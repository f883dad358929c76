//! A run of a stream's entries in one buffer, and the published form of it that snapshots carry.
//!
//! ```text
//! here:  bytes in all 32 | entries 32 | deleted ones 32 | bytes of the published form 32
//!        | field count | field ... | entry ...
//! entry: flags | ms and seq since the block's first id | value ... | bytes of the entry
//!        flags | ms | seq | field count | field value ... | bytes of the entry
//! ```
//!
//! Entries with the head's fields (flag 2) write no fields. A deleted one (flag 1) stays where it is
//! until its block goes. A search inside a block is a walk: blocks are small. Elements have nothing
//! behind them, but an entry has its length, readable backwards, so that a walk back goes entry by entry.
//!
//! The published form is a listpack, where every element has its length behind it and every entry the
//! number of its elements. For a reading of a sensor, a label and a value, that is 30 bytes; here it is
//! 24. In return a snapshot writes each block anew. How much a block takes in is what the directives say
//! of the published form, so that streams are cut, and trimmed, at the same places as the reference's.

use super::StreamId;
use crate::buf::{Buf, HEAD};
use crate::element::{self, Encoded};
use crate::{Iter, Packed, Str};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Where the numbers of the head lie, and what follows them.
const LIVE: usize = HEAD;
const GONE: usize = LIVE + 4;
const PUBLISHED: usize = GONE + 4;
const NAMES: usize = PUBLISHED + 4;
/// Bytes of a listpack around its elements.
const FRAME: usize = 7;

/// Bytes before an element's text at most, and of an integer.
const HEAD_LEN_MAX: usize = 5;
const INT_LEN_MAX: usize = 9;
/// Entries up to this length are put together without asking for memory.
const DRAFT_LEN: usize = 192;

/// A block. Its first id is its key in the stream.
#[derive(Clone)]
pub struct Block(Buf);

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Block").field(&self.0.bytes()).finish()
    }
}

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
    names: Option<Iter<'a, false>>,
    body: Iter<'a, false>,
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
    names: Iter<'a, false>,
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
        let (text, len) = element::read::<false>(&self.bytes[self.at..]);
        self.at += len;
        match text {
            Str::Int(value) => value,
            Str::Bytes(_) => unreachable!("a block's own elements are integers"),
        }
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.at += element::len_at::<false>(&self.bytes[self.at..]);
        }
    }

    fn rest(&self) -> Iter<'a, false> {
        Iter::over(&self.bytes[self.at..])
    }
}

impl Block {
    /// A block whose head names the fields of its first entry, which is not in it yet.
    pub(super) fn new(fields: &[&[u8]]) -> Self {
        Self::with_names(fields.len() / 2, fields.iter().step_by(2).map(|name| Encoded::of(name)))
    }

    fn with_names<'a>(count: usize, names: impl Iterator<Item = Encoded<'a>> + Clone) -> Self {
        let bound = names.clone().map(|name| name.len::<false>()).sum::<usize>();
        let (mut few, mut many) = ([0; DRAFT_LEN], Vec::new());
        let mut draft = Draft::over(room(bound + INT_LEN_MAX, &mut few, &mut many));
        draft.add(Encoded::int(count as i64));
        names.for_each(|name| draft.add(name));
        let mut block = Self(Buf::zeroed(NAMES));
        block.0.splice(NAMES, 0, draft.len).copy_from_slice(&draft.room[..draft.len]);
        // Besides: the numbers of live and deleted entries, and a zero that ends the head.
        block.set_number(PUBLISHED, FRAME + draft.published + 3 * element::count_len(0));
        block
    }

    /// A block of what [`Self::to_packed`] gave, or of the like that was looked at before.
    pub(super) fn of_packed(packed: &Packed) -> Self {
        let mut texts = packed.iter();
        let int = |texts: &mut Iter<'_>| match texts.next() {
            Some(Str::Int(value)) => value,
            Some(Str::Bytes(_)) | None => unreachable!("looked at before"),
        };
        let (live, deleted) = (int(&mut texts), int(&mut texts));
        let name_count = int(&mut texts) as usize;
        let names = texts.clone().take(name_count).map(Encoded::of_str);
        let mut block = Self::with_names(name_count, names);
        texts.by_ref().take(name_count + 1).for_each(drop);
        while texts.clone().next().is_some() {
            let (flags, ms, seq) = (int(&mut texts), int(&mut texts), int(&mut texts));
            let is_same = flags & SAME_FIELDS != 0;
            let fields = if is_same { name_count } else { int(&mut texts) as usize };
            let count = if is_same { fields } else { fields * 2 };
            let body = texts.clone().take(count).map(Encoded::of_str);
            let bound = body.clone().map(|one| one.len::<false>()).sum();
            block.push_entry([flags, ms, seq], (!is_same).then_some(fields), body, bound);
            texts.by_ref().take(count + 1).for_each(drop);
        }
        block.set_number(LIVE, 0);
        block.count(live, deleted);
        block
    }

    /// The published form.
    #[must_use]
    pub fn to_packed(&self) -> Packed {
        let head = self.head();
        let mut texts = vec![
            Str::Int(i64::from(self.live())),
            Str::Int(i64::from(self.deleted())),
            Str::Int(head.name_count as i64),
        ];
        texts.extend(head.names.take(head.name_count));
        texts.push(Str::Int(0));
        let bytes = self.0.bytes();
        let mut at = head.end;
        while at < bytes.len() {
            let mut reader = Reader { bytes, at };
            let (flags, ms, seq) = (reader.int(), reader.int(), reader.int());
            texts.extend([flags, ms, seq].map(Str::Int));
            let mut count = head.name_count;
            if flags & SAME_FIELDS == 0 {
                let fields = reader.int();
                texts.push(Str::Int(fields));
                count = fields as usize * 2;
            }
            texts.extend(reader.rest().take(count));
            let own = if flags & SAME_FIELDS == 0 { 4 } else { 3 };
            texts.push(Str::Int((count + own) as i64));
            reader.skip(count);
            at = reader.at + element::back_len(reader.at - at);
        }
        Packed::collect(texts.into_iter())
    }

    /// Adds an entry, later than all.
    pub(super) fn push(&mut self, first: StreamId, id: StreamId, fields: &[&[u8]]) {
        // The difference wraps: it is read back the same way.
        let ms = id.ms.wrapping_sub(first.ms) as i64;
        let seq = id.seq.wrapping_sub(first.seq) as i64;
        let bound: usize = fields.iter().map(|text| text.len() + HEAD_LEN_MAX).sum();
        if self.has_names(fields) {
            let values = fields.iter().skip(1).step_by(2).map(|value| Encoded::of(value));
            self.push_entry([SAME_FIELDS, ms, seq], None, values, bound);
        } else {
            let pairs = fields.iter().map(|text| Encoded::of(text));
            self.push_entry([0, ms, seq], Some(fields.len() / 2), pairs, bound);
        }
        self.count(1, 0);
    }

    /// Adds an entry without counting it; its texts take `bound` bytes at most.
    fn push_entry<'a>(
        &mut self,
        head: [i64; 3],
        fields: Option<usize>,
        body: impl Iterator<Item = Encoded<'a>>,
        bound: usize,
    ) {
        let (mut few, mut many) = ([0; DRAFT_LEN], Vec::new());
        let mut draft = Draft::over(room(bound + 5 * INT_LEN_MAX, &mut few, &mut many));
        for value in head {
            draft.add(Encoded::int(value));
        }
        if let Some(fields) = fields {
            draft.add(Encoded::int(fields as i64));
        }
        body.for_each(|one| draft.add(one));
        let published = draft.published + element::count_len(draft.count);
        let entry = draft.end_entry();
        let at = self.0.len();
        self.0.splice(at, 0, entry.len()).copy_from_slice(entry);
        self.set_number(PUBLISHED, self.published() + published);
    }

    /// Entries that are not deleted.
    pub(super) fn live(&self) -> u32 {
        self.number(LIVE) as u32
    }

    /// Deleted entries that still lie there.
    pub(super) fn deleted(&self) -> u32 {
        self.number(GONE) as u32
    }

    /// Bytes of the published form.
    pub(super) fn published(&self) -> usize {
        self.number(PUBLISHED)
    }

    /// Bytes of its block.
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn number(&self, at: usize) -> usize {
        let bytes = self.0.bytes()[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    }

    fn set_number(&mut self, at: usize, value: usize) {
        let bytes = u32::try_from(value).expect("kept far below 4 GiB").to_le_bytes();
        self.0.bytes_mut()[at..at + 4].copy_from_slice(&bytes);
    }

    /// Accounts for entries that came, or were deleted.
    fn count(&mut self, live: i64, deleted: i64) {
        for (at, more) in [(LIVE, live), (GONE, deleted)] {
            if more == 0 {
                continue;
            }
            let old = self.number(at);
            let new = (old as i64 + more) as usize;
            self.set_number(at, new);
            let (wider, narrower) = (element::count_len(new), element::count_len(old));
            if wider != narrower {
                self.set_number(PUBLISHED, self.published() + wider - narrower);
            }
        }
    }

    /// Marks entries as deleted, by where they begin.
    pub(super) fn delete(&mut self, places: &[usize]) {
        for at in places {
            // Flags are small integers, which are their own first byte.
            self.0.bytes_mut()[*at] |= DELETED as u8;
        }
        let count = places.len() as i64;
        self.count(-count, count);
    }

    /// Entries from the first on, deleted ones included.
    pub(super) fn entries(&self, first: StreamId) -> Entries<'_> {
        let bytes = self.0.bytes();
        let head = self.head();
        Entries { bytes, first, names: head.names, name_count: head.name_count, at: head.end }
    }

    /// The entry that ends at `end`, deleted or not; None before the first.
    pub(super) fn before(&self, first: StreamId, end: usize) -> Option<Found<'_>> {
        let mut entries = self.entries(first);
        if end <= entries.at {
            return None;
        }
        entries.at = end - element::len_before(&self.0.bytes()[..end]);
        entries.next()
    }

    /// Where the last entry ends.
    pub(super) fn end(&self) -> usize {
        self.0.len()
    }

    fn head(&self) -> Head<'_> {
        let mut reader = Reader { bytes: self.0.bytes(), at: NAMES };
        let name_count = reader.int() as usize;
        let names = reader.rest();
        reader.skip(name_count);
        Head { names, name_count, end: reader.at }
    }

    fn has_names(&self, fields: &[&[u8]]) -> bool {
        let mut reader = Reader { bytes: self.0.bytes(), at: NAMES };
        reader.int() as usize == fields.len() / 2
            && reader
                .rest()
                .zip(fields.iter().step_by(2))
                .all(|(name, field)| name.with(|name| name == *field))
    }
}

/// Elements put together before they go into a block, which then grows once.
struct Draft<'a> {
    room: &'a mut [u8],
    len: usize,
    count: usize,
    /// Bytes in the published form.
    published: usize,
}

/// Room for `len` bytes, in the first buffer if that has so many.
fn room<'a>(len: usize, few: &'a mut [u8], many: &'a mut Vec<u8>) -> &'a mut [u8] {
    if len <= few.len() {
        return few;
    }
    many.resize(len, 0);
    many
}

impl<'a> Draft<'a> {
    const fn over(room: &'a mut [u8]) -> Self {
        Self { room, len: 0, count: 0, published: 0 }
    }

    fn add(&mut self, one: Encoded<'_>) {
        let len = one.len::<false>();
        one.write::<false>(&mut self.room[self.len..self.len + len]);
        self.len += len;
        self.count += 1;
        self.published += one.len::<true>();
    }

    /// All of an entry, its length behind it.
    fn end_entry(self) -> &'a [u8] {
        let end = self.len + element::back_len(self.len);
        element::write_back(self.len, &mut self.room[self.len..end]);
        &self.room[..end]
    }
}

/// The entries of a block in order.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    first: StreamId,
    names: Iter<'a, false>,
    name_count: usize,
    pub(super) at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let at = self.at;
        if at >= self.bytes.len() {
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
        reader.skip(if is_same { left } else { left * 2 });
        self.at = reader.at + element::back_len(reader.at - at);
        Some(Found { id, is_deleted: flags & DELETED != 0, at, fields })
    }
}
