//! Which conversation to which agent: every strategy's order, the line, the step bound, and what may cost nothing.
//!
//! All through `step`, in both engines at once. No test here looks at a clock: what must be cheap is counted.

use crate::histories::events::{plain_policy, queue, rule, tier};
use crate::histories::policies;
use crate::histories::script::{Desk, START_MS, check, check_under};
use engine::decision::{DecisionType, Told};
use engine::input::{By, Status};
use engine::policy::{Policy, Strategy, Subject};

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

#[test]
fn each_rank_has_a_rotation_of_its_own() {
    let mut desk = Desk::new(policy(Strategy::WeightedRoundRobin));
    for line in [
        "0 agent a units=2 weight=2 member=main:5:1",
        "0 agent b units=2 member=main:5:1",
        "0 agent c units=9 member=main:5:2",
        "0 agent d units=9 member=main:5:2",
    ] {
        desk.play(line);
    }
    for agent in ["a", "b", "c", "d"] {
        desk.play(&format!("0 online {agent}"));
    }
    // The first rank while it has room; then the second, which is frozen whenever the first is back.
    assert_eq!(desk.picks(1, 0..7), "ababcdc");
    desk.play("2 resolve m0");
    desk.play("2 resolve m1");
    assert_eq!(desk.picks(3, 7..11), "abdc");
}

#[test]
fn who_changes_his_rank_and_comes_back_keeps_what_he_is_due() {
    let mut desk = Desk::new(policies::policy("queue main weighted_round_robin\nqueue other"));
    for line in ["0 agent a units=999", "0 agent b units=999 weight=3", "0 online a", "0 online b"] {
        desk.play(line);
    }
    assert_eq!(desk.picks(1, 0..1), "b");
    desk.play("2 agent a units=999 member=main:5:7");
    desk.play("3 agent a units=999");
    // From a quarter that he kept a is level with b, and he was configured first. Begun anew he would be behind.
    assert_eq!(desk.picks(4, 1..2), "a");
    // Who leaves the queue leaves the rotation: he comes back with nothing due, and not with the half that he is ahead.
    desk.play("5 agent a units=999 member=other:5:5");
    desk.play("6 agent a units=999");
    assert_eq!(desk.picks(7, 2..5), "bba");
}

#[test]
fn a_new_member_starts_level_and_changes_nobodys_due() {
    let mut desk = Desk::new(policy(Strategy::WeightedRoundRobin));
    for line in ["0 agent a units=999", "0 agent b units=999", "0 online a", "0 online b"] {
        desk.play(line);
    }
    assert_eq!(desk.picks(1, 0..1), "a");
    desk.play("2 agent c units=999");
    desk.play("2 online c");
    // From -1/2, 1/2 and 0, a third each a pick.
    assert_eq!(desk.picks(3, 1..10), "bcabcabca");
}

#[test]
fn a_pick_counts_when_it_is_made_accepted_or_not() {
    check_under(
        "queue main weighted_round_robin accept=20",
        "
        0 agent a units=9
        0 agent b units=9
        0 online a
        0 online b
        1 message m on=email
        2 decline 1 a
        = offer.withdrawn declined m epoch=0 to=a offer=1
        = conversation.offered auto m epoch=0 to=b offer=2 until=22
        # a was due a half and picked once. The second pick had one candidate: a stands where he stood, b is level with it.
        3 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        = conversation.offered auto n epoch=0 to=b offer=3 until=23
        4 message o on=email
        = conversation.opened new o epoch=0
        = conversation.queued new o epoch=0 queue=main by=default
        = conversation.offered auto o epoch=0 to=a offer=4 until=24
    ",
    );
}

#[test]
fn the_most_skilled_is_taken_by_required_then_preferred_skills_then_idleness() {
    check_under(
        "queue main most_skilled skills=de:1 preferred_skills=law:1",
        "
        0 agent a skills=de:5
        0 agent b skills=de:3,law:9
        0 agent c skills=de:5,law:2
        0 agent d skills=de:3,law:9
        0 online d
        1 online a
        1 online b
        1 online c
        2 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 c epoch=1
        2 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        = conversation.assigned auto c2 a epoch=1
        2 voice c3
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=main by=default
        = conversation.assigned auto c3 d epoch=1
        2 voice c4
        = conversation.opened new c4 epoch=0
        = conversation.queued new c4 epoch=0 queue=main by=default
        = conversation.assigned auto c4 b epoch=1
    ",
    );
}

#[test]
fn a_pull_queue_is_claimed_from_its_head_and_assigns_what_nobody_claims() {
    check_under(
        "queue main manual pick=head unclaimed=60:longest_idle",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m1 on=email
        = conversation.opened new m1 epoch=0
        = conversation.queued new m1 epoch=0 queue=main by=default
        2 message m2 on=email
        3 claim m2 anna
        = command.rejected not_head
        3 claim m1 anna
        = conversation.assigned claim m1 anna epoch=1
        until 61.999
        = nothing
        until 62
        = conversation.updated unclaimed m2 epoch=0 (tick)
        63 online bert
        = agent.changed presence bert available 0/1
        = conversation.assigned auto m2 bert epoch=1
    ",
    );
}

#[test]
fn in_a_pull_queue_only_the_preferred_one_may_claim_for_a_while() {
    check_under(
        "queue main manual preferred=60",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email customer=cu
        2 claim m anna
        3 resolve m by=anna
        4 message m on=email customer=cu
        5 claim m bert
        = command.rejected preferred_only
        until 64
        = conversation.updated preference_expired m epoch=2 (tick)
        65 claim m bert
        = conversation.assigned claim m bert epoch=3
    ",
    );
}

#[test]
fn a_vip_rings_the_senior_first_whoever_is_idle_for_longer() {
    check_under(
        "tier vip ring=seniority:5:30; tier gold ring=team:first:30; team first",
        "
        0 agent junior seniority=1 team=first
        0 agent senior seniority=7
        0 online junior
        1 online senior
        2 voice c1 tier=vip
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 senior epoch=1
        3 voice c2 tier=vip
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        until 32.999
        = nothing
        until 33
        = conversation.relaxed first_ring c2 epoch=0 step=0 (tick)
        = conversation.assigned auto c2 junior epoch=1 (tick)
        34 ended c1
        35 ended c2
        36 voice c3 tier=gold
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=main by=default
        = conversation.assigned auto c3 junior epoch=1
    ",
    );
}

#[test]
fn a_step_lowers_and_drops_what_is_asked() {
    check_under(
        "
        queue main skills=de:5
        step main after=30 lower=de:2
        step main after=60 drop=de
        ",
        "
        0 agent anna skills=de:2
        0 agent bert
        0 online bert
        0 online anna
        1 voice c1
        until 30.999
        = nothing
        until 31
        = conversation.relaxed step c1 epoch=0 step=1 (tick)
        = conversation.assigned auto c1 anna epoch=1 (tick)
        32 voice c2
        until 92
        = conversation.relaxed step c2 epoch=0 step=1 (tick at 62)
        = conversation.relaxed step c2 epoch=0 step=2 (tick)
        = conversation.assigned auto c2 bert epoch=1 (tick)
    ",
    );
}

#[test]
fn a_step_widens_the_teams() {
    check_under(
        "
        team first
        team second
        queue main teams=first
        step main after=30 teams=first,second
        step main after=60 teams=
        ",
        "
        0 agent a team=first
        0 agent b team=second
        0 agent c
        0 online c
        0 online b
        1 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        2 voice c2
        until 31
        = conversation.relaxed step c1 epoch=0 step=1 (tick)
        = conversation.assigned auto c1 b epoch=1 (tick)
        until 62
        = conversation.relaxed step c2 epoch=0 step=1 (tick at 32)
        = conversation.relaxed step c2 epoch=0 step=2 (tick)
        = conversation.assigned auto c2 c epoch=1 (tick)
    ",
    );
}

#[test]
fn a_step_raises_the_head_start() {
    check_under(
        "
        queue main
        queue second
        step second after=10 head_start=60
        rule second language=de
        ",
        "
        0 agent anna
        0 voice c1
        20 voice c2 language=de
        until 30
        = conversation.relaxed step c2 epoch=0 step=1 (tick)
        40 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto c2 anna epoch=1
    ",
    );
}

#[test]
fn a_step_overflows() {
    check_under(
        "
        queue main
        step main after=10 overflow=second
        queue second
        ",
        "
        0 agent anna member=second
        0 online anna
        0 voice c1
        until 10
        = conversation.queued overflow c1 epoch=0 queue=second (tick)
        = conversation.assigned auto c1 anna epoch=1 (tick)
    ",
    );
}

#[test]
fn a_step_may_depend_on_nobody_being_online_for_it() {
    let policy = "
        queue main skills=de:1
        step main after=30 drop=de only_if_nobody_online
        ";
    check_under(
        policy,
        "
        0 agent anna skills=de:1
        0 agent bert
        0 online bert
        1 voice c1
        until 31
        = conversation.relaxed step c1 epoch=0 step=1 (tick)
        = conversation.assigned auto c1 bert epoch=1 (tick)
    ",
    );
    check_under(
        policy,
        "
        0 agent anna skills=de:1
        0 agent bert
        0 online anna
        0 online bert
        1 voice c1
        2 voice c2
        until 3600
        = nothing
        3600 look c2
        = c2 queued cause=all_full ..
    ",
    );
}

#[test]
fn strict_classes_come_first_until_somebody_has_waited_too_long() {
    check_under(
        "set strict_max_wait=60; tier vip class=1",
        "
        0 agent anna
        0 voice plain
        50 voice v1 tier=vip
        55 voice v2 tier=vip
        57 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto v1 anna epoch=1
        58 ended v1
        = conversation.resolved contact_ended v1 was=anna epoch=1
        = conversation.assigned auto v2 anna epoch=1
        59 voice v3 tier=vip
        until 60
        = conversation.updated promoted plain epoch=0 (tick)
        61 ended v2
        = conversation.resolved contact_ended v2 was=anna epoch=1
        = conversation.assigned auto plain anna epoch=1
    ",
    );
}

#[test]
fn a_freeing_agent_serves_his_own_queues_first() {
    check_under(
        "queue main; queue second; rule second language=de",
        "
        0 agent anna member=main:9 member=second:1
        0 voice c1
        10 voice c2 language=de
        20 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto c2 anna epoch=1
        21 ended c2
        = conversation.resolved contact_ended c2 was=anna epoch=1
        = conversation.assigned auto c1 anna epoch=1
    ",
    );
}

#[test]
fn a_contact_reaches_a_member_only_after_his_delay() {
    check_under(
        "queue main",
        "
        0 agent anna
        0 agent bert member=main:5:5:30
        0 agent carl member=main:5:5:60
        0 online bert
        0 online carl
        1 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        until 30.999
        = nothing
        until 31
        = conversation.assigned auto c1 bert epoch=1 (tick)
        32 voice c2
        until 92
        = conversation.assigned auto c2 carl epoch=1 (tick)
    ",
    );
}

#[test]
fn memberships_of_the_team_count_where_an_agent_has_none() {
    check_under(
        "queue main; queue second; rule second language=de; team night member=second",
        "
        0 agent a team=night
        0 agent b team=night member=main
        0 online a
        0 online b
        1 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 b epoch=1
        2 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        3 voice c3 language=de
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=second by=rule[0]
        = conversation.assigned auto c3 a epoch=1
    ",
    );
}
