//! From registers to a number: the improved raw estimator of Otmar Ertl, "New cardinality estimation
//! algorithms for HyperLogLog sketches" (2017), algorithm 6.
//!
//! It needs only how often each value occurs, works over the whole range without switching methods,
//! and the order of its operations is fixed here: two servers must round to the same integer.

use super::sketch::{REGISTER_COUNT, VALUE_MAX};

/// How many registers hold each value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram([u32; 64]);

/// The limit of the bias correction for many registers: 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

impl Histogram {
    pub(super) const EMPTY: Self = Self([0; 64]);

    /// Counts `count` registers of that value.
    pub(super) const fn add(&mut self, value: u8, count: usize) {
        self.0[value as usize & 63] += count as u32;
    }

    /// The estimated number of distinct elements.
    pub(super) fn estimate(&self) -> u64 {
        let m = REGISTER_COUNT as f64;
        let full = f64::from(self.0[VALUE_MAX as usize]);
        let mut z = m * tau((m - full) / m);
        for value in (1..VALUE_MAX as usize).rev() {
            z += f64::from(self.0[value]);
            z *= 0.5;
        }
        z += m * sigma(f64::from(self.0[0]) / m);
        (ALPHA * m * m / z).round() as u64
    }
}

/// What the empty registers add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// What the full registers add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        let gap = 1.0 - x;
        z -= gap * gap * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, REGISTER_COUNT};

    #[test]
    fn nothing_counts_as_nothing_and_one_as_one() {
        let mut none = Histogram::EMPTY;
        none.add(0, REGISTER_COUNT);
        assert_eq!(none.estimate(), 0);
        let mut one = Histogram::EMPTY;
        one.add(0, REGISTER_COUNT - 1);
        one.add(3, 1);
        assert_eq!(one.estimate(), 1);
    }
}
