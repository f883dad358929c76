//! Words of a line, with quotes: what a person types instead of RESP, here and in the client.
//!
//! `"..."` knows `\n \r \t \b \a`, `\xHH` and `\` before any other byte; `'...'` knows only `\'`.
//! A closing quote must end its word. A word that stands in the line as it is meant, quoted or not,
//! is only pointed at; one with escapes is written to a scratch buffer, the only copy.

use memchr::memchr2;

/// Where a word lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// In the line, as `start..end`.
    Line(usize, usize),
    /// In the scratch buffer, as `start..end`.
    Scratch(usize, usize),
}

/// A quote is open at the end of the line, or goes on after it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

/// Splits a line into words. `None` when its quotes do not match.
#[must_use]
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut scratch, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        match next_word(line, &mut at, &mut scratch) {
            Ok(Some(Word::Line(start, end))) => words.push(line[start..end].to_vec()),
            Ok(Some(Word::Scratch(start, end))) => words.push(scratch[start..end].to_vec()),
            Ok(None) => return Some(words),
            Err(Unbalanced) => return None,
        }
    }
}

/// The word at or after `at`, which moves behind it. Appends to `scratch` if it must.
pub(crate) fn next_word(
    line: &[u8],
    at: &mut usize,
    scratch: &mut Vec<u8>,
) -> Result<Option<Word>, Unbalanced> {
    let Some(start) = (*at..line.len()).find(|&i| !is_space(line[i])) else {
        *at = line.len();
        return Ok(None);
    };
    let end = (start..line.len())
        .find(|&i| ends_word(line[i]) || is_quote(line[i]))
        .unwrap_or(line.len());
    if end == line.len() || ends_word(line[end]) {
        *at = end;
        return Ok(Some(Word::Line(start, end)));
    }
    if end == start
        && let Some(end) = quoted_plainly(line, start)
    {
        *at = end + 1;
        return Ok(Some(Word::Line(start + 1, end)));
    }
    let from = scratch.len();
    *at = unescape(line, start, scratch)?;
    Ok(Some(Word::Scratch(from, scratch.len())))
}

/// For a word that is one quoted string without escapes, where its closing quote stands.
fn quoted_plainly(line: &[u8], open: usize) -> Option<usize> {
    let end = open + 1 + memchr2(line[open], b'\\', &line[open + 1..])?;
    (line[end] == line[open] && is_closed(line, end)).then_some(end)
}

/// Writes the word at `pos` as it is meant; returns the position behind it.
fn unescape(line: &[u8], mut pos: usize, out: &mut Vec<u8>) -> Result<usize, Unbalanced> {
    while let Some(&byte) = line.get(pos) {
        match byte {
            b'"' => return double_quoted(line, pos + 1, out),
            b'\'' => return single_quoted(line, pos + 1, out),
            byte if ends_word(byte) => break,
            byte => out.push(byte),
        }
        pos += 1;
    }
    Ok(pos)
}

fn double_quoted(line: &[u8], mut pos: usize, out: &mut Vec<u8>) -> Result<usize, Unbalanced> {
    while let Some(&byte) = line.get(pos) {
        match byte {
            b'"' if is_closed(line, pos) => return Ok(pos + 1),
            b'"' => return Err(Unbalanced),
            b'\\' => {
                let (byte, len) = escape(&line[pos + 1..])?;
                out.push(byte);
                pos += 1 + len;
            }
            byte => {
                out.push(byte);
                pos += 1;
            }
        }
    }
    Err(Unbalanced)
}

fn single_quoted(line: &[u8], mut pos: usize, out: &mut Vec<u8>) -> Result<usize, Unbalanced> {
    while let Some(&byte) = line.get(pos) {
        match byte {
            b'\'' if is_closed(line, pos) => return Ok(pos + 1),
            b'\'' => return Err(Unbalanced),
            b'\\' if line.get(pos + 1) == Some(&b'\'') => {
                out.push(b'\'');
                pos += 2;
            }
            byte => {
                out.push(byte);
                pos += 1;
            }
        }
    }
    Err(Unbalanced)
}

/// The byte meant by what follows a backslash, and how many bytes say it.
fn escape(after: &[u8]) -> Result<(u8, usize), Unbalanced> {
    if let [b'x', high, low, ..] = after
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Ok((high << 4 | low, 3));
    }
    let byte = match after.first() {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 0x08,
        Some(b'a') => 0x07,
        Some(other) => *other,
        None => return Err(Unbalanced),
    };
    Ok((byte, 1))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether the quote at `pos` is the last byte of its word.
fn is_closed(line: &[u8], pos: usize) -> bool {
    line.get(pos + 1).is_none_or(|&next| is_space(next))
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// What may stand between words.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What ends an unquoted word. Narrower than [`is_space`]: a vertical tab or form feed inside a
/// word is part of it, as in Redis.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::split_words;

    fn check(line: &str, want: Option<&[&[u8]]>) {
        let got = split_words(line.as_bytes());
        let want = want.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
        assert_eq!(got, want, "{line:?}");
    }

    #[test]
    fn words_end_at_spaces_and_quotes_keep_them() {
        check("", Some(&[]));
        check(" \t ", Some(&[]));
        check("set k v", Some(&[b"set", b"k", b"v"]));
        check("  set\t k  ", Some(&[b"set", b"k"]));
        check(r#"set "a b" 'c d'"#, Some(&[b"set", b"a b", b"c d"]));
        check(r#""" ''"#, Some(&[b"", b""]));
        check(r#"foo"bar baz""#, Some(&[b"foobar baz"]));
    }

    #[test]
    fn escapes_are_read_in_double_quotes_and_only_the_quote_in_single_ones() {
        check(r#""\n\r\t\b\a\\\"\q""#, Some(&[b"\n\r\t\x08\x07\\\"q"]));
        check(r#""\x00\xfF\xg1""#, Some(&[b"\x00\xffxg1"]));
        check(r"'\n\''", Some(&[br"\n'"]));
        check(r"a\n", Some(&[br"a\n"]));
    }

    #[test]
    fn quotes_that_do_not_match_are_refused() {
        for line in [r#"""a"#, r#""a"#, "'a", r#""a"b"#, "'a'b", r#"a"b"c"#, r#""a\"#, r#"""""#] {
            check(line, None);
        }
    }
}
