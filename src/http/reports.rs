//! Reports over a range of time as HTTP shows them: counts of queues and agents, and the rates made of them.
//!
//! The formulas are those of `load_tests::service_level`, which the player uses too.

#![allow(unused_qualifications, reason = "utoipa's macro writes one for `params`")]

use super::problem::Problem;
use crate::workload::{AgentCounts, Range};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use connectors::codec::{parse_timestamp, timestamp};
use load_tests::service_level::{Compliance, Counts, Excluded, occupancy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

const REACH_MS: u64 = 8 * 86_400_000;

/// Which time the reports are about. Without either: since midnight UTC.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// RFC 3339, at most eight days ago; counted are whole quarters of an hour, so it is rounded down to one.
    from: Option<String>,
    /// RFC 3339, rounded up to a quarter of an hour; absent: now.
    to: Option<String>,
}

impl ReportQuery {
    pub fn range(query: Result<Query<ReportQuery>, QueryRejection>, now: u64) -> Result<Range, Problem> {
        let Query(query) =
            query.map_err(|rejection| Problem::new(400, "query", "wrong_type", rejection.body_text()))?;
        let at = |field: &str, text: &Option<String>| {
            let parsed = text.as_deref().map(|text| (text, parse_timestamp(text)));
            match parsed {
                None => Ok(None),
                Some((_, Some(at))) => Ok(Some(at)),
                Some((text, None)) => {
                    Err(Problem::new(400, field, "wrong_type", format!("{text:?} is not a time as in RFC 3339")))
                }
            }
        };
        let (from, to) = (at("from", &query.from)?, at("to", &query.to)?);
        let from = match (from, to) {
            (None, None) => return Ok(Range::today(now)),
            (None, Some(_)) => return Err(Problem::new(400, "from", "missing", "to without from says no range")),
            (Some(from), _) => from,
        };
        let to = to.unwrap_or(now + 1);
        if from > now {
            return Err(Problem::new(400, "from", "in_the_future", "from lies in the future"));
        }
        if to <= from {
            return Err(Problem::new(400, "to", "empty_range", "to has to be later than from"));
        }
        if from < now.saturating_sub(REACH_MS) {
            return Err(Problem::new(400, "from", "too_old", "reports reach back eight days"));
        }
        Ok(Range::around(from, to))
    }
}

/// What the reports of an answer are about, in whole quarters of an hour.
#[derive(Serialize, ToSchema)]
pub struct ReportRange {
    from: String,
    to: String,
    /// False: so many queues and agents are busy that not all of it is kept.
    complete: bool,
}

impl ReportRange {
    pub fn of(range: Range, known_from: u64) -> ReportRange {
        ReportRange { from: timestamp(range.from), to: timestamp(range.to), complete: range.from >= known_from }
    }
}

/// What came of the entries into a queue in that time, and of the work done in it. Rates are null where there is nothing
/// to divide by. Times in seconds.
#[derive(Serialize, ToSchema)]
pub struct QueueReport {
    entries: u64,
    answered: u64,
    /// With a wait of at most the service level's threshold T, from the entry.
    answered_in_time: u64,
    /// Without short abandons.
    abandoned: u64,
    abandoned_in_time: u64,
    /// T passed while they waited, whatever followed; those who wait still among them.
    late: u64,
    /// Outside the service level, by why.
    excluded: ExcludedReport,
    /// answered_in_time / (answered_in_time + late + abandoned_in_time)
    service_level: Option<f64>,
    /// answered_in_time / answered
    of_answered: Option<f64>,
    /// (answered_in_time + abandoned_in_time) / (answered + abandoned)
    sl2: Option<f64>,
    /// answered_in_time / entries, without short abandons
    of_arrivals: Option<f64>,
    /// answered_in_time / (answered + abandoned after T)
    without_early_abandons: Option<f64>,
    /// Mean wait of the answered ones.
    asa_s: Option<f64>,
    /// abandoned / (answered + abandoned)
    abandonment: Option<f64>,
    /// Times that somebody had a conversation and has it no more.
    handled: u64,
    /// Mean of work and wrap-up.
    aht_s: Option<f64>,
    /// Mean over turns, from the customer's oldest unanswered message to the answer.
    average_response_s: Option<f64>,
    /// From the first message to the first resolve, and to the last one so far.
    first_resolution_s: Option<f64>,
    final_resolution_s: Option<f64>,
    /// By kind: first_response, next_response, resolution, queue_wait, reply_window.
    clocks: BTreeMap<&'static str, ClockReport>,
}

#[derive(Serialize, ToSchema)]
pub struct ExcludedReport {
    short_abandoned: u64,
    deflected: u64,
    overflowed: u64,
    transferred: u64,
    closed: u64,
}

/// Clocks of one kind that ended in that time.
#[derive(Serialize, ToSchema)]
pub struct ClockReport {
    met: u64,
    missed: u64,
    /// Outside averages and compliance.
    cancelled: u64,
    /// met / (met + missed)
    compliance: Option<f64>,
    /// Means of completed ones: nothing subtracted, and within business hours.
    mean_wall_s: Option<f64>,
    mean_business_s: Option<f64>,
}

/// What an agent did in that time.
#[derive(Serialize, ToSchema)]
pub struct AgentReport {
    /// Conversations that became his.
    assigned: u64,
    /// Conversations that he had and has no more.
    handled: u64,
    /// Answers of his that a response clock was running for.
    replied: u64,
    resolved: u64,
    /// Units held by work and wrap-up, times seconds.
    unit_seconds: f64,
    /// Units that he had while online or finishing, times seconds.
    online_unit_seconds: f64,
    /// unit_seconds / online_unit_seconds
    occupancy: Option<f64>,
    /// Mean over the turns that he answered.
    average_response_s: Option<f64>,
}

impl QueueReport {
    pub fn of(counts: &Counts) -> QueueReport {
        let kinds = [
            ("first_response", &counts.first_response),
            ("next_response", &counts.next_response),
            ("resolution", &counts.resolution),
            ("queue_wait", &counts.queue_wait),
            ("reply_window", &counts.reply_window),
        ];
        let clocks = kinds.into_iter().filter(|(_, clock)| clock.met + clock.missed + clock.cancelled > 0);
        QueueReport {
            entries: counts.entries,
            answered: counts.answered(),
            answered_in_time: counts.answered_in_time,
            abandoned: counts.abandoned(),
            abandoned_in_time: counts.abandoned_in_time,
            late: counts.late,
            excluded: ExcludedReport::of(&counts.excluded),
            service_level: counts.service_level(),
            of_answered: counts.of_answered(),
            sl2: counts.sl2(),
            of_arrivals: counts.of_arrivals(),
            without_early_abandons: counts.without_early_abandons(),
            asa_s: counts.asa_s(),
            abandonment: counts.abandonment(),
            handled: counts.handled,
            aht_s: counts.aht_s(),
            average_response_s: counts.average_response_s(),
            first_resolution_s: counts.first_resolution.mean_s(),
            final_resolution_s: counts.final_resolution.mean_s(),
            clocks: clocks.map(|(kind, clock)| (kind, ClockReport::of(clock))).collect(),
        }
    }
}

impl ExcludedReport {
    fn of(excluded: &Excluded) -> ExcludedReport {
        let Excluded { short_abandoned, deflected, overflowed, transferred, closed } = *excluded;
        ExcludedReport { short_abandoned, deflected, overflowed, transferred, closed }
    }
}

impl ClockReport {
    fn of(clock: &Compliance) -> ClockReport {
        ClockReport {
            met: clock.met,
            missed: clock.missed,
            cancelled: clock.cancelled,
            compliance: clock.share(),
            mean_wall_s: clock.took.mean_wall_s(),
            mean_business_s: clock.took.mean_business_s(),
        }
    }
}

impl AgentReport {
    pub fn of(counts: &AgentCounts) -> AgentReport {
        AgentReport {
            assigned: counts.assigned,
            handled: counts.handled,
            replied: counts.replied,
            resolved: counts.resolved,
            unit_seconds: counts.held_unit_ms as f64 / 1e3,
            online_unit_seconds: counts.online_unit_ms as f64 / 1e3,
            occupancy: occupancy(counts.held_unit_ms, counts.online_unit_ms),
            average_response_s: counts.turns.mean_s(),
        }
    }
}
