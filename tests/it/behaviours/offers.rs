//! Offers: one at a time, accepted by whom they ask and by their name, withdrawn with a reason (routing.md §5).

use crate::histories::policies::policy;
use crate::histories::script::{Desk, check_under};

#[test]
fn an_offer_holds_units_until_it_is_accepted_or_gone() {
    check_under(
        "queue main accept=20; channel email async units=2",
        "
        0 agent anna units=3
        0 online anna
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        1 look m
        = m offered to=anna cause=due
        1 look anna
        = anna partly 2/3 offer:m:2
        2 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        3 accept 1 anna
        = conversation.assigned accepted m anna epoch=1
        3 look anna
        = anna partly 2/3 work:m:2
        4 resolve m by=anna
        = conversation.resolved resolved m was=anna epoch=1
        = conversation.offered auto n epoch=0 to=anna offer=2 until=24
        5 message n on=email
        = event.recorded waiting
    ",
    );
}

#[test]
fn every_refusal_of_an_answer_to_an_offer_has_its_code() {
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 accept 1 bert
        = command.rejected not_yours
        2 decline 1 bert
        = command.rejected not_yours
        2 accept 2 anna
        = command.rejected offer_gone
        2 accept 0 anna
        = command.rejected offer_gone
        2 decline 2 anna
        = command.rejected offer_gone
        3 accept 1 anna
        4 accept 1 anna
        = command.rejected offer_gone
        4 decline 1 anna
        = command.rejected offer_gone
    ",
    );
}

#[test]
fn a_declined_offer_goes_on_by_rank_and_asks_nobody_twice_in_a_round() {
    check_under(
        "queue main accept=20 round=100",
        "
        0 agent anna member=main:5:2
        0 agent bert member=main:5:1
        0 agent carl member=main:5:2
        0 online anna
        0 online bert
        0 online carl
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=bert offer=1 until=21
        2 decline 1 bert
        = offer.withdrawn declined m epoch=0 to=bert offer=1
        = conversation.offered auto m epoch=0 to=anna offer=2 until=22
        3 decline 2 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=2
        = conversation.offered auto m epoch=0 to=carl offer=3 until=23
        4 decline 3 carl
        = offer.withdrawn declined m epoch=0 to=carl offer=3
        until 103.999
        = nothing
        until 104
        = conversation.offered auto m epoch=0 to=bert offer=4 until=124 (tick)
        105 decline 4 bert
        106 decline 5 anna
        107 decline 6 carl
        = offer.withdrawn declined m epoch=0 to=carl offer=6
        # Whoever comes now has not been asked.
        108 agent dora
        109 online dora
        = agent.changed presence dora available 0/1
        = conversation.offered auto m epoch=0 to=dora offer=7 until=129
    ",
    );
}

#[test]
fn who_goes_away_loses_his_offers_and_has_declined_nothing() {
    check_under(
        "queue main accept=20 round=100",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 online bert
        2 message m on=email
        3 away anna
        = agent.changed presence anna away ..
        = offer.withdrawn agent_lost m epoch=0 to=anna offer=1
        = conversation.offered auto m epoch=0 to=bert offer=2 until=23
        4 online anna
        = agent.changed presence anna available 0/1
        5 decline 2 bert
        = offer.withdrawn declined m epoch=0 to=bert offer=2
        = conversation.offered auto m epoch=0 to=anna offer=3 until=25
        # To finish what rings is allowed.
        6 pending_away anna
        = agent.changed presence anna pending_away 1/1
        7 accept 3 anna
        = conversation.assigned accepted m anna epoch=1
        8 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        = conversation.offered auto n epoch=0 to=bert offer=4 until=28
    ",
    );
}

#[test]
fn who_comes_back_on_fewer_channels_loses_what_was_offered_on_the_others() {
    check_under(
        "queue main accept=20 round=100",
        "
        0 agent anna units=2
        0 online anna
        1 message m on=email
        2 chat c
        3 pending_away anna
        = agent.changed presence anna pending_away 2/2
        4 online anna channels=chat
        = agent.changed presence anna full 2/2
        = offer.withdrawn agent_lost m epoch=0 to=anna offer=1
        5 accept 2 anna
        = conversation.assigned accepted c anna epoch=1
    ",
    );
}

#[test]
fn an_offer_is_withdrawn_before_anything_else_becomes_of_its_conversation() {
    check_under(
        "queue main accept=20; queue second; channel email async",
        "
        0 agent anna
        0 online anna
        1 voice c1
        2 ended c1
        = offer.withdrawn abandoned c1 epoch=0 to=anna offer=1
        = conversation.abandoned short_abandoned c1 epoch=0
        3 message m on=email
        4 resolve m
        = offer.withdrawn rescinded m epoch=0 to=anna offer=2
        = conversation.resolved missed m epoch=0
        5 message n on=email
        6 snooze n until=60
        = offer.withdrawn rescinded n epoch=0 to=anna offer=3
        = conversation.snoozed n epoch=0 until=60
        7 agent bert
        8 message o on=email
        9 assign o bert reason=rush by=supervisor:boss
        = offer.withdrawn accepted_elsewhere o epoch=0 to=anna offer=4
        = conversation.assigned supervisor o bert epoch=1
        10 message p on=email
        11 reply p bert
        = offer.withdrawn accepted_elsewhere p epoch=0 to=anna offer=5
        = conversation.assigned adopted p bert epoch=1
        = capacity.exceeded fact bert offline 2/1
        12 message q on=email
        13 claim q anna
        = conversation.assigned accepted q anna epoch=1
    ",
    );
}

#[test]
fn a_supervisor_withdraws_an_offer() {
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        2 release m
        = offer.withdrawn rescinded m epoch=0 to=anna offer=1
        = conversation.offered auto m epoch=0 to=bert offer=2 until=22
    ",
    );
}

#[test]
fn a_customer_who_writes_while_it_rings_changes_nothing() {
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 message m on=email customer=cu
        = event.recorded waiting
        3 accept 1 anna
        = conversation.assigned accepted m anna epoch=1
    ",
    );
}

#[test]
fn not_responding_ends_by_itself_where_the_policy_says_so() {
    check_under(
        "set decline_limit=1 not_responding=60; queue main accept=20 round=5",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        = agent.changed not_responding anna not_responding 0/1
        until 61.999
        = nothing
        until 62
        = agent.changed responding anna available 0/1 (tick)
        = conversation.offered auto m epoch=0 to=anna offer=2 until=82 (tick)
    ",
    );
}

#[test]
fn a_supervisor_ends_not_responding() {
    check_under(
        "set decline_limit=1; queue main accept=20 round=5",
        "
        0 agent anna
        0 online anna
        1 message m on=email
        until 21
        = offer.withdrawn expired m epoch=0 to=anna offer=1 (tick)
        = agent.changed not_responding anna not_responding 0/1 (tick)
        # A device does not speak for her.
        30 online anna source=phone by=device
        = event.recorded recorded
        31 online anna source=wallboard supervised
        = agent.changed ..
        = conversation.offered auto m epoch=0 to=anna offer=2 until=51
    ",
    );
}

#[test]
fn a_round_ends_when_the_last_who_was_asked_stops_to_take_part_in_it() {
    check_under(
        "queue main accept=20 round=30",
        "
        0 agent anna
        0 online anna
        1 message m on=email
        2 accept 1 anna
        3 agent bert
        3 online bert
        4 release m by=anna
        = conversation.unassigned released m was=anna epoch=1
        = conversation.queued requeue m epoch=1 queue=main by=default
        = conversation.offered auto m epoch=1 to=bert offer=2 until=24
        5 agent bert channels=voice
        = agent.changed configured bert full 1/1
        = offer.withdrawn agent_lost m epoch=1 to=bert offer=2
        # Nobody else is left: after the pause who gave it away may have it again.
        until 34.999
        = nothing
        until 35
        = conversation.offered auto m epoch=1 to=anna offer=3 until=55 (tick)
    ",
    );
}

#[test]
fn a_round_ends_when_a_new_policy_leaves_nobody_in_it() {
    let mut desk = Desk::new(policy("queue main accept=20 round=30"));
    desk.check(
        "
        0 agent anna skills=de:1
        0 online anna
        1 message m on=email
        2 accept 1 anna
        3 agent bert
        3 online bert
        4 message n on=email
        5 accept 2 bert
        6 release m by=anna
        = conversation.unassigned released m was=anna epoch=1
        = conversation.queued requeue m epoch=1 queue=main by=default
    ",
    );
    desk.configure(policy("set version=2; queue main accept=20 round=30 skills=de:1"), 10_000);
    desk.check(
        "
        until 39.999
        = nothing
        until 40
        = conversation.offered auto m epoch=1 to=anna offer=3 until=60 (tick)
    ",
    );
}

#[test]
fn what_comes_back_from_an_offer_stands_as_the_policy_says_now() {
    let mut desk = Desk::new(policy("queue main accept=20; tier vip class=2"));
    desk.check(
        "
        0 agent anna
        0 agent bert
        0 message n on=email
        0 snooze n until=2
        0 online anna
        1 message m on=email tier=vip
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        until 2
        = conversation.woken due n epoch=0 ..
        = conversation.queued resume n epoch=0 ..
    ",
    );
    desk.configure(policy("set version=2; queue main accept=20; tier vip"), 3_000);
    desk.check(
        "
        4 pending_away anna
        5 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        # The older one comes first: there is no class any more.
        6 online bert
        = agent.changed presence bert available 0/1
        = conversation.offered auto n epoch=0 to=bert offer=2 until=26
    ",
    );
}
