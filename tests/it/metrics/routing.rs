//! Families that come with offers, bots, wrap-up, transfers and the other capabilities of routing: each counts what
//! happened, at the moment it happened.

use super::{Rig, Samples, assert_recovery_shows_the_same};
use engine::decision::DecisionType;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::sync::Arc;
use strowger::sources::{SourceConfig, Sources};

/// Workspace `acme` with everything in play: `sales` makes offers, `calls` is bounded and spills over, `mail` knows its
/// customers, `desk` has a ladder and relaxes; a bot answers at entry `shop`.
pub(super) fn routed() -> Rig {
    let mut rig = Rig::new();
    let queues = json!([
        {"name": "sales", "accept_s": 15, "on_all_declined": {"then": "again", "after_s": 60}},
        {"name": "calls", "max_waiting": 1, "on_full": {"then": "queue", "queue": "spill"},
            "on_closed": {"then": "park"}, "context_required": false},
        {"name": "spill", "max_waiting": 1},
        {"name": "mail", "preferred_s": 60},
        {"name": "desk", "skills": {"desk": 5}, "step": [{"after_s": 30, "lower": {"desk": 1}}],
            "escalation": [{"level": 2, "priority": 3, "queue": "spill", "notify": ["ada"]}]},
    ]);
    rig.send(
        "workspace.configure",
        json!({
            "version": 1,
            "decline_limit": 2,
            "tier": {"vip": {"first_ring": {"seniority_at_least": 5, "for_s": 20}}},
            "channel": {
                "chat": {"live": true, "units": 1},
                "voice": {"live": true, "units": 2, "exclusive": true, "wrap_up": {"mode": "mandatory", "max_s": 60}},
                "email": {"live": false, "units": 1, "min_gap_s": 0},
            },
            "entry": {"shop": {"queue": "spill", "bot": true}},
            "queue": queues,
            "rule": [
                {"when": {"attributes": {"to": "sales"}}, "queue": "sales"},
                {"when": {"attributes": {"to": "calls"}}, "queue": "calls"},
                {"when": {"attributes": {"to": "desk"}}, "queue": "desk"},
                {"queue": "mail"},
            ],
        }),
    );
    rig
}

impl Rig {
    pub(super) fn agent(&mut self, id: &str, units: u32) {
        self.send("agent.configure", json!({"agent": id, "units": units, "team": "north", "skills": {"desk": 2}}));
        self.online(id);
    }

    pub(super) fn contact(&mut self, id: &str, channel: &str, to: &str) {
        let mut data = json!({
            "conversation": id, "channel": channel, "customer": {"id": format!("cu-{id}")}, "attributes": {"to": to},
        });
        let live = channel != "email";
        if !live {
            data["message"] = json!({"id": id, "kind": "text"});
        }
        self.send(if live { "contact.started" } else { "message.received" }, data);
    }

    pub(super) fn command(&mut self, event_type: &str, conversation: &str, by: (&str, &str), more: Value) {
        let mut data = json!({"conversation": conversation, "actor": {"kind": by.0, "id": by.1}, "reason": "so"});
        for (name, value) in more.as_object().expect("members") {
            data[name] = value.clone();
        }
        self.send(event_type, data);
    }

    fn owner(&self, conversation: &str) -> String {
        let workload = self.shard.read();
        let found = workload.replica().workspace("acme").and_then(|acme| acme.conversation(conversation));
        found.and_then(|found| found.owner).map(String::from).unwrap_or_default()
    }

    pub(super) fn reply(&mut self, conversation: &str, agent: &str) {
        let message = json!({"id": "r", "kind": "text"});
        self.command("message.sent", conversation, ("agent", agent), json!({"message": message}));
    }
}

const ADA: (&str, &str) = ("agent", "ada");
const BOSS: (&str, &str) = ("supervisor", "wanda");

impl Samples {
    fn of_queue(&self, family: &str, queue: &str, label: (&str, &str)) -> f64 {
        self.sum(&format!("strowger_{family}"), &[("queue", queue), label])
    }

    /// Every sample of a family that is not 0, as `label value` of the one label asked for.
    pub(super) fn told(&self, family: &str, label: &str) -> String {
        let name = format!("strowger_{family}{{");
        let of_family = self.0.iter().filter(|(series, value)| series.starts_with(&name) && **value != 0.0);
        let mut words: Vec<String> = of_family
            .map(|(series, value)| {
                let word = series.split(&format!("{label}=\"")).nth(1).and_then(|rest| rest.split('"').next());
                format!("{} {value}", word.unwrap_or("?"))
            })
            .collect();
        words.sort_unstable();
        words.join(", ")
    }
}

#[test]
fn offers_are_counted_by_how_they_ended_and_by_how_long_they_rang() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.agent("bela", 3);
    rig.contact("c1", "chat", "sales");
    let samples = rig.samples();
    assert_eq!(samples.told("conversations", "state"), "offered 1");
    assert_eq!(samples.told("queue_waiting", "queue"), "sales 1", "an offered one still waits");
    assert_eq!(samples.sum("strowger_capacity_units", &[("channel", "chat"), ("kind", "offer")]), 1.0);
    rig.pass(5);
    let offer = rig.last_offer();
    rig.send("offer.decline", json!({"offer": offer, "agent": "ada"}));
    rig.pass(15);
    assert_eq!(rig.samples().told("offers_total", "outcome"), "declined 1, expired 1");
    rig.pass(60);
    let offer = rig.last_offer();
    let agent = ["ada", "bela"].into_iter().find(|agent| {
        rig.send("offer.accept", json!({"offer": offer, "agent": agent}));
        rig.told.iter().any(|told| told.decision_type == DecisionType::ConversationAssigned)
    });
    assert!(agent.is_some(), "the second round offers it again");
    let samples = rig.samples();
    assert_eq!(samples.told("offers_total", "outcome"), "accepted 1, declined 1, expired 1");
    assert_eq!(samples.told("assignments_total", "kind"), "auto 1");
    assert_eq!(samples.of_queue("offer_seconds_sum", "sales", ("queue", "sales")), 20.0);
    assert_eq!(samples.of_queue("offer_seconds_count", "sales", ("queue", "sales")), 3.0);
    assert_eq!(samples.told("queue_exits_total", "outcome"), "answered 1");
}

#[test]
fn who_lets_two_offers_pass_is_not_responding_and_his_seconds_are_counted_so() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.contact("c1", "chat", "sales");
    rig.pass(15);
    rig.pass(60 + 15);
    rig.pass(10);
    let samples = rig.samples();
    assert_eq!(samples.told("agents", "state"), "not_responding 1");
    assert_eq!(samples.told("offers_total", "outcome"), "expired 2");
    assert_eq!(samples.sum("strowger_agent_state_seconds_total", &[("state", "not_responding")]), 10.0);
    assert_eq!(samples.sum("strowger_agent_state_seconds_total", &[]), 100.0);
}

#[test]
fn wrap_up_holds_units_for_its_seconds_and_is_handling_time_of_its_own() {
    let mut rig = routed();
    rig.agent("ada", 2);
    rig.contact("c1", "voice", "mail");
    rig.pass(30);
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    rig.pass(12);
    assert_eq!(rig.samples().sum("strowger_capacity_units", &[("channel", "voice"), ("kind", "wrap_up")]), 2.0);
    assert_eq!(rig.samples().told("agents", "state"), "full 1");
    rig.command("wrapup.complete", "c1", ADA, json!({}));
    rig.pass(8);
    let samples = rig.samples();
    assert_eq!(samples.sum("strowger_capacity_unit_seconds_total", &[("kind", "work")]), 60.0);
    assert_eq!(samples.sum("strowger_capacity_unit_seconds_total", &[("kind", "wrap_up")]), 24.0);
    assert_eq!(samples.sum("strowger_capacity_unit_seconds_total", &[("kind", "online")]), 100.0);
    assert_eq!(samples.sum("strowger_handle_seconds_sum", &[("part", "work")]), 30.0);
    assert_eq!(samples.sum("strowger_handle_seconds_sum", &[("part", "wrap_up"), ("queue", "mail")]), 12.0);
    let tally = rig.shard.read().agent_tally("acme", "ada");
    assert_eq!((tally.assigned, tally.handled, tally.resolved, tally.unit_ms), (1, 1, 1, 84_000));
}

#[test]
fn a_full_queue_overflows_and_then_deflects_and_both_doors_tell_it() {
    let mut rig = routed();
    for id in ["c1", "c2", "c3"] {
        rig.contact(id, "chat", "calls");
    }
    let samples = rig.samples();
    assert_eq!(samples.of_queue("queue_entries_total", "calls", ("reason", "new")), 2.0);
    assert_eq!(samples.of_queue("queue_exits_total", "calls", ("outcome", "overflowed")), 1.0);
    assert_eq!(samples.of_queue("queue_entries_total", "spill", ("reason", "overflow")), 1.0);
    assert_eq!(samples.sum("strowger_queue_exits_total", &[("outcome", "deflected")]), 1.0);
    assert_eq!(samples.sum("strowger_service_level_contacts_total", &[("verdict", "excluded")]), 2.0);
    assert_eq!(samples.sum("strowger_queue_waiting", &[]), 2.0);
    assert_eq!(samples.told("conversations_ended_total", "reason"), "closed 1");
}

#[test]
fn a_closed_queue_parks_and_shows_that_it_is_closed() {
    let mut rig = routed();
    let close = json!({"queue": "calls", "state": "closed", "actor": {"kind": "supervisor", "id": "w"}, "reason": "r"});
    rig.send("queue.control", close.clone());
    rig.contact("c1", "email", "calls");
    let samples = rig.samples();
    assert_eq!(samples.sum("strowger_queue_open", &[("queue", "calls")]), 0.0);
    assert_eq!(samples.sum("strowger_queue_open", &[("queue", "spill")]), 1.0);
    assert_eq!(samples.told("conversations", "state"), "parked 1");
    let mut open = close;
    open["state"] = "open".into();
    rig.send("queue.control", open);
    let samples = rig.samples();
    assert_eq!(samples.sum("strowger_queue_open", &[("queue", "calls")]), 1.0);
    assert_eq!(samples.told("conversations", "state"), "queued 1");
    assert_eq!(samples.told("queue_entries_total", "reason"), "new 1, resume 1");
    assert_eq!(samples.told("queue_exits_total", "outcome"), "deflected 1");
}

#[test]
fn a_bots_conversations_are_in_no_line_and_contained_where_nobody_else_had_them() {
    let mut rig = routed();
    for id in ["c1", "c2", "c3"] {
        let data = json!({"conversation": id, "channel": "chat", "entry": "shop", "customer": {"id": id}});
        rig.send("contact.started", data);
    }
    assert_eq!(rig.samples().told("conversations", "state"), "in_bot 3");
    assert_eq!(rig.samples().sum("strowger_unanswered", &[]), 0.0);
    rig.command("conversation.handoff", "c1", ("bot", "b"), json!({"queue": "sales"}));
    rig.command("conversation.resolve", "c2", ("bot", "b"), json!({}));
    rig.send("contact.ended", json!({"conversation": "c3", "by": "customer"}));
    let samples = rig.samples();
    assert_eq!(samples.of_queue("queue_entries_total", "sales", ("reason", "handoff")), 1.0);
    assert_eq!(samples.told("conversations_ended_total", "reason"), "closed 1, contained 1");
    assert_eq!(samples.sum("strowger_queue_exits_total", &[]), 0.0);
    assert_eq!(samples.told("conversations", "state"), "queued 1");
}

#[test]
fn transfers_are_counted_where_they_leave_and_with_what_went_along() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.contact("c1", "chat", "mail");
    rig.contact("c2", "chat", "mail");
    rig.agent("bela", 3);
    rig.command("conversation.transfer", "c1", ADA, json!({"to": {"queue": "sales"}}));
    rig.command("conversation.transfer", "c2", ADA, json!({"to": {"queue": "sales"}, "note": "wants a discount"}));
    let samples = rig.samples();
    let count = |context: &str| {
        samples.sum("strowger_transfers_total", &[("queue", "mail"), ("kind", "blind"), ("context", context)])
    };
    assert_eq!((count("no"), count("yes")), (1.0, 1.0));
    assert_eq!(samples.told("context_losses_total", "reason"), "handover_without_note 1");
    rig.contact("c3", "chat", "mail");
    let owner = rig.owner("c3");
    rig.command("conversation.release", "c3", ("agent", &owner), json!({}));
    let released = [("queue", "mail"), ("kind", "release"), ("context", "no")];
    assert_eq!(rig.samples().sum("strowger_transfers_total", &released), 1.0);
    assert_eq!(samples.of_queue("queue_entries_total", "sales", ("reason", "transfer")), 2.0);
    assert_eq!(samples.sum("strowger_handle_seconds_count", &[("queue", "mail"), ("part", "work")]), 2.0);
}

#[test]
fn who_answers_what_nobody_owns_adopts_it_and_who_answers_anothers_collides() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.agent("bela", 3);
    rig.command("conversation.open", "c0", ADA, json!({"channel": "email", "customer": {"id": "cu"}}));
    rig.send("agent.presence", json!({"agent": "ada", "status": "away"}));
    rig.send("agent.presence", json!({"agent": "bela", "status": "away"}));
    rig.contact("c1", "email", "mail");
    rig.reply("c1", "ada");
    rig.reply("c1", "bela");
    let samples = rig.samples();
    assert_eq!(samples.told("assignments_total", "kind"), "adopted 1, claim 1");
    assert_eq!(samples.told("reply_collisions_total", "kind"), "not_owner 1");
    assert_eq!(samples.told("queue_exits_total", "outcome"), "answered 1");
    assert_eq!(samples.told("conversations", "state"), "their_turn 2");
    assert_eq!(samples.sum("strowger_unanswered", &[]), 0.0);
}

#[test]
fn turns_and_unanswered_ones_are_told_apart_owned_or_not() {
    let mut rig = routed();
    rig.agent("ada", 5);
    rig.contact("c1", "email", "mail");
    rig.contact("c2", "email", "mail");
    rig.reply("c1", "ada");
    rig.pass(400);
    let samples = rig.samples();
    assert_eq!(samples.told("conversations", "state"), "our_turn 1, their_turn 1");
    assert_eq!(samples.told("unanswered", "age"), "le_30m 1");
    rig.contact("c1", "email", "mail");
    assert_eq!(rig.samples().told("unanswered", "age"), "le_30m 1, le_5m 1");
    let until = "2026-01-01T00:00:00Z";
    rig.command("conversation.snooze", "c1", ADA, json!({"until": until}));
    assert_eq!(rig.samples().told("conversations", "state"), "our_turn 1, snoozed 1");
}

#[test]
fn a_preference_is_honoured_or_expires_and_a_resolved_one_reopens() {
    let mut rig = routed();
    rig.agent("ada", 1);
    rig.contact("c1", "email", "mail");
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    rig.contact("c1", "email", "mail");
    let samples = rig.samples();
    assert_eq!(samples.told("reopens_total", "queue"), "mail 1");
    assert_eq!(samples.told("preferences_total", "result"), "honoured 1");
    assert_eq!(samples.told("assignments_total", "kind"), "auto 1, preferred 1");
    assert_eq!(samples.of_queue("queue_entries_total", "mail", ("reason", "reopen")), 1.0);
    // She is full the next time, and the minute passes.
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    rig.contact("c2", "email", "mail");
    rig.contact("c1", "email", "mail");
    assert_eq!(rig.samples().told("queue_waiting_by_cause", "cause"), "preference 1");
    rig.pass(61);
    assert_eq!(rig.samples().told("preferences_total", "result"), "expired 1, honoured 1");
}

#[test]
fn nobody_waits_for_a_preferred_agent_who_is_not_there() {
    let mut rig = routed();
    rig.agent("ada", 1);
    rig.contact("c1", "email", "mail");
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    rig.send("agent.presence", json!({"agent": "ada", "status": "away"}));
    rig.contact("c1", "email", "mail");
    let samples = rig.samples();
    assert_eq!(samples.told("preferences_total", "result"), "absent 1");
    assert_eq!(samples.told("queue_waiting_by_cause", "cause"), "nobody_online 1");
}

#[test]
fn a_warm_transfer_is_an_offer_and_counts_when_it_is_taken() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.contact("c1", "chat", "mail");
    rig.agent("bela", 3);
    let warm = json!({"to": {"agent": "bela"}, "warm": true, "note": "he knows you"});
    rig.command("conversation.transfer", "c1", ADA, warm);
    assert_eq!(rig.samples().told("transfers_total", "kind"), "");
    assert_eq!(rig.samples().told("conversations", "state"), "our_turn 1", "its giver still has it");
    let offer = rig.last_offer();
    rig.send("offer.accept", json!({"offer": offer, "agent": "bela"}));
    let samples = rig.samples();
    assert_eq!(samples.told("transfers_total", "kind"), "warm 1");
    assert_eq!(samples.told("offers_total", "outcome"), "accepted 1");
    assert_eq!(samples.told("assignments_total", "kind"), "auto 1, preferred 1");
    assert_eq!(samples.told("preferences_total", "result"), "", "nobody was preferred by a queue");
    assert_eq!(rig.owner("c1"), "bela");
}

#[test]
fn steps_first_rings_and_escalations_are_counted_for_their_queue() {
    let mut rig = routed();
    let zeros = rig.samples();
    for (queue, label) in [("desk", ("step", "1")), ("mail", ("step", "first_ring"))] {
        assert!(zeros.has("strowger_relaxations_total", &[("queue", queue), label]));
    }
    assert!(zeros.has("strowger_escalations_total", &[("queue", "desk"), ("level", "2"), ("trigger", "command")]));
    let vip = json!({"conversation": "c1", "channel": "chat", "customer": {"id": "v", "tier": "vip"}, "attributes": {"to": "desk"}});
    rig.send("contact.started", vip);
    rig.pass(31);
    assert_eq!(rig.samples().told("relaxations_total", "step"), "1 1, first_ring 1");
    rig.command("conversation.escalate", "c1", BOSS, json!({"level": 2}));
    let samples = rig.samples();
    assert_eq!(samples.of_queue("escalations_total", "desk", ("level", "2")), 1.0);
    assert_eq!(samples.of_queue("queue_entries_total", "spill", ("reason", "transfer")), 1.0);
    assert_eq!(samples.of_queue("queue_exits_total", "desk", ("outcome", "transferred")), 1.0);
}

#[test]
fn work_from_elsewhere_takes_units_and_may_pass_the_limit() {
    let mut rig = routed();
    rig.agent("ada", 2);
    rig.contact("c1", "chat", "mail");
    let engaged = json!({"agent": "ada", "engagement": "e1", "channel": "voice", "units": 2});
    rig.send("agent.engaged", engaged.clone());
    rig.pass(10);
    let samples = rig.samples();
    assert_eq!(samples.sum("strowger_capacity_units", &[("channel", "voice"), ("kind", "external")]), 2.0);
    assert_eq!(samples.told("capacity_exceeded_total", "reason"), "engaged 1");
    assert_eq!(samples.told("agents_by_load", "load"), "over 1");
    assert_eq!(samples.sum("strowger_capacity_unit_seconds_total", &[("kind", "external")]), 20.0);
    rig.send("agent.disengaged", engaged);
    assert_eq!(rig.samples().sum("strowger_capacity_units", &[("kind", "external")]), 0.0);
}

#[test]
fn agents_who_finish_and_leave_are_in_states_of_their_own_and_removed_ones_in_none() {
    let mut rig = routed();
    rig.agent("ada", 2);
    rig.agent("bela", 2);
    rig.send("agent.presence", json!({"agent": "ada", "status": "pending_away"}));
    let boss = json!({"kind": "supervisor", "id": "w"});
    rig.send("agent.drain", json!({"agent": "bela", "actor": boss, "reason": "r"}));
    assert_eq!(rig.samples().told("agents", "state"), "draining 1, pending_away 1");
    rig.contact("c1", "email", "mail");
    rig.command("conversation.assign", "c1", BOSS, json!({"agent": "ada"}));
    rig.send("agent.remove", json!({"agent": "ada", "actor": boss, "reason": "r"}));
    let samples = rig.samples();
    assert_eq!(samples.told("agents", "state"), "draining 1");
    assert_eq!(samples.told("context_losses_total", "reason"), "owner_left 1");
    assert_eq!(samples.of_queue("queue_entries_total", "mail", ("reason", "requeue")), 1.0);
    assert!(!samples.has("strowger_agents", &[("state", "removed")]));
}

#[test]
fn endings_are_told_apart() {
    let mut rig = routed();
    rig.contact("missed", "email", "mail");
    rig.command("conversation.close", "missed", BOSS, json!({}));
    rig.contact("stale", "chat", "mail");
    rig.send("source.heartbeat", json!({"open_contacts": []}));
    for id in ["into", "from"] {
        rig.contact(id, "email", "mail");
    }
    rig.command("conversation.merge", "into", BOSS, json!({"other": "from"}));
    let samples = rig.samples();
    assert_eq!(samples.told("conversations_ended_total", "reason"), "merged 1, missed 1, stale 1");
    assert_eq!(samples.sum("strowger_queue_waiting", &[]), 1.0);
    assert_eq!(samples.sum("strowger_queue_exits_total", &[("outcome", "closed")]), 3.0);
}

#[test]
fn a_score_is_its_queues_while_the_conversation_is_known_and_nobodys_later() {
    let mut rig = routed();
    rig.agent("ada", 2);
    rig.contact("c1", "chat", "mail");
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    let score = json!({"conversation": "c1", "kind": "csat", "score": 4, "max": 5});
    rig.send("survey.answered", score.clone());
    rig.pass(700);
    rig.send("survey.answered", score);
    let samples = rig.samples();
    assert_eq!(samples.of_queue("survey_score_sum", "mail", ("kind", "csat")), 0.8);
    assert_eq!(samples.of_queue("survey_score_count", "mail", ("kind", "csat")), 1.0);
    assert_eq!(samples.of_queue("survey_score_count", "none", ("kind", "csat")), 1.0);
    // Which is a series, and no queue that could be open: else the floor would never be closed.
    assert!(!samples.has("strowger_queue_open", &[("queue", "none")]));
}

#[test]
fn a_queue_that_the_policy_has_no_more_is_neither_open_nor_closed() {
    let mut rig = routed();
    rig.contact("c1", "chat", "sales");
    assert_eq!(rig.samples().sum("strowger_queue_open", &[("queue", "sales")]), 1.0);
    rig.change_policy(|policy| {
        policy.queues.retain(|queue| &*queue.name != "sales");
        policy.rules.retain(|rule| &*rule.queue != "sales");
    });
    let samples = rig.samples();
    assert!(!samples.has("strowger_queue_open", &[("queue", "sales")]));
    assert!(samples.has("strowger_queue_open", &[("queue", "mail")]));
}

#[test]
fn a_customer_who_tries_again_and_one_served_apart_are_losses_of_context() {
    let mut rig = routed();
    rig.agent("ada", 3);
    let contact =
        |id: &str, customer: &str| json!({"conversation": id, "channel": "chat", "customer": {"id": customer}});
    rig.send("contact.started", contact("c1", "x"));
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    rig.pass(3_600);
    rig.send("contact.started", contact("c2", "x"));
    rig.send("contact.started", contact("c3", "y"));
    rig.send("customer.linked", json!({"customer": {"id": "x"}, "other": "y"}));
    let told = rig.samples().told("context_losses_total", "reason");
    assert_eq!(told, "repeat_contact_24h 1, unlinked_channel 1");
}

#[test]
fn a_source_whose_leases_all_run_out_at_once_is_suspect_for_a_while() {
    let mut rig = routed();
    for n in 0..20 {
        let agent = format!("a{n}");
        rig.send("agent.configure", json!({"agent": agent, "units": 1}));
        rig.send("agent.presence", json!({"agent": agent, "status": "online", "expires_in_s": 90}));
    }
    let suspects_of = |rig: &Rig, source: &str| rig.samples().sum("strowger_sources_suspect", &[("source", source)]);
    let suspects = |rig: &Rig| suspects_of(rig, "other");
    assert_eq!(suspects(&rig), 0.0);
    rig.pass(95);
    assert_eq!(suspects(&rig), 1.0);
    // By the name that the config gives it, where it does.
    let desk = SourceConfig { name: "desk".into(), prefix: "test".into(), silent_after_s: None };
    rig.shard = rig.shard.clone().knowing(Arc::new(Sources::new(&[desk], true)));
    assert_eq!((suspects(&rig), suspects_of(&rig, "desk")), (0.0, 1.0));
    rig.pass(120);
    assert_eq!(suspects(&rig), 0.0);
}

/// One random event, most of them sensible.
fn anything(rig: &mut Rig, rng: &mut ChaCha8Rng) {
    let word = |rng: &mut ChaCha8Rng, words: &[&'static str]| words[rng.random_range(0..words.len())];
    let id = format!("c{}", rng.random_range(0..10));
    let other = format!("c{}", rng.random_range(0..10));
    let agent = word(rng, &["ada", "bela", "carla"]);
    let queue = word(rng, &["sales", "calls", "spill", "mail", "desk"]);
    let boss = json!({"kind": "supervisor", "id": "w"});
    match rng.random_range(0..34) {
        0..=4 => {
            let channel = word(rng, &["chat", "voice"]);
            rig.contact(&id, channel, queue);
        }
        5..=8 => rig.contact(&id, "email", queue),
        9 => {
            let data =
                json!({"conversation": id, "channel": "chat", "entry": "shop", "customer": {"id": "b", "tier": "vip"}});
            rig.send("contact.started", data);
        }
        10 => {
            let by = word(rng, &["customer", "agent", "system"]);
            rig.send("contact.ended", json!({"conversation": id, "by": by}));
        }
        11 => rig.reply(&id, agent),
        12..=13 => rig.online(agent),
        14 => {
            let status = word(rng, &["away", "offline", "pending_away"]);
            rig.send("agent.presence", json!({"agent": agent, "status": status}));
        }
        15 => rig.send("agent.presence", json!({"agent": agent, "status": "online", "expires_in_s": 60})),
        16..=17 => {
            let offer = rig.last_offer();
            rig.send("offer.accept", json!({"offer": offer, "agent": agent}));
        }
        18 => {
            let offer = rig.last_offer();
            rig.send("offer.decline", json!({"offer": offer, "agent": agent}));
        }
        19 => rig.command("conversation.claim", &id, ("agent", agent), json!({})),
        20 => rig.command("conversation.assign", &id, BOSS, json!({"agent": agent})),
        21 => {
            let to = if rng.random_bool(0.5) { json!({"queue": queue}) } else { json!({"agent": agent}) };
            let warm = to["agent"].is_string() && rng.random_bool(0.5);
            let by = if rng.random_bool(0.5) { BOSS } else { ("agent", agent) };
            rig.command("conversation.transfer", &id, by, json!({"to": to, "warm": warm}));
        }
        22 => rig.command("conversation.release", &id, BOSS, json!({})),
        23..=24 => rig.command("conversation.resolve", &id, BOSS, json!({})),
        25 => {
            let command = word(rng, &["conversation.close", "conversation.reopen", "conversation.wake"]);
            rig.command(command, &id, BOSS, json!({}));
        }
        26 => {
            let until = connectors::codec::timestamp(rig.now + rng.random_range(1..120_000));
            rig.command("conversation.snooze", &id, BOSS, json!({"until": until}));
        }
        27 => rig.command("conversation.merge", &id, BOSS, json!({"other": other})),
        28 => rig.command("conversation.handoff", &id, ("bot", "b"), json!({})),
        29 => {
            let state = word(rng, &["open", "closed", "emergency", "none"]);
            rig.send("queue.control", json!({"queue": queue, "state": state, "actor": boss, "reason": "r"}));
        }
        30 => {
            let (event, engagement) = (word(rng, &["agent.engaged", "agent.disengaged"]), word(rng, &["e1", "e2"]));
            rig.send(event, json!({"agent": agent, "engagement": engagement, "channel": "voice", "units": 1}));
        }
        31 => rig.command("wrapup.complete", &id, ("agent", agent), json!({})),
        32 => {
            let tier = word(rng, &["vip", "nobody"]);
            rig.send("customer.updated", json!({"customer": {"id": format!("cu-{id}"), "tier": tier}}));
        }
        _ => match rng.random_range(0..4) {
            0 => rig.send("agent.remove", json!({"agent": agent, "actor": boss, "reason": "r"})),
            1 => rig.agent(agent, 3),
            2 => rig.send(
                "agent.drain",
                json!({"agent": agent, "drain": rng.random_bool(0.3), "actor": boss, "reason": "r"}),
            ),
            _ => rig.command("conversation.escalate", &id, BOSS, json!({"level": 2})),
        },
    }
}

#[test]
fn the_books_balance_with_everything_in_play_and_recovery_shows_the_same() {
    let mut offers = 0.0;
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rig = routed();
        if seed % 2 == 1 {
            rig.change_policy(super::reports::clocks_of_every_kind);
        }
        ["ada", "bela", "carla"].into_iter().for_each(|agent| rig.agent(agent, 4));
        for _ in 0..200 {
            rig.pass_ms(rng.random_range(0..20_000));
            anything(&mut rig, &mut rng);
            assert_eq!(rig.shard.read().imbalance(), None, "SEED={seed}");
        }
        let samples = rig.samples();
        let ended = samples.sum("strowger_offers_total", &[]);
        let open = samples.sum("strowger_conversations", &[("state", "offered")]);
        let made = samples.sum("strowger_decisions_total", &[("type", "conversation.offered")]);
        offers += made;
        assert!(made >= ended + open, "SEED={seed}: {made} offers made, {ended} ended, {open} open");
        let seconds = (rig.now - super::START) as f64 / 1e3;
        // Less where somebody was removed for a while; sums of fractions are not exact.
        assert!(samples.sum("strowger_agent_state_seconds_total", &[]) <= 3.0 * seconds + 0.01);
        assert_recovery_shows_the_same(&rig, seed);
    }
    assert!(offers > 100.0, "only {offers} offers");
}
