//! Strowger: the automatic exchange for customer conversations. This crate is the process; it knows both sides.
//!
//! The pipeline. Each stage is one place (design.md §3):
//!
//! | stage | thread | unit | where |
//! |---|---|---|---|
//! | bytes -> record: Kafka consumer, embedded log, HTTP | source | batch | `consumer`, `http`, `ingest` |
//! | record -> event: codec, normalizers | source (as many as needed) | record | `connectors::codec` |
//! | event -> shard: bounded lock-free ring, by workspace | source -> shard | event | `ring`, `ingest` |
//! | **event + now -> effects and decisions: the engine** | shard, one thread, single writer | event | `engine`, driven by `shard` |
//! | effects -> journal: one record for a batch of events | shard -> journal | batch | `shard`, `connectors::{journal, sqlite, kafka}` |
//! | journal accepted -> decisions out, HTTP answered, views and metrics updated | publisher | batch | `publisher`, `relay`, `workload` |
//!
//! Nothing else decides; nothing in the middle can see a clock, a thread or a socket. Full rings push back to the
//! source; nothing grows without bound. `serve` puts the stages together and takes them apart again.

pub mod calendars;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod configure;
pub mod consumer;
pub mod decision_reader;
pub mod demo;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod publisher;
pub mod recovery;
pub mod relay;
pub mod review;
pub mod ring;
pub mod serve;
pub mod shard;
pub mod sources;
pub mod standing;
pub mod top;
pub mod workload;
