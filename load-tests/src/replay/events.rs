//! The player's deeds as structured CloudEvents, one JSON line each.

use crate::player::{ARRIVAL, Act, Deed, Player, Step};
use crate::workload::{Arrival, Line, Presence};
use connectors::codec::timestamp;
use engine::input::Status;
use serde_json::{Map, Value, json};

/// What goes with a transfer: queues may refuse one without.
pub const TRANSFER_NOTE: &str = "transferred by the player";

pub struct Events {
    run: String,
    workspace: String,
    /// Numbers what no line of the workload asks for: signing on, closing, signing off.
    extra: u64,
}

/// An event to be sent.
pub struct Event {
    pub id: String,
    pub json: Vec<u8>,
}

impl Events {
    pub fn new(run: &str, workspace: &str) -> Events {
        Events { run: run.to_owned(), workspace: workspace.to_owned(), extra: 0 }
    }

    pub fn of(&self, act: &Act, player: &Player<'_>) -> Event {
        let workload = player.workload();
        match act.deed {
            Deed::Opening { index } => self.presence(&workload.opening[index as usize], "opening", act.at),
            Deed::Presence { line } => match &workload.lines[line as usize] {
                Line::Presence(presence) => self.presence(presence, "presence", act.at),
                Line::Arrival(_) => unreachable!("a deed of presence is a line of presence"),
            },
            Deed::Arrive { call } => self.arrival(player, call, act.at),
            Deed::Call { call, agent, step, number } => {
                let id = player.step_id(step, number, player.arrival(call));
                self.step(player, call, player.agent_names.text(agent), step, id, act.at)
            }
        }
    }

    fn step(&self, player: &Player<'_>, call: u32, agent: &str, step: Step, id: String, at: u64) -> Event {
        let arrival = player.arrival(call);
        let customers = customers(arrival);
        let (kind, part) = match step {
            Step::Handoff => ("conversation.handoff", "bots"),
            Step::Accept { .. } => ("offer.accept", "agents"),
            Step::Decline { .. } => ("offer.decline", "agents"),
            Step::Reply => ("message.sent", "agents"),
            Step::Transfer => ("conversation.transfer", "agents"),
            Step::Resolve => ("conversation.resolve", "agents"),
            Step::CompleteWrapUp => ("wrapup.complete", "agents"),
            Step::Write => return self.message(player, call, id, at),
            Step::Leave => ("contact.ended", &*customers),
        };
        let mut data = json!({ "conversation": player.conversation_id(arrival) });
        data["actor"] = match step {
            Step::Handoff => json!({ "kind": "bot" }),
            Step::Leave => self.actor(arrival),
            _ => json!({ "kind": "agent", "id": agent }),
        };
        match step {
            Step::Accept { offer } | Step::Decline { offer } => data["offer"] = json!(offer.to_string()),
            Step::Reply => data["message"] = json!({ "id": id, "kind": "text" }),
            Step::Transfer => {
                let queue = arrival.course().transfer.as_ref().map(|transfer| &transfer.queue);
                (data["to"], data["note"]) = (json!({ "queue": queue }), json!(TRANSFER_NOTE));
            }
            Step::Leave => data["by"] = json!("customer"),
            _ => {}
        }
        self.event(id, part, kind, at, data)
    }

    /// A customer who waited to the end of the run is sent away.
    pub fn send_away(&self, player: &Player<'_>, call: u32, at: u64) -> Event {
        if player.calls[call as usize].live {
            let id = player.event_id("close", player.arrival(call));
            self.step(player, call, "", Step::Leave, id, at)
        } else {
            self.cut_short(player, call, at)
        }
    }

    /// A conversation is ended before its time, by the system.
    pub fn cut_short(&self, player: &Player<'_>, call: u32, at: u64) -> Event {
        let arrival = player.arrival(call);
        let data = json!({ "actor": { "kind": "system" }, "conversation": player.conversation_id(arrival) });
        self.event(player.event_id("close", arrival), "agents", "conversation.resolve", at, data)
    }

    /// The run's first event: it starts a clock that stands, and its answer says where in the journal the run begins. A
    /// device of one agent reports him offline, which it alone says and which changes nothing.
    pub fn first(&self, agent: &str, at: u64) -> Event {
        let data = json!({ "agent": agent, "status": "offline", "by": "device" });
        self.event(format!("{}/begin", self.run), "begin", "agent.presence", at, data)
    }

    /// A status that stands in no line of the workload.
    pub fn status(&mut self, agent: &str, status: Status, at: u64) -> Event {
        self.extra += 1;
        let presence = Presence { at, agent: agent.into(), status, line: self.extra };
        self.presence(&presence, "extra", at)
    }

    fn event(&self, id: String, part: &str, kind: &str, at: u64, data: Value) -> Event {
        // `type` before `data`, as senders write it: the engine's decoder then reads `data` in one pass.
        let json = format!(
            r#"{{"specversion":"1.0","id":{},"source":{},"type":"{kind}","time":"{}","workspace":{},"data":{data}}}"#,
            json!(id),
            json!(format!("replay/{}/{part}", self.run)),
            timestamp(at),
            json!(self.workspace),
        );
        Event { id, json: json.into_bytes() }
    }

    fn presence(&self, presence: &Presence, what: &str, at: u64) -> Event {
        let data = json!({
            "actor": { "kind": "agent", "id": presence.agent },
            "agent": presence.agent,
            "status": presence.status.word(),
        });
        self.event(format!("{}/{what}/{}", self.run, presence.line), "agents", "agent.presence", at, data)
    }

    fn arrival(&self, player: &Player<'_>, call: u32, at: u64) -> Event {
        let id = player.event_id(ARRIVAL, player.arrival(call));
        if player.calls[call as usize].live {
            let data = Value::Object(self.contact(player, call));
            self.event(id, &customers(player.arrival(call)), "contact.started", at, data)
        } else {
            self.message(player, call, id, at)
        }
    }

    /// A customer writes: for the first time, or again.
    fn message(&self, player: &Player<'_>, call: u32, id: String, at: u64) -> Event {
        let mut data = self.contact(player, call);
        data.insert("message".to_owned(), json!({ "id": id, "kind": "text" }));
        self.event(id, &customers(player.arrival(call)), "message.received", at, Value::Object(data))
    }

    fn contact(&self, player: &Player<'_>, call: u32) -> Map<String, Value> {
        let arrival = player.arrival(call);
        let mut data = Map::new();
        data.insert("actor".to_owned(), self.actor(arrival));
        data.insert("conversation".to_owned(), json!(player.conversation_id(arrival)));
        data.insert("channel".to_owned(), json!(arrival.channel));
        let mut customer = Map::new();
        let own = |name: &str| format!("{}/{name}", self.run);
        for (key, value) in [
            ("id", arrival.customer.as_deref().map(own)),
            ("tier", arrival.tier.as_deref().map(str::to_owned)),
            ("language", arrival.language.as_deref().map(str::to_owned)),
        ] {
            if let Some(value) = value {
                customer.insert(key.to_owned(), json!(value));
            }
        }
        if !customer.is_empty() {
            data.insert("customer".to_owned(), Value::Object(customer));
        }
        if let Some(entry) = &arrival.entry {
            data.insert("entry".to_owned(), json!(entry));
        }
        if !arrival.attributes.is_empty() {
            let pairs = arrival.attributes.iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
            data.insert("attributes".to_owned(), Value::Object(pairs));
        }
        if !arrival.skills.is_empty() {
            let pairs = arrival.skills.iter().map(|(k, level)| (k.to_string(), json!(level))).collect();
            data.insert("skills".to_owned(), Value::Object(pairs));
        }
        data
    }

    fn actor(&self, arrival: &Arrival) -> Value {
        match &arrival.customer {
            Some(customer) => json!({ "kind": "customer", "id": format!("{}/{customer}", self.run) }),
            None => json!({ "kind": "customer" }),
        }
    }
}

/// Customers come by a connector of their channel, which is a source of its own.
fn customers(arrival: &Arrival) -> String {
    format!("customers/{}", arrival.channel)
}
