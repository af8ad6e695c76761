//! What the workspaces of a shard share: timers, links, counters.

use crate::memory::Links;
use crate::timers::Timers;
use engine::id::HashKey;

pub struct Shard {
    pub key: HashKey,
    pub links: Links,
    pub timers: Timers,
    pub next_creation: u64,
    /// Id of the next offer.
    pub next_offer: u64,
    pub agents: usize,
    /// Behind its log: offers have no end until it has caught up.
    pub is_behind: bool,
}

impl Shard {
    pub fn new(key: HashKey) -> Shard {
        Shard {
            key,
            links: Links::default(),
            timers: Timers::default(),
            next_creation: 0,
            next_offer: 1,
            agents: 0,
            is_behind: false,
        }
    }
}
