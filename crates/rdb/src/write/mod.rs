//! Writing: the layout that fits what lies in memory, as Redis 7.4 would choose it.

mod stream;

use stoa_value::{Hash, Limits, List, ListBlock, ObjectRef, Set, SortedSet, Str};

use crate::{Kind, lzf};

/// Shorter strings are not worth compressing.
const PACKED_LEN_MIN: usize = 21;
/// What compressing must save, or it is not done: it has lengths of its own.
const SAVED_MIN: usize = 4;
/// Longer text is no integer of 32 bits.
const INT_LEN_MAX: usize = 11;

/// A value to be written.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    String(Str<'a>),
    /// Any other.
    Object(ObjectRef<'a>),
}

impl ValueRef<'_> {
    /// The layout it is written in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let Self::Object(object) = self else { return Kind::String };
        match object {
            ObjectRef::List(_) => Kind::ListListpacks,
            ObjectRef::Set(set) if set.int_width().is_some() => Kind::SetInts,
            ObjectRef::Set(set) if set.as_packed().is_some() => Kind::SetListpack,
            ObjectRef::Set(_) => Kind::Set,
            ObjectRef::SortedSet(set) if set.packed().is_some() => Kind::ZsetListpack,
            ObjectRef::SortedSet(_) => Kind::Zset,
            ObjectRef::Hash(hash) => match (hash.encoding(), hash.next_deadline()) {
                ("listpack", _) => Kind::HashListpack,
                ("listpackex", _) => Kind::HashListpackDeadlines,
                (_, Some(_)) => Kind::HashDeadlines,
                (_, None) => Kind::Hash,
            },
            ObjectRef::Stream(_) => Kind::Stream3,
        }
    }
}

/// Writes RDB bytes.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    compresses: bool,
}

impl Writer {
    /// Writes nothing yet; strings are compressed or not.
    #[must_use]
    pub const fn new(compresses: bool) -> Self {
        Self { out: Vec::new(), compresses }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn word(&mut self, word: u64) {
        self.raw(&word.to_le_bytes());
    }

    /// A length or another number.
    fn len(&mut self, len: u64) {
        if len < 1 << 6 {
            self.byte(len as u8);
        } else if len < 1 << 14 {
            self.raw(&[0x40 | (len >> 8) as u8, len as u8]);
        } else if let Ok(len) = u32::try_from(len) {
            self.byte(0x80);
            self.raw(&len.to_be_bytes());
        } else {
            self.byte(0x81);
            self.raw(&len.to_be_bytes());
        }
    }

    /// A string: as a small integer, compressed, or as it is.
    fn text(&mut self, text: &[u8]) {
        if let Some(value) = small_int(text) {
            return self.int(value);
        }
        if self.compresses
            && text.len() >= PACKED_LEN_MIN
            && let Some(packed) = lzf::pack(text, text.len() - SAVED_MIN)
        {
            self.byte(0xc3);
            self.len(packed.len() as u64);
            self.len(text.len() as u64);
            return self.raw(&packed);
        }
        self.len(text.len() as u64);
        self.raw(text);
    }

    fn int(&mut self, value: i32) {
        let le = value.to_le_bytes();
        let (tag, width) = match value {
            -128..=127 => (0xc0, 1),
            -32_768..=32_767 => (0xc1, 2),
            _ => (0xc2, 4),
        };
        self.byte(tag);
        self.raw(&le[..width]);
    }

    fn str(&mut self, text: Str<'_>) {
        text.with(|text| self.text(text));
    }

    /// A value without its kind.
    pub fn value(&mut self, value: ValueRef<'_>, limits: &Limits) {
        match value {
            ValueRef::String(text) => self.str(text),
            ValueRef::Object(ObjectRef::List(list)) => self.list(list, limits),
            ValueRef::Object(ObjectRef::Set(set)) => self.set(set),
            ValueRef::Object(ObjectRef::SortedSet(set)) => self.sorted_set(set),
            ValueRef::Object(ObjectRef::Hash(hash)) => self.hash(hash),
            ValueRef::Object(ObjectRef::Stream(stream)) => self.stream(stream),
        }
    }

    fn list(&mut self, list: &List, limits: &Limits) {
        let blocks: Vec<ListBlock<'_>> = list.blocks().collect();
        self.len(blocks.len() as u64);
        for block in blocks {
            match block.long_element(limits) {
                Some(text) => {
                    self.len(1);
                    self.text(text);
                }
                None => {
                    self.len(2);
                    self.text(block.to_packed().as_bytes());
                }
            }
        }
    }

    fn set(&mut self, set: &Set) {
        if let Some(packed) = set.as_packed() {
            return self.text(packed.as_bytes());
        }
        let Some(width) = set.int_width() else {
            self.len(set.len() as u64);
            return set.iter().for_each(|member| self.str(member));
        };
        let mut bytes = Vec::with_capacity(8 + set.len() * width);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&(set.len() as u32).to_le_bytes());
        for member in set.iter() {
            if let Str::Int(value) = member {
                bytes.extend_from_slice(&value.to_le_bytes()[..width]);
            }
        }
        self.text(&bytes);
    }

    /// Large ones from the last to the first, as is the custom: whoever builds them grows at one end.
    fn sorted_set(&mut self, set: &SortedSet) {
        if let Some(packed) = set.packed() {
            return self.text(packed.as_bytes());
        }
        self.len(set.len() as u64);
        for (member, score) in set.range(0, set.len(), true) {
            self.str(member);
            self.raw(&score.to_le_bytes());
        }
    }

    fn hash(&mut self, hash: &Hash) {
        let earliest = hash.next_deadline().map(|at| at.0);
        if let Some(packed) = hash.packed() {
            if hash.encoding() == "listpackex" {
                self.word(earliest.unwrap_or(0));
            }
            return self.text(packed.as_bytes());
        }
        if let Some(earliest) = earliest {
            self.word(earliest);
        }
        self.len(hash.len() as u64);
        for (field, value, deadline) in hash.iter() {
            if let Some(earliest) = earliest {
                self.len(deadline.map_or(0, |at| at.0 - earliest + 1));
            }
            self.str(field);
            self.str(value);
        }
    }
}

/// The integer that prints to `text`, if it has 32 bits.
fn small_int(text: &[u8]) -> Option<i32> {
    if text.len() > INT_LEN_MAX {
        return None;
    }
    i32::try_from(stoa_stdx::parse_int(text)?).ok()
}
