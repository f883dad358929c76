//! One block of a long list: packed elements with room at either end while they come and go, and without
//! any when the list goes on elsewhere.
//!
//! A listpack grows at its end only, and a push to its head moves all of it. Here the elements of an open
//! node lie somewhere in the block, so pushes and pops at both ends touch the element alone.
//!
//! Most nodes of a long list are neither first nor last and hardly change. They are sealed: their
//! elements have no length behind them, which of 18 bytes for an element of 16 saves one. A walk back
//! through a sealed node first looks where its elements begin; what changes one opens it again, which
//! costs some microseconds once a node. If all elements are of one length, as numbers and digests are, any
//! is found without a walk.

use super::run::{Run, RunBack};
use crate::buf::class;
use crate::element::{self, Encoded};
use crate::{Packed, Str};

/// Blocks double up to this size, and then grow as they must.
const GROW_MAX: usize = 8_192;
/// Elements up to this length are copied as so many bytes, whatever they have: a copy of fixed length
/// takes a few instructions.
const SHORT_MAX: usize = 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    bytes: Box<[u8]>,
    /// Where the elements begin and end in `bytes`.
    start: u32,
    end: u32,
    count: u32,
    form: Form,
}

/// How the elements lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// With their lengths behind them.
    #[default]
    Open,
    /// Without.
    Sealed,
    /// Without, and all are of one length.
    Even,
}

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head.
    Front,
    /// The tail.
    Back,
}

impl Node {
    /// Of elements as they lie in a packed buffer.
    pub(super) fn of(elements: &[u8], count: usize) -> Self {
        let mut bytes = vec![0; class(elements.len())].into_boxed_slice();
        bytes[..elements.len()].copy_from_slice(elements);
        Self { bytes, start: 0, end: elements.len() as u32, count: count as u32, form: Form::Open }
    }

    pub(super) const fn count(&self) -> usize {
        self.count as usize
    }

    pub(super) const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the elements.
    pub(super) const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    const fn is_open(&self) -> bool {
        matches!(self.form, Form::Open)
    }

    /// The same when it is sealed, or a little more.
    pub(super) const fn sealed_len(&self) -> usize {
        if self.is_open() { self.len() - self.count() } else { self.len() }
    }

    fn elements(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    /// All elements in order.
    pub(super) fn run(&self) -> Run<'_> {
        Run::over(self.elements(), self.is_open())
    }

    /// All elements from the last to the first.
    pub(super) fn run_back(&self) -> RunBack<'_> {
        RunBack::over(self.elements(), self.is_open())
    }

    /// The elements as a listpack.
    pub(super) fn to_packed(&self) -> Packed {
        self.run().to_packed(self.count())
    }

    /// Element `n`, which is there.
    pub(super) fn get(&self, n: usize) -> Str<'_> {
        self.read(self.offset(n))
    }

    fn read(&self, at: usize) -> Str<'_> {
        // The length behind an element makes no difference to what it is.
        element::read::<false>(&self.elements()[at..]).0
    }

    /// From element `n` on, which is there.
    pub(super) fn run_from(&self, n: usize) -> Run<'_> {
        Run::over(&self.elements()[self.offset(n)..], self.is_open())
    }

    /// From element `n` back to the first.
    pub(super) fn run_back_from(&self, n: usize) -> RunBack<'_> {
        RunBack::over(&self.elements()[..self.offset(n + 1)], self.is_open())
    }

    /// Where element `n` begins; `n` elements further than any: the end.
    fn offset(&self, n: usize) -> usize {
        let elements = self.elements();
        match self.form {
            Form::Even => return elements.len() / self.count() * n,
            Form::Open if n > self.count() / 2 => {
                let mut at = elements.len();
                for _ in n..self.count() {
                    at -= element::len_before(&elements[..at]);
                }
                return at;
            }
            Form::Open | Form::Sealed => {}
        }
        let mut at = 0;
        for _ in 0..n {
            at += self.len_at(&elements[at..]);
        }
        at
    }

    fn len_at(&self, at: &[u8]) -> usize {
        if self.is_open() { element::len_at::<true>(at) } else { element::len_at::<false>(at) }
    }

    /// The first or last element.
    pub(super) fn end(&self, end: End) -> Str<'_> {
        if self.is_open() {
            return self.end_with_len(end).0;
        }
        self.get(if end == End::Front { 0 } else { self.count() - 1 })
    }

    /// The same of an open node, with the bytes it takes.
    #[inline]
    fn end_with_len(&self, end: End) -> (Str<'_>, usize) {
        let elements = self.elements();
        match end {
            End::Front => element::read::<true>(elements),
            End::Back => {
                let at = elements.len() - element::len_before(elements);
                element::read::<true>(&elements[at..])
            }
        }
    }

    /// Takes the first or last element out, after a look at it.
    #[inline]
    pub(super) fn pop(&mut self, end: End, look: impl FnOnce(Str<'_>)) {
        self.open();
        let (text, len) = self.end_with_len(end);
        look(text);
        match end {
            End::Front => self.start += len as u32,
            End::Back => self.end -= len as u32,
        }
        self.count -= 1;
    }

    /// Adds an element at one end. True when it took a larger block for it.
    #[inline]
    pub(super) fn push(&mut self, end: End, new: Encoded<'_>) -> bool {
        self.open();
        let len = new.len::<true>();
        let grew = self.make_room(end, len);
        let at = match end {
            End::Front => {
                self.start -= len as u32;
                self.start as usize
            }
            End::Back => {
                self.end += len as u32;
                self.end as usize - len
            }
        };
        new.write::<true>(&mut self.bytes[at..at + len]);
        self.count += 1;
        grew
    }

    /// Takes out up to `count` elements at one end; gives how many.
    pub(super) fn cut(&mut self, end: End, count: usize) -> usize {
        let count = count.min(self.count());
        match end {
            End::Front => self.start += self.offset(count) as u32,
            End::Back => {
                let keep = self.offset(self.count() - count);
                self.end = self.start + keep as u32;
            }
        }
        self.count -= count as u32;
        count
    }

    /// Replaces what lies from `at` to `end` by `new`, or by nothing.
    fn splice(&mut self, at: usize, end: usize, new: Option<Encoded<'_>>) {
        let len = new.map_or(0, |new| new.len::<true>());
        let old = end - at;
        if len > old {
            self.make_room(End::Back, len - old);
        }
        let start = self.start as usize;
        self.bytes.copy_within(start + end..self.end as usize, start + at + len);
        self.end = (self.end as usize + len - old) as u32;
        if let Some(new) = new {
            new.write::<true>(&mut self.bytes[start + at..start + at + len]);
        }
    }

    /// Puts an element before number `n`.
    pub(super) fn insert(&mut self, n: usize, new: Encoded<'_>) {
        self.open();
        let at = self.offset(n);
        self.splice(at, at, Some(new));
        self.count += 1;
    }

    /// Puts another element in the place of number `n`.
    pub(super) fn replace(&mut self, n: usize, new: Encoded<'_>) {
        let at = self.offset(n);
        let len = element::body_len_at(&self.elements()[at..]);
        if len == new.len::<false>() {
            let at = self.start as usize + at;
            return new.write::<false>(&mut self.bytes[at..at + len]);
        }
        self.open();
        let at = self.offset(n);
        let end = at + element::len_at::<true>(&self.elements()[at..]);
        self.splice(at, end, Some(new));
    }

    /// Takes out `count` elements from number `n` on.
    pub(super) fn remove(&mut self, n: usize, count: usize) {
        self.open();
        let (at, end) = (self.offset(n), self.offset(n + count));
        self.splice(at, end, None);
        self.count -= count as u32;
    }

    /// Takes out elements that are `wanted`, at most `left`, from one end on; gives how many.
    pub(super) fn remove_matching(&mut self, wanted: Encoded<'_>, from: End, left: usize) -> usize {
        if !self.is_open() {
            if !self.run().any_is(wanted) {
                return 0;
            }
            self.open();
        }
        let mut removed = 0;
        let mut at = match from {
            End::Front => 0,
            End::Back => self.len(),
        };
        while removed < left {
            let elements = self.elements();
            if from == End::Back {
                if at == 0 {
                    break;
                }
                at -= element::len_before(&elements[..at]);
            } else if at == elements.len() {
                break;
            }
            let len = element::len_at::<true>(&elements[at..]);
            if wanted.is_at(&elements[at..]) {
                self.splice(at, at + len, None);
                self.count -= 1;
                removed += 1;
            } else if from == End::Front {
                at += len;
            }
        }
        removed
    }

    /// Cuts it in two before element `n`; gives the second part.
    pub(super) fn split_off(&mut self, n: usize) -> Self {
        self.open();
        let at = self.offset(n);
        let rest = Self::of(&self.elements()[at..], self.count() - n);
        self.end = self.start + at as u32;
        self.count = n as u32;
        rest
    }

    /// Gives up what will hardly be needed, the room and the lengths: the list goes on in another block.
    pub(super) fn seal(&mut self) {
        let capacity = class(self.sealed_len());
        if !self.is_open() || capacity >= self.bytes.len() {
            return;
        }
        let mut bytes = vec![0; capacity].into_boxed_slice();
        let from = self.elements();
        let body = element::body_len_at(from);
        let stride = body + element::back_len(body);
        let (mut to, mut is_even) = (0, true);
        if are_alike(from, stride) {
            for at in (0..from.len()).step_by(stride) {
                copy(&mut bytes, to, from, at, body);
                to += body;
            }
        } else {
            let mut at = 0;
            while at < from.len() {
                let len = element::body_len_at(&from[at..]);
                is_even &= len == body;
                copy(&mut bytes, to, from, at, len);
                to += len;
                at += len + element::back_len(len);
            }
        }
        self.bytes = bytes;
        self.start = 0;
        self.end = to as u32;
        self.form = if is_even { Form::Even } else { Form::Sealed };
    }

    /// Makes it ready to change.
    #[inline]
    fn open(&mut self) {
        if !self.is_open() {
            self.open_now();
        }
    }

    #[cold]
    fn open_now(&mut self) {
        let from = self.elements();
        let even = (self.form == Form::Even).then(|| from.len() / self.count());
        let len_at = |at: usize| even.unwrap_or_else(|| element::body_len_at(&from[at..]));
        let (mut at, mut len) = (0, 0);
        if let Some(body) = even {
            len = self.count() * (body + element::back_len(body));
        } else {
            while at < from.len() {
                let body = len_at(at);
                at += body;
                len += body + element::back_len(body);
            }
        }
        let mut bytes = vec![0; class(len)].into_boxed_slice();
        let (mut at, mut to) = (0, 0);
        while at < from.len() {
            let body = len_at(at);
            copy(&mut bytes, to, from, at, body);
            let back = to + body;
            to = back + element::back_len(body);
            element::write_back(body, &mut bytes[back..to]);
            at += body;
        }
        self.bytes = bytes;
        self.start = 0;
        self.end = to as u32;
        self.form = Form::Open;
    }

    /// Room for `len` bytes at one end. True when it took a larger block for it.
    #[inline]
    fn make_room(&mut self, end: End, len: usize) -> bool {
        let free = match end {
            End::Front => self.start as usize,
            End::Back => self.bytes.len() - self.end as usize,
        };
        free < len && self.move_or_grow(end, len)
    }

    #[cold]
    fn move_or_grow(&mut self, end: End, len: usize) -> bool {
        let used = self.len();
        let wanted = used + len;
        // Moving is worth it while there is much room at the other end, else it would be every time.
        if wanted + wanted / 4 <= self.bytes.len() {
            self.settle(end, used);
            return false;
        }
        let capacity = class(wanted.max((2 * wanted).min(GROW_MAX)));
        let mut bytes = vec![0; capacity].into_boxed_slice();
        let start = if end == End::Front { capacity - used } else { 0 };
        bytes[start..start + used].copy_from_slice(self.elements());
        self.bytes = bytes;
        self.start = start as u32;
        self.end = (start + used) as u32;
        true
    }

    /// Moves the elements so that all room is at `end`.
    fn settle(&mut self, end: End, used: usize) {
        let start = if end == End::Front { self.bytes.len() - used } else { 0 };
        self.bytes.copy_within(self.start as usize..self.end as usize, start);
        self.start = start as u32;
        self.end = (start + used) as u32;
    }
}

/// Whether elements that lie `stride` bytes apart, if they are of one length, are so: looked at where the
/// first byte tells the whole length.
fn are_alike(elements: &[u8], stride: usize) -> bool {
    let Some(&first) = elements.first() else { return false };
    matches!(first, 0x80..=0xbf | 0xf1..=0xf4)
        && elements.len().is_multiple_of(stride)
        && elements.iter().step_by(stride).all(|head| *head == first)
}

/// Copies `len` bytes from `at` to `to`. Behind those, others may be written: whoever fills a block front to
/// back writes there later.
#[inline]
fn copy(into: &mut [u8], to: usize, from: &[u8], at: usize, len: usize) {
    if len <= SHORT_MAX
        && let Some(room) = into.get_mut(to..to + SHORT_MAX)
        && let Some(bytes) = from.get(at..at + SHORT_MAX)
    {
        room.copy_from_slice(bytes);
    } else {
        into[to..to + len].copy_from_slice(&from[at..at + len]);
    }
}
