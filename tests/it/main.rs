//! The one integration binary: behaviours of the running program, each in the file of its name.
//!
//! Tests that need a program or a service that is not there print one line that begins with `skipped:` and pass;
//! scripts/test.sh gathers these lines and `.ci/run` fails on them.

mod bad_input;
mod behaviours;
mod calendar;
mod calendars;
mod complaints;
mod dead_letters;
mod demo;
mod floor;
mod forwarding;
mod fuzz;
mod histories;
mod http;
mod incidents;
mod kill;
mod licences;
mod live;
mod metrics;
mod node;
mod on_kafka;
mod player;
mod readme;
mod recovery;
mod review;
mod routing;
mod sync_calls;
mod takeover;
