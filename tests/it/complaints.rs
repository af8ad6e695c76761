//! What users of other routers complain about, one test each, by the name of the complaint. What must happen is what
//! `routing.md` says, not what an implementation prints.

use crate::histories::events::{Sender, agent_config, plain_policy, tier};
use crate::histories::policies::policy;
use crate::histories::script::{Desk, START_MS, check, check_under};
use engine::decision::{DecisionType, read_section};
use engine::id::Kind;
use engine::input::{ActorKind, By, Contact, Input, Status};
use engine::policy::Strategy;
use engine::{Engine, Output};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

#[test]
fn claim_races_auto_assignment() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.assigned auto m anna epoch=1
        # What bert saw was that it waited.
        1 claim m bert epoch=0
        = command.rejected stale_epoch
        1 claim m bert
        = command.rejected owned_by_other
        2 message n on=email
        = conversation.opened new n epoch=0
        = conversation.queued new n epoch=0 queue=main by=default
        = conversation.assigned auto n bert epoch=1
        2 claim n bert
        = command.rejected already_owner
    ",
    );
    // While it rings at anna's, bert takes it: her desk is told at once, and her answer comes too late.
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        1.5 claim m bert
        = offer.withdrawn accepted_elsewhere m epoch=0 to=anna offer=1
        = conversation.assigned claim m bert epoch=1
        1.5 accept 1 anna
        = command.rejected offer_gone
        2 look anna
        = anna available 0/1
        2 look bert
        = bert full 1/1 work:m:1
        until 60
        = nothing
    ",
    );
}

#[test]
fn agent_offline_with_open_work() {
    // By default it stays his.
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        2 offline anna
        = agent.changed presence anna offline 1/1
        3 online bert
        = agent.changed presence bert available 0/1
        until 3600
        = nothing
        3600 look m
        = m assigned anna turn=ours
    ",
    );
    // After the grace it goes to somebody else; who is on the line is never taken off it.
    check_under(
        "channel email async offline=reassign:60",
        "
        0 agent anna units=2
        0 agent bert
        0 online anna
        1 message m on=email
        2 chat c
        3 offline anna
        = agent.changed presence anna offline 2/2
        4 online bert
        = agent.changed presence bert available 0/1
        until 62.999
        = nothing
        until 63
        = conversation.unassigned owner_offline m was=anna epoch=1 (tick)
        = conversation.queued requeue m epoch=1 queue=main by=default (tick)
        = conversation.assigned auto m bert epoch=2 (tick)
        64 claim c bert
        = command.rejected owned_by_other
    ",
    );
    // Back within the grace, nothing happens.
    check_under(
        "channel email async offline=reassign:60",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 message m on=email
        3 offline anna
        4 online bert
        60 online anna
        = agent.changed presence anna full 1/1
        until 600
        = nothing
    ",
    );
}

#[test]
fn reopened_to_an_owner_who_is_off() {
    check_under(
        "queue main preferred=60",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 online bert
        2 message m on=email customer=cu
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.assigned auto m anna epoch=1
        3 resolve m by=anna
        4 offline anna
        # Nobody waits for who is not there.
        5 message m on=email customer=cu
        = conversation.reopened reopen m epoch=2
        = conversation.queued reopen m epoch=2 queue=main by=default
        = conversation.assigned auto m bert epoch=3
        6 resolve m by=bert
        6 online anna
        # He is there, and it is his.
        7 message m on=email customer=cu
        = conversation.reopened reopen m epoch=4
        = conversation.queued reopen m epoch=4 queue=main by=default
        = conversation.assigned preferred m bert epoch=5
    ",
    );
}

#[test]
fn two_messages_200_ms_apart() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna
        1 message - on=whatsapp customer=cu
        = conversation.opened new src/e4 epoch=0
        = conversation.queued new src/e4 epoch=0 queue=main by=default
        = conversation.assigned auto src/e4 anna epoch=1
        1.2 message - on=whatsapp customer=cu
        = message.routed src/e4 anna epoch=1
    ",
    );
}

#[test]
fn sole_agent_declined() {
    check_under(
        "queue main accept=20 round=30",
        "
        0 agent anna
        0 online anna
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        2 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        3 look m
        = m queued cause=all_declined
        until 31.999
        = nothing
        until 32
        = conversation.offered auto m epoch=0 to=anna offer=2 until=52 (tick)
        40 accept 2 anna
        = conversation.assigned accepted m anna epoch=1
        until 100
        = nothing
    ",
    );
}

#[test]
fn all_declined() {
    // Another queue.
    check_under(
        "
        queue main accept=20 all_declined=queue:second
        queue second
        ",
        "
        0 agent anna member=main
        0 agent bert member=main
        0 agent carl member=second
        0 online anna
        0 online bert
        0 online carl
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        2 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        = conversation.offered auto m epoch=0 to=bert offer=2 until=22
        # To let it ring is to decline.
        until 22
        = offer.withdrawn expired m epoch=0 to=bert offer=2 (tick)
        = conversation.queued overflow m epoch=0 queue=second (tick)
        = conversation.assigned auto m carl epoch=1 (tick)
    ",
    );
    // Set aside, until the customer says more: then everybody is asked again.
    check_under(
        "queue main accept=20 all_declined=park",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        = conversation.parked all_declined m epoch=0
        10 message m on=email customer=cu
        = conversation.woken message m epoch=0 turn=ours
        = conversation.queued resume m epoch=0 queue=main
        = conversation.offered auto m epoch=0 to=anna offer=2 until=30
    ",
    );
    // The next step at once.
    check_under(
        "
        queue main accept=20 skills=de:1 all_declined=relax
        step main after=600 drop=de
        ",
        "
        0 agent anna skills=de:1
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        2 decline 1 anna
        = offer.withdrawn declined m epoch=0 to=anna offer=1
        = conversation.relaxed step m epoch=0 step=1
        = conversation.offered auto m epoch=0 to=bert offer=2 until=22
    ",
    );
}

#[test]
fn late_accept_of_an_old_offer() {
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1 until=21
        until 21
        = offer.withdrawn expired m epoch=0 to=anna offer=1 (tick)
        = conversation.offered auto m epoch=0 to=bert offer=2 until=41 (tick)
        22 accept 1 anna
        = command.rejected offer_gone
        22 accept 2 anna
        = command.rejected not_yours
        23 accept 2 bert
        = conversation.assigned accepted m bert epoch=1
        24 accept 2 bert
        = command.rejected offer_gone
        24 accept 9 bert
        = command.rejected offer_gone
    ",
    );
    // In time is in time: what comes in before the deadline counts, and at the deadline the offer is over.
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 online anna
        1 message m on=email
        20.999 accept 1 anna
        = conversation.assigned accepted m anna epoch=1
        30 resolve m by=anna
        31 message n on=email
        51 accept 2 anna
        = offer.withdrawn expired n epoch=0 to=anna offer=2 (tick)
        = command.rejected offer_gone
    ",
    );
}

/// Effects' bytes and types of the decisions of one call that is served, with so many before it in line, vip and full of
/// steps to come, whom nobody can serve. The work that a step leaves behind, and no clock.
fn served_behind(unservable: usize) -> (usize, Vec<DecisionType>) {
    let mut policy = policy("queue main; step main after=3600 head_start=60; step main after=7200 head_start=60");
    policy.tiers = vec![tier("vip", 1_000_000)];
    let mut sender = Sender::new("acme");
    let mut engine = Engine::new(sender.key);
    let mut out = Output::default();
    out.begin(1);
    engine.step(&sender.configure(policy, None), START_MS, &mut out);
    engine.step(&sender.agent("anna", agent_config(Some(1), 1, &[])), START_MS, &mut out);
    engine.step(&sender.presence("anna", Status::Online, By::Agent), START_MS, &mut out);
    let busy = sender.contact("voice", "", None, None);
    let busy = Contact { conversation: Some(sender.id(Kind::Conversation, "busy")), ..busy };
    engine.step(&sender.started(busy), START_MS, &mut out);
    for _ in 0..unservable {
        let mut contact = sender.requiring(sender.contact("voice", "", None, None), &[("nobody_has_it", 1)]);
        contact.tier = Some(sender.hash(Kind::Tier, &["vip"]));
        engine.step(&sender.started(contact), START_MS, &mut out);
        out.begin(out.seq + 1);
    }
    let servable = sender.contact("voice", "", None, None);
    engine.step(&sender.started(servable), START_MS, &mut out);
    engine.seal();
    out.begin(out.seq + 1);
    engine.step(&sender.ended("busy", ActorKind::Agent), START_MS + 1, &mut out);
    let done = out.effects.len();
    while engine.wants_tick_at().is_some_and(|at| at <= START_MS + 1) {
        engine.tick(START_MS + 1, &mut out);
    }
    assert_eq!(out.effects.len(), done, "one step is enough");
    let told = read_section(&out.decisions).unwrap_or_default();
    (out.effects.len(), told.iter().map(|told| told.decision_type).collect())
}

#[test]
fn fifty_thousand_waiting_that_nobody_can_serve() {
    let (effects, told) = served_behind(50_000);
    let (effects_alone, told_alone) = served_behind(0);
    assert_eq!(told, [DecisionType::ConversationResolved, DecisionType::ConversationAssigned]);
    assert_eq!(told, told_alone);
    // Slots and numbers are longer varints; nothing else may differ.
    assert!(effects <= effects_alone + 24, "{effects} bytes of effects, {effects_alone} without them");
}

#[test]
fn back_from_leave_not_flooded() {
    // Weighted: who is not there is frozen, he has nothing to catch up with.
    let mut desk = Desk::new(plain_policy(Strategy::WeightedRoundRobin));
    for agent in ["a", "b", "c"] {
        desk.play(&format!("0 agent {agent} units=1000"));
        desk.play(&format!("0 online {agent}"));
    }
    assert_eq!(desk.picks(1, 0..3), "abc");
    desk.play("2 offline c");
    assert_eq!(desk.picks(3, 3..63), "ab".repeat(30));
    desk.play("100 online c");
    assert_eq!(desk.picks(101, 63..72), "abcabcabc");
    // Longest idle: he is idle since he came back.
    let mut desk = Desk::new(plain_policy(Strategy::LongestIdle));
    for line in ["0 agent a", "0 agent b", "0 agent c", "5 online a", "6 online b", "1000 online c"] {
        desk.play(line);
    }
    assert_eq!(desk.picks(1001, 0..3), "abc");
}

#[test]
fn signs_in_before_500_waiting() {
    let mut desk = Desk::new(policy("channel email async min_gap=10"));
    desk.play("0 agent anna units=5");
    for n in 0..500 {
        desk.play(&format!("0 message m{n} on=email"));
    }
    desk.check(
        "
        1 online anna
        = agent.changed presence anna available 0/5
        = conversation.assigned auto m0 anna epoch=1
        2 look m1
        = m1 queued cause=paced
        until 10.999
        = nothing
        until 11
        = conversation.assigned auto m1 anna epoch=1 (tick)
        until 41
        = conversation.assigned auto m2 anna epoch=1 (tick at 21)
        = conversation.assigned auto m3 anna epoch=1 (tick at 31)
        = conversation.assigned auto m4 anna epoch=1 (tick)
        until 100
        = nothing
        100 look m5
        = m5 queued cause=all_full
    ",
    );
}

#[test]
fn two_queues_that_share_agents_keep_their_shares() {
    // Each queue has a rotation of its own: 3 to 1 in both, however their arrivals are mixed.
    let mut desk = Desk::new(policy(
        "
        queue sales weighted_round_robin
        queue care weighted_round_robin
        rule care language=care
        ",
    ));
    for line in ["0 agent a units=999 weight=3", "0 agent b units=999 weight=1", "0 online a", "0 online b"] {
        desk.play(line);
    }
    let mut shares = [String::new(), String::new()];
    for (n, queue) in [0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1].into_iter().enumerate() {
        let told = desk.play(&format!("1 message m{n} on=email language={}", ["sales", "care"][queue]));
        shares[queue] += told[2].split(' ').nth(3).unwrap_or("-");
    }
    assert_eq!(shares, ["aabaaaba", "aabaaaba"]);
    // And neither can take more of an agent than it is given.
    check_under(
        "
        queue sales
        queue care
        rule care language=care
        ",
        "
        0 agent anna units=4 member=sales:5:5:0:2 member=care:5:5:0:3
        0 online anna
        1 message s1 on=email
        1 message s2 on=email
        1 message s3 on=email
        = conversation.opened new s3 epoch=0
        = conversation.queued new s3 epoch=0 queue=sales by=default
        1 look s3
        = s3 queued cause=all_full
        2 message c1 on=email language=care
        = conversation.opened new c1 epoch=0
        = conversation.queued new c1 epoch=0 queue=care by=rule[0]
        = conversation.assigned auto c1 anna epoch=1
        3 message c2 on=email language=care
        4 message c3 on=email language=care
        = conversation.opened new c3 epoch=0
        = conversation.queued new c3 epoch=0 queue=care by=rule[0]
        5 resolve s1
        = conversation.resolved resolved s1 was=anna epoch=1
        = conversation.assigned auto s3 anna epoch=1
    ",
    );
}

#[test]
fn a_thread_of_last_monday_does_not_jump_the_line() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 message monday on=email customer=cu
        1 reply monday anna
        2 resolve monday by=anna
        3 offline anna
        200000 message first on=email
        # Two days later, and a second after somebody else: he waits since now.
        200001 message monday on=email customer=cu
        = conversation.reopened reopen monday epoch=2
        = conversation.queued reopen monday epoch=2 queue=main by=default
        200002 online bert
        = agent.changed presence bert available 0/1
        = conversation.assigned auto first bert epoch=1
        200003 resolve first by=bert
        = conversation.resolved resolved first was=bert epoch=1
        = conversation.assigned auto monday bert epoch=3
    ",
    );
    // Open all the time, answered, and its owner gone: the same.
    let mut desk = Desk::new(policy("channel email async absent=return"));
    desk.check(
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 message monday on=email customer=cu
        1 reply monday anna
        2 offline anna
        499990 online bert
        500001 message monday on=email customer=cu
        = message.routed monday anna epoch=1
        = conversation.unassigned owner_absent monday was=anna epoch=1
        = conversation.queued requeue monday epoch=1 queue=main by=default
        = conversation.assigned auto monday bert epoch=2
    ",
    );
    assert_eq!(arrival(&desk, "monday"), 500_001_000);
}

#[test]
fn a_transferred_call_keeps_its_place_but_starts_its_new_queues_steps() {
    let queues = "
        queue main
        queue second skills=de:1
        step second after=30 drop=de
        rule second language=de
        ";
    // 50 s in line and 50 s of talk: in the second queue it stands as if it had come 50 s ago.
    check_under(
        queues,
        "
        0 agent anna member=main
        0 agent carl member=second skills=de:1
        0 voice c1
        50 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto c1 anna epoch=1
        90 voice c2 language=de
        100 transfer c1 to=queue:second by=anna
        = conversation.transferred transfer c1 was=anna epoch=1
        = conversation.queued transfer c1 epoch=1 queue=second
        105 online carl
        = agent.changed presence carl available 0/1
        = conversation.assigned auto c1 carl epoch=2
    ",
    );
    // Its step comes 30 s after it came into this queue.
    check_under(
        queues,
        "
        0 agent anna member=main
        0 agent bert member=second
        0 agent carl member=second skills=de:1
        0 voice c1
        0 online bert
        50 online anna
        100 transfer c1 to=queue:second by=anna
        = conversation.transferred transfer c1 was=anna epoch=1
        = conversation.queued transfer c1 epoch=1 queue=second
        until 129.999
        = nothing
        until 130
        = conversation.relaxed step c1 epoch=1 step=1 (tick)
        = conversation.assigned auto c1 bert epoch=2 (tick)
    ",
    );
    // At the back of the line, where the command says so.
    check_under(
        queues,
        "
        0 agent anna member=main
        0 agent carl member=second skills=de:1
        0 voice c1
        50 online anna
        90 voice c2 language=de
        100 transfer c1 to=queue:second by=anna back
        105 online carl
        = agent.changed presence carl available 0/1
        = conversation.assigned auto c2 carl epoch=1
    ",
    );
}

/// ms after the start.
fn arrival(desk: &Desk, conversation: &str) -> u64 {
    let workspace = desk.pair.engine.workspace("acme").expect("it is configured");
    workspace.conversation(conversation).map_or(0, |conversation| conversation.arrival) - START_MS
}

#[test]
fn failed_delivery_is_no_reply() {
    let mut desk = Desk::new(policy("channel whatsapp async close_after=600 silent=3600"));
    desk.check(
        "
        0 agent anna
        0 online anna
        1 message m on=whatsapp customer=cu
        2 reply m anna
        = event.recorded recorded
        2 look m
        = m assigned anna turn=theirs
        3 delivered m
        = event.recorded recorded
        3 look m
        = m assigned anna turn=theirs
        4 failed m
        = reply.failed failed m anna epoch=1 turn=ours
        4 look m
        = m assigned anna turn=ours
    ",
    );
    assert_eq!(arrival(&desk, "m"), 1_000, "he has been waiting since he wrote");
    // It is our turn: nothing is closed for the customer's silence.
    desk.check(
        "
        until 700
        = nothing
        700 reply m anna
        = event.recorded recorded
        until 1300
        = conversation.resolved close_after m was=anna epoch=1 (tick)
    ",
    );
}

#[test]
fn answered_by_a_non_owner() {
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 message m on=email customer=cu
        1 online anna
        = agent.changed presence anna available 0/1
        = conversation.assigned auto m anna epoch=1
        # The customer has his answer, and the owner learns of it.
        2 reply m bert
        = reply.collision not_owner m anna epoch=1 to=bert
        2 look m
        = m assigned anna turn=theirs
        # Whoever answers what nobody has has it.
        3 message n on=email customer=other
        4 reply n bert
        = conversation.assigned adopted n bert epoch=1
        5 message o on=email customer=third
        6 reply o bert
        = conversation.assigned adopted o bert epoch=1
        = capacity.exceeded fact bert offline 2/1
    ",
    );
    // On a call ownership follows the line.
    check_under(
        "",
        "
        0 agent anna
        0 agent bert
        0 online anna
        1 voice c
        2 connected c anna
        = event.recorded recorded
        3 connected c bert
        = conversation.assigned adopted c bert was=anna epoch=2
    ",
    );
    // Where a queue says so, a reply is only a reply.
    check_under(
        "queue main replies_do_not_claim",
        "
        0 agent bert
        1 message m on=email customer=cu
        2 reply m bert
        = event.recorded recorded
        2 look m
        = m queued cause=nobody_online
    ",
    );
}

#[test]
fn wrap_up_blocks_only_its_share() {
    check_under(
        "channel email async units=2 wrap_up=mandatory:1:60",
        "
        0 agent anna units=3
        0 online anna
        1 message a on=email
        2 message b on=email
        3 resolve a by=anna
        = conversation.resolved resolved a was=anna epoch=1
        = conversation.assigned auto b anna epoch=1
        3 look anna
        = anna full 3/3 work:b:2 wrap_up:a:1
        4 message c on=email
        5 wrapup a anna
        = event.recorded recorded
        5 look anna
        = anna partly 2/3 work:b:2
        6 wrapup a anna
        = command.rejected no_wrap_up
        7 resolve b by=anna
        = conversation.resolved resolved b was=anna epoch=1
        = conversation.assigned auto c anna epoch=1
        until 66.999
        = nothing
        66.999 look anna
        = anna full 3/3 work:c:2 wrap_up:b:1
        67 look anna
        = anna partly 2/3 work:c:2
    ",
    );
}

#[test]
fn capacity_exact_after_10_000_claims_transfers_crashes() {
    const AGENTS: [&str; 4] = ["a", "b", "c", "d"];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut desk = Desk::new(policy(
        "
        set max_transfers=1000000
        queue main accept=30
        queue second weighted_round_robin
        channel email async units=2 wrap_up=optional:1:20
        channel chat live units=3
        rule second channel=chat
        ",
    ));
    for agent in AGENTS {
        desk.play(&format!("0 agent {agent} units=7"));
        desk.play(&format!("0 online {agent}"));
    }
    let mut open: Vec<String> = Vec::new();
    let mut second = 0;
    for n in 0..10_000 {
        second += rng.random_range(0..2);
        let agent = AGENTS.choose(&mut rng).copied().unwrap_or_default();
        let (conversation, at) = match open.len() {
            0 => ("none".to_string(), 0),
            len => {
                let at = rng.random_range(0..len);
                (open[at].clone(), at)
            }
        };
        match rng.random_range(0..8) {
            0 | 1 if open.len() < 12 => {
                let channel = if rng.random_ratio(1, 2) { "message" } else { "chat" };
                desk.play(&format!("{second} {channel} c{n}"));
                open.push(format!("c{n}"));
            }
            0..=2 => drop(desk.play(&format!("{second} claim {conversation} {agent}"))),
            3 => drop(desk.play(&format!("{second} transfer {conversation} to=agent:{agent}"))),
            4 => drop(desk.play(&format!("{second} transfer {conversation} to=queue:second"))),
            5 if !open.is_empty() => {
                desk.play(&format!("{second} resolve {conversation}"));
                open.swap_remove(at);
            }
            6 => drop(desk.play(&format!("{second} {} {agent}", if n % 3 == 0 { "away" } else { "online" }))),
            _ if n % 50 == 7 => {
                desk.play(&format!("{second} recover"));
                desk.play(&format!("{second} claimed"));
            }
            _ => {}
        }
    }
    for conversation in open {
        desk.play(&format!("{second} resolve {conversation}"));
    }
    desk.play(&format!("until {}", second + 3_600));
    let workspace = desk.pair.engine.workspace("acme").expect("it is configured");
    for agent in workspace.agents() {
        assert_eq!((agent.units_used, agent.holds), (0, Vec::new()), "{}", agent.id);
    }
}

#[test]
fn presence_from_two_devices() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna source=desk
        = agent.changed presence anna available 0/1
        1 online anna source=phone by=device
        = event.recorded recorded
        # The desk goes down: the phone is still there.
        2 offline anna source=desk by=device
        = event.recorded recorded
        3 offline anna source=phone by=device
        = agent.changed presence anna offline 0/1
        4 online anna source=phone by=device
        = agent.changed presence anna available 0/1
        # What she says herself counts wherever she says it.
        5 away anna source=desk
        = agent.changed presence anna away 0/1
        6 online anna source=phone by=device
        = event.recorded recorded
        7 online anna source=phone
        = agent.changed presence anna available 0/1
        # A supervisor's word is above it.
        8 away anna source=wallboard supervised
        = agent.changed presence anna away 0/1
        9 online anna source=phone
        = event.recorded recorded
        10 online anna source=wallboard supervised
        = agent.changed presence anna available 0/1
    ",
    );
}

#[test]
fn phone_in_the_background() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna source=desk expires=100
        = agent.changed presence anna available 0/1
        0 online anna source=phone by=device expires=30
        = event.recorded recorded
        1 away anna source=phone by=device expires=30
        = event.recorded recorded
        # Its lease runs out, and she is at her desk.
        until 60
        = nothing
        60 voice c
        = conversation.opened new c epoch=0
        = conversation.queued new c epoch=0 queue=main by=default
        = conversation.assigned auto c anna epoch=1
        70 online anna source=desk expires=100
        = event.recorded recorded
        until 169.999
        = nothing
        until 170
        = agent.changed lease_expired anna offline 1/1 (tick)
    ",
    );
}

#[test]
fn a_gateway_restart_expires_1000_leases() {
    const AGENTS: usize = 1_000;
    let online = |desk: &mut Desk, second: u64| {
        for n in 0..AGENTS {
            desk.play(&format!("{second} online a{n} source=gateway expires=30"));
        }
    };
    let mut desk = Desk::new(policy("set lease_grace=60; channel email async offline=reassign:5"));
    for n in 0..AGENTS {
        desk.play(&format!("0 agent a{n}"));
    }
    online(&mut desk, 0);
    let work = desk.play("1 message m on=email");
    assert_eq!(work[2], "conversation.assigned auto m a0 epoch=1");
    // The gateway is away. It is the gateway that is suspect, not a thousand people, and nobody loses anything.
    let told = desk.play("until 60");
    assert_eq!(told, ["source.suspect lease_storm other=gateway (tick at 30)"]);
    // It is back within the grace.
    online(&mut desk, 80);
    assert_eq!(desk.play("until 100"), Vec::<String>::new());
    // Another that does not come back: the grace is given once, then they are gone.
    let told = desk.play("until 200");
    let lost = told.iter().filter(|line| line.starts_with("agent.changed lease_expired")).count();
    assert_eq!(lost, AGENTS);
    assert!(told[0].starts_with("source.suspect lease_storm other=gateway (tick at 110)"), "{}", told[0]);
    let first_lost = told.iter().find(|line| line.starts_with("agent.changed")).expect("they are lost");
    assert!(first_lost.ends_with("(tick at 170)"), "{first_lost}");
    // Nobody is there to take it: it waits.
    assert!(told.iter().any(|line| line.starts_with("conversation.queued requeue m epoch=1")));
}

#[test]
fn a_colleague_answers_in_a_customers_mail_thread() {
    let mut desk = Desk::new(policy(""));
    desk.check(
        "
        0 agent anna
        0 online anna
        1 message - on=email thread=t customer=cu
        = conversation.opened new src/e4 epoch=0
        = conversation.queued new src/e4 epoch=0 queue=main by=default
        = conversation.assigned auto src/e4 anna epoch=1
        2 reply src/e4 anna
        3 message - on=email thread=t customer=colleague
        = message.routed src/e4 anna epoch=1
        3 look src/e4
        = src/e4 assigned anna turn=ours
    ",
    );
    assert_eq!(arrival(&desk, "src/e4"), 3_000, "they wait since the colleague wrote");
    desk.check(
        "
        4 resolve src/e4 by=anna
        5 message - on=email thread=t customer=colleague
        = conversation.reopened reopen src/e4 epoch=2
        = conversation.queued reopen src/e4 epoch=2 queue=main by=default
        = conversation.assigned auto src/e4 anna epoch=3
    ",
    );
    let workspace = desk.pair.engine.workspace("acme").expect("it is configured");
    let customer = workspace.conversation("src/e4").and_then(|conversation| conversation.customer);
    assert_eq!(customer.as_deref(), Some("cu"), "it is his conversation still");
}

#[test]
fn a_merged_conversation_gets_a_late_message() {
    check_under(
        "",
        "
        0 agent anna units=2
        0 online anna
        1 message a on=email customer=cu
        2 message b on=whatsapp customer=cu
        3 merge b a into=a
        = conversation.merged merged a anna epoch=2 other=b
        3 look anna
        = anna partly 1/2 work:a:1
        4 message b on=whatsapp customer=cu
        = message.routed a anna epoch=2
        5 message - on=whatsapp customer=cu
        = message.routed a anna epoch=2
        6 merge a b
        = command.rejected merge_into_itself
        7 resolve b by=anna
        = conversation.resolved resolved a was=anna epoch=2
        8 message b on=whatsapp customer=cu
        = conversation.reopened reopen a epoch=3
        = conversation.queued reopen a epoch=3 queue=main by=default
        = conversation.assigned auto a anna epoch=4
    ",
    );
}

#[test]
fn a_bots_conversation_is_claimed_by_a_person() {
    let mut desk = Desk::new(policy("entry robot main bot"));
    desk.check(
        "
        0 agent anna
        0 online anna
        1 chat c entry=robot
        = conversation.opened new c epoch=0
        30 claim c anna
        = conversation.assigned claim c anna epoch=1
        31 handoff c
        = command.rejected not_in_bot
    ",
    );
    assert_eq!(arrival(&desk, "c"), 30_000, "nobody has waited for a person before");
    desk.check(
        "
        until 4000
        = nothing
    ",
    );
}

#[test]
fn snoozed_and_the_customer_writes() {
    check_under(
        "",
        "
        0 agent anna
        0 online anna
        1 message m on=email customer=cu
        2 reply m anna
        3 snooze m until=600 by=anna
        = conversation.snoozed m anna epoch=1 until=600
        100 message m on=email customer=cu
        = conversation.woken message m anna epoch=1 turn=ours
        100 look m
        = m assigned anna turn=ours
        until 1000
        = nothing
    ",
    );
}

#[test]
fn blocked_sender() {
    check_under(
        "",
        "
        0 agent anna units=2
        0 online anna
        1 message m on=email customer=cu
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.assigned auto m anna epoch=1
        2 snooze m until=600 by=anna
        3 customer cu blocked=yes
        = event.recorded recorded
        # It wakes, opens, starts nothing; what is open stays where it is.
        4 message m on=email customer=cu
        = event.recorded ignored(blocked)
        4 message n on=whatsapp customer=cu
        = event.recorded ignored(blocked)
        4 voice c customer=cu
        = event.recorded ignored(blocked)
        4 look m
        = m snoozed anna turn=ours
        5 resolve m by=anna
        6 message m on=email customer=cu
        = event.recorded ignored(blocked)
        7 customer cu blocked=no
        = event.recorded recorded
        8 message m on=email customer=cu
        = conversation.reopened reopen m epoch=2
        = conversation.queued reopen m epoch=2 queue=main by=default
        = conversation.assigned auto m anna epoch=3
    ",
    );
}

#[test]
fn a_weight_changes_in_mid_rotation() {
    let mut desk = Desk::new(plain_policy(Strategy::WeightedRoundRobin));
    for line in ["0 agent a units=999", "0 agent b units=999", "0 online a", "0 online b"] {
        desk.play(line);
    }
    assert_eq!(desk.picks(1, 0..3), "aba");
    // a is half a pick ahead, and stays so: with weights 3 and 1 it goes on from -1/2 and 1/2.
    desk.play("2 agent a units=999 weight=3");
    assert_eq!(desk.picks(3, 3..15), "baaabaaabaaa");
}

#[test]
fn agent_removed_with_open_work() {
    check_under(
        "queue main preferred=60",
        "
        0 agent anna
        0 agent bert
        0 agent carl
        0 online anna
        1 message m on=email customer=cu
        2 online bert
        3 remove anna
        = agent.changed removed anna removed ..
        = conversation.unassigned owner_lost m was=anna epoch=1
        = conversation.queued requeue m epoch=1 queue=main by=default
        = conversation.assigned auto m bert epoch=2
        4 online anna
        = event.recorded ignored(unknown_agent)
        # To somebody named, whatever he has.
        5 remove bert successor=carl
        = agent.changed removed bert removed ..
        = conversation.assigned successor m carl was=bert epoch=3
        6 remove bert
        = command.rejected unknown_agent
    ",
    );
    // What rings at his desk rings elsewhere.
    check_under(
        "queue main accept=20",
        "
        0 agent anna
        0 agent bert
        0 online anna
        0 online bert
        1 message m on=email
        2 remove anna
        = agent.changed removed anna removed ..
        = offer.withdrawn agent_lost m epoch=0 to=anna offer=1
        = conversation.offered auto m epoch=0 to=bert offer=2 until=22
    ",
    );
}

#[test]
fn two_declines_with_an_accept_between_do_not_make_not_responding() {
    check_under(
        "set decline_limit=2; queue main accept=20 round=5",
        "
        0 agent anna
        0 online anna
        1 message a on=email
        2 decline 1 anna
        = offer.withdrawn declined a epoch=0 to=anna offer=1
        until 7
        = conversation.offered auto a epoch=0 to=anna offer=2 until=27 (tick)
        8 accept 2 anna
        = conversation.assigned accepted a anna epoch=1
        9 resolve a by=anna
        10 message b on=email
        11 decline 3 anna
        = offer.withdrawn declined b epoch=0 to=anna offer=3
        until 16
        = conversation.offered auto b epoch=0 to=anna offer=4 until=36 (tick)
        # Now it is the second in a row.
        17 decline 4 anna
        = offer.withdrawn declined b epoch=0 to=anna offer=4
        = agent.changed not_responding anna not_responding 0/1
        until 60
        = nothing
        60 look b
        = b queued ..
        # She says what she is, and later that she is there.
        61 away anna
        = agent.changed ..
        62 online anna
        = agent.changed presence anna available 0/1
        = conversation.offered auto b epoch=0 to=anna offer=5 until=82
    ",
    );
}

#[test]
fn configuration_changed_in_mid_stream() {
    // A longest wait that comes later counts from when the waiting began.
    check_under(
        "",
        "
        0 message m on=email
        20 message n on=email
        30 policy queue main max_wait=60 too_long=deflect:sorry
        = workspace.configured
        until 60
        = conversation.deflected max_wait m epoch=0 text=sorry (tick)
        # And one that is past by then is done at once.
        61 policy queue main max_wait=10 too_long=deflect:sorry
        = workspace.configured
        = conversation.deflected max_wait n epoch=0 text=sorry (tick)
    ",
    );
    // Skills, tiers and queues: what waits is looked at again, what is held stays where it is.
    check_under(
        "queue main skills=de:1; queue old; rule old channel=email",
        "
        0 agent anna units=3
        0 online anna
        1 message held on=email
        2 voice waits
        = conversation.opened new waits epoch=0
        = conversation.queued new waits epoch=0 queue=main by=default
        3 policy queue main
        = workspace.configured
        = conversation.updated configured waits epoch=0 (tick)
        = conversation.assigned auto waits anna epoch=1 (tick)
        4 look held
        = held assigned anna turn=ours
        5 resolve held by=anna
        6 message held on=email
        = conversation.reopened reopen held epoch=2
        = conversation.queued reopen held epoch=2 queue=main by=default
    ",
    );
}

/// Whatever names an event of before gets its first answer, also after a crash.
#[test]
fn the_same_event_after_a_crash() {
    let mut desk = Desk::new(plain_policy(Strategy::LongestIdle));
    for line in ["0 agent anna", "0 online anna"] {
        desk.play(line);
    }
    let contact = desk.sender.contact("voice", "", Some("cu"), None);
    let call: Input = desk.sender.started(contact);
    assert_eq!(desk.give(call.clone(), 1_000).len(), 3);
    desk.play("2 recover");
    assert_eq!(desk.give(call, 3_000), ["event.recorded duplicate(decided)"]);
}

#[test]
fn an_offer_made_while_behind_starts_its_time_when_the_shard_has_caught_up() {
    check(
        policy("queue main accept=20"),
        "
        0 agent anna
        0 online anna
        1 behind
        2 message m on=email
        = conversation.opened new m epoch=0
        = conversation.queued new m epoch=0 queue=main by=default
        = conversation.offered auto m epoch=0 to=anna offer=1
        until 100
        = nothing
        100 caught_up
        until 119.999
        = nothing
        until 120
        = offer.withdrawn expired m epoch=0 to=anna offer=1 (tick)
    ",
    );
}
