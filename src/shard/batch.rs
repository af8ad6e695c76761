//! The batch being decided: what becomes the next record, and who waits for it.

use crate::publisher::Reply;
use crate::workload::Judged;
use connectors::kafka::relay::DeadLetter;
use engine::Output;
use engine::input::Input;
use engine::wire::Wire;
use std::sync::Arc;
use std::time::Instant;

/// A batch closes before 768 KiB (design.md §4). A step adds at most 192 KiB, an input without text at most 64 KiB.
const BYTES_BEFORE_A_STEP_MAX: usize = (768 - 192 - 64) * 1024;
/// Answers that one commit gives at most.
const REPLIES_MAX: usize = 4_096;

#[derive(Default)]
pub struct OpenBatch {
    pub out: Output,
    pub inputs: Vec<u8>,
    /// The next input after those taken.
    pub to: u64,
    /// The one `now` of all steps of a batch at the end of the log; none before the first, and while behind.
    pub now: Option<u64>,
    pub last_now: u64,
    pub behind: bool,
    /// A `workspace.configure` is a batch of its own.
    pub alone: bool,
    pub replies: Vec<Reply>,
    pub judged: Vec<Judged>,
    pub letters: Vec<DeadLetter>,
    /// An input was taken that wants a record, if only to say that it is behind us. One that changes nothing does not.
    pub takes_input: bool,
    begun: bool,
    steps: usize,
}

/// What waits for the ack of a record.
#[derive(Debug)]
pub struct InFlight {
    pub record: Arc<[u8]>,
    pub replies: Vec<Reply>,
    pub judged: Vec<Judged>,
    pub letters: Vec<DeadLetter>,
    pub submitted_at: Instant,
}

impl OpenBatch {
    /// Starts record `seq`, whose inputs follow `next_input` and those in flight.
    pub fn begin(&mut self, seq: u64, next_input: u64) {
        let to = self.to;
        self.clear();
        self.out.begin(seq);
        self.to = to.max(next_input);
        self.begun = true;
    }

    /// A step is about to be made at `now`.
    pub fn step_at(&mut self, seq: u64, next_input: u64, now: u64, behind: bool) {
        if !self.begun {
            self.begin(seq, next_input);
        }
        if self.is_empty() {
            self.behind = behind;
        }
        debug_assert_eq!(self.out.seq, seq, "a batch is decided for the record it becomes");
        if !behind {
            self.now = Some(now);
        }
        self.last_now = now;
        self.steps += 1;
    }

    pub fn record_input(&mut self, input: &Input) {
        input.put(&mut self.inputs);
        self.to += 1;
        self.takes_input = true;
    }

    /// No step was made in it.
    pub fn is_empty(&self) -> bool {
        !self.begun || (self.steps == 0 && self.out.effects.is_empty())
    }

    pub fn has_room(&self) -> bool {
        let bytes = self.out.effects.len() + self.out.decisions.len() + self.inputs.len();
        !self.alone && bytes < BYTES_BEFORE_A_STEP_MAX && self.replies.len() < REPLIES_MAX
    }

    /// Whether a step of this kind of time may join it.
    pub fn takes(&self, behind: bool) -> bool {
        self.is_empty() || (!self.alone && behind == self.behind)
    }

    /// The owner appends no record without effects, except to move `next_input` (rule 5).
    pub fn is_worth_a_record(&self) -> bool {
        self.begun && (!self.out.effects.is_empty() || self.takes_input)
    }

    /// The record is on its way: what waits for it, and an empty batch again. `to` stays: the next one follows it.
    pub fn close(&mut self, record: Arc<[u8]>) -> InFlight {
        let in_flight = InFlight {
            record,
            replies: std::mem::take(&mut self.replies),
            judged: std::mem::take(&mut self.judged),
            letters: std::mem::take(&mut self.letters),
            submitted_at: Instant::now(),
        };
        let to = self.to;
        self.clear();
        self.to = to;
        in_flight
    }

    /// Who waits for what leaves no record.
    pub fn take_answers(&mut self) -> (Vec<Reply>, Vec<Judged>) {
        (std::mem::take(&mut self.replies), std::mem::take(&mut self.judged))
    }

    /// Forgets what was decided in it.
    pub fn clear(&mut self) {
        self.out.begin(0);
        self.inputs.clear();
        self.replies.clear();
        self.judged.clear();
        self.letters.clear();
        self.takes_input = false;
        self.to = 0;
        self.now = None;
        self.behind = false;
        self.alone = false;
        self.begun = false;
        self.steps = 0;
    }
}
