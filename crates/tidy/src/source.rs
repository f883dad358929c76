//! Rules for Rust text: how a file opens, what may not stand in it, where `unsafe` and locks may.

use crate::Breach;
use crate::tree::File;

/// Folders whose code may say `unsafe`: each has a reason to, and proofs beside it.
pub const UNSAFE_ROOMS: [&str; 5] =
    ["crates/stdx", "crates/value", "crates/keyspace", "crates/uring", "crates/scripting"];

/// Folders where nothing is locked, because one thread owns everything it touches.
pub const LOCK_FREE: [&str; 4] =
    ["crates/engine", "crates/shard", "crates/keyspace", "crates/commands"];

/// Parts of a module name that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["manager", "helper", "helpers", "util", "utils", "common", "misc", "v2"];

/// `text` with comments and the insides of literals blanked out, line breaks kept.
///
/// Doc comments are comments here. Good enough for searching words, not for compiling: what looks
/// like a lifetime is left alone, raw strings with any number of `#` are understood.
#[must_use]
pub fn code(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let word_before = out.chars().next_back().is_some_and(is_word);
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment_len(rest),
            '"' => quoted_len(rest),
            'r' | 'b' | 'c' if !word_before => literal_with_prefix_len(rest),
            '\'' => char_len(rest),
            _ => 0,
        };
        if len == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..len].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[len..];
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the string literal that opens `text`, escapes understood.
fn quoted_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a literal such as `r#"..."#`, `b"..."` or `b'x'`; 0 when `text` opens with a name.
fn literal_with_prefix_len(text: &str) -> usize {
    let prefix = text.find(|c| !matches!(c, 'r' | 'b' | 'c')).unwrap_or(text.len());
    let after = &text[prefix..];
    if prefix > 2 {
        return 0;
    }
    if !text[..prefix].contains('r') {
        return match after.chars().next() {
            Some('"') => prefix + quoted_len(after),
            Some('\'') => Some(char_len(after)).filter(|&len| len > 0).map_or(0, |l| prefix + l),
            _ => 0,
        };
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = prefix + hashes + 1;
    text[body..].find(&close).map_or(text.len(), |at| body + at + close.len())
}

/// Length of the character literal that opens `text`; 0 for a lifetime.
fn char_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => {
            chars.find(|&(_, c)| c == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Lines (from 1) of `text` in which `word` stands as a word of its own.
fn lines_with<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.lines().enumerate().filter(move |(_, line)| has_word(line, word)).map(|(at, _)| at + 1)
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = !word.starts_with(is_word) || !before.is_some_and(is_word);
        let close = !word.ends_with(is_word) || !after.is_some_and(is_word);
        open && close
    })
}

fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.extension() == "rs")
}

fn lies_in(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

/// Every shipped file opens with `//!`: what it is, why this way, what it costs.
#[must_use]
pub fn opens_with_its_reason(files: &[File]) -> Vec<Breach> {
    let advice = "open with `//!`: what this file is, why it is done this way, what it costs";
    rust(files)
        .filter(|file| file.is_shipped_rust() && !file.text.starts_with("//!"))
        .map(|file| Breach::new(&file.path, 1, advice))
        .collect()
}

/// No shipped file holds a promise instead of code.
#[must_use]
pub fn nothing_unfinished(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files).filter(|file| file.is_shipped_rust()) {
        let code = code(&file.text);
        for word in ["todo!", "unimplemented!", "dbg!"] {
            for line in lines_with(&code, word) {
                breaches.push(Breach::new(&file.path, line, format!("finish it: `{word}`")));
            }
        }
        for word in [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:")] {
            for line in lines_with(&file.text, word) {
                let advice =
                    format!("`{word}`: mend it now, or open an issue and say why it waits");
                breaches.push(Breach::new(&file.path, line, advice));
            }
        }
    }
    breaches
}

/// `unsafe` stands only in its rooms.
#[must_use]
pub fn unsafe_in_its_rooms(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files).filter(|file| !lies_in(&file.path, &UNSAFE_ROOMS)) {
        for line in lines_with(&code(&file.text), "unsafe") {
            let advice = format!("`unsafe` lives in {} only", UNSAFE_ROOMS.join(", "));
            breaches.push(Breach::new(&file.path, line, advice));
        }
    }
    breaches
}

/// Where one thread owns everything, nothing is locked.
#[must_use]
pub fn nothing_locked_in_the_core(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files).filter(|file| lies_in(&file.path, &LOCK_FREE)) {
        let code = code(&file.text);
        for word in ["Mutex", "RwLock"] {
            for line in lines_with(&code, word) {
                let advice = format!("`{word}`: a shard owns what it touches; others send it mail");
                breaches.push(Breach::new(&file.path, line, advice));
            }
        }
    }
    breaches
}

/// An exception from a lint is an `expect` with its reason, which warns once it is not needed.
#[must_use]
pub fn exceptions_carry_their_reason(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files) {
        for (at, line) in code(&file.text).lines().enumerate() {
            if line.contains("#[allow(") || line.contains("#![allow(") {
                let advice = "write `#[expect(lint, reason = \"...\")]` instead of `allow`";
                breaches.push(Breach::new(&file.path, at + 1, advice));
            }
        }
    }
    breaches
}

/// Tests run always and wait for events, not for time to pass.
#[must_use]
pub fn tests_run_and_do_not_sleep(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files) {
        let code = code(&file.text);
        let tests_from = if file.path.contains("/tests/") {
            0
        } else {
            code.find("#[cfg(test)]").unwrap_or(code.len())
        };
        for (at, line) in code.lines().enumerate() {
            if line.contains("#[ignore") {
                let advice = "mend the test or remove it: an ignored test proves nothing";
                breaches.push(Breach::new(&file.path, at + 1, advice));
            }
        }
        let first = code[..tests_from].matches('\n').count();
        for line in lines_with(&code[tests_from..], "sleep(") {
            let advice = "wait for the event with a bound; a sleep is too short or too long";
            breaches.push(Breach::new(&file.path, first + line, advice));
        }
    }
    breaches
}

/// A module is named for what is in it.
#[must_use]
pub fn names_say_something(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(files) {
        let stem = file.path.trim_end_matches(".rs");
        let word = stem.split(['/', '_', '-']).find(|part| EMPTY_NAMES.contains(part));
        if let Some(word) = word {
            let advice = format!("`{word}` says nothing; name the file for what is in it");
            breaches.push(Breach::new(&file.path, 0, advice));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(breaches: &[Breach]) -> Vec<usize> {
        breaches.iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn code_blanks_comments_and_literals_and_keeps_lines() {
        let cases = [
            ("a // unsafe\nb", "a          \nb"),
            ("a /* x /* y */\n */ b", "a             \n    b"),
            (r#"f("un\"safe") g"#, "f(          ) g"),
            ("f(r#\"a\"b\"#) g", "f(        ) g"),
            ("f(b\"ab\", b'x', '\\n', 'y')", "f(     ,     ,     ,    )"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("let bar = r;", "let bar = r;"),
        ];
        for (text, want) in cases {
            assert_eq!(code(text), want, "{text}");
        }
    }

    #[test]
    fn a_file_without_an_opening_is_found() {
        let files = [
            File::new("crates/a/src/lib.rs", "//! Why.\n"),
            File::new("crates/a/src/b.rs", "use std::fmt;\n"),
            File::new("crates/a/tests/c.rs", "use std::fmt;\n"),
        ];
        let breaches = opens_with_its_reason(&files);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].path, "crates/a/src/b.rs");
    }

    #[test]
    fn a_promise_is_found_in_code_and_in_comments() {
        let words = "todo!();\n// todo!() in words is fine\nlet s = \"dbg!\";\n";
        let text = format!("{words}// {} later\n", concat!("FIX", "ME"));
        let file = File::new("crates/a/src/lib.rs", &text);
        assert_eq!(lines(&nothing_unfinished(&[file])), [1, 4]);
    }

    #[test]
    fn unsafe_is_found_outside_its_rooms_only() {
        let text = "fn f() { unsafe { g() } }\n// unsafe\n#![deny(unsafe_code)]\n";
        let inside = File::new("crates/uring/src/lib.rs", text);
        let outside = File::new("crates/uring2/src/lib.rs", text);
        assert!(unsafe_in_its_rooms(&[inside]).is_empty());
        assert_eq!(lines(&unsafe_in_its_rooms(&[outside])), [1]);
    }

    #[test]
    fn a_lock_is_found_in_the_core_only() {
        let text = "use std::sync::{Mutex, RwLock};\n";
        assert_eq!(
            nothing_locked_in_the_core(&[File::new("crates/shard/src/a.rs", text)]).len(),
            2
        );
        assert!(
            nothing_locked_in_the_core(&[File::new("crates/server/src/a.rs", text)]).is_empty()
        );
    }

    #[test]
    fn a_bare_allow_is_found() {
        let text = "#[allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\n// #[allow(x)]\n";
        let file = File::new("crates/a/src/lib.rs", text);
        assert_eq!(lines(&exceptions_carry_their_reason(&[file])), [1]);
    }

    #[test]
    fn sleeping_and_ignored_tests_are_found_and_sleeping_code_is_not() {
        let text = "fn f() { sleep(1) }\n#[cfg(test)]\nmod t {\n#[ignore]\nfn g() { sleep(1) }\n";
        let file = File::new("crates/a/src/lib.rs", text);
        assert_eq!(lines(&tests_run_and_do_not_sleep(&[file])), [4, 5]);
        let file = File::new("crates/a/tests/t.rs", "fn g() { thread::sleep(d) }\n");
        assert_eq!(lines(&tests_run_and_do_not_sleep(&[file])), [1]);
    }

    #[test]
    fn an_empty_name_is_found_in_folders_and_files() {
        let names = ["crates/a/src/string_utils.rs", "crates/a/tests/common/mod.rs"];
        for name in names {
            assert_eq!(names_say_something(&[File::new(name, "")]).len(), 1, "{name}");
        }
        assert!(names_say_something(&[File::new("crates/commands/src/command.rs", "")]).is_empty());
    }
}
