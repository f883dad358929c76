//! Walks over the elements of one block, with or without their lengths behind them.

use crate::element::{self, Encoded};
use crate::packed::{Iter, IterBack};
use crate::{Packed, Str};

/// Elements in order.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    bytes: &'a [u8],
    /// Their lengths stand behind them.
    has_back: bool,
}

impl<'a> Run<'a> {
    pub(super) const fn over(bytes: &'a [u8], has_back: bool) -> Self {
        Self { bytes, has_back }
    }

    /// All `count` of them as a listpack.
    pub(super) fn to_packed(self, count: usize) -> Packed {
        if self.has_back {
            return Packed::of(self.bytes, count);
        }
        Packed::collect(Iter::<false>::over(self.bytes))
    }

    /// Whether one of them is `wanted`.
    pub(super) fn any_is(mut self, wanted: Encoded<'_>) -> bool {
        while !self.bytes.is_empty() {
            if wanted.is_at(self.bytes) {
                return true;
            }
            self.next();
        }
        false
    }
}

impl<'a> Iterator for Run<'a> {
    type Item = Str<'a>;

    #[inline]
    fn next(&mut self) -> Option<Str<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let (text, len) = if self.has_back {
            element::read::<true>(self.bytes)
        } else {
            element::read::<false>(self.bytes)
        };
        self.bytes = &self.bytes[len..];
        Some(text)
    }
}

/// Elements from the last to the first.
#[derive(Clone)]
pub(super) enum RunBack<'a> {
    /// With their lengths behind them.
    Open(IterBack<'a>),
    /// Without: where those begin that are left.
    Sealed(&'a [u8], Vec<u32>),
}

impl<'a> RunBack<'a> {
    pub(super) fn over(bytes: &'a [u8], has_back: bool) -> Self {
        if has_back {
            return Self::Open(IterBack::over(bytes));
        }
        let mut places = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            places.push(at as u32);
            at += element::len_at::<false>(&bytes[at..]);
        }
        Self::Sealed(bytes, places)
    }
}

impl<'a> Iterator for RunBack<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        match self {
            Self::Open(rest) => rest.next(),
            Self::Sealed(bytes, places) => {
                let at = places.pop()? as usize;
                Some(element::read::<false>(&bytes[at..]).0)
            }
        }
    }
}
