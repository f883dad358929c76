//! Counting and finding bits, eight bytes at a time.
//!
//! Positions are those of the commands: bit 0 is the highest bit of byte 0. Reading a word as big
//! endian keeps that order, so the first bit of a word is its highest.

use std::ops::Range;

/// How many bits of `bytes` are set in `range`, which lies inside.
pub(super) fn count(bytes: &[u8], range: Range<usize>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let (first, last) = (range.start / 8, (range.end - 1) / 8);
    let inside = &bytes[first..=last];
    let before = !(u8::MAX >> (range.start % 8));
    let behind = if range.end.is_multiple_of(8) { 0 } else { u8::MAX >> (range.end % 8) };
    let outside =
        (inside[0] & before).count_ones() + (inside[inside.len() - 1] & behind).count_ones();
    count_all(inside) - u64::from(outside)
}

fn count_all(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 =
        words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The first bit of `bytes` in `range`, which lies inside, that is `bit`.
pub(super) fn find(bytes: &[u8], bit: bool, range: Range<usize>) -> Option<usize> {
    if range.is_empty() {
        return None;
    }
    // Look for ones always, in the bits themselves or in their opposite.
    let flip = if bit { 0 } else { u64::MAX };
    let mut at = range.start / 8;
    let mut mask = u64::MAX >> (range.start % 8);
    while at * 8 < range.end {
        // Only the last word of the string may be short.
        let word = match bytes.get(at..at + 8) {
            Some(word) => u64::from_be_bytes(word.try_into().expect("eight bytes")),
            None => {
                let mut padded = [0; 8];
                padded[..bytes.len() - at].copy_from_slice(&bytes[at..]);
                u64::from_be_bytes(padded)
            }
        };
        let found = (word ^ flip) & mask;
        if found != 0 {
            let position = at * 8 + found.leading_zeros() as usize;
            return (position < range.end).then_some(position);
        }
        mask = u64::MAX;
        at += 8;
    }
    None
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{count, find};

    fn bit_at(bytes: &[u8], at: usize) -> bool {
        bytes[at / 8] >> (7 - at % 8) & 1 == 1
    }

    #[test]
    fn counting_and_finding_agree_with_looking_at_every_bit() {
        let seed = 0xb17;
        let mut rng = Rng::new(seed);
        for step in 0..3_000 {
            let fill = *rng.pick(&[0x00, 0xff, 0x5a]);
            let mut bytes = vec![fill; rng.below(40) as usize];
            if !bytes.is_empty() && rng.one_in(2) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next() as u8;
            }
            let end = rng.below(bytes.len() as u64 * 8 + 1) as usize;
            let start = rng.below(end as u64 + 1) as usize;
            let place = format!("seed {seed}, step {step}, {bytes:?} {start}..{end}");
            let want = (start..end).filter(|at| bit_at(&bytes, *at)).count() as u64;
            assert_eq!(count(&bytes, start..end), want, "{place}");
            for bit in [false, true] {
                let want = (start..end).find(|at| bit_at(&bytes, *at) == bit);
                assert_eq!(find(&bytes, bit, start..end), want, "{bit} {place}");
            }
        }
    }
}
