//! The words of bounded labels, and which decision counts under which of them.
//!
//! Each list is a label's whole range in `metrics.md`; a count is a column of an array. What the engine may say and no
//! list has a word for is told here, once, under the nearest one.

use engine::decision::Reason;
use engine::input::SurveyKind;
use engine::view::ClockState;

macro_rules! words {
    ($( $(#[$meta:meta])* $name:ident { $( $variant:ident $word:literal ),* $(,)? } )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name { $( $variant ),* }

        impl $name {
            pub(crate) const WORDS: [&'static str; [ $( $word ),* ].len()] = [ $( $word ),* ];
            pub(crate) const COUNT: usize = Self::WORDS.len();
        }
    )* };
}

words! {
    /// Why a conversation came into a queue.
    Entry {
        New "new", Handoff "handoff", Transfer "transfer", Overflow "overflow", Requeue "requeue", Reopen "reopen",
        Resume "resume",
    }
    /// How it left one.
    Exit {
        Answered "answered", Claimed "claimed", Abandoned "abandoned", ShortAbandoned "short_abandoned",
        Overflowed "overflowed", Transferred "transferred", Deflected "deflected", Closed "closed",
    }
    /// Of one entry into a queue (routing.md §8).
    Verdict { Within "within", Late "late", Abandoned "abandoned", Excluded "excluded" }
    /// What chose an owner.
    Kind { Auto "auto", Preferred "preferred", Claim "claim", Supervisor "supervisor", Adopted "adopted" }
    Ended {
        Resolved "resolved", Closed "closed", Missed "missed", Stale "stale", Merged "merged", Contained "contained",
    }
    OfferOutcome {
        Accepted "accepted", AcceptedElsewhere "accepted_elsewhere", Expired "expired", Declined "declined",
        Rescinded "rescinded", Abandoned "abandoned", AgentLost "agent_lost",
    }
    Collision { NotOwner "not_owner", OldEpoch "old_epoch" }
    Transfer { Blind "blind", Warm "warm", Release "release" }
    Preferred { Honoured "honoured", Expired "expired", Absent "absent" }
    Survey { Csat "csat", Nps "nps", Ces "ces", Other "other" }
    Exceeded {
        Override "override", CapacityLowered "capacity_lowered", Fact "fact", Woken "woken", Engaged "engaged",
    }
    Trigger {
        Command "command", Transfers "transfers", OwnerAbsent "owner_absent", OwnerSilent "owner_silent", Clock "clock",
    }
    /// What became of a clock.
    ClockResult { Met "met", Missed "missed", Cancelled "cancelled" }
    ContextLoss {
        HandoverWithoutNote "handover_without_note", RepeatContact "repeat_contact_24h",
        UnlinkedChannel "unlinked_channel", OwnerLeft "owner_left",
    }
}

/// Why something waits, in the order of routing.md §5.
pub(super) const CAUSES: [&str; 10] = [
    "closed",
    "manual",
    "preference",
    "nobody_online",
    "no_skill_online",
    "delay",
    "all_declined",
    "all_full",
    "paced",
    "due",
];
/// `strowger_conversations`; the view has the same words.
pub(super) const STATES: [&str; 7] = ["in_bot", "queued", "offered", "our_turn", "their_turn", "snoozed", "parked"];
/// Relaxation steps by number, 0 being the end of a tier's first ring.
pub(super) const STEPS: [&str; 17] =
    ["first_ring", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];
/// `strowger_clocks`; the view has the same words.
pub(super) const CLOCK_STATES: [&str; ClockState::ALL.len()] = ["running", "paused", "warned", "breached"];
pub(super) const CONTEXT: [&str; 2] = ["no", "yes"];

impl Entry {
    /// None: the reason says nothing about it, but where it came from does.
    pub(crate) fn of(reason: Reason) -> Option<Entry> {
        Some(match reason {
            Reason::New => Entry::New,
            Reason::Handoff => Entry::Handoff,
            // The ladder moves it as a person would.
            Reason::Transfer | Reason::Escalated => Entry::Transfer,
            Reason::Overflow => Entry::Overflow,
            Reason::Requeue => Entry::Requeue,
            Reason::Reopen => Entry::Reopen,
            Reason::Resume => Entry::Resume,
            _ => return None,
        })
    }
}

impl Kind {
    /// Of an assignment; `offered` is the kind of the offer that it accepts.
    pub(crate) fn of(reason: Reason, offered: Option<Kind>) -> Kind {
        match reason {
            Reason::Accepted => offered.unwrap_or(Kind::Auto),
            // The agent named by a transfer is preferred as the last owner is, whether he waits in his line or not.
            Reason::Preferred | Reason::Transfer | Reason::Warm => Kind::Preferred,
            // He opens it for himself.
            Reason::Claim | Reason::Outbound => Kind::Claim,
            Reason::Supervisor | Reason::Successor => Kind::Supervisor,
            Reason::Adopted | Reason::Merged => Kind::Adopted,
            _ => Kind::Auto,
        }
    }
}

impl Ended {
    /// Of one that is told resolved, or else closed.
    pub(crate) fn of(resolved: bool, reason: Reason) -> Ended {
        match reason {
            Reason::Missed => Ended::Missed,
            Reason::Stale => Ended::Stale,
            Reason::Contained => Ended::Contained,
            _ if resolved => Ended::Resolved,
            _ => Ended::Closed,
        }
    }
}

impl OfferOutcome {
    /// Of a withdrawn one.
    pub(crate) fn of(reason: Reason) -> OfferOutcome {
        match reason {
            Reason::Expired => OfferOutcome::Expired,
            Reason::Declined => OfferOutcome::Declined,
            Reason::Rescinded => OfferOutcome::Rescinded,
            Reason::Abandoned => OfferOutcome::Abandoned,
            Reason::AgentLost => OfferOutcome::AgentLost,
            _ => OfferOutcome::AcceptedElsewhere,
        }
    }
}

impl Survey {
    pub(crate) fn of(kind: SurveyKind) -> Survey {
        match kind {
            SurveyKind::Csat => Survey::Csat,
            SurveyKind::Nps => Survey::Nps,
            SurveyKind::Ces => Survey::Ces,
            SurveyKind::Other => Survey::Other,
        }
    }
}

impl Exceeded {
    pub(crate) fn of(reason: Reason) -> Exceeded {
        match reason {
            Reason::CapacityLowered => Exceeded::CapacityLowered,
            Reason::Fact => Exceeded::Fact,
            Reason::Woken => Exceeded::Woken,
            Reason::Engaged => Exceeded::Engaged,
            _ => Exceeded::Override,
        }
    }
}

impl Trigger {
    pub(crate) fn of(reason: Reason) -> Trigger {
        match reason {
            Reason::Transfers => Trigger::Transfers,
            Reason::OwnerAbsent => Trigger::OwnerAbsent,
            Reason::OwnerSilent => Trigger::OwnerSilent,
            Reason::Clock => Trigger::Clock,
            _ => Trigger::Command,
        }
    }
}
