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
    /// None for the renewal of a lease that changed nothing: it stands nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<AnswerPosition>,
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
                    position: Some(AnswerPosition { shard, seq: position.seq, idx: position.idx }),
                    duplicate,
                })
            }
            Answered::Renewed => {
                let outcome = Outcome::Recorded.word();
                EventAnswer::Outcome(EventOutcome { outcome, code: None, position: None, duplicate: false })
            }
            Answered::UnknownWorkspace => Problem::unknown_workspace().into(),
            Answered::NotOwner => Problem::not_owner().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::decision::Position;
    use serde_json::json;

    #[test]
    fn a_renewal_that_changed_nothing_has_no_position() {
        let json = |answered: Answered| serde_json::to_value(EventAnswer::from(answered)).unwrap();
        assert_eq!(json(Answered::Renewed), json!({"outcome": "recorded"}));
        assert_eq!(EventAnswer::from(Answered::Renewed).status(), 200);
        let position = Position { seq: 7, idx: 1 };
        let (outcome, code) = (Outcome::Recorded, Reason::Recorded);
        let recorded = Answered::Outcome { shard: 3, outcome, code, position, duplicate: false };
        assert_eq!(json(recorded), json!({"outcome": "recorded", "position": {"shard": 3, "seq": 7, "idx": 1}}));
    }
}
