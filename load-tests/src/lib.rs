//! The player: the customers and the agents of a contact center, played from a workload.
//!
//! `simulate` plays on an engine inside the process in virtual time, `replay` on a live one over HTTP or Kafka in
//! (scaled) real time; both share `player` (who does what when) and `figures` (what came of it). `generate` writes
//! workloads. Called by the commands of the same names and by tests; nothing here decides who answers whom.
//!
//! | where | what |
//! |---|---|
//! | `workload` | the file: lines, checks, `--from` and `--to` |
//! | `course` | what an arrival does beyond being answered: bot, offers, wrap-up, turns, transfer, reopening |
//! | `load` | `--load`: K times the arrivals |
//! | `player` | at one instant: ends of work, then lines in file order, then leavers |
//! | `seen` | what of a decision the player looks at |
//! | `service_level` | service levels, ASA, abandonment and the like as functions of counts |
//! | `figures` | shares, waits, occupancy, the comparison with what was observed |
//! | `simulate` | virtual time, the digest |
//! | `replay` | open-loop sending, following decisions, latencies |
//! | `generate` | M/M/c and the like |
//! | `theory` | systems whose figures are known, judged |

pub mod course;
pub mod figures;
pub mod generate;
mod load;
pub mod names;
pub mod player;
pub mod progress;
pub mod replay;
pub mod seen;
pub mod service_level;
pub mod simulate;
pub mod theory;
pub mod workload;

pub use generate::{CourseArgs, GenerateArgs};
pub use replay::ReplayArgs;
pub use simulate::SimulateArgs;
pub use theory::TheoryArgs;
