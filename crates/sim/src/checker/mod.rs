//! Did it look as if one thread served everybody? A checker of what clients saw.
//!
//! [`serial`] takes transactions on lists and registers whose written values are all different, so
//! that a read tells whose write it saw. From that follow the order of versions and who must stand
//! before whom; a cycle is the proof that no serial order exists (Adya's anomalies, found the way
//! Kingsbury and Alvaro's Elle finds them). It is linear in the length of the history but for sorting,
//! so a run of millions is checked in portions.

mod graph;
mod lists;
mod registers;

pub mod serial;

mod txn;

pub use graph::{Cycle, Edge, Why};
pub use txn::{Anomaly, History, Key, Kind, Lists, Op, Outcome, Report, Txn, Verdict};
