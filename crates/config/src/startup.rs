//! From the command line to a configuration, as redis-server takes it.
//!
//! `[file] [-] [--name value ...]`: the file first, then standard input, then the options, each
//! overriding what came before; options are read as lines of a file would be. Files are read by a function that the caller passes in, so that
//! all of this runs in tests, and `include` cannot reach anywhere the caller does not want.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::directive::Kind;
use crate::line::{Line, quote, split_words};
use crate::table;
use crate::value::{Value, must_be_one_of};

/// Files that may include each other before it is taken for a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Directives of Redis that are no settings and that nothing here can honour yet, with what to
/// do instead. Ignoring them would be worse than refusing: each changes who may do what.
const REFUSED: &[(&str, &str)] = &[
    ("user", "users are not supported yet: remove the line and use requirepass"),
    ("rename-command", "commands cannot be renamed yet: remove the line"),
    ("loadmodule", "modules are not supported: remove the line"),
    ("sentinel", "there is no sentinel mode yet: remove the line"),
];

/// What the command line asks for.
#[derive(Debug)]
pub enum Startup {
    /// Start a server.
    Serve(Box<Launch>),
    /// Print the version and leave.
    PrintVersion,
    /// Print [`crate::usage`] and leave.
    PrintHelp,
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The configuration.
    pub config: Config,
    /// The configuration file, as named: CONFIG REWRITE writes there.
    pub config_file: Option<PathBuf>,
}

/// Why a server cannot start with this configuration. The text says where and what to do.
#[derive(Debug)]
pub struct StartupError {
    place: Place,
    /// The line or option, as written.
    line: String,
    problem: String,
}

#[derive(Debug)]
enum Place {
    Line { file: PathBuf, number: usize },
    Option,
}

/// Reads the command line without the program's name. `read` reads a file; the path `-` is
/// standard input.
///
/// # Errors
///
/// The first line or option that cannot be understood, or a file that cannot be read.
pub fn load(
    args: &[OsString],
    read: &mut dyn FnMut(&Path) -> io::Result<String>,
) -> Result<Startup, StartupError> {
    match args {
        [only] if only == "-v" || only == "--version" => return Ok(Startup::PrintVersion),
        [only] if only == "-h" || only == "--help" => return Ok(Startup::PrintHelp),
        _ => {}
    }
    let mut loader = Loader::new(read);
    let mut rest = args;
    let mut config_file = None;
    if let [first, behind @ ..] = rest
        && !first.as_bytes().starts_with(b"-")
    {
        loader.file(Path::new(first))?;
        config_file = Some(PathBuf::from(first));
        rest = behind;
    }
    // Standard input may be asked for before or behind the options and is read before them.
    let is_stdin = |arg: &&OsString| arg.as_os_str() == "-";
    if rest.first().is_some_and(|arg| is_stdin(&arg)) {
        loader.file(Path::new("-"))?;
        rest = &rest[1..];
    } else if rest.last().is_some_and(|arg| is_stdin(&arg)) {
        loader.file(Path::new("-"))?;
        rest = &rest[..rest.len() - 1];
    }
    loader.options(rest)?;
    let config = Config::from_values(loader.values);
    Ok(Startup::Serve(Box::new(Launch { config, config_file })))
}

/// Values while they are being collected.
struct Loader<'a> {
    read: &'a mut dyn FnMut(&Path) -> io::Result<String>,
    values: Vec<Value>,
    /// Save points were given: the next ones add to them instead of replacing the default.
    has_save_points: bool,
}

impl<'a> Loader<'a> {
    fn new(read: &'a mut dyn FnMut(&Path) -> io::Result<String>) -> Self {
        Self { read, values: Config::default().values().to_vec(), has_save_points: false }
    }

    fn file(&mut self, path: &Path) -> Result<(), StartupError> {
        let text = self.open(path).map_err(|problem| StartupError {
            place: Place::Option,
            line: path.display().to_string(),
            problem,
        })?;
        self.lines(path, &text, 0)
    }

    fn open(&mut self, path: &Path) -> Result<String, String> {
        (self.read)(path).map_err(|error| {
            let path = path.display();
            format!("can't open config file '{path}': {error}. Check the path and the permissions")
        })
    }

    fn lines(&mut self, path: &Path, text: &str, depth: usize) -> Result<(), StartupError> {
        for (index, line) in text.lines().enumerate() {
            let wrong = |problem| StartupError {
                place: Place::Line { file: path.to_owned(), number: index + 1 },
                line: without_secret(line.trim()),
                problem,
            };
            match Line::parse(line) {
                Line::Silent => {}
                Line::Unbalanced => {
                    return Err(wrong("Unbalanced quotes in configuration line".into()));
                }
                Line::Directive { name, words } if name == "include" => {
                    let (path, text) = self.include(&words, depth).map_err(wrong)?;
                    self.lines(&path, &text, depth + 1)?;
                }
                Line::Directive { name, words } => {
                    self.directive(&name, &words).map_err(wrong)?;
                }
            }
        }
        Ok(())
    }

    /// Path and text of the file that an `include` names.
    fn include(&mut self, words: &[Vec<u8>], depth: usize) -> Result<(PathBuf, String), String> {
        let [path] = words else {
            return Err("wrong number of arguments: name one file".into());
        };
        if depth == INCLUDE_DEPTH_MAX {
            return Err(format!(
                "files include each other more than {INCLUDE_DEPTH_MAX} deep: look for a circle"
            ));
        }
        if path.iter().any(|byte| b"*?[".contains(byte)) {
            return Err("patterns are not supported here: include each file by its name".into());
        }
        let path = PathBuf::from(OsString::from_vec(path.clone()));
        let text = self.open(&path)?;
        Ok((path, text))
    }

    /// The options, as if they were lines at the end of the file.
    fn options(&mut self, args: &[OsString]) -> Result<(), StartupError> {
        for line in option_lines(args) {
            let wrong = |problem| option_error(&line, problem);
            let Some(mut words) = split_words(&line) else {
                return Err(wrong("Unbalanced quotes in configuration line".into()));
            };
            if words.is_empty() {
                continue;
            }
            let name = String::from_utf8_lossy(&words.remove(0)).to_ascii_lowercase();
            self.directive(&name, &words).map_err(wrong)?;
        }
        Ok(())
    }

    fn directive(&mut self, name: &str, words: &[Vec<u8>]) -> Result<(), String> {
        let Some((index, row)) = table::find(name.as_bytes()) else {
            return Err(unknown(name));
        };
        let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        if words.is_empty() && row.kind == Kind::SavePoints {
            // A bare `save` is `save ""`: scripts with an empty list of points write it so.
            words.push(b"");
        }
        if words.is_empty() {
            return Err(match row.kind {
                Kind::Choices(names) => must_be_one_of(names),
                _ => "wrong number of arguments".into(),
            });
        }
        let before = &self.values[index];
        let joined;
        if row.kind == Kind::SavePoints {
            // Each line adds its points; an empty one forgets all so far.
            let replaces = !self.has_save_points || words == [b""];
            self.has_save_points = true;
            if !replaces {
                joined = [before.print(row.kind), words.join(&b' ')].join(&b' ');
                words = vec![joined.trim_ascii()];
            }
        }
        self.values[index] = row.kind.parse(&words, before)?;
        Ok(())
    }
}

/// What the options say as lines of a file, by the rules of redis-server: an argument with `--` begins
/// a line unless the option before it still waits for its first value, which may look like an option.
/// An argument may hold name and value (`"--maxmemory 700mb"`), and one without dashes is a value, or
/// the name of a directive where none was begun.
fn option_lines(args: &[OsString]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut wants_value = false;
    for (at, arg) in args.iter().enumerate() {
        let arg = arg.as_bytes();
        let Some(option) = arg.strip_prefix(b"--").filter(|_| !wants_value) else {
            if lines.is_empty() {
                lines.push(Vec::new());
            }
            let line = lines.last_mut().expect("just seen to");
            line.extend_from_slice(if line.is_empty() { b"" } else { b" " });
            line.extend_from_slice(quote(arg).as_bytes());
            wants_value = false;
            continue;
        };
        wants_value = split_words(option).is_some_and(|words| words.len() == 1);
        let mut line = option.to_vec();
        let next = args.get(at + 1);
        let has_value = next.is_some_and(|next| !next.as_bytes().starts_with(b"--"));
        if option.eq_ignore_ascii_case(b"save") && !has_value {
            // A bare `--save` is `--save ""`: scripts with an empty list of points write it so.
            line.extend_from_slice(b" \"\"");
            wants_value = false;
        }
        lines.push(line);
    }
    lines
}

fn option_error(line: &[u8], problem: String) -> StartupError {
    let line = without_secret(String::from_utf8_lossy(line).trim());
    StartupError { place: Place::Option, line, problem }
}

/// The line as it may be shown: an error goes to logs, a password does not.
fn without_secret(line: &str) -> String {
    let name = line.split_ascii_whitespace().next().unwrap_or_default();
    match table::find(name.trim_matches('"').as_bytes()) {
        Some((_, row)) if row.sensitive => format!("{name} <hidden>"),
        _ => line.to_owned(),
    }
}

fn unknown(name: &str) -> String {
    if let Some((_, advice)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return (*advice).to_owned();
    }
    if name.starts_with('-') {
        return "options start with `--`; a configuration file comes first".to_owned();
    }
    let base = "Bad directive or wrong number of arguments";
    let near = table::directives()
        .filter(|row| !row.hidden)
        .map(|row| (distance(name.as_bytes(), row.name.as_bytes()), row.name))
        .min();
    match near {
        Some((distance, near)) if distance <= 2.min(name.len() / 3) => {
            format!("{base}: did you mean `{near}`?")
        }
        _ => format!("{base}: docs/CONFIGURATION.md lists all directives"),
    }
}

/// Edits that turn `one` into `other`, for short words.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "*** FATAL CONFIG FILE ERROR (Stoa {}) ***", env!("CARGO_PKG_VERSION"))?;
        match &self.place {
            Place::Line { file, number } if file.as_os_str() == "-" => {
                writeln!(f, "Reading the configuration from standard input, at line {number}")?;
            }
            Place::Line { file, number } => {
                writeln!(f, "Reading the configuration file {}, at line {number}", file.display())?;
            }
            Place::Option => writeln!(f, "Reading the command line")?,
        }
        writeln!(f, ">>> '{}'", self.line)?;
        writeln!(f, "{}", self.problem)?;
        f.write_str("Correct it and start again; `stoa-server --help` shows the usage.")
    }
}

impl std::error::Error for StartupError {}
