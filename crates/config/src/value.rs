//! Values: parsed once from the words of an operator or a client, printed in one canonical form.
//!
//! What CONFIG GET answers is always printed from the parsed value, so `1GB`, `1gb` and
//! `1073741824` read the same afterwards, as in Redis. Error texts are Redis's, because test
//! suites and scripts compare them.

use crate::directive::{ADDRESSES_MAX, Kind};
use crate::events;
use crate::special;
use crate::special::{OutputLimit, SavePoint};

/// The value of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `yes` or `no`.
    Bool(bool),
    /// A whole number; octal ones too.
    Integer(i64),
    /// Bytes.
    Memory(u64),
    /// A share of `maxmemory`.
    Percent(u8),
    /// Which word of a [`Kind::Choice`].
    Choice(u8),
    /// Which words of a [`Kind::Choices`], a bit each.
    Choices(u16),
    /// Any bytes.
    Text(Box<[u8]>),
    /// Words in order: addresses, percentiles, scores.
    Words(Box<[Box<[u8]>]>),
    /// When to save.
    SavePoints(Box<[SavePoint]>),
    /// The limits of all classes.
    OutputLimits([OutputLimit; 3]),
    /// Event classes, a bit each in the order of its letters (see `events`).
    KeyspaceEvents(u32),
}

impl Kind {
    /// Parses `words`. `old` is the value so far: a directive that names a part of its value
    /// (client classes) keeps the rest of it.
    pub(crate) fn parse(self, words: &[&[u8]], old: &Value) -> Result<Value, String> {
        if !self.is_several_words() {
            return match words {
                [word] => self.parse_word(word),
                _ => Err("wrong number of arguments".into()),
            };
        }
        // As Redis: several words may come in one argument.
        match words {
            [b""] => self.parse_words(&[], old),
            [one] => self.parse_words(&one.split(|&byte| byte == b' ').collect::<Vec<_>>(), old),
            _ => self.parse_words(words, old),
        }
    }

    fn parse_word(self, word: &[u8]) -> Result<Value, String> {
        match self {
            Self::Bool => match word.to_ascii_lowercase().as_slice() {
                b"yes" => Ok(Value::Bool(true)),
                b"no" => Ok(Value::Bool(false)),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Self::Integer { min, max } => {
                within(expect_integer(word)?, min, max).map(Value::Integer)
            }
            Self::Clamped { min, max } => within(expect_integer(word)?, 0, i64::from(i32::MAX))
                .map(|number| Value::Integer(number.clamp(min, max))),
            Self::Octal { max } => {
                let number = std::str::from_utf8(word)
                    .ok()
                    .and_then(|text| i64::from_str_radix(text, 8).ok())
                    .ok_or_else(|| "argument couldn't be parsed as an octal number".to_owned())?;
                if !(0..=max).contains(&number) {
                    return Err(format!("argument must be between 0 and {max:o} inclusive"));
                }
                Ok(Value::Integer(number))
            }
            Self::Memory { min, max } => {
                let bytes = parse_memory(word)
                    .ok_or_else(|| "argument must be a memory value".to_owned())?;
                within(bytes, min, max).map(Value::Memory)
            }
            Self::MemoryOrPercent => parse_memory_or_percent(word),
            Self::Choice(names) => choice_index(names, word)
                .map(|index| Value::Choice(index as u8))
                .ok_or_else(|| must_be_one_of(names)),
            Self::Text => Ok(Value::Text(word.into())),
            Self::FileName => {
                if word.contains(&b'/') {
                    return Err(
                        "the name must not contain a path: set the directory with `dir`".into()
                    );
                }
                Ok(Value::Text(word.into()))
            }
            Self::KeyspaceEvents => events::parse_events(word).map(Value::KeyspaceEvents),
            Self::Choices(_)
            | Self::Addresses
            | Self::SavePoints
            | Self::OutputLimits
            | Self::Percentiles
            | Self::OomScores
            | Self::ReplicaOf => unreachable!("{self:?} takes several words"),
        }
    }

    fn parse_words(self, words: &[&[u8]], old: &Value) -> Result<Value, String> {
        match self {
            Self::Choices(names) => parse_choices(names, words),
            Self::Addresses => {
                if words.len() > ADDRESSES_MAX {
                    return Err("Too many bind addresses specified.".into());
                }
                Ok(Value::words(words))
            }
            Self::SavePoints => special::parse_save_points(words).map(Value::SavePoints),
            Self::OutputLimits => {
                let Value::OutputLimits(old) = old else { unreachable!("limits stay limits") };
                special::parse_output_limits(words, *old).map(Value::OutputLimits)
            }
            Self::Percentiles => special::parse_percentiles(words).map(Value::Words),
            Self::OomScores => special::parse_oom_scores(words).map(Value::Words),
            Self::ReplicaOf => special::parse_replica_of(words).map(Value::Words),
            Self::Bool
            | Self::Integer { .. }
            | Self::Clamped { .. }
            | Self::Octal { .. }
            | Self::Memory { .. }
            | Self::MemoryOrPercent
            | Self::Choice(_)
            | Self::Text
            | Self::FileName
            | Self::KeyspaceEvents => unreachable!("{self:?} takes one word"),
        }
    }

    /// A value to start from before the default is parsed.
    pub(crate) fn blank(self) -> Value {
        match self {
            Self::OutputLimits => Value::OutputLimits([OutputLimit::default(); 3]),
            _ => Value::Bool(false),
        }
    }
}

impl Value {
    fn words(words: &[&[u8]]) -> Self {
        Self::Words(words.iter().map(|&word| word.into()).collect())
    }

    /// The value as CONFIG GET answers it.
    #[must_use]
    pub fn print(&self, kind: Kind) -> Vec<u8> {
        match self {
            Self::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
            Self::Integer(number) if matches!(kind, Kind::Octal { .. }) => {
                format!("{number:o}").into()
            }
            Self::Integer(number) => number.to_string().into(),
            Self::Memory(bytes) => bytes.to_string().into(),
            Self::Percent(percent) => format!("{percent}%").into(),
            Self::Choice(index) => kind.names()[usize::from(*index)].into(),
            Self::Choices(bits) => special::choice_words(kind.names(), *bits).join(" ").into(),
            Self::Text(text) => text.to_vec(),
            Self::Words(words) => words.join(&b' '),
            Self::SavePoints(points) => special::print_save_points(points).into(),
            Self::OutputLimits(limits) => special::print_output_limits(limits).into(),
            Self::KeyspaceEvents(bits) => events::print_events(*bits).into(),
        }
    }
}

impl Kind {
    /// The words of a choice.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Choice(names) | Self::Choices(names) => names,
            _ => &[],
        }
    }
}

fn expect_integer(word: &[u8]) -> Result<i64, String> {
    parse_integer(word).ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())
}

/// A whole number as Redis takes one from a client: no sign but `-`, no leading zero, no space.
pub(crate) fn parse_integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let plain = match digits {
        [b'0'] => digits.len() == word.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Bytes with an optional unit, in any case: `b`, `k` 1000, `kb` 1024, and so for `m` and `g`.
/// An empty word is 0, as in Redis; a number too large is refused, where Redis would wrap.
#[must_use]
pub fn parse_memory(word: &[u8]) -> Option<u64> {
    let digits_len = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(digits_len);
    let scale: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if word.is_empty() {
        return Some(0);
    }
    std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?.checked_mul(scale)
}

fn parse_memory_or_percent(word: &[u8]) -> Result<Value, String> {
    let wrong = || "argument must be a memory or percent value".to_owned();
    let Some(number) = word.strip_suffix(b"%") else {
        let bytes = parse_memory(word).ok_or_else(wrong)?;
        return within(bytes, 0, i64::MAX as u64).map(Value::Memory);
    };
    match parse_integer(number).ok_or_else(wrong)? {
        // No share is no limit, and a limit of none is written as 0.
        0 => Ok(Value::Memory(0)),
        percent @ 1..=100 => Ok(Value::Percent(percent as u8)),
        101.. => Err("percentage argument must be less or equal to 100".into()),
        _ => Err(wrong()),
    }
}

fn parse_choices(names: &'static [&'static str], words: &[&[u8]]) -> Result<Value, String> {
    if words.is_empty() {
        return Err(must_be_one_of(names));
    }
    let mut bits = 0;
    for word in words {
        match choice_index(names, word) {
            // The first name stands for none of the others.
            Some(0) => {}
            Some(index) => bits |= 1 << index,
            None => return Err(must_be_one_of(names)),
        }
    }
    let has =
        |name: &str| names.iter().position(|&n| n == name).is_some_and(|i| bits & (1 << i) != 0);
    if has("save") && has("nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(Value::Choices(bits))
}

fn choice_index(names: &[&str], word: &[u8]) -> Option<usize> {
    names.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

pub(crate) fn must_be_one_of(names: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

fn within<N: PartialOrd + std::fmt::Display>(number: N, min: N, max: N) -> Result<N, String> {
    if (&min..=&max).contains(&&number) {
        Ok(number)
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, parse_integer, parse_memory};
    use crate::directive::Kind;

    #[test]
    fn memory_takes_the_units_of_redis_in_any_case() {
        let cases: [(&str, Option<u64>); 14] = [
            ("1", Some(1)),
            ("1b", Some(1)),
            ("1k", Some(1_000)),
            ("1KB", Some(1_024)),
            ("2m", Some(2_000_000)),
            ("2mB", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3gb", Some(3 << 30)),
            ("", Some(0)),
            ("kb", None),
            ("1.5gb", None),
            ("-1", None),
            ("1 kb", None),
            ("99999999999gb", None),
        ];
        for (word, want) in cases {
            assert_eq!(parse_memory(word.as_bytes()), want, "{word:?}");
        }
    }

    #[test]
    fn integers_are_plain_decimal() {
        for (word, want) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            ("1 ", None),
            ("", None),
            ("-", None),
            ("0x10", None),
        ] {
            assert_eq!(parse_integer(word.as_bytes()), want, "{word:?}");
        }
    }

    #[test]
    fn file_permissions_are_octal_both_ways() {
        let kind = Kind::Octal { max: 0o777 };
        let value = kind.parse(&[b"700"], &kind.blank()).expect("octal");
        assert_eq!(value, Value::Integer(0o700));
        assert_eq!(value.print(kind), b"700");
        for wrong in ["800", "1000", "-1", ""] {
            assert!(kind.parse(&[wrong.as_bytes()], &kind.blank()).is_err(), "{wrong:?}");
        }
    }
}
