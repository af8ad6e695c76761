//! Verdicts at the moment they fall, reports by intervals against tables made by hand, and clocks as metrics show them.

use super::routing::routed;
use super::{EVER, Rig, START, assert_recovery_shows_the_same, reports, shared};
use engine::calendar::Opening;
use engine::id::Kind;
use engine::input::{Body, EventType, Input};
use engine::policy::{AgentConfig, Calendar, Clock, ClockKind, ClockLevel, Policy, WeeklyOpening};
use load_tests::service_level::{Compliance, Counts, Durations, Excluded, Spans};
use serde_json::json;
use strowger::workload::{AgentCounts, INTERVAL_MS, Range};

const ADA: (&str, &str) = ("agent", "ada");

/// Clocks of every kind with short targets, warnings, and levels that move what they can.
pub(super) fn clocks_of_every_kind(policy: &mut Policy) {
    let clock = |kind: ClockKind, target_s: u64| Clock {
        kind,
        target_ms: target_s * 1_000,
        warn_percent: vec![50],
        levels: vec![ClockLevel {
            percent: 100,
            priority: 3,
            relax: true,
            reassign: kind != ClockKind::QueueWait,
            ..ClockLevel::default()
        }],
        ..Clock::default()
    };
    policy.clocks = vec![
        clock(ClockKind::FirstResponse, 60),
        clock(ClockKind::NextResponse, 60),
        clock(ClockKind::Resolution, 600),
        clock(ClockKind::QueueWait, 45),
        clock(ClockKind::ReplyWindow, 300),
    ];
}

fn verdicts(rig: &Rig) -> String {
    rig.samples().told("service_level_contacts_total", "verdict")
}

fn of_calls(rig: &Rig) -> Counts {
    reports(&rig.shard, rig.now, EVER).0["calls"]
}

#[test]
fn a_queue_with_nobody_online_shows_0_percent_from_the_moment_t_passes() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.call("c1", "vip");
    rig.pass(20);
    assert_eq!((verdicts(&rig).as_str(), of_calls(&rig).service_level()), ("", None), "20 s are in time");
    rig.pass_ms(1);
    // Nothing happens but a scrape.
    assert!(verdicts(&rig).ends_with("late 1"), "{}", verdicts(&rig));
    assert_eq!(of_calls(&rig).service_level(), Some(0.0));
    rig.pass(10);
    rig.online("ada");
    rig.send("conversation.resolve", json!({"conversation": "c1"}));
    assert_eq!(verdicts(&rig), "late 1", "once an entry");
    let counts = of_calls(&rig);
    assert_eq!((counts.late, counts.answered_late, counts.answered_wait_ms), (1, 1, 30_001));
    assert_eq!((counts.service_level(), counts.of_answered()), (Some(0.0), Some(0.0)));
    assert_recovery_shows_the_same(&rig, 0);
}

#[test]
fn what_another_event_publishes_is_judged_too_and_whatever_follows_changes_nothing() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.call("c1", "basic");
    rig.call("c2", "basic");
    rig.pass(25);
    // A record of its workspace, about another conversation.
    rig.call("c3", "basic");
    assert!(rig.shard.read().imbalance().is_none());
    rig.send("contact.ended", json!({"conversation": "c1", "by": "customer"}));
    rig.pass(4);
    rig.send("contact.ended", json!({"conversation": "c3", "by": "customer"}));
    let counts = of_calls(&rig);
    let expected = Counts {
        entries: 3,
        late: 2,
        abandoned_late: 1,
        excluded: Excluded { short_abandoned: 1, ..Excluded::default() },
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    assert_eq!((counts.service_level(), counts.abandonment(), counts.sl2()), (Some(0.0), Some(1.0), Some(0.0)));
    assert_eq!(verdicts(&rig), "excluded 1, late 2");
}

#[test]
fn a_closed_queues_time_does_not_count() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    let control = |state: &str| json!({"queue": "calls", "state": state, "actor": {"kind": "supervisor", "id": "w"}, "reason": "r"});
    rig.call("c1", "basic");
    rig.call("c2", "basic");
    rig.pass(5);
    rig.send("queue.control", control("closed"));
    rig.pass(100);
    assert_eq!(verdicts(&rig), "");
    rig.send("contact.ended", json!({"conversation": "c2", "by": "customer"}));
    assert_eq!(verdicts(&rig), "abandoned 1", "after 5 s of open time");
    rig.pass(100);
    rig.send("queue.control", control("open"));
    rig.pass(15);
    assert_eq!(verdicts(&rig), "abandoned 1", "20 s of open time");
    rig.pass_ms(1);
    assert_eq!(verdicts(&rig), "abandoned 1, late 1");
    assert_recovery_shows_the_same(&rig, 0);
}

#[test]
fn a_changed_threshold_counts_for_who_waits_already() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    rig.call("c1", "basic");
    rig.pass(10);
    rig.change_policy(|policy| policy.queues[0].service_level_ms = 5_000);
    assert_eq!(verdicts(&rig), "late 1");
    rig.call("c2", "basic");
    rig.change_policy(|policy| policy.queues[0].service_level_ms = 60_000);
    rig.pass(50);
    assert_eq!(verdicts(&rig), "late 1", "what is late stays late, and the other has a minute");
}

/// The table, made by hand, of what each quarter of an hour has (seconds from its history's beginning):
/// c1 answered at once, c2 after 40 (T is 20), c3 hung up after 10, c4 after 3; c5 came at 895 and was answered, c6 came at
/// 895 and was answered at 910, in the next quarter. c1 was talked to for 40 s, c2 850, c5 15, c6 90.
#[test]
fn a_report_by_intervals_is_the_table_made_by_hand_and_recovery_shows_the_same() {
    let mut rig = Rig::configured(&[("ada", 1)]);
    assert_eq!(START % INTERVAL_MS, 0);
    let hang_up = |rig: &mut Rig, id: &str| rig.send("contact.ended", json!({"conversation": id, "by": "customer"}));
    let resolve = |rig: &mut Rig, id: &str| rig.send("conversation.resolve", json!({"conversation": id}));
    rig.online("ada");
    ["c1", "c2", "c3", "c4"].into_iter().for_each(|id| rig.call(id, "basic"));
    rig.pass(3);
    hang_up(&mut rig, "c4");
    rig.pass(7);
    hang_up(&mut rig, "c3");
    rig.pass(30);
    resolve(&mut rig, "c1");
    rig.pass(850);
    resolve(&mut rig, "c2");
    rig.pass(5);
    rig.call("c5", "basic");
    rig.call("c6", "basic");
    rig.pass(15);
    resolve(&mut rig, "c5");
    rig.pass(90);
    resolve(&mut rig, "c6");
    let quarter = |n: u64| Range { from: START + n * INTERVAL_MS, to: START + (n + 1) * INTERVAL_MS };
    let first = Counts {
        entries: 6,
        answered_in_time: 3,
        answered_late: 1,
        abandoned_in_time: 1,
        late: 1,
        excluded: Excluded { short_abandoned: 1, ..Excluded::default() },
        answered_wait_ms: 55_000,
        handled: 2,
        work_ms: 890_000,
        first_resolution: Spans { count: 2, ms: 930_000 },
        final_resolution: Spans { count: 2, ms: 930_000 },
        ..Counts::default()
    };
    let second = Counts {
        handled: 2,
        work_ms: 105_000,
        first_resolution: Spans { count: 2, ms: 120_000 },
        final_resolution: Spans { count: 2, ms: 120_000 },
        ..Counts::default()
    };
    let ada_first = AgentCounts {
        assigned: 3,
        handled: 2,
        resolved: 2,
        held_unit_ms: 895_000,
        online_unit_ms: 900_000,
        ..AgentCounts::default()
    };
    let ada_second = AgentCounts {
        assigned: 1,
        handled: 2,
        resolved: 2,
        held_unit_ms: 100_000,
        online_unit_ms: 100_000,
        ..AgentCounts::default()
    };
    let recovered = shared();
    super::recover(&recovered, &rig.records, None);
    for shard in [&rig.shard, &recovered] {
        let (queues, agents) = reports(shard, rig.now, quarter(0));
        assert_eq!((queues["calls"], agents["ada"]), (first, ada_first));
        let (queues, agents) = reports(shard, rig.now, quarter(1));
        assert_eq!((queues["calls"], agents["ada"]), (second, ada_second));
        let (queues, _) = reports(shard, rig.now, quarter(2));
        assert!(queues.is_empty());
        // 3 of 5 within; 4 of 6 were answered after 55 s in all; 995 s of work on 4 conversations.
        let (queues, _) = reports(shard, rig.now, EVER);
        let all = queues["calls"];
        assert_eq!((all.service_level(), all.of_answered(), all.of_arrivals()), (Some(0.6), Some(0.75), Some(0.6)));
        assert_eq!((all.asa_s(), all.abandonment(), all.aht_s()), (Some(13.75), Some(0.2), Some(248.75)));
    }
}

#[test]
fn clocks_are_counted_where_they_end_and_shown_as_they_stand() {
    let mut rig = routed();
    rig.change_policy(|policy| {
        clocks_of_every_kind(policy);
        policy.clocks.retain(|clock| clock.kind != ClockKind::ReplyWindow);
        policy
            .clocks
            .iter_mut()
            .for_each(|clock| clock.levels[0] = ClockLevel { percent: 100, priority: 1, ..ClockLevel::default() });
    });
    let samples = rig.samples();
    let zero = [("queue", "mail"), ("clock", "resolution"), ("tier", "vip"), ("result", "cancelled")];
    assert!(samples.has("strowger_clock_results_total", &zero));
    assert!(samples.has("strowger_clocks", &[("queue", "desk"), ("clock", "next_response"), ("state", "paused")]));
    assert!(samples.has("strowger_escalations_total", &[("queue", "mail"), ("level", "1"), ("trigger", "clock")]));
    assert!(!samples.has("strowger_escalations_total", &[("queue", "mail"), ("level", "1"), ("trigger", "command")]));
    let standing = |rig: &Rig| {
        let samples = rig.samples();
        let of = |clock: &str| {
            let is = |state: &&'static str| {
                samples.sum("strowger_clocks", &[("queue", "mail"), ("clock", clock), ("state", *state)]) > 0.0
            };
            ["running", "paused", "warned", "breached"].into_iter().find(is).unwrap_or("off")
        };
        [of("first_response"), of("next_response"), of("resolution"), of("queue_wait")]
    };
    rig.agent("ada", 3);
    rig.agent("bela", 3);
    rig.contact("c1", "email", "mail");
    assert_eq!(standing(&rig), ["running", "off", "running", "off"]);
    let owner = {
        let workload = rig.shard.read();
        let found = workload.replica().workspace("acme").and_then(|acme| acme.conversation("c1"));
        String::from(found.and_then(|found| found.owner).expect("somebody has it"))
    };
    let other = if owner == "ada" { "bela" } else { "ada" };
    rig.pass(30);
    assert_eq!(standing(&rig), ["warned", "off", "running", "off"]);
    rig.pass(10);
    rig.reply("c1", &owner);
    assert_eq!(standing(&rig), ["off", "off", "running", "off"]);
    rig.pass(60);
    rig.contact("c1", "email", "mail");
    rig.pass(100);
    assert_eq!(standing(&rig), ["off", "breached", "running", "off"]);
    rig.pass(10);
    // Somebody else answers: the turn is his.
    rig.reply("c1", other);
    rig.pass(90);
    rig.command("conversation.resolve", "c1", ("agent", &owner), json!({}));
    let samples = rig.samples();
    for (clock, result, count) in [
        ("first_response", "met", 1.0),
        ("next_response", "missed", 1.0),
        ("resolution", "met", 1.0),
        ("queue_wait", "met", 1.0),
    ] {
        let labels = [("queue", "mail"), ("clock", clock)];
        assert_eq!(samples.sum("strowger_clock_results_total", &labels), count, "{clock}");
        let labels = [labels[0], labels[1], ("tier", "none"), ("result", result)];
        assert_eq!(samples.sum("strowger_clock_results_total", &labels), count, "{clock} {result}");
    }
    for (family, sum, count) in [("first_response", 40.0, 1.0), ("response", 150.0, 2.0), ("resolution", 300.0, 1.0)] {
        for basis in ["wall", "business"] {
            let of = |suffix: &str| samples.sum(&format!("strowger_{family}_seconds_{suffix}"), &[("basis", basis)]);
            assert_eq!((of("sum"), of("count")), (sum, count), "{family} {basis}");
        }
    }
    assert_eq!(samples.sum("strowger_escalations_total", &[("trigger", "clock"), ("level", "1")]), 1.0);
    let (queues, agents) = reports(&rig.shard, rig.now, EVER);
    let mail = queues["mail"];
    let once = |met: bool, ms| Compliance {
        met: u64::from(met),
        missed: u64::from(!met),
        cancelled: 0,
        took: Durations { count: 1, wall_ms: ms, business_ms: ms },
    };
    assert_eq!((mail.first_response, mail.next_response), (once(true, 40_000), once(false, 110_000)));
    assert_eq!((mail.resolution, mail.queue_wait), (once(true, 300_000), once(true, 0)));
    assert_eq!((mail.turns, mail.average_response_s()), (Spans { count: 2, ms: 150_000 }, Some(75.0)));
    let replies = |agent: &str| (agents[agent].replied, agents[agent].turns.mean_s());
    assert_eq!((replies(&owner), replies(other)), ((1, Some(40.0)), (1, Some(110.0))));
    assert_recovery_shows_the_same(&rig, 0);
}

#[test]
fn a_resolve_is_the_final_one_until_the_conversation_is_opened_again() {
    let mut rig = routed();
    rig.agent("ada", 3);
    rig.contact("c1", "email", "mail");
    rig.pass(100);
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    let once = Spans { count: 1, ms: 100_000 };
    let mail = reports(&rig.shard, rig.now, EVER).0["mail"];
    assert_eq!((mail.first_resolution, mail.final_resolution), (once, once));
    rig.pass(200);
    rig.contact("c1", "email", "mail");
    let mail = reports(&rig.shard, rig.now, EVER).0["mail"];
    assert_eq!((mail.first_resolution, mail.final_resolution), (once, Spans::default()));
    rig.pass(50);
    rig.command("conversation.resolve", "c1", ADA, json!({}));
    let mail = reports(&rig.shard, rig.now, EVER).0["mail"];
    assert_eq!((mail.first_resolution, mail.final_resolution), (once, Spans { count: 1, ms: 350_000 }));
    assert_recovery_shows_the_same(&rig, 0);
}

#[test]
fn what_a_hand_off_begins_is_a_first_response_and_no_turn() {
    let mut rig = routed();
    rig.change_policy(clocks_of_every_kind);
    rig.agent("ada", 3);
    let mut data = json!({"conversation": "c1", "channel": "email", "entry": "shop", "customer": {"id": "x"}});
    data["message"] = json!({"id": "m", "kind": "text"});
    rig.send("message.received", data);
    rig.pass(20);
    rig.command("conversation.handoff", "c1", ("bot", "b"), json!({"queue": "mail"}));
    rig.pass(30);
    rig.reply("c1", "ada");
    let mail = reports(&rig.shard, rig.now, EVER).0["mail"];
    assert_eq!((mail.first_response.met, mail.first_response.took.wall_ms), (1, 30_000));
    assert_eq!(mail.turns, Spans::default());
}

#[test]
fn an_agent_off_shift_and_a_queue_out_of_hours_are_shown_as_such() {
    let mut rig = Rig::configured(&[]);
    let day = WeeklyOpening { day: 1, from_minute: 540, to_minute: 1_080 };
    rig.change_policy(|policy| {
        let (name, zone) = ("day".into(), "Europe/Berlin".into());
        policy.calendars.push(Calendar { name, zone, weekly: vec![day], dates: Vec::new() });
        policy.queues[0].calendar = "day".into();
    });
    let key = super::KEY;
    let config = AgentConfig { team: "north".into(), weight: 1, shifts: "day".into(), ..AgentConfig::default() };
    let agent = key.id(Kind::Agent, "acme", "ada");
    let body = Body::AgentConfigure { agent, config, expected_version: None };
    let input = Input { event_type: EventType::AgentConfigure, body, ..rig.any_input() };
    rig.send_input(&input);
    let openings = vec![Opening { from: START, to: START + 100_000 }];
    let calendar = key.id(Kind::Calendar, "acme", "day");
    let body = Body::CalendarExpand { calendar, from: START, until: START + 86_400_000, openings };
    let input = Input { event_type: EventType::CalendarExpand, body, ..rig.any_input() };
    rig.send_input(&input);
    rig.online("ada");
    assert_eq!(rig.samples().told("agents", "state"), "available 1");
    assert_eq!(rig.samples().sum("strowger_queue_open", &[("queue", "calls")]), 1.0);
    rig.pass(150);
    let samples = rig.samples();
    assert_eq!(samples.told("agents", "state"), "off_shift 1");
    assert_eq!(samples.sum("strowger_agent_state_seconds_total", &[("state", "off_shift")]), 50.0);
    assert_eq!(samples.sum("strowger_queue_open", &[("queue", "calls")]), 0.0);
    assert_eq!(samples.sum("strowger_queue_open", &[("queue", "mail")]), 1.0);
    assert!(samples.has("strowger_events_total", &[("type", "calendar.expand"), ("result", "applied")]));
    // Its calendar's time does not count either.
    rig.call("c1", "basic");
    rig.pass(100);
    assert_eq!(verdicts(&rig), "");
    assert_recovery_shows_the_same(&rig, 0);
}
