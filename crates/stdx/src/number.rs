//! Numbers as the protocol writes them: stricter than Rust's own parsers, so that what is stored
//! as a number prints back to the same bytes.

/// A 64-bit integer in its one canonical form: no plus sign, no leading zero, no space.
#[must_use]
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    let (&first, rest) = digits.split_first()?;
    if first == b'0' {
        return (rest.is_empty() && !negative).then_some(0);
    }
    if digits.len() > 19 || !first.is_ascii_digit() {
        return None;
    }
    let mut value = u64::from(first - b'0');
    for &byte in rest {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    if negative {
        (value <= 1 << 63).then(|| 0_i64.wrapping_sub_unsigned(value))
    } else {
        i64::try_from(value).ok()
    }
}

/// Longer text is no double: the greatest, written out with all its digits, has some three hundred.
const DOUBLE_TEXT_LEN_MAX: usize = 5 * 1_024;

/// A double as Redis reads it: as [`c_double`], but no NaN, nothing that is too large for a double or
/// too near to zero.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let value = c_double(text)?;
    if value == 0.0 {
        // Not if it only became zero.
        let is_zero =
            |byte: &u8| matches!(byte.to_ascii_lowercase(), b'0' | b'.' | b'x' | b'+' | b'-');
        let end = |byte: &u8| matches!(byte.to_ascii_lowercase(), b'e' | b'p');
        let digits = text.iter().position(end).map_or(text, |at| &text[..at]);
        return digits.iter().all(is_zero).then_some(value);
    }
    let is_spelled = || text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'n'));
    (!value.is_nan() && (value.is_finite() || is_spelled())).then_some(value)
}

/// A double as C's `strtod` reads it, if that is all of the text: decimal or exponent form, `0x` with
/// digits to the base of sixteen and a power of two, `inf`, `infinity`, `nan`; too large is infinite. No
/// space in front.
#[must_use]
pub fn c_double(text: &[u8]) -> Option<f64> {
    if text.is_empty() || text.len() > DOUBLE_TEXT_LEN_MAX {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if let [b'0', b'x' | b'X', rest @ ..] = digits {
        let value = hexadecimal(rest)?;
        return Some(if negative { -value } else { value });
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What stands behind `0x`: digits, maybe with a point, maybe with `p` and a power of two.
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let is_p = |byte: &u8| matches!(byte, b'p' | b'P');
    let (digits, power) = match text.iter().position(is_p) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (mut mantissa, mut exponent) = (0_u64, 0_i64);
    let (mut seen, mut behind_point) = (false, false);
    for &byte in digits {
        if byte == b'.' && !behind_point {
            behind_point = true;
            continue;
        }
        let digit = u64::from((byte as char).to_digit(16)?);
        seen = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if behind_point { 4 } else { 0 };
        } else {
            // Far below the last bit of a double: it only decides what is just above a half.
            mantissa |= u64::from(digit != 0);
            exponent += if behind_point { 0 } else { 4 };
        }
    }
    if let Some(power) = power {
        exponent = exponent.saturating_add(signed(power)?);
    }
    seen.then(|| scaled(mantissa, exponent))
}

/// A whole number with a sign; one that is too large is as large as can be.
fn signed(text: &[u8]) -> Option<i64> {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value = (!digits.is_empty()).then_some(0_i64)?;
    for byte in digits {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value = (value * 10 + digit).min(FAR);
    }
    Some(if negative { -value } else { value })
}

/// `mantissa * 2^exponent`, rounded once, to the nearest and of two to the even.
fn scaled(mantissa: u64, exponent: i64) -> f64 {
    const LOWEST: i64 = -1_074;
    let bits = i64::from(u64::BITS - mantissa.leading_zeros());
    if mantissa == 0 || bits + exponent < LOWEST {
        return 0.0;
    }
    if bits + exponent > 1_024 {
        return f64::INFINITY;
    }
    // The last bit that counts: 53 of them, fewer next to zero.
    let last = (bits + exponent - 53).max(LOWEST);
    let drop = last - exponent;
    let kept = if drop <= 0 {
        mantissa
    } else {
        let (kept, rest) = if drop >= 64 {
            (0, mantissa)
        } else {
            (mantissa >> drop, mantissa & ((1 << drop) - 1))
        };
        let half = 1_u64.checked_shl(drop as u32 - 1).unwrap_or(u64::MAX);
        kept + u64::from(rest > half || rest == half && kept & 1 == 1)
    };
    let shift = if drop <= 0 { exponent } else { last };
    // Both steps are exact: `kept` has 53 bits at most, or 54 when it became a power of two.
    let (one, other) = (shift / 2, shift - shift / 2);
    kept as f64 * power_of_two(one) * power_of_two(other)
}

fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1_023) as u64) << 52)
}

/// A double in the human form of INCRBYFLOAT: up to 17 significant decimals after the point,
/// no exponent, no trailing zeros, `-0` as `0`.
#[must_use]
pub fn format_double(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let mut text = format!("{value:.17}");
    let kept = text.trim_end_matches('0').trim_end_matches('.').len();
    text.truncate(kept);
    if text == "-0" { "0".into() } else { text }
}

/// A double with seventeen significant digits, as C's `%.17g` writes it: `0.10000000000000001`,
/// `1e+20`. Every double has its own text, if not the shortest.
#[must_use]
pub fn general(value: f64) -> String {
    const DIGITS: i32 = 17;
    if !value.is_finite() {
        return if value.is_nan() { "nan".into() } else { format_double(value) };
    }
    // `d.ddde-dd`, rounded to the digits wanted: the exponent is then final.
    let text = format!("{value:.16e}");
    let (mantissa, exponent) = text.split_once('e').expect("the exponent form has one");
    let exponent: i32 = exponent.parse().expect("a small number");
    let trimmed = |text: &str| -> String {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').into()
        } else {
            text.into()
        }
    };
    if (-4..DIGITS).contains(&exponent) {
        return trimmed(&format!("{value:.*}", (DIGITS - 1 - exponent) as usize));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::{c_double, format_double, general, parse_double, parse_int};

    #[test]
    fn integers_have_one_form() {
        let good: [(&[u8], i64); 6] = [
            (b"0", 0),
            (b"-1", -1),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
            (b"10", 10),
            (b"1000000000000000000", 1_000_000_000_000_000_000),
        ];
        for (text, value) in good {
            assert_eq!(parse_int(text), Some(value), "{text:?}");
        }
        let bad: [&[u8]; 12] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"01",
            b"+1",
            b" 1",
            b"1 ",
            b"1x",
            b"1.0",
            b"9223372036854775808",
            b"-9223372036854775809",
        ];
        for text in bad {
            assert_eq!(parse_int(text), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_refuse_nan_space_and_overflow() {
        assert_eq!(parse_double(b"3.0e3"), Some(3000.0));
        assert_eq!(parse_double(b"-inf"), Some(f64::NEG_INFINITY));
        for text in
            [&b"nan"[..], b" 1", b"1 ", b"", b"1e999", b"0x", b"1e-999", b"-0x1p-9999", b"0x1p9999"]
        {
            assert_eq!(parse_double(text), None, "{text:?}");
        }
        for text in [&b"0"[..], b"-0.0", b"0e5", b"0x0p7", b"+.0"] {
            assert_eq!(parse_double(text), Some(0.0), "{text:?}");
        }
    }

    #[test]
    fn doubles_to_the_base_of_sixteen_round_once() {
        for (text, value) in [
            ("0x1p4", 16.0),
            ("-0X1.8P1", -3.0),
            ("0x.8", 0.5),
            ("0xA.", 10.0),
            ("0x1p-1074", f64::from_bits(1)),
            // Half of the least is even at zero; anything above it is not.
            ("0x1p-1075", 0.0),
            ("0x1.000001p-1075", f64::from_bits(1)),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x10000000000000.8", 4_503_599_627_370_496.0),
            ("0x10000000000001.8", 4_503_599_627_370_498.0),
            ("0x10000000000000.80000000000001", 4_503_599_627_370_497.0),
            ("0x1p999999999999999999999999", f64::INFINITY),
        ] {
            assert_eq!(c_double(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["0x", "0xg", "0x1p", "0x1.2.3", "0xp1", "x1", "0x1p1.5", "0x 1"] {
            assert_eq!(c_double(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_human_form_drops_what_says_nothing() {
        assert_eq!(format_double(3.0), "3");
        assert_eq!(format_double(-0.0), "0");
        assert_eq!(format_double(5000.5), "5000.5");
    }

    #[test]
    fn seventeen_digits_are_written_as_c_writes_them() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (3.0, "3"),
            (-0.0, "-0"),
            (1e20, "1e+20"),
            (1e16, "10000000000000000"),
            (1.5e-7, "1.4999999999999999e-07"),
            (0.0001, "0.0001"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(general(value), text);
        }
    }
}
