//! The command line as it is written. Names and meanings are redis-cli's.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

/// A client for Stoa and every server that speaks RESP.
///
/// Without a command, commands are read from a prompt, or line by line from stdin.
#[derive(Debug, Parser)]
#[command(
    name = "stoa-cli",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "Examples:
  stoa-cli set greeting hello
  cat photo.jpg | stoa-cli -x set photo
  stoa-cli -r 100 -i 1 info memory | grep used_memory_human:
  stoa-cli --scan --pattern 'user:*'
  stoa-cli --json hgetall user:1
  stoa-cli --pipe < requests.resp

Type \"help\" at the prompt for help on commands."
)]
pub(crate) struct Args {
    /// Server host name [default: 127.0.0.1]
    #[arg(short = 'h', value_name = "hostname", allow_hyphen_values = true)]
    pub host: Option<String>,
    /// Server port [default: 6379]
    #[arg(short = 'p', value_name = "port")]
    pub port: Option<String>,
    /// Server unix socket, instead of host name and port
    #[arg(short = 's', value_name = "socket")]
    pub socket: Option<PathBuf>,
    /// Password to log in with; the environment variable REDISCLI_AUTH is the safer place
    #[arg(short = 'a', long = "pass", value_name = "password", allow_hyphen_values = true)]
    pub password: Option<String>,
    /// User to log in as; needs a password
    #[arg(long, value_name = "username", allow_hyphen_values = true)]
    pub user: Option<String>,
    /// Ask for the password (not supported yet)
    #[arg(long, hide = true)]
    pub askpass: bool,
    /// Say nothing about passwords on the command line
    #[arg(long)]
    pub no_auth_warning: bool,
    /// Server as redis://user:password@host:port/database
    #[arg(short = 'u', value_name = "uri")]
    pub uri: Option<String>,
    /// Run the command this many times; -1 is for ever
    #[arg(short = 'r', value_name = "repeat", default_value_t = 1, allow_hyphen_values = true)]
    pub repeat: i64,
    /// Seconds between two runs of -r, lines of --stat, or pauses of --scan and --bigkeys
    #[arg(short = 'i', value_name = "interval", allow_hyphen_values = true)]
    pub interval: Option<String>,
    /// Database number
    #[arg(short = 'n', value_name = "db")]
    pub db: Option<u32>,
    /// Speak RESP2
    #[arg(short = '2')]
    pub resp2: bool,
    /// Speak RESP3
    #[arg(short = '3')]
    pub resp3: bool,
    /// Read the last argument from stdin
    #[arg(short = 'x')]
    pub stdin_last: bool,
    /// Read the argument written as this tag from stdin
    #[arg(short = 'X', value_name = "tag", allow_hyphen_values = true)]
    pub stdin_tag: Option<OsString>,
    /// Between the elements of a raw reply [default: a newline]
    #[arg(short = 'd', value_name = "delimiter", allow_hyphen_values = true)]
    pub delimiter: Option<OsString>,
    /// Behind each raw reply [default: a newline]
    #[arg(short = 'D', value_name = "delimiter", allow_hyphen_values = true)]
    pub reply_delimiter: Option<OsString>,
    /// Follow redirections of a cluster
    #[arg(short = 'c')]
    pub follow: bool,
    /// Exit with 1 when the command fails
    #[arg(short = 'e')]
    pub exit_on_error: bool,
    /// Print replies as they are (the default unless stdout is a terminal)
    #[arg(long)]
    pub raw: bool,
    /// Print replies for people even if stdout is no terminal
    #[arg(long)]
    pub no_raw: bool,
    /// Read the arguments as quoted strings
    #[arg(long)]
    pub quoted_input: bool,
    /// Print replies as CSV
    #[arg(long)]
    pub csv: bool,
    /// Print replies as JSON; speaks RESP3 unless -2 is given
    #[arg(long)]
    pub json: bool,
    /// As --json, with bytes beyond ASCII escaped
    #[arg(long)]
    pub quoted_json: bool,
    /// Whether to print RESP3 pushes [default: yes if stdout is a terminal]
    #[arg(long, value_name = "yes|no")]
    pub show_pushes: Option<String>,
    /// Print a line of server figures every interval
    #[arg(long)]
    pub stat: bool,
    /// Sample the time a PING takes; for one interval unless stdout is a terminal
    #[arg(long)]
    pub latency: bool,
    /// As --latency, starting anew every interval [default: 15 seconds]
    #[arg(long)]
    pub latency_history: bool,
    /// Send requests from stdin as they are, and count the replies
    #[arg(long)]
    pub pipe: bool,
    /// Seconds without reply after which --pipe gives up; 0 is never
    #[arg(long, value_name = "n", default_value_t = 30)]
    pub pipe_timeout: u64,
    /// Find the keys with most elements
    #[arg(long)]
    pub bigkeys: bool,
    /// Find the keys with most memory
    #[arg(long)]
    pub memkeys: bool,
    /// As --memkeys, from this many elements of each key; 0 is all
    #[arg(long, value_name = "n")]
    pub memkeys_samples: Option<u64>,
    /// List the keys, with SCAN
    #[arg(long)]
    pub scan: bool,
    /// Only keys that match, for --scan, --bigkeys and --memkeys
    #[arg(long, value_name = "pat", allow_hyphen_values = true)]
    pub pattern: Option<OsString>,
    /// As --pattern, as a quoted string
    #[arg(long, value_name = "pat", allow_hyphen_values = true)]
    pub quoted_pattern: Option<OsString>,
    /// Keys to ask for at a time, for --scan
    #[arg(long, value_name = "n")]
    pub count: Option<u64>,
    /// Run a Lua script from a file: --eval file key ... , argument ...
    #[arg(long, value_name = "file")]
    pub eval: Option<PathBuf>,
    /// Taken for the sake of scripts; there is nothing more to say
    #[arg(long, hide = true)]
    pub verbose: bool,
    /// Print this help and exit
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// Print the version and exit
    #[arg(short = 'v', long, action = ArgAction::Version)]
    pub version: Option<bool>,
    /// The command and its arguments
    #[arg(value_name = "command", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,

    #[arg(long, hide = true)]
    pub tls: bool,
    #[arg(long, hide = true)]
    pub hotkeys: bool,
    #[arg(long, hide = true)]
    pub latency_dist: bool,
    #[arg(long, hide = true)]
    pub replica: bool,
    #[arg(long, hide = true)]
    pub rdb: Option<OsString>,
    #[arg(long, hide = true)]
    pub functions_rdb: Option<OsString>,
    #[arg(long, hide = true)]
    pub lru_test: Option<OsString>,
    #[arg(long, hide = true)]
    pub intrinsic_latency: Option<OsString>,
    #[arg(long, hide = true)]
    pub ldb: bool,
    #[arg(long, hide = true)]
    pub ldb_sync_mode: bool,
    #[arg(long, hide = true)]
    pub cluster: bool,
}
