//! Doubles as text, in the form Redis gives since 7.2: few digits that read back as the same number, and
//! the very same ones (see `grisu`); integers that fit 62 bits in full; others written out while that
//! stays short, and with an exponent beyond.

use crate::grisu;

/// Whole numbers up to here are written as integers, as Redis does: half of what 63 bits hold.
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

/// Appends the text of `value`: `3`, `0.1`, `1e+20`, `inf`, `-inf`, `nan`, `-0`.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value != 0.0 && value.abs() <= INTEGER_MAX && value.trunc() == value {
        return out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    }
    write_shortest(out, value);
}

/// The same without regard to integers: of a long one the digits that matter, then zeros.
pub fn write_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    if value == 0.0 {
        return out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let (digits, len, exponent) = grisu::digits(value.abs());
    write_digits(out, &digits[..len], exponent);
}

/// Writes `digits` times ten to the `exponent`.
fn write_digits(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let len = digits.len() as i32;
    let magnitude = exponent + len - 1;
    if exponent >= 0 && magnitude < len + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if exponent < 0 && (exponent > -7 || magnitude.abs() < 4) {
        let whole = len + exponent;
        if whole > 0 {
            out.extend_from_slice(&digits[..whole as usize]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole as usize..]);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-whole) as usize, b'0');
            out.extend_from_slice(digits);
        }
    } else {
        out.push(digits[0]);
        if len > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if magnitude < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(magnitude.unsigned_abs()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::write_double;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn doubles_have_the_texts_clients_expect() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (0.0001, "0.0001"),
            (3.25e-5, "3.25e-5"),
            (1.5e-9, "1.5e-9"),
            (1e15, "1000000000000000"),
            (4_503_599_627_370_496.0, "4503599627370496"),
            (1e17, "100000000000000000"),
            (1e20, "1e+20"),
            (1.234_567_89e20, "1.23456789e+20"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(text(value), want);
        }
    }

    #[test]
    fn a_long_integer_is_exact_in_one_form_and_short_in_the_other() {
        let mut out = Vec::new();
        super::write_shortest(&mut out, 1e18 + 256.0);
        assert_eq!(out, b"1000000000000000300");
        assert_eq!(text(1e18 + 256.0), "1000000000000000256");
    }

    #[test]
    fn a_text_reads_back_as_the_same_number() {
        let mut rng = crate::Rng::new(11);
        for _ in 0..20_000 {
            let value = f64::from_bits(rng.next());
            if value.is_finite() {
                assert_eq!(text(value).parse::<f64>(), Ok(value), "{value:e}");
            }
        }
    }
}
