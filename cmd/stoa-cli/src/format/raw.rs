//! For pipes: the bytes themselves, a delimiter between elements and nothing to tell types by. Pairs
//! of a map stand on one line. Errors end their line, so that they show among the rest.

use stoa_client::Value;
use stoa_resp::write_double;

/// Appends `value`.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, delimiter: &[u8]) {
    match value {
        Value::Simple(text) | Value::Bulk(text) | Value::BigNumber(text) => {
            out.extend_from_slice(text);
        }
        Value::Verbatim { text, .. } => out.extend_from_slice(text),
        Value::Error(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Null => {}
        Value::Double(value) => write_double(out, *value),
        Value::Boolean(true) => out.extend_from_slice(b"(true)"),
        Value::Boolean(false) => out.extend_from_slice(b"(false)"),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, value, delimiter);
            }
        }
        Value::Map(pairs) => {
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, key, delimiter);
                out.push(b' ');
                write(out, value, delimiter);
            }
        }
        Value::Attribute { value, .. } => write(out, value, delimiter),
    }
}
