//! LZF: the compression of strings in RDB files.
//!
//! ```text
//!  000nnnnn bytes               n + 1 bytes as they are
//!  lllddddd dddddddd            l + 2 bytes again, from d + 1 bytes before
//!  111ddddd llllllll dddddddd   l + 9 bytes again
//! ```
//!
//! A few percent of the text at hundreds of megabytes a second; in return decompressing is a copy loop.
//! Written here because the crate of this name is given up, and because what comes from outside must be
//! measured before it is unpacked: [`unpacked_len`] walks the codes without writing anything, so nobody
//! gets memory by a number alone.

/// Bits of the table of recent three-byte sequences, at least and at most: it must be small enough for
/// the cache, and to clear it must not take longer than to read a short text.
const TABLE_BITS: std::ops::RangeInclusive<u32> = 6..=14;
const DISTANCE_MAX: usize = 1 << 13;
const LITERALS_MAX: usize = 32;
const REPEAT_MAX: usize = 264;
/// A repeat of fewer bytes saves nothing.
const REPEAT_MIN: usize = 3;

/// `text` compressed, if that takes at most `len_max` bytes.
#[must_use]
pub fn pack(text: &[u8], len_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len_max.min(text.len()));
    // Positions plus one: zero is nowhere.
    let bits =
        (usize::BITS - text.len().leading_zeros()).clamp(*TABLE_BITS.start(), *TABLE_BITS.end());
    let mut recent = vec![0_u32; 1 << bits];
    let (mut at, mut literals) = (0, 0);
    while let Some(next) = text[at..].first_chunk::<REPEAT_MIN>() {
        let place = &mut recent[place_of(*next, bits)];
        let before = std::mem::replace(place, at as u32 + 1) as usize;
        let repeat = match before.checked_sub(1) {
            Some(from) if at - from <= DISTANCE_MAX => common(text, from, at),
            _ => 0,
        };
        if repeat < REPEAT_MIN {
            at += 1;
            continue;
        }
        put_literals(&text[literals..at], &mut out);
        put_repeat(at + 1 - before, repeat, &mut out);
        at += repeat;
        literals = at;
        if out.len() > len_max {
            return None;
        }
    }
    put_literals(&text[literals..], &mut out);
    (out.len() <= len_max).then_some(out)
}

fn place_of(next: [u8; REPEAT_MIN], bits: u32) -> usize {
    let value = u32::from_be_bytes([0, next[0], next[1], next[2]]);
    (value.wrapping_mul(0x9e37_79b1) >> (u32::BITS - bits)) as usize
}

/// How many bytes from `at` on are those from `from` on.
fn common(text: &[u8], from: usize, at: usize) -> usize {
    let pairs = text[from..].iter().zip(&text[at..]);
    pairs.take(REPEAT_MAX).take_while(|(old, new)| old == new).count()
}

fn put_literals(text: &[u8], out: &mut Vec<u8>) {
    for run in text.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn put_repeat(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (distance, len) = (distance - 1, len - 2);
    let high = (distance >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
    }
    out.push(distance as u8);
}

/// One step of unpacking.
enum Code<'a> {
    Literals(&'a [u8]),
    Repeat { distance: usize, len: usize },
}

fn take<'a>(packed: &mut &'a [u8]) -> Option<Code<'a>> {
    let (&head, rest) = packed.split_first()?;
    if head < 1 << 5 {
        let (literals, rest) = rest.split_at_checked(usize::from(head) + 1)?;
        *packed = rest;
        return Some(Code::Literals(literals));
    }
    let short = usize::from(head >> 5);
    let (more, rest) = if short == 7 { rest.split_first()? } else { (&0, rest) };
    let (&low, rest) = rest.split_first()?;
    *packed = rest;
    let distance = (usize::from(head & 0x1f) << 8 | usize::from(low)) + 1;
    Some(Code::Repeat { distance, len: short + usize::from(*more) + 2 })
}

/// Bytes that `packed` unpacks to; None when it is damaged.
#[must_use]
pub fn unpacked_len(mut packed: &[u8]) -> Option<usize> {
    let mut total = 0_usize;
    while !packed.is_empty() {
        match take(&mut packed)? {
            Code::Literals(literals) => total += literals.len(),
            Code::Repeat { distance, .. } if distance > total => return None,
            Code::Repeat { len, .. } => total += len,
        }
    }
    Some(total)
}

/// Unpacks `packed`, if it is sound and of `len` bytes. Nothing is allocated before that is known.
#[must_use]
pub fn unpack(mut packed: &[u8], len: usize) -> Option<Vec<u8>> {
    if unpacked_len(packed)? != len {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    while !packed.is_empty() {
        match take(&mut packed)? {
            Code::Literals(literals) => out.extend_from_slice(literals),
            Code::Repeat { distance, len } => {
                let from = out.len().checked_sub(distance)?;
                if distance >= len {
                    out.extend_from_within(from..from + len);
                } else {
                    // It repeats bytes that it writes itself.
                    (from..from + len).for_each(|at| out.push(out[at]));
                }
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{pack, unpack, unpacked_len};

    /// Text with repeats near and far, long and short.
    fn text(rng: &mut Rng) -> Vec<u8> {
        let mut text = Vec::new();
        let letters = 1 + rng.below(40);
        for _ in 0..rng.below(60) {
            if rng.one_in(2) && !text.is_empty() {
                let from = rng.below(text.len() as u64) as usize;
                let len = rng.below(400) as usize;
                let again: Vec<u8> = text[from..].iter().copied().cycle().take(len).collect();
                text.extend(again);
            } else {
                text.extend((0..rng.below(200)).map(|_| rng.below(letters) as u8));
            }
        }
        text
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same() {
        for seed in 0..2_000 {
            let mut rng = Rng::new(seed);
            let text = text(&mut rng);
            let packed = pack(&text, usize::MAX).expect("no limit");
            assert_eq!(unpacked_len(&packed), Some(text.len()), "seed {seed}");
            assert_eq!(unpack(&packed, text.len()).as_ref(), Some(&text), "seed {seed}");
            assert_eq!(unpack(&packed, text.len() + 1), None, "seed {seed}");
            assert!(pack(&text, packed.len()).is_some(), "seed {seed}");
            let tight = packed.len().saturating_sub(1);
            assert!(text.is_empty() || pack(&text, tight).is_none(), "seed {seed}");
        }
    }

    #[test]
    fn what_repeats_gets_much_shorter() {
        assert!(pack(&[b'x'; 10_000], usize::MAX).is_some_and(|packed| packed.len() < 150));
        assert_eq!(pack(b"abcdefghijklmnopqrstuvwxyz0123456789", 32), None);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for seed in 0..2_000 {
            let mut rng = Rng::new(seed);
            let mut packed = pack(&text(&mut rng), usize::MAX).expect("no limit");
            for _ in 0..1 + rng.below(3) {
                match rng.below(3) {
                    0 => packed.truncate(rng.below(packed.len() as u64 + 1) as usize),
                    1 => packed.push(rng.next() as u8),
                    _ if packed.is_empty() => {}
                    _ => {
                        let at = rng.below(packed.len() as u64) as usize;
                        packed[at] = rng.next() as u8;
                    }
                }
            }
            let len = unpacked_len(&packed);
            let unpacked = len.and_then(|len| unpack(&packed, len));
            assert_eq!(unpacked.map(|text| text.len()), len, "seed {seed}");
        }
        assert_eq!(unpacked_len(&[0x20, 0]), None, "a repeat of nothing");
        assert_eq!(unpacked_len(&[3, b'a']), None, "cut short");
    }
}
