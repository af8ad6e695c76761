//! Calendars at work: queues that open and close by them, shifts, rules by business hours (routing.md §5, §7).

use crate::histories::script::check_under;

const OFFICE: &str = "calendar office; queue main calendar=office";

#[test]
fn a_queue_closes_by_its_calendar_and_serves_on_for_a_while() {
    check_under(
        &format!("{OFFICE} drain=30 closed=deflect:later"),
        "
        0 expand office 0-60 120-180
        = event.recorded recorded
        50 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        until 60
        = queue.changed closed other=main (tick)
        70 message n
        = conversation.opened new n epoch=0
        = conversation.deflected closed n epoch=0 text=later
        until 90
        = conversation.deflected closed m epoch=0 text=later (tick)
        until 120
        = queue.changed open other=main (tick)
    ",
    );
}

#[test]
fn what_comes_while_it_is_closed_is_parked_until_the_opening() {
    check_under(
        &format!("{OFFICE} closed=park"),
        "
        0 expand office 0-60 120-180
        70 message m
        = queue.changed closed other=main (tick at 60)
        = conversation.opened new m epoch=0
        = conversation.parked closed m epoch=0
        until 119.999
        = nothing
        until 120
        = queue.changed open other=main (tick)
        = conversation.woken due m epoch=0 turn=ours (tick)
        = conversation.queued resume m epoch=0 queue=main (tick)
    ",
    );
}

#[test]
fn steps_stand_still_while_it_is_closed() {
    check_under(
        &format!("{OFFICE} skills=de:5; step main after=40 drop=de"),
        "
        0 expand office 0-60 120-180
        50 message m
        until 149.999
        = queue.changed closed other=main (tick at 60)
        = queue.changed open other=main (tick at 120)
        until 150
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
}

#[test]
fn a_queue_that_turned_while_nobody_was_here_charges_nobody_for_it() {
    let steps = "skills=de:5; step main after=40 drop=de";
    // Of 40 s ten are over at the closing, however late it is seen, and whether or not it has opened again by then.
    check_under(
        &format!("{OFFICE} {steps}"),
        "
        0 expand office 0-60 120-400
        50 message m
        100 tick
        = queue.changed closed other=main (tick)
        until 149.999
        = queue.changed open other=main (tick at 120)
        until 150
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
    check_under(
        &format!("{OFFICE} closed=deflect:later {steps}"),
        "
        0 expand office 0-60 120-400
        50 message m
        140 tick
        # Nobody is sent out for a closing that is over.
        = queue.changed closed other=main (tick)
        = queue.changed open other=main (tick)
        until 149.999
        = nothing
        until 150
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
    // It serves on for 30 s, and what was due meanwhile is done; what is not waits for the opening.
    check_under(
        &format!("{OFFICE} drain=30 skills=de:5; step main after=50 drop=de"),
        "
        0 expand office 0-60 120-400
        50 message m
        100 tick
        = queue.changed closed other=main (tick)
        until 129.999
        = queue.changed open other=main (tick at 120)
        until 130
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
    // A command that ran out, and one who came while it was in force.
    check_under(
        &format!("queue main {steps}"),
        "
        50 message m
        55 control main closed until=100
        80 message n
        110 tick
        = queue.changed open other=main (tick)
        until 135
        = conversation.relaxed step m epoch=0 step=1 (tick)
        until 139.999
        = nothing
        until 140
        = conversation.relaxed step n epoch=0 step=1 (tick)
    ",
    );
    // Closed at both ends, and open between them: that counts.
    check_under(
        &format!("{OFFICE} {steps}"),
        "
        0 expand office 0-60 70-90 120-400
        50 message m
        100 tick
        = queue.changed closed other=main (tick)
        = queue.changed open other=main (tick)
        = queue.changed closed other=main (tick)
        until 129.999
        = queue.changed open other=main (tick at 120)
        until 130
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
}

#[test]
fn a_wait_is_not_over_because_it_was_closed_while_nobody_was_here() {
    // A step is due before the closing, and is seen after it: of 40 s only ten are over.
    check_under(
        &format!("{OFFICE} max_wait=40 too_long=deflect:sorry skills=de:5; step main after=5 drop=de"),
        "
        0 expand office 0-60 200-400
        50 message m
        100 tick
        = conversation.relaxed step m epoch=0 step=1 (tick)
        = queue.changed closed other=main (tick)
        until 229.999
        = queue.changed open other=main (tick at 200)
        until 230
        = conversation.deflected max_wait m epoch=0 text=sorry (tick)
    ",
    );
}

#[test]
fn a_shorter_drain_counts_from_when_it_is_said() {
    check_under(
        "queue main drain=300 skills=de:5; step main after=400 drop=de",
        "
        0 message m
        0 control main closed
        100 policy queue main drain=10 skills=de:5; step main after=400 drop=de
        150 control main open
        = queue.changed open other=main
        # 100 of 400 s were over when it stopped.
        until 449.999
        = nothing
        until 450
        = conversation.relaxed step m epoch=0 step=1 (tick)
    ",
    );
}

#[test]
fn a_command_outranks_the_calendar_and_its_end_gives_way_to_it() {
    check_under(
        OFFICE,
        "
        0 expand office 0-60 120-180
        10 control main open
        = queue.changed open other=main
        70 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        80 control main none
        = queue.changed closed other=main
        90 control main open until=100
        = queue.changed open until=100 other=main
        until 100
        = queue.changed closed other=main (tick)
        130 control main closed
        = queue.changed open other=main (tick at 120)
        = queue.changed closed other=main
        until 180
        = nothing
    ",
    );
}

#[test]
fn a_calendar_that_nobody_has_said_anything_of_is_open() {
    check_under(
        &format!("{OFFICE} closed=deflect:later"),
        "
        0 expand nowhere 0-60
        = command.rejected unknown_calendar
        1 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        # What is known has an end, and behind it is nothing.
        2 expand office 0-600 until=60
        = event.recorded recorded
        until 60
        = queue.changed closed other=main (tick)
        = conversation.deflected closed m epoch=0 text=later (tick)
        70 expand office 70-600 from=70
        = queue.changed open other=main
        80 expand office from=80
        = queue.changed closed other=main
    ",
    );
}

#[test]
fn a_shift_ends_and_what_is_open_is_finished() {
    check_under(
        "calendar office; queue main accept=30",
        "
        0 agent anna units=3 shifts=office
        0 online anna
        0 expand office 0-60 120-180
        = event.recorded recorded
        40 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=70
        until 60
        = agent.changed shift_ended anna off_shift 1/3 (tick)
        65 accept 1 anna
        = conversation.assigned accepted m anna epoch=1
        70 message n
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        80 claim n anna
        = command.rejected not_routable
        until 120
        = agent.changed shift_began anna partly 1/3 (tick)
        = conversation.offered auto n epoch=0 to=anna offer=2 until=150 (tick)
    ",
    );
}

#[test]
fn an_absent_owner_is_waited_for_until_his_next_shift() {
    check_under(
        "calendar office; channel email async absent=until_next_shift:600; queue main",
        "
        0 agent anna shifts=office
        0 agent bert
        0 online anna
        0 expand office 0-60 120-180
        1 message m customer=cu
        2 reply m anna
        50 offline anna
        70 online bert
        80 message m customer=cu
        = message.routed m anna epoch=1
        until 119.999
        = nothing
        until 120
        = agent.changed shift_began anna offline 1/1 (tick)
        = conversation.unassigned owner_absent m was=anna epoch=1 (tick)
        = conversation.queued requeue m epoch=1 queue=main by=default (tick)
        = conversation.assigned auto m bert epoch=2 (tick)
    ",
    );
}

#[test]
fn rules_by_business_hours() {
    check_under(
        "calendar office; queue main; queue night; queue chats; rule night closed=office; rule chats open=office channel=chat; rule main",
        "
        0 expand office 0-60 120-180
        10 message m
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        20 chat c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=chats by=rule[1]
        60 message n
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=night by=rule[0]
        120 message o
        = conversation.opened new o epoch=0
        = conversation.queued new o epoch=0 queue=main by=default
    ",
    );
}
