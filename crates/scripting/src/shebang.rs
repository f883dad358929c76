//! The first line of a script or library: `#!lua name=lib flags=no-writes,allow-oom`.

use crate::Flags;

/// What the line of a library says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Library<'a> {
    pub(crate) name: &'a [u8],
    /// What follows, its line end included, so that lines keep their numbers.
    pub(crate) body: &'a [u8],
}

/// Reads the line of a script; without one it is a script of the old kind.
pub(crate) fn script(text: &[u8]) -> Result<(Flags, &[u8]), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Ok((Flags::COMPAT, text));
    }
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
        return Err(b"Invalid script shebang".to_vec());
    };
    let mut words = words(&text[..end]);
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(echo("Unexpected engine in script shebang: ", engine));
    }
    let mut flags = Flags::NONE;
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(echo("Unknown lua shebang option: ", word));
        };
        for name in list.split(|byte| *byte == b',').filter(|name| !name.is_empty()) {
            let Some(flag) = Flags::named(name) else {
                return Err(echo("Unexpected flag in script shebang: ", name));
            };
            flags = flags.with(flag);
        }
    }
    Ok((flags, &text[end..]))
}

/// Reads the line of a library.
pub(crate) fn library(text: &[u8]) -> Result<Library<'_>, Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Err(b"Missing library metadata".to_vec());
    }
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
        return Err(b"Invalid library metadata".to_vec());
    };
    let mut words = words(&text[..end]);
    let engine = words.next().unwrap_or_default();
    let engine = engine.strip_prefix(b"#!").unwrap_or(engine);
    let mut name = None;
    for word in words {
        let Some(given) = word.strip_prefix(b"name=") else {
            return Err(echo("Invalid metadata value given: ", word));
        };
        let quoted = given.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        if name.replace(quoted.unwrap_or(given)).is_some() {
            return Err(b"Invalid metadata value, name argument was given multiple times".to_vec());
        }
    }
    let Some(name) = name else { return Err(b"Library name was not given".to_vec()) };
    if !is_name(name) {
        return Err(BAD_NAME.as_bytes().to_vec());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"Engine '", engine, b"' not found"].concat());
    }
    Ok(Library { name, body: &text[end..] })
}

pub(crate) const BAD_NAME: &str = "Library names can only contain letters, numbers, or \
    underscores(_) and must be at least one character long";

/// Whether libraries and functions may be called so.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn echo(text: &str, word: &[u8]) -> Vec<u8> {
    [text.as_bytes(), word].concat()
}

#[cfg(test)]
mod tests {
    use super::{library, script};
    use crate::Flags;

    #[test]
    fn a_script_says_its_flags_or_nothing() {
        assert_eq!(script(b"return 1"), Ok((Flags::COMPAT, b"return 1".as_slice())));
        let (flags, body) = script(b"#!lua  flags=no-writes,allow-oom\nx").expect("a good line");
        assert_eq!(flags, Flags::NO_WRITES.with(Flags::ALLOW_OOM));
        assert_eq!(body, b"\nx");
        for (text, error) in [
            ("#!lua", "Invalid script shebang"),
            ("#!foo\n", "Unexpected engine in script shebang: #!foo"),
            ("#!lua name=x\n", "Unknown lua shebang option: name=x"),
            ("#!lua flags=no-writes,foo\n", "Unexpected flag in script shebang: foo"),
        ] {
            assert_eq!(script(text.as_bytes()), Err(error.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn a_library_must_say_its_name() {
        assert_eq!(library(b"#!Lua name=a_1\nx").map(|line| line.name), Ok(b"a_1".as_slice()));
        for (text, error) in [
            ("x", "Missing library metadata"),
            ("#!lua name=x", "Invalid library metadata"),
            ("#!lua\n", "Library name was not given"),
            (
                "#!lua name=a name=b\n",
                "Invalid metadata value, name argument was given multiple times",
            ),
            ("#!lua name=a x\n", "Invalid metadata value given: x"),
            ("#!lua name=a-b\n", super::BAD_NAME),
            ("#!js name=a\n", "Engine 'js' not found"),
            ("#! name=a\n", "Engine '' not found"),
        ] {
            let got = library(text.as_bytes()).expect_err(text);
            assert_eq!(String::from_utf8_lossy(&got), error, "{text}");
        }
    }
}
