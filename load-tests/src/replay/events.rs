//! The player's deeds as structured CloudEvents, one JSON line each.

use crate::player::{ARRIVAL, Act, Deed, Player};
use crate::workload::{Arrival, Line, Presence};
use connectors::codec::timestamp;
use engine::input::Status;
use serde_json::{Map, Value, json};

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
            Deed::Resolve { call, agent } => {
                let agent = player.agent_names.text(agent);
                self.resolve(player, call, "resolve", Some(agent), act.at)
            }
            Deed::Leave { call } => self.leaving(player.arrival(call), "leave", player, act.at),
        }
    }

    /// A customer who waited to the end of the run is sent away.
    pub fn send_away(&self, player: &Player<'_>, call: u32, at: u64) -> Event {
        if player.calls[call as usize].live {
            self.leaving(player.arrival(call), "close", player, at)
        } else {
            self.resolve(player, call, "close", None, at)
        }
    }

    /// An answered conversation is ended before its time.
    pub fn cut_short(&self, player: &Player<'_>, call: u32, at: u64) -> Event {
        self.resolve(player, call, "close", None, at)
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
        let arrival = player.arrival(call);
        let id = player.conversation_id(arrival);
        let mut data = Map::new();
        data.insert("actor".to_owned(), self.actor(arrival));
        data.insert("conversation".to_owned(), json!(id));
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
        let live = player.calls[call as usize].live;
        if !live {
            data.insert("message".to_owned(), json!({ "id": id, "kind": "text" }));
        }
        let kind = if live { "contact.started" } else { "message.received" };
        self.event(player.event_id(ARRIVAL, arrival), "customers", kind, at, Value::Object(data))
    }

    fn actor(&self, arrival: &Arrival) -> Value {
        match &arrival.customer {
            Some(customer) => json!({ "kind": "customer", "id": format!("{}/{customer}", self.run) }),
            None => json!({ "kind": "customer" }),
        }
    }

    fn leaving(&self, arrival: &Arrival, what: &str, player: &Player<'_>, at: u64) -> Event {
        let conversation = player.conversation_id(arrival);
        let data = json!({ "actor": self.actor(arrival), "conversation": conversation, "by": "customer" });
        self.event(player.event_id(what, arrival), "customers", "contact.ended", at, data)
    }

    /// By its agent, or by the system where there is none.
    fn resolve(&self, player: &Player<'_>, call: u32, what: &str, agent: Option<&str>, at: u64) -> Event {
        let arrival = player.arrival(call);
        let actor = match agent {
            Some(agent) => json!({ "kind": "agent", "id": agent }),
            None => json!({ "kind": "system" }),
        };
        let data = json!({ "actor": actor, "conversation": player.conversation_id(arrival) });
        self.event(player.event_id(what, arrival), "agents", "conversation.resolve", at, data)
    }
}
