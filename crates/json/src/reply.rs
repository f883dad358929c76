//! Replies as JSON: the shapes of RESP3, and a `$` for each thing that JSON has no form for.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use stoa_resp::Value;

/// Largest integer that every reader of JSON keeps: most read numbers as doubles.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Writes the answer to one command: `{"result": ...}` or `{"error": "..."}`.
pub fn write_answer(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"{\"error\":");
            string(&String::from_utf8_lossy(text), out);
        }
        Value::Push(_) => {
            out.extend_from_slice(b"{\"push\":");
            write_value(value, out);
        }
        _ => {
            out.extend_from_slice(b"{\"result\":");
            write_value(value, out);
        }
    }
    out.push(b'}');
}

/// Writes a value as such.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => bytes(text, out),
        Value::Error(text) => tag("$error", &String::from_utf8_lossy(text), out),
        Value::Int(number) if number.unsigned_abs() <= EXACT_MAX => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Int(number) => tag("$int", &number.to_string(), out),
        Value::BigNumber(text) => tag("$int", &String::from_utf8_lossy(text), out),
        Value::Double(number) if number.is_finite() => json(number, out),
        Value::Double(number) if number.is_nan() => tag("$double", "nan", out),
        Value::Double(number) => tag("$double", if *number > 0.0 { "inf" } else { "-inf" }, out),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(yes) => json(yes, out),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            list(items, out, write_value);
        }
        Value::Map(pairs) => map(pairs, out),
        // Remarks about a reply; whoever does not know them reads over them.
        Value::Attribute { value, .. } => write_value(value, out),
    }
}

fn list<T>(items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// An object if its keys are distinct texts that nobody can take for a tag; a list of pairs otherwise.
fn map(pairs: &[(Value, Value)], out: &mut Vec<u8>) {
    let names: Option<Vec<&str>> = pairs.iter().map(|(key, _)| name(key)).collect();
    let names = names.filter(|names| names.iter().collect::<BTreeSet<_>>().len() == names.len());
    let Some(names) = names else {
        out.extend_from_slice(b"{\"$map\":");
        list(pairs, out, |(key, value), out| {
            out.push(b'[');
            write_value(key, out);
            out.push(b',');
            write_value(value, out);
            out.push(b']');
        });
        return out.push(b'}');
    };
    out.push(b'{');
    for (at, (name, (_, value))) in names.iter().zip(pairs).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(name, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

fn name(key: &Value) -> Option<&str> {
    match key {
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            std::str::from_utf8(text).ok().filter(|name| !name.starts_with('$'))
        }
        _ => None,
    }
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(text, out),
        Err(_) => tag("$b64", &BASE64.encode(bytes), out),
    }
}

fn tag(tag: &str, text: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    string(tag, out);
    out.push(b':');
    string(text, out);
    out.push(b'}');
}

fn string(text: &str, out: &mut Vec<u8>) {
    json(&text, out);
}

fn json(value: &impl serde_core::Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a vector takes what is written");
}
