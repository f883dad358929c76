//! Bytes as quoted text, and back.

use stoa_resp::split_words;

/// Appends `bytes` in double quotes, with escapes for what cannot be printed, so that the text can be
/// typed again.
pub(crate) fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// The bytes a word in double quotes means; a word without them is itself. `None` if the quotes do
/// not match.
pub(crate) fn unquote(word: &[u8]) -> Option<Vec<u8>> {
    if !word.starts_with(b"\"") {
        return Some(word.to_vec());
    }
    let mut words = split_words(word)?;
    if words.len() == 1 { words.pop() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{quote, unquote};

    #[test]
    fn what_is_quoted_can_be_unquoted() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [b"".as_slice(), b"plain", b"a \"b\" \\ 'c'", b"\r\n\t\x07\x08", &all] {
            let mut text = Vec::new();
            quote(&mut text, bytes);
            assert!(text.iter().all(|byte| (b' '..=b'~').contains(byte)), "{text:?}");
            assert_eq!(unquote(&text).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn a_word_without_quotes_is_itself_and_half_a_quote_is_refused() {
        assert_eq!(unquote(b"a b").as_deref(), Some(b"a b".as_slice()));
        assert_eq!(unquote(b"\"a"), None);
        assert_eq!(unquote(b"\"a\" b"), None);
    }
}
