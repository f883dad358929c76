//! JSON to Lua values.

use std::cell::Cell;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::{DEPTH_MAX, Settings, one};
use crate::args::Args;
use crate::number::strtod;
use crate::thrown::raise;

pub(super) fn decode(lua: &Lua, args: &Args<'_>, settings: &Cell<Settings>) -> Result<MultiValue> {
    if args.len() != 1 {
        return args.refuse(0, "expected 1 argument");
    }
    let text = args.bytes(0)?;
    // Text of wider characters has a zero in one of its first two bytes.
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return raise(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    // A zero ends it, as it would a C string.
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let mut reader = Reader { lua, settings: settings.get(), text: &text[..end], at: 0, depth: 0 };
    let token = reader.next();
    let value = reader.value(token)?;
    let token = reader.next();
    match token.what {
        What::End => one(value),
        _ => reader.unexpected("the end", &token),
    }
}

#[derive(Debug)]
enum What {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl What {
    const fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(why) => why,
        }
    }
}

struct Token {
    what: What,
    at: usize,
}

struct Reader<'a> {
    lua: &'a Lua,
    settings: Settings,
    text: &'a [u8],
    at: usize,
    depth: i64,
}

impl Reader<'_> {
    fn next(&mut self) -> Token {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let at = self.at;
        let Some(byte) = self.text.get(at) else { return Token { what: What::End, at } };
        let single = match byte {
            b'{' => Some(What::ObjectBegin),
            b'}' => Some(What::ObjectEnd),
            b'[' => Some(What::ArrayBegin),
            b']' => Some(What::ArrayEnd),
            b':' => Some(What::Colon),
            b',' => Some(What::Comma),
            _ => None,
        };
        if let Some(what) = single {
            self.at += 1;
            return Token { what, at };
        }
        let what = match byte {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.digits(),
            b'i' | b'I' | b'n' | b'N' | b't' | b'f' | b'+' => self.word(),
            _ => What::Error("invalid token"),
        };
        // An error is where it was noticed, a token where it begins.
        let at = if matches!(what, What::Error(_)) { self.at } else { at };
        Token { what, at }
    }

    fn word(&mut self) -> What {
        let left = &self.text[self.at..];
        for (word, what) in
            [("true", What::Boolean(true)), ("false", What::Boolean(false)), ("null", What::Null)]
        {
            if left.starts_with(word.as_bytes()) {
                self.at += word.len();
                return what;
            }
        }
        if self.settings.decode_invalid && is_invalid_number(left) {
            return self.number();
        }
        What::Error("invalid token")
    }

    fn digits(&mut self) -> What {
        if !self.settings.decode_invalid && is_invalid_number(&self.text[self.at..]) {
            return What::Error("invalid number");
        }
        self.number()
    }

    fn number(&mut self) -> What {
        match strtod(&self.text[self.at..]) {
            Some((number, len)) => {
                self.at += len;
                What::Number(number)
            }
            None => What::Error("invalid number"),
        }
    }

    fn string(&mut self) -> What {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let left = &self.text[self.at..];
            match left {
                [] => return What::Error("unexpected end of string"),
                [b'"', ..] => {
                    self.at += 1;
                    return What::String(out);
                }
                [b'\\', b'u', ..] => match unicode(left) {
                    Some((character, len)) => {
                        let mut utf8 = [0; 4];
                        out.extend_from_slice(encode_utf8(character, &mut utf8));
                        self.at += len;
                    }
                    None => return What::Error("invalid unicode escape code"),
                },
                [b'\\', escape, ..] => {
                    let byte = match escape {
                        b'"' | b'\\' | b'/' => *escape,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        _ => return What::Error("invalid escape code"),
                    };
                    out.push(byte);
                    self.at += 2;
                }
                [b'\\'] => return What::Error("invalid escape code"),
                [byte, ..] => {
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    fn unexpected<T>(&self, wanted: &str, token: &Token) -> Result<T> {
        let (found, at) = (token.what.name(), token.at + 1);
        raise(self.lua, format!("Expected {wanted} but found {found} at character {at}"))
    }

    fn value(&mut self, token: Token) -> Result<Value> {
        Ok(match token.what {
            What::String(text) => Value::String(self.lua.create_string(text)?),
            What::Number(number) => Value::Number(number),
            What::Boolean(value) => Value::Boolean(value),
            What::Null => Value::NULL,
            What::ObjectBegin => Value::Table(self.object()?),
            What::ArrayBegin => Value::Table(self.array()?),
            _ => return self.unexpected("value", &token),
        })
    }

    fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.settings.decode_depth.min(DEPTH_MAX) {
            let (depth, at) = (self.depth, self.at);
            return raise(
                self.lua,
                format!("Found too many nested data structures ({depth}) at character {at}"),
            );
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token.what, What::ObjectEnd) {
            loop {
                let What::String(key) = &token.what else {
                    return self.unexpected("object key string", &token);
                };
                let key = self.lua.create_string(key)?;
                let colon = self.next();
                if !matches!(colon.what, What::Colon) {
                    return self.unexpected("colon", &colon);
                }
                let value = self.next();
                table.raw_set(key, self.value(value)?)?;
                let comma = self.next();
                match comma.what {
                    What::ObjectEnd => break,
                    What::Comma => token = self.next(),
                    _ => return self.unexpected("comma or object end", &comma),
                }
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn array(&mut self) -> Result<Table> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token.what, What::ArrayEnd) {
            for at in 1.. {
                let value = self.value(token)?;
                table.raw_set(at, value)?;
                let comma = self.next();
                match comma.what {
                    What::ArrayEnd => break,
                    What::Comma => token = self.next(),
                    _ => return self.unexpected("comma or array end", &comma),
                }
            }
        }
        self.depth -= 1;
        Ok(table)
    }
}

/// Whether a number is none of JSON's: hexadecimal, with a plus or leading zeros, NaN, infinite.
fn is_invalid_number(text: &[u8]) -> bool {
    let body = match text {
        [b'+', ..] => return true,
        [b'-', body @ ..] => body,
        body => body,
    };
    match body {
        [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
        [] | [0..=b'9', ..] => false,
        _ => {
            let begins = |word: &[u8]| {
                body.len() >= word.len() && body[..word.len()].eq_ignore_ascii_case(word)
            };
            begins(b"inf") || begins(b"nan")
        }
    }
}

/// Four hexadecimal digits behind `\u`.
fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.get(2..6)?;
    digits.iter().try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}

/// The character of an escape, and the escape's length.
fn unicode(text: &[u8]) -> Option<(u32, usize)> {
    let first = hex4(text)?;
    if first & 0xf800 != 0xd800 {
        return Some((first, 6));
    }
    if first & 0x400 != 0 || !text[6..].starts_with(b"\\u") {
        return None;
    }
    let second = hex4(&text[6..])?;
    if second & 0xfc00 != 0xdc00 {
        return None;
    }
    Some((((first & 0x3ff) << 10 | second & 0x3ff) + 0x1_0000, 12))
}

fn encode_utf8(character: u32, into: &mut [u8; 4]) -> &[u8] {
    let character = char::from_u32(character).expect("surrogates come in pairs here");
    character.encode_utf8(into).as_bytes()
}
