//! The embedded journal: the same records and the same fold in one SQLite file (`journal-protocol.md` §7).
//!
//! `journal` has the file, its writer thread and the implementer of the trait; `disk` says how much room is left.
//! No decision is made here, and no record is judged but for the compare-and-append on the head.

pub mod disk;
mod journal;

pub use journal::{SqliteJournal, SqliteStore};
