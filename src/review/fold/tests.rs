//! Decisions made by hand, one after the other, and what a review says of them.

use super::*;
use crate::review::figures::{Figures, LISTED_MAX};
use connectors::codec::parse_timestamp;
use engine::decision::{ToldClock, ToldDetail, Turn};
use engine::policy::Queue;

const T_MS: u64 = 20_000;
const HOUR: u64 = 3_600_000;

/// Monday 2026-11-23, a day long.
fn monday() -> Range {
    let from = parse_timestamp("2026-11-23T00:00:00Z").unwrap();
    Range { from, to: from + DAY_MS }
}

struct Center {
    review: Review,
    now: u64,
}

impl Center {
    fn new() -> Center {
        Center::of(monday(), "UTC")
    }

    /// At nine o'clock UTC of the range's first day, with a policy that asks for 80 % within 20 s in queue `q`.
    fn of(range: Range, zone: &str) -> Center {
        let mut review = Review::new(range, Zone::named(zone).unwrap(), HashKey(7));
        let queue = |name: &str| Queue {
            name: name.into(),
            service_level_ms: T_MS,
            service_level_goal_permille: 800,
            ..Queue::default()
        };
        let policy = Policy { version: 3, queues: vec![queue("q"), queue("r")], ..Policy::default() };
        review.configured(&policy, range.from - 1_000);
        Center { review, now: range.from + 9 * HOUR }
    }

    fn told(&self, id: &str, decision_type: DecisionType, reason: Reason, queue: &str) -> Told {
        let conversation = ToldConversation {
            id: id.into(),
            customer: format!("customer of {id}").into(),
            queue: queue.into(),
            channel: "email".into(),
            tier: "vip".into(),
            arrival: self.now,
            queued_at: self.now,
            service_level_ms: T_MS,
            state: PhaseWord::Queued,
            turn: Turn::Ours,
            ..ToldConversation::default()
        };
        Told {
            decision_type,
            reason,
            time: self.now,
            workspace: "acme".into(),
            conversation: Some(conversation),
            ..Told::default()
        }
    }

    fn tell(&mut self, id: &str, decision_type: DecisionType, reason: Reason) {
        self.tell_with(id, decision_type, reason, |_, _| {});
    }

    fn tell_with(
        &mut self,
        id: &str,
        decision_type: DecisionType,
        reason: Reason,
        change: impl FnOnce(&mut Told, &mut ToldConversation),
    ) {
        let mut told = self.told(id, decision_type, reason, "q");
        // What waits says since when.
        let line = self.review.open.get(id).and_then(Open::line);
        let mut conversation = told.conversation.take().unwrap();
        conversation.queued_at = line.map_or(self.now, |line| line.queued_at);
        change(&mut told, &mut conversation);
        told.conversation = Some(conversation);
        self.review.take(&told);
    }

    fn arrives(&mut self, id: &str) {
        self.tell(id, DecisionType::ConversationOpened, Reason::New);
        self.tell_with(id, DecisionType::ConversationQueued, Reason::New, |_, c| c.queued_at = c.arrival);
    }

    fn assigned(&mut self, id: &str, owner: &str) {
        self.assigned_as(id, owner, Reason::Auto);
    }

    fn assigned_as(&mut self, id: &str, owner: &str, reason: Reason) {
        self.tell_with(id, DecisionType::ConversationAssigned, reason, |_, c| {
            (c.owner, c.state) = (owner.into(), PhaseWord::Assigned);
        });
    }

    fn clock(&mut self, id: &str, decision_type: DecisionType, reason: Reason, agent: &str, over_ms: u64) {
        let clock = ToldClock {
            clock: ClockKind::FirstResponse,
            target_ms: 60_000,
            wall_ms: 90_000,
            business_ms: 60_000 + over_ms,
            over_ms,
            ..ToldClock::default()
        };
        let agent = (!agent.is_empty()).then(|| agent_told(agent, AgentState::Available));
        self.tell_with(id, decision_type, reason, |told, _| (told.clock, told.agent) = (Some(clock), agent));
    }

    fn agent(&mut self, id: &str, state: AgentState) {
        let mut told = self.told("", DecisionType::AgentChanged, Reason::Presence, "");
        (told.conversation, told.agent) = (None, Some(agent_told(id, state)));
        self.review.take(&told);
    }

    fn queue(&mut self, queue: &str, reason: Reason) {
        let mut told = self.told("", DecisionType::QueueChanged, reason, "");
        let detail = ToldDetail { other: queue.into(), ..ToldDetail::default() };
        (told.conversation, told.detail) = (None, Some(detail));
        self.review.take(&told);
    }

    fn finish(self) -> Figures {
        let now = self.now;
        self.review.finish(now)
    }
}

fn agent_told(id: &str, state: AgentState) -> ToldAgent {
    ToldAgent { id: id.into(), team: "first".into(), state, ..ToldAgent::default() }
}

fn other(told: &mut Told, other: &str) {
    told.detail = Some(ToldDetail { other: other.into(), ..ToldDetail::default() });
}

/// Waits, and how they end, of the afternoon in `service_level`: the same thirteen entries.
fn afternoon(center: &mut Center) {
    let begin = center.now;
    let waits = [0, 5, 10, 15, 20, 40];
    for (nth, wait_s) in waits.into_iter().enumerate() {
        let id = format!("answered-{nth}");
        center.now = begin;
        center.arrives(&id);
        center.now = begin + wait_s * 1_000;
        center.assigned(&id, if wait_s == 40 { "bob" } else { "ada" });
    }
    let leaves = [(12, Reason::Abandoned), (35, Reason::Abandoned), (3, Reason::ShortAbandoned)];
    for (wait_s, reason) in leaves {
        let id = format!("left-{wait_s}");
        center.now = begin;
        center.arrives(&id);
        center.now = begin + wait_s * 1_000;
        center.tell(&id, DecisionType::ConversationAbandoned, reason);
    }
    for wait_s in [8, 60] {
        let id = format!("moved-{wait_s}");
        center.now = begin;
        center.arrives(&id);
        center.now = begin + wait_s * 1_000;
        center.tell_with(&id, DecisionType::ConversationSnoozed, Reason::Snoozed, |_, c| c.state = PhaseWord::Snoozed);
    }
    // As it ends one waits for 5 s and one for 50 s.
    center.now = begin + 100_000;
    center.arrives("waits-50");
    center.now += 45_000;
    center.arrives("waits-5");
    center.now += 5_000;
}

#[test]
fn the_five_service_levels_of_one_afternoon_whole_by_queue_channel_tier_and_agent() {
    let mut center = Center::new();
    afternoon(&mut center);
    let figures = center.finish();
    let whole = &figures.all;
    assert_eq!((whole.entries, whole.answered, whole.answered_in_time, whole.late), (13, 6, 5, 4));
    assert_eq!((whole.abandoned, whole.abandoned_in_time, whole.undecided), (2, 1, 1));
    assert_eq!((whole.excluded.short_abandoned, whole.excluded.transferred), (1, 1));
    assert_eq!(whole.service_level, Some(0.5));
    assert_eq!(whole.of_answered, Some(5.0 / 6.0));
    assert_eq!(whole.sl2, Some(6.0 / 8.0));
    assert_eq!(whole.of_arrivals, Some(5.0 / 12.0));
    assert_eq!(whole.without_early_abandons, Some(5.0 / 7.0));
    assert_eq!((whole.asa_s, whole.abandonment), (Some(15.0), Some(0.25)));
    for groups in [&figures.by_queue, &figures.by_channel, &figures.by_tier] {
        assert_eq!((groups.len(), groups[0].entries, groups[0].service_level), (1, 13, Some(0.5)));
    }
    assert_eq!((figures.by_queue[0].goal, figures.by_queue[0].threshold_s), (Some(0.8), Some(20.0)));
    assert_eq!((figures.service_level_goal, figures.queues_at_goal, figures.queues_with_goal), (Some(0.8), 0, 1));
    let [ada, bob] = &figures.by_agent[..] else { panic!("{:?}", figures.by_agent) };
    assert_eq!((&*ada.name, ada.assigned, ada.of_answered), ("ada", 5, Some(1.0)));
    assert_eq!((&*bob.name, bob.answered_late, bob.of_answered), ("bob", 1, Some(0.0)));
    let waits = &figures.waits[0];
    assert_eq!(waits.answered.iter().sum::<u64>(), 6);
    assert_eq!((waits.answered[0], waits.answered[4], waits.abandoned[2]), (1, 2, 1), "0 s; 15 and 20 s; 3 s");
    assert_eq!(figures.policies[0].version, 3);
}

#[test]
fn what_was_before_the_range_moves_figures_only_where_it_ends_in_it() {
    let mut center = Center::new();
    let begin = center.review.range.from;
    center.now = begin - 10_000;
    center.agent("ada", AgentState::Available);
    center.arrives("early");
    center.now = begin + 5_000;
    center.assigned("early", "ada");
    center.now = begin + 65_000;
    center.tell("early", DecisionType::ConversationResolved, Reason::Resolved);
    // The entry is of this range, its verdict falls after it.
    center.now = center.review.range.to - 1_000;
    center.arrives("last");
    center.now += 31_000;
    center.assigned("last", "ada");
    center.now += 1_000;
    let figures = center.finish();
    assert_eq!((figures.all.entries, figures.all.answered, figures.all.late), (1, 1, 1));
    assert_eq!((figures.all.handled, figures.all.work_s, figures.all.mean_work_s), (1, 60.0, Some(60.0)));
    let ada = &figures.by_agent[0];
    assert_eq!((ada.assigned, ada.handled, ada.resolved, ada.answered_late), (1, 1, 1, 1));
    assert_eq!(ada.online_s, 86_400.0, "the whole range and no more");
    assert_eq!(figures.all.first_resolution_s, Some(75.0), "from its first message");
}

#[test]
fn a_closed_queues_time_is_no_wait() {
    let mut center = Center::new();
    let begin = center.now;
    center.arrives("at-the-end");
    center.arrives("answered");
    center.now = begin + 10_000;
    center.queue("q", Reason::Closed);
    center.now = begin + HOUR;
    center.queue("q", Reason::Opened);
    center.now += 5_000;
    let queued_at = center.now - 15_000;
    center.tell_with("answered", DecisionType::ConversationAssigned, Reason::Auto, |_, c| {
        (c.owner, c.queued_at) = ("ada".into(), queued_at);
    });
    let figures = center.finish();
    assert_eq!((figures.all.answered_in_time, figures.all.late, figures.all.undecided), (1, 0, 1));
    assert_eq!(figures.all.asa_s, Some(15.0));
    let closure = &figures.closures[0];
    assert_eq!((closure.closed_s, closure.closings, closure.is_closed), (3_590.0, 1, false));
}

#[test]
fn who_waits_past_t_at_the_end_is_late_unless_the_queue_closed_before() {
    let mut center = Center::new();
    center.arrives("q-waits");
    center.now += 19_000;
    center.queue("q", Reason::Emergency);
    center.now += HOUR;
    let figures = center.finish();
    assert_eq!((figures.all.late, figures.all.undecided), (0, 1));
    assert_eq!((figures.closures[0].emergency_s, figures.closures[0].is_closed), (3_600.0, true));
    let mut center = Center::new();
    let long_short = engine::policy::Channel { name: "voice".into(), short_abandon_ms: 60_000, ..Default::default() };
    center.review.configured(&Policy { channels: vec![long_short], ..Policy::default() }, center.now);
    center.tell_with("rings", DecisionType::ConversationQueued, Reason::New, |_, c| {
        (c.channel, c.live) = ("voice".into(), true);
    });
    center.now += T_MS + 1;
    assert_eq!(center.finish().all.undecided, 1, "were it to leave now, it had been short");
    let mut center = Center::new();
    center.arrives("waits");
    center.now += T_MS + 1;
    let figures = center.finish();
    assert_eq!((figures.all.late, figures.all.service_level), (1, Some(0.0)), "nobody came: 0 % and not none");
}

#[test]
fn hand_overs_are_counted_by_kind_note_and_chain() {
    let mut center = Center::new();
    center.arrives("c");
    center.assigned("c", "ada");
    center.now += 60_000;
    // Blind and without a note, to queue r, where bob takes it; he gives it back with one, to cleo by a warm transfer.
    center.tell_with("c", DecisionType::ConversationTransferred, Reason::Transfer, |_, c| {
        c.previous_owner = "ada".into()
    });
    center.tell_with("c", DecisionType::ConversationQueued, Reason::Transfer, |_, c| c.queue = "r".into());
    center.tell_with("c", DecisionType::ConversationAssigned, Reason::Auto, |_, c| {
        (c.owner, c.queue) = ("bob".into(), "r".into());
    });
    center.tell_with("c", DecisionType::ConversationOffered, Reason::Warm, |_, c| c.queue = "r".into());
    center.tell_with("c", DecisionType::ConversationTransferred, Reason::Transfer, |_, c| {
        (c.queue, c.has_note) = ("r".into(), true);
    });
    center.tell_with("c", DecisionType::ConversationAssigned, Reason::Accepted, |_, c| {
        (c.owner, c.queue, c.has_note) = ("cleo".into(), "r".into(), true);
    });
    center.tell_with("c", DecisionType::ConversationUnassigned, Reason::Released, |_, c| {
        (c.queue, c.has_note) = ("r".into(), true);
    });
    let figures = center.finish();
    let handovers = &figures.handovers;
    assert_eq!((handovers.total, handovers.without_note), (3, 1));
    let [q, r] = &handovers.by_queue[..] else { panic!("{handovers:?}") };
    assert_eq!((&*q.queue, q.blind_without_note), ("q", 1));
    assert_eq!((r.warm_with_note, r.release_with_note, r.blind_with_note), (1, 1, 0));
    assert_eq!(handovers.conversations_by_handovers, BTreeMap::from([(3, 1)]));
    let chain = &handovers.chains.shown[0];
    assert_eq!((chain.handovers, chain.path.join(" ")), (3, "ada #r bob cleo".to_string()));
    assert_eq!(figures.lost_context[0].cases.shown[0].agent.as_deref(), Some("ada"));
    let of = |name: &str| figures.by_agent.iter().find(|agent| agent.name == name).unwrap();
    assert_eq!((of("ada").handovers, of("ada").handovers_without_note, of("ada").work_s), (1, 1, 60.0));
    assert_eq!((of("bob").handovers, of("bob").handovers_without_note), (1, 0));
    assert_eq!((of("cleo").handovers, of("cleo").offers.accepted), (1, 1));
    assert_eq!(figures.all.excluded.transferred, 0, "nobody was in a line as it was handed over");
}

#[test]
fn each_of_the_four_ways_to_lose_context_is_a_case() {
    let mut center = Center::new();
    let customer = |c: &mut ToldConversation| c.customer = "cu".into();
    center.tell_with("one", DecisionType::ConversationOpened, Reason::New, |_, c| customer(c));
    center.assigned("one", "ada");
    center.tell("one", DecisionType::ConversationUnassigned, Reason::OwnerOffline);
    center.tell("one", DecisionType::ConversationResolved, Reason::Resolved);
    center.now += HOUR;
    center.tell_with("two", DecisionType::ConversationOpened, Reason::New, |_, c| customer(c));
    center.tell("other", DecisionType::ConversationOpened, Reason::New);
    let mut linked = center.told("", DecisionType::CustomerMerged, Reason::Linked, "");
    let detail = ToldDetail { text: "cu".into(), other: "customer of other".into(), ..ToldDetail::default() };
    (linked.conversation, linked.detail) = (None, Some(detail));
    center.review.take(&linked);
    center.review.take(&Told { reason: Reason::Unlinked, ..linked });
    let figures = center.finish();
    let cases: Vec<(&str, u64)> = figures.lost_context.iter().map(|lost| (lost.reason, lost.cases.total)).collect();
    let expected =
        [("handover_without_note", 0), ("repeat_contact_24h", 1), ("unlinked_channel", 1), ("owner_left", 1)];
    assert_eq!(cases, expected);
    assert_eq!(figures.lost_context[1].cases.shown[0].conversation.as_deref(), Some("two"));
    assert_eq!(figures.lost_context[2].cases.shown[0].other_customer.as_deref(), Some("customer of other"));
    let left = &figures.lost_context[3];
    assert_eq!((left.by_queue["q"], left.cases.shown[0].agent.as_deref()), (1, Some("ada")));
}

#[test]
fn clocks_count_where_they_end_and_the_slow_ones_say_what_came_of_them() {
    let mut center = Center::new();
    for id in ["met", "late", "never", "open"] {
        center.arrives(id);
        center.assigned(id, "ada");
    }
    center.clock("met", DecisionType::ClockCompleted, Reason::Met, "ada", 0);
    for id in ["late", "never", "open"] {
        center.clock(id, DecisionType::ClockBreached, Reason::None, "", 1);
    }
    center.now += 30_000;
    center.clock("late", DecisionType::ClockCompleted, Reason::Missed, "bob", 29_000);
    center.clock("never", DecisionType::ClockCancelled, Reason::Resolved, "", 12_000);
    center.now += 30_000;
    let figures = center.finish();
    let clocks = &figures.all.clocks["first_response"];
    assert_eq!((clocks.met, clocks.missed, clocks.cancelled, clocks.compliance), (1, 1, 1, Some(0.5)));
    assert_eq!(figures.by_tier[0].clocks["first_response"].missed, 1);
    assert_eq!((figures.all.average_response_s, figures.slow.total), (Some(90.0), 3));
    let slow: Vec<(&str, &str, f64)> =
        figures.slow.shown.iter().map(|slow| (&*slow.conversation, slow.outcome, slow.over_s)).collect();
    assert_eq!(slow, [("open", "open", 60.0), ("late", "late", 29.0), ("never", "never", 12.0)]);
    let counts = SlowCounts { late: 1, never: 1, open: 1 };
    assert_eq!(figures.slow_by_clock, BTreeMap::from([("first_response", counts)]));
    assert_eq!(figures.slow.shown[1].agent.as_deref(), Some("bob"), "who is credited with it");
    let bob = &figures.by_agent[1];
    assert_eq!((bob.replied, bob.average_response_s, bob.clocks["first_response"].missed), (1, Some(90.0), 1));
}

#[test]
fn missed_ones_are_listed_by_how_long_they_were_open_and_only_so_many() {
    let mut center = Center::new();
    let begin = center.now;
    for nth in 1..=LISTED_MAX as u64 + 5 {
        let id = format!("c{nth}");
        center.now = begin;
        center.arrives(&id);
        center.now = begin + nth * 60_000;
        center.tell(&id, DecisionType::ConversationResolved, Reason::Missed);
    }
    let figures = center.finish();
    let missed = &figures.missed;
    assert_eq!((missed.total, missed.more, missed.shown.len()), (25, 5, LISTED_MAX));
    assert_eq!((&*missed.shown[0].conversation, missed.shown[0].open_s), ("c25", 1_500.0));
    assert_eq!(figures.all.first_resolution_s, None, "no person resolved it");
}

#[test]
fn collisions_reopens_escalations_and_ways_out_are_counted() {
    let mut center = Center::new();
    center.arrives("c");
    center.assigned("c", "ada");
    center.tell_with("c", DecisionType::ReplyCollision, Reason::NotOwner, |told, c| {
        (told.agent, c.owner) = (Some(agent_told("bob", AgentState::Partly)), "ada".into());
    });
    center.tell_with("c", DecisionType::ConversationEscalated, Reason::Clock, |told, _| {
        told.detail = Some(ToldDetail { number: 2, ..ToldDetail::default() });
    });
    center.tell("c", DecisionType::ConversationResolved, Reason::Resolved);
    center.now += 1_000;
    center.tell("c", DecisionType::ConversationReopened, Reason::Reopen);
    center.tell("full", DecisionType::ConversationOpened, Reason::New);
    center.tell("full", DecisionType::ConversationDeflected, Reason::Full);
    center.arrives("parked");
    center.now += 1_000;
    center.tell("parked", DecisionType::ConversationParked, Reason::Unstaffed);
    let figures = center.finish();
    let collision = &figures.collisions.shown[0];
    assert_eq!((collision.owner.as_deref(), &*collision.agent), (Some("ada"), "bob"));
    assert_eq!(figures.by_agent.iter().find(|agent| agent.name == "bob").unwrap().collisions, 1);
    let escalated = &figures.escalations[0];
    assert_eq!((escalated.trigger, escalated.level, escalated.count), ("clock", 2, 1));
    assert_eq!((figures.reopens, figures.reopens_by_queue["q"]), (1, 1));
    assert_eq!(figures.all.final_resolution_s, None, "it was taken back as it was opened again");
    let away: Vec<(&str, &str)> = figures.turned_away.iter().map(|away| (away.how, away.reason)).collect();
    assert_eq!(away, [("deflected", "full"), ("parked", "unstaffed")]);
    assert_eq!((figures.all.entries, figures.all.excluded.deflected), (3, 2), "a full queue shows what it refused");
}

#[test]
fn an_overflow_is_an_entry_of_both_queues() {
    let mut center = Center::new();
    center.arrives("c");
    center.now += 30_000;
    center.tell_with("c", DecisionType::ConversationQueued, Reason::Overflow, |told, c| {
        (c.queue, c.queued_at) = ("r".into(), told.time);
    });
    center.now += 5_000;
    center.tell_with("c", DecisionType::ConversationAssigned, Reason::Auto, |_, c| {
        (c.owner, c.queue) = ("ada".into(), "r".into());
    });
    let figures = center.finish();
    let [q, r] = &figures.by_queue[..] else { panic!("{:?}", figures.by_queue) };
    assert_eq!((q.entries, q.late, q.service_level), (1, 1, Some(0.0)));
    assert_eq!((r.entries, r.answered_in_time, r.asa_s), (1, 1, Some(5.0)));
    assert_eq!((figures.queues_at_goal, figures.queues_with_goal), (1, 2));
    assert!(figures.service_level_goal.is_some_and(|goal| (goal - 0.8).abs() < 1e-12));
}

#[test]
fn days_and_hours_are_those_of_the_zone() {
    let from = parse_timestamp("2026-11-22T23:00:00Z").unwrap();
    let mut center = Center::of(Range { from, to: from + 2 * DAY_MS }, "Europe/Berlin");
    center.now = from + 500;
    center.arrives("first");
    center.now = from + DAY_MS + 13 * HOUR;
    center.arrives("second");
    center.now += 60_000;
    let figures = center.finish();
    let days: Vec<(&str, u64)> = figures.by_day.iter().map(|day| (&*day.local, day.entries)).collect();
    assert_eq!(days, [("2026-11-23", 1), ("2026-11-24", 1)]);
    assert_eq!((figures.entries_by_hour_of_week[0][0], figures.entries_by_hour_of_week[1][13]), (1, 1));
    assert_eq!((figures.late_by_hour_of_week[0][0], figures.late_by_hour_of_week[1][13]), (1, 1));
    assert_eq!((figures.timeline_piece_s, figures.timeline.len()), (900, 192));
    assert_eq!((&*figures.timeline[0].local, figures.timeline[0].entries), ("2026-11-23 00:00", 1));
    assert_eq!(figures.timeline.iter().map(|piece| piece.entries).sum::<u64>(), 2);
    assert_eq!(figures.by_queue_and_day[0].days[1].service_level, Some(0.0));
}

#[test]
fn a_merged_away_conversation_leaves_its_line_and_its_clocks_are_nobodys() {
    let mut center = Center::new();
    for id in ["survivor", "gone"] {
        center.arrives(id);
    }
    center.clock("gone", DecisionType::ClockBreached, Reason::None, "", 1);
    center.now += 1_000;
    center.tell_with("survivor", DecisionType::ConversationMerged, Reason::Merged, |told, _| other(told, "gone"));
    center.now += T_MS;
    let figures = center.finish();
    assert_eq!((figures.all.entries, figures.all.late, figures.all.excluded.closed), (2, 1, 1));
    assert_eq!(figures.slow.total, 0);
}

#[test]
fn the_first_of_equals_stay_in_a_list() {
    let mut top = Top::default();
    for nth in 0..30_u64 {
        top.push(nth % 2, nth);
    }
    let listed = top.listed();
    assert_eq!((listed.total, listed.more, listed.shown[0], listed.shown[14], listed.shown[15]), (30, 10, 1, 29, 0));
}
