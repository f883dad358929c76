//! The line editor: history, completion and hints.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Helper};
use stoa_resp::split_words;

use crate::docs::Docs;
use crate::session::{Failure, is};

/// Lines of history kept.
const HISTORY_LEN_MAX: usize = 1_000;

/// What the editor shows while a line is typed.
struct Assistant {
    docs: Docs,
    hints: bool,
    /// Characters of line and hint that fit beside the prompt. A hint that wrapped would push the
    /// screen up with every key.
    width: usize,
}

/// An editor on the terminal.
pub(super) struct Editor {
    line: rustyline::Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    pub(super) fn new(docs: Docs) -> Result<Self, Failure> {
        let config = Config::builder()
            .max_history_size(HISTORY_LEN_MAX)
            .map_err(failure)?
            .history_ignore_space(true)
            .build();
        let mut line = rustyline::Editor::with_config(config).map_err(failure)?;
        line.set_helper(Some(Assistant { docs, hints: true, width: 0 }));
        let history = history_path(|name| std::env::var_os(name));
        if let Some(path) = &history {
            // There is none before the first session.
            let _ = line.load_history(path);
        }
        Ok(Self { line, history })
    }

    /// The next line; `None` when the user wants to leave.
    pub(super) fn next(&mut self, prompt: &str) -> Result<Option<Vec<u8>>, Failure> {
        let columns = self.line.dimensions().map_or(80, |(columns, _)| usize::from(columns));
        if let Some(assistant) = self.line.helper_mut() {
            assistant.width = columns.saturating_sub(prompt.chars().count() + 1);
        }
        match self.line.readline(prompt) {
            Ok(line) => Ok(Some(line.into_bytes())),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// Puts a line into the history, unless it holds a secret.
    pub(super) fn remember(&mut self, line: &[u8], words: &[Vec<u8>]) {
        if words.is_empty() || has_secret(words) {
            return;
        }
        let added = self.line.add_history_entry(String::from_utf8_lossy(line));
        if let (Ok(true), Some(path)) = (added, &self.history) {
            // A history that cannot be kept is no reason to stop working.
            let _ = self.line.save_history(path);
        }
    }

    pub(super) fn set_hints(&mut self, hints: bool) {
        if let Some(assistant) = self.line.helper_mut() {
            assistant.hints = hints;
        }
    }
}

fn failure(error: ReadlineError) -> Failure {
    match error {
        ReadlineError::Io(error) => error.into(),
        other => Failure(format!("Error: the terminal cannot be read: {other}")),
    }
}

/// The file named by `STOACLI_HISTFILE`, else one in the home directory. Naming `/dev/null` keeps none.
fn history_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = match variable("STOACLI_HISTFILE") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(variable("HOME")?).join(".stoacli_history"),
    };
    (path != *"/dev/null").then_some(path)
}

/// Whether a command holds a password.
fn has_secret(words: &[Vec<u8>]) -> bool {
    let sets_secret = |name: &[u8]| {
        let names: [&[u8]; 4] =
            [b"masterauth", b"masteruser", b"requirepass", b"tls-key-file-pass"];
        names.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    };
    is(words, 0, b"auth")
        || (is(words, 0, b"acl") && is(words, 1, b"setuser"))
        || (is(words, 0, b"hello") && words.iter().any(|word| word.eq_ignore_ascii_case(b"auth")))
        || (is(words, 0, b"migrate")
            && words.iter().any(|word| {
                word.eq_ignore_ascii_case(b"auth") || word.eq_ignore_ascii_case(b"auth2")
            }))
        || (is(words, 0, b"config")
            && is(words, 1, b"set")
            && words.iter().skip(2).step_by(2).any(|name| sets_secret(name)))
}

impl Assistant {
    /// What may follow the line as it stands.
    fn hint_for(&self, line: &str) -> Option<String> {
        let words = split_words(line.as_bytes())?;
        let (doc, name_len) = self.docs.find(&words)?;
        let ends_in_space = line.ends_with(' ');
        // A word still being typed is not an argument yet.
        let typed = words.len() - name_len - usize::from(!ends_in_space && words.len() > name_len);
        let rest = doc.rest(typed);
        if rest.is_empty() || (!ends_in_space && words.len() > name_len) {
            return None;
        }
        let hint = if ends_in_space { rest } else { format!(" {rest}") };
        let room = self.width.saturating_sub(line.chars().count());
        Some(hint.chars().take(room).collect())
    }

    /// Where completion starts, and what could stand there.
    fn complete_line(&self, line: &str) -> (usize, Vec<String>) {
        let topic = line.get(..5).filter(|start| start.eq_ignore_ascii_case("help "));
        let start = topic.map_or(0, str::len);
        let mut found = self.docs.complete(&line[start..]);
        if let Some(group) = line[start..].strip_prefix('@').filter(|_| start > 0) {
            let groups = self.docs.groups().into_iter();
            found.extend(
                groups.filter(|name| name.starts_with(group)).map(|name| format!("@{name}")),
            );
        }
        (start, found)
    }
}

impl Helper for Assistant {}

impl Validator for Assistant {}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        if self.hints && pos == line.len() { self.hint_for(line) } else { None }
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete_line(&line[..pos]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Assistant, has_secret, history_path, split_words};
    use crate::docs::tests::some_docs;

    fn assistant() -> Assistant {
        Assistant { docs: some_docs(), hints: true, width: 40 }
    }

    #[test]
    fn hints_show_what_may_follow() {
        let hint = |line: &str| assistant().hint_for(line);
        assert_eq!(hint("set").as_deref(), Some(" key value [NX | XX] [EX seconds]"));
        assert_eq!(hint("SET k ").as_deref(), Some("value [NX | XX] [EX seconds]"));
        assert_eq!(hint("set k"), None, "the word is not done");
        assert_eq!(hint("se"), None);
        assert_eq!(hint(""), None);
        assert_eq!(hint("set \"open"), None);
        let narrow = Assistant { width: 8, ..assistant() };
        assert_eq!(narrow.hint_for("set").as_deref(), Some(" key "), "no more than fits");
        assert_eq!(narrow.hint_for("set 123456 ").as_deref(), Some(""));
    }

    #[test]
    fn commands_complete_and_help_completes_topics() {
        let complete = |line: &str| assistant().complete_line(line);
        assert_eq!(complete("s"), (0, vec!["set".to_owned()]));
        assert_eq!(complete("help M"), (5, vec!["MGET".to_owned()]));
        assert_eq!(complete("help @s"), (5, vec!["@server".to_owned(), "@string".to_owned()]));
        assert_eq!(complete("@s"), (0, Vec::new()));
        assert_eq!(complete("ключ"), (0, Vec::new()), "letters of several bytes are no trap");
    }

    #[test]
    fn passwords_stay_out_of_the_history() {
        for (line, want) in [
            ("auth secret", true),
            ("ACL SETUSER bob >secret", true),
            ("hello 3 auth bob secret", true),
            ("config set maxmemory 1 requirepass secret", true),
            ("migrate h 1 k 0 1 AUTH secret", true),
            ("config get requirepass", false),
            ("get auth", false),
        ] {
            let words = split_words(line.as_bytes()).expect("quotes match");
            assert_eq!(has_secret(&words), want, "{line}");
        }
    }

    #[test]
    fn the_history_is_at_home_unless_told_otherwise() {
        let path = |set: &[(&str, &str)]| {
            let find = |name: &str| set.iter().find(|(have, _)| *have == name);
            history_path(|name| find(name).map(|(_, value)| value.into()))
        };
        assert_eq!(path(&[("HOME", "/h")]), Some("/h/.stoacli_history".into()));
        assert_eq!(path(&[("HOME", "/h"), ("STOACLI_HISTFILE", "/x")]), Some("/x".into()));
        assert_eq!(path(&[("STOACLI_HISTFILE", "/dev/null")]), None);
        assert_eq!(path(&[]), None);
    }
}
