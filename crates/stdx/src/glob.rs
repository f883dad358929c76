//! Glob patterns as Redis reads them: `*`, `?`, `[a-z]`, `[^x]` and `\` escapes, on bytes.
//!
//! Every element but `*` takes exactly one byte, so it is enough to remember the last `*` and to
//! let it take one byte more after each failure: no recursion, which a pattern of many stars
//! could drive deep (CVE-2024-31228 of Redis). What is left is time: a hostile pattern costs
//! text x pattern, so the work is counted, and a pattern that exhausts its allowance matches
//! nothing. Patterns that people write stay far below it.

/// Bytes looked at before a pattern is given up, besides [`WORK_PER_BYTE`]: about a millisecond.
const WORK_FLOOR: u64 = 1_000_000;

/// Bytes looked at for each byte of text and pattern: ordinary patterns need one to three.
const WORK_PER_BYTE: u64 = 32;

/// True if all of `text` matches `pattern`; `nocase` ignores ASCII case.
///
/// The corners are Redis's: an unclosed `[` ends with the pattern, a range may stand backwards
/// (`[z-a]`), an escaped byte inside brackets is compared with its case, and a pattern of stars
/// does not match an empty text (`KEYS *` and `SCAN MATCH *` take everything without asking).
#[must_use]
pub fn glob_match(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let mut work_left =
        WORK_FLOOR.saturating_add((pattern.len() as u64 + text.len() as u64) * WORK_PER_BYTE);
    let (mut p, mut t) = (0, 0);
    // Where to go on after a failure: behind the last star, and the text it has not taken yet.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
        }
        let (fits, len) = match_one(&pattern[p..], text[t], nocase);
        match (fits, &mut retry) {
            (true, _) => {
                p += len;
                t += 1;
            }
            (false, Some((behind_star, taken))) => {
                *taken += 1;
                (p, t) = (*behind_star, *taken);
            }
            (false, None) => return false,
        }
        let Some(left) = work_left.checked_sub(len as u64 + 1) else { return false };
        work_left = left;
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Whether `byte` fits the element at the start of `pattern` (no star), and its length there.
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    match *pattern {
        [] => (false, 0),
        [b'?', ..] => (true, 1),
        [b'[', ..] => match_class(pattern, byte, nocase),
        [b'\\', literal, ..] => (same(literal, byte, nocase), 2),
        [literal, ..] => (same(literal, byte, nocase), 1),
    }
}

/// [`match_one`] for a class; `pattern` starts at its `[`.
fn match_class(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        let (fits, len) = match pattern[at..] {
            [] => break,
            [b'\\', literal, ..] => (literal == byte, 2),
            [b']', ..] => {
                at += 1;
                break;
            }
            [low, b'-', high, ..] => (in_range(low, high, byte, nocase), 3),
            [literal, ..] => (same(literal, byte, nocase), 1),
        };
        found |= fits;
        at += len;
    }
    (found != negated, at)
}

fn in_range(one: u8, other: u8, byte: u8, nocase: bool) -> bool {
    // Ordered before folded, as Redis does it: `[Z-a]` is not the same as `[z-a]`.
    let (low, high) = (one.min(other), one.max(other));
    if nocase {
        (low.to_ascii_lowercase()..=high.to_ascii_lowercase()).contains(&byte.to_ascii_lowercase())
    } else {
        (low..=high).contains(&byte)
    }
}

fn same(one: u8, other: u8, nocase: bool) -> bool {
    one == other || (nocase && one.eq_ignore_ascii_case(&other))
}

#[cfg(test)]
mod tests {
    use super::{glob_match, match_one};
    use crate::Rng;

    #[test]
    fn patterns_match_as_in_redis() {
        let cases: [(&str, &str, bool); 34] = [
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("*", "", false),
            ("*", "a", true),
            ("**", "abc", true),
            ("a*", "a", true),
            ("a**", "a", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("[abc", "b", true),
            ("[abc", "bc", false),
            ("[", "a", false),
            ("[^", "a", true),
            ("[^]", "x", true),
            ("[]", "x", false),
            ("[a-]", "b", false),
            ("[a-]", "_", true),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("\\", "\\", true),
            ("*foo*bar", "xfoofoobar", true),
            ("*foo*bar", "xfoofoobarx", false),
            ("foo*?", "foo", false),
        ];
        for (pattern, text, want) in cases {
            let got = glob_match(pattern.as_bytes(), text.as_bytes(), false);
            assert_eq!(got, want, "{pattern:?} against {text:?}");
        }
    }

    #[test]
    fn case_is_ignored_where_redis_ignores_it() {
        assert!(glob_match(b"MAX*", b"maxmemory", true));
        assert!(!glob_match(b"MAX*", b"maxmemory", false));
        assert!(glob_match(b"[A-C]x", b"bX", true));
        assert!(glob_match(b"\\A", b"a", true));
        assert!(!glob_match(b"[\\A]", b"a", true));
    }

    #[test]
    fn any_byte_may_stand_in_text_and_pattern() {
        assert!(glob_match(b"\0*\xff", b"\0\r\n\xff", false));
        assert!(glob_match(b"[\x80-\xff]", b"\xc3", false));
        assert!(!glob_match(b"[\x80-\xff]", b"a", false));
    }

    /// The definition: a star takes nothing, or a byte and is still there.
    fn model(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                model(&pattern[1..], text, nocase)
                    || (!text.is_empty() && model(pattern, &text[1..], nocase))
            }
            (Some(_), Some(&byte)) => {
                let (fits, len) = match_one(pattern, byte, nocase);
                fits && model(&pattern[len..], &text[1..], nocase)
            }
            _ => false,
        }
    }

    #[test]
    fn short_patterns_agree_with_the_definition() {
        for seed in 0..200_000_u64 {
            let mut rng = Rng::new(seed);
            let mut draw = |alphabet: &[u8], len: u64, floor: u64| -> Vec<u8> {
                (0..floor + rng.below(len)).map(|_| *rng.pick(alphabet)).collect()
            };
            let pattern = draw(b"**??aabB[]^-\\", 9, 0);
            let text = draw(b"aabbAB]-^\\", 9, 1);
            for nocase in [false, true] {
                assert_eq!(
                    glob_match(&pattern, &text, nocase),
                    model(&pattern, &text, nocase),
                    "seed {seed}: {:?} against {:?}, nocase {nocase}",
                    String::from_utf8_lossy(&pattern),
                    String::from_utf8_lossy(&text),
                );
            }
        }
    }

    #[test]
    fn a_hostile_pattern_ends_without_a_match() {
        let many_stars = b"*?".repeat(100_000);
        assert!(glob_match(&many_stars, &b"a".repeat(100_000), false));
        let mut quadratic = b"*".to_vec();
        quadratic.extend(b"a".repeat(50_000));
        quadratic.push(b'b');
        assert!(!glob_match(&quadratic, &b"a".repeat(100_000), false));
        let mut wide_class = b"*[".to_vec();
        wide_class.extend(b"x".repeat(100_000));
        wide_class.extend(b"]b");
        assert!(!glob_match(&wide_class, &b"x".repeat(100_000), false));
        assert!(!glob_match(&wide_class, &b"y".repeat(100_000), false));
    }
}
