//! Decisions made by hand, one after the other, and what they count.

use super::*;
use engine::decision::ToldDetail;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

const T_MS: u64 = 20_000;

struct Desk {
    conversations: Conversations,
    tables: Tables,
    tallies: Tallies,
    intervals: Intervals,
    now: u64,
}

impl Desk {
    fn new() -> Desk {
        let mut tables = Tables::new("acme", Arc::new(AtomicUsize::new(100)));
        tables.live = true;
        let conversations = Conversations::new(HashKey(7));
        let (tallies, intervals) = (Tallies::default(), Intervals::default());
        Desk { conversations, tables, tallies, intervals, now: 1_000_000 }
    }

    /// A decision of conversation `c` in this queue; after it the books must balance.
    fn tell(&mut self, decision_type: DecisionType, reason: Reason, queue: &str) {
        self.tell_of("c", decision_type, reason, queue, "", |_| {});
    }

    fn tell_of(
        &mut self,
        id: &str,
        decision_type: DecisionType,
        reason: Reason,
        queue: &str,
        other: &str,
        change: impl FnOnce(&mut ToldConversation),
    ) {
        let mut conversation = ToldConversation {
            id: id.into(),
            customer: "cu".into(),
            queue: queue.into(),
            channel: "chat".into(),
            owner: "ada".into(),
            queued_at: self.now,
            service_level_ms: T_MS,
            ..ToldConversation::default()
        };
        change(&mut conversation);
        let detail = ToldDetail { other: other.into(), number: 2, ..ToldDetail::default() };
        let told = Told {
            decision_type,
            reason,
            time: self.now,
            workspace: "acme".into(),
            conversation: Some(conversation.clone()),
            detail: Some(detail),
            ..Told::default()
        };
        let key = HashKey(7).hash(IdKind::Conversation, "acme", &[id]);
        let Desk { conversations, tables, tallies, intervals, .. } = self;
        conversations.take(&told, &conversation, key, Books { tables, tallies, intervals, stands_since: &|_| None });
        let waiting: i64 = self.tables.cells.iter().map(|cell| cell.told_waiting()).sum();
        assert_eq!(waiting, self.conversations.waiting() as i64, "after {decision_type:?} {reason:?}");
        assert!(self.tables.cells.iter().all(|cell| cell.told_waiting() >= 0), "after {decision_type:?} {reason:?}");
    }

    fn open(&mut self, queue: &str) {
        self.tell(DecisionType::ConversationOpened, Reason::New, queue);
        self.tell(DecisionType::ConversationQueued, Reason::New, queue);
    }

    /// (entries, exits, verdicts) of a queue that are not 0, by their words.
    fn of(&self, queue: &str) -> String {
        let mut found = Vec::new();
        for cell in &self.tables.cells {
            if !cell.labels.to_strings().any(|label| label == format!("queue=\"{queue}\"")) {
                continue;
            }
            let mut add = |words: &[&str], counts: &[u64]| {
                let counted = words.iter().zip(counts).filter(|(_, count)| **count > 0);
                found.push(counted.map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(" "));
            };
            add(&Entry::WORDS, &cell.entries);
            add(&Exit::WORDS, &cell.exits);
            add(&Verdict::WORDS, &cell.verdicts);
        }
        found.join(" | ")
    }

    fn ended(&self) -> String {
        let sum = |at: usize| self.tables.pairs.iter().map(|pair| pair.ended[at]).sum::<u64>();
        let counted = Ended::WORDS.iter().enumerate().filter(|(at, _)| sum(*at) > 0);
        counted.map(|(at, word)| format!("{word} {}", sum(at))).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn an_offered_one_waits_until_somebody_accepts() {
    let mut desk = Desk::new();
    desk.open("q");
    desk.tell(DecisionType::ConversationOffered, Reason::Auto, "q");
    desk.now += 5_000;
    desk.tell(DecisionType::OfferWithdrawn, Reason::Declined, "q");
    desk.tell(DecisionType::ConversationOffered, Reason::Preferred, "q");
    assert_eq!(desk.of("q"), "new 1 |  | ");
    desk.now += 2_000;
    desk.tell(DecisionType::ConversationAssigned, Reason::Accepted, "q");
    assert_eq!(desk.of("q"), "new 1 | answered 1 | within 1");
    let pair = &desk.tables.pairs[0];
    assert_eq!((pair.offers[OfferOutcome::Declined as usize], pair.offers[OfferOutcome::Accepted as usize]), (1, 1));
    assert_eq!(pair.assignments, [0, 1, 0, 0, 0]);
    assert_eq!(desk.tables.queues[0].preferred, [1, 0, 0]);
}

#[test]
fn an_overflow_leaves_one_queue_and_enters_another_each_judged_once() {
    let mut desk = Desk::new();
    desk.open("a");
    desk.now += T_MS + 1;
    desk.tell_of("c", DecisionType::ConversationQueued, Reason::Overflow, "b", "a", |_| {});
    let queued_at = desk.now;
    desk.now += 1_000;
    let claimed = |c: &mut ToldConversation| c.queued_at = queued_at;
    desk.tell_of("c", DecisionType::ConversationAssigned, Reason::Claim, "b", "", claimed);
    assert_eq!(desk.of("a"), "new 1 | overflowed 1 | late 1");
    assert_eq!(desk.of("b"), "overflow 1 | claimed 1 | within 1");
}

#[test]
fn a_full_queue_shows_what_it_refused() {
    let mut desk = Desk::new();
    desk.tell(DecisionType::ConversationOpened, Reason::New, "a");
    desk.tell(DecisionType::ConversationQueued, Reason::Overflow, "b");
    desk.tell_of("d", DecisionType::ConversationOpened, Reason::New, "a", "", |_| {});
    desk.tell_of("d", DecisionType::ConversationDeflected, Reason::Full, "a", "", |_| {});
    desk.tell_of("e", DecisionType::ConversationOpened, Reason::New, "a", "", |_| {});
    desk.tell_of("e", DecisionType::ConversationClosed, Reason::Closed, "a", "", |_| {});
    assert_eq!(desk.of("a"), "new 3 | overflowed 1 deflected 2 | excluded 3");
    assert_eq!(desk.of("b"), "overflow 1 |  | ");
    assert_eq!((desk.ended().as_str(), desk.conversations.kept), ("closed 2", 1));
}

#[test]
fn parked_and_snoozed_ones_leave_the_line_and_come_back_to_resume() {
    let mut desk = Desk::new();
    desk.open("q");
    desk.tell(DecisionType::ConversationSnoozed, Reason::None, "q");
    desk.tell(DecisionType::ConversationWoken, Reason::Due, "q");
    desk.tell(DecisionType::ConversationQueued, Reason::Resume, "q");
    desk.tell(DecisionType::ConversationParked, Reason::MaxWait, "q");
    desk.tell(DecisionType::ConversationWoken, Reason::Message, "q");
    desk.tell(DecisionType::ConversationParked, Reason::Emergency, "q");
    desk.tell(DecisionType::ConversationAssigned, Reason::Supervisor, "q");
    let exits = "transferred 1 deflected 2";
    assert_eq!(desk.of("q"), format!("new 1 resume 2 | {exits} | excluded 3"));
    desk.now += 3_000;
    desk.tell(DecisionType::ConversationSnoozed, Reason::None, "q");
    desk.now += 3_000;
    desk.tell(DecisionType::ConversationResolved, Reason::Resolved, "q");
    assert_eq!(
        desk.tallies.of("ada"),
        crate::workload::AgentTally { assigned: 1, handled: 1, resolved: 1, ..Default::default() }
    );
}

#[test]
fn a_transfer_without_a_note_is_a_loss_of_context_and_so_is_an_owner_who_left() {
    let mut desk = Desk::new();
    desk.open("a");
    desk.tell(DecisionType::ConversationAssigned, Reason::Auto, "a");
    desk.tell(DecisionType::ConversationTransferred, Reason::Transfer, "a");
    desk.tell(DecisionType::ConversationQueued, Reason::Transfer, "b");
    desk.tell(DecisionType::ConversationAssigned, Reason::Auto, "b");
    desk.tell(DecisionType::ConversationOffered, Reason::Warm, "b");
    desk.tell_of("c", DecisionType::ConversationTransferred, Reason::Transfer, "b", "", |c| c.has_note = true);
    desk.tell(DecisionType::ConversationAssigned, Reason::Accepted, "b");
    assert_eq!(desk.tables.pairs[1].assignments, [1, 1, 0, 0, 0]);
    assert_eq!(desk.tables.queues[1].preferred, [0, 0, 0], "a warm transfer is no preference of the queue's");
    desk.tell(DecisionType::ConversationUnassigned, Reason::OwnerLost, "b");
    desk.tell(DecisionType::ConversationQueued, Reason::Requeue, "b");
    assert_eq!(desk.of("a"), "new 1 | answered 1 | within 1");
    assert_eq!(desk.of("b"), "transfer 1 requeue 1 | answered 1 | within 1");
    assert_eq!(desk.tables.queues[0].transfers, [[1, 0], [0, 0], [0, 0]]);
    assert_eq!(desk.tables.queues[1].transfers, [[0, 0], [0, 1], [0, 0]]);
    assert_eq!(desk.tables.context_losses, [1, 0, 0, 1]);
    assert_eq!(desk.tallies.of("ada").handled, 3);
}

#[test]
fn a_bots_conversation_is_in_no_line_until_it_is_handed_off() {
    let mut desk = Desk::new();
    let in_bot = |c: &mut ToldConversation| (c.state, c.live) = (PhaseWord::InBot, true);
    for (id, end, reason) in [
        ("a", DecisionType::ConversationAbandoned, Reason::LeftInBot),
        ("b", DecisionType::ConversationResolved, Reason::Contained),
        ("c", DecisionType::ConversationQueued, Reason::TooManySkillSets),
    ] {
        desk.tell_of(id, DecisionType::ConversationOpened, Reason::New, "q", "", in_bot);
        desk.tell_of(id, end, reason, "q", "", |c| c.live = true);
    }
    assert_eq!(desk.of("q"), "handoff 1 |  | ");
    assert_eq!((desk.ended().as_str(), desk.conversations.kept), ("closed 1 contained 1", 1));
}

#[test]
fn a_merge_ends_the_other_one_where_it_waits() {
    let mut desk = Desk::new();
    desk.open("q");
    desk.tell_of("d", DecisionType::ConversationOpened, Reason::New, "q", "", |_| {});
    desk.tell_of("d", DecisionType::ConversationQueued, Reason::New, "q", "", |_| {});
    desk.tell_of("c", DecisionType::ConversationMerged, Reason::Merged, "q", "d", |_| {});
    assert_eq!(desk.of("q"), "new 2 | closed 1 | excluded 1");
    assert_eq!((desk.ended().as_str(), desk.conversations.kept), ("merged 1", 1));
}

#[test]
fn another_tier_while_waiting_is_another_line_and_one_verdict() {
    let mut desk = Desk::new();
    desk.open("q");
    let queued_at = desk.now;
    desk.now += T_MS + 1;
    let vip = |c: &mut ToldConversation| (c.tier, c.queued_at) = ("vip".into(), queued_at);
    desk.tell_of("c", DecisionType::ConversationUpdated, Reason::Customer, "q", "", vip);
    assert_eq!(desk.of("q"), "new 1 | transferred 1 |  | requeue 1 |  | ");
    desk.tell_of("c", DecisionType::ConversationAbandoned, Reason::Abandoned, "q", "", vip);
    assert_eq!(desk.of("q"), "new 1 | transferred 1 |  | requeue 1 | abandoned 1 | late 1");
}

#[test]
fn endings_have_their_names_and_a_closed_one_that_was_resolved_ended_then() {
    let mut desk = Desk::new();
    for (id, end, reason) in [
        ("a", DecisionType::ConversationClosed, Reason::Missed),
        ("b", DecisionType::ConversationClosed, Reason::Stale),
        ("c", DecisionType::ConversationResolved, Reason::CloseAfter),
        ("d", DecisionType::ConversationAbandoned, Reason::ShortAbandoned),
        ("c", DecisionType::ConversationClosed, Reason::ReopenWindowPassed),
    ] {
        if desk.conversations.kept == 0 || id != "c" || end == DecisionType::ConversationResolved {
            desk.tell_of(id, DecisionType::ConversationOpened, Reason::New, "q", "", |_| {});
            desk.tell_of(id, DecisionType::ConversationQueued, Reason::New, "q", "", |_| {});
        }
        desk.tell_of(id, end, reason, "q", "", |_| {});
    }
    assert_eq!((desk.ended().as_str(), desk.conversations.kept), ("resolved 1 missed 1 stale 1", 0));
    assert_eq!(desk.of("q"), "new 4 | short_abandoned 1 closed 3 | excluded 4");
}

#[test]
fn relaxations_escalations_collisions_and_expired_preferences_are_counted_for_their_queue() {
    let mut desk = Desk::new();
    desk.open("q");
    desk.tell_of("c", DecisionType::ConversationRelaxed, Reason::Step, "q", "", |c| c.step = 2);
    desk.tell(DecisionType::ConversationRelaxed, Reason::FirstRing, "q");
    desk.tell(DecisionType::ConversationEscalated, Reason::Command, "q");
    desk.tell(DecisionType::ReplyCollision, Reason::NotOwner, "q");
    desk.tell(DecisionType::ConversationUpdated, Reason::PreferenceExpired, "q");
    let queue = &desk.tables.queues[0];
    assert_eq!((queue.relaxed[0], queue.relaxed[2]), (1, 1));
    let level = queue.levels.iter().find(|level| level.level == 2).expect("told with level 2");
    assert_eq!(level.counts[Trigger::Command as usize], 1);
    assert_eq!((queue.collisions, queue.preferred), ([1, 0], [0, 1, 0]));
}

/// Decisions in an order that no engine would tell: the books balance all the same, and every entry is judged once.
#[test]
fn entries_minus_exits_is_what_waits_in_whatever_order_it_is_told() {
    let reasons: Vec<Reason> = (0..=u8::MAX).filter_map(Reason::from_number).collect();
    for seed in 0..20 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut desk = Desk::new();
        for _ in 0..2_000 {
            let decision_type = DecisionType::ALL[rng.random_range(0..DecisionType::ALL.len())];
            let reason = reasons[rng.random_range(0..reasons.len())];
            let (id, other) = (["c", "d", "e"][rng.random_range(0..3)], ["", "a", "d"][rng.random_range(0..3)]);
            let queue = ["a", "b"][rng.random_range(0..2)];
            let live = rng.random_bool(0.5);
            let opens = matches!(decision_type, DecisionType::ConversationOpened | DecisionType::ConversationReopened);
            // One that is open does not open, and nothing merges with itself.
            if (opens && desk.conversations.is_open(id)) || id == other {
                continue;
            }
            desk.now += rng.random_range(0..30_000);
            desk.tell_of(id, decision_type, reason, queue, other, |c| c.live = live);
        }
        let sum = |of: fn(&crate::workload::tables::Cell) -> u64| desk.tables.cells.iter().map(of).sum::<u64>();
        let (entries, verdicts) = (sum(|c| c.entries.iter().sum()), sum(|c| c.verdicts.iter().sum()));
        let moved = sum(|c| c.exits.iter().sum()) - verdicts;
        assert_eq!(entries - moved, verdicts + desk.conversations.waiting() as u64, "SEED={seed}");
    }
}
