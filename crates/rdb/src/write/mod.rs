//! Writing: the layout that fits what lies in memory, as Redis 7.4 would choose it.

mod stream;

use std::borrow::Cow;

use stoa_value::{Hash, Limits, List, ListBlock, ObjectRef, Packed, Set, SortedSet, Str, Stream};

use crate::{Kind, VERSION, VERSION_MIN, VERSION_OF_7_2, lzf};

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
    /// The oldest version of the format, of those that are written, that holds all of it.
    #[must_use]
    pub fn version(&self) -> u16 {
        match self {
            Self::Object(ObjectRef::Hash(hash))
                if hash.encoding() == "listpackex" || hash.next_deadline().is_some() =>
            {
                VERSION
            }
            Self::Object(ObjectRef::Stream(stream))
                if stream.groups().values().any(|group| group.consumers().len() > 0) =>
            {
                VERSION_OF_7_2
            }
            Self::String(_) | Self::Object(_) => VERSION_MIN,
        }
    }

    /// The layout it is written in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind_in(VERSION)
    }

    /// The same in a file of an older version.
    pub(crate) fn kind_in(&self, version: u16) -> Kind {
        let Self::Object(object) = self else { return Kind::String };
        let is_old = version < VERSION_OF_7_2;
        match object {
            ObjectRef::Set(set) if is_old && set.int_width().is_none() => Kind::Set,
            ObjectRef::Stream(_) if is_old => Kind::Stream2,
            ObjectRef::List(_) => Kind::ListListpacks,
            ObjectRef::Set(set) if set.int_width().is_some() => Kind::SetInts,
            ObjectRef::Set(set) if set.encoding() == "listpack" => Kind::SetListpack,
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
    /// Bytes that compressing has saved of what was not taken.
    saved: usize,
    compresses: bool,
}

impl Writer {
    /// Writes nothing yet; strings are compressed or not.
    #[must_use]
    pub const fn new(compresses: bool) -> Self {
        Self { out: Vec::new(), saved: 0, compresses }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Bytes that were written and not taken.
    pub(crate) const fn waiting(&self) -> usize {
        self.out.len()
    }

    /// The same as they were before they were compressed, which is what takes time.
    pub(crate) const fn worked(&self) -> usize {
        self.out.len() + self.saved
    }

    /// The same bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Gives away what was written so far.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.saved = 0;
        std::mem::take(&mut self.out)
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.raw(&word.to_le_bytes());
    }

    /// A length or another number.
    pub(crate) fn len(&mut self, len: u64) {
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
    pub(crate) fn text(&mut self, text: &[u8]) {
        if let Some(value) = small_int(text) {
            return self.int(value);
        }
        if self.compresses
            && text.len() >= PACKED_LEN_MIN
            && let Some(packed) = lzf::pack(text, text.len() - SAVED_MIN)
        {
            self.saved += text.len() - packed.len();
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

    /// A value without its kind.
    pub fn value(&mut self, value: ValueRef<'_>, limits: &Limits) {
        Portions::new(value, limits).write(self, usize::MAX);
    }

    fn token(&mut self, token: &Token<'_>) {
        match token {
            Token::Len(len) => self.len(*len),
            Token::Word(word) => self.word(*word),
            Token::Str(text) => text.with(|text| self.text(text)),
            Token::Bytes(bytes) => self.text(bytes),
            Token::Packed(packed) => self.text(packed.as_bytes()),
            Token::Block(block) => self.text(block.to_packed().as_bytes()),
            Token::Ints(set, width) => self.text(&ints(set, *width)),
        }
    }
}

/// The next thing in a value.
enum Token<'a> {
    /// A length or another number.
    Len(u64),
    /// A time, a score.
    Word(u64),
    /// A string.
    Str(Str<'a>),
    /// A string that is no integer, or is not known to be one.
    Bytes(&'a [u8]),
    /// A listpack, as a string.
    Packed(Cow<'a, Packed>),
    /// A block of a list, as a string.
    Block(ListBlock<'a>),
    /// A set of integers, each of so many bytes, as a string.
    Ints(&'a Set, usize),
}

/// What of a value is still to be written. A large one is written in portions: element by element, or
/// block by block where elements lie packed.
pub struct Portions<'a> {
    /// What is not worth an iterator: a number in front, and a string.
    next: [Option<Token<'a>>; 2],
    rest: Rest<'a>,
    place: Place,
}

/// What is still to be written of a large value.
enum Rest<'a> {
    Nothing,
    Tokens(Box<dyn Iterator<Item = Token<'a>> + 'a>),
    Stream(&'a Stream),
}

/// Where in a value it goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Things that were written.
    things: usize,
    /// The same in a stream.
    in_stream: stream::Place,
}

impl std::fmt::Debug for Portions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portions").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

impl<'a> Portions<'a> {
    /// All of a value, without its kind.
    #[must_use]
    pub fn new(value: ValueRef<'a>, limits: &Limits) -> Self {
        Self::in_version(value, limits, VERSION)
    }

    /// The same in a file of an older version, which holds it. A stream there has no consumers, and so
    /// lies as it does in a newer one.
    pub(crate) fn in_version(value: ValueRef<'a>, limits: &Limits, version: u16) -> Self {
        Self::from_place(value, limits, version, Place::default())
    }

    /// The same of a value that is written up to a place, and which has not changed since. What is passed by
    /// is not looked at.
    pub(crate) fn from_place(
        value: ValueRef<'a>,
        limits: &Limits,
        version: u16,
        from: Place,
    ) -> Self {
        let place = from.things;
        let is_old = version < VERSION_OF_7_2;
        let one = |token| Self::of_two(None, token);
        let object = match value {
            ValueRef::String(text) => return one(Token::Str(text)),
            ValueRef::Object(object) => object,
        };
        let tokens: Box<dyn Iterator<Item = Token<'a>> + 'a> = match object {
            ObjectRef::List(list) => Box::new(of_list(list, *limits, place)),
            ObjectRef::Set(set) => match (set.to_packed(), set.int_width()) {
                (Some(packed), _) if !is_old => return one(Token::Packed(Cow::Owned(packed))),
                (_, Some(width)) => return one(Token::Ints(set, width)),
                (_, None) => Box::new(of_set(set, place)),
            },
            ObjectRef::SortedSet(set) => match set.packed() {
                Some(packed) => return one(Token::Packed(Cow::Borrowed(packed))),
                None => Box::new(of_sorted_set(set, place)),
            },
            ObjectRef::Hash(hash) => match hash.to_packed() {
                Some(packed) => {
                    let head = (hash.encoding() == "listpackex")
                        .then(|| Token::Word(hash.next_deadline().map_or(0, |at| at.0)));
                    return Self::of_two(head, Token::Packed(packed));
                }
                None => Box::new(of_hash(hash, place)),
            },
            ObjectRef::Stream(stream) => {
                return Self { next: [None, None], rest: Rest::Stream(stream), place: from };
            }
        };
        Self { next: [None, None], rest: Rest::Tokens(tokens), place: from }
    }

    fn of_two(head: Option<Token<'a>>, token: Token<'a>) -> Self {
        Self { next: [head, Some(token)], rest: Rest::Nothing, place: Place::default() }
    }

    /// Whether all of it was written.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.next[1].is_none() && matches!(self.rest, Rest::Nothing)
    }

    /// Where it goes on.
    pub(crate) fn into_place(self) -> Place {
        self.place
    }

    /// Writes until what `writer` holds was `len_max` bytes or more before it was compressed, or all is
    /// written: an element at least.
    pub fn write(&mut self, writer: &mut Writer, len_max: usize) {
        for token in std::mem::take(&mut self.next).into_iter().flatten() {
            writer.token(&token);
        }
        match &mut self.rest {
            Rest::Nothing => return,
            Rest::Tokens(tokens) => {
                for token in tokens {
                    writer.token(&token);
                    self.place.things += 1;
                    if writer.worked() >= len_max {
                        return;
                    }
                }
            }
            Rest::Stream(stream) => {
                let place = &mut self.place.in_stream;
                place.write(stream, writer, len_max);
                if !place.is_end() {
                    return;
                }
            }
        }
        self.rest = Rest::Nothing;
    }
}

/// Behind `place` things, of which `heads` stand in front and each element is `width`: how many elements
/// are passed by whole, and how many things of the next.
const fn passed(place: usize, heads: usize, width: usize) -> (usize, usize) {
    let place = place.saturating_sub(heads);
    (place / width, place % width)
}

fn of_list(list: &List, limits: Limits, place: usize) -> impl Iterator<Item = Token<'_>> {
    let head = (place == 0).then(|| Token::Len(list.block_count() as u64));
    let (whole, more) = passed(place, 1, 2);
    let blocks = list.blocks_from(whole).flat_map(move |block| match block.long_element(&limits) {
        Some(text) => [Token::Len(1), Token::Bytes(text)],
        None => [Token::Len(2), Token::Block(block)],
    });
    head.into_iter().chain(blocks.skip(more))
}

fn of_set(set: &Set, place: usize) -> impl Iterator<Item = Token<'_>> {
    let head = (place == 0).then(|| Token::Len(set.len() as u64));
    let (whole, _) = passed(place, 1, 1);
    head.into_iter().chain(set.iter().skip(whole).map(Token::Str))
}

/// Width and count, then the integers in ascending order.
fn ints(set: &Set, width: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + set.len() * width);
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(set.len() as u32).to_le_bytes());
    for member in set.iter() {
        if let Str::Int(value) = member {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
    }
    bytes
}

/// Large ones from the last to the first, as is the custom: whoever builds them grows at one end.
fn of_sorted_set(set: &SortedSet, place: usize) -> impl Iterator<Item = Token<'_>> {
    let head = (place == 0).then(|| Token::Len(set.len() as u64));
    let (whole, more) = passed(place, 1, 2);
    let members = set
        .range(0, set.len().saturating_sub(whole), true)
        .flat_map(|(member, score)| [Token::Str(member), Token::Word(score.to_bits())]);
    head.into_iter().chain(members.skip(more))
}

fn of_hash(hash: &Hash, place: usize) -> impl Iterator<Item = Token<'_>> {
    let earliest = hash.next_deadline().map(|at| at.0);
    let (heads, width) = if earliest.is_some() { (2, 3) } else { (1, 2) };
    let (whole, more) = passed(place, heads, width);
    let fields = hash.iter().skip(whole).flat_map(move |(field, value, deadline)| {
        let deadline =
            earliest.map(|earliest| Token::Len(deadline.map_or(0, |at| at.0 - earliest + 1)));
        deadline.into_iter().chain([Token::Str(field), Token::Str(value)])
    });
    let front = earliest.map(Token::Word).into_iter().chain([Token::Len(hash.len() as u64)]);
    front.skip(place).chain(fields.skip(more))
}

/// The integer that prints to `text`, if it has 32 bits.
fn small_int(text: &[u8]) -> Option<i32> {
    if text.len() > INT_LEN_MAX {
        return None;
    }
    i32::try_from(stoa_stdx::parse_int(text)?).ok()
}
