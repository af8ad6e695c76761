//! Transfers blind and warm, release, escalation (routing.md §6).

use crate::histories::script::check_under;

#[test]
fn a_blind_transfer_to_an_agent_changes_hands_at_once() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 agent carl
        0 online anna
        1 message m on=email
        2 online bert
        3 transfer m to=agent:bert by=anna
        = conversation.transferred transfer m ..
        = conversation.assigned transfer m bert was=anna epoch=2
        3 look m
        = m assigned bert turn=ours
        3 look anna
        = anna available 0/1
        4 transfer m to=agent:anna by=anna
        = command.rejected not_owner
        4 transfer m to=agent:bert by=bert
        = command.rejected already_owner
        4 transfer m to=agent:nobody by=bert
        = command.rejected unknown_agent
        4 transfer m to=queue:nowhere by=bert
        = command.rejected unknown_queue
        4 transfer m to=agent:carl by=bert
        = command.rejected not_routable
        4 transfer none to=agent:anna by=bert
        = command.rejected unknown_conversation
        4 transfer m to=agent:anna by=bert epoch=1
        = command.rejected stale_epoch
        5 resolve m by=bert
        6 transfer m to=agent:anna
        = command.rejected not_open
    ",
    );
}

#[test]
fn a_transfer_waits_in_an_agents_line_and_then_falls_back() {
    check_under(
        "queue main; queue second; channel email async",
        "
        0 agent anna
        0 agent bert
        0 agent carl member=second
        0 online anna
        0 online bert
        1 message a on=email
        1 message b on=email
        # bert has his hands full; anna gives him a all the same.
        2 transfer a to=agent:bert by=anna wait=30
        = conversation.transferred transfer a was=anna epoch=1
        = conversation.queued transfer a epoch=1 queue=main
        2 look a
        = a queued cause=preference
        10 resolve b by=bert
        = conversation.resolved resolved b was=bert epoch=1
        = conversation.assigned preferred a bert epoch=2
        11 message c on=email
        12 transfer a to=agent:anna by=bert wait=30 fallback=second
        = conversation.transferred transfer a was=bert epoch=2
        = conversation.queued transfer a epoch=2 queue=main
        20 online carl
        until 41.999
        = nothing
        until 42
        = conversation.queued overflow a epoch=2 queue=second (tick)
        = conversation.assigned auto a carl epoch=3 (tick)
    ",
    );
}

#[test]
fn a_transfer_to_a_queue_leaves_its_giver_out() {
    check_under(
        "queue main accept=20 round=100",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 accept 1 anna
        3 online bert
        4 transfer m to=queue:main by=anna
        = conversation.transferred transfer m was=anna epoch=1
        = conversation.queued transfer m epoch=1 queue=main
        = conversation.offered auto m epoch=1 to=bert offer=2 until=24
        5 decline 2 bert
        = offer.withdrawn declined m epoch=1 to=bert offer=2
        5 look m
        = m queued cause=all_declined
        # In the next round anna too is asked.
        6 offline bert
        until 105
        = conversation.offered auto m epoch=1 to=anna offer=3 until=125 (tick)
    ",
    );
}

#[test]
fn nobody_but_the_giver_can_take_it() {
    check_under(
        "queue main; queue second skills=de:1",
        "
        0 agent anna skills=de:1
        0 agent bert member=main
        0 online anna
        1 message m on=email
        2 transfer m to=queue:second by=anna
        = command.rejected no_other_member
    ",
    );
}

#[test]
fn where_context_is_required_a_transfer_needs_a_note() {
    check_under(
        "queue main context_required; queue second",
        "
        0 agent anna member=main
        0 agent bert member=second
        0 online anna
        1 message m on=email
        2 transfer m to=queue:second by=anna
        = command.rejected context_required
        3 transfer m to=queue:second by=anna note=angry
        = conversation.transferred transfer m was=anna epoch=1
        = conversation.queued transfer m epoch=1 queue=second
    ",
    );
    check_under(
        "queue main context_required; queue second",
        "
        0 agent anna member=main
        0 agent bert member=second
        0 online anna
        1 message m on=email
        2 note m by=anna
        = event.recorded recorded
        3 transfer m to=queue:second by=anna
        = conversation.transferred transfer m was=anna epoch=1
        = conversation.queued transfer m epoch=1 queue=second
    ",
    );
}

#[test]
fn more_transfers_than_the_limit_escalate() {
    check_under(
        "set max_transfers=1",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        1 online bert
        2 transfer m to=agent:bert by=anna
        = conversation.transferred transfer m ..
        = conversation.assigned transfer m bert was=anna epoch=2
        3 transfer m to=agent:anna by=bert
        = conversation.transferred transfer m ..
        = conversation.assigned transfer m anna was=bert epoch=3
        = conversation.escalated transfers m anna epoch=3 ..
    ",
    );
}

#[test]
fn a_warm_transfer_leaves_it_with_the_giver_until_it_is_taken() {
    check_under(
        "channel chat live",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 chat c
        2 online bert
        3 transfer c to=agent:bert by=anna warm
        = conversation.offered warm c anna epoch=1 to=bert offer=1 until=33
        4 decline 1 bert
        = offer.withdrawn declined c anna epoch=1 to=bert offer=1
        4 look c
        = c assigned anna ..
        5 transfer c to=agent:bert by=anna warm
        = conversation.offered warm c anna epoch=1 to=bert offer=2 until=35
        6 accept 2 bert
        = conversation.transferred transfer c ..
        = conversation.assigned accepted c bert was=anna epoch=2
        6 look bert
        = bert full 1/1 work:c:1
        6 look anna
        = anna available 0/1
    ",
    );
}

#[test]
fn a_released_one_goes_to_somebody_else() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 release m by=bert
        = command.rejected not_owner
        3 online bert
        4 release m by=anna
        = conversation.unassigned released m was=anna epoch=1
        = conversation.queued requeue m epoch=1 queue=main by=default
        = conversation.assigned auto m bert epoch=2
    ",
    );
}

#[test]
fn other_skills_are_asked_of_the_same_queue() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert skills=law:3
        0 agent carl
        0 online anna
        1 message m on=email
        2 online carl
        3 transfer m to=skills:law:2 by=anna
        = conversation.transferred transfer m was=anna epoch=1
        = conversation.queued transfer m epoch=1 queue=main
        4 online bert
        = agent.changed presence bert available 0/1
        = conversation.assigned auto m bert epoch=2
    ",
    );
}

#[test]
fn the_ladder_raises_moves_and_notifies() {
    check_under(
        "
        queue main
        queue second
        rung main level=1 priority=2 notify=anna
        rung main level=2 priority=1 queue=second notify=anna,bert
        ",
        "
        0 agent anna member=second
        0 agent bert member=second
        1 voice c1
        2 voice c2
        3 escalate c2 1
        = conversation.escalated command c2 epoch=0 priority=2 level=1
        = mention.notified escalated c2 epoch=0 to=anna
        3 look c2
        = c2 queued cause=nobody_online priority=2
        # A priority never falls by it.
        4 escalate c2 2
        = conversation.escalated command c2 epoch=0 priority=2 level=2
        = conversation.queued escalated c2 epoch=0 queue=second
        = mention.notified escalated c2 epoch=0 to=anna
        = mention.notified escalated c2 epoch=0 to=bert
        5 escalate c2 7
        = command.rejected unknown_level
    ",
    );
}

#[test]
fn a_priority_is_a_head_start() {
    check_under(
        "set priority_head_start=60",
        "
        0 agent anna
        0 message m1 on=email
        100 message m2 on=email
        101 update m2 priority=1
        = conversation.updated updated m2 epoch=0 priority=1
        110 update m2 priority=2
        = conversation.updated updated m2 epoch=0 priority=2
        120 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto m2 anna epoch=1
    ",
    );
    check_under(
        "set priority_head_start=60",
        "
        0 agent anna
        0 message m1 on=email
        100 message m2 on=email
        101 update m2 priority=1
        120 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto m1 anna epoch=1
    ",
    );
}
