//! What a review says, as numbers: the same for the page and for JSON, which is this structure as it stands.
//!
//! Durations are in seconds and say so in their names, shares are from 0 to 1 and null where there is nothing to divide by,
//! times are RFC 3339 in UTC but for those called `local`, which are in the review's zone. Everything is in a fixed order:
//! groups by name, series by time, lists as said there. Formulas are those of `load_tests::service_level`.

use load_tests::service_level::{Compliance, Counts, Excluded};
use serde::Serialize;
use std::collections::BTreeMap;

/// Items of a list that are shown at most, on the page and in JSON.
pub const LISTED_MAX: usize = 20;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Of this structure: rises where a field changes its meaning or goes.
    pub format: u32,
    pub workspace: String,
    /// From this moment on, RFC 3339 UTC.
    pub from: String,
    /// Before this moment.
    pub to: String,
    /// IANA name of the zone of days, hours and `local` times.
    pub zone: String,
    pub made_at: String,
    pub journal: JournalRead,
    /// In force at some time of the range, in order.
    pub policies: Vec<PolicyInForce>,
    /// Sentences: what these figures do not have in them.
    pub left_out: Vec<String>,
    /// What the last policy of the range asks for.
    pub targets: Targets,
    /// All entries, work and clocks together.
    pub all: Group,
    /// Judged contacts by the goal of their queue: what share had to be answered in time, so that each queue had reached its
    /// goal. Queues without a goal in the policy are left out.
    pub service_level_goal: Option<f64>,
    pub queues_at_goal: u64,
    /// Queues that have a goal and a service level.
    pub queues_with_goal: u64,
    pub by_queue: Vec<Group>,
    pub by_channel: Vec<Group>,
    pub by_tier: Vec<Group>,
    pub by_agent: Vec<AgentGroup>,
    /// Width of the pieces of `timeline`.
    pub timeline_piece_s: u64,
    /// Entries by the time of the entry. Pieces without any are in it, with zeros.
    pub timeline: Vec<Piece>,
    /// One for each local day that the range touches.
    pub by_day: Vec<Day>,
    /// Of queues that somebody came into, by local day.
    pub by_queue_and_day: Vec<QueueDays>,
    /// Entries by local weekday, from Monday, and hour.
    pub entries_by_hour_of_week: [[u64; 24]; 7],
    /// Of these, T passed while they waited.
    pub late_by_hour_of_week: [[u64; 24]; 7],
    /// Upper bounds of the pieces of `waits`; a last piece has what is longer.
    pub wait_bounds_s: Vec<u64>,
    pub waits: Vec<Waits>,
    /// Asynchronous conversations that ended without a person ever having had them, the longest first.
    pub missed: Listed<Missed>,
    /// Clocks whose target passed in the range, by kind: what came of them.
    pub slow_by_clock: BTreeMap<&'static str, SlowCounts>,
    /// The same one by one, the furthest beyond its target first.
    pub slow: Listed<Slow>,
    /// Replies of somebody who did not own the conversation, the latest first.
    pub collisions: Listed<Collision>,
    pub lost_context: Vec<LostContext>,
    pub handovers: Handovers,
    pub reopens: u64,
    /// Queues with reopens.
    pub reopens_by_queue: BTreeMap<String, u64>,
    pub escalations: Vec<Escalations>,
    /// Queues that were closed at some time of the range, by command or calendar.
    pub closures: Vec<Closure>,
    /// Conversations that a way out parked, deflected or closed, by why.
    pub turned_away: Vec<TurnedAway>,
}

/// What was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JournalRead {
    /// The journal's id in hex, as in the source of its decisions.
    pub id: String,
    /// The shard that the workspace lives in.
    pub shard: u16,
    /// The last batch that was read.
    pub seq: u64,
    /// The last decision that was read, SEQ.IDX; null: there is none.
    pub decision: Option<String>,
    /// Engine time of that batch. What happened later is not known here.
    pub known_until: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct PolicyInForce {
    pub version: u64,
    /// Since when.
    pub since: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Targets {
    pub clocks: Vec<ClockTarget>,
}

/// A target of a clock. Null: of every queue, tier, channel; the first that fits counts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClockTarget {
    pub clock: &'static str,
    pub queue: Option<String>,
    pub tier: Option<String>,
    pub channel: Option<String>,
    pub target_s: f64,
}

/// Entries into queues and what came of them, and the work and the clocks of the same queue, channel or tier. Entries and
/// their verdicts belong to the time of the entry, also where a verdict fell after the range; work and clocks to the time
/// in which they ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Group {
    /// The name of the queue, channel or tier; empty: all, or those without one.
    pub name: String,
    /// Of a queue: the policy's goal and threshold T.
    pub goal: Option<f64>,
    pub threshold_s: Option<f64>,
    pub entries: u64,
    pub answered: u64,
    pub answered_in_time: u64,
    /// Without short abandons.
    pub abandoned: u64,
    pub abandoned_in_time: u64,
    /// T passed while they waited, whatever followed.
    pub late: u64,
    /// They wait, and T has not passed.
    pub undecided: u64,
    pub excluded: Excluded,
    /// answered_in_time / (answered_in_time + late + abandoned_in_time)
    pub service_level: Option<f64>,
    /// answered_in_time / answered
    pub of_answered: Option<f64>,
    /// (answered_in_time + abandoned_in_time) / (answered + abandoned)
    pub sl2: Option<f64>,
    /// answered_in_time / entries, without short abandons
    pub of_arrivals: Option<f64>,
    /// answered_in_time / (answered + abandoned after T)
    pub without_early_abandons: Option<f64>,
    /// Mean wait of the answered ones.
    pub asa_s: Option<f64>,
    /// abandoned / (answered + abandoned)
    pub abandonment: Option<f64>,
    /// Times that somebody had a conversation and has it no more.
    pub handled: u64,
    pub work_s: f64,
    /// work_s / handled, without wrap-up, whose end no decision tells.
    pub mean_work_s: Option<f64>,
    /// Mean over turns, from the customer's oldest unanswered message to the answer.
    pub average_response_s: Option<f64>,
    /// Means from the first message to the first resolve, and to the last one so far.
    pub first_resolution_s: Option<f64>,
    pub final_resolution_s: Option<f64>,
    /// By kind: first_response, next_response, resolution, queue_wait, reply_window; those that ended at all.
    pub clocks: BTreeMap<&'static str, Clocks>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Clocks {
    pub met: u64,
    pub missed: u64,
    /// Outside averages and compliance.
    pub cancelled: u64,
    /// met / (met + missed)
    pub compliance: Option<f64>,
    /// Means of those met and missed: nothing subtracted, and in business hours.
    pub mean_wall_s: Option<f64>,
    pub mean_business_s: Option<f64>,
}

/// What an agent did in the range, as the decisions credit it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AgentGroup {
    pub name: String,
    /// As told last.
    pub team: String,
    /// Online in some way: neither away, nor offline, nor off shift.
    pub online_s: f64,
    /// Conversations that became his.
    pub assigned: u64,
    /// Of those that waited in a queue until then: within T, and later.
    pub answered_in_time: u64,
    pub answered_late: u64,
    /// answered_in_time / (answered_in_time + answered_late)
    pub of_answered: Option<f64>,
    /// Conversations that he had and has no more.
    pub handled: u64,
    pub work_s: f64,
    pub mean_work_s: Option<f64>,
    pub resolved: u64,
    /// Answers of his that a response clock was running for.
    pub replied: u64,
    pub average_response_s: Option<f64>,
    /// Met and missed by him, by kind.
    pub clocks: BTreeMap<&'static str, Clocks>,
    pub offers: Offers,
    /// Transfers and releases of his.
    pub handovers: u64,
    pub handovers_without_note: u64,
    /// Replies of his to what another had.
    pub collisions: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Offers {
    pub accepted: u64,
    pub declined: u64,
    pub expired: u64,
    /// Taken back, or answered elsewhere.
    pub withdrawn: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Piece {
    /// When it begins, `YYYY-MM-DD hh:mm`.
    pub local: String,
    pub entries: u64,
    pub answered: u64,
    pub answered_in_time: u64,
    /// Answered or not.
    pub late: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Day {
    /// `YYYY-MM-DD`
    pub local: String,
    pub entries: u64,
    pub answered_in_time: u64,
    /// answered_in_time + late + abandoned_in_time: what the service level is a share of.
    pub judged: u64,
    pub service_level: Option<f64>,
    pub abandonment: Option<f64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct QueueDays {
    pub queue: String,
    pub goal: Option<f64>,
    /// As many as `by_day`.
    pub days: Vec<Day>,
}

/// How many waited how long in a queue, by `wait_bounds_s`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waits {
    pub queue: String,
    pub threshold_s: Option<f64>,
    pub answered: Vec<u64>,
    /// Short abandons among them.
    pub abandoned: Vec<u64>,
}

/// At most `LISTED_MAX` of them are shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listed<T> {
    pub total: u64,
    /// total - shown
    pub more: u64,
    pub shown: Vec<T>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Missed {
    pub conversation: String,
    pub customer: String,
    pub queue: String,
    pub channel: String,
    pub tier: String,
    pub ended_at: String,
    /// From its first message to its end.
    pub open_s: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Slow {
    pub conversation: String,
    pub clock: &'static str,
    pub queue: String,
    pub channel: String,
    pub tier: String,
    /// Who is credited with it, else who owned it; null: nobody.
    pub agent: Option<String>,
    /// When the target was passed.
    pub breached_at: String,
    pub target_s: f64,
    /// Beyond the target, as the clock counts; of an open one, nothing subtracted.
    pub over_s: f64,
    /// `late`: it came after the target; `never`: the clock was cancelled; `open`: it still runs.
    pub outcome: &'static str,
}

/// Of one kind of clock, by the outcomes of `Slow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SlowCounts {
    pub late: u64,
    pub never: u64,
    pub open: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Collision {
    pub conversation: String,
    pub queue: String,
    pub owner: Option<String>,
    /// Who wrote.
    pub agent: String,
    pub at: String,
}

/// Reasons in the order handover_without_note, repeat_contact_24h, unlinked_channel, owner_left; each is there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LostContext {
    pub reason: &'static str,
    /// Of the queue that it was in or came to; what belongs to no queue is in none.
    pub by_queue: BTreeMap<String, u64>,
    /// The latest first.
    pub cases: Listed<ContextCase>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct ContextCase {
    /// Null: about two customers.
    pub conversation: Option<String>,
    pub customer: String,
    /// The customer who turned out to be the same.
    pub other_customer: Option<String>,
    /// Who handed it over, or left.
    pub agent: Option<String>,
    pub queue: Option<String>,
    pub at: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Handovers {
    pub total: u64,
    pub without_note: u64,
    /// By the queue that they left.
    pub by_queue: Vec<HandoversOf>,
    /// Hand-overs of one conversation -> how many conversations had so many.
    pub conversations_by_handovers: BTreeMap<u32, u64>,
    /// Conversations that were handed over more than once, the longest chains first.
    pub chains: Listed<Chain>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct HandoversOf {
    pub queue: String,
    pub blind_with_note: u64,
    pub blind_without_note: u64,
    pub warm_with_note: u64,
    pub warm_without_note: u64,
    /// Given back to its own queue.
    pub release_with_note: u64,
    pub release_without_note: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Chain {
    pub conversation: String,
    pub handovers: u32,
    /// Agents and queues in order, at most `fold::PATH_MAX`; queues begin with `#`.
    pub path: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Escalations {
    pub queue: String,
    /// command, transfers, owner_absent, owner_silent, clock
    pub trigger: &'static str,
    /// Of the ladder; 0: the trigger has none.
    pub level: u64,
    pub count: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Closure {
    pub queue: String,
    /// Within the range.
    pub closed_s: f64,
    /// Part of it by the command `emergency`.
    pub emergency_s: f64,
    /// Times it closed in the range.
    pub closings: u64,
    /// At the end of what is known.
    pub is_closed: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct TurnedAway {
    pub queue: String,
    /// parked, deflected, closed
    pub how: &'static str,
    /// closed, emergency, full, max_wait, unstaffed, unservable, all_declined
    pub reason: &'static str,
    pub count: u64,
}

impl Group {
    pub fn of(name: &str, counts: &Counts) -> Group {
        let judged = counts.answered_in_time + counts.late + counts.abandoned_in_time;
        Group {
            name: name.into(),
            goal: None,
            threshold_s: None,
            entries: counts.entries,
            answered: counts.answered(),
            answered_in_time: counts.answered_in_time,
            abandoned: counts.abandoned(),
            abandoned_in_time: counts.abandoned_in_time,
            late: counts.late,
            undecided: counts.entries.saturating_sub(judged + counts.excluded.sum()),
            excluded: counts.excluded,
            service_level: counts.service_level(),
            of_answered: counts.of_answered(),
            sl2: counts.sl2(),
            of_arrivals: counts.of_arrivals(),
            without_early_abandons: counts.without_early_abandons(),
            asa_s: counts.asa_s(),
            abandonment: counts.abandonment(),
            handled: counts.handled,
            work_s: seconds(counts.work_ms),
            mean_work_s: counts.aht_s(),
            average_response_s: counts.average_response_s(),
            first_resolution_s: counts.first_resolution.mean_s(),
            final_resolution_s: counts.final_resolution.mean_s(),
            clocks: Clocks::of([
                &counts.first_response,
                &counts.next_response,
                &counts.resolution,
                &counts.queue_wait,
                &counts.reply_window,
            ]),
        }
    }

    pub fn judged(&self) -> u64 {
        self.answered_in_time + self.late + self.abandoned_in_time
    }
}

impl Clocks {
    /// In the order of their kinds; those without any are left out.
    pub fn of(kinds: [&Compliance; 5]) -> BTreeMap<&'static str, Clocks> {
        let named = engine::policy::ClockKind::ALL.iter().map(|kind| kind.word()).zip(kinds);
        let some = named.filter(|(_, clock)| clock.met + clock.missed + clock.cancelled > 0);
        some.map(|(kind, clock)| (kind, Clocks::of_one(clock))).collect()
    }

    fn of_one(clock: &Compliance) -> Clocks {
        Clocks {
            met: clock.met,
            missed: clock.missed,
            cancelled: clock.cancelled,
            compliance: clock.share(),
            mean_wall_s: clock.took.mean_wall_s(),
            mean_business_s: clock.took.mean_business_s(),
        }
    }
}

impl Day {
    pub fn of(local: String, counts: &Counts) -> Day {
        Day {
            local,
            entries: counts.entries,
            answered_in_time: counts.answered_in_time,
            judged: counts.answered_in_time + counts.late + counts.abandoned_in_time,
            service_level: counts.service_level(),
            abandonment: counts.abandonment(),
        }
    }
}

pub fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}
