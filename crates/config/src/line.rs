//! A line of a configuration file, and its words: Redis's quoting.
//!
//! Words are split at blanks. In double quotes `\n \r \t \b \a \xHH` and an escaped byte stand for
//! one byte; in single quotes only `\'` does. A closing quote ends its word.

/// What a line of a configuration file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Blank, or a comment.
    Silent,
    /// A directive's name, in lower case, and its words.
    Directive { name: String, words: Vec<Vec<u8>> },
    /// A quote that is not closed, or goes on after its end.
    Unbalanced,
}

impl Line {
    pub(crate) fn parse(line: &str) -> Self {
        let line = line.trim_matches([' ', '\t', '\r', '\n']);
        if line.is_empty() || line.starts_with('#') {
            return Self::Silent;
        }
        let Some(mut words) = split_words(line.as_bytes()) else { return Self::Unbalanced };
        if words.is_empty() {
            return Self::Silent;
        }
        let name = String::from_utf8_lossy(&words.remove(0)).to_ascii_lowercase();
        Self::Directive { name, words }
    }
}

/// The words of `line`; none if its quotes are unbalanced.
#[must_use]
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (word, behind) = take_word(rest)?;
        words.push(word);
        rest = behind.trim_ascii_start();
    }
    Some(words)
}

fn take_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match *rest {
            [] => return Some((word, rest)),
            [blank, ..] if blank.is_ascii_whitespace() || blank == 0 => {
                return Some((word, &rest[1..]));
            }
            [b'"', ref quoted @ ..] => return take_double_quoted(word, quoted),
            [b'\'', ref quoted @ ..] => return take_single_quoted(word, quoted),
            [byte, ref behind @ ..] => {
                word.push(byte);
                rest = behind;
            }
        }
    }
}

fn take_double_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        let (byte, len) = match *rest {
            [] => return None,
            [b'"', ref behind @ ..] => return ends_here(behind).then_some((word, behind)),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(high) << 4 | hex(low), 4)
            }
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'b', ..] => (0x08, 2),
            [b'\\', b'a', ..] => (0x07, 2),
            [b'\\', byte, ..] => (byte, 2),
            [byte, ..] => (byte, 1),
        };
        word.push(byte);
        rest = &rest[len..];
    }
}

fn take_single_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        let (byte, len) = match *rest {
            [] => return None,
            [b'\'', ref behind @ ..] => return ends_here(behind).then_some((word, behind)),
            [b'\\', b'\'', ..] => (b'\'', 2),
            [byte, ..] => (byte, 1),
        };
        word.push(byte);
        rest = &rest[len..];
    }
}

fn ends_here(behind_quote: &[u8]) -> bool {
    behind_quote.first().is_none_or(u8::is_ascii_whitespace)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

/// `text` in double quotes, so that [`split_words`] gives it back.
pub(crate) fn quote(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            0x07 => quoted.push_str("\\a"),
            0x08 => quoted.push_str("\\b"),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Line, quote, split_words};

    #[test]
    fn words_are_split_and_unquoted_as_in_redis() {
        let cases: [(&str, Option<&[&[u8]]>); 14] = [
            ("a b  c", Some(&[b"a", b"b", b"c"])),
            ("  a\t", Some(&[b"a"])),
            ("", Some(&[])),
            ("\"\"", Some(&[b""])),
            ("''  ''", Some(&[b"", b""])),
            ("\"a b\" c", Some(&[b"a b", b"c"])),
            ("x\"a b\"", Some(&[b"xa b"])),
            (r#""\x00\xfF\n\r\t\b\a\"\\\q""#, Some(&[b"\x00\xff\n\r\t\x08\x07\"\\q"])),
            (r#""\xzz""#, Some(&[b"xzz"])),
            (r"'it\'s \n'", Some(&[b"it's \\n"])),
            ("\"a\"b", None),
            ("'a'b", None),
            ("\"a", None),
            ("'a", None),
        ];
        for (line, want) in cases {
            let got = split_words(line.as_bytes());
            let want = want.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
            assert_eq!(got, want, "{line:?}");
        }
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        for line in ["", "  \r\n", "# port 1", "\t # x"] {
            assert_eq!(Line::parse(line), Line::Silent, "{line:?}");
        }
        let name = "port".to_owned();
        assert_eq!(Line::parse(" PORT 1\r"), Line::Directive { name, words: vec![b"1".to_vec()] });
        assert_eq!(Line::parse("port \"1"), Line::Unbalanced);
    }

    #[test]
    fn what_is_quoted_comes_back() {
        for seed in 0..2_000 {
            let mut rng = Rng::new(seed);
            let text: Vec<u8> = (0..rng.below(12)).map(|_| rng.next() as u8).collect();
            let words = split_words(quote(&text).as_bytes());
            assert_eq!(words, Some(vec![text]), "seed {seed}");
        }
    }
}
