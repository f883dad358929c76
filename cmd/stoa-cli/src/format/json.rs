//! As one line of JSON.
//!
//! Two things are no JSON, and kept because scripts know them: an error is `error:"text"`, and the
//! doubles JSON has no word for are `inf`, `-inf` and `nan`. One thing differs from redis-cli: with
//! `--quoted-json` a quote inside a string is escaped, where redis-cli writes JSON that no reader
//! takes.

use stoa_client::Value;
use stoa_resp::write_double;

use crate::quote::quote;

/// Appends `value`; with `ascii`, strings in their quoted form.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, ascii: bool) {
    match value {
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            string(out, text, ascii);
        }
        Value::Error(text) => {
            out.extend_from_slice(b"error:");
            string(out, text, ascii);
        }
        Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::BigNumber(digits) => out.extend_from_slice(digits),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Double(value) => write_double(out, *value),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            array(out, values, ascii);
        }
        Value::Map(pairs) => map(out, pairs, ascii),
        Value::Attribute { value, .. } => write(out, value, ascii),
    }
}

fn array(out: &mut Vec<u8>, values: &[Value], ascii: bool) {
    out.push(b'[');
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, value, ascii);
    }
    out.push(b']');
}

fn map(out: &mut Vec<u8>, pairs: &[(Value, Value)], ascii: bool) {
    out.push(b'{');
    for (i, (key, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        name(out, key, ascii);
        out.push(b':');
        write(out, value, ascii);
    }
    out.push(b'}');
}

/// A map's key, which JSON wants to be a string whatever it was.
fn name(out: &mut Vec<u8>, key: &Value, ascii: bool) {
    if key.as_bytes().is_some() && !matches!(key, Value::BigNumber(_)) {
        return write(out, key, ascii);
    }
    let mut text = Vec::new();
    write(&mut text, key, ascii);
    string(out, &text, false);
}

fn string(out: &mut Vec<u8>, bytes: &[u8], ascii: bool) {
    if ascii {
        let mut text = Vec::new();
        quote(&mut text, bytes);
        return string(out, &text[1..text.len() - 1], false);
    }
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x00..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
