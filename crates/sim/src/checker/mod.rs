//! Did it look as if one thread served everybody? Two checkers of what clients saw.
//!
//! [`serial`] takes transactions on lists and registers whose written values are all different, so
//! that a read tells whose write it saw. From that follow the order of versions and who must stand
//! before whom; a cycle is the proof that no serial order exists (Adya's anomalies, found the way
//! Kingsbury and Alvaro's Elle finds them). It is linear in the length of the history but for sorting,
//! so a run of millions is checked in portions.
//!
//! [`search`] takes any commands that [`spec`] can explain, also those that hide what they did
//! (RENAME, INCR, COPY), and looks for an order by trying (Wing and Gong, with Lowe's memo). It needs
//! few clients and gives up in the open: *inconclusive* is never a pass.

mod graph;
mod lists;
mod registers;
pub mod search;
pub mod serial;
pub mod spec;
mod txn;

pub use graph::{Cycle, Edge, Why};
pub use txn::{Anomaly, History, Key, Kind, Lists, Op, Outcome, Report, Txn, Verdict};
