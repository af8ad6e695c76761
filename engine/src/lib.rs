//! The pure core: one input or tick and a time in, effects and decisions out.
//!
//! No IO, no clock, no threads, no floats, no order of a hash table that could be seen: the same inputs and times give
//! the same bytes on every machine, and `no_std` is how a machine checks that. What it means is `routing.md`'s;
//! `state` holds what is, `step` and the files beside it decide.
#![no_std]
extern crate alloc;

pub mod calendar;
mod clock;
mod command;
mod configure;
mod contact;
mod control;
pub mod decision;
mod dispatch;
mod effect;
pub mod engine;
pub mod faults;
mod hours;
pub mod id;
pub mod input;
mod merge;
mod note;
mod offer;
mod pause;
pub mod policy;
mod presence;
mod queueing;
mod requirement;
mod review;
mod staff;
#[doc(hidden)]
pub mod state;
mod step;
mod timer;
mod transfer;
mod turn;
pub mod view;
mod waiting;
pub mod wire;

pub use engine::{Answer, Engine, Limits, Output};
pub use state::BrokenPromise;
