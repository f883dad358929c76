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

/// A double as Redis reads it: decimal or exponent form, `inf`, `+inf`, `-inf`, `infinity`; no
/// surrounding space, no NaN.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || text.len() > DOUBLE_TEXT_LEN_MAX {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let spelled_infinite = || text.to_ascii_lowercase().contains("inf");
    // Overflow of a spelled-out number is an error, not infinity.
    (!value.is_nan() && (value.is_finite() || spelled_infinite())).then_some(value)
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
    use super::{format_double, general, parse_double, parse_int};

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
        for text in [&b"nan"[..], b" 1", b"1 ", b"", b"1e999", b"0x"] {
            assert_eq!(parse_double(text), None, "{text:?}");
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
