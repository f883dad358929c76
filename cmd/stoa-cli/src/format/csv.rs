//! As comma separated values, strings quoted. What is nested is flattened into the one line.

use stoa_client::Value;
use stoa_resp::write_double;

use crate::quote::quote;

/// Appends `value`.
pub(super) fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => quote(out, text),
        Value::Error(text) => {
            out.extend_from_slice(b"ERROR,");
            quote(out, text);
        }
        Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::BigNumber(digits) => out.extend_from_slice(digits),
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Double(value) => write_double(out, *value),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            joined(out, values.iter());
        }
        Value::Map(pairs) => joined(out, pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attribute { value, .. } => write(out, value),
    }
}

fn joined<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = &'a Value>) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, value);
    }
}
