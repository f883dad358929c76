//! Integers in order, all of one width: the smallest form of a set.
//!
//! ```text
//! | bytes in all 32 | width 32 | integer | integer | ... |
//! ```
//!
//! The width (2, 4 or 8 bytes) is that of the widest member ever put in; it never falls.

use crate::buf::{Buf, HEAD};

const FIRST: usize = HEAD + 4;

/// A sorted array of integers.
#[derive(Clone)]
pub(crate) struct IntSet(Buf);

impl Default for IntSet {
    fn default() -> Self {
        let mut buf = Buf::zeroed(FIRST);
        buf.bytes_mut()[HEAD] = 2;
        Self(buf)
    }
}

const fn width_of(value: i64) -> usize {
    if value >= i16::MIN as i64 && value <= i16::MAX as i64 {
        2
    } else if value >= i32::MIN as i64 && value <= i32::MAX as i64 {
        4
    } else {
        8
    }
}

impl IntSet {
    pub(crate) fn len(&self) -> usize {
        (self.0.len() - FIRST) / self.width()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    pub(crate) fn width(&self) -> usize {
        usize::from(self.0.bytes()[HEAD])
    }

    /// Member `n` in ascending order.
    pub(crate) fn get(&self, n: usize) -> Option<i64> {
        (n < self.len()).then(|| self.read(n))
    }

    fn read(&self, n: usize) -> i64 {
        let width = self.width();
        let at = FIRST + n * width;
        let bytes = &self.0.bytes()[at..at + width];
        match *bytes {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            _ => i64::from_le_bytes(bytes.try_into().expect("eight bytes are left")),
        }
    }

    fn write(&mut self, n: usize, value: i64) {
        let width = self.width();
        let at = FIRST + n * width;
        self.0.bytes_mut()[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    /// Where `value` is, or where it would be.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Rising numbers are the usual case.
        if high > 0 && value > self.read(high - 1) {
            return Err(high);
        }
        while low < high {
            let middle = (low + high) / 2;
            match self.read(middle).cmp(&value) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub(crate) fn contains(&self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// False if it was there.
    pub(crate) fn insert(&mut self, value: i64) -> bool {
        let width = width_of(value);
        if width > self.width() {
            self.widen(width);
        }
        let Err(at) = self.search(value) else { return false };
        let width = self.width();
        self.0.splice(FIRST + at * width, 0, width);
        self.write(at, value);
        true
    }

    fn widen(&mut self, width: usize) {
        let all: Vec<i64> = self.iter().collect();
        let mut buf = Buf::zeroed(FIRST + all.len() * width);
        buf.bytes_mut()[HEAD] = width as u8;
        self.0 = buf;
        for (n, value) in all.into_iter().enumerate() {
            self.write(n, value);
        }
    }

    /// False if it was not there.
    pub(crate) fn remove(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            return false;
        }
        let Ok(at) = self.search(value) else { return false };
        let width = self.width();
        self.0.splice(FIRST + at * width, width, 0);
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len()).map(|n| self.read(n))
    }
}

impl std::fmt::Debug for IntSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stoa_stdx::Rng;

    use super::IntSet;

    #[test]
    fn integers_of_any_width_agree_with_a_set() {
        for seed in 0..if cfg!(miri) { 2 } else { 50 } {
            let mut rng = Rng::new(seed);
            let mut ints = IntSet::default();
            let mut model = BTreeSet::new();
            for step in 0..if cfg!(miri) { 60 } else { 500 } {
                let case = format!("seed {seed}, step {step}");
                let shift = 40 + rng.below(if step < 200 { 1 } else { 24 });
                let value =
                    if rng.one_in(3) { rng.below(50) as i64 } else { rng.next() as i64 >> shift };
                assert_eq!(ints.contains(value), model.contains(&value), "{case}");
                if rng.one_in(3) {
                    assert_eq!(ints.remove(value), model.remove(&value), "{case}");
                } else {
                    assert_eq!(ints.insert(value), model.insert(value), "{case}");
                }
                assert!(ints.iter().eq(model.iter().copied()), "{case}");
                assert_eq!(ints.len(), model.len(), "{case}");
            }
        }
    }
}
