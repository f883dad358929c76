//! Numbers as C's `printf` writes them: Lua's own way (`%.14g`) and the exact one (`%.17g`).

/// `value` as `%.{precision}g` writes it, `precision` at least 1.
pub(crate) fn format_g(value: f64, precision: usize) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:.*e}", precision - 1);
    let (digits, exponent) = scientific.split_once('e').expect("the e of the format");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(digits), exponent.abs());
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    trimmed(&format!("{value:.decimals$}")).to_owned()
}

/// Without zeros behind the point, and without a point that has nothing behind it.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// A number as an argument of a command: digits if it is whole and small enough to be exact.
pub(crate) fn argument(value: f64) -> String {
    // Beyond this the reference does not trust the conversion either.
    const EXACT: f64 = (1_u64 << 52) as f64;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return (value as i64).to_string();
    }
    format_g(value, 17)
}

/// A number as an integer reply: cut off, and the least integer for what does not fit.
pub(crate) fn integer(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN }
}

/// The number that `text` begins with, as C's `strtod` reads it, and its length. None: it begins with
/// none. White space in front is the caller's.
pub(crate) fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let negative = text.first() == Some(&b'-');
    let body = &text[sign_len..];
    let begins =
        |word: &[u8]| body.len() >= word.len() && body[..word.len()].eq_ignore_ascii_case(word);
    let (value, len) = if begins(b"infinity") {
        (f64::INFINITY, 8)
    } else if begins(b"inf") {
        (f64::INFINITY, 3)
    } else if begins(b"nan") {
        (f64::NAN, 3)
    } else if begins(b"0x")
        && body.get(2).is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b'.')
    {
        hexadecimal(body)
    } else {
        decimal(body)?
    };
    Some((if negative { -value } else { value }, sign_len + len))
}

fn digits(text: &[u8], is_digit: fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_digit(byte)).count()
}

fn decimal(body: &[u8]) -> Option<(f64, usize)> {
    let whole = digits(body, u8::is_ascii_digit);
    let mut len = whole;
    if body.get(whole) == Some(&b'.') {
        let part = digits(&body[whole + 1..], u8::is_ascii_digit);
        if whole + part == 0 {
            return None;
        }
        len += 1 + part;
    } else if whole == 0 {
        return None;
    }
    len += exponent(&body[len..], b'e').map_or(0, |(_, len)| len);
    let text = std::str::from_utf8(&body[..len]).expect("digits, point and exponent are ASCII");
    // Rust reads the same grammar, and rounds as C does.
    Some((text.parse().unwrap_or(0.0), len))
}

/// An exponent and its length, letter included.
fn exponent(text: &[u8], letter: u8) -> Option<(i32, usize)> {
    if text.first()?.to_ascii_lowercase() != letter {
        return None;
    }
    let sign_len = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let count = digits(&text[1 + sign_len..], u8::is_ascii_digit);
    if count == 0 {
        return None;
    }
    let len = 1 + sign_len + count;
    let written = std::str::from_utf8(&text[1..len]).unwrap_or("0");
    let limit = if text[1] == b'-' { i32::MIN / 2 } else { i32::MAX / 2 };
    Some((written.parse().unwrap_or(limit), len))
}

fn hexadecimal(body: &[u8]) -> (f64, usize) {
    let mut at = 2;
    let (mut value, mut scale) = (0.0_f64, 0_i32);
    let mut behind = false;
    while let Some(byte) = body.get(at) {
        if *byte == b'.' && !behind {
            behind = true;
        } else if let Some(digit) = char::from(*byte).to_digit(16) {
            value = value * 16.0 + f64::from(digit);
            scale -= if behind { 4 } else { 0 };
        } else {
            break;
        }
        at += 1;
    }
    if let Some((power, len)) = exponent(&body[at..], b'p') {
        scale = scale.saturating_add(power);
        at += len;
    }
    (value * 2.0_f64.powi(scale.clamp(-2_000, 2_000)), at)
}

#[cfg(test)]
mod tests {
    use super::{argument, format_g, integer, strtod};

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        for (text, read) in [
            ("1.5.5", Some((1.5, 3))),
            ("-.5e1x", Some((-5.0, 5))),
            ("1e", Some((1.0, 1))),
            ("0x10", Some((16.0, 4))),
            ("0x.8p1", Some((1.0, 6))),
            ("0xg", Some((0.0, 1))),
            ("-Infinity", Some((f64::NEG_INFINITY, 9))),
            (".", None),
            ("-", None),
            ("abc", None),
        ] {
            assert_eq!(strtod(text.as_bytes()), read, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_printf_does() {
        for (value, precision, text) in [
            (0.1, 17, "0.10000000000000001"),
            (0.1, 14, "0.1"),
            (1e15, 14, "1e+15"),
            (1e14, 14, "1e+14"),
            (123_456.0, 14, "123456"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (-0.0, 14, "-0"),
            (1e300, 14, "1e+300"),
            (99.999_999_999_999_99, 14, "100"),
            (2.5, 1, "2"),
            (f64::INFINITY, 14, "inf"),
        ] {
            assert_eq!(format_g(value, precision), text, "{value:?}");
        }
    }

    #[test]
    fn arguments_are_digits_where_that_is_exact() {
        for (value, text) in
            [(3.0, "3"), (-1e15, "-1000000000000000"), (1e17, "1e+17"), (0.5, "0.5")]
        {
            assert_eq!(argument(value), text);
        }
    }

    #[test]
    fn integers_are_cut_and_bounded() {
        assert_eq!(integer(-3.99), -3);
        assert_eq!(integer(1e300), i64::MIN);
        assert_eq!(integer(f64::NAN), i64::MIN);
    }
}
