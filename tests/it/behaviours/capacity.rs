//! Capacity is a ledger of holds: limits, exclusive channels, interrupts, pacing, wrap-up, work of others (routing.md §3).

use crate::histories::script::check_under;

#[test]
fn a_channels_limit_counts_its_conversations_whatever_units_are_left() {
    check_under(
        "channel email async limit=1",
        "
        0 agent anna units=5
        0 online anna
        1 message m1 on=email
        2 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.queued new m2 epoch=0 queue=main by=default
        3 message w on=whatsapp
        = conversation.opened new w epoch=0
        = conversation.queued new w epoch=0 queue=main by=default
        = conversation.assigned auto w anna epoch=1
        4 claim m2 anna
        = command.rejected no_capacity
        5 resolve m1
        = conversation.resolved resolved m1 was=anna epoch=1
        = conversation.assigned auto m2 anna epoch=1
    ",
    );
}

#[test]
fn an_agents_own_limit_is_above_the_channels() {
    check_under(
        "channel email async limit=1",
        "
        0 agent anna units=5 limits=email:2
        0 online anna
        1 message m1 on=email
        2 message m2 on=email
        = conversation.opened new m2 epoch=0
        = conversation.queued new m2 epoch=0 queue=main by=default
        = conversation.assigned auto m2 anna epoch=1
        3 message m3 on=email
        = conversation.opened new m3 epoch=0
        = conversation.queued new m3 epoch=0 queue=main by=default
    ",
    );
}

#[test]
fn a_channel_says_what_may_come_in_on_it() {
    check_under(
        "channel chat live interrupts=email",
        "
        0 agent anna units=5
        0 online anna
        1 chat c
        2 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.assigned auto m anna epoch=1
        3 message w on=whatsapp
        = conversation.opened new w epoch=0
        = conversation.queued new w epoch=0 queue=main by=default
        4 voice v
        = conversation.opened new v epoch=0
        = conversation.queued new v epoch=0 queue=main by=default
        # On mail live may come in, and w is async like it.
        5 ended c
        = conversation.resolved contact_ended c was=anna epoch=1
        = conversation.assigned auto w anna epoch=1
        = conversation.assigned auto v anna epoch=1
    ",
    );
}

#[test]
fn work_that_was_not_routed_takes_its_units() {
    check_under(
        "",
        "
        0 agent anna units=2
        0 online anna
        1 engaged anna x on=voice
        = event.recorded recorded
        1 look anna
        = anna full 1/2 external:x:1
        2 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        3 engaged anna x on=voice
        = event.recorded recorded
        4 disengaged anna x
        = event.recorded recorded
        = conversation.assigned auto m anna epoch=1
        5 disengaged anna x
        = event.recorded ignored(unknown_engagement)
        6 engaged anna y on=email units=3
        = capacity.exceeded engaged anna full 4/2
        7 engaged nobody z on=voice
        = event.recorded ignored(unknown_agent)
        8 resolve m
        = conversation.resolved resolved m was=anna epoch=1
        9 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
    ",
    );
}

#[test]
fn after_being_given_something_an_agent_is_left_in_peace_for_a_while() {
    check_under(
        "channel email async min_gap=10",
        "
        0 agent anna units=9
        0 online anna
        1 chat c
        2 ended c
        # Whatever it was that he was given.
        3 message m1 on=email
        = conversation.opened new m1 epoch=0
        = conversation.queued new m1 epoch=0 queue=main by=default
        until 11
        = conversation.assigned auto m1 anna epoch=1 (tick)
        12 message m2 on=email
        # What he takes himself is his own choice, and starts nothing.
        13 claim m2 anna
        = conversation.assigned claim m2 anna epoch=1
        14 message m3 on=email
        until 21
        = conversation.assigned auto m3 anna epoch=1 (tick)
        # A channel without a gap does not wait.
        22 chat d
        = conversation.opened new d epoch=0
        = conversation.queued new d epoch=0 queue=main by=default
        = conversation.assigned auto d anna epoch=1
    ",
    );
}

#[test]
fn optional_wrap_up_ends_by_the_agent_or_by_itself() {
    check_under(
        "channel chat live wrap_up=optional:1:30",
        "
        0 agent anna
        0 online anna
        1 chat c1
        2 ended c1
        = conversation.resolved contact_ended c1 was=anna epoch=1
        3 chat c2
        = conversation.opened new c2 epoch=0
        = conversation.queued new c2 epoch=0 queue=main by=default
        4 wrapup c1 anna
        = event.recorded recorded
        = conversation.assigned auto c2 anna epoch=1
        5 resolve c2 by=anna
        6 chat c3
        until 34.999
        = nothing
        until 35
        = conversation.assigned auto c3 anna epoch=1 (tick)
    ",
    );
}

#[test]
fn timed_wrap_up_takes_its_whole_time() {
    check_under(
        "channel chat live wrap_up=timed:1:30",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 chat c1
        2 ended c1
        3 wrapup c1 anna
        = command.rejected wrap_up_timed
        3 wrapup c1 bert
        = command.rejected no_wrap_up
        4 chat c2
        until 32
        = conversation.assigned auto c2 anna epoch=1 (tick)
    ",
    );
}

#[test]
fn a_queues_wrap_up_is_above_its_channels() {
    check_under(
        "queue main wrap_up=none; channel chat live wrap_up=timed:1:30",
        "
        0 agent anna
        0 online anna
        1 chat c1
        2 chat c2
        3 ended c1
        = conversation.resolved contact_ended c1 was=anna epoch=1
        = conversation.assigned auto c2 anna epoch=1
    ",
    );
}

#[test]
fn who_wraps_up_is_idle_when_he_is_done() {
    check_under(
        "channel chat live wrap_up=optional:1:30",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 chat a
        1 chat b
        10 ended a
        11 ended b
        20 wrapup b bert
        = event.recorded recorded
        21 wrapup a anna
        = event.recorded recorded
        22 chat c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        = conversation.assigned auto c bert epoch=1
    ",
    );
}

#[test]
fn who_has_left_still_wraps_up_and_an_abandoned_one_leaves_nothing() {
    check_under(
        "channel chat live wrap_up=mandatory:1:30",
        "
        0 agent anna
        0 chat c0
        1 ended c0
        = conversation.abandoned short_abandoned c0 epoch=0
        2 online anna
        = agent.changed presence anna available 0/1
        3 chat c1
        4 offline anna
        5 ended c1
        = conversation.resolved contact_ended c1 was=anna epoch=1
        5 look anna
        = anna offline 1/1 wrap_up:c1:1
        35 look anna
        = anna offline 0/1
    ",
    );
}
