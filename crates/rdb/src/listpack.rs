//! Listpacks from outside: walked once to the end before an element is believed.
//!
//! The layout is that of the small values (see `stoa_value::Packed`), which however know their own
//! writer. Here every length is held against the bytes that are there, in both directions.

use stoa_stdx::parse_int;
use stoa_value::Str;

use crate::read::Damaged;

const HEAD: usize = 6;
const END: u8 = 0xff;
const BAD: Damaged = Damaged("a listpack is damaged");

/// The elements of a sound listpack, integers as such however they were written.
#[derive(Clone)]
pub(crate) struct Elements<'a> {
    left: &'a [u8],
}

/// The elements of `bytes`, and how many there are.
pub(crate) fn open(bytes: &[u8]) -> Result<(Elements<'_>, usize), Damaged> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(BAD)?;
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let (&end, elements) = rest.split_last().ok_or(BAD)?;
    if len as usize != bytes.len() || end != END {
        return Err(BAD);
    }
    let (mut left, mut count) = (elements, 0_usize);
    while !left.is_empty() {
        let (_, len) = read(left).ok_or(BAD)?;
        left = &left[len..];
        count += 1;
    }
    let told = u16::from_le_bytes([head[4], head[5]]);
    if told != u16::MAX && usize::from(told) != count {
        return Err(BAD);
    }
    Ok((Elements { left: elements }, count))
}

impl<'a> Iterator for Elements<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        let (text, len) = read(self.left)?;
        self.left = &self.left[len..];
        Some(text)
    }
}

/// The element at the start of `at`, and the bytes it takes.
fn read(at: &[u8]) -> Option<(Str<'_>, usize)> {
    let (&head, rest) = at.split_first()?;
    let text = |from: usize, len: usize| {
        let bytes = at.get(from..from.checked_add(len)?)?;
        Some((parse_int(bytes).map_or(Str::Bytes(bytes), Str::Int), from + len))
    };
    let int = |width: usize| {
        let mut le = [0; 8];
        le[..width].copy_from_slice(rest.get(..width)?);
        let unused = 64 - 8 * width as u32;
        Some((Str::Int(i64::from_le_bytes(le) << unused >> unused), 1 + width))
    };
    let (text, body) = match head {
        0x00..=0x7f => (Str::Int(i64::from(head)), 1),
        0x80..=0xbf => text(1, usize::from(head & 0x3f))?,
        0xc0..=0xdf => {
            let bits = u16::from(head & 0x1f) << 8 | u16::from(*rest.first()?);
            (Str::Int(i64::from((bits << 3) as i16 >> 3)), 2)
        }
        0xe0..=0xef => text(2, usize::from(head & 0x0f) << 8 | usize::from(*rest.first()?))?,
        0xf0 => text(5, u32::from_le_bytes(*rest.first_chunk()?) as usize)?,
        0xf1 => int(2)?,
        0xf2 => int(3)?,
        0xf3 => int(4)?,
        0xf4 => int(8)?,
        0xf5.. => return None,
    };
    let back = at.get(body..)?;
    Some((text, body + back_len(body, back)?))
}

/// Bytes of the length behind a body of `body` bytes, if that is what stands there.
fn back_len(body: usize, back: &[u8]) -> Option<usize> {
    let len = match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    };
    let told = back.get(..len)?;
    let is_right = told.iter().enumerate().all(|(at, byte)| {
        let bits = (body >> (7 * (len - 1 - at))) as u8 & 0x7f;
        *byte == bits | if at == 0 { 0 } else { 0x80 }
    });
    is_right.then_some(len)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;
    use stoa_value::{Packed, Str};

    use super::open;

    fn packed(rng: &mut Rng) -> Packed {
        let mut packed = Packed::new();
        for _ in 0..rng.below(30) {
            let text = match rng.below(4) {
                0 => (rng.next() as i64 >> rng.below(64)).to_string().into_bytes(),
                1 => vec![b'x'; rng.below(200) as usize],
                2 if rng.one_in(10) => vec![b'y'; rng.below(20_000) as usize],
                _ => rng.below(200).to_string().into_bytes(),
            };
            packed.push_back(&text);
        }
        packed
    }

    #[test]
    fn every_listpack_of_ours_is_read_as_it_was_written() {
        for seed in 0..1_000 {
            let packed = packed(&mut Rng::new(seed));
            let (elements, count) = open(packed.as_bytes()).expect("ours");
            assert_eq!(count, packed.len(), "seed {seed}");
            assert!(elements.eq(packed.iter()), "seed {seed}");
        }
    }

    #[test]
    fn damaged_listpacks_are_refused_or_read_to_their_end() {
        for seed in 0..5_000 {
            let mut rng = Rng::new(seed);
            let mut bytes = packed(&mut rng).as_bytes().to_vec();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = if rng.one_in(2) { rng.next() as u8 } else { bytes[at] ^ 1 };
            }
            if let Ok((elements, count)) = open(&bytes) {
                assert_eq!(elements.count(), count, "seed {seed}");
            }
        }
        assert!(open(b"").is_err());
        assert!(open(b"\x07\0\0\0\0\0\xff").is_ok_and(|(_, count)| count == 0));
        assert!(open(b"\x07\0\0\0\x01\0\xff").is_err(), "one element told, none there");
        assert!(open(b"\x08\0\0\0\0\0\xff\xff").is_err(), "an end in the middle");
    }

    #[test]
    fn digits_are_an_integer_however_they_were_written() {
        let bytes = b"\x0b\0\0\0\x01\0\x8212\x03\xff";
        let (mut elements, _) = open(bytes).expect("sound");
        assert_eq!(elements.next(), Some(Str::Int(12)));
    }
}
