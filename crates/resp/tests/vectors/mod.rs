//! Files of golden cases: `input => what it means`, a line each.

/// Runs every case of `file` through `show`, and tells all that differ at once.
pub(crate) fn check(file: &str, show: impl Fn(&[u8]) -> String) {
    let mut wrong = String::new();
    let cases = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for case in cases {
        let (input, want) = case.rsplit_once(" => ").expect("a case is `input => meaning`");
        let got = show(&unescape(input));
        if got != want {
            wrong.push_str(&format!("{input}\n  want {want}\n  got  {got}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Bytes as the files write them.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.chars());
    while let Some(char) = rest.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).expect("two hex digits")
            }
            other => panic!("no escape: {other:?} in {text}"),
        });
    }
    bytes
}
