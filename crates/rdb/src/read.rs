//! Reading front to back: every length is held against what is left before it is believed.

use std::borrow::Cow;
use std::fmt;

use crate::lzf;

/// What is wrong with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Damaged {}

/// More bytes would be needed. Nothing but a [`Reader`] says so.
pub(crate) const CUT: Damaged = Damaged("it ends too early");
const BAD_LENGTH: Damaged = Damaged("a length has no known form");

/// The longest string there is.
const STRING_LEN_MAX: usize = 512 << 20;
/// And the longest as it may lie in a file: servers can be told to take longer ones.
const PLAIN_LEN_MAX: u64 = 4 << 30;

/// A length, or a string that is written in another way than as its bytes.
enum Length {
    Plain(u64),
    Special(u8),
}

/// Reads RDB bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
    /// Bytes that may still be unpacked.
    unpacked_left: usize,
    /// Both, at the last place that is worth going back to.
    kept: (&'a [u8], usize),
    /// Bytes that were not there when something ended too early.
    missing: usize,
}

impl<'a> Reader<'a> {
    /// Over `bytes`; compressed strings in them may unpack to `unpacked_max` bytes together.
    #[must_use]
    pub const fn new(bytes: &'a [u8], unpacked_max: usize) -> Self {
        Self { left: bytes, unpacked_left: unpacked_max, kept: (bytes, unpacked_max), missing: 0 }
    }

    /// What was not read yet.
    #[must_use]
    pub const fn left(&self) -> &'a [u8] {
        self.left
    }

    /// What was read so far is taken in: [`Reader::back`] leads here.
    pub(crate) const fn keep(&mut self) {
        self.kept = (self.left, self.unpacked_left);
    }

    /// Goes back to where it was kept last.
    pub(crate) const fn back(&mut self) {
        (self.left, self.unpacked_left) = self.kept;
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let Some((bytes, left)) = self.left.split_first_chunk() else {
            return Err(self.cut(N));
        };
        self.left = left;
        Ok(*bytes)
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Result<&'a [u8], Damaged> {
        if len > PLAIN_LEN_MAX {
            return Err(Damaged("a string is longer than any may be"));
        }
        let len = len as usize;
        let Some((bytes, left)) = self.left.split_at_checked(len) else {
            return Err(self.cut(len));
        };
        self.left = left;
        Ok(bytes)
    }

    const fn cut(&mut self, wanted: usize) -> Damaged {
        self.missing = wanted - self.left.len();
        CUT
    }

    /// How many bytes more it takes at least, after something ended too early.
    pub(crate) const fn missing(&self) -> usize {
        self.missing
    }

    /// Milliseconds, and other numbers of 64 bits.
    pub(crate) fn word(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn double(&mut self) -> Result<f64, Damaged> {
        self.array().map(f64::from_le_bytes)
    }

    fn length(&mut self) -> Result<Length, Damaged> {
        let head = self.byte()?;
        Ok(match head >> 6 {
            0 => Length::Plain(u64::from(head)),
            1 => Length::Plain(u64::from(head & 0x3f) << 8 | u64::from(self.byte()?)),
            3 => Length::Special(head & 0x3f),
            _ => match head {
                0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
                0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
                _ => return Err(BAD_LENGTH),
            },
        })
    }

    /// A length or another number.
    pub(crate) fn len(&mut self) -> Result<u64, Damaged> {
        match self.length()? {
            Length::Plain(len) => Ok(len),
            Length::Special(_) => Err(BAD_LENGTH),
        }
    }

    /// A string, however it is written.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Damaged> {
        let digits = |value: i32| Ok(Cow::Owned(value.to_string().into_bytes()));
        match self.length()? {
            Length::Plain(len) => self.bytes(len).map(Cow::Borrowed),
            Length::Special(0) => digits(i8::from_le_bytes(self.array()?).into()),
            Length::Special(1) => digits(i16::from_le_bytes(self.array()?).into()),
            Length::Special(2) => digits(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => self.packed_string().map(Cow::Owned),
            Length::Special(_) => Err(Damaged("a string has no known form")),
        }
    }

    fn packed_string(&mut self) -> Result<Vec<u8>, Damaged> {
        const BAD: Damaged = Damaged("a compressed string is damaged");
        let (packed_len, len) = (self.len()?, self.len()?);
        let packed = self.bytes(packed_len)?;
        let len = usize::try_from(len).map_err(|_| BAD)?;
        if len > STRING_LEN_MAX || len > self.unpacked_left {
            return Err(Damaged("a compressed string is longer than any may be"));
        }
        self.unpacked_left -= len;
        lzf::unpack(packed, len).ok_or(BAD)
    }
}

#[cfg(test)]
mod tests {
    use super::{Damaged, Reader};

    fn string(bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        Reader::new(bytes, 1_000).string().map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn strings_are_read_in_all_forms() {
        for (bytes, want) in [
            (&b"\x03abc"[..], &b"abc"[..]),
            (b"\x40\x03abc", b"abc"),
            (b"\x80\x00\x00\x00\x03abc", b"abc"),
            (b"\x81\x00\x00\x00\x00\x00\x00\x00\x03abc", b"abc"),
            (b"\xc0\xff", b"-1"),
            (b"\xc1\x00\x80", b"-32768"),
            (b"\xc2\xff\xff\xff\x7f", b"2147483647"),
            (b"\xc3\x05\x0a\x00a\xe0\x00\x00", b"aaaaaaaaaa"),
            (b"\x00", b""),
        ] {
            assert_eq!(string(bytes).as_deref(), Ok(want), "{bytes:?}");
        }
    }

    #[test]
    fn what_a_length_promises_must_be_there() {
        for bytes in [
            &b""[..],
            b"\x03ab",
            b"\x40",
            b"\x80\xff\xff\xff\xffabc",
            b"\x81\xff\xff\xff\xff\xff\xff\xff\xffabc",
            b"\x82abc",
            b"\xc4abc",
            b"\xc2ab",
            b"\xc3\x05\x0b\x00a\xe0\x00\x00",
            b"\xc3\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a\xe0\x00\x00",
            b"\xc3\x06\x0a\x00a\xe0\x00\x00",
        ] {
            assert!(string(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn all_strings_together_unpack_to_no_more_than_is_allowed() {
        let twice = b"\xc3\x05\x0a\x00a\xe0\x00\x00".repeat(2);
        let mut reader = Reader::new(&twice, 19);
        assert!(reader.string().is_ok());
        assert!(reader.string().is_err());
    }
}
