//! Clocks: what starts, stops and pauses them, what is met and missed, what fires when (routing.md §7).

use crate::histories::events::Sender;
use crate::histories::policies::policy;
use crate::histories::script::{START_MS, check_clocks_under, check_under};
use engine::decision::{DecisionType, read_section};
use engine::id::Kind;
use engine::{Engine, Output};
use std::collections::HashMap;

const FIRST: &str = "queue main; clock first_response target=60";

#[test]
fn a_bot_stops_no_first_response_and_it_runs_from_the_hand_off() {
    check_clocks_under(
        "entry robot main bot; queue main; clock first_response target=60",
        "
        0 agent anna units=9
        1 message m entry=robot customer=cu
        = nothing
        10 handoff m
        = clock.started started m first_response generation=1 due=70
        11 sent m by=bot:bot
        = nothing
        30 online anna
        = nothing
        40 reply m anna
        = clock.completed met m first_response generation=1 business=30 wall=30 to=anna
    ",
    );
}

#[test]
fn a_reopening_measures_from_the_reopening() {
    check_clocks_under(
        "queue main; clock first_response target=60; clock resolution target=600",
        "
        0 agent anna units=9
        0 online anna
        10 message m customer=cu
        = clock.started started m first_response generation=1 due=70
        = clock.started started m resolution generation=1 due=610
        20 reply m anna
        = clock.completed met m first_response generation=1 business=10 wall=10 to=anna
        30 resolve m by=anna
        = clock.completed met m resolution generation=1 business=20 wall=20 to=anna
        100 message m customer=cu
        = clock.started started m first_response generation=2 due=160
        = clock.started started m resolution generation=2 due=700
    ",
    );
}

#[test]
fn lunch_does_not_count() {
    check_clocks_under(
        "calendar office; queue main calendar=office; clock first_response target=3600 warn=75",
        "
        0 agent anna units=9
        0 expand office 0-3600 7200-10800
        1800 message m
        = clock.started started m first_response generation=1 due=9000
        until 8099.999
        = nothing
        until 8100
        = clock.warned m first_response generation=1 percent=75 (tick)
        9000 reply m anna
        = clock.completed met m first_response generation=1 business=3600 wall=7200 to=anna
    ",
    );
}

#[test]
fn the_day_before_a_change_of_the_clocks_is_as_long_as_any_other() {
    // 09:00-17:00 local: an hour earlier in UTC from the second day on, or an hour later.
    for (openings, due) in [("28800-57600 111600-140400", 136_800), ("28800-57600 118800-147600", 144_000)] {
        check_clocks_under(
            "calendar office; queue main calendar=office; clock first_response target=28800",
            &format!(
                "
                0 expand office {openings}
                54000 message m
                = clock.started started m first_response generation=1 due={due}
                "
            ),
        );
    }
}

#[test]
fn a_holiday_a_short_day_and_a_night() {
    check_clocks_under(
        "calendar office; calendar nights; queue main; queue late; rule late channel=chat;
         clock resolution target=14400; target resolution queue=late target=14400;
         clock first_response target=14400 calendar=office; clock next_response target=60; clock queue_wait target=14400 calendar=nights",
        "
        # Days of 09:00-17:00, a holiday, and one of 09:00-12:00; nights of 22:00-06:00.
        0 expand office 32400-61200 205200-216000 291600-320400
        0 expand nights 79200-108000
        57600 message m
        = clock.started started m first_response generation=1 due=216000
        = clock.started started m resolution generation=1 due=72000
        = clock.started started m queue_wait generation=1 due=93600
    ",
    );
}

#[test]
fn an_answer_at_due_is_in_time_and_a_millisecond_later_is_not() {
    check_clocks_under(
        FIRST,
        "
        0 agent anna units=9
        0 message m
        0 message n
        60 reply m anna
        = clock.completed met m first_response generation=1 business=60 wall=60 to=anna
        60.001 reply n anna
        = clock.breached n first_response generation=1 percent=100 (tick)
        = clock.completed missed n first_response generation=1 business=60.001 wall=60.001 over=0.001 to=anna
    ",
    );
}

#[test]
fn a_due_at_a_closing_is_missed_a_millisecond_after_the_next_opening() {
    check_clocks_under(
        "calendar office; queue main calendar=office; clock first_response target=60",
        "
        0 agent anna units=9
        0 expand office 0-60 120-180
        0 message m
        = clock.started started m first_response generation=1 due=60
        0 message n
        = clock.started started n first_response generation=1 due=60
        100 reply m anna
        = clock.completed met m first_response generation=1 business=60 wall=100 to=anna
        until 120
        = nothing
        until 120.001
        = clock.breached n first_response generation=1 percent=100 (tick)
    ",
    );
}

#[test]
fn a_colleagues_reply_stops_it() {
    check_clocks_under(
        FIRST,
        "
        0 agent anna units=9
        0 agent bert units=9
        0 online anna
        0 message m
        20 reply m bert
        = clock.completed met m first_response generation=1 business=20 wall=20 to=bert
    ",
    );
}

#[test]
fn a_reply_that_did_not_arrive_stops_nothing() {
    check_clocks_under(
        "queue main; clock first_response target=60 warn=10",
        "
        0 agent anna units=9
        0 online anna
        0 message m
        = clock.started started m first_response generation=1 due=60
        10 reply m anna
        = clock.warned m first_response generation=1 percent=10 (tick at 6)
        = clock.completed met m first_response generation=1 business=10 wall=10 to=anna
        20 failed m
        = clock.started failed m first_response generation=2 due=60
        70 reply m anna
        = clock.breached m first_response generation=2 percent=100 (tick at 60.001)
        = clock.completed missed m first_response generation=2 business=70 wall=70 over=10 to=anna
    ",
    );
}

#[test]
fn a_delay_of_the_pipeline_is_nobodys_fault() {
    check_clocks_under(
        FIRST,
        "
        0 agent anna units=9
        5 message m at=0
        = clock.started started m first_response generation=1 due=60
        50 reply m anna at=40
        = clock.completed met m first_response generation=1 business=40 wall=40 to=anna
        100 message n
        = clock.started started n first_response generation=1 due=160
        # What has been said stays said.
        170 reply n anna at=130
        = clock.breached n first_response generation=1 percent=100 (tick at 160.001)
        = clock.completed missed n first_response generation=1 business=60.001 wall=60.001 over=0.001 to=anna
    ",
    );
}

#[test]
fn what_is_merged_away_is_measured_no_more() {
    check_clocks_under(
        FIRST,
        "
        0 message a
        5 message b
        10 merge a b
        = clock.cancelled merged b first_response generation=1
        # An older contact counts for both.
        20 message c at=0
        30 merge a c into=c
        = clock.cancelled merged a first_response generation=1
    ",
    );
}

#[test]
fn a_resolve_ends_the_open_turn_and_completes_the_resolution() {
    check_clocks_under(
        "queue main; clock next_response target=60; clock resolution target=10",
        "
        0 agent anna units=9
        0 online anna
        0 message m customer=cu
        = clock.started started m resolution generation=1 due=10
        5 reply m anna
        6 message m customer=cu
        = clock.started started m next_response generation=1 due=66
        8 message m customer=cu
        = nothing
        10 resolve m by=anna
        = clock.cancelled resolved m next_response generation=1
        = clock.completed met m resolution generation=1 business=10 wall=10 to=anna
    ",
    );
}

#[test]
fn in_a_backlog_a_timer_fires_between_what_lies_before_and_after_it() {
    check_clocks_under(
        FIRST,
        "
        0 agent anna units=9
        0 behind
        10 message m
        20 message n
        50 reply m anna
        = clock.completed met m first_response generation=1 business=40 wall=40 to=anna
        90 reply n anna
        = clock.breached n first_response generation=1 percent=100 (tick at 80.001)
        = clock.completed missed n first_response generation=1 business=70 wall=70 over=10 to=anna
        600 caught_up
        = nothing
    ",
    );
}

#[test]
fn a_clock_relaxes_and_then_sends_on() {
    check_under(
        "queue main skills=de:5; step main after=600 drop=de; queue second; clock queue_wait target=60;
         level queue_wait percent=50 relax priority=3; level queue_wait percent=100 queue=second notify=boss",
        "
        0 agent boss member=second
        0 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = clock.started started m queue_wait generation=1 due=60
        until 30
        = conversation.escalated clock m epoch=0 priority=3 level=1 clock=queue_wait percent=50 (tick)
        = conversation.relaxed step m epoch=0 step=1 (tick)
        until 60.001
        = clock.breached m queue_wait generation=1 percent=100 (tick)
        = conversation.escalated clock m epoch=0 priority=3 level=2 clock=queue_wait percent=100 (tick)
        = mention.notified escalated m epoch=0 to=boss (tick)
        = conversation.queued overflow m epoch=0 queue=second (tick)
        = clock.cancelled transfer m queue_wait generation=1 (tick)
        = clock.started started m queue_wait generation=2 due=120.001 (tick)
    ",
    );
}

#[test]
fn a_clock_takes_it_from_its_owner_and_climbs_the_ladder() {
    check_under(
        "queue main; rung main level=2 priority=7 queue=second; queue second; clock first_response target=60;
         level first_response percent=50 reassign; level first_response percent=100 escalate=2",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 message m
        1 online bert
        until 30
        = conversation.escalated clock m anna epoch=1 priority=0 level=1 clock=first_response percent=50 (tick)
        = conversation.unassigned escalated m was=anna epoch=1 (tick)
        = conversation.queued requeue m epoch=1 queue=main by=default (tick)
        = conversation.assigned auto m bert epoch=2 (tick)
        until 60.001
        = clock.breached m first_response generation=1 percent=100 (tick)
        = conversation.escalated clock m bert epoch=2 priority=7 level=2 clock=first_response percent=100 (tick)
        = conversation.unassigned escalated m was=bert epoch=2 (tick)
        = conversation.queued escalated m epoch=2 queue=second (tick)
        = conversation.assigned auto m anna epoch=3 (tick)
    ",
    );
}

#[test]
fn a_target_halved_in_mid_flight_keeps_its_start() {
    check_clocks_under(
        "queue main; clock first_response target=60 warn=50",
        "
        0 agent anna units=9
        0 message m
        30 message n
        40 policy queue main; clock first_response target=30 warn=50
        = clock.started updated m first_response generation=1 due=30 (tick)
        = clock.started updated n first_response generation=1 due=60 (tick)
        = clock.breached m first_response generation=1 percent=100 (tick)
        # A breach stays one.
        41 policy queue main; clock first_response target=600
        = clock.started updated m first_response generation=1 due=600 (tick)
        = clock.started updated n first_response generation=1 due=630 (tick)
        50 reply m anna
        = clock.completed missed m first_response generation=1 business=50 wall=50 to=anna
        60 policy queue main
        = clock.cancelled no_target n first_response generation=1 (tick)
    ",
    );
}

#[test]
fn a_tier_that_changes_while_it_waits_changes_the_target() {
    check_clocks_under(
        "queue main; tier vip; clock first_response target=60; target first_response tier=vip target=20",
        "
        0 message m
        = clock.started started m first_response generation=1 due=60
        10 update m tier=vip
        = clock.started updated m first_response generation=1 due=20
        until 20.001
        = clock.breached m first_response generation=1 percent=100 (tick)
    ",
    );
}

#[test]
fn a_pause_stops_the_clocks_that_name_it() {
    check_clocks_under(
        "queue main; clock resolution target=100; clock next_response target=60 pause=theirs,snoozed; clock queue_wait target=60",
        "
        0 agent anna units=9
        0 online anna
        0 message m customer=cu
        = clock.started started m resolution generation=1 due=100
        = clock.started started m queue_wait generation=1 due=60
        = clock.completed met m queue_wait generation=1 business=0 wall=0 to=anna
        5 reply m anna
        10 message m customer=cu
        = clock.started started m next_response generation=1 due=70
        20 snooze m until=50 by=anna
        = clock.paused snoozed m next_response generation=1 business=10
        = clock.paused snoozed m resolution generation=1 business=20
        until 50
        = clock.resumed m next_response generation=1 due=100 (tick)
        = clock.resumed m resolution generation=1 due=130 (tick)
        60 reply m anna
        = clock.completed met m next_response generation=1 business=20 wall=50 to=anna
    ",
    );
}

#[test]
fn a_transfer_to_a_queue_of_other_hours_keeps_what_was_counted() {
    check_clocks_under(
        "calendar office; queue main; queue care calendar=office; clock first_response target=100; clock resolution target=100 pause=snoozed",
        "
        0 agent anna units=9 member=main
        0 expand office 200-300 400-600
        0 message m
        = clock.started started m first_response generation=1 due=100
        = clock.started started m resolution generation=1 due=100
        40 transfer m to=queue:care
        # 40 of 100 are over, and the others come when the office opens.
        = clock.started updated m first_response generation=1 due=260
        = clock.started updated m resolution generation=1 due=260
        220 transfer m to=queue:main
        = clock.started updated m first_response generation=1 due=260
        = clock.started updated m resolution generation=1 due=260
        250 reply m anna
        = clock.completed met m first_response generation=1 business=90 wall=250 to=anna
    ",
    );
}

#[test]
fn a_target_that_shrinks_fires_a_clock_that_stands() {
    check_clocks_under(
        "queue main; clock resolution target=100 warn=50",
        "
        0 agent anna units=9
        0 online anna
        0 message m
        40 snooze m until=500 by=anna
        = clock.paused snoozed m resolution generation=1 business=40
        # A warning comes when its share is reached, a breach when more than the target is over.
        60 policy queue main; clock resolution target=80 warn=50
        = clock.started updated m resolution generation=1 due=never (tick)
        = clock.warned m resolution generation=1 percent=50 (tick)
        70 policy queue main; clock resolution target=40 warn=50
        = clock.started updated m resolution generation=1 due=never (tick)
        80 policy queue main; clock resolution target=39 warn=50
        = clock.started updated m resolution generation=1 due=never (tick)
        = clock.breached m resolution generation=1 percent=100 (tick)
        500 resolve m by=anna
        = clock.resumed m resolution generation=1 due=500 (tick)
        = clock.completed missed m resolution generation=1 business=40 wall=500 over=1 to=anna
    ",
    );
}

#[test]
fn what_is_snoozed_while_the_customer_is_to_write_stays_paused_for_that() {
    check_clocks_under(
        "queue main; clock resolution target=100 pause=theirs",
        "
        0 agent anna units=9
        0 online anna
        0 message m customer=cu
        5 reply m anna
        = clock.paused theirs m resolution generation=1 business=5
        10 snooze m until=40 by=anna
        = nothing
        until 45
        = nothing
        50 message m customer=cu
        = clock.resumed m resolution generation=1 due=145
    ",
    );
}

#[test]
fn a_reply_that_did_not_arrive_leaves_the_pauses_before_it_out() {
    check_clocks_under(
        "queue main; clock next_response target=60 pause=snoozed",
        "
        0 agent anna units=9
        0 online anna
        0 message m customer=cu
        5 reply m anna
        10 message m customer=cu
        20 snooze m until=50 by=anna
        60 reply m anna
        = clock.resumed m next_response generation=1 due=100 (tick at 50)
        = clock.completed met m next_response generation=1 business=20 wall=50 to=anna
        70 failed m
        = clock.started failed m next_response generation=2 due=100
        80 reply m anna
        = clock.completed met m next_response generation=2 business=40 wall=70 to=anna
    ",
    );
}

#[test]
fn a_failure_that_is_told_after_the_customer_wrote_again_counts_from_the_older_message() {
    check_clocks_under(
        "queue main; clock first_response target=60; clock next_response target=60",
        "
        0 agent anna units=9
        0 online anna
        0 message m customer=cu
        5 reply m anna
        = clock.completed met m first_response generation=1 business=5 wall=5 to=anna
        10 message m customer=cu
        = clock.started started m next_response generation=1 due=70
        # The first answer did not arrive: there has been none.
        20 failed m
        = clock.started failed m first_response generation=2 due=60
        = clock.cancelled failed m next_response generation=1
        30 reply m anna
        = clock.completed met m first_response generation=2 business=30 wall=30 to=anna
        40 message m customer=cu
        = clock.started started m next_response generation=2 due=100
        50 reply m anna
        = clock.completed met m next_response generation=2 business=10 wall=10 to=anna
        55 message m customer=cu
        = clock.started started m next_response generation=3 due=115
        56 failed m
        = clock.started updated m next_response generation=3 due=100
    ",
    );
}

#[test]
fn an_older_contact_that_a_merge_brings_counts() {
    check_clocks_under(
        FIRST,
        "
        0 agent anna units=9
        0 message a
        20 message b
        30 merge a b into=b
        = clock.cancelled merged a first_response generation=1
        = clock.started updated b first_response generation=1 due=60
        50 reply b anna
        = clock.completed met b first_response generation=1 business=50 wall=50 to=anna
    ",
    );
}

#[test]
fn an_older_contact_counts_beside_what_was_counted_in_other_hours() {
    check_clocks_under(
        "calendar office; queue main; queue care calendar=office; clock first_response target=60",
        "
        0 expand office 0-600
        0 message a
        20 message b
        30 transfer b to=queue:care
        = clock.started updated b first_response generation=1 due=80
        40 merge a b into=b
        = clock.cancelled merged a first_response generation=1
        = clock.started updated b first_response generation=1 due=60
    ",
    );
}

#[test]
fn clocks_that_send_a_conversation_to_each_others_queue_end() {
    check_clocks_under(
        "queue main; queue care; clock first_response; target first_response queue=main target=10;
         level first_response percent=100 queue=care; clock resolution; target resolution queue=care target=10;
         level resolution percent=100 queue=main",
        "
        0 message m
        = clock.started started m first_response generation=1 due=10
        until 10.001
        = clock.breached m first_response generation=1 percent=100 (tick)
        = conversation.escalated clock m epoch=0 priority=0 level=1 clock=first_response percent=100 (tick)
        = clock.cancelled no_target m first_response generation=1 (tick)
        = clock.started started m resolution generation=1 due=10 (tick)
        = clock.breached m resolution generation=1 percent=100 (tick)
        = conversation.escalated clock m epoch=0 priority=0 level=1 clock=resolution percent=100 (tick)
        = clock.started started m first_response generation=2 due=10 (tick)
        = clock.cancelled no_target m resolution generation=1 (tick)
        until 600
        = nothing
    ",
    );
}

#[test]
fn what_was_answered_in_passing_is_not_missed() {
    check_under(
        "queue main replies_do_not_claim; clock resolution target=60",
        "
        0 message m customer=cu
        5 sent m answers by=supervisor:boss
        10 resolve m by=supervisor:boss
        = conversation.resolved resolved m epoch=0
        = clock.completed met m resolution generation=1 business=10 wall=10
    ",
    );
}

#[test]
fn a_persons_answer_counts_whether_or_not_he_takes_it_over() {
    check_under(
        "entry robot main bot; queue main replies_do_not_claim; clock first_response target=60; clock next_response target=60",
        "
        0 agent anna
        0 message m customer=cu
        5 sent m answers by=supervisor:boss
        = event.recorded recorded
        = clock.completed met m first_response generation=1 business=5 wall=5
        10 message m customer=cu
        = event.recorded waiting
        = clock.started started m next_response generation=1 due=70
        20 reply m anna
        = event.recorded recorded
        = clock.completed met m next_response generation=1 business=10 wall=10 to=anna
        30 failed m
        = event.recorded recorded
        = clock.started failed m next_response generation=2 due=70
        # It ends the bot as anything does that a person does; answered in the same moment, it has nothing to measure.
        40 message n entry=robot
        50 sent n answers by=supervisor:boss
        = conversation.queued handoff n epoch=0 queue=main
    ",
    );
}

#[test]
fn the_wait_counts_while_a_queue_is_open_against_its_calendar_or_still_serves() {
    check_clocks_under(
        "calendar office; queue main calendar=office drain=30; clock queue_wait target=100",
        "
        0 expand office 0-60 120-300
        50 message m
        = clock.started started m queue_wait generation=1 due=210
        until 60
        = clock.started updated m queue_wait generation=1 due=150 (tick)
        until 90
        = clock.started updated m queue_wait generation=1 due=180 (tick)
        100 control main open
        = clock.started updated m queue_wait generation=1 due=160 (tick)
        # It closes again, and serves on for half a minute again.
        110 control main none
        = nothing
        until 120
        = clock.started updated m queue_wait generation=1 due=160 (tick)
        160.001 tick
        = clock.breached m queue_wait generation=1 percent=100 (tick)
    ",
    );
    // The same, where nobody saw it close: 40 of 100 s are over.
    check_clocks_under(
        "calendar office; queue main calendar=office drain=30; clock queue_wait target=100",
        "
        0 expand office 0-60 200-300
        50 message m
        150 tick
        = clock.started updated m queue_wait generation=1 due=150 (tick)
        = clock.started updated m queue_wait generation=1 due=260 (tick)
    ",
    );
    // It closed, had served on, and opened again: 10 + 30 of 100 s are over at the opening.
    check_clocks_under(
        "calendar office; queue main calendar=office drain=30; clock queue_wait target=100",
        "
        0 expand office 0-60 120-400
        50 message m
        65 tick
        140 tick
        = clock.started updated m queue_wait generation=1 due=180 (tick)
        until 180
        = nothing
        180.001 tick
        = clock.breached m queue_wait generation=1 percent=100 (tick)
    ",
    );
    // A command's end, seen late.
    check_clocks_under(
        "queue main; clock queue_wait target=100",
        "
        50 message m
        55 control main closed until=100
        = clock.paused closed m queue_wait generation=1 business=5 (tick)
        110 tick
        = clock.resumed m queue_wait generation=1 due=195 (tick)
    ",
    );
    // Another calendar by a policy, while it is closed: what has not counted has not counted.
    check_clocks_under(
        "calendar office; queue main calendar=office; clock queue_wait target=100",
        "
        0 expand office 0-60 400-600
        50 message m
        200 policy calendar office; queue main calendar=office; clock queue_wait target=100 calendar=always
        = clock.started updated m queue_wait generation=1 due=290 (tick)
    ",
    );
}

#[test]
fn a_reply_window_counts_from_the_last_message() {
    check_clocks_under(
        "queue main; channel whatsapp async reply_window=100",
        "
        0 agent anna units=9
        0 message m on=whatsapp customer=cu
        = clock.started started m reply_window generation=1 due=100
        50 message m on=whatsapp customer=cu
        = clock.started message m reply_window generation=2 due=150
        until 125
        = clock.warned m reply_window generation=2 percent=75 (tick)
        150.001 reply m anna
        = clock.breached m reply_window generation=2 percent=100 (tick)
        = clock.completed missed m reply_window generation=2 business=100.001 wall=100.001 over=0.001 to=anna
    ",
    );
}

#[test]
fn a_hundred_thousand_clocks_due_in_one_second_fire_once_each_in_bounded_steps() {
    const CLOCKS: u64 = 100_000;
    let mut sender = Sender::new("acme");
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    out.begin(1);
    let input = sender.configure(policy("queue main; clock first_response target=60 warn=50"), None);
    engine.step(&input, START_MS, &mut out);
    for n in 0..CLOCKS {
        out.begin(2 + n);
        let mut contact = sender.contact("email", "", None, None);
        contact.conversation = Some(sender.id(Kind::Conversation, &format!("c{n}")));
        let input = sender.received(contact, true);
        engine.step(&input, START_MS + n % 1_000, &mut out);
        engine.seal();
    }
    let mut fired: HashMap<(String, &str), u32> = HashMap::new();
    let (now, mut ticks) = (START_MS + 61_000, 0);
    while engine.wants_tick_at().is_some_and(|at| at <= now) {
        out.begin(2 + CLOCKS + ticks);
        engine.tick(now, &mut out);
        ticks += 1;
        let told = read_section(&out.decisions).expect("it is sound");
        assert!(told.len() <= 16, "a tick tells {}", told.len());
        for one in told {
            assert!(matches!(one.decision_type, DecisionType::ClockWarned | DecisionType::ClockBreached));
            let id = one.conversation.map_or(String::new(), |about| about.id.into());
            *fired.entry((id, one.decision_type.word())).or_default() += 1;
        }
    }
    assert_eq!(fired.len() as u64, 2 * CLOCKS);
    assert!(fired.values().all(|times| *times == 1));
}
