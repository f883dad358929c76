//! Ziplists: what small values were written as before listpacks.
//!
//! ```text
//! | bytes 32 | offset of the last entry 32 | entries 16 | entry | ... | 0xff |
//! entry: length of the one before (1 byte, or 0xfe and 4) | encoding | bytes
//! ```

use stoa_stdx::parse_int;
use stoa_value::Str;

use crate::read::Damaged;

const HEAD: usize = 10;
const END: u8 = 0xff;
const BAD: Damaged = Damaged("a ziplist is damaged");

/// The entries of a sound ziplist.
#[derive(Clone)]
pub(crate) struct Entries<'a> {
    left: &'a [u8],
}

/// The entries of `bytes`, and how many there are.
pub(crate) fn open(bytes: &[u8]) -> Result<(Entries<'_>, usize), Damaged> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(BAD)?;
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let last = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let (&end, entries) = rest.split_last().ok_or(BAD)?;
    if len as usize != bytes.len() || end != END {
        return Err(BAD);
    }
    let (mut left, mut count) = (entries, 0_usize);
    let (mut before, mut begin) = (0, HEAD);
    while !left.is_empty() {
        let entry = read(left).ok_or(BAD)?;
        if entry.before != before {
            return Err(BAD);
        }
        begin = HEAD + entries.len() - left.len();
        before = entry.len;
        left = &left[entry.len..];
        count += 1;
    }
    let told = u16::from_le_bytes([head[8], head[9]]);
    if last as usize != begin || (told != u16::MAX && usize::from(told) != count) {
        return Err(BAD);
    }
    Ok((Entries { left: entries }, count))
}

impl<'a> Iterator for Entries<'a> {
    type Item = Str<'a>;

    fn next(&mut self) -> Option<Str<'a>> {
        let entry = read(self.left)?;
        self.left = &self.left[entry.len..];
        Some(entry.text)
    }
}

struct Entry<'a> {
    /// Bytes of the entry before, as it tells.
    before: usize,
    text: Str<'a>,
    len: usize,
}

fn read(at: &[u8]) -> Option<Entry<'_>> {
    let (before, head_len) = match *at.first()? {
        0xfe => (u32::from_le_bytes(*at.get(1..)?.first_chunk()?) as usize, 5),
        END => return None,
        before => (usize::from(before), 1),
    };
    let body = at.get(head_len..)?;
    let (&head, rest) = body.split_first()?;
    let text = |from: usize, len: usize| {
        let bytes = body.get(from..from.checked_add(len)?)?;
        Some((parse_int(bytes).map_or(Str::Bytes(bytes), Str::Int), from + len))
    };
    let int = |width: usize| {
        let mut le = [0; 8];
        le[..width].copy_from_slice(rest.get(..width)?);
        let unused = 64 - 8 * width as u32;
        Some((Str::Int(i64::from_le_bytes(le) << unused >> unused), 1 + width))
    };
    let (text, body_len) = match head {
        0x00..=0x3f => text(1, usize::from(head))?,
        0x40..=0x7f => text(2, usize::from(head & 0x3f) << 8 | usize::from(*rest.first()?))?,
        0x80..=0xbf => text(5, u32::from_be_bytes(*rest.first_chunk()?) as usize)?,
        0xc0 => int(2)?,
        0xd0 => int(4)?,
        0xe0 => int(8)?,
        0xf0 => int(3)?,
        0xfe => int(1)?,
        0xf1..=0xfd => (Str::Int(i64::from(head & 0x0f) - 1), 1),
        _ => return None,
    };
    Some(Entry { before, text, len: head_len + body_len })
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;
    use stoa_value::Str;

    use super::open;

    /// As Redis 6 wrote it, from the published description.
    pub(crate) fn written(texts: &[Str<'_>]) -> Vec<u8> {
        let mut out = vec![0; 10];
        let (mut before, mut begin) = (0_usize, 10_usize);
        for text in texts {
            begin = out.len();
            if before < 254 {
                out.push(before as u8);
            } else {
                out.push(0xfe);
                out.extend_from_slice(&(before as u32).to_le_bytes());
            }
            match text {
                Str::Int(value @ 0..=12) => out.push(0xf1 + *value as u8),
                Str::Int(value) => {
                    let (tag, width) = match value {
                        -128..=127 => (0xfe, 1),
                        -32_768..=32_767 => (0xc0, 2),
                        -8_388_608..=8_388_607 => (0xf0, 3),
                        -2_147_483_648..=2_147_483_647 => (0xd0, 4),
                        _ => (0xe0, 8),
                    };
                    out.push(tag);
                    out.extend_from_slice(&value.to_le_bytes()[..width]);
                }
                Str::Bytes(bytes) => {
                    let len = bytes.len();
                    match len {
                        0..64 => out.push(len as u8),
                        64..16_384 => out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
                        _ => {
                            out.push(0x80);
                            out.extend_from_slice(&(len as u32).to_be_bytes());
                        }
                    }
                    out.extend_from_slice(bytes);
                }
            }
            before = out.len() - begin;
        }
        out.push(0xff);
        let len = out.len() as u32;
        out[..4].copy_from_slice(&len.to_le_bytes());
        out[4..8].copy_from_slice(&(begin as u32).to_le_bytes());
        out[8..10].copy_from_slice(&(texts.len() as u16).to_le_bytes());
        out
    }

    fn long() -> Vec<u8> {
        vec![b'z'; 20_000]
    }

    fn texts<'a>(rng: &mut Rng, long: &'a [u8]) -> Vec<Str<'a>> {
        let text = |rng: &mut Rng| match rng.below(3) {
            0 => Str::Int(rng.next() as i64 >> rng.below(64)),
            1 => Str::Bytes(&long[..rng.below(300) as usize]),
            _ if rng.one_in(20) => Str::Bytes(&long[..16_000 + rng.below(4_000) as usize]),
            _ => Str::Int(rng.below(15) as i64 - 1),
        };
        (0..rng.below(20)).map(|_| text(rng)).collect()
    }

    #[test]
    fn entries_are_read_in_all_forms() {
        let long = long();
        for seed in 0..1_000 {
            let texts = texts(&mut Rng::new(seed), &long);
            let bytes = written(&texts);
            let (entries, count) = open(&bytes).expect("sound");
            assert_eq!(count, texts.len(), "seed {seed}");
            assert!(entries.eq(texts.iter().copied()), "seed {seed}");
        }
    }

    #[test]
    fn damaged_ziplists_are_refused_or_read_to_their_end() {
        let long = long();
        for seed in 0..5_000 {
            let mut rng = Rng::new(seed);
            let mut bytes = written(&texts(&mut rng, &long));
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = if rng.one_in(2) { rng.next() as u8 } else { bytes[at] ^ 1 };
            }
            if let Ok((entries, count)) = open(&bytes) {
                assert_eq!(entries.count(), count, "seed {seed}");
            }
        }
    }
}
