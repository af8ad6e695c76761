//! Plays generated histories until the first that fails: `play FROM TO EVENTS`, both seeds included. Built by `scripts/planted.py`, which
//! puts `new_pair` and `make` of `tests/it/histories.rs` beside it, in a copy of the tree.

#![allow(dead_code)]

mod histories {
    pub mod checker;
    pub mod drawn_policy;
    pub mod events;
    pub mod generator;
    pub mod pair;
    pub mod policies;
    pub mod world;
}

use engine::Limits;
use engine::decision::Told;
use histories::events::Sender;
use histories::generator::{Before, Generator, Move, Restart, Ticks};
use histories::pair::Pair;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

include!("moves.rs");

/// Where the last panic was.
static PANICKED_AT: Mutex<String> = Mutex::new(String::new());

fn main() {
    let mut given = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("FROM TO EVENTS"));
    let (Some(from), Some(to), Some(events)) = (given.next(), given.next(), given.next()) else {
        panic!("FROM TO EVENTS")
    };
    std::panic::set_hook(Box::new(|panic| {
        *PANICKED_AT.lock().expect("nobody panics here") = panic.location().map_or(String::new(), |at| at.to_string());
    }));
    for seed in from..=to {
        if let (event, Err(failure)) = play(seed, events) {
            println!("{seed}\t{event}\t{}", failure.replace('\n', " "));
            return;
        }
    }
}

/// The history's outcome, and the event at which it ended.
fn play(seed: u64, events: u64) -> (u64, Result<(), String>) {
    let mut generator = Generator::new(seed);
    let limits = generator.limits();
    let mut event = 0;
    let found = catch_unwind(AssertUnwindSafe(|| {
        let mut pair = new_pair(limits);
        while event < events {
            event += 1;
            let one = generator.next(pair.engine.wants_tick_at());
            generator.hear(&make(&mut pair, &one)?);
        }
        pair.seal()
    }));
    let found = found.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Err(format!("panic: {}: {text}", PANICKED_AT.lock().expect("nobody panics here")))
    });
    (event, found)
}
