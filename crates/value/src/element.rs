//! One element of a packed buffer: how it is written, read, and stepped over in both directions.
//!
//! ```text
//!  0xxxxxxx                      integer 0..127
//!  10nnnnnn bytes                up to 63 bytes
//!  110xxxxx xxxxxxxx             integer of 13 bits
//!  1110nnnn nnnnnnnn bytes       up to 4,095 bytes
//!  11110000 length 32 bytes
//!  11110001 / 2 / 3 / 4          integer of 16, 24, 32, 64 bits
//! ```
//!
//! Behind each its length may stand again, seven bits a byte, readable backwards: then a walk can start
//! at either end, and the whole is the published listpack format, which snapshots carry as it is. Where
//! nobody walks backwards it is left out (`BACK` is false), a byte less of each element.

use crate::Str;

/// An element ready to be written: its head (with an integer's value), and the bytes behind it.
#[derive(Clone, Copy)]
pub(crate) struct Encoded<'a> {
    head: [u8; 9],
    head_len: u8,
    bytes: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// An integer in canonical form becomes one.
    #[inline]
    pub(crate) fn of(text: &'a [u8]) -> Self {
        match number(text) {
            Some(value) => Self::int(value),
            None => Self::raw(text),
        }
    }

    pub(crate) fn of_str(text: Str<'a>) -> Self {
        match text {
            Str::Int(value) => Self::int(value),
            Str::Bytes(bytes) => Self::raw(bytes),
        }
    }

    pub(crate) fn int(value: i64) -> Self {
        let mut head = [0; 9];
        let le = value.to_le_bytes();
        let mut wide = |tag: u8, len: usize| {
            head[0] = tag;
            head[1..=len].copy_from_slice(&le[..len]);
            len as u8 + 1
        };
        let head_len = match value {
            0..=127 => {
                head[0] = value as u8;
                1
            }
            -4_096..=4_095 => {
                let bits = value as u16 & 0x1fff;
                head[0] = 0xc0 | (bits >> 8) as u8;
                head[1] = bits as u8;
                2
            }
            -32_768..=32_767 => wide(0xf1, 2),
            -8_388_608..=8_388_607 => wide(0xf2, 3),
            -2_147_483_648..=2_147_483_647 => wide(0xf3, 4),
            _ => wide(0xf4, 8),
        };
        Self { head, head_len, bytes: b"" }
    }

    pub(crate) fn raw(bytes: &'a [u8]) -> Self {
        let mut head = [0; 9];
        let len = bytes.len();
        let head_len = if len < 64 {
            head[0] = 0x80 | len as u8;
            1
        } else if len < 4_096 {
            head[0] = 0xe0 | (len >> 8) as u8;
            head[1] = len as u8;
            2
        } else {
            head[0] = 0xf0;
            head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
            5
        };
        Self { head, head_len, bytes }
    }

    fn head(&self) -> &[u8] {
        &self.head[..self.head_len as usize]
    }

    fn body_len(&self) -> usize {
        self.head_len as usize + self.bytes.len()
    }

    /// Bytes it takes, with its length behind if that is written.
    pub(crate) fn len<const BACK: bool>(&self) -> usize {
        with_back::<BACK>(self.body_len())
    }

    /// Writes it into exactly [`Encoded::len`] bytes.
    #[inline]
    pub(crate) fn write<const BACK: bool>(&self, into: &mut [u8]) {
        let (body, back) = into.split_at_mut(self.body_len());
        // Nearly all have a head of one byte, which is no reason to call for a copy.
        let (head, bytes) = body.split_at_mut(self.head_len as usize);
        match head {
            [only] => *only = self.head[0],
            head => head.copy_from_slice(self.head()),
        }
        if !bytes.is_empty() {
            bytes.copy_from_slice(self.bytes);
        }
        if BACK {
            write_back(body.len(), back);
        }
    }

    /// Whether the element at the start of `at` is this one.
    pub(crate) fn is_at(&self, at: &[u8]) -> bool {
        at.starts_with(self.head()) && at[self.head_len as usize..].starts_with(self.bytes)
    }
}

/// Canonical integers only. Nearly all texts are told apart by length or first byte.
fn number(text: &[u8]) -> Option<i64> {
    if text.len() > 20 || !matches!(text.first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    stoa_stdx::parse_int(text)
}

/// Bytes that `text` would take.
pub(crate) fn len_of<const BACK: bool>(text: &[u8]) -> usize {
    Encoded::of(text).len::<BACK>()
}

/// Bytes that a count takes in the published form.
pub(crate) const fn count_len(count: usize) -> usize {
    match count {
        0..=127 => 2,
        128..=4_095 => 3,
        4_096..=32_767 => 4,
        32_768..=8_388_607 => 5,
        8_388_608..=2_147_483_647 => 6,
        _ => 10,
    }
}

/// Reads the element at the start of `at`; gives the bytes it takes, too.
#[inline]
pub(crate) fn read<const BACK: bool>(at: &[u8]) -> (Str<'_>, usize) {
    let head = at[0];
    // The usual element: a short string.
    if head & 0xc0 == 0x80 {
        let len = usize::from(head & 0x3f);
        return (Str::Bytes(&at[1..=len]), 1 + len + BACK as usize);
    }
    let (text, body) = read_other(at, head);
    (text, with_back::<BACK>(body))
}

/// The same of any element, and without what stands behind it.
fn read_other(at: &[u8], head: u8) -> (Str<'_>, usize) {
    match head {
        0x00..=0x7f => (Str::Int(i64::from(head)), 1),
        0x80..=0xbf => {
            let len = usize::from(head & 0x3f);
            (Str::Bytes(&at[1..=len]), 1 + len)
        }
        0xc0..=0xdf => {
            let bits = u16::from(head & 0x1f) << 8 | u16::from(at[1]);
            (Str::Int(i64::from((bits << 3) as i16 >> 3)), 2)
        }
        0xe0..=0xef => {
            let len = usize::from(head & 0x0f) << 8 | usize::from(at[1]);
            (Str::Bytes(&at[2..2 + len]), 2 + len)
        }
        0xf0 => {
            let len = u32::from_le_bytes([at[1], at[2], at[3], at[4]]) as usize;
            (Str::Bytes(&at[5..5 + len]), 5 + len)
        }
        _ => {
            let width = int_width(head);
            let mut le = [0; 8];
            le[..width].copy_from_slice(&at[1..=width]);
            let unused = 64 - 8 * width as u32;
            (Str::Int(i64::from_le_bytes(le) << unused >> unused), 1 + width)
        }
    }
}

/// Bytes that the element at the start of `at` takes.
#[inline]
pub(crate) fn len_at<const BACK: bool>(at: &[u8]) -> usize {
    with_back::<BACK>(body_len_at(at))
}

/// The same without what stands behind it.
#[inline]
pub(crate) fn body_len_at(at: &[u8]) -> usize {
    let head = at[0];
    match head {
        0x00..=0x7f => 1,
        0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 2 + (usize::from(head & 0x0f) << 8 | usize::from(at[1])),
        0xf0 => 5 + u32::from_le_bytes([at[1], at[2], at[3], at[4]]) as usize,
        _ => 1 + int_width(head),
    }
}

/// Bytes that the element takes which ends where `before` ends, its length behind it included.
#[inline]
pub(crate) fn len_before(before: &[u8]) -> usize {
    let mut body = 0;
    let mut shift = 0;
    let mut at = before.len();
    loop {
        at -= 1;
        body |= usize::from(before[at] & 0x7f) << shift;
        if before[at] & 0x80 == 0 {
            return body + (before.len() - at);
        }
        shift += 7;
    }
}

/// Of the integers with a tag of their own. Ours are the only writers of tags, so the last is 64 bits.
const fn int_width(tag: u8) -> usize {
    match tag {
        0xf1 => 2,
        0xf2 => 3,
        0xf3 => 4,
        _ => 8,
    }
}

/// Bytes of a body, with its length behind if that is written.
const fn with_back<const BACK: bool>(body: usize) -> usize {
    if BACK { body + back_len(body) } else { body }
}

/// Bytes of the length behind a body.
#[inline]
pub(crate) const fn back_len(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Writes the length behind a body into exactly [`back_len`] bytes.
#[inline]
pub(crate) fn write_back(body: usize, into: &mut [u8]) {
    if let [only] = into {
        *only = body as u8;
        return;
    }
    let last = into.len() - 1;
    for (at, byte) in into.iter_mut().enumerate() {
        let bits = (body >> (7 * (last - at))) as u8 & 0x7f;
        *byte = bits | if at == 0 { 0 } else { 0x80 };
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoded, count_len};

    #[test]
    fn a_count_takes_what_its_element_takes() {
        for bits in 0..33 {
            for count in [(1_usize << bits) - 1, 1 << bits] {
                assert_eq!(count_len(count), Encoded::int(count as i64).len::<true>(), "{count}");
            }
        }
    }
}
