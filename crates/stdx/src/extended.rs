//! Extended precision: the 80-bit floating point number that INCRBYFLOAT and HINCRBYFLOAT count in.
//!
//! Redis adds in the `long double` of x86 and prints 17 decimals, and clients see the difference to a
//! `double` (`0.1 + 0.2` is `0.3` there). Rust has no such type, so this is the little of it that is
//! needed, in integers: read a text rounded to nearest, add rounded to nearest, print 17 decimals
//! rounded to nearest (ties to even, each). Reading and printing take big integers only when the
//! number is large or has an exponent; a common sum costs well under a microsecond.

use std::cmp::Ordering;
use std::fmt;

/// A finite number of 64 significant bits, or an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    /// The top bit is set, but for zero.
    mantissa: u64,
    /// The value is `mantissa * 2^exponent`.
    exponent: i32,
}

/// Text longer than this is no number.
const TEXT_LEN_MAX: usize = 5 * 1_024 - 1;
/// The position of the top bit in the largest number.
const TOP_MAX: i32 = 16_383;
/// Below half of `2^-16445` a number is rounded to zero, which is refused where a number was written.
const TOP_MIN: i32 = -16_446;
/// More decimals before the point than any number has; as many zeros behind it as make any one zero.
const DECIMALS_MAX: i64 = 5_000;
/// Decimals behind the point that are printed, and what they count in.
const PLACES: usize = 17;
const PLACES_POWER: u128 = 100_000_000_000_000_000;

impl From<i64> for Extended {
    fn from(value: i64) -> Self {
        Self::rounded(value < 0, u128::from(value.unsigned_abs()), false, 0)
    }
}

impl Extended {
    const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0 };

    /// The number written in `text`: decimal or hexadecimal, with an exponent or without, or an
    /// infinity. No space, nothing behind it, and neither so large nor so small that it cannot be
    /// told from infinity or zero.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let (negative, text) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::infinity(negative));
        }
        let value = match text {
            [b'0', b'x' | b'X', rest @ ..] => Self::parse_hex(negative, rest)?,
            _ => Self::parse_decimal(negative, text)?,
        };
        let top = value.exponent.saturating_add(63);
        let vanishes = top < TOP_MIN || top == TOP_MIN && value.mantissa == 1 << 63;
        (value.mantissa == 0 || value.is_finite() && !vanishes).then_some(value)
    }

    /// The sum; none when it is no finite number.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if !self.is_finite() || !other.is_finite() {
            return None;
        }
        let (large, small) = if (self.exponent, self.mantissa) >= (other.exponent, other.mantissa)
            || other.mantissa == 0
        {
            (self, other)
        } else {
            (other, self)
        };
        if small.mantissa == 0 {
            return Some(large);
        }
        if large.mantissa == 0 {
            return Some(small);
        }
        // 62 guard bits and one for the carry; what is shifted out sticks to the lowest bit, far below
        // where rounding looks.
        let wide = u128::from(large.mantissa) << 62;
        let shift = large.exponent.abs_diff(small.exponent).min(127);
        let aligned = u128::from(small.mantissa) << 62;
        let lost = aligned & ((1 << shift) - 1) != 0;
        let aligned = aligned >> shift | u128::from(lost);
        let sum = if large.negative == small.negative { wide + aligned } else { wide - aligned };
        let sum = Self::rounded(large.negative && sum != 0, sum, false, large.exponent - 62);
        sum.is_finite().then_some(sum)
    }

    fn infinity(negative: bool) -> Self {
        Self { negative, mantissa: 1 << 63, exponent: i32::MAX }
    }

    fn is_finite(self) -> bool {
        self.mantissa == 0 || self.exponent.saturating_add(63) <= TOP_MAX
    }

    /// `bits * 2^exponent` with the 64 bits it has room for; `sticky` when there is a little more.
    fn rounded(negative: bool, bits: u128, sticky: bool, exponent: i32) -> Self {
        if bits == 0 {
            return Self { negative, ..Self::ZERO };
        }
        let len = 128 - bits.leading_zeros();
        if len <= 64 {
            let shift = 64 - len;
            return Self {
                negative,
                mantissa: (bits << shift) as u64,
                exponent: exponent.saturating_sub(shift as i32),
            };
        }
        let drop = len - 64;
        let mantissa = (bits >> drop) as u64;
        let exponent = exponent.saturating_add(drop as i32);
        let half = 1_u128 << (drop - 1);
        let up = match (bits & ((1 << drop) - 1)).cmp(&half) {
            Ordering::Less => false,
            Ordering::Equal => sticky || mantissa & 1 == 1,
            Ordering::Greater => true,
        };
        match mantissa.checked_add(u64::from(up)) {
            Some(mantissa) => Self { negative, mantissa, exponent },
            None => Self { negative, mantissa: 1 << 63, exponent: exponent.saturating_add(1) },
        }
    }

    fn parse_decimal(negative: bool, text: &[u8]) -> Option<Self> {
        let (digits, exponent) = scan(text, 10, b'e')?;
        let Some(first) = digits.iter().position(|digit| *digit != 0) else {
            return Some(Self { negative, ..Self::ZERO });
        };
        let digits = &digits[first..];
        if let Some(value) = Self::short_decimal(negative, digits, exponent) {
            return Some(value);
        }
        let places = digits.len() as i64 + exponent;
        if places.abs() > DECIMALS_MAX {
            return None;
        }
        let mut above = Big::from_decimal(digits);
        let mut below = Big(vec![1]);
        let scaled = if exponent >= 0 { &mut above } else { &mut below };
        scaled.times_power_of_ten(exponent.unsigned_abs() as usize);
        // As many bits as are needed to round: 66 or 67.
        let scale = 66 - (above.bit_len() as i32 - below.bit_len() as i32);
        let grown = if scale >= 0 { &mut above } else { &mut below };
        grown.shift_left(scale.unsigned_abs() as usize);
        let (quotient, rest) = above.divide(below);
        Some(Self::rounded(negative, quotient, rest, -scale))
    }

    /// A number of few digits and no large exponent, which is nearly every one, without big integers.
    fn short_decimal(negative: bool, digits: &[u8], exponent: i64) -> Option<Self> {
        const AT_MOST: usize = 18;
        let power = exponent.unsigned_abs() as usize;
        if digits.len() > AT_MOST || power > AT_MOST {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + u128::from(*digit));
        let scale = 10_u128.pow(power as u32);
        if exponent >= 0 {
            return Some(Self::rounded(negative, number * scale, false, 0));
        }
        // 64 binary places are at least five bits here, as the scale is below 2^60; 64 more make more
        // than rounding needs.
        let (high, rest) = ((number << 64) / scale, (number << 64) % scale);
        let (low, rest) = ((rest << 64) / scale, (rest << 64) % scale);
        Some(if high >> 64 != 0 {
            Self::rounded(negative, high, low != 0 || rest != 0, -64)
        } else {
            Self::rounded(negative, high << 64 | low, rest != 0, -128)
        })
    }

    fn parse_hex(negative: bool, text: &[u8]) -> Option<Self> {
        let (digits, exponent) = scan(text, 16, b'p')?;
        let first = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
        let digits = &digits[first..];
        let kept = digits.len().min(24);
        let bits = digits[..kept].iter().fold(0_u128, |bits, digit| bits << 4 | u128::from(*digit));
        let sticky = digits[kept..].iter().any(|digit| *digit != 0);
        let exponent = exponent + 4 * (digits.len() - kept) as i64;
        let exponent = exponent.clamp(-1_000_000, 1_000_000) as i32;
        Some(Self::rounded(negative, bits, sticky, exponent))
    }
}

/// The human form: 17 decimals rounded, without the zeros at the end; no exponent, no `-0`.
impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa == 0 {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        if !self.is_finite() {
            return write!(f, "{sign}inf");
        }
        if self.exponent >= 0 {
            let mut big = Big(vec![self.mantissa]);
            big.shift_left(self.exponent as usize);
            return write!(f, "{sign}{}", big.into_decimal());
        }
        let scaled = u128::from(self.mantissa) * PLACES_POWER;
        let shift = self.exponent.unsigned_abs();
        let places = if shift >= 128 {
            0
        } else {
            let (kept, rest) = (scaled >> shift, scaled & ((1 << shift) - 1));
            let half = 1_u128 << (shift - 1);
            kept + u128::from(rest > half || rest == half && kept & 1 == 1)
        };
        if places == 0 {
            return f.write_str("0");
        }
        let (whole, fraction) = (places / PLACES_POWER, places % PLACES_POWER);
        write!(f, "{sign}{whole}")?;
        if fraction > 0 {
            let text = format!("{fraction:0PLACES$}");
            write!(f, ".{}", text.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// The digits of `text`, and the exponent of the last one: of ten, or for `radix` 16 of two.
fn scan(text: &[u8], radix: u32, mark: u8) -> Option<(Vec<u8>, i64)> {
    let mut digits = Vec::with_capacity(text.len());
    let mut fraction: Option<i64> = None;
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        if let Some(digit) = char::from(byte).to_digit(radix) {
            digits.push(digit as u8);
            fraction = fraction.map(|places| places + 1);
        } else if byte == b'.' && fraction.is_none() {
            fraction = Some(0);
        } else {
            break;
        }
        rest = behind;
    }
    let written = match rest.split_first() {
        None => 0,
        Some((byte, exponent)) if byte.eq_ignore_ascii_case(&mark) => scan_exponent(exponent)?,
        Some(_) => return None,
    };
    let per_digit = if radix == 16 { 4 } else { 1 };
    (!digits.is_empty()).then(|| (digits, written - per_digit * fraction.unwrap_or(0)))
}

/// A decimal exponent, cut where it says nothing more.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = char::from(*byte).to_digit(10)?;
        value = (value * 10 + i64::from(digit)).min(1_000_000);
    }
    Some(if negative { -value } else { value })
}

/// A natural number of any size, 64 bits a word, the lowest first, no zero word on top.
#[derive(Clone, Debug)]
struct Big(Vec<u64>);

impl Big {
    /// Decimal digits that fit a word.
    const AT_ONCE: usize = 19;

    fn from_decimal(digits: &[u8]) -> Self {
        let mut big = Self(Vec::new());
        for chunk in digits.chunks(Self::AT_ONCE) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u64::from(*digit));
            big.times_plus(10_u64.pow(chunk.len() as u32), value);
        }
        big
    }

    fn times_plus(&mut self, factor: u64, plus: u64) {
        let mut carry = plus;
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(factor) + u128::from(carry);
            *word = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    fn times_power_of_ten(&mut self, power: usize) {
        for _ in 0..power / Self::AT_ONCE {
            self.times_plus(10_u64.pow(Self::AT_ONCE as u32), 0);
        }
        self.times_plus(10_u64.pow((power % Self::AT_ONCE) as u32), 0);
    }

    fn bit_len(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 64 - top.leading_zeros() as usize)
    }

    fn shift_left(&mut self, bits: usize) {
        self.times_plus(1 << (bits % 64), 0);
        if !self.0.is_empty() {
            self.0.splice(0..0, std::iter::repeat_n(0, bits / 64));
        }
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for word in self.0.iter_mut().rev() {
            let low = *word << 63;
            *word = *word >> 1 | carry;
            carry = low;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn at_least(&self, other: &Self) -> bool {
        let by_len = self.0.len().cmp(&other.0.len());
        by_len.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())) != Ordering::Less
    }

    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, word) in self.0.iter_mut().enumerate() {
            let (left, under) = word.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (left, under_again) = left.overflowing_sub(u64::from(borrow));
            *word = left;
            borrow = under || under_again;
        }
        assert!(!borrow, "a smaller number was subtracted");
        self.trim();
    }

    /// The quotient, which has at most 68 bits, and whether anything is left.
    fn divide(mut self, mut divisor: Self) -> (u128, bool) {
        const BITS: usize = 68;
        divisor.shift_left(BITS - 1);
        let mut quotient = 0;
        for _ in 0..BITS {
            quotient <<= 1;
            if self.at_least(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.halve();
        }
        (quotient, !self.0.is_empty())
    }

    fn into_decimal(mut self) -> String {
        const CHUNK: u64 = 10_000_000_000_000_000_000;
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0;
            for word in self.0.iter_mut().rev() {
                let value = u128::from(rest) << 64 | u128::from(*word);
                *word = (value / u128::from(CHUNK)) as u64;
                rest = (value % u128::from(CHUNK)) as u64;
            }
            self.trim();
            chunks.push(rest);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Extended;
    use crate::Rng;

    fn sum(a: &str, b: &str) -> String {
        let read = |text: &str| Extended::parse(text.as_bytes()).expect("a number");
        read(a).checked_add(read(b)).map_or("none".into(), |sum| sum.to_string())
    }

    #[test]
    fn sums_are_those_of_the_reference() {
        // Seen on a real server on x86-64.
        let cases = [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3", "1.000000000000000005", "4.00000000000000001"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("1e18", "0.1", "1000000000000000000.125"),
            ("1", "-1", "0"),
            ("-0", "-0", "0"),
            ("-1e-20", "0", "0"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x1p4", "0x.8", "16.5"),
            (".5", "5.", "5.5"),
            ("+1", "1E1", "11"),
            ("1e4932", "1e4932", "none"),
            ("inf", "-inf", "none"),
        ];
        for (a, b, want) in cases {
            assert_eq!(sum(a, b), want, "{a} + {b}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", " 1", "1 ", "1x", "nan", "0x", "0xp1", "--1", "1..2",
            "1e5000", "1e-5000", "1\0",
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(Extended::parse(b"0e99999999999999999999").is_some(), "zero is zero");
        assert!(Extended::parse(&[b'1'; 4_932]).is_some());
        assert!(Extended::parse(&[b'1'; 5_120]).is_none());
    }

    #[test]
    fn whole_numbers_add_exactly() {
        let seed = 0xadd;
        let mut rng = Rng::new(seed);
        for step in 0..20_000 {
            let (a, b) = ((rng.next() as i64) >> 1, (rng.next() as i64) >> rng.below(63));
            let (a, b) = if step % 2 == 0 { (a, b >> 1) } else { (b >> 1, a) };
            let want = (a + b).to_string();
            assert_eq!(sum(&a.to_string(), &b.to_string()), want, "seed {seed}, {a} + {b}");
        }
    }

    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        let seed = 0x5107;
        let mut rng = Rng::new(seed);
        for _ in 0..20_000 {
            let number = rng.next() >> (4 + rng.below(60));
            let exponent = rng.below(19) as i64 - 18;
            let short = format!("{}e{exponent}", number % 1_000_000_000_000_000_000);
            // Twenty zeros more, taken back by the exponent, are too much for the short way.
            let long = short.replace('e', "00000000000000000000e");
            let long = long.replace(&format!("e{exponent}"), &format!("e{}", exponent - 20));
            let read = |text: &str| Extended::parse(text.as_bytes());
            assert_eq!(read(&short), read(&long), "seed {seed}, {short}");
        }
    }

    #[test]
    fn decimals_add_as_decimals() {
        // Below one, the error of a sum lies under the decimals that are printed.
        let seed = 0xdec;
        let mut rng = Rng::new(seed);
        for _ in 0..20_000 {
            let (a, b) = (rng.below(500_000), rng.below(500_000));
            let show = |n: u64| {
                let text = format!("{}.{:06}", n / 1_000_000, n % 1_000_000);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            };
            assert_eq!(sum(&show(a), &show(b)), show(a + b), "seed {seed}");
        }
    }
}
