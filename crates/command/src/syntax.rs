//! The small grammar in which a spec writes its arguments, and the tree read from it.
//!
//! One line serves COMMAND DOCS, the client's hints and random valid calls in tests:
//!
//! ```text
//! key value [condition: NX | XX] [GET] [expiration: EX seconds:integer | KEEPTTL]
//! ```
//!
//! Lower case is a value (`name` or `name:type`; the type of `key`, `pattern` and a few others is
//! known from the name), upper case a word that stands for itself, `[...]` optional, `(...)` a
//! group, `|` a choice, `...` after something repeats it, `name:` at the head of a bracket names it,
//! `""` is the empty string.
//! A word before one value is that value's token.

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes.
    String,
    /// A 64-bit integer.
    Integer,
    /// A floating point number.
    Double,
    /// A key.
    Key,
    /// A glob pattern.
    Pattern,
    /// A moment, seconds or milliseconds since 1970.
    UnixTime,
    /// A word that stands for itself.
    PureToken,
    /// One of the children.
    OneOf,
    /// All of the children.
    Block,
}

impl Kind {
    /// The name in COMMAND DOCS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }

    fn of(name: &str, spelled: Option<&str>) -> Self {
        match spelled.unwrap_or(name) {
            "integer" | "count" | "seconds" | "milliseconds" | "offset" | "cursor" | "index" => {
                Self::Integer
            }
            "double" => Self::Double,
            "key" | "destination" | "source" | "newkey" | "destkey" => Self::Key,
            "pattern" => Self::Pattern,
            "unix-time" | "unix-time-seconds" | "unix-time-milliseconds" => Self::UnixTime,
            _ => Self::String,
        }
    }
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its name in the reference.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The word before it, or itself.
    pub token: Option<String>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Each repetition has its word before it: `[GET pattern]...`, not `[ID id...]`.
    pub multiple_token: bool,
    /// Choices or parts.
    pub children: Vec<Arg>,
}

/// Reads the arguments of `syntax`.
///
/// # Panics
/// On a line that is not in the grammar: it is part of the program, and the command table is
/// tested as a whole.
#[must_use]
pub fn parse(syntax: &str) -> Vec<Arg> {
    let spaced = syntax
        .replace("...", " ... ")
        .replace('[', " [ ")
        .replace(']', " ] ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('|', " | ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, at: 0 };
    let args = reader.sequence();
    assert_eq!(reader.at, words.len(), "unbalanced brackets in {syntax:?}");
    args
}

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn sequence(&mut self) -> Vec<Arg> {
        let mut args = Vec::new();
        while !matches!(self.peek(), None | Some("]" | ")" | "|")) {
            let is_bracket = matches!(self.peek(), Some("[" | "("));
            let mut arg = self.item();
            if self.take("...") {
                arg.multiple = true;
                arg.multiple_token = is_bracket && arg.token.is_some();
            }
            args.push(arg);
        }
        args
    }

    fn item(&mut self) -> Arg {
        if self.take("[") {
            return Arg { optional: true, ..self.bracket("]") };
        }
        if self.take("(") {
            return self.bracket(")");
        }
        let word = self.words[self.at];
        self.at += 1;
        if word == "\"\"" {
            return leaf("empty-string", Kind::PureToken, Some(""));
        }
        if !is_token(word) {
            let (name, kind) = word.split_once(':').map_or((word, None), |(n, k)| (n, Some(k)));
            return leaf(name, Kind::of(name, kind), None);
        }
        // A word right before one value is that value's token.
        let valued = self.peek().is_some_and(|next| {
            !is_token(next) && !matches!(next, "[" | "]" | "(" | ")" | "|" | "...")
        });
        let alone = !matches!(self.words.get(self.at + 1), None | Some(&("]" | ")" | "|" | "...")));
        if valued && !alone {
            let value = self.item();
            return Arg { token: Some(word.into()), ..value };
        }
        leaf(&word.to_ascii_lowercase(), Kind::PureToken, Some(word))
    }

    fn bracket(&mut self, close: &str) -> Arg {
        let label = self.peek().and_then(|word| word.strip_suffix(':')).map(str::to_owned);
        self.at += usize::from(label.is_some());
        let mut branches = vec![self.branch()];
        while self.take("|") {
            branches.push(self.branch());
        }
        assert!(self.take(close), "expected {close} after {:?}", &self.words[..self.at]);
        let whole = if branches.len() == 1 {
            branches.remove(0)
        } else {
            Arg { children: branches, ..leaf("option", Kind::OneOf, None) }
        };
        Arg { name: label.unwrap_or_else(|| whole.name.clone()), ..whole }
    }

    fn branch(&mut self) -> Arg {
        let mut parts = self.sequence();
        if parts.len() == 1 {
            return parts.remove(0);
        }
        // `MATCH a b` keeps its word as the token of the block.
        let name = parts.first().map_or_else(String::new, |first| first.name.clone());
        let token = (parts.first().map(|first| first.kind) == Some(Kind::PureToken))
            .then(|| parts.remove(0).token)
            .flatten();
        if token.is_some() && parts.len() == 1 && parts[0].token.is_none() {
            // `TYPE (a | b)`: the word is the token of the choice.
            return Arg { token, ..parts.remove(0) };
        }
        Arg { token, children: parts, ..leaf(&name, Kind::Block, None) }
    }
}

fn is_token(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_uppercase() || c == '*')
        && !word.chars().any(|c| c.is_ascii_lowercase())
}

fn leaf(name: &str, kind: Kind, token: Option<&str>) -> Arg {
    Arg {
        name: name.into(),
        kind,
        token: token.map(str::to_owned),
        optional: false,
        multiple: false,
        multiple_token: false,
        children: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, parse};

    #[test]
    fn set_reads_as_the_reference_describes_it() {
        let args = parse(
            "key value [condition: NX | XX] [GET] [expiration: EX seconds | PX milliseconds | KEEPTTL]",
        );
        let shape: Vec<_> = args.iter().map(|a| (a.name.as_str(), a.kind, a.optional)).collect();
        assert_eq!(
            shape,
            [
                ("key", Kind::Key, false),
                ("value", Kind::String, false),
                ("condition", Kind::OneOf, true),
                ("get", Kind::PureToken, true),
                ("expiration", Kind::OneOf, true),
            ]
        );
        let seconds = &args[4].children[0];
        assert_eq!((seconds.token.as_deref(), seconds.kind), (Some("EX"), Kind::Integer));
        assert_eq!(args[4].children[2].kind, Kind::PureToken);
    }

    #[test]
    fn a_word_is_repeated_with_its_bracket_only() {
        let args = parse("[GET get-pattern:pattern]... [ID client-id:integer...]");
        let shape: Vec<_> = args.iter().map(|a| (a.multiple, a.multiple_token)).collect();
        assert_eq!(shape, [(true, true), (true, false)]);
    }

    #[test]
    fn pairs_repeat_as_a_block() {
        let args = parse("(data: key value)...");
        assert_eq!(
            (args[0].kind, args[0].multiple, args[0].children.len()),
            (Kind::Block, true, 2)
        );
    }
}
