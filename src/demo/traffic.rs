//! The demo's customers and agents: what they do next, as CloudEvents and when each is due.
//!
//! Poisson arrivals by channel under a slow wave, so that queues fill and empty while one watches. A bot greets the chats
//! and hands most of them on. Agents accept what is offered to them (or decline it, or do not hear it), work for a while,
//! resolve and wrap up; customers of live channels lose patience; some agents take breaks.
//! No clock and no IO: `Traffic` is told how many milliseconds have passed, and what was decided.

use crate::sources::SourceConfig;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Every agent signs in within this time.
const SIGN_IN_MS: f64 = 4_000.0;
/// One wave of the traffic, and how far it swings.
const WAVE_MS: f64 = 90_000.0;
const WAVE_SWING: f64 = 0.6;
const MEAN_PATIENCE_MS: f64 = 25_000.0;
const MEAN_SHIFT_MS: f64 = 120_000.0;
const MEAN_BREAK_MS: f64 = 12_000.0;
const MEAN_SUPERVISOR_MS: f64 = 15_000.0;
/// From the ring to the click, and what is declined or not heard at all.
const MEAN_ACCEPT_MS: f64 = 1_300.0;
const DECLINED_SHARE: f64 = 0.06;
const MISSED_SHARE: f64 = 0.06;
/// Notes after the conversation; the longest are cut off by the workspace's `max_s`.
const MEAN_WRAP_UP_MS: f64 = 3_500.0;
const MEAN_BOT_MS: f64 = 4_500.0;
/// What the bot settles alone.
const CONTAINED_SHARE: f64 = 0.2;
const VIP_SHARE: f64 = 0.12;
/// Customers that write again after their matter was resolved: it reopens.
const REOPEN_SHARE: f64 = 0.12;
/// Events that their sender sends twice.
const REPEATED_SHARE: f64 = 0.01;
const CUSTOMERS: u32 = 100_000;
/// Each channel has something every few seconds.
const SILENT_AFTER_S: u64 = 120;

struct Source {
    /// Of its events.
    name: &'static str,
    channel: &'static str,
    entry: Option<&'static str>,
    live: bool,
    mean_gap_ms: f64,
    mean_handle_ms: f64,
}

const SOURCES: [Source; 4] = [
    Source {
        name: "demo/voice",
        channel: "voice",
        entry: Some("+49301000"),
        live: true,
        mean_gap_ms: 2_800.0,
        mean_handle_ms: 26_000.0,
    },
    Source {
        name: "demo/chat",
        channel: "chat",
        entry: Some("shop"),
        live: true,
        mean_gap_ms: 1_900.0,
        mean_handle_ms: 24_000.0,
    },
    Source {
        name: "demo/whatsapp",
        channel: "whatsapp",
        entry: None,
        live: false,
        mean_gap_ms: 2_200.0,
        mean_handle_ms: 26_000.0,
    },
    Source {
        name: "demo/email",
        channel: "email",
        entry: Some("help@example.org"),
        live: false,
        mean_gap_ms: 2_600.0,
        mean_handle_ms: 32_000.0,
    },
];

const TOPICS: [&str; 5] = ["sales", "sales", "technical", "billing", "account"];

/// What happens at a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Arrive { source: usize },
    LosePatience { conversation: String },
    WriteAgain { conversation: String },
    Reply { conversation: String, agent: String },
    Finish { conversation: String, agent: String },
    HandOff { conversation: String },
    AnswerOffer { conversation: String, agent: String, offer: String },
    CompleteWrapUp { conversation: String, agent: String },
    SignIn { agent: String },
    TakeBreak { agent: String },
    Supervise,
}

/// A conversation that somebody still cares about.
struct Matter {
    source: usize,
    customer: String,
    tier: Option<&'static str>,
    topic: &'static str,
    owner: Option<String>,
    epoch: u64,
    /// The bot has it.
    in_bot: bool,
    /// The open offer's id.
    offer: Option<String>,
}

pub struct Traffic {
    rng: ChaCha8Rng,
    due: BinaryHeap<Reverse<(u64, u64, Action)>>,
    /// Breaks ties of `due`, and numbers events.
    serial: u64,
    matters: HashMap<String, Matter>,
    agents: Vec<String>,
}

/// As the config of a server would name them.
pub fn sources() -> Vec<SourceConfig> {
    let configured = SOURCES.iter().map(|source| SourceConfig {
        name: source.channel.into(),
        prefix: source.name.into(),
        silent_after_s: Some(SILENT_AFTER_S),
    });
    configured.collect()
}

impl Traffic {
    pub fn new(agents: Vec<String>, seed: u64) -> Traffic {
        let mut traffic = Traffic {
            rng: ChaCha8Rng::seed_from_u64(seed),
            due: BinaryHeap::new(),
            serial: 0,
            matters: HashMap::new(),
            agents,
        };
        for agent in traffic.agents.clone() {
            let at = traffic.rng.random_range(0.0..SIGN_IN_MS) as u64;
            traffic.at(at, Action::SignIn { agent });
        }
        (0..SOURCES.len()).for_each(|source| traffic.at(200 * source as u64, Action::Arrive { source }));
        traffic.after(0, MEAN_SUPERVISOR_MS, Action::Supervise);
        traffic
    }

    /// When the next thing happens, in milliseconds since the start.
    pub fn next_at_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// What happens up to now: events to send, in order.
    pub fn advance(&mut self, now_ms: u64) -> Vec<Value> {
        let mut events = Vec::new();
        while self.next_at_ms().is_some_and(|at| at <= now_ms) {
            let Some(Reverse((at, _, action))) = self.due.pop() else { break };
            self.act(at, action, &mut events);
        }
        for at in (0..events.len()).rev() {
            if self.rng.random_bool(REPEATED_SHARE) {
                events.insert(at + 1, events[at].clone());
            }
        }
        events
    }

    /// Takes a decision: who was given a conversation begins to work on it.
    pub fn take(&mut self, decision: &Value, now_ms: u64) {
        let data = &decision["data"];
        let text = |name: &str| data[name].as_str().unwrap_or("").to_string();
        let conversation = decision["subject"].as_str().unwrap_or("").to_string();
        match decision["type"].as_str().unwrap_or("") {
            "strowger.conversation.opened" if data["state"] == "in_bot" => self.greeted(conversation, now_ms),
            "strowger.conversation.queued" => self.queued(&conversation),
            "strowger.conversation.offered" => {
                let agent = data["agent"]["id"].as_str().unwrap_or("").to_string();
                self.offered(conversation, agent, text("offer"), now_ms);
            }
            "strowger.offer.withdrawn" => self.withdrawn(&conversation),
            "strowger.conversation.assigned" => self.assigned(conversation, text("owner"), data, now_ms),
            "strowger.conversation.resolved" => {
                self.wrap_up(&conversation, text("previous_owner"), now_ms);
                self.resolved(conversation, now_ms);
            }
            "strowger.conversation.abandoned" | "strowger.conversation.closed" | "strowger.conversation.deflected" => {
                self.matters.remove(&conversation);
            }
            _ => {}
        }
    }

    fn greeted(&mut self, conversation: String, now_ms: u64) {
        let Some(matter) = self.matters.get_mut(&conversation) else { return };
        matter.in_bot = true;
        self.after(now_ms + 1_000, MEAN_BOT_MS, Action::HandOff { conversation });
    }

    fn queued(&mut self, conversation: &str) {
        if let Some(matter) = self.matters.get_mut(conversation) {
            matter.in_bot = false;
        }
    }

    fn offered(&mut self, conversation: String, agent: String, offer: String, now_ms: u64) {
        let Some(matter) = self.matters.get_mut(&conversation) else { return };
        matter.offer = Some(offer.clone());
        if !self.rng.random_bool(MISSED_SHARE) {
            self.after(now_ms + 400, MEAN_ACCEPT_MS, Action::AnswerOffer { conversation, agent, offer });
        }
    }

    fn withdrawn(&mut self, conversation: &str) {
        if let Some(matter) = self.matters.get_mut(conversation) {
            matter.offer = None;
        }
    }

    /// After a live contact; what the workspace has no wrap-up for is refused, as a real desktop's click would be.
    fn wrap_up(&mut self, conversation: &str, agent: String, now_ms: u64) {
        let live = self.matters.get(conversation).is_some_and(|matter| SOURCES[matter.source].live);
        if live && !agent.is_empty() {
            let conversation = conversation.to_string();
            self.after(now_ms + 500, MEAN_WRAP_UP_MS, Action::CompleteWrapUp { conversation, agent });
        }
    }

    fn assigned(&mut self, conversation: String, agent: String, data: &Value, now_ms: u64) {
        let Some(matter) = self.matters.get_mut(&conversation) else { return };
        matter.owner = Some(agent.clone());
        (matter.offer, matter.in_bot) = (None, false);
        matter.epoch = data["epoch"].as_u64().unwrap_or(0);
        let mean_handle_ms = SOURCES[matter.source].mean_handle_ms;
        let handle_ms = 2_000.0 + self.exponential(mean_handle_ms - 2_000.0).min(4.0 * mean_handle_ms);
        let (now, replies) = (now_ms as f64, conversation.clone());
        self.at((now + handle_ms * 0.4) as u64, Action::Reply { conversation: replies, agent: agent.clone() });
        self.at((now + handle_ms) as u64, Action::Finish { conversation, agent });
    }

    fn resolved(&mut self, conversation: String, now_ms: u64) {
        let Some(matter) = self.matters.get_mut(&conversation) else { return };
        matter.owner = None;
        if SOURCES[matter.source].live || !self.rng.random_bool(REOPEN_SHARE) {
            self.matters.remove(&conversation);
        } else {
            self.after(now_ms, 15_000.0, Action::WriteAgain { conversation });
        }
    }

    fn act(&mut self, at: u64, action: Action, events: &mut Vec<Value>) {
        match action {
            Action::Arrive { source } => {
                events.push(self.arrive(source, at));
                let wave = 1.0 + WAVE_SWING * (at as f64 / WAVE_MS * std::f64::consts::TAU).sin();
                self.after(at, SOURCES[source].mean_gap_ms / wave, Action::Arrive { source });
            }
            Action::LosePatience { conversation } => {
                if self.matters.get(&conversation).is_some_and(|matter| matter.owner.is_none()) {
                    let data = json!({"conversation": conversation, "by": "customer", "actor": {"kind": "customer"}});
                    let source = self.matters.get(&conversation).map_or(0, |matter| matter.source);
                    events.push(self.event("contact.ended", SOURCES[source].name, data));
                }
            }
            Action::WriteAgain { conversation } => self.write_again(conversation, events),
            Action::Reply { conversation, agent } => {
                if self.owns(&conversation, &agent) && !self.is_voice(&conversation) {
                    events.push(self.reply(&conversation, &agent));
                }
            }
            Action::Finish { conversation, agent } => {
                if self.owns(&conversation, &agent) {
                    events.push(self.finish(&conversation, &agent));
                }
            }
            Action::HandOff { conversation } => {
                if self.matters.get(&conversation).is_some_and(|matter| matter.in_bot) {
                    events.push(self.hand_off(&conversation));
                }
            }
            Action::AnswerOffer { conversation, agent, offer } => {
                let open = self.matters.get(&conversation).is_some_and(|m| m.offer.as_deref() == Some(&*offer));
                if open {
                    events.push(self.answer_offer(&agent, &offer));
                }
            }
            Action::CompleteWrapUp { conversation, agent } => {
                let data = json!({"conversation": conversation, "actor": {"kind": "agent", "id": agent}});
                events.push(self.event("wrapup.complete", "demo/desktops", data));
            }
            Action::SignIn { agent } => {
                events.push(self.presence(&agent, "online"));
                self.after(at, MEAN_SHIFT_MS, Action::TakeBreak { agent });
            }
            Action::TakeBreak { agent } => {
                let status = if self.rng.random_bool(0.7) { "away" } else { "offline" };
                events.push(self.presence(&agent, status));
                self.after(at, MEAN_BREAK_MS, Action::SignIn { agent });
            }
            Action::Supervise => {
                events.extend(self.supervise());
                self.after(at, MEAN_SUPERVISOR_MS, Action::Supervise);
            }
        }
    }

    fn arrive(&mut self, source: usize, at: u64) -> Value {
        let tier = self.rng.random_bool(VIP_SHARE).then_some("vip");
        let topic = TOPICS[self.rng.random_range(0..TOPICS.len())];
        let customer = format!("cu-{}", self.rng.random_range(0..CUSTOMERS));
        let conversation = format!("{}-{}", SOURCES[source].channel, self.serial);
        let matter = Matter { source, customer, tier, topic, owner: None, epoch: 0, in_bot: false, offer: None };
        let event = self.contact(&conversation, &matter);
        self.matters.insert(conversation.clone(), matter);
        if SOURCES[source].live {
            self.after(at + 2_000, MEAN_PATIENCE_MS, Action::LosePatience { conversation });
        } else if self.rng.random_bool(0.4) {
            self.after(at, 6_000.0, Action::WriteAgain { conversation });
        }
        event
    }

    fn contact(&mut self, conversation: &str, matter: &Matter) -> Value {
        let source = &SOURCES[matter.source];
        let mut data = json!({
            "conversation": conversation,
            "customer": {"id": matter.customer, "tier": matter.tier.unwrap_or("standard")},
            "channel": source.channel,
            "attributes": {"topic": matter.topic},
            "actor": {"kind": "customer", "id": matter.customer},
        });
        if let Some(entry) = source.entry {
            data["entry"] = entry.into();
        }
        if source.live {
            return self.event("contact.started", source.name, data);
        }
        data["message"] = json!({"id": format!("m-{}", self.serial), "kind": "text"});
        self.event("message.received", source.name, data)
    }

    fn write_again(&mut self, conversation: String, events: &mut Vec<Value>) {
        if let Some(matter) = self.matters.remove(&conversation) {
            events.push(self.contact(&conversation, &matter));
            self.matters.insert(conversation, matter);
        }
    }

    fn owns(&self, conversation: &str, agent: &str) -> bool {
        self.matters.get(conversation).is_some_and(|matter| matter.owner.as_deref() == Some(agent))
    }

    fn is_voice(&self, conversation: &str) -> bool {
        self.matters.get(conversation).is_some_and(|matter| SOURCES[matter.source].channel == "voice")
    }

    fn reply(&mut self, conversation: &str, agent: &str) -> Value {
        let message = json!({"id": format!("m-{}", self.serial), "kind": "text"});
        let actor = json!({"kind": "agent", "id": agent});
        let data = json!({"conversation": conversation, "message": message, "actor": actor});
        self.event("message.sent", "demo/desktops", data)
    }

    /// A caller hangs up as often as the agent closes.
    fn finish(&mut self, conversation: &str, agent: &str) -> Value {
        if self.is_voice(conversation) && self.rng.random_bool(0.5) {
            let data = json!({"conversation": conversation, "by": "customer", "actor": {"kind": "customer"}});
            let source = self.matters.get(conversation).map_or(0, |matter| matter.source);
            return self.event("contact.ended", SOURCES[source].name, data);
        }
        let epoch = self.matters.get(conversation).map_or(0, |matter| matter.epoch);
        let actor = json!({"kind": "agent", "id": agent});
        let data = json!({"conversation": conversation, "expected_epoch": epoch, "actor": actor});
        self.event("conversation.resolve", "demo/desktops", data)
    }

    /// The bot hands on with what it has learnt, or has settled the matter itself.
    fn hand_off(&mut self, conversation: &str) -> Value {
        let bot = json!({"kind": "bot", "id": "otto"});
        if self.rng.random_bool(CONTAINED_SHARE) {
            let data = json!({"conversation": conversation, "by": "bot", "actor": bot});
            return self.event("contact.ended", "demo/bot", data);
        }
        let topic = self.matters.get(conversation).map_or("", |matter| matter.topic);
        let data = json!({"conversation": conversation, "note": format!("asks about {topic}"), "actor": bot});
        self.event("conversation.handoff", "demo/bot", data)
    }

    fn answer_offer(&mut self, agent: &str, offer: &str) -> Value {
        let actor = json!({"kind": "agent", "id": agent});
        if self.rng.random_bool(DECLINED_SHARE) {
            let data = json!({"offer": offer, "reason": "in the middle of something", "actor": actor});
            return self.event("offer.decline", "demo/desktops", data);
        }
        self.event("offer.accept", "demo/desktops", json!({"offer": offer, "actor": actor}))
    }

    fn presence(&mut self, agent: &str, status: &str) -> Value {
        let data = json!({"agent": agent, "status": status, "actor": {"kind": "agent", "id": agent}});
        self.event("agent.presence", &format!("demo/desktops/{agent}"), data)
    }

    /// A supervisor gives one that waits to somebody, or an agent takes one himself. Either may be refused.
    fn supervise(&mut self) -> Option<Value> {
        let mut waiting: Vec<&String> =
            self.matters.iter().filter(|(_, m)| m.owner.is_none()).map(|(id, _)| id).collect();
        waiting.sort_unstable();
        let conversation = waiting.first()?.to_string();
        let agent = self.agents[self.rng.random_range(0..self.agents.len())].clone();
        let event = if self.rng.random_bool(0.5) {
            let actor = json!({"kind": "agent", "id": agent});
            let data = json!({"conversation": conversation, "agent": agent, "actor": actor});
            self.event("conversation.claim", "demo/desktops", data)
        } else {
            let actor = json!({"kind": "supervisor", "id": "wanda"});
            let data =
                json!({"conversation": conversation, "agent": agent, "reason": "waits too long", "actor": actor});
            self.event("conversation.assign", "demo/supervisors", data)
        };
        Some(event)
    }

    fn event(&mut self, event_type: &str, source: &str, data: Value) -> Value {
        self.serial += 1;
        json!({
            "specversion": "1.0",
            "id": self.serial.to_string(),
            "source": source,
            "type": event_type,
            "workspace": "demo",
            "data": data,
        })
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.rng.random::<f64>()).ln()
    }

    fn after(&mut self, now_ms: u64, mean_ms: f64, action: Action) {
        let wait_ms = self.exponential(mean_ms);
        self.at(now_ms + wait_ms as u64, action);
    }

    fn at(&mut self, at_ms: u64, action: Action) {
        self.serial += 1;
        self.due.push(Reverse((at_ms, self.serial, action)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_minutes_are_lively_and_the_same_for_a_seed() {
        let agents = || vec!["ada".to_string(), "bela".to_string()];
        let mut traffic = Traffic::new(agents(), 7);
        let mut again = Traffic::new(agents(), 7);
        let events = traffic.advance(120_000);
        assert_eq!(events, again.advance(120_000));
        let of = |event_type: &str| events.iter().filter(|event| event["type"] == event_type).count();
        assert!(of("contact.started") > 50, "{}", of("contact.started"));
        assert!(of("message.received") > 50);
        assert!(of("contact.ended") > 20, "nobody was assigned, so the impatient leave");
        assert!(of("agent.presence") >= 2);
    }

    fn started(kind: &str) -> (Traffic, String) {
        let mut traffic = Traffic::new(vec!["ada".into()], 1);
        traffic.advance(1_000);
        let conversation = traffic.matters.keys().find(|id| id.starts_with(kind)).unwrap().clone();
        (traffic, conversation)
    }

    #[test]
    fn who_is_assigned_works_and_resolves() {
        let (mut traffic, conversation) = started("email");
        let decision = json!({
            "type": "strowger.conversation.assigned", "subject": conversation, "data": {"owner": "ada", "epoch": 1}
        });
        traffic.take(&decision, 1_000);
        let events = traffic.advance(200_000);
        let of = |event_type: &str| {
            events
                .iter()
                .find(|event| event["type"] == event_type && event["data"]["conversation"] == conversation.as_str())
        };
        assert!(of("message.sent").is_some());
        assert_eq!(of("conversation.resolve").unwrap()["data"]["expected_epoch"], 1);
    }
    #[test]
    fn offers_are_answered_while_they_are_open() {
        let (mut accepted, mut declined) = (0, 0);
        for offer in 0..200 {
            let (mut traffic, conversation) = started("voice");
            traffic.rng = ChaCha8Rng::seed_from_u64(offer);
            let data = json!({"offer": offer.to_string(), "agent": {"id": "ada"}});
            let decision =
                json!({"type": "strowger.conversation.offered", "subject": conversation, "data": data.clone()});
            traffic.take(&decision, 1_000);
            if offer % 2 == 1 {
                let withdrawn = json!({"type": "strowger.offer.withdrawn", "subject": conversation, "data": data});
                traffic.take(&withdrawn, 1_000);
            }
            let events = traffic.advance(20_000);
            let answers: Vec<&Value> = events.iter().filter(|event| !event["data"]["offer"].is_null()).collect();
            assert!(offer % 2 == 0 || answers.is_empty(), "a withdrawn offer is answered: {answers:?}");
            accepted += answers.iter().filter(|event| event["type"] == "offer.accept").count();
            declined += answers.iter().filter(|event| event["type"] == "offer.decline").count();
        }
        assert!(accepted > 70 && declined > 0, "{accepted} accepted, {declined} declined");
    }

    #[test]
    fn the_bot_hands_on_and_a_call_is_wrapped_up() {
        let (mut traffic, conversation) = started("chat");
        let decision =
            json!({"type": "strowger.conversation.opened", "subject": conversation, "data": {"state": "in_bot"}});
        traffic.take(&decision, 1_000);
        let of = |event: &Value| event["data"]["conversation"] == conversation.as_str();
        let events = traffic.advance(60_000);
        let by_bot: Vec<&Value> =
            events.iter().filter(|event| of(event) && event["data"]["actor"]["id"] == "otto").collect();
        assert!(!by_bot.is_empty(), "the bot does nothing");
        let resolved = json!({
            "type": "strowger.conversation.resolved", "subject": conversation, "data": {"previous_owner": "ada"}
        });
        traffic.take(&resolved, 60_000);
        assert!(traffic.advance(100_000).iter().any(|event| of(event) && event["type"] == "wrapup.complete"));
    }
}
