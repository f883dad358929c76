//! For people: every element numbered and on a line of its own, strings quoted, types told. What is
//! nested is indented under its number.

use stoa_client::Value;
use stoa_resp::write_double;

use crate::quote::quote;

/// Appends `value`, whose first line is already indented; further lines start with `indent`.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, indent: &mut Vec<u8>) {
    match value {
        Value::Simple(text) => out.extend_from_slice(text),
        Value::Error(text) => labelled(out, b"(error) ", text),
        Value::Int(value) => labelled(out, b"(integer) ", value.to_string().as_bytes()),
        Value::Bulk(bytes) => quote(out, bytes),
        Value::Null => out.extend_from_slice(b"(nil)"),
        Value::Double(value) => {
            out.extend_from_slice(b"(double) ");
            write_double(out, *value);
        }
        Value::Boolean(true) => out.extend_from_slice(b"(true)"),
        Value::Boolean(false) => out.extend_from_slice(b"(false)"),
        Value::BigNumber(digits) => labelled(out, b"(big number) ", digits),
        Value::Verbatim { text, .. } => out.extend_from_slice(text),
        Value::Array(values) => return list(out, values, b')', b"(empty array)", indent),
        Value::Set(values) => return list(out, values, b'~', b"(empty set)", indent),
        Value::Push(values) => return list(out, values, b')', b"(empty push)", indent),
        Value::Map(pairs) => return map(out, pairs, indent),
        Value::Attribute { value, .. } => return write(out, value, indent),
    }
    out.push(b'\n');
}

/// The line for keys that other clients changed, which are no longer what was cached; `None` for
/// any other push.
pub(crate) fn invalidation(push: &Value) -> Option<Vec<u8>> {
    let Value::Push(parts) = push else { return None };
    let [kind, Value::Array(keys)] = parts.as_slice() else { return None };
    if kind.as_bytes() != Some(b"invalidate") {
        return None;
    }
    let keys: Vec<Vec<u8>> =
        keys.iter().map(|key| [b"'", key.as_bytes().unwrap_or_default(), b"'"].concat()).collect();
    Some([b"-> invalidate: ", keys.join(b", ".as_slice()).as_slice(), b"\n"].concat())
}

fn labelled(out: &mut Vec<u8>, label: &[u8], text: &[u8]) {
    out.extend_from_slice(label);
    out.extend_from_slice(text);
}

fn list(out: &mut Vec<u8>, values: &[Value], mark: u8, empty: &[u8], indent: &mut Vec<u8>) {
    if values.is_empty() {
        labelled(out, empty, b"\n");
    }
    let width = width_of(values.len());
    for (i, value) in values.iter().enumerate() {
        number(out, i, width, mark, indent);
        nested(out, value, width, indent);
    }
}

fn map(out: &mut Vec<u8>, pairs: &[(Value, Value)], indent: &mut Vec<u8>) {
    if pairs.is_empty() {
        labelled(out, b"(empty hash)", b"\n");
    }
    let width = width_of(pairs.len());
    for (i, (key, value)) in pairs.iter().enumerate() {
        number(out, i, width, b'#', indent);
        nested(out, key, width, indent);
        out.pop();
        out.extend_from_slice(b" => ");
        if element_count(value) > 1 {
            out.push(b'\n');
            out.extend_from_slice(indent);
            out.resize(out.len() + width + 2, b' ');
        }
        nested(out, value, width, indent);
    }
}

/// The number of an element; the first stands on a line that is already indented.
fn number(out: &mut Vec<u8>, i: usize, width: usize, mark: u8, indent: &[u8]) {
    if i > 0 {
        out.extend_from_slice(indent);
    }
    out.extend_from_slice(format!("{:>width$}{} ", i + 1, char::from(mark)).as_bytes());
}

/// An element, its further lines indented by its number's width.
fn nested(out: &mut Vec<u8>, value: &Value, width: usize, indent: &mut Vec<u8>) {
    let outer = indent.len();
    indent.resize(outer + width + 2, b' ');
    write(out, value, indent);
    indent.truncate(outer);
}

fn width_of(count: usize) -> usize {
    count.to_string().len()
}

fn element_count(value: &Value) -> usize {
    match value {
        Value::Array(values) | Value::Set(values) | Value::Push(values) => values.len(),
        Value::Map(pairs) => pairs.len(),
        Value::Attribute { value, .. } => element_count(value),
        Value::Simple(_)
        | Value::Error(_)
        | Value::Int(_)
        | Value::Bulk(_)
        | Value::Null
        | Value::Double(_)
        | Value::Boolean(_)
        | Value::BigNumber(_)
        | Value::Verbatim { .. } => 0,
    }
}
