#![no_std]
extern crate alloc;
pub mod decision;
pub mod engine;
pub mod id;
pub mod input;
pub mod policy;
pub mod view;
pub mod wire;

pub use engine::{Answer, Engine, Limits, Output};
