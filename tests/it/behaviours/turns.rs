//! Whose turn it is: bots, dormancy, absent and silent owners, snooze, park, and endings by time (routing.md §2).

use crate::histories::script::check_under;

#[test]
fn a_bot_hands_off_and_the_wait_begins_there() {
    check_under(
        "entry robot main bot; queue main; queue second; rule main",
        "
        0 agent anna member=second
        0 online anna
        1 chat c entry=robot
        = conversation.opened new c epoch=0
        1 look c
        = c in_bot
        2 handoff c queue=nowhere
        = command.rejected unknown_queue
        3 handoff c queue=second
        = conversation.queued handoff c epoch=0 queue=second
        = conversation.assigned auto c anna epoch=1
        4 handoff c
        = command.rejected not_in_bot
    ",
    );
}

#[test]
fn a_bot_that_does_not_end_is_handed_off() {
    check_under(
        "set bot_max=60; entry robot main bot; queue main",
        "
        0 message m on=email entry=robot customer=cu
        = conversation.opened new m epoch=0
        1 message m on=email entry=robot customer=cu
        = event.recorded recorded
        until 59.999
        = nothing
        until 60
        = conversation.queued handoff m epoch=0 queue=main (tick)
    ",
    );
}

#[test]
fn what_ends_in_the_bot_is_contained_or_left() {
    check_under(
        "entry robot main bot; queue main",
        "
        0 chat c1 entry=robot
        1 ended c1
        = conversation.abandoned left_in_bot c1 epoch=0
        2 chat c2 entry=robot
        3 ended c2 by=bot
        = conversation.closed contained c2 epoch=0
        4 message m on=email entry=robot
        5 resolve m by=bot:robot
        = conversation.resolved contained m epoch=0
    ",
    );
}

#[test]
fn a_persons_word_ends_the_bot() {
    check_under(
        "entry robot main bot; queue main",
        "
        0 agent anna
        0 message m on=email entry=robot
        1 sent m by=bot:robot
        = event.recorded recorded
        1 look m
        = m in_bot
        2 reply m anna
        = conversation.assigned adopted m anna epoch=1
    ",
    );
}

#[test]
fn while_the_customer_is_to_write_it_costs_nothing() {
    check_under(
        "channel email async their_units=0",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 message n on=email customer=other
        3 reply m anna
        = conversation.updated dormant m anna epoch=1 turn=theirs
        = conversation.assigned auto n anna epoch=1
        3 look anna
        = anna full 1/1 work:m:0 work:n:1
        # He answers, and both are hers: a fact may pass a limit.
        4 message m on=email customer=cu
        = message.routed m anna epoch=1
        = capacity.exceeded woken anna full 2/1
        5 message o on=email customer=third
        = conversation.opened new o epoch=0
        = conversation.queued new o epoch=0 queue=main by=default
        6 resolve m by=anna
        = conversation.resolved resolved m was=anna epoch=1
        7 resolve n by=anna
        = conversation.resolved resolved n was=anna epoch=1
        = conversation.assigned auto o anna epoch=1
    ",
    );
}

#[test]
fn dormancy_may_begin_later() {
    check_under(
        "channel email async units=2 their_units=1:60",
        "
        0 agent anna units=2
        0 online anna
        1 message m on=email
        2 reply m anna
        = event.recorded recorded
        until 61.999
        = nothing
        until 62
        = conversation.updated dormant m anna epoch=1 turn=theirs (tick)
        62 look anna
        = anna partly 1/2 work:m:1
    ",
    );
}

#[test]
fn a_customer_who_does_not_write_again_is_done() {
    check_under(
        "channel email async close_after=600",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 reply m anna
        300 message m on=email customer=cu
        = message.routed m anna epoch=1
        until 1000
        = nothing
        1000 reply m anna
        until 1599.999
        = nothing
        until 1600
        = conversation.resolved close_after m was=anna epoch=1 (tick)
    ",
    );
}

#[test]
fn an_absent_owner_is_waited_for_and_then_preferred() {
    check_under(
        "queue main preferred=60; channel email async absent=wait:300",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email customer=cu
        2 reply m anna
        3 offline anna
        4 online bert
        10 message m on=email customer=cu
        = message.routed m anna epoch=1
        until 309.999
        = nothing
        until 310
        = conversation.unassigned owner_absent m was=anna epoch=1 (tick)
        = conversation.queued requeue m epoch=1 queue=main by=default (tick)
        = conversation.assigned auto m bert epoch=2 (tick)
    ",
    );
    // He is back in time.
    check_under(
        "channel email async absent=wait:300",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email customer=cu
        2 reply m anna
        3 offline anna
        4 online bert
        10 message m on=email customer=cu
        300 online anna
        = agent.changed presence anna full 1/1
        until 1000
        = nothing
    ",
    );
    // At once, whoever else is there or not.
    check_under(
        "channel email async absent=return",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 reply m anna
        3 offline anna
        10 message m on=email customer=cu
        = message.routed m anna epoch=1
        = conversation.unassigned owner_absent m was=anna epoch=1
        = conversation.queued requeue m epoch=1 queue=main by=default
        11 message m on=email customer=cu
        = event.recorded waiting
        12 look m
        = m queued cause=nobody_online
        13 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto m anna epoch=2
    ",
    );
}

#[test]
fn a_silent_owner_keeps_it_unless_another_is_there() {
    check_under(
        "channel email async silent=100",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        until 100.999
        = nothing
        until 101
        = conversation.escalated owner_silent m anna epoch=1 ..
        until 500
        = nothing
    ",
    );
    check_under(
        "channel email async silent=100",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email customer=cu
        2 online bert
        until 101
        = conversation.unassigned owner_silent m was=anna epoch=1 (tick)
        = conversation.queued requeue m epoch=1 queue=main by=default (tick)
        = conversation.assigned auto m bert epoch=2 (tick)
    ",
    );
}

#[test]
fn a_snooze_ends_when_it_is_due() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email customer=cu
        2 snooze m until=60 by=bert
        = command.rejected not_owner
        2 snooze m until=1 by=anna
        = command.rejected until_past
        2 wake m by=anna
        = command.rejected not_snoozed
        3 snooze m until=60 by=anna
        = conversation.snoozed m anna epoch=1 until=60
        4 snooze m until=90 by=anna
        = command.rejected already_snoozed
        until 60
        = conversation.woken due m anna epoch=1 turn=ours (tick)
        61 snooze m until=600 by=anna
        62 wake m by=anna
        = conversation.woken command m anna epoch=1 turn=ours
        63 snooze m until=600 by=anna
        64 resolve m by=anna
        = conversation.resolved resolved m was=anna epoch=1
        until 700
        = nothing
    ",
    );
}

#[test]
fn what_waits_may_be_snoozed_too() {
    check_under(
        "",
        "
        0 agent anna
        1 message m on=email customer=cu
        2 snooze m until=60
        = conversation.snoozed m epoch=0 until=60
        3 online anna
        = agent.changed presence anna available 0/1
        until 60
        = conversation.woken due m epoch=0 turn=ours (tick)
        = conversation.queued resume m epoch=0 queue=main (tick)
        = conversation.assigned auto m anna epoch=1 (tick)
        61 agent bert
        62 message n on=email
        63 snooze n until=600
        64 online bert
        65 claim n bert
        = conversation.assigned claim n bert epoch=1
        until 700
        = nothing
    ",
    );
}

#[test]
fn a_live_contact_that_nobody_ends_is_stale() {
    check_under(
        "channel voice live exclusive max_open=3600",
        "
        0 agent anna
        0 online anna
        1 voice c1
        2 voice c2
        until 3600.999
        = nothing
        until 3601
        = conversation.closed stale c1 was=anna epoch=1 (tick)
        = conversation.assigned auto c2 anna epoch=1 (tick)
        until 3602
        = conversation.closed stale c2 was=anna epoch=1 (tick)
    ",
    );
}

#[test]
fn a_source_that_no_longer_knows_a_call_ends_it() {
    check_under(
        "",
        "
        0 voice c1 source=switch
        1 voice c2 source=switch
        2 voice c3 source=other
        3 message m on=email source=switch
        4 heartbeat source=switch
        = event.recorded recorded
        5 heartbeat open=c2 source=switch
        = conversation.closed stale c1 epoch=0
        6 heartbeat open= source=switch
        = conversation.closed stale c2 epoch=0
        7 heartbeat open= source=switch
        = event.recorded recorded
    ",
    );
}

#[test]
fn endings_have_their_names() {
    check_under(
        "",
        "
        0 agent anna
        1 message a on=email
        2 close a
        = conversation.closed missed a epoch=0
        3 message a on=email opens=no
        = event.recorded ignored(opens_nothing)
        4 message b on=email
        5 reply b anna
        6 close b
        = conversation.closed closed b was=anna epoch=1
        7 message c on=email
        8 resolve c
        = conversation.resolved missed c epoch=0
        9 voice d
        10 close d
        = conversation.closed closed d epoch=0
        11 close d
        = command.rejected unknown_conversation
    ",
    );
}

#[test]
fn a_command_reopens_what_is_remembered() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 reopen m
        = command.rejected not_resolved
        3 resolve m by=anna
        4 reopen m
        = conversation.reopened reopen m epoch=2
        = conversation.queued reopen m epoch=2 queue=main by=default
        = conversation.assigned auto m anna epoch=3
        5 reopen nothing
        = command.rejected unknown_conversation
    ",
    );
}
