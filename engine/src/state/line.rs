//! The line of one requirement set: who waits, best first.
//!
//! A four-ary heap on (class, virtual arrival, arrival, creation number) whose members know their place, so that one who
//! leaves from the middle costs a logarithm and nothing is ever allocated for a move. Appending in order, the usual
//! case, costs one comparison (`performance.md`, waiting).

use super::conversation::Conversation;
use alloc::vec::Vec;

/// A place in line; the derived order is the order of service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Strict class, lower first; 0: promoted.
    pub class: u8,
    /// Arrival minus head start, ms; may lie before 1970.
    pub key: i64,
    pub arrival: u64,
    pub number: u64,
    pub conversation: u32,
}

#[derive(Default)]
pub struct Line {
    heap: Vec<Place>,
}

const ARITY: usize = 4;

impl Line {
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    #[inline]
    pub fn head(&self) -> Option<&Place> {
        self.heap.first()
    }

    /// In no particular order.
    pub fn places(&self) -> &[Place] {
        &self.heap
    }

    pub fn push(&mut self, place: Place, rows: &mut [Conversation]) {
        let at = self.heap.len();
        self.heap.push(place);
        rows[place.conversation as usize].place_in_line = at as u32;
        self.up(at, rows);
    }

    pub fn remove(&mut self, conversation: u32, rows: &mut [Conversation]) {
        let at = rows[conversation as usize].place_in_line as usize;
        assert!(
            self.heap.get(at).is_some_and(|p| p.conversation == conversation),
            "a conversation lost its place in line"
        );
        let last = self.heap.len() - 1;
        self.heap.swap(at, last);
        self.heap.pop();
        rows[conversation as usize].place_in_line = u32::MAX;
        if at < last {
            rows[self.heap[at].conversation as usize].place_in_line = at as u32;
            self.up(at, rows);
            self.down(at, rows);
        }
    }

    fn up(&mut self, mut at: usize, rows: &mut [Conversation]) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if self.heap[parent] <= self.heap[at] {
                break;
            }
            self.swap(at, parent, rows);
            at = parent;
        }
    }

    fn down(&mut self, mut at: usize, rows: &mut [Conversation]) {
        loop {
            let first = at * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(best) = children.min_by_key(|c| self.heap[*c]) else { break };
            if self.heap[at] <= self.heap[best] {
                break;
            }
            self.swap(at, best, rows);
            at = best;
        }
    }

    fn swap(&mut self, a: usize, b: usize, rows: &mut [Conversation]) {
        self.heap.swap(a, b);
        rows[self.heap[a].conversation as usize].place_in_line = a as u32;
        rows[self.heap[b].conversation as usize].place_in_line = b as u32;
    }
}
