//! A text to the words of one request, or of several.

use serde_json::value::RawValue;

use crate::named::{Forms, Members};
use crate::open::{Json, open, word};
use crate::{Refusal, named};

/// The words of one request, the command's name first.
pub type Argv = Vec<Vec<u8>>;

/// What a text asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// One command; its answer is one.
    One(Argv),
    /// A pipeline; its answers are a list.
    Many(Vec<Argv>),
}

impl Request {
    /// The commands.
    #[must_use]
    pub fn commands(&self) -> &[Argv] {
        match self {
            Self::One(argv) => std::slice::from_ref(argv),
            Self::Many(all) => all,
        }
    }
}

/// Words of one request at most: what the RESP side takes too.
const WORDS_MAX: usize = 1024 * 1024;

/// Requests of one list at most. Their answers are one text, which is held whole.
const COMMANDS_MAX: usize = 100_000;

/// Reads a request. Nothing in it has been executed when this refuses.
///
/// # Errors
/// What is wrong with it, and what to send instead.
pub fn read(text: &[u8], forms: &Forms) -> Result<Request, Refusal> {
    let raw: &RawValue = serde_json::from_slice(text)
        .map_err(|error| Refusal::new(format_args!("bad JSON: {error}")))?;
    match open(raw)? {
        Json::Object(members) => named_request(members, forms).map(Request::One),
        Json::Array(items) if items.first().is_some_and(|item| is_command(item)) => {
            if items.len() > COMMANDS_MAX {
                return Err(Refusal::new(format_args!(
                    "a list has at most {COMMANDS_MAX} requests"
                )));
            }
            { items.into_iter().map(|item| command(item, forms)).collect::<Result<_, _>>() }
                .map(Request::Many)
        }
        Json::Array(items) => words(&items).map(Request::One),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => Err(no_request()),
    }
}

fn no_request() -> Refusal {
    Refusal::new(
        "a request is {\"cmd\": \"SET\", \"key\": \"k\", \"value\": \"v\"}, or [\"SET\", \"k\", \"v\"], \
         or a list of these",
    )
}

/// Whether an item of a list is a whole command rather than a word. A tag is a word.
fn is_command(item: &RawValue) -> bool {
    match item.get().as_bytes().first() {
        Some(b'[') => true,
        Some(b'{') => {
            matches!(open(item), Ok(Json::Object(members)) if !crate::open::is_tag(&members))
        }
        _ => false,
    }
}

fn command(item: &RawValue, forms: &Forms) -> Result<Argv, Refusal> {
    match open(item)? {
        Json::Object(members) => named_request(members, forms),
        Json::Array(items) => words(&items),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => Err(no_request()),
    }
}

fn words(items: &[&RawValue]) -> Result<Argv, Refusal> {
    if items.is_empty() {
        return Err(no_request());
    }
    if items.len() > WORDS_MAX {
        return Err(Refusal::new(format_args!("a request has at most {WORDS_MAX} words")));
    }
    items.iter().map(|item| word(item, "each word")).collect()
}

/// `{"cmd": "SET", ...}`, with named arguments or with `args` as a list.
fn named_request(members: Vec<(String, &RawValue)>, forms: &Forms) -> Result<Argv, Refusal> {
    let mut members = Members::new(members)?;
    let Some(cmd) = members.remove("cmd") else { return Err(no_request()) };
    let cmd = word(cmd, "cmd")?;
    // A subcommand is two words of one name.
    let mut argv: Argv = cmd
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    if argv.is_empty() {
        return Err(no_request());
    }
    let form = forms.find(&argv);
    if argv.len() > 1 && form.is_none() {
        // Words behind a name that is no subcommand would be arguments, cut wherever a space is.
        return Err(forms.unknown(&argv));
    }
    if form.is_none_or(|form| !form.has("args"))
        && let Some(list) = members.remove("args")
    {
        let Json::Array(items) = open(list)? else {
            return Err(Refusal::new("args must be a list; or name the arguments"));
        };
        for item in items {
            argv.push(word(item, "each of args")?);
        }
    } else if let Some(form) = form {
        named::write(form, &members, &mut argv)?;
    } else if members.is_empty() {
        // Whether there is such a command is the server's to say.
        return Ok(argv);
    } else {
        return Err(forms.unknown(&argv));
    }
    members.all_taken(form)?;
    if argv.len() > WORDS_MAX {
        return Err(Refusal::new(format_args!("a request has at most {WORDS_MAX} words")));
    }
    Ok(argv)
}
