//! The bytes of a HyperLogLog, exactly as Redis writes them: clients GET, store and compare them.
//!
//! ```text
//! "HYLL" | encoding 1 | unused 3 | cached cardinality 8, little endian, top bit: stale | registers
//! dense:  16,384 registers of 6 bits, lowest bits of the first byte first
//! sparse: runs. 00nnnnnn: n+1 zeros; 01nnnnnn nnnnnnnn: n+1 zeros; 1vvvvvnn: n+1 times v+1
//! ```
//!
//! A sparse one is read front to back for every change, which is why it may not grow beyond a few
//! thousand bytes; and how it splits and joins runs decides its bytes, so the steps of
//! [`Sketch::set`] follow the published algorithm to the letter.

use super::estimate::Histogram;
use super::murmur::murmur64a;

/// Registers of a sketch: 14 bits of an element's hash choose one.
pub(super) const REGISTER_COUNT: usize = 1 << INDEX_BITS;
/// The largest value of a register: 50 hash bits are left to count zeros in, and one more.
pub(super) const VALUE_MAX: u8 = 64 - INDEX_BITS as u8 + 1;
/// Bytes before the registers.
pub(super) const HEAD_LEN: usize = 16;
/// Length of a dense sketch.
pub(super) const DENSE_LEN: usize = HEAD_LEN + REGISTER_COUNT * 6 / 8;

const INDEX_BITS: usize = 14;
const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// Zeros that the short form of a zero run holds.
const ZERO_LEN_MAX: usize = 64;
/// The largest value of a run, and the longest run of one.
const RUN_VALUE_MAX: u8 = 32;
const RUN_LEN_MAX: usize = 4;

/// The sparse bytes do not describe all registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// One opcode of a sparse sketch: `len` registers of `value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) len: usize,
    /// Two bytes long.
    pub(super) is_wide: bool,
}

impl Run {
    /// The run at the front of `bytes`. None when a byte is missing.
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => Self { value: 0, len: (first & 0x3f) as usize + 1, is_wide: false },
            1 => {
                let len = (first as usize & 0x3f) << 8 | *bytes.get(1)? as usize;
                Self { value: 0, len: len + 1, is_wide: true }
            }
            _ => Self {
                value: (first >> 2 & 0x1f) + 1,
                len: (first & 3) as usize + 1,
                is_wide: false,
            },
        })
    }

    /// Bytes it takes.
    const fn width(self) -> usize {
        1 + self.is_wide as usize
    }
}

/// Which register an element counts in, and the value it asks for there.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element);
    // The bit above the last one counted ends the count.
    let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (hash as usize & (REGISTER_COUNT - 1), rest.trailing_zeros() as u8 + 1)
}

/// Whether `bytes` look like a sketch: what is behind the head of a sparse one may still be corrupt.
pub(super) fn is_sketch(bytes: &[u8]) -> bool {
    bytes.len() >= HEAD_LEN
        && bytes.starts_with(MAGIC)
        && (bytes[4] == SPARSE || bytes[4] == DENSE && bytes.len() == DENSE_LEN)
}

/// Whether the registers of a sketch lie open.
pub(super) fn is_dense(sketch: &[u8]) -> bool {
    sketch[4] == DENSE
}

/// The cached cardinality of a sketch, if it still holds.
pub(super) fn cached(sketch: &[u8]) -> Option<u64> {
    let word = u64::from_le_bytes(*sketch[8..].first_chunk().expect("a sketch has its head"));
    (word >> 63 == 0).then_some(word)
}

/// Says that the cached cardinality of a sketch does not hold any more.
pub(super) fn forget_cached(sketch: &mut [u8]) {
    sketch[15] |= 0x80;
}

/// Notes the cardinality of a sketch.
pub(super) fn cache(sketch: &mut [u8], cardinality: u64) {
    sketch[8..HEAD_LEN].copy_from_slice(&cardinality.to_le_bytes());
}

/// Register `index` of the open registers of a dense sketch.
fn dense_get(registers: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * 6 / 8, index * 6 % 8);
    // The last register ends with the last byte; the one after it does not exist.
    let above = registers.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([registers[at], above]) >> shift) as u8 & 63
}

fn dense_put(registers: &mut [u8], index: usize, value: u8) {
    let (at, shift) = (index * 6 / 8, index * 6 % 8);
    let above = registers.get(at + 1).copied().unwrap_or(0);
    let word = u16::from_le_bytes([registers[at], above]);
    let [low, high] = (word & !(63 << shift) | u16::from(value) << shift).to_le_bytes();
    registers[at] = low;
    if let Some(above) = registers.get_mut(at + 1) {
        *above = high;
    }
}

/// Raises register `index` of a dense sketch to `value`. False if it is there already.
pub(super) fn dense_raise(sketch: &mut [u8], index: usize, value: u8) -> bool {
    let registers = &mut sketch[HEAD_LEN..];
    let raised = dense_get(registers, index) < value;
    if raised {
        dense_put(registers, index, value);
    }
    raised
}

/// The runs of a sparse sketch, in order. A last one that is cut off gives [`Corrupt`].
pub(super) fn runs(sketch: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> + '_ {
    let mut at = HEAD_LEN;
    std::iter::from_fn(move || {
        if at >= sketch.len() {
            return None;
        }
        let run = Run::read(&sketch[at..]).ok_or(Corrupt);
        at += run.map_or(2, Run::width);
        Some(run)
    })
}

/// Hands over every stretch of equal registers: its first index, its length, its value.
pub(super) fn for_each(
    sketch: &[u8],
    mut each: impl FnMut(usize, usize, u8),
) -> Result<(), Corrupt> {
    if is_dense(sketch) {
        let registers = &sketch[HEAD_LEN..];
        (0..REGISTER_COUNT).for_each(|index| each(index, 1, dense_get(registers, index)));
        return Ok(());
    }
    let mut index = 0;
    for run in runs(sketch) {
        let run = run?;
        if run.len > REGISTER_COUNT - index {
            return Err(Corrupt);
        }
        each(index, run.len, run.value);
        index += run.len;
    }
    if index == REGISTER_COUNT { Ok(()) } else { Err(Corrupt) }
}

/// How many distinct elements a sketch saw, by its registers.
pub(super) fn count(sketch: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = Histogram::EMPTY;
    for_each(sketch, |_, len, value| histogram.add(value, len))?;
    Ok(histogram.estimate())
}

/// The registers of several sketches together, each at its highest.
pub(super) struct Union(Box<[u8; REGISTER_COUNT]>);

impl Union {
    pub(super) fn new() -> Self {
        Self(Box::new([0; REGISTER_COUNT]))
    }

    /// Adds a sketch.
    pub(super) fn add(&mut self, sketch: &[u8]) -> Result<(), Corrupt> {
        for_each(sketch, |first, len, value| {
            for register in &mut self.0[first..first + len] {
                *register = (*register).max(value);
            }
        })
    }

    /// How many distinct elements all saw together.
    pub(super) fn count(&self) -> u64 {
        let mut histogram = Histogram::EMPTY;
        self.0.iter().for_each(|value| histogram.add(*value, 1));
        histogram.estimate()
    }

    /// The registers that are not zero.
    pub(super) fn registers(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        self.0.iter().copied().enumerate().filter(|(_, value)| *value != 0)
    }
}

/// A sketch whose length may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch(pub(super) Vec<u8>);

impl Sketch {
    /// An empty one.
    pub(super) fn new() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.push(SPARSE);
        bytes.resize(HEAD_LEN, 0);
        let mut sketch = Self(bytes);
        push_zeros(&mut sketch.0, REGISTER_COUNT);
        sketch
    }

    /// Counts `element`. True when a register rose; `sparse_len_max` is the length at which runs
    /// become open registers.
    pub(super) fn add(&mut self, element: &[u8], sparse_len_max: usize) -> Result<bool, Corrupt> {
        let (index, value) = place(element);
        self.set(index, value, sparse_len_max)
    }

    /// Raises register `index` to `value`. False if it is there already.
    pub(super) fn set(
        &mut self,
        index: usize,
        value: u8,
        sparse_len_max: usize,
    ) -> Result<bool, Corrupt> {
        if is_dense(&self.0) {
            return Ok(dense_raise(&mut self.0, index, value));
        }
        if value > RUN_VALUE_MAX {
            return self.open_and_raise(index, value);
        }
        let (before, at, first, run) = self.find(index)?;
        if run.value >= value {
            return Ok(false);
        }
        if run.len == 1 && !run.is_wide {
            self.0[at] = value_run(value, 1);
        } else {
            let mut split = Vec::with_capacity(5);
            push_run(&mut split, run.value, index - first);
            split.push(value_run(value, 1));
            push_run(&mut split, run.value, first + run.len - 1 - index);
            let grows = split.len() > run.width();
            if grows && self.0.len() + split.len() - run.width() > sparse_len_max {
                return self.open_and_raise(index, value);
            }
            self.0.splice(at..at + run.width(), split);
        }
        self.join_from(before);
        forget_cached(&mut self.0);
        Ok(true)
    }

    /// The run that holds register `index`: where the run before it begins (its own place for the
    /// first), where it begins, its first register.
    fn find(&self, index: usize) -> Result<(usize, usize, usize, Run), Corrupt> {
        let (mut before, mut at, mut first) = (HEAD_LEN, HEAD_LEN, 0);
        while at < self.0.len() {
            let run = Run::read(&self.0[at..]).ok_or(Corrupt)?;
            if index < first + run.len {
                return Ok((before, at, first, run));
            }
            before = at;
            at += run.width();
            first += run.len;
        }
        Err(Corrupt)
    }

    /// Joins neighbouring runs of one value among the five from `at` on: a change touches no more.
    fn join_from(&mut self, mut at: usize) {
        let mut left = 5;
        while left > 0 && at < self.0.len() {
            left -= 1;
            let Some(run) = Run::read(&self.0[at..]) else { return };
            let next = self.0.get(at + 1..).and_then(Run::read);
            let joined = next.filter(|next| {
                run.value != 0 && next.value == run.value && run.len + next.len <= RUN_LEN_MAX
            });
            match joined {
                Some(next) => {
                    self.0[at + 1] = value_run(run.value, run.len + next.len);
                    self.0.remove(at);
                }
                None => at += run.width(),
            }
        }
    }

    /// Opens the registers of a sparse sketch. True if it was one.
    pub(super) fn open(&mut self) -> Result<bool, Corrupt> {
        if is_dense(&self.0) {
            return Ok(false);
        }
        let mut dense = vec![0; DENSE_LEN];
        dense[..HEAD_LEN].copy_from_slice(&self.0[..HEAD_LEN]);
        dense[4] = DENSE;
        for_each(&self.0, |first, len, value| {
            if value != 0 {
                (first..first + len)
                    .for_each(|index| dense_put(&mut dense[HEAD_LEN..], index, value));
            }
        })?;
        self.0 = dense;
        Ok(true)
    }

    fn open_and_raise(&mut self, index: usize, value: u8) -> Result<bool, Corrupt> {
        self.open()?;
        Ok(dense_raise(&mut self.0, index, value))
    }
}

fn push_run(into: &mut Vec<u8>, value: u8, len: usize) {
    match (value, len) {
        (_, 0) => {}
        (0, _) => push_zeros(into, len),
        (_, _) => into.push(value_run(value, len)),
    }
}

fn push_zeros(into: &mut Vec<u8>, len: usize) {
    let stored = len - 1;
    if len > ZERO_LEN_MAX {
        into.push(0x40 | (stored >> 8) as u8);
    }
    into.push(stored as u8);
}

const fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{REGISTER_COUNT, Sketch, count, for_each, is_dense, place};

    fn registers(sketch: &Sketch) -> Vec<u8> {
        let mut all = vec![0; REGISTER_COUNT];
        for_each(&sketch.0, |first, len, value| all[first..first + len].fill(value))
            .expect("our own sketches are whole");
        all
    }

    #[test]
    fn sparse_and_dense_hold_what_a_plain_array_holds() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut sketch = Sketch::new();
            let mut plain = vec![0; REGISTER_COUNT];
            // Few neighbouring registers, so that runs split, meet and join.
            let spread = [8, 64, 16_384][seed as usize % 3];
            for step in 0..3_000 {
                let index = rng.below(spread) as usize;
                let value = 1 + (rng.next().trailing_zeros() as u8).min(40);
                let rose = sketch.set(index, value, 3_000).expect("whole");
                assert_eq!(rose, plain[index] < value, "seed {seed}, step {step}");
                plain[index] = plain[index].max(value);
            }
            assert_eq!(registers(&sketch), plain, "seed {seed}");
        }
    }

    #[test]
    fn the_estimate_is_within_four_standard_errors_and_the_same_in_both_encodings() {
        let mut sketch = Sketch::new();
        let mut seen = 0_u32;
        for target in [10, 100, 1_000, 10_000, 100_000] {
            while seen < target {
                sketch.add(&seen.to_le_bytes(), 3_000).expect("whole");
                seen += 1;
            }
            let estimate = count(&sketch.0).expect("whole");
            let error = estimate.abs_diff(u64::from(target)) as f64 / f64::from(target);
            assert!(error < 4.0 * 1.04 / 128.0, "{estimate} of {target}");
            let mut open = sketch.clone();
            assert_eq!(open.open(), Ok(!is_dense(&sketch.0)));
            assert_eq!(count(&open.0), Ok(estimate));
        }
        assert!(is_dense(&sketch.0));
    }

    #[test]
    fn cut_bytes_are_corrupt_and_never_out_of_bounds() {
        let mut sketch = Sketch::new();
        for element in 0_u32..50 {
            sketch.add(&element.to_le_bytes(), 3_000).expect("whole");
        }
        for len in super::HEAD_LEN..sketch.0.len() {
            let mut cut = Sketch(sketch.0[..len].to_vec());
            assert!(count(&cut.0).is_err(), "{len}");
            assert!(cut.clone().open().is_err(), "{len}");
            let _ = cut.set(REGISTER_COUNT - 1, 1, 3_000);
        }
    }

    #[test]
    fn elements_fall_where_the_shared_hash_says() {
        assert!(place(b"").0 < REGISTER_COUNT);
        assert_eq!(place(b"a"), place(b"a"));
        assert_ne!(place(b"a"), place(b"b"));
    }
}
