//! What the command line asked for, checked and ready to act on.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use stoa_client::{Auth, Endpoint, Proto, Uri};

use crate::args::Args;
use crate::format::{Delimiters, Output};
use crate::quote;
use crate::session::{complain, print};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mode {
    /// Run one command.
    Command(Vec<Vec<u8>>),
    /// Read commands until there are no more.
    Prompt,
    /// Run a script from a file, with keys and arguments.
    Eval(Script),
    /// Pass requests through from stdin.
    Pipe,
    /// Sample the time a PING takes.
    Latency {
        /// Start anew every interval.
        history: bool,
    },
    /// Print a line of figures every interval.
    Stat,
    /// List keys.
    Scan,
    /// Find the largest keys.
    BigKeys(Measure),
}

/// A script file and the words behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    pub path: PathBuf,
    pub words: Vec<Vec<u8>>,
}

/// What makes a key large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// Its number of elements.
    Elements,
    /// Its memory, from so many sampled elements if given.
    Memory { samples: Option<u64> },
}

/// The whole command line, as it will be acted on.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub endpoint: Endpoint,
    pub auth: Option<Auth>,
    /// The protocol to ask for, and whether a refusal is worth a word.
    pub proto: Option<(Proto, bool)>,
    pub db: u32,
    pub output: Output,
    pub delimiters: Delimiters,
    /// How often to run the command; `None` is for ever.
    pub repeat: Option<u64>,
    pub interval: Duration,
    pub exit_on_error: bool,
    /// Whether to follow a cluster's redirections.
    pub follow: bool,
    pub show_pushes: bool,
    pub pattern: Option<Vec<u8>>,
    pub count: Option<u64>,
    pub pipe_timeout: Duration,
    pub mode: Mode,
}

/// Reads the command line. `Err` is the exit code when there is nothing left to do: help or the
/// version was printed, or a mistake was told.
pub(crate) fn from_command_line(args: impl Iterator<Item = OsString>) -> Result<Options, ExitCode> {
    let args = Args::try_parse_from(args).map_err(|error| explain(&error))?;
    build(args).map_err(|text| {
        complain(text);
        ExitCode::FAILURE
    })
}

/// Prints what clap has to say, mistakes in the words scripts know.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print(error.to_string().as_bytes());
        return ExitCode::SUCCESS;
    }
    match error.get(clap::error::ContextKind::InvalidArg) {
        Some(arg) => {
            let arg = arg.to_string();
            let name = arg.split([' ', '=']).next().unwrap_or(&arg);
            complain(format!("Unrecognized option or bad number of args for: '{name}'"));
        }
        None => complain(error.to_string().trim_end()),
    }
    ExitCode::FAILURE
}

fn build(args: Args) -> Result<Options, String> {
    refuse_unsupported(&args)?;
    let tty = std::io::stdout().is_terminal() || std::env::var_os("FAKETTY").is_some();
    let mut options = Options {
        endpoint: Endpoint::default(),
        auth: None,
        proto: None,
        db: 0,
        output: output(&args, tty),
        delimiters: Delimiters {
            elements: args.delimiter.as_ref().map_or(b"\n".to_vec(), |d| d.as_bytes().to_vec()),
            replies: args
                .reply_delimiter
                .as_ref()
                .map_or(b"\n".to_vec(), |d| d.as_bytes().to_vec()),
        },
        repeat: u64::try_from(args.repeat).ok(),
        interval: interval(args.interval.as_deref())?,
        exit_on_error: args.exit_on_error,
        follow: args.follow,
        show_pushes: tty,
        pattern: args.pattern.clone().map(OsString::into_vec),
        count: args.count,
        pipe_timeout: Duration::from_secs(args.pipe_timeout),
        mode: Mode::Prompt,
    };
    set_server(&mut options, &args)?;
    set_login(&mut options, &args)?;
    options.proto = match (args.resp3, args.resp2, options.output) {
        (true, _, _) => Some((Proto::Resp3, true)),
        (false, true, _) => None,
        // JSON wants to know maps from arrays; an old server that does not is fine too.
        (false, false, Output::Json | Output::QuotedJson) => Some((Proto::Resp3, false)),
        (false, false, Output::Human | Output::Raw | Output::Csv) => None,
    };
    match args.show_pushes.as_deref() {
        None => {}
        Some(yes) if yes.starts_with(['y', 'Y']) => options.show_pushes = true,
        Some(no) if no.starts_with(['n', 'N']) => options.show_pushes = false,
        Some(other) => {
            complain(format!("Unknown --show-pushes value '{other}' (valid: '[y]es', '[n]o')"));
        }
    }
    if let Some(pattern) = &args.quoted_pattern {
        let pattern = quote::unquote(pattern.as_bytes());
        options.pattern =
            Some(pattern.ok_or("Invalid quoted string specified for --quoted-pattern")?);
    }
    options.mode = mode(args)?;
    Ok(options)
}

/// Some of redis-cli's modes do not exist here; better said than ignored.
fn refuse_unsupported(args: &Args) -> Result<(), String> {
    let unsupported = [
        (args.tls, "--tls"),
        (args.askpass, "--askpass"),
        (args.hotkeys, "--hotkeys"),
        (args.latency_dist, "--latency-dist"),
        (args.replica, "--replica"),
        (args.rdb.is_some(), "--rdb"),
        (args.functions_rdb.is_some(), "--functions-rdb"),
        (args.lru_test.is_some(), "--lru-test"),
        (args.intrinsic_latency.is_some(), "--intrinsic-latency"),
        (args.ldb || args.ldb_sync_mode, "--ldb"),
        (args.cluster, "--cluster"),
    ];
    match unsupported.into_iter().find(|(given, _)| *given) {
        Some((_, name)) => {
            Err(format!("{name} is not supported by stoa-cli yet; use redis-cli for it"))
        }
        None => Ok(()),
    }
}

fn output(args: &Args, tty: bool) -> Output {
    if args.quoted_json {
        Output::QuotedJson
    } else if args.json {
        Output::Json
    } else if args.csv {
        Output::Csv
    } else if args.no_raw || (tty && !args.raw) {
        Output::Human
    } else {
        Output::Raw
    }
}

fn interval(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("Invalid interval '{text}'; use seconds, such as 0.1"))
}

fn set_server(options: &mut Options, args: &Args) -> Result<(), String> {
    let (mut host, mut port) = ("127.0.0.1".to_owned(), 6379);
    if let Some(uri) = &args.uri {
        let uri: Uri = uri.parse().map_err(|error: stoa_client::UriError| error.to_string())?;
        host = uri.host.unwrap_or(host);
        port = uri.port.unwrap_or(port);
        options.db = uri.db.unwrap_or(0);
        options.auth = uri.password.map(|password| Auth { user: uri.user, password });
    }
    host = args.host.clone().unwrap_or(host);
    if let Some(given) = &args.port {
        port = given.parse().map_err(|_| "Invalid server port.".to_owned())?;
    }
    options.db = args.db.unwrap_or(options.db);
    options.endpoint = match &args.socket {
        Some(path) => Endpoint::Unix(path.clone()),
        None => Endpoint::Tcp { host, port },
    };
    Ok(())
}

/// The password of `-a` or the URI, else of the environment, where it does not show in `ps`.
fn set_login(options: &mut Options, args: &Args) -> Result<(), String> {
    if let Some(password) = &args.password {
        options.auth = Some(Auth { user: None, password: password.clone() });
    }
    if options.auth.is_some() && !args.no_auth_warning {
        complain(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may \
             not be safe.",
        );
    }
    if options.auth.is_none()
        && let Some(password) = std::env::var_os("REDISCLI_AUTH")
    {
        let password = password.into_string().map_err(|_| "REDISCLI_AUTH is no valid text")?;
        options.auth = Some(Auth { user: None, password });
    }
    if let (Some(auth), Some(user)) = (&mut options.auth, &args.user) {
        auth.user = Some(user.clone());
    }
    Ok(())
}

fn mode(args: Args) -> Result<Mode, String> {
    if args.latency || args.latency_history {
        return Ok(Mode::Latency { history: args.latency_history });
    }
    if args.pipe {
        return Ok(Mode::Pipe);
    }
    if args.stat {
        return Ok(Mode::Stat);
    }
    if args.scan {
        return Ok(Mode::Scan);
    }
    if args.bigkeys {
        return Ok(Mode::BigKeys(Measure::Elements));
    }
    if args.memkeys || args.memkeys_samples.is_some() {
        return Ok(Mode::BigKeys(Measure::Memory { samples: args.memkeys_samples }));
    }
    let mut words: Vec<Vec<u8>> = args.command.into_iter().map(OsString::into_vec).collect();
    if let Some(path) = args.eval {
        return Ok(Mode::Eval(Script { path, words }));
    }
    if let Some(first) = words.first().filter(|word| word.starts_with(b"-")) {
        let first = String::from_utf8_lossy(first);
        return Err(format!("Unrecognized option or bad number of args for: '{first}'"));
    }
    if args.quoted_input {
        for word in &mut words {
            *word = quote::unquote(word).ok_or("Invalid quoted string")?;
        }
    }
    if words.is_empty() {
        return Ok(Mode::Prompt);
    }
    add_stdin(&mut words, args.stdin_last, args.stdin_tag.as_deref())?;
    Ok(Mode::Command(words))
}

/// Puts what stdin holds behind the words, or where they have the tag.
fn add_stdin(
    words: &mut Vec<Vec<u8>>,
    last: bool,
    tag: Option<&std::ffi::OsStr>,
) -> Result<(), String> {
    if !last && tag.is_none() {
        return Ok(());
    }
    let mut input = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut input)
        .map_err(|error| format!("Could not read stdin: {error}"))?;
    let Some(tag) = tag else {
        words.push(input);
        return Ok(());
    };
    let mut tagged = words.iter_mut().skip(1).filter(|word| *word == tag.as_bytes());
    let Some(first) = tagged.next() else {
        return Err("Using -X option but stdin tag not match.".to_owned());
    };
    *first = input;
    Ok(())
}
