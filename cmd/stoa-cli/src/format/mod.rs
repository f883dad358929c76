//! Replies as text: for people, for pipes, as CSV, as JSON.

mod csv;
mod human;
mod json;
mod raw;

use stoa_client::Value;

pub(crate) use human::invalidation;

/// Which of the forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Numbered, quoted, with types.
    Human,
    /// The bytes themselves.
    Raw,
    /// One line of comma separated values.
    Csv,
    /// One line of JSON.
    Json,
    /// One line of JSON in ASCII.
    QuotedJson,
}

/// What stands between things in raw form.
#[derive(Clone, Debug)]
pub(crate) struct Delimiters {
    /// Between the elements of a reply.
    pub elements: Vec<u8>,
    /// Behind a reply.
    pub replies: Vec<u8>,
}

/// The text of a reply, whole.
pub(crate) fn reply(value: &Value, output: Output, delimiters: &Delimiters) -> Vec<u8> {
    let mut out = Vec::new();
    match output {
        Output::Human => human::write(&mut out, value, &mut Vec::new()),
        Output::Raw => {
            raw::write(&mut out, value, &delimiters.elements);
            out.extend_from_slice(&delimiters.replies);
        }
        Output::Csv => {
            csv::write(&mut out, value);
            out.push(b'\n');
        }
        Output::Json | Output::QuotedJson => {
            json::write(&mut out, value, output == Output::QuotedJson);
            out.push(b'\n');
        }
    }
    out
}

/// The text of a reply that is a page of text by itself, such as INFO's: as it is in every form,
/// with nothing behind it.
pub(crate) fn page(value: &Value, delimiters: &Delimiters) -> Vec<u8> {
    let mut out = Vec::new();
    raw::write(&mut out, value, &delimiters.elements);
    out
}
