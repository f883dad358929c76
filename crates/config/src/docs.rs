//! What people read: the reference page, the default configuration file and the help, all made
//! from the table so that they cannot be out of date.

use std::fmt::Write as _;

use crate::directive::{Directive, Kind, Mutability};
use crate::table::{self, CHAPTERS, Chapter};

/// Directives that the default configuration file sets although they differ from the default,
/// with the reason. The defaults are Redis's; the file is for trying the server on one's desk.
const FILE_DIFFERS: &[(&str, &str, &str)] = &[(
    "bind",
    "127.0.0.1 -::1",
    "Only this host, until you say otherwise; without this line every address is listened on.",
)];

/// The text of `docs/CONFIGURATION.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Generated from the directive table: `cargo run -p stoa-config --example docs`. -->\n\n\
         A directive can be set in a configuration file (`stoa-server stoa.conf`), on the command \
         line (`--maxclients 100`), and, unless it is marked *start*, with `CONFIG SET`. Later \
         settings override earlier ones, and options override the file. `CONFIG REWRITE` writes \
         the current values back into the file and keeps its comments.\n\n\
         Files are written as for Redis: a directive a line, `#` starts a comment, words with \
         blanks stand in quotes (`\"\\n \\x00\"` with escapes, `'...'` without), `include <file>` \
         reads another file. Memory takes units: `1k` is 1000 bytes, `1kb` 1024, and so `m`, \
         `mb`, `g`, `gb`.\n\n\
         In the column *Set*: **any time** is with `CONFIG SET` too, **start** is at the start \
         only, **protected** needs `enable-protected-configs`. Directives marked *not acting \
         yet* are those of Redis whose feature does not exist here so far: their values are \
         taken, checked and answered, so that clients and files work, and change nothing.\n",
    );
    for chapter in CHAPTERS {
        write_chapter(&mut page, chapter);
    }
    page
}

fn write_chapter(page: &mut String, chapter: &Chapter) {
    let _ = write!(
        page,
        "\n## {}\n\n| Directive | Values | Default | Set | Meaning |\n|---|---|---|---|---|\n",
        chapter.title
    );
    for row in chapter.directives.iter().filter(|row| !row.hidden) {
        let alias = row.alias.map(|alias| format!(" (`{alias}`)")).unwrap_or_default();
        let default = if row.default.is_empty() { "*empty*".into() } else { code(row.default) };
        let set = match row.mutability {
            Mutability::Mutable => "any time",
            Mutability::Immutable => "start",
            Mutability::Protected => "protected",
        };
        let acts = if row.acts { "" } else { " *Not acting yet.*" };
        let _ = writeln!(
            page,
            "| `{}`{alias}<br>{} | {} | {default} | {set} | {}{acts} |",
            row.name,
            code(row.yaml_path),
            values(row.kind),
            row.doc
        );
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`yes`, `no`".into(),
        Kind::Integer { min, max } | Kind::Clamped { min, max } => match (min, max) {
            (min, i64::MAX) => format!("integer from {min}"),
            (i64::MIN..-1_000_000, _) => "integer".into(),
            (min, max) if max == i64::from(i32::MAX) || max == i64::from(u32::MAX) => {
                format!("integer from {min}")
            }
            (min, max) => format!("{min} to {max}"),
        },
        Kind::Octal { max } => format!("octal, 0 to {max:o}"),
        Kind::Memory { min: 0..=1, .. } => "memory".into(),
        Kind::Memory { min, .. } => format!("memory from {min}"),
        Kind::MemoryOrPercent => "memory, or percent of `maxmemory`".into(),
        Kind::Choice(names) => names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", "),
        Kind::Choices(names) => {
            let names: Vec<_> = names.iter().map(|name| code(name)).collect();
            format!("any of {}", names.join(", "))
        }
        Kind::Text => "text".into(),
        Kind::FileName => "name without a path".into(),
        Kind::Addresses => "addresses".into(),
        Kind::SavePoints => "pairs of seconds and changes".into(),
        Kind::OutputLimits => "class, hard limit, soft limit, seconds; repeated".into(),
        Kind::KeyspaceEvents => "event classes".into(),
        Kind::Percentiles => "percentiles, 0 to 100".into(),
        Kind::OomScores => "three scores, -2000 to 2000".into(),
        Kind::ReplicaOf => "host and port, or `no one`".into(),
    }
}

/// The text of `configs/default.conf`: every directive that acts, with its default.
#[must_use]
pub fn default_conf() -> String {
    let mut file = String::from(
        "# The default configuration of stoa-server.\n\
         # Generated from the directive table: cargo run -p stoa-config --example docs\n\
         #\n\
         # These are the directives that act today. docs/CONFIGURATION.md has all that are\n\
         # accepted. Start with a copy of this file: stoa-server /path/to/copy.conf\n",
    );
    for chapter in CHAPTERS {
        let mut acting = chapter.directives.iter().filter(|row| row.acts && !row.hidden).peekable();
        if acting.peek().is_some() {
            let _ = write!(file, "\n# ---- {} ----\n", chapter.title);
        }
        for row in acting {
            write_setting(&mut file, row);
        }
    }
    file
}

fn write_setting(file: &mut String, row: &Directive) {
    let _ = write!(file, "\n# {}\n", row.doc);
    if let Some((_, value, reason)) = FILE_DIFFERS.iter().find(|(name, ..)| *name == row.name) {
        let _ = writeln!(file, "# {reason}\n{} {value}", row.name);
    } else if row.sensitive {
        // An example of a secret would be used.
        let _ = writeln!(file, "# {} <choose one>", row.name);
    } else if row.kind == Kind::Text || row.default.is_empty() {
        let _ = writeln!(file, "{} \"{}\"", row.name, row.default);
    } else {
        let _ = writeln!(file, "{} {}", row.name, row.default);
    }
}

/// What `--help` prints.
#[must_use]
pub fn usage() -> String {
    let mut text = String::from(
        "Usage: stoa-server [/path/to/stoa.conf] [-] [--directive value ...]\n       \
         stoa-server -v | --version\n       \
         stoa-server -h | --help\n\n\
         A configuration file is read first, then standard input if `-` is given, then the\n\
         options; later settings override earlier ones.\n\n\
         Examples:\n  \
         stoa-server --port 7000 --bind 127.0.0.1 ::1 --shards 4\n  \
         stoa-server /etc/stoa.conf --loglevel verbose\n  \
         echo 'maxclients 100' | stoa-server -\n\n\
         Directives that act, with their defaults (docs/CONFIGURATION.md has all):\n",
    );
    for row in table::directives().filter(|row| row.acts && !row.hidden) {
        let default = if row.default.is_empty() { "\"\"" } else { row.default };
        let _ = writeln!(text, "  --{} {default}\n      {}", row.name, row.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{FILE_DIFFERS, default_conf, markdown, usage};
    use crate::config::Config;
    use crate::line::Line;
    use crate::table;

    fn assert_in_date(path: &str, kept: &str, want: &str) {
        assert!(
            kept == want,
            "{path} is not what the directive table says: run `cargo run -p stoa-config \
             --example docs`, look at the difference and commit it"
        );
    }

    #[test]
    fn the_reference_page_is_in_date() {
        let kept = include_str!("../../../docs/CONFIGURATION.md");
        assert_in_date("docs/CONFIGURATION.md", kept, &markdown());
    }

    #[test]
    fn the_default_configuration_is_in_date() {
        let kept = include_str!("../../../configs/default.conf");
        assert_in_date("configs/default.conf", kept, &default_conf());
    }

    /// The directives that the default configuration sets to something else than the table.
    fn default_conf_differences() -> Vec<&'static str> {
        let mut config = Config::default();
        for line in default_conf().lines() {
            if let Line::Directive { name, words } = Line::parse(line) {
                config.settle(&name, &words.join(&b' ')).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        let default = Config::default();
        table::directives()
            .map(|row| row.name)
            .filter(|name| config.value(name) != default.value(name))
            .collect()
    }

    #[test]
    fn the_default_configuration_sets_the_defaults() {
        let explained: Vec<_> = FILE_DIFFERS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(default_conf_differences(), explained);
    }

    #[test]
    fn every_directive_that_is_not_hidden_is_on_the_page() {
        let page = markdown();
        for row in table::directives() {
            assert_eq!(page.contains(&format!("| `{}`", row.name)), !row.hidden, "{}", row.name);
        }
    }

    #[test]
    fn the_help_shows_what_acts() {
        let text = usage();
        assert!(text.contains("--port 6379") && text.contains("--requirepass \"\""));
        assert!(!text.contains("--appendonly"));
    }
}
