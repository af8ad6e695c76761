//! Which conversation to which agent: every strategy's order, the line, the step bound, and what may cost nothing.
//!
//! All through `step`, in both engines at once. No test here looks at a clock: what must be cheap is counted.

use crate::histories::events::{Sender, agent_config, plain_policy, queue, rule, tier};
use crate::histories::script::{Desk, START_MS, check};
use engine::decision::{DecisionType, Told, read_section};
use engine::id::Kind;
use engine::input::{ActorKind, By, Contact, Status};
use engine::policy::{Policy, Strategy, Subject};
use engine::{Engine, Output};

fn policy(strategy: Strategy) -> Policy {
    plain_policy(strategy)
}

/// nginx's smooth weighted round robin: `smooth_wrr` of the reference numbers.
const SMOOTH: [(&[(&str, u16)], &str); 9] = [
    (&[("a", 5), ("b", 1), ("c", 1)], "aabacaaaabacaa"),
    (&[("a", 4), ("b", 3), ("c", 2)], "abcabacbaabcabacba"),
    (&[("a", 1), ("b", 1), ("c", 1)], "abcabc"),
    (&[("a", 2), ("b", 1)], "abaaba"),
    (&[("a", 3), ("b", 3), ("c", 1)], "abcabababcabab"),
    (&[("a", 7), ("b", 2), ("c", 1)], "aabaacaabaaabaacaaba"),
    (&[("a", 10), ("b", 1)], "aaaaabaaaaaaaaaabaaaaa"),
    (&[("a", 1), ("b", 2), ("c", 3), ("d", 4)], "dcbdacdbcddcbdacdbcd"),
    (&[("a", 6), ("b", 4)], "ababaababa"),
];

#[test]
fn constant_candidates_give_the_smooth_weighted_sequence() {
    for (weights, sequence) in SMOOTH {
        let mut desk = Desk::new(policy(Strategy::WeightedRoundRobin));
        for (agent, weight) in weights {
            // Room for all: nobody ever leaves the candidates.
            desk.play(&format!("0 agent {agent} units=1000 weight={weight}"));
            desk.play(&format!("0 online {agent}"));
        }
        let mut picks = String::new();
        for n in 0..sequence.len() {
            picks += &owner(&desk.play(&format!("1 message m{n} on=email")));
        }
        assert_eq!(picks, sequence, "{weights:?}");
    }
}

/// Who got what was assigned in these lines.
fn owner(told: &[String]) -> String {
    let assigned = told.iter().find(|line| line.starts_with("conversation.assigned")).expect("nothing was assigned");
    assigned.split(' ').nth(3).unwrap_or("").into()
}

#[test]
fn agents_configured_after_each_other_come_and_go_without_losing_their_turn() {
    check(
        policy(Strategy::WeightedRoundRobin),
        "
        0 agent a units=1
        0 agent b units=1
        0 agent c units=1
        0 online a
        0 online b
        0 online c
        1 message m1 on=email
        = conversation.opened new m1 epoch=0
        = conversation.queued new m1 epoch=0 queue=main by=default
        = conversation.assigned auto m1 a epoch=1
        2 resolve m1
        3 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.queued new m2 epoch=0 queue=main by=default
        = conversation.assigned auto m2 b epoch=1
        4 resolve m2
        5 offline c
        6 message m3 on=email
        = conversation.opened new m3 epoch=0
        = conversation.queued new m3 epoch=0 queue=main by=default
        = conversation.assigned auto m3 a epoch=1
        7 resolve m3
        8 online c
        9 message m4 on=email
        = conversation.opened new m4 epoch=0
        = conversation.queued new m4 epoch=0 queue=main by=default
        = conversation.assigned auto m4 c epoch=1
    ",
    );
}

#[test]
fn claims_and_assignments_move_no_rotation() {
    let mut desk = Desk::new(policy(Strategy::WeightedRoundRobin));
    for line in ["0 agent a units=9", "0 agent b units=9", "0 message m0 on=email", "0 message m1 on=email"] {
        desk.play(line);
    }
    // m0 and m1 wait for nobody: a supervisor gives both to the first.
    desk.play("1 assign m0 a reason=rush");
    desk.play("1 assign m1 a reason=rush");
    desk.play("2 online a");
    desk.play("2 online b");
    let picks: String = (2..8).map(|n| owner(&desk.play(&format!("3 message m{n} on=email")))).collect();
    assert_eq!(picks, "ababab");
}

#[test]
fn requirement_sets_have_rotations_of_their_own() {
    let mut desk = Desk::new(policy(Strategy::WeightedRoundRobin));
    for line in ["0 agent a units=99 skills=de:1", "0 agent b units=99 skills=de:1", "0 online a", "0 online b"] {
        desk.play(line);
    }
    let mut pick = |line: &str| owner(&desk.play(line));
    assert_eq!(pick("1 message m1 on=email"), "a");
    assert_eq!(pick("1 message m2 on=email skills=de:1"), "a");
    assert_eq!(pick("1 message m3 on=whatsapp"), "a");
    assert_eq!(pick("1 message m4 on=email"), "b");
    assert_eq!(pick("1 message m5 on=email skills=de:1"), "b");
}

#[test]
fn longest_idle_agent_wins_and_a_tie_goes_to_the_first_created() {
    check(
        policy(Strategy::LongestIdle),
        "
        0 agent zoe
        0 agent adam
        0 agent bert
        1 online bert
        1 online adam
        1 online zoe
        2 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 zoe epoch=1
        3 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        = conversation.assigned auto c2 adam epoch=1
        4 ended c2
        5 ended c1
        6 voice c3
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=main by=default
        = conversation.assigned auto c3 bert epoch=1
        7 voice c4
        = conversation.opened new c4 epoch=0
        = conversation.queued new c4 epoch=0 queue=main by=default
        = conversation.assigned auto c4 adam epoch=1
    ",
    );
}

#[test]
fn who_holds_nothing_comes_before_who_has_been_idle_for_longer() {
    let mut desk = Desk::new(policy(Strategy::LongestIdle));
    for line in ["0 agent a units=5", "0 agent b units=5", "0 online a", "1 message m1 on=email", "50 online b"] {
        desk.play(line);
    }
    assert_eq!(owner(&desk.play("51 message m2 on=email")), "b");
    assert_eq!(owner(&desk.play("52 message m3 on=email")), "a");
}

#[test]
fn a_short_away_keeps_the_place_among_the_idle_and_a_long_one_does_not() {
    let next = |away_s: u64| {
        let mut desk = Desk::new(policy(Strategy::LongestIdle));
        for line in ["0 agent a", "0 agent b", "0 online a", "10 online b", "20 away a"] {
            desk.play(line);
        }
        desk.play(&format!("{} online a", 20 + away_s));
        owner(&desk.play("200 voice c1"))
    };
    assert_eq!(next(59), "a");
    assert_eq!(next(60), "b");
}

#[test]
fn away_by_way_of_offline_starts_anew() {
    let mut desk = Desk::new(policy(Strategy::LongestIdle));
    for line in ["0 agent a", "0 agent b", "0 online a", "1 online b", "2 offline a", "3 away a", "4 online a"] {
        desk.play(line);
    }
    assert_eq!(owner(&desk.play("5 voice c1")), "b");
}

#[test]
fn the_least_loaded_share_wins_not_the_least_work() {
    let mut desk = Desk::new(policy(Strategy::LeastLoaded));
    for line in ["0 agent small units=2", "0 agent big units=6", "0 online small", "1 online big"] {
        desk.play(line);
    }
    // 0/2 0/6: the longer idle; then 1/2 0/6, 1/2 1/6, 1/2 2/6, and 1/2 3/6 is a tie that nobody idle breaks but time.
    let picks: Vec<String> = (0..5).map(|n| owner(&desk.play(&format!("2 message m{n} on=email")))).collect();
    assert_eq!(picks, ["small", "big", "big", "big", "small"]);
}

#[test]
fn a_changed_capacity_changes_the_load() {
    let mut desk = Desk::new(policy(Strategy::LeastLoaded));
    for line in ["0 agent a units=4", "0 agent b units=4", "0 online a", "0 online b", "1 message m1 on=email"] {
        desk.play(line);
    }
    desk.play("2 message m2 on=email");
    // 1/4 and 1/4: a is first; with 1/2 he is not.
    desk.play("3 agent a units=2");
    assert_eq!(owner(&desk.play("4 message m3 on=email")), "b");
}

#[test]
fn an_agent_who_loses_a_skill_is_not_picked_for_it() {
    let mut desk = Desk::new(policy(Strategy::LongestIdle));
    for line in ["0 agent a skills=de:5", "0 agent b skills=de:5", "0 online a", "1 online b"] {
        desk.play(line);
    }
    desk.play("2 voice c0 skills=de:5");
    desk.play("3 ended c0");
    desk.play("4 agent b skills=de:4");
    assert_eq!(owner(&desk.play("5 voice c1 skills=de:5")), "a");
}

#[test]
fn a_head_start_counts_as_earlier_arrival() {
    let mut policy = policy(Strategy::LongestIdle);
    policy.tiers = vec![tier("vip", 90_000)];
    check(
        policy,
        "
        0 agent anna
        0 voice early
        5 voice level
        95 voice vip tier=vip
        95.001 voice later tier=vip
        95.001 voice unknown tier=gold
        100 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto early anna epoch=1
        101 ended early
        = conversation.resolved contact_ended early was=anna epoch=1
        = conversation.assigned auto level anna epoch=1
        102 ended level
        = conversation.resolved contact_ended level was=anna epoch=1
        = conversation.assigned auto vip anna epoch=1
        103 ended vip
        = conversation.resolved contact_ended vip was=anna epoch=1
        = conversation.assigned auto later anna epoch=1
        104 ended later
        = conversation.resolved contact_ended later was=anna epoch=1
        = conversation.assigned auto unknown anna epoch=1
    ",
    );
}

#[test]
fn a_freed_agent_takes_the_best_of_all_his_queues() {
    let mut policy = policy(Strategy::LongestIdle);
    policy.queues = ["main", "mail"].map(|name| queue(name, Strategy::LongestIdle, &[])).into();
    policy.queues.push(queue("law", Strategy::WeightedRoundRobin, &[("law", 3)]));
    policy.rules = vec![
        rule(&[(Subject::Channel, "", "email")], "mail"),
        rule(&[(Subject::Language, "", "law")], "law"),
        rule(&[], "main"),
    ];
    check(
        policy,
        "
        0 agent anna
        1 voice hopeless language=law
        2 message m on=email
        3 voice v at=1.5
        4 message n on=email at=1.4 skills=de:9
        5 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto v anna epoch=1
        6 ended v
        = conversation.resolved contact_ended v was=anna epoch=1
        = conversation.assigned auto m anna epoch=1
    ",
    );
}

#[test]
fn equal_keys_are_served_by_arrival_and_then_creation() {
    let mut policy = policy(Strategy::LongestIdle);
    policy.tiers = vec![tier("vip", 10_000)];
    check(
        policy,
        "
        0 agent anna
        20 voice vip tier=vip
        21 voice plain at=10
        22 voice twin at=10
        30 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto plain anna epoch=1
        31 ended plain
        = conversation.resolved contact_ended plain was=anna epoch=1
        = conversation.assigned auto twin anna epoch=1
        32 ended twin
        = conversation.resolved contact_ended twin was=anna epoch=1
        = conversation.assigned auto vip anna epoch=1
    ",
    );
}

#[test]
fn one_step_assigns_256_and_ticks_do_the_rest() {
    let mut desk = Desk::new(policy(Strategy::LongestIdle));
    desk.play("0 agent anna units=1000");
    for n in 0..600 {
        desk.play(&format!("0 message m{n} on=email"));
    }
    let input = desk.sender.presence("anna", Status::Online, By::Agent);
    let told = desk.told(input, 1_000);
    let assigned: Vec<&Told> = told.iter().filter(|t| t.decision_type == DecisionType::ConversationAssigned).collect();
    assert_eq!(assigned.len(), 600);
    let by_event = assigned.iter().filter(|t| !t.cause_id.is_empty()).count();
    assert_eq!(by_event, 256, "the first step's name the event, the others the tick");
    let ids: Vec<String> = assigned.iter().map(|t| t.conversation.as_ref().map_or("", |c| &c.id).to_string()).collect();
    assert_eq!(ids, (0..600).map(|n| format!("m{n}")).collect::<Vec<_>>());
}

#[test]
fn a_new_policy_changes_256_a_tick() {
    let mut before = policy(Strategy::LongestIdle);
    before.queues.push(queue("old", Strategy::LongestIdle, &[]));
    before.rules = vec![rule(&[], "old")];
    let mut desk = Desk::new(before);
    for n in 0..600 {
        desk.play(&format!("0 voice c{n}"));
    }
    let after = Policy { version: 2, ..policy(Strategy::LongestIdle) };
    let input = desk.sender.configure(after, None);
    let now = START_MS + 1_000;
    assert_eq!(desk.pair.step(&input, now).map(|told| told.len()), Ok(1));
    // One that gets an event before its turn is looked at first.
    let input = desk.sender.sent("c599");
    let told = desk.pair.step(&input, now).unwrap_or_else(|failure| panic!("{failure}"));
    let kinds: Vec<DecisionType> = told.iter().map(|t| t.decision_type).collect();
    assert_eq!(kinds, [DecisionType::ConversationQueued, DecisionType::EventRecorded]);
    let mut requeued = Vec::new();
    while desk.pair.wants_tick(now) {
        requeued.push(desk.pair.tick(now).map_or(0, |told| told.len()));
    }
    requeued.retain(|told| *told > 0);
    assert_eq!(requeued, [256, 256, 87]);
}

#[test]
fn beyond_its_limit_of_sets_an_idle_one_makes_room_or_the_events_skills_are_left_out() {
    let mut desk = Desk::new(policy(Strategy::LongestIdle));
    let message =
        |desk: &mut Desk, n: usize| desk.play(&format!("0 message m{n} on=email skills=skill{n}:1"))[1].clone();
    for n in 0..1_024 {
        assert_eq!(message(&mut desk, n), format!("conversation.queued new m{n} epoch=0 queue=main by=default"));
    }
    let left_out = "conversation.queued too_many_skill_sets m1024 epoch=0 queue=main by=default";
    assert_eq!(message(&mut desk, 1_024), left_out);
    desk.play("1 resolve m7");
    assert_eq!(message(&mut desk, 1_025), "conversation.queued new m1025 epoch=0 queue=main by=default");
    // Its set has gone, and there is no room to have it back: it waits with those who ask for nothing.
    let reopened = "conversation.queued reopen m7 epoch=1 queue=main by=default";
    assert_eq!(desk.play("2 message m7 on=email")[1], reopened);
    desk.play("3 agent anna units=9");
    let told = desk.play("4 online anna");
    let assigned = ["conversation.assigned auto m1024 anna epoch=1", "conversation.assigned auto m7 anna epoch=2"];
    assert_eq!(told[1..], assigned);
}

/// Bytes of effects and decisions of one assignment: the work that a step leaves behind, and no clock.
fn assignment_behind(unservable: usize) -> (usize, usize, Vec<DecisionType>) {
    let mut policy = policy(Strategy::LongestIdle);
    policy.tiers = vec![tier("vip", 1_000_000)];
    let mut sender = Sender::new("acme");
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    out.begin(1);
    engine.step(&sender.configure(policy, None), START_MS, &mut out);
    engine.step(&sender.agent("anna", agent_config(Some(1), 1, &[])), START_MS, &mut out);
    engine.step(&sender.presence("anna", Status::Online, By::Agent), START_MS, &mut out);
    let busy = sender.contact("voice", "", None, None);
    let busy = Contact { conversation: Some(sender.id(Kind::Conversation, "busy")), ..busy };
    engine.step(&sender.started(busy), START_MS, &mut out);
    for _ in 0..unservable {
        let mut contact = sender.requiring(sender.contact("voice", "", None, None), &[("nobody_has_it", 1)]);
        contact.tier = Some(sender.hash(Kind::Tier, &["vip"]));
        engine.step(&sender.started(contact), START_MS, &mut out);
        out.begin(out.seq + 1);
    }
    let servable = sender.contact("voice", "", None, None);
    engine.step(&sender.started(servable), START_MS, &mut out);
    engine.seal();
    out.begin(out.seq + 1);
    engine.step(&sender.ended("busy", ActorKind::Agent), START_MS + 1, &mut out);
    assert!(engine.wants_tick_at().is_none(), "one step is enough");
    let told = read_section(&out.decisions).unwrap_or_default();
    (out.effects.len(), out.decisions.len(), told.iter().map(|told| told.decision_type).collect())
}

#[test]
fn fifty_thousand_whom_nobody_can_serve_cost_the_next_one_nothing() {
    let (effects, _, told) = assignment_behind(50_000);
    let (effects_alone, _, told_alone) = assignment_behind(0);
    assert_eq!(told, [DecisionType::ConversationResolved, DecisionType::ConversationAssigned]);
    assert_eq!(told, told_alone);
    // Slots and numbers are longer varints; nothing else may differ.
    assert!(effects <= effects_alone + 16, "{effects} bytes of effects, {effects_alone} without them");
}
