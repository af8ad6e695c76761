//! What an event over HTTP is answered with: one outcome or one problem, alone or as a line of a batch's answer.

use super::problem::Problem;
use crate::ingest::Answered;
use engine::decision::{Outcome, Reason};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a decision stands in the journal.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AnswerPosition {
    pub shard: u16,
    pub seq: u64,
    pub idx: u32,
}

/// The committed outcome of an event. What was decided is read at the position.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventOutcome {
    /// decided, recorded, ignored or rejected.
    pub outcome: &'static str,
    /// Why it was ignored or rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    pub position: AnswerPosition,
    /// True where the event was seen before: this is the first outcome.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// One event's answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventAnswer {
    Outcome(EventOutcome),
    Problem(Problem),
}

impl EventAnswer {
    pub fn status(&self) -> u16 {
        match self {
            EventAnswer::Outcome(_) => 200,
            EventAnswer::Problem(problem) => problem.status,
        }
    }
}

impl From<Problem> for EventAnswer {
    fn from(problem: Problem) -> EventAnswer {
        EventAnswer::Problem(problem)
    }
}

impl From<Answered> for EventAnswer {
    fn from(answered: Answered) -> EventAnswer {
        match answered {
            Answered::Outcome { shard, outcome, code, position, duplicate } => {
                let told = matches!(outcome, Outcome::Ignored | Outcome::Rejected) && code != Reason::None;
                EventAnswer::Outcome(EventOutcome {
                    outcome: outcome.word(),
                    code: told.then(|| code.word()),
                    position: AnswerPosition { shard, seq: position.seq, idx: position.idx },
                    duplicate,
                })
            }
            Answered::UnknownWorkspace => Problem::unknown_workspace().into(),
            Answered::NotOwner => Problem::not_owner().into(),
        }
    }
}
