//! Runs one command on one shard's keys.
//!
//! The engine is *given* its table and knows no command by name; it knows no bytes of a protocol
//! either: arguments come as slices, answers leave through the [`Reply`] trait. Nothing here waits,
//! reads a clock or opens a file. What a command wants from the world around it (close that client,
//! stop the server) it writes down as an [`Order`], which the shard carries out after the command.

mod asking;
mod block;
mod borrowed;
mod busy;
mod capture;
mod context;
mod copying;
mod memory;
mod migration;
mod multi;
mod node;
mod publish;
mod reply;
mod run;
mod script;
mod session;
mod stored;
mod table;
mod tally;
mod trace;
mod tracking;

pub use asking::{Asking, Question};
pub use block::{Block, Blocking, Job, OnTimeout};
pub use borrowed::{Borrowed, run_unrouted};
pub use busy::{PausedScript, ScriptBoard};
pub use capture::Captured;
pub use context::{Ctx, Walk, WalkStep};
pub use copying::{COPY_LEN, SlowCopy};
pub use memory::{Memory, MemoryBoard, OUT_OF_MEMORY};
pub use migration::{Migrated, Migration, Target};
pub use multi::{Multi, Queue, QueueReach, QueuedKey, exec};
pub use node::{
    Facts, Node, Observed, Order, PauseMode, ProcessFacts, ShutdownMode, Snapshots, World,
};
pub use reply::{Proto, Reply};
pub use run::{Refusal, Verdict, admit, admit_found, refuse, refuse_exec, run};
pub use script::{Escape, Figures, Reach, ScriptCall, Scripts};
pub use session::{ReplyMode, Session, SessionRow, Sessions, Watching};
pub use stoa_config::EventClass as Class;
pub use stoa_pubsub::Kind;
pub use stored::{access, head, restored, stored, stored_value};
pub use table::{Command, Entry, Lately, Part, Table, entry};
pub use trace::{Sample, Stage, Tracer};
pub use tracking::{TrackEvent, Tracker, Tracking, TrackingMode};
