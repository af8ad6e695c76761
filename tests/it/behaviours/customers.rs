//! Customers and what is kept about them: links, owners of accounts, notes, merges, outbound (routing.md §2, §6).

use crate::histories::script::check_under;

#[test]
fn a_customers_conversations_prefer_one_agent() {
    check_under(
        "queue main preferred=60",
        "
        0 agent anna units=2
        0 agent bert units=2
        0 online anna
        1 message a on=email customer=cu
        2 online bert
        # bert holds nothing, and anna knows him.
        3 message b on=whatsapp customer=cu
        = conversation.opened new b epoch=0
        = conversation.queued new b epoch=0 queue=main by=default
        = conversation.assigned preferred b anna epoch=1
        # She is full: it waits for her, and then takes anybody.
        4 message c on=facebook customer=cu
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        4 look c
        = c queued cause=preference
        until 63.999
        = nothing
        until 64
        = conversation.updated preference_expired c epoch=0 (tick)
        = conversation.assigned auto c bert epoch=1 (tick)
        # She goes, and nobody waits for her.
        65 message d on=instagram customer=cu
        = conversation.opened new d epoch=0
        = conversation.queued new d epoch=0 queue=main by=default
        66 offline anna
        = agent.changed presence anna offline 2/2
        = conversation.updated preference_expired d epoch=0
        = conversation.assigned auto d bert epoch=1
    ",
    );
}

#[test]
fn linked_customers_are_one() {
    check_under(
        "queue main preferred=60",
        "
        0 agent anna units=3
        0 agent bert units=3
        0 online anna
        1 message a on=email customer=cu
        2 online bert
        3 link cu other
        = customer.merged linked other=other
        4 message b on=whatsapp customer=other
        = conversation.opened new b epoch=0
        = conversation.queued new b epoch=0 queue=main by=default
        = conversation.assigned preferred b anna epoch=1
        5 unlink cu other
        = customer.merged unlinked other=other
        6 resolve b
        7 message c on=facebook customer=other
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        = conversation.assigned auto c bert epoch=1
    ",
    );
}

#[test]
fn the_owner_of_an_account_is_preferred() {
    check_under(
        "queue main preferred=60",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 online bert
        2 customer cu owner=bert
        = event.recorded recorded
        3 voice c customer=cu
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        = conversation.assigned preferred c bert epoch=1
        4 ended c
        5 customer cu owner=
        = event.recorded recorded
        6 voice d customer=cu
        = conversation.opened linked d epoch=0
        = conversation.queued new d epoch=0 queue=main by=default
        = conversation.assigned auto d anna epoch=1
    ",
    );
}

#[test]
fn a_changed_tier_moves_what_waits() {
    check_under(
        "tier vip head_start=90",
        "
        0 agent anna
        0 message early on=email customer=one
        60 message late on=email customer=two
        61 customer two tier=vip
        = conversation.updated customer late epoch=0
        62 customer two tier=vip
        = event.recorded recorded
        63 customer three tier=vip
        = event.recorded recorded
        70 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto late anna epoch=1
    ",
    );
}

#[test]
fn notes_travel_and_mentions_notify() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 note m mentions=bert,nobody by=anna
        = mention.notified mention m anna epoch=1 to=bert
        3 note nothing
        = command.rejected unknown_conversation
        4 sent m answers mentions=bert by=anna
        = mention.notified mention m anna epoch=1 to=bert
        5 survey m kind=csat score=4
        = event.recorded recorded
        6 survey nothing kind=csat
        = event.recorded ignored(unknown_conversation)
    ",
    );
}

#[test]
fn a_survivor_takes_the_earlier_arrival_and_the_others_owner() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 message old on=email customer=cu
        1 message new on=whatsapp customer=cu
        2 claim new anna
        = command.rejected not_routable
        2 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto old anna epoch=1
        # Without a word about it the older survives, here it has an owner already.
        3 merge new old
        = conversation.merged merged old anna epoch=2 other=new
        4 message a on=email customer=cu2
        5 message b on=whatsapp customer=cu2
        6 online bert
        = agent.changed presence bert available 0/1
        = conversation.assigned auto a bert epoch=1
        # The other survives: it is bert's now.
        7 merge a b into=b
        = conversation.assigned merged b bert epoch=3
        = conversation.merged merged b bert epoch=3 other=a
        7 look bert
        = bert full 1/1 work:b:1
        7 claim a anna
        = command.rejected owned_by_other
        8 merge b nothing
        = command.rejected unknown_conversation
    ",
    );
}

#[test]
fn an_outbound_conversation_takes_capacity_and_the_answer_comes_home() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        1 outbound m anna on=email customer=cu
        = command.rejected not_routable
        2 online anna
        3 online bert
        4 outbound m anna on=email customer=cu
        = conversation.opened outbound m ..
        = conversation.assigned outbound m anna epoch=1
        4 look m
        = m assigned anna turn=theirs
        5 outbound n anna on=email customer=other
        = command.rejected no_capacity
        6 outbound m bert on=email customer=cu
        = command.rejected already_open
        7 message - on=email customer=cu
        = message.routed m anna epoch=1
        8 outbound o nobody on=email
        = command.rejected unknown_agent
    ",
    );
}
