//! What every word does, one short story each: conversations, commands, presence, idempotency, configuration.
//!
//! Stories are scripts (`histories/script.rs`): what happens, and after `=` what must be told. Here are the oldest words;
//! each newer concern has a file of its name beside this one. Picking is in `routing.rs`.

mod capacity;
mod clocks;
mod customers;
mod hours;
mod offers;
mod presence;
mod queues;
mod transfers;
mod turns;

use crate::histories::events::{Sender, agent_config, channel, entry, plain_policy, queue, rule, set_channel, tier};
use crate::histories::pair::Pair;
use crate::histories::script::{Desk, START_MS, check};
use engine::decision::{Reason, read_section};
use engine::input::{EventType, Input};
use engine::policy::{Policy, Strategy, Subject};
use engine::{Engine, Limits, Output};

fn policy() -> Policy {
    plain_policy(Strategy::LongestIdle)
}

#[test]
fn a_call_is_opened_queued_assigned_and_resolved() {
    check(
        policy(),
        "
        0 agent anna
        = agent.changed configured anna offline 0/1
        0 online anna
        = agent.changed presence anna available 0/1
        1 voice c1 customer=cu
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 anna epoch=1
        9 resolve c1 by=anna
        = conversation.resolved resolved c1 was=anna epoch=1
        10 resolve c1 by=anna
        = command.rejected unknown_conversation
    ",
    );
}

#[test]
fn a_contact_without_a_name_is_named_after_its_event() {
    check(
        policy(),
        "
        0 voice -
        = conversation.opened new src/e2 epoch=0
        = conversation.queued new src/e2 epoch=0 queue=main by=default
    ",
    );
}

#[test]
fn two_messages_of_one_customer_are_one_conversation() {
    check(
        policy(),
        "
        0 message - on=whatsapp customer=cu
        = conversation.opened new src/e2 epoch=0
        = conversation.queued new src/e2 epoch=0 queue=main by=default
        0.2 message - on=whatsapp customer=cu
        = event.recorded waiting
        1 message - on=email customer=cu
        = conversation.opened new src/e4 epoch=0
        = conversation.queued new src/e4 epoch=0 queue=main by=default
        2 agent anna
        2 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto src/e2 anna epoch=1
        3 message - on=whatsapp customer=cu
        = message.routed src/e2 anna epoch=1
    ",
    );
}

#[test]
fn a_thread_joins_customers_and_a_name_does_not() {
    check(
        policy(),
        "
        0 message - on=email thread=t customer=one
        = conversation.opened new src/e2 epoch=0
        = conversation.queued new src/e2 epoch=0 queue=main by=default
        1 message - on=email thread=t customer=other
        = event.recorded waiting
        2 message src/e2 on=email thread=t customer=other
        = event.recorded waiting
        3 message src/e2 on=email customer=other
        = conversation.opened other_customer src/e5 epoch=0
        = conversation.queued new src/e5 epoch=0 queue=main by=default
        4 message src/e2 on=email
        = event.recorded waiting
    ",
    );
}

#[test]
fn reactions_open_and_reopen_nothing() {
    check(
        policy(),
        "
        0 message m on=email customer=cu opens=no
        = event.recorded ignored(opens_nothing)
        1 message m on=email customer=cu
        2 message m on=email customer=cu opens=no
        = event.recorded recorded
        3 resolve m
        = conversation.resolved missed m epoch=0
        4 message m on=email customer=cu opens=no
        = event.recorded ignored(opens_nothing)
        5 sent m
        = event.recorded recorded
        6 sent n
        = event.recorded ignored(unknown_conversation)
    ",
    );
}

#[test]
fn contacts_start_and_end_on_live_channels_only() {
    check(
        policy(),
        "
        0 started c1 on=email
        = event.recorded ignored(not_live)
        0 started c1 on=telepathy
        = event.recorded ignored(unknown_channel)
        0 message c1 on=telepathy
        = event.recorded ignored(unknown_channel)
        1 message c1 on=email
        2 ended c1
        = event.recorded ignored(not_live)
        3 ended c2
        = event.recorded ignored(unknown_conversation)
        4 voice c2
        5 voice c2
        = event.recorded ignored(already_open)
        5 message c3 on=chat
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=main by=default
    ",
    );
}

#[test]
fn leaving_the_line_is_an_abandon_or_a_short_one_or_a_close() {
    check(
        policy(),
        "
        0 voice c1
        5 ended c1
        = conversation.abandoned short_abandoned c1 epoch=0
        10 voice c2
        15.001 ended c2
        = conversation.abandoned abandoned c2 epoch=0
        20 voice c3
        21 ended c3 by=system
        = conversation.closed contact_ended c3 epoch=0
        30 voice c4 at=20
        31 ended c4
        = conversation.abandoned abandoned c4 epoch=0
    ",
    );
}

#[test]
fn a_contact_that_ends_in_hands_is_resolved() {
    check(
        policy(),
        "
        0 agent anna
        0 online anna
        1 voice c1
        2 ended c1
        = conversation.resolved contact_ended c1 was=anna epoch=1
        3 voice c1
        = conversation.opened linked c1 epoch=1
        = conversation.queued new c1 epoch=1 queue=main by=default
        = conversation.assigned auto c1 anna epoch=2
    ",
    );
}

#[test]
fn a_message_inside_the_reopen_window_reopens_and_after_it_opens_anew() {
    let mut policy = policy();
    policy.reopen_window_ms = 60_000;
    check(
        policy,
        "
        0 agent anna
        0 online anna
        0 message m on=email customer=cu
        10 resolve m by=anna
        = conversation.resolved resolved m was=anna epoch=1
        70 message - on=email customer=cu
        = conversation.reopened reopen m epoch=2
        = conversation.queued reopen m epoch=2 queue=main by=default
        = conversation.assigned auto m anna epoch=3
        80 resolve m by=anna
        140.001 message - on=email customer=cu
        = conversation.closed reopen_window_passed m epoch=3 (tick)
        = conversation.opened linked src/e8 epoch=0
        = conversation.queued new src/e8 epoch=0 queue=main by=default
        = conversation.assigned auto src/e8 anna epoch=1
        141 resolve src/e8
        142 message m on=email customer=cu
        = conversation.opened linked m epoch=3
        = conversation.queued new m epoch=3 queue=main by=default
        = conversation.assigned auto m anna epoch=4
    ",
    );
}

#[test]
fn passed_windows_are_closed_two_a_step_the_first_resolved_first() {
    let mut policy = policy();
    policy.reopen_window_ms = 60_000;
    check(
        policy,
        "
        0 message m1 on=email
        0 message m2 on=email
        0 message m3 on=email
        0 message m4 on=email
        1 resolve m3
        1 resolve m1
        2 resolve m4
        3 resolve m2
        61 sent nothing
        = event.recorded ignored(unknown_conversation)
        100 sent nothing
        = conversation.closed reopen_window_passed m3 epoch=0 (tick)
        = conversation.closed reopen_window_passed m1 epoch=0 (tick)
        = event.recorded ignored(unknown_conversation)
        101 message m2 on=email opens=no
        = conversation.closed reopen_window_passed m4 epoch=0 (tick)
        = conversation.closed reopen_window_passed m2 epoch=0 (tick)
        = event.recorded ignored(opens_nothing)
    ",
    );
}

#[test]
fn every_refusal_of_a_claim_has_its_code() {
    check(
        policy(),
        "
        0 agent anna
        0 agent bert
        0 message m1 on=email
        0 message m2 on=email
        0 message m3 on=email
        1 claim m1 nobody
        = command.rejected unknown_agent
        1 claim none anna
        = command.rejected unknown_conversation
        1 claim m1 anna epoch=3
        = command.rejected stale_epoch
        1 claim m1 anna epoch=0
        = command.rejected not_routable
        2 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto m1 anna epoch=1
        3 claim m1 anna
        = command.rejected already_owner
        3 online bert
        = agent.changed presence bert available 0/1
        = conversation.assigned auto m2 bert epoch=1
        4 claim m1 bert
        = command.rejected owned_by_other
        4 claim m3 bert
        = command.rejected no_capacity
        5 resolve m1
        = conversation.resolved resolved m1 was=anna epoch=1
        = conversation.assigned auto m3 anna epoch=1
        6 claim m1 bert
        = command.rejected not_open
    ",
    );
}

#[test]
fn a_claim_needs_no_skills() {
    let mut policy = policy();
    policy.queues = vec![queue("main", Strategy::LongestIdle, &[("law", 5)])];
    check(
        policy,
        "
        0 agent anna skills=law:4
        0 online anna
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        2 claim m anna epoch=0
        = conversation.assigned claim m anna epoch=1
    ",
    );
}

#[test]
fn every_refusal_of_an_assignment_has_its_code() {
    check(
        policy(),
        "
        0 agent anna
        0 agent bert
        0 message m1 on=email
        0 voice c1
        1 assign m1 anna reason=rush by=agent:anna
        = command.rejected not_supervisor
        1 assign m1 anna
        = command.rejected reason_required
        1 assign m1 nobody reason=rush
        = command.rejected unknown_agent
        1 assign none anna reason=rush
        = command.rejected unknown_conversation
        1 assign m1 anna reason=rush epoch=4
        = command.rejected stale_epoch
        1 assign c1 anna reason=rush
        = command.rejected not_routable
        2 resolve m1
        2 assign m1 anna reason=rush
        = command.rejected not_open
        3 online anna
        4 assign c1 anna reason=rush
        = command.rejected already_owner
    ",
    );
}

#[test]
fn a_supervisor_moves_work_and_may_pass_a_limit() {
    check(
        policy(),
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m1 on=email
        2 message m2 on=email
        3 assign m2 anna reason=rush by=system:strowger
        = conversation.assigned supervisor m2 anna epoch=1
        = capacity.exceeded override anna full 2/1
        4 assign m1 bert reason=rush
        = conversation.assigned supervisor m1 bert was=anna epoch=2
        5 message m3 on=email
        = conversation.opened new m3 epoch=0
        = conversation.queued new m3 epoch=0 queue=main by=default
        6 resolve m2
        = conversation.resolved resolved m2 was=anna epoch=1
        = conversation.assigned auto m3 anna epoch=1
    ",
    );
}

#[test]
fn every_refusal_of_a_resolve_has_its_code() {
    check(
        policy(),
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 message m1 on=email
        1 resolve none
        = command.rejected unknown_conversation
        1 resolve m1 epoch=0
        = command.rejected stale_epoch
        1 resolve m1 by=bert
        = command.rejected not_owner
        1 resolve m1 by=supervisor:boss epoch=1
        = conversation.resolved resolved m1 was=anna epoch=1
        2 resolve m1
        = command.rejected not_open
    ",
    );
}

#[test]
fn the_best_source_counts_and_the_agents_choice_caps_it() {
    check(
        policy(),
        "
        0 agent anna
        0 online anna from=desk
        = agent.changed presence anna available 0/1
        1 offline anna from=phone by=device
        = event.recorded recorded
        2 away anna from=phone
        = agent.changed presence anna away 0/1
        3 online anna from=phone by=device
        = event.recorded recorded
        4 online anna from=phone
        = agent.changed presence anna available 0/1
        5 offline anna from=desk by=device
        = event.recorded recorded
        6 offline anna from=phone by=device
        = agent.changed presence anna offline 0/1
        7 online nobody
        = event.recorded ignored(unknown_agent)
    ",
    );
}

#[test]
fn an_older_sequence_of_the_same_session_is_ignored() {
    check(
        policy(),
        "
        0 agent anna
        0 online anna session=s sequence=5
        1 away anna session=s sequence=5
        = event.recorded ignored(stale_sequence)
        1 away anna session=s sequence=4
        = event.recorded ignored(stale_sequence)
        2 away anna session=t sequence=1
        = agent.changed presence anna away 0/1
        3 online anna session=t
        = agent.changed presence anna available 0/1
        4 away anna session=t sequence=1
        = agent.changed presence anna away 0/1
    ",
    );
}

#[test]
fn the_seventeenth_source_takes_the_place_of_an_offline_one() {
    let mut script = String::from("0 agent anna\n");
    for source in 0..16 {
        script += &format!("{source} online anna from=s{source} by=device\n");
    }
    check(
        policy(),
        &(script
            + "
        20 away anna from=s16 by=device
        = event.recorded ignored(too_many_sources)
        21 offline anna from=s3 by=device
        = event.recorded recorded
        22 away anna from=s16 by=device
        = event.recorded recorded
        23 online anna from=s3 by=device
        = event.recorded ignored(too_many_sources)
    "),
    );
}

#[test]
fn going_offline_keeps_open_work_and_gets_no_new() {
    check(
        policy(),
        "
        0 agent anna units=2
        0 online anna
        1 message m1 on=email
        2 offline anna
        = agent.changed presence anna offline 1/2
        3 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.queued new m2 epoch=0 queue=main by=default
        4 message m1 on=email
        = message.routed m1 anna epoch=1
        5 resolve m1 by=anna
        = conversation.resolved resolved m1 was=anna epoch=1
        6 online anna
        = agent.changed presence anna available 0/2
        = conversation.assigned auto m2 anna epoch=1
    ",
    );
}

#[test]
fn the_same_event_again_changes_nothing() {
    check(
        policy(),
        "
        0 agent anna
        0 online anna
        1 voice c1
        2 repeat
        = event.recorded duplicate(decided)
        3 sent nothing
        = event.recorded ignored(unknown_conversation)
        4 repeat
        = event.recorded duplicate(ignored)
        5 claim c1 anna
        6 repeat
        = event.recorded duplicate(rejected)
    ",
    );
}

#[test]
fn the_memory_of_events_has_two_limits() {
    let again = |limits: Limits, events: usize, at_ms: u64| {
        let mut desk = Desk::new(policy());
        desk.pair.set_limits(limits, 0);
        let first = desk.sender.sent("nothing");
        desk.give(first.clone(), 0);
        for _ in 1..events {
            let other = desk.sender.sent("nothing");
            desk.give(other, at_ms);
        }
        desk.give(first, at_ms)
    };
    let duplicate = ["event.recorded duplicate(ignored)"];
    let new = ["event.recorded ignored(unknown_conversation)"];
    let few = Limits { idempotency_max: 3, ..Limits::default() };
    assert_eq!(again(few, 3, 0), duplicate);
    assert_eq!(again(few, 4, 0), new);
    let short = Limits { idempotency_window_ms: 1_000, ..Limits::default() };
    assert_eq!(again(short, 1, 5_000), duplicate, "what nothing has pushed out is still there");
    assert_eq!(again(short, 3, 1_000), duplicate);
    assert_eq!(again(short, 3, 1_001), new);
}

#[test]
fn what_is_not_built_is_never_silently_taken() {
    check(
        policy(),
        "
        0 unsupported message.status
        = event.recorded ignored(unsupported)
        0 unsupported conversation.transfer
        = command.rejected unsupported
        0 unsupported agent.presence
        = event.recorded ignored(unsupported)
        0 unsupported workspace.configure
        = command.rejected unsupported
        0 invalid
        = command.rejected invalid_policy
    ",
    );
}

#[test]
fn rules_come_before_the_entry_and_the_entry_before_the_default() {
    let mut policy = policy();
    policy.queues = ["main", "shop", "de", "bills", "mail"].map(|name| queue(name, Strategy::LongestIdle, &[])).into();
    policy.tiers = vec![tier("vip", 0)];
    policy.entries = vec![entry("shop", "shop")];
    policy.rules = vec![
        rule(&[(Subject::Language, "", "de"), (Subject::Tier, "", "vip")], "de"),
        rule(&[], "main"),
        rule(&[(Subject::Attribute, "topic", "bill")], "bills"),
        rule(&[(Subject::Channel, "", "email")], "mail"),
    ];
    check(
        policy,
        "
        0 voice c1 language=de
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        0 voice c2 language=de tier=vip entry=shop
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=de by=rule[0]
        0 voice c3 attribute=topic:bill entry=shop
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=bills by=rule[2]
        0 voice c4 entry=shop
        = conversation.opened new c4 epoch=0
        = conversation.queued new c4 epoch=0 queue=shop by=entry
        0 message m5 on=email entry=other
        = conversation.opened new m5 epoch=0
        = conversation.queued new m5 epoch=0 queue=mail by=rule[3]
    ",
    );
}

#[test]
fn a_policy_needs_a_higher_version() {
    let mut desk = Desk::new(policy());
    let mut configure = |version, units, expected| {
        let policy = Policy { version, default_units: units, ..policy() };
        let input = desk.sender.configure(policy, expected);
        desk.give(input, 0)
    };
    assert_eq!(configure(1, 1, None), ["event.recorded recorded"]);
    assert_eq!(configure(1, 2, None), ["command.rejected version_not_above"]);
    assert_eq!(configure(2, 2, Some(0)), ["command.rejected version_mismatch"]);
    assert_eq!(configure(2, 2, Some(1)), ["workspace.configured"]);
    assert_eq!(configure(1, 1, None), ["command.rejected version_not_above"]);
}

#[test]
fn what_waits_is_looked_at_again_under_a_new_policy() {
    let mut old = policy();
    old.queues = vec![queue("main", Strategy::LongestIdle, &[]), queue("old", Strategy::LongestIdle, &[("law", 1)])];
    old.tiers = vec![tier("vip", 60_000)];
    old.rules = vec![rule(&[(Subject::Channel, "", "email")], "old"), rule(&[], "main")];
    let mut desk = Desk::new(old);
    for line in ["0 voice c1", "1 voice c2 tier=vip", "2 message m3 on=email", "3 message m4 on=email skills=tax:2"] {
        desk.play(line);
    }
    let mut new = policy();
    new.version = 2;
    new.tiers = vec![tier("vip", 90_000)];
    let told = desk.configure(new, 10_000);
    let expected = [
        "workspace.configured",
        "conversation.updated configured c2 epoch=0 (tick)",
        "conversation.queued requeue m3 epoch=0 queue=main by=default (tick)",
        "conversation.queued requeue m4 epoch=0 queue=main by=default (tick)",
    ];
    assert_eq!(told, expected);
    desk.play("11 agent anna units=9");
    let told = desk.play("11 online anna");
    assert_eq!(told[1..], ["conversation.assigned auto c2 anna epoch=1",]);
    desk.play("12 agent anna units=9 skills=tax:2");
    assert_eq!(desk.play("12 resolve c2")[1..], ["conversation.assigned auto c1 anna epoch=1"]);
    assert_eq!(
        desk.play("13 resolve c1")[1..],
        ["conversation.assigned auto m3 anna epoch=1", "conversation.assigned auto m4 anna epoch=1",]
    );
}

#[test]
fn lowered_capacity_is_said_and_takes_nothing_away() {
    check(
        policy(),
        "
        0 agent anna units=2
        0 online anna
        0 message m1 on=email
        0 message m2 on=email
        1 agent anna units=2
        = event.recorded recorded
        1 agent anna units=1
        = agent.changed configured anna full 2/1
        = capacity.exceeded capacity_lowered anna full 2/1
        2 message m3 on=email
        3 resolve m1
        = conversation.resolved resolved m1 was=anna epoch=1
        4 resolve m2
        = conversation.resolved resolved m2 was=anna epoch=1
        = conversation.assigned auto m3 anna epoch=1
    ",
    );
}

#[test]
fn live_work_comes_in_on_async_and_nothing_on_live() {
    check(
        policy(),
        "
        0 agent anna units=5
        0 online anna
        1 message m1 on=email
        = conversation.opened new m1 epoch=0
        = conversation.queued new m1 epoch=0 queue=main by=default
        = conversation.assigned auto m1 anna epoch=1
        2 chat c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        = conversation.assigned auto c1 anna epoch=1
        3 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.queued new m2 epoch=0 queue=main by=default
        4 chat c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        = conversation.assigned auto c2 anna epoch=1
        5 voice v1
        = conversation.opened new v1 epoch=0
        = conversation.queued new v1 epoch=0 queue=main by=default
        6 ended c1
        = conversation.resolved contact_ended c1 was=anna epoch=1
        7 ended c2
        = conversation.resolved contact_ended c2 was=anna epoch=1
        = conversation.assigned auto m2 anna epoch=1
        = conversation.assigned auto v1 anna epoch=1
    ",
    );
}

#[test]
fn while_an_exclusive_one_is_held_nothing_is_added() {
    check(
        policy(),
        "
        0 agent anna units=5
        0 online anna
        1 message m1 on=email
        2 voice v1
        = conversation.opened new v1 epoch=0
        = conversation.queued new v1 epoch=0 queue=main by=default
        = conversation.assigned auto v1 anna epoch=1
        3 agent anna units=6
        = agent.changed configured anna full 2/6
        4 voice v2
        5 message m2 on=email
        6 claim m2 anna
        = command.rejected no_capacity
        7 ended v1
        = conversation.resolved contact_ended v1 was=anna epoch=1
        = conversation.assigned auto v2 anna epoch=1
    ",
    );
}

#[test]
fn a_hold_keeps_the_units_it_was_made_with() {
    let channel = |units| channel("email", false, units, false);
    let mut first = policy();
    set_channel(&mut first, channel(2));
    let mut desk = Desk::new(first.clone());
    for line in ["0 agent anna units=3", "0 online anna", "1 message m1 on=email", "2 message m2 on=email"] {
        desk.play(line);
    }
    first.version = 2;
    set_channel(&mut first, channel(1));
    let told = desk.configure(first, 3_000);
    assert_eq!(told, ["workspace.configured", "conversation.assigned auto m2 anna epoch=1"]);
    assert_eq!(desk.play("4 away anna"), ["agent.changed presence anna away 3/3"]);
}

#[test]
fn a_conversation_begins_where_its_name_last_ended_for_thirty_days() {
    check(
        policy(),
        "
        0 agent anna
        0 online anna
        0 voice c1
        1 ended c1
        1 voice c2
        2 ended c2
        2592001 voice c1
        = conversation.opened linked c1 epoch=1
        = conversation.queued new c1 epoch=1 queue=main by=default
        = conversation.assigned auto c1 anna epoch=2
        2592003 ended c1
        2592004 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        = conversation.assigned auto c2 anna epoch=1
    ",
    );
}

#[test]
fn arrivals_are_clamped_to_the_last_day() {
    let mut desk = Desk::new(policy());
    let mut arrival = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        desk.play(line);
        let workspace = desk.pair.engine.workspace("acme").expect("it is configured");
        let conversation = workspace.conversation(words[2]).expect("it is open");
        conversation.arrival as i64 - START_MS as i64
    };
    assert_eq!(arrival("100 voice c1 at=90"), 90_000);
    assert_eq!(arrival("100 voice c2 at=101"), 100_000);
    assert_eq!(arrival("100 voice c3 at=-100000"), 100_000 - 86_400_000);
    assert_eq!(arrival("100 voice c4"), 100_000);
}

#[test]
fn an_event_for_a_workspace_that_comes_later_counts_when_it_is_there() {
    let mut sender = Sender::new("acme");
    let mut pair = Pair::new(sender.key);
    let early = sender.started(sender.contact("voice", "", Some("cu"), None));
    assert_eq!(pair.step(&early, START_MS), Ok(Vec::new()));
    let refused = sender.unsupported(EventType::WorkspaceConfigure, "calendar");
    assert_eq!(pair.step(&refused, START_MS).map(|told| told.len()), Ok(1));
    assert_eq!(pair.step(&early, START_MS), Ok(Vec::new()), "a refused policy makes no workspace");
    let input = sender.configure(policy(), Some(0));
    assert_eq!(pair.step(&input, START_MS).map(|told| told.len()), Ok(1));
    assert_eq!(pair.step(&early, START_MS).map(|told| told.len()), Ok(2));
    assert_eq!(pair.seal(), Ok(()));
}

#[test]
fn a_configuration_with_a_fault_is_refused_whole() {
    let mut desk = Desk::new(policy());
    let mut faulty = policy();
    faulty.version = 2;
    faulty.rules = vec![rule(&[], "nowhere")];
    assert_eq!(desk.configure(faulty, 0), ["command.rejected invalid_policy"]);
    check(
        policy(),
        "
        0 agent anna weight=0
        = command.rejected invalid_policy
        0 agent anna units=0
        = command.rejected invalid_policy
        0 agent anna skills=de:11
        = command.rejected invalid_policy
        0 online anna
        = event.recorded ignored(unknown_agent)
    ",
    );
}

#[test]
fn a_shard_has_two_hundred_thousand_agents_at_most() {
    let mut sender = Sender::new("acme");
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    let mut give = |input: &Input| {
        out.begin(out.seq + 1);
        engine.step(input, START_MS, &mut out);
        read_section(&out.decisions).map(|told| told[0].reason)
    };
    let input = sender.configure(policy(), None);
    assert_eq!(give(&input), Ok(Reason::None));
    for n in 0..200_000 {
        let input = sender.agent(&format!("agent{n}"), agent_config(None, 1, &[]));
        assert_eq!(give(&input), Ok(Reason::Configured));
    }
    let one_more = sender.agent("one_more", agent_config(None, 1, &[]));
    assert_eq!(give(&one_more), Ok(Reason::TooMany));
    let known = sender.agent("agent7", agent_config(None, 2, &[]));
    assert_eq!(give(&known), Ok(Reason::Configured));
}

#[test]
fn an_identity_leads_to_what_is_open_before_what_is_resolved() {
    check(
        policy(),
        "
        0 message a on=email customer=cu
        1 message b on=email customer=cu
        2 resolve b
        3 message - on=email customer=cu
        = event.recorded waiting
        4 resolve a
        5 message - on=email customer=cu
        = conversation.reopened reopen a epoch=1
        = conversation.queued reopen a epoch=1 queue=main by=default
    ",
    );
}

#[test]
fn a_call_cannot_start_in_a_resolved_conversation() {
    check(
        policy(),
        "
        0 message m on=email customer=cu
        1 resolve m
        2 voice m customer=cu
        = event.recorded ignored(not_open)
    ",
    );
}

#[test]
fn what_is_on_a_channel_that_is_gone_is_served_as_before() {
    let mut old = policy();
    set_channel(&mut old, channel("fax", false, 2, false));
    let mut desk = Desk::new(old);
    desk.play("0 message f on=fax customer=cu");
    let mut new = policy();
    new.version = 2;
    desk.configure(new, 1_000);
    assert_eq!(desk.play("2 message g on=fax"), ["event.recorded ignored(unknown_channel)"]);
    desk.play("2 agent anna units=2");
    let told = desk.play("2 online anna");
    assert_eq!(told[1..], ["conversation.assigned auto f anna epoch=1"]);
}

#[test]
fn a_policy_that_does_not_fit_a_record_is_refused_and_the_workspace_goes_on() {
    let mut desk = Desk::new(policy());
    let mut huge = policy();
    huge.version = 2;
    let skills: Vec<String> = (0..64).map(|n| format!("skill-{n}")).collect();
    huge.queues = (0..1_000)
        .map(|q| {
            let own: Vec<String> = skills.iter().map(|s| format!("{s}-of-{q}")).collect();
            let levels: Vec<(&str, u8)> = own.iter().map(|s| (&**s, 1)).collect();
            queue(&format!("queue-{q}"), Strategy::LongestIdle, &levels)
        })
        .collect();
    huge.rules = vec![rule(&[], "queue-0")];
    assert_eq!(huge.faults(), []);
    // Only the engine is asked: the naive engine knows no records.
    let mut engine = Engine::new(desk.sender.key);
    let mut out = Output::default();
    let mut give = |input: &Input| {
        out.begin(out.seq + 1);
        engine.step(input, START_MS, &mut out);
        read_section(&out.decisions).map(|told| told[0].reason)
    };
    assert_eq!(give(&desk.sender.configure(policy(), None)), Ok(Reason::None));
    assert_eq!(give(&desk.sender.configure(huge, None)), Ok(Reason::TooMany));
}

#[test]
fn a_supervisor_cannot_count_past_the_ledger() {
    let mut sender = Sender::new("acme");
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    let mut heavy = policy();
    set_channel(&mut heavy, channel("chat", false, 1_000_000, false));
    let mut give = |input: &Input| {
        out.begin(out.seq + 1);
        engine.step(input, START_MS, &mut out);
        read_section(&out.decisions).unwrap()[0].reason
    };
    give(&sender.configure(heavy, None));
    give(&sender.agent("anna", agent_config(Some(1), 1, &[])));
    let mut last = Reason::None;
    for n in 0..4_300 {
        let id = format!("c{n}");
        let mut contact = sender.contact("chat", "", None, None);
        contact.conversation = Some(sender.id(engine::id::Kind::Conversation, &id));
        give(&sender.received(contact, true));
        let assign = sender.assign(&id, "anna", None, Some("now"));
        let assign = sender.by(assign, engine::input::ActorKind::Supervisor, "boss");
        last = give(&assign);
        assert_eq!(
            last == Reason::NoCapacity,
            n >= 4_294,
            "4,294 million units are counted, and the next passes 32 bits"
        );
    }
    assert_eq!(last, Reason::NoCapacity);
    assert_eq!(engine.broken_promise(), None);
}
