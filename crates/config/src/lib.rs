//! The directive table, and all that comes from it: defaults, configuration files, the command
//! line, CONFIG GET, SET and REWRITE, the documentation.
//!
//! One row a directive, in [`table`]. Nothing else in the house repeats a name, a default or a
//! bound. Pure: files are read by a function that the caller passes in, and nothing here knows a
//! clock, a thread or a socket.

mod config;
mod directive;
mod docs;
mod events;
mod line;
mod rewrite;
mod settings;
mod special;
mod startup;
pub mod table;
mod value;

pub use config::{Changed, Config, ConfigError, Origin};
pub use directive::{ADDRESSES_MAX, Directive, Kind, Mutability};
pub use docs::{default_conf, markdown, usage};
pub use events::{EventClass, EventClasses, Events};
pub use line::split_words;
pub use settings::{Driver, LogLevel, Permission, Remembers, Settings};
pub use special::{ClientClass, OutputLimit, SavePoint};
pub use startup::{Launch, Startup, StartupError, load};
pub use value::{Value, parse_memory};
