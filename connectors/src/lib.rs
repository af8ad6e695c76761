//! Bytes and the world: what stands between the pure `engine` and everything outside it.
//!
//! `codec` turns bytes into inputs and decisions into bytes, `calendar` opening hours into UTC openings, `workspace_file`
//! reads a workspace's TOML, `journal` is the record and its fold with the trait that `sqlite` and `kafka` implement;
//! `kafka` also has the source and the relay.
//! The process (threads, rings, HTTP, configuration) is not here: nothing in this crate knows `src/`.

pub mod calendar;
pub mod codec;
pub mod journal;
pub mod kafka;
pub mod sqlite;
pub mod workspace_file;
