//! One level of JSON at a time.

use std::fmt;

use data_encoding::BASE64;
use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Refusal;

/// A value, with what is inside left as text.
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(String),
    Array(Vec<&'a RawValue>),
    Object(Vec<(String, &'a RawValue)>),
}

/// Opens `raw`, whose text is known to be JSON.
pub(crate) fn open(raw: &RawValue) -> Result<Json<'_>, Refusal> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Json::Null,
        Some(b't') => Json::Bool(true),
        Some(b'f') => Json::Bool(false),
        Some(b'"') => Json::Text(parsed(text)?),
        Some(b'[') => Json::Array(parsed(text)?),
        Some(b'{') => Json::Object(parsed::<Members<'_>>(text)?.0),
        _ => Json::Number(text),
    })
}

/// One argument: text, a number as it was written, or what `$` names.
pub(crate) fn word(raw: &RawValue, of: &str) -> Result<Vec<u8>, Refusal> {
    match open(raw)? {
        Json::Text(text) => Ok(text.into_bytes()),
        Json::Number(text) => Ok(text.as_bytes().to_vec()),
        Json::Object(members) => tagged(&members, of),
        Json::Null | Json::Bool(_) | Json::Array(_) => Err(Refusal::new(format_args!(
            "{of} must be a string or a number, not {}",
            shortened(raw.get())
        ))),
    }
}

/// Whether these members are one value that JSON has no form for.
pub(crate) fn is_tag(members: &[(String, &RawValue)]) -> bool {
    matches!(members, [(name, _)] if name.starts_with('$'))
}

fn tagged(members: &[(String, &RawValue)], of: &str) -> Result<Vec<u8>, Refusal> {
    let [(tag, raw)] = members else { return Err(no_object(of)) };
    let Json::Text(text) = open(raw)? else { return Err(no_object(of)) };
    match tag.as_str() {
        "$b64" => BASE64.decode(text.as_bytes()).map_err(|error| {
            Refusal::new(format_args!("{of}: $b64 takes base64 with padding: {error}"))
        }),
        "$int" | "$double" => Ok(text.into_bytes()),
        _ => Err(no_object(of)),
    }
}

fn no_object(of: &str) -> Refusal {
    Refusal::new(format_args!(
        "{of} must be a string or a number; bytes that are no text go as {{\"$b64\": \"...\"}}"
    ))
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::new(format_args!("bad JSON: {error}")))
}

/// Enough of a text to recognize it by.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The members of an object in their order, each name once.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut names) = (Vec::new(), std::collections::BTreeSet::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    // Two readers that pick different ones of the two would see different requests.
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!(
                            "the member \"{}\" is there twice",
                            shortened(&name)
                        )));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Read).map(Members)
    }
}
