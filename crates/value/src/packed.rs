//! Elements one after the other in one buffer: the small form of lists, sets and hashes.
//!
//! ```text
//! | bytes in all 32 | elements 16 | element | element | ... | 0xff |
//! ```
//!
//! Every search is a walk, which is why it stays small; in return an element costs a byte or two besides
//! its own, and a walk reads memory in order. Places are byte offsets: they hold until the buffer
//! changes.
//!
//! [`Packed`] is a listpack of the snapshot format, whose elements have their length behind them, too, so
//! that a walk may go backwards. Hashes, sets and streams never do: theirs is [`Forward`], which leaves
//! that byte out. Ten short fields with their values take 7 bytes and ten per cent less so, which
//! snapshots pay for: they write the other form.

use crate::Str;
use crate::buf::{Buf, HEAD};
use crate::element::{self, Encoded};

pub(crate) const FIRST: usize = HEAD + 2;
const END: u8 = 0xff;
/// As an element count: more than can be written, to be counted by a walk.
const MANY: usize = u16::MAX as usize;
/// No buffer may grow beyond this: lengths are 32 bits.
pub(crate) const BYTES_MAX: usize = 1 << 30;

/// A packed buffer; its elements have their length behind them if `BACK`.
#[derive(Clone)]
pub struct Row<const BACK: bool>(Buf);

/// Elements that are walked in both directions: a listpack.
pub type Packed = Row<true>;
/// Elements that are walked from the first on only.
pub type Forward = Row<false>;

/// Where an element begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub(crate) usize);

impl<const BACK: bool> Default for Row<BACK> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BACK: bool> Row<BACK> {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        let mut buf = Buf::zeroed(FIRST + 1);
        buf.bytes_mut()[FIRST] = END;
        Self(buf)
    }

    /// Of `count` elements as they lie in a buffer.
    pub(crate) fn of(elements: &[u8], count: usize) -> Self {
        let mut packed = Self(Buf::zeroed(FIRST + elements.len() + 1));
        let bytes = packed.0.bytes_mut();
        bytes[FIRST..FIRST + elements.len()].copy_from_slice(elements);
        bytes[FIRST + elements.len()] = END;
        packed.set_count(count);
        packed
    }

    /// Of such elements, written in one step.
    #[must_use]
    pub fn collect<'a>(texts: impl Iterator<Item = Str<'a>> + Clone) -> Self {
        let mut packed = Self::new();
        packed.append(texts.map(Encoded::of_str));
        packed
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.count() {
            MANY => self.iter().count(),
            count => count,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// All bytes, header and end included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Bytes of its block.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// All elements in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, BACK> {
        Iter { bytes: self.elements() }
    }

    /// The elements from number `index` on.
    #[must_use]
    pub fn iter_from(&self, index: usize) -> Iter<'_, BACK> {
        let from = self.seek(index).map_or(self.end(), |place| place.0);
        Iter { bytes: &self.as_bytes()[from..self.end()] }
    }

    /// The first element.
    #[must_use]
    pub fn first(&self) -> Option<Place> {
        self.is_there(FIRST)
    }

    /// The element behind `place`.
    #[must_use]
    pub fn next(&self, place: Place) -> Option<Place> {
        self.is_there(place.0 + element::len_at::<BACK>(&self.as_bytes()[place.0..]))
    }

    /// The element at `place`.
    #[must_use]
    pub fn get(&self, place: Place) -> Str<'_> {
        element::read::<BACK>(&self.as_bytes()[place.0..]).0
    }

    /// The element number `index`, walked to from the nearer end where that is possible.
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<Place> {
        let len = self.len();
        if index >= len {
            return None;
        }
        if !BACK || index <= len / 2 {
            return (0..index).try_fold(self.first()?, |at, _| self.next(at));
        }
        let bytes = self.as_bytes();
        let back = |at, _| at - element::len_before(&bytes[FIRST..at]);
        Some(Place((index..len).fold(self.end(), back)))
    }

    /// The first element that is `text`, looking at every `stride`th from the first on.
    #[must_use]
    pub fn find(&self, text: &[u8], stride: usize) -> Option<Place> {
        let wanted = Encoded::of(text);
        let bytes = self.as_bytes();
        let end = self.end();
        let mut at = FIRST;
        while at < end {
            if wanted.is_at(&bytes[at..]) {
                return Some(Place(at));
            }
            for _ in 0..stride {
                at += element::len_at::<BACK>(&bytes[at..]);
            }
        }
        None
    }

    /// Adds an element at the end.
    pub fn push_back(&mut self, text: &[u8]) {
        self.insert_encoded(self.end(), Encoded::of(text));
    }

    /// Adds an element at the beginning.
    pub fn push_front(&mut self, text: &[u8]) {
        self.insert_encoded(FIRST, Encoded::of(text));
    }

    /// Adds what is already told apart, at the end.
    pub fn push_str(&mut self, text: Str<'_>) {
        self.insert_encoded(self.end(), Encoded::of_str(text));
    }

    /// Adds an element before the one at `place`, which moves behind it.
    pub fn insert(&mut self, place: Place, text: &[u8]) {
        self.insert_encoded(place.0, Encoded::of(text));
    }

    /// Puts `text` where the element at `place` was.
    pub fn replace(&mut self, place: Place, text: &[u8]) {
        let new = Encoded::of(text);
        let old = element::len_at::<BACK>(&self.as_bytes()[place.0..]);
        new.write::<BACK>(self.0.splice(place.0, old, new.len::<BACK>()));
    }

    /// Takes out `count` elements (or all that are left) from `place` on. What stood behind them
    /// stands at `place` then.
    pub fn remove(&mut self, place: Place, count: usize) {
        let (bytes, end) = (self.as_bytes(), self.end());
        let (mut at, mut removed) = (place.0, 0);
        while removed < count && at < end {
            at += element::len_at::<BACK>(&bytes[at..]);
            removed += 1;
        }
        let len = self.len() - removed;
        self.0.splice(place.0, at - place.0, 0);
        self.set_count(len);
    }

    /// The element at `place` if the buffer does not end there.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<Place> {
        self.is_there(place.0)
    }

    /// Bytes in all if `text` were added.
    #[must_use]
    pub fn len_with(&self, text: &[u8]) -> usize {
        self.0.len() + element::len_of::<BACK>(text)
    }

    /// Adds several elements at the end, in one step.
    pub(crate) fn append<'a>(&mut self, new: impl Iterator<Item = Encoded<'a>> + Clone) {
        let (count, bytes) =
            new.clone().fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.len::<BACK>()));
        let count = self.len() + count;
        let mut room = self.0.splice(self.end(), 0, bytes);
        for one in new {
            let (head, rest) = room.split_at_mut(one.len::<BACK>());
            one.write::<BACK>(head);
            room = rest;
        }
        self.set_count(count);
    }

    fn insert_encoded(&mut self, at: usize, new: Encoded<'_>) {
        let len = self.len() + 1;
        new.write::<BACK>(self.0.splice(at, 0, new.len::<BACK>()));
        self.set_count(len);
    }

    pub(crate) fn elements(&self) -> &[u8] {
        &self.as_bytes()[FIRST..self.end()]
    }

    fn end(&self) -> usize {
        self.0.len() - 1
    }

    fn is_there(&self, at: usize) -> Option<Place> {
        (at < self.end()).then_some(Place(at))
    }

    fn count(&self) -> usize {
        let bytes = self.as_bytes();
        usize::from(u16::from_le_bytes([bytes[HEAD], bytes[HEAD + 1]]))
    }

    fn set_count(&mut self, count: usize) {
        let written = count.min(MANY) as u16;
        self.0.bytes_mut()[HEAD..FIRST].copy_from_slice(&written.to_le_bytes());
    }
}

impl Packed {
    /// The elements from number `index` back to the first; none if there is no such number.
    #[must_use]
    pub fn iter_back_from(&self, index: usize) -> IterBack<'_> {
        let upto = self
            .seek(index)
            .map_or(FIRST, |place| self.next(place).map_or(self.end(), |place| place.0));
        IterBack { bytes: &self.as_bytes()[FIRST..upto] }
    }

    /// All elements from the last to the first.
    #[must_use]
    pub fn iter_back(&self) -> IterBack<'_> {
        IterBack { bytes: self.elements() }
    }

    /// The last element.
    #[must_use]
    pub fn last(&self) -> Option<Place> {
        self.before(self.end())
    }

    /// The element before `place`.
    #[must_use]
    pub fn prev(&self, place: Place) -> Option<Place> {
        self.before(place.0)
    }

    /// Takes out elements that are `text`, at most `count`, from the first on or from the last back;
    /// gives how many.
    pub fn remove_matching(&mut self, text: &[u8], back: bool, count: usize) -> usize {
        let wanted = Encoded::of(text);
        let mut removed = 0;
        let mut at = if back { self.last() } else { self.first() };
        while let Some(place) = at.filter(|_| removed < count) {
            let found = wanted.is_at(&self.as_bytes()[place.0..]);
            let before = if back { self.prev(place) } else { None };
            if found {
                self.remove(place, 1);
                removed += 1;
            }
            at = match (back, found) {
                (true, _) => before,
                (false, true) => self.at(place),
                (false, false) => self.next(place),
            };
        }
        removed
    }

    fn before(&self, at: usize) -> Option<Place> {
        let before = &self.as_bytes()[FIRST..at];
        (!before.is_empty()).then(|| Place(at - element::len_before(before)))
    }
}

impl Forward {
    /// The same elements as a listpack.
    #[must_use]
    pub fn to_packed(&self) -> Packed {
        Packed::collect(self.iter())
    }
}

impl<const BACK: bool> std::fmt::Debug for Row<BACK> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Elements in order.
#[derive(Clone)]
pub struct Iter<'a, const BACK: bool = true> {
    bytes: &'a [u8],
}

impl<'a, const BACK: bool> Iter<'a, BACK> {
    /// Over elements without header and end.
    pub(crate) const fn over(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl<'a, const BACK: bool> Iterator for Iter<'a, BACK> {
    type Item = Str<'a>;

    #[inline]
    fn next(&mut self) -> Option<Str<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let (text, len) = element::read::<BACK>(self.bytes);
        self.bytes = &self.bytes[len..];
        Some(text)
    }
}

/// Elements from the last to the first.
#[derive(Clone)]
pub struct IterBack<'a> {
    bytes: &'a [u8],
}

impl<'a> IterBack<'a> {
    /// Over elements without header and end.
    pub(crate) const fn over(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl<'a> Iterator for IterBack<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let (rest, last) = self.bytes.split_at(self.bytes.len() - element::len_before(self.bytes));
        self.bytes = rest;
        Some(element::read::<true>(last).0)
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Forward, Packed, Row};

    fn text(rng: &mut Rng) -> Vec<u8> {
        match rng.below(10) {
            0 => Vec::new(),
            1 => b"007".to_vec(),
            2 => vec![b'x'; rng.below(300) as usize],
            3 => vec![b'y'; 4_000 + rng.below(200) as usize],
            4..=7 => {
                let value = rng.next() as i64 >> rng.below(64);
                value.to_string().into_bytes()
            }
            _ => (0..rng.below(20)).map(|_| rng.next() as u8).collect(),
        }
    }

    fn all<const BACK: bool>(packed: &Row<BACK>) -> Vec<Vec<u8>> {
        packed.iter().map(|text| text.to_vec()).collect()
    }

    /// Something by chance to both.
    fn change<const BACK: bool>(
        packed: &mut Row<BACK>,
        model: &mut Vec<Vec<u8>>,
        rng: &mut Rng,
        case: &str,
    ) {
        let new = text(rng);
        let at = rng.below(model.len() as u64 + 1) as usize;
        match (rng.below(6), packed.seek(at)) {
            (0, _) => {
                packed.push_front(&new);
                model.insert(0, new);
            }
            (1, Some(place)) => {
                packed.insert(place, &new);
                model.insert(at, new);
            }
            (2, Some(place)) => {
                packed.replace(place, &new);
                model[at] = new;
            }
            (3, Some(place)) => {
                let count = 1 + rng.below(3) as usize;
                packed.remove(place, count);
                model.drain(at..(at + count).min(model.len()));
            }
            (4, _) => {
                let wanted = model.get(at).unwrap_or(&new);
                let found = packed.find(wanted, 1).map(|place| packed.get(place).to_vec());
                assert_eq!(found.as_ref(), model.iter().find(|one| *one == wanted), "{case}");
            }
            _ => {
                packed.push_back(&new);
                model.push(new);
            }
        }
        assert_eq!(packed.len(), model.len(), "{case}");
        assert_eq!(all(packed), *model, "{case}");
    }

    #[test]
    fn a_packed_buffer_agrees_with_a_vector() {
        for seed in 0..if cfg!(miri) { 2 } else { 60 } {
            let mut rng = Rng::new(seed);
            let mut packed = Packed::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for step in 0..if cfg!(miri) { 40 } else { 300 } {
                let case = format!("seed {seed}, step {step}");
                change(&mut packed, &mut model, &mut rng, &case);
                let mut back: Vec<_> = packed.iter_back().map(|text| text.to_vec()).collect();
                back.reverse();
                assert_eq!(back, model, "{case}");
            }
        }
    }

    #[test]
    fn one_that_is_walked_forwards_only_is_shorter_and_of_the_same_elements() {
        for seed in 0..if cfg!(miri) { 2 } else { 60 } {
            let mut rng = Rng::new(seed);
            let mut forward = Forward::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for step in 0..if cfg!(miri) { 40 } else { 300 } {
                let case = format!("seed {seed}, step {step}");
                change(&mut forward, &mut model, &mut rng, &case);
                let packed = forward.to_packed();
                assert_eq!(all(&packed), model, "{case}");
                let saved = packed.as_bytes().len() - forward.as_bytes().len();
                assert!((model.len()..=model.len() * 2).contains(&saved), "{case}: {saved}");
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_published_format() {
        let mut packed = Packed::new();
        for text in [&b"1"[..], b"-1", b"hi", b"70000", b"01"] {
            packed.push_back(text);
        }
        let want = [
            29, 0, 0, 0, 5, 0, // 29 bytes, five elements
            1, 1, // 1
            0xdf, 0xff, 2, // -1
            0x82, b'h', b'i', 3, // hi
            0xf2, 0x70, 0x11, 0x01, 4, // 70000
            0x82, b'0', b'1', 3, 0xff,
        ];
        let mut want = want.to_vec();
        want[0] = want.len() as u8;
        assert_eq!(packed.as_bytes(), want);
    }

    #[test]
    fn more_elements_than_the_header_can_say_are_counted() {
        let mut packed = Packed::new();
        let many = if cfg!(miri) { 300 } else { 70_000 };
        for _ in 0..many {
            packed.push_back(b"1");
        }
        assert_eq!(packed.len(), many);
        packed.remove(packed.first().expect("not empty"), many - 3);
        assert_eq!(packed.len(), 3);
    }
}
