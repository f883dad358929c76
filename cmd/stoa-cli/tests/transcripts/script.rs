//! The form of a transcript.
//!
//! ```text
//! @ GET k => $1\r\nv\r\n      what the server answers
//! ~ reason                    the next case differs from redis-cli on purpose
//! $ --no-raw get k < input    arguments, and stdin with escapes if there is any
//! | "v"                       a line of stdout
//! ! Warning: ...              a line of stderr
//! = 1                         the exit code, unless 0
//! ```

use std::process::Output;

use stoa_resp::split_words;

use crate::server::Replies;

/// A whole transcript.
pub(crate) struct Script {
    pub replies: Replies,
    pub cases: Vec<Case>,
    /// What stands behind the last case.
    tail: String,
}

/// One run of the program.
pub(crate) struct Case {
    /// Comments and replies before it, as they stand.
    head: String,
    pub line: String,
    pub args: Vec<String>,
    pub stdin: Vec<u8>,
    pub want: String,
    pub differs: bool,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let (mut replies, mut cases) = (Replies::new(), Vec::<Case>::new());
        let (mut head, mut differs) = (String::new(), false);
        for line in text.lines() {
            if let (Some("|" | "!" | "="), Some(case)) = (line.get(..1), cases.last_mut()) {
                case.want.push_str(line);
                case.want.push('\n');
                continue;
            }
            if let Some(command) = line.strip_prefix("$ ") {
                cases.push(Case::parse(std::mem::take(&mut head), command, differs));
                differs = false;
                continue;
            }
            if let Some(reply) = line.strip_prefix("@ ") {
                let (request, reply) = reply.split_once(" => ").expect("`@ request => reply`");
                replies.insert(unescape(request), unescape(reply));
            }
            differs |= line.starts_with("~ ");
            head.push_str(line);
            head.push('\n');
        }
        Self { replies, cases, tail: head }
    }

    pub(crate) fn to_text(&self) -> String {
        let cases = self
            .cases
            .iter()
            .map(|Case { head, line, want, .. }| format!("{head}$ {line}\n{want}"));
        cases.collect::<String>() + &self.tail
    }
}

impl Case {
    fn parse(head: String, line: &str, differs: bool) -> Self {
        let spaced = format!(" {line}");
        let (command, stdin) = spaced.split_once(" < ").unwrap_or((&spaced, ""));
        let words = split_words(command.as_bytes()).expect("quotes that match");
        let word = |word| String::from_utf8(word).expect("text");
        Self {
            head,
            line: line.to_owned(),
            args: words.into_iter().map(word).collect(),
            stdin: unescape(stdin),
            want: String::new(),
            differs,
        }
    }
}

/// What a run printed and how it ended, in the form of a transcript.
pub(crate) fn render(output: &Output) -> String {
    let mut text = String::new();
    for (mark, stream) in [('|', &output.stdout), ('!', &output.stderr)] {
        let mut lines: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
        // Behind the last line end there is nothing, or a line without one.
        let unended = lines.pop().filter(|line| !line.is_empty());
        for line in lines {
            text.push_str(format!("{mark} {}", show(line)).trim_end());
            text.push('\n');
        }
        if let Some(line) = unended {
            text.push_str(&format!("{mark} {}<no line end>\n", show(line)));
        }
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => text.push_str(&format!("= {code}\n")),
        None => text.push_str(&format!("= {}\n", output.status)),
    }
    text
}

/// A line, with what cannot be printed as `<hex>`, and a space at its end made visible.
fn show(line: &[u8]) -> String {
    let mut text = String::new();
    for (i, &byte) in line.iter().enumerate() {
        match byte {
            b' ' if i + 1 == line.len() => text.push_str("<20>"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("<{byte:02x}>")),
        }
    }
    text
}

fn unescape(text: &str) -> Vec<u8> {
    let quoted = format!("\"{}\"", text.replace('"', "\\\""));
    split_words(quoted.as_bytes()).expect("escapes that match").swap_remove(0)
}
