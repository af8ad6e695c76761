//! Ways out of a queue, control by command, and why something waits (routing.md §5).

use crate::histories::script::check_under;

#[test]
fn a_full_queue_sends_away_or_on() {
    check_under(
        "
        queue main max_waiting=1 full=queue:second
        queue second max_waiting=1 full=deflect:busy
        ",
        "
        0 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=main by=default
        1 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued overflow c2 epoch=0 queue=second
        2 voice c3
        = conversation.opened new c3 epoch=0
        = conversation.deflected full c3 epoch=0 text=busy
        # It is gone, and its name begins anew.
        3 ended c3
        = event.recorded ignored(unknown_conversation)
        4 ended c2
        5 voice c3
        = conversation.opened linked c3 epoch=0
        = conversation.queued overflow c3 epoch=0 queue=second
    ",
    );
}

#[test]
fn an_offered_one_counts_as_waiting() {
    check_under(
        "queue main accept=20 max_waiting=1 full=close",
        "
        0 agent anna
        0 online anna
        1 message m1 on=email
        2 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.closed full m2 epoch=0
        3 accept 1 anna
        4 message m3 on=email
        = conversation.opened new m3 epoch=0
        = conversation.queued new m3 epoch=0 queue=main by=default
    ",
    );
}

#[test]
fn ways_out_that_lead_in_a_circle_end_in_line() {
    check_under(
        "
        queue main max_waiting=1 full=queue:second
        queue second max_waiting=1 full=queue:main
        ",
        "
        0 voice c1
        0 voice c2
        1 voice c3
        = conversation.opened new c3 epoch=0
        = conversation.queued overflow c3 epoch=0 queue=second
    ",
    );
}

#[test]
fn too_long_a_wait_has_its_way_out_to_the_millisecond() {
    check_under(
        "
        queue main max_wait=30 too_long=queue:second
        queue second max_wait=30 too_long=deflect:sorry
        ",
        "
        0 voice c1
        until 29.999
        = nothing
        until 30
        = conversation.queued overflow c1 epoch=0 queue=second (tick)
        # In each queue its own time.
        until 60
        = conversation.deflected max_wait c1 epoch=0 text=sorry (tick)
        # Late is late: at the end of the log it is done when it is seen.
        70 voice c2
        110 tick
        = conversation.queued overflow c2 epoch=0 queue=second (tick)
        until 140
        = conversation.deflected max_wait c2 epoch=0 text=sorry (tick)
    ",
    );
}

#[test]
fn a_closed_queue_parks_until_it_opens() {
    check_under(
        "queue main closed=park",
        "
        0 agent anna
        0 online anna
        0 control main closed until=100
        = queue.changed closed until=100 other=main
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.parked closed m epoch=0
        1 look m
        = m parked
        2 message n on=email customer=cu
        3 message n on=email customer=cu
        = conversation.woken message n epoch=0 turn=ours
        = conversation.parked closed n epoch=0
        50 control main open
        = queue.changed open other=main
        = conversation.woken ..
        = conversation.queued resume m epoch=0 queue=main (tick)
        = conversation.woken ..
        = conversation.queued resume n epoch=0 queue=main (tick)
        = conversation.assigned auto m anna epoch=1 (tick)
    ",
    );
}

#[test]
fn what_waits_in_a_closed_queue_waits() {
    check_under(
        "queue main",
        "
        0 agent anna
        0 message m on=email
        1 control main emergency
        = queue.changed emergency other=main
        2 online anna
        = agent.changed presence anna available 0/1
        2 look m
        = m queued cause=closed
        3 claim m anna
        = conversation.assigned claim m anna epoch=1
        4 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        5 resolve m by=anna
        = conversation.resolved resolved m was=anna epoch=1
        6 control main none
        = queue.changed ..
        = conversation.assigned auto n anna epoch=1 ..
    ",
    );
}

#[test]
fn control_ends_by_itself() {
    check_under(
        "queue main",
        "
        0 agent anna
        0 online anna
        1 control main closed until=60
        = queue.changed closed until=60 other=main
        2 message m on=email
        until 59.999
        = nothing
        until 60
        = queue.changed ..
        = conversation.assigned auto m anna epoch=1 (tick)
        61 control nowhere closed
        = command.rejected unknown_queue
        63 control main closed by=agent:anna
        = command.rejected not_supervisor
    ",
    );
}

#[test]
fn nobody_there_and_nobody_able_have_ways_of_their_own() {
    check_under(
        "
        queue main skills=de:3 unstaffed=deflect:later unservable=close
        ",
        "
        0 agent anna skills=de:5
        0 voice c1
        = conversation.opened new c1 epoch=0
        = conversation.deflected unstaffed c1 epoch=0 text=later
        1 agent bert
        1 online bert
        # Somebody of the queue is online, and somebody could: it waits for her.
        2 voice c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        3 voice c3 skills=fr:1
        = conversation.opened new c3 epoch=0
        = conversation.closed unservable c3 epoch=0
    ",
    );
}

#[test]
fn why_it_waits_is_the_first_cause_that_leaves_nobody() {
    check_under(
        "queue main skills=de:3 accept=20",
        "
        0 message m on=email
        0 look m
        = m queued cause=nobody_online
        0 agent anna member=main:5:5:60
        0 online anna
        1 look m
        = m queued cause=no_skill_online
        1 agent anna skills=de:3 member=main:5:5:60
        2 look m
        = m queued cause=delay
        until 60
        = conversation.offered auto m epoch=0 to=anna offer=1 until=80 (tick)
        61 decline 1 anna
        62 look m
        = m queued cause=all_declined
    ",
    );
    check_under(
        "queue main; channel email async min_gap=30",
        "
        0 agent anna units=2
        0 online anna
        1 message m1 on=email
        2 message m2 on=email
        2 look m2
        = m2 queued cause=paced
        until 31
        = conversation.assigned auto m2 anna epoch=1 (tick)
        40 message m3 on=email
        40 look m3
        = m3 queued cause=all_full
    ",
    );
    check_under(
        "queue main manual",
        "
        0 agent anna
        0 online anna
        1 message m on=email
        1 look m
        = m queued cause=manual
    ",
    );
}
