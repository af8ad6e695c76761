//! Presence is a lease per agent and source: renewals, expiry, channels, drain (routing.md §3).

use crate::histories::script::check_under;

#[test]
fn a_lease_that_is_not_renewed_ends_to_the_millisecond() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna expires=30
        = agent.changed presence anna available 0/1
        until 29.999
        = nothing
        until 30
        = agent.changed lease_expired anna offline 0/1 (tick)
        31 voice c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        32 online anna expires=30
        = agent.changed presence anna available 0/1
        = conversation.assigned auto c anna epoch=1
    ",
    );
}

#[test]
fn an_early_renewal_leaves_no_trace_and_a_late_one_moves_the_end() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna expires=90
        = agent.changed presence anna available 0/1
        10 online anna expires=90
        = nothing
        # Less than two thirds are left.
        31 online anna expires=90
        = event.recorded recorded
        until 120.999
        = nothing
        until 121
        = agent.changed lease_expired anna offline 0/1 (tick)
    ",
    );
}

#[test]
fn a_renewal_that_skips_a_number_is_recorded() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna session=s sequence=1 expires=90
        = agent.changed presence anna available 0/1
        1 online anna session=s sequence=2 expires=90
        = nothing
        2 online anna session=s sequence=3 expires=90
        = event.recorded recorded
        3 online anna session=s sequence=3 expires=90
        = event.recorded ignored(stale_sequence)
        until 92
        = agent.changed lease_expired anna offline 0/1 (tick)
    ",
    );
}

#[test]
fn after_a_restart_live_leases_are_extended_once() {
    check_under(
        "set lease_grace=60",
        "
        0 agent anna
        0 online anna expires=30
        20 recover
        20 claimed
        until 89.999
        = nothing
        until 90
        = agent.changed lease_expired anna offline 0/1 (tick)
    ",
    );
}

#[test]
fn pending_away_finishes_and_gets_nothing_new() {
    check_under(
        "",
        "
        0 agent anna units=2
        0 online anna
        1 message m on=email
        2 pending_away anna
        = agent.changed presence anna pending_away 1/2
        3 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        4 message m on=email
        = message.routed m anna epoch=1
        5 claim n anna
        = command.rejected not_routable
        6 online anna
        = agent.changed presence anna partly 1/2
        = conversation.assigned auto n anna epoch=1
    ",
    );
}

#[test]
fn a_source_may_allow_only_some_channels() {
    check_under(
        "",
        "
        0 agent anna units=5
        0 agent bert units=5 channels=email
        0 online anna channels=chat,whatsapp
        = agent.changed presence anna available 0/5
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        2 chat c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        = conversation.assigned auto c anna epoch=1
        3 ended c
        4 chat d
        5 online bert
        = agent.changed presence bert available 0/5
        = conversation.assigned auto m bert epoch=1
        6 chat e
        = conversation.opened new e epoch=0
        = conversation.queued new e epoch=0 queue=main by=default
        = conversation.assigned auto e anna epoch=1
        # Another source of hers allows mail.
        7 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        = conversation.assigned auto n bert epoch=1
    ",
    );
}

#[test]
fn a_drained_agent_keeps_what_he_has() {
    check_under(
        "",
        "
        0 agent anna units=2
        0 online anna
        1 message m on=email
        2 drain anna
        = agent.changed drained anna draining 1/2
        3 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        4 message m on=email
        = message.routed m anna epoch=1
        5 undrain anna
        = agent.changed undrained anna partly 1/2
        = conversation.assigned auto n anna epoch=1
        6 drain nobody
        = command.rejected unknown_agent
        7 drain anna by=agent:anna
        = command.rejected not_supervisor
    ",
    );
}

#[test]
fn a_supervisors_word_outlives_the_agents_own_and_not_his_lease() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna source=desk expires=60
        1 away anna source=wall supervised
        = agent.changed presence anna away 0/1
        2 voice c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        3 online anna source=wall supervised
        = agent.changed presence anna available 0/1
        = conversation.assigned auto c anna epoch=1
    ",
    );
}
