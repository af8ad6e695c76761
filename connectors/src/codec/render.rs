//! Decisions as CloudEvents: what stands in `strowger.decisions`, in `GET /v1/decisions` and under the player's digest.
//!
//! Written by hand into the caller's buffer, members always in the same order: one decision costs no allocation, and
//! the digest over `canonical` is the same on every machine. What a conversation does not have is `null`, so that a
//! consumer finds the same members in each; members that only some types have are left out of the others.

use super::timestamp::put_timestamp;
use engine::decision::{
    DecisionType, Outcome, Position, Preference, Reason, Told, ToldAgent, ToldClock, ToldConversation, ToldDetail, Turn,
};

/// Where a decision stands in its journal.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The journal's id in hex.
    pub journal: &'a str,
    pub shard: u16,
    pub seq: u64,
    pub idx: u32,
    /// How many decisions the record has.
    pub count: u32,
    /// The record's chain hash (journal-protocol.md rule 1).
    pub hash: &'a [u8; 32],
    /// The decision before it in this shard, if any.
    pub prev: Option<Position>,
}

/// One decision as a structured CloudEvent, without a line break, appended to `out`.
pub fn render(told: &Told, place: &Place<'_>, out: &mut Vec<u8>) {
    let mut json = Json::open(out);
    json.text("specversion", "1.0");
    json.key("id");
    json.raw("\"");
    json.digits(place.seq);
    json.raw(".");
    json.digits(u64::from(place.idx));
    json.raw("\"");
    json.key("source");
    json.raw("\"/strowger/");
    json.escaped(place.journal);
    json.raw("/");
    json.digits(u64::from(place.shard));
    json.raw("\"");
    attributes(told, &mut json);
    if let Some(traceparent) = &told.traceparent {
        json.text("traceparent", traceparent);
    }
    json.text("datacontenttype", "application/json");
    json.begin("data");
    position(place, &mut json);
    data(told, &mut json);
    json.end();
    json.close();
}

/// The same without what depends on batching and on the run: `id`, `source`, `position`, `traceparent`. The digest of
/// player.md is taken over lines of these.
pub fn canonical(told: &Told, out: &mut Vec<u8>) {
    let mut json = Json::open(out);
    attributes(told, &mut json);
    json.begin("data");
    data(told, &mut json);
    json.end();
    json.close();
}

fn attributes(told: &Told, json: &mut Json<'_>) {
    json.key("type");
    json.raw("\"strowger.");
    json.raw(told.decision_type.word());
    json.raw("\"");
    if let Some(subject) = subject(told) {
        json.text("subject", subject);
    }
    json.time("time", told.time);
    json.text("workspace", &told.workspace);
    json.text("partitionkey", &told.workspace);
}

/// What the decision is about: the conversation, else the agent, else the queue, customer or source that it names, or
/// the workspace that was configured.
fn subject(told: &Told) -> Option<&str> {
    match (&told.conversation, &told.agent, told.decision_type) {
        (Some(conversation), _, _) => Some(&conversation.id),
        (None, Some(agent), _) => Some(&agent.id),
        (None, None, DecisionType::WorkspaceConfigured) => Some(&told.workspace),
        (None, None, DecisionType::QueueChanged | DecisionType::CustomerMerged | DecisionType::SourceSuspect) => {
            told.detail.as_ref().map(|detail| &*detail.other).filter(|other| !other.is_empty())
        }
        (None, None, _) => None,
    }
}

fn position(place: &Place<'_>, json: &mut Json<'_>) {
    json.begin("position");
    json.number("shard", u64::from(place.shard));
    json.number("seq", place.seq);
    json.number("idx", u64::from(place.idx));
    json.number("count", u64::from(place.count));
    json.key("hash");
    json.raw("\"");
    for byte in place.hash {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        json.out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    json.raw("\"");
    json.key("prev");
    match place.prev {
        None => json.raw("null"),
        Some(prev) => {
            json.raw("[");
            json.digits(prev.seq);
            json.raw(",");
            json.digits(u64::from(prev.idx));
            json.raw("]");
        }
    }
    json.end();
}

fn data(told: &Told, json: &mut Json<'_>) {
    if told.cause_id.is_empty() {
        json.text("cause", "tick");
    } else {
        json.begin("cause");
        json.text("source", &told.cause_source);
        json.text("id", &told.cause_id);
        json.end();
    }
    if told.reason != Reason::None {
        json.text("reason", told.reason.word());
    }
    if matches!(told.decision_type, DecisionType::EventRecorded | DecisionType::CommandRejected) {
        answer(told, json);
    }
    if let Some(conversation) = &told.conversation {
        self::conversation(conversation, told, json);
    }
    if let Some(agent) = &told.agent {
        self::agent(agent, json);
    }
    if told.conversation.is_none() && told.decision_type == DecisionType::WorkspaceConfigured {
        json.number("policy_version", told.policy_version);
    }
    if let Some(detail) = &told.detail {
        self::detail(detail, json);
    }
    if let Some(clock) = &told.clock {
        self::clock(clock, told, json);
    }
}

/// How an event was answered that changed nothing, or was refused. A duplicate's outcome is that of the first time.
fn answer(told: &Told, json: &mut Json<'_>) {
    json.text("outcome", told.outcome.word());
    let coded = matches!(told.outcome, Outcome::Ignored | Outcome::Rejected);
    if coded && !matches!(told.reason, Reason::None | Reason::Duplicate) {
        json.text("code", told.reason.word());
    }
    if !told.event_type.is_empty() {
        json.text("event_type", &told.event_type);
    }
    if let Some(first) = told.first {
        json.begin("first");
        json.number("seq", first.seq);
        json.number("idx", u64::from(first.idx));
        json.end();
    }
    if !told.sentence.is_empty() {
        json.text("sentence", &told.sentence);
    }
}

fn conversation(conversation: &ToldConversation, told: &Told, json: &mut Json<'_>) {
    json.text("conversation", &conversation.id);
    json.text_or_null("customer", &conversation.customer);
    json.number("epoch", conversation.epoch);
    json.text("state", conversation.state.word());
    match conversation.turn {
        Turn::None => json.text_or_null("turn", ""),
        turn => json.text("turn", turn.word()),
    }
    json.text_or_null("owner", &conversation.owner);
    json.text_or_null("previous_owner", &conversation.previous_owner);
    json.text_or_null("queue", &conversation.queue);
    json.text_or_null("entry", &conversation.entry);
    json.text_or_null("channel", &conversation.channel);
    json.flag("live", conversation.live);
    json.text_or_null("tier", &conversation.tier);
    json.time("arrival", conversation.arrival);
    json.time("queued_at", conversation.queued_at);
    json.number("waited_ms", conversation.waited_ms);
    json.number("priority", u64::from(conversation.priority));
    json.number("head_start_ms", conversation.head_start_ms);
    json.text_or_null("rule", &conversation.rule);
    json.number("step", u64::from(conversation.step));
    json.number("transfers", u64::from(conversation.transfers));
    json.flag("has_note", conversation.has_note);
    if conversation.preference != Preference::None {
        json.text("preference", conversation.preference.word());
    }
    json.number("units", u64::from(conversation.units));
    json.number("service_level_ms", conversation.service_level_ms);
    json.number("policy_version", told.policy_version);
}

fn agent(agent: &ToldAgent, json: &mut Json<'_>) {
    json.begin("agent");
    json.text("id", &agent.id);
    json.text_or_null("team", &agent.team);
    json.text("state", agent.state.word());
    json.number("units_used", u64::from(agent.units_used));
    json.number("units", u64::from(agent.units));
    json.end();
}

/// What only some decisions have. The offer's id is a text, as `offer.accept` names it.
fn detail(detail: &ToldDetail, json: &mut Json<'_>) {
    if detail.offer != 0 {
        json.key("offer");
        json.raw("\"");
        json.digits(detail.offer);
        json.raw("\"");
    }
    if detail.until != 0 {
        json.time("until", detail.until);
    }
    if !detail.text.is_empty() {
        json.text("text", &detail.text);
    }
    if !detail.other.is_empty() {
        json.text("other", &detail.other);
    }
    if detail.number != 0 {
        json.number("number", detail.number);
    }
}

/// A clock's decisions and the escalations that it makes. `due` is null where it stands still or is never reached.
fn clock(clock: &ToldClock, told: &Told, json: &mut Json<'_>) {
    json.begin("clock");
    json.text("clock", clock.clock.word());
    json.number("generation", u64::from(clock.generation));
    json.time("started_at", clock.started_at);
    json.number("target_ms", clock.target_ms);
    json.time_or_null("due", clock.due);
    json.number_or_null("percent", u64::from(clock.percent));
    json.number("wall_ms", clock.wall_ms);
    json.number("business_ms", clock.business_ms);
    json.number("over_ms", clock.over_ms);
    if told.decision_type == DecisionType::ClockCompleted && told.reason != Reason::None {
        json.text("result", told.reason.word());
    }
    json.end();
}

/// A JSON object being written: knows whether a comma is due, and how texts are escaped (RFC 8259 §7).
struct Json<'o> {
    out: &'o mut Vec<u8>,
    comma: bool,
}

impl<'o> Json<'o> {
    fn open(out: &'o mut Vec<u8>) -> Json<'o> {
        out.push(b'{');
        Json { out, comma: false }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn begin(&mut self, key: &str) {
        self.key(key);
        self.out.push(b'{');
        self.comma = false;
    }

    fn end(&mut self) {
        self.out.push(b'}');
        self.comma = true;
    }

    /// Keys are ours and need no escapes.
    fn key(&mut self, key: &str) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.out.push(b'"');
        self.escaped(text);
        self.out.push(b'"');
    }

    fn text_or_null(&mut self, key: &str, text: &str) {
        if text.is_empty() {
            self.key(key);
            self.raw("null");
        } else {
            self.text(key, text);
        }
    }

    fn time(&mut self, key: &str, ms: u64) {
        self.key(key);
        self.out.push(b'"');
        put_timestamp(ms, self.out);
        self.out.push(b'"');
    }

    /// 0 is none.
    fn time_or_null(&mut self, key: &str, ms: u64) {
        if ms == 0 {
            self.text_or_null(key, "");
        } else {
            self.time(key, ms);
        }
    }

    /// 0 is none.
    fn number_or_null(&mut self, key: &str, number: u64) {
        if number == 0 {
            self.text_or_null(key, "");
        } else {
            self.number(key, number);
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.raw(if flag { "true" } else { "false" });
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.digits(number);
    }

    fn digits(&mut self, mut number: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..0x20 => b"",
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[from..at]);
            if escape.is_empty() {
                self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            } else {
                self.out.extend_from_slice(escape);
            }
            from = at + 1;
        }
        self.out.extend_from_slice(&bytes[from..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::decision::{AgentState, PhaseWord};
    use engine::policy::ClockKind;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn told() -> Told {
        Told {
            decision_type: DecisionType::ConversationAssigned,
            time: 1_000,
            workspace: "acme".into(),
            cause_source: "crm".into(),
            cause_id: "e\"1".into(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            reason: Reason::Auto,
            conversation: Some(ToldConversation {
                id: "c1".into(),
                epoch: 2,
                owner: "anna".into(),
                queue: "sales".into(),
                channel: "chat".into(),
                rule: "rule[3]".into(),
                arrival: 400,
                queued_at: 500,
                waited_ms: 600,
                units: 1,
                service_level_ms: 20_000,
                live: true,
                priority: 4,
                step: 2,
                state: PhaseWord::Assigned,
                turn: Turn::Ours,
                transfers: 3,
                has_note: true,
                preference: Preference::Held,
                ..ToldConversation::default()
            }),
            agent: Some(ToldAgent {
                id: "anna".into(),
                state: AgentState::Full,
                units_used: 1,
                units: 1,
                ..ToldAgent::default()
            }),
            policy_version: 7,
            ..Told::default()
        }
    }

    fn rendered(told: &Told, prev: Option<Position>) -> Value {
        let mut out = Vec::new();
        let hash = &[0xab; 32];
        let place = Place { journal: "0f0e", shard: 3, seq: 12, idx: 4, count: 6, hash, prev };
        render(told, &place, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn an_assignment_is_a_cloud_event_with_all_its_members() {
        let data = json!({
            "position": {
                "shard": 3, "seq": 12, "idx": 4, "count": 6, "hash": "ab".repeat(32), "prev": [11, 2],
            },
            "cause": { "source": "crm", "id": "e\"1" },
            "reason": "auto",
            "conversation": "c1",
            "customer": null,
            "epoch": 2,
            "state": "assigned",
            "turn": "ours",
            "owner": "anna",
            "previous_owner": null,
            "queue": "sales",
            "entry": null,
            "channel": "chat",
            "live": true,
            "tier": null,
            "arrival": "1970-01-01T00:00:00.400Z",
            "queued_at": "1970-01-01T00:00:00.500Z",
            "waited_ms": 600,
            "priority": 4,
            "head_start_ms": 0,
            "rule": "rule[3]",
            "step": 2,
            "transfers": 3,
            "has_note": true,
            "preference": "held",
            "units": 1,
            "service_level_ms": 20_000,
            "policy_version": 7,
            "agent": { "id": "anna", "team": null, "state": "full", "units_used": 1, "units": 1 },
        });
        let expected = json!({
            "specversion": "1.0",
            "id": "12.4",
            "source": "/strowger/0f0e/3",
            "type": "strowger.conversation.assigned",
            "subject": "c1",
            "time": "1970-01-01T00:00:01.000Z",
            "workspace": "acme",
            "partitionkey": "acme",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "datacontenttype": "application/json",
            "data": data,
        });
        assert_eq!(rendered(&told(), Some(Position { seq: 11, idx: 2 })), expected);
    }

    #[test]
    fn a_tick_is_a_cause_and_the_first_decision_has_no_one_before() {
        let told = Told { cause_id: "".into(), cause_source: "".into(), ..told() };
        let value = rendered(&told, None);
        assert_eq!(value["data"]["cause"], "tick");
        assert_eq!(value["data"]["position"]["prev"], Value::Null);
    }

    #[test]
    fn a_conversation_without_a_turn_has_none() {
        let mut resolved = told();
        resolved.conversation = Some(ToldConversation { id: "c1".into(), ..ToldConversation::default() });
        let data = &rendered(&resolved, None)["data"];
        assert_eq!(
            (&data["state"], &data["turn"], &data["has_note"]),
            (&json!("resolved"), &Value::Null, &json!(false))
        );
        let members = data.as_object().unwrap();
        assert!(members.contains_key("turn") && !members.contains_key("preference"));
    }

    #[test]
    fn details_stand_in_the_data_where_there_are_any() {
        let detail = ToldDetail {
            offer: u64::MAX,
            until: 86_400_000,
            text: "he \"knows\" it".into(),
            other: "sales".into(),
            number: 7,
        };
        let data = &rendered(&Told { detail: Some(detail), ..told() }, None)["data"];
        assert_eq!(data["offer"], "18446744073709551615");
        assert_eq!(data["until"], "1970-01-02T00:00:00.000Z");
        assert_eq!(
            (&data["text"], &data["other"], &data["number"]),
            (&json!("he \"knows\" it"), &json!("sales"), &json!(7))
        );
        let data = &rendered(&Told { detail: Some(ToldDetail::default()), ..told() }, None)["data"];
        assert_eq!(data, &rendered(&told(), None)["data"]);
    }

    #[test]
    fn a_clock_stands_in_the_data_of_what_it_decides() {
        let clock = ToldClock {
            clock: ClockKind::NextResponse,
            generation: 3,
            started_at: 400,
            target_ms: 1_000,
            due: 0,
            percent: 0,
            wall_ms: 5_000,
            business_ms: 1_200,
            over_ms: 200,
        };
        let of = |decision_type, reason, clock| Told { decision_type, reason, clock: Some(clock), ..told() };
        let missed = rendered(&of(DecisionType::ClockCompleted, Reason::Missed, clock), None);
        assert_eq!(missed["type"], "strowger.clock.completed");
        assert_eq!((&missed["subject"], &missed["data"]["reason"]), (&json!("c1"), &json!("missed")));
        let expected = json!({
            "clock": "next_response",
            "generation": 3,
            "started_at": "1970-01-01T00:00:00.400Z",
            "target_ms": 1_000,
            "due": null,
            "percent": null,
            "wall_ms": 5_000,
            "business_ms": 1_200,
            "over_ms": 200,
            "result": "missed",
        });
        assert_eq!(missed["data"]["clock"], expected);
        let warned = ToldClock { due: 1_400, percent: 75, over_ms: 0, ..clock };
        let warned = &rendered(&of(DecisionType::ClockWarned, Reason::None, warned), None)["data"];
        assert_eq!(
            (&warned["clock"]["due"], &warned["clock"]["percent"]),
            (&json!("1970-01-01T00:00:01.400Z"), &json!(75))
        );
        assert_eq!((warned.get("reason"), warned["clock"].get("result")), (None, None));
        assert_eq!(rendered(&told(), None)["data"].get("clock"), None);
    }

    #[test]
    fn the_subject_is_what_the_decision_is_about() {
        let about = |decision_type: DecisionType, other: &str| {
            let detail = Some(ToldDetail { other: other.into(), ..ToldDetail::default() });
            let told = Told { decision_type, conversation: None, agent: None, detail, ..told() };
            rendered(&told, None).get("subject").cloned()
        };
        assert_eq!(about(DecisionType::QueueChanged, "sales"), Some(json!("sales")));
        assert_eq!(about(DecisionType::CustomerMerged, "cu7"), Some(json!("cu7")));
        assert_eq!(about(DecisionType::SourceSuspect, "desktop"), Some(json!("desktop")));
        assert_eq!(about(DecisionType::QueueChanged, ""), None);
        assert_eq!(about(DecisionType::WorkspaceConfigured, "x"), Some(json!("acme")));
        assert_eq!(about(DecisionType::EventRecorded, "x"), None);
        let of_agent = Told { decision_type: DecisionType::AgentChanged, conversation: None, ..told() };
        assert_eq!(rendered(&of_agent, None)["subject"], "anna");
        let of_both = Told { decision_type: DecisionType::OfferWithdrawn, ..told() };
        assert_eq!(rendered(&of_both, None)["subject"], "c1");
    }

    #[test]
    fn answers_say_outcome_code_and_the_first_time() {
        let base = Told { conversation: None, agent: None, event_type: "conversation.claim".into(), ..told() };
        let refused = Told {
            decision_type: DecisionType::CommandRejected,
            outcome: Outcome::Rejected,
            reason: Reason::StaleEpoch,
            sentence: "the epoch is 3\n\u{1}".into(),
            ..base.clone()
        };
        let data = &rendered(&refused, None)["data"];
        assert_eq!((&data["outcome"], &data["code"]), (&json!("rejected"), &json!("stale_epoch")));
        assert_eq!(data["sentence"], "the epoch is 3\n\u{1}");
        assert_eq!(data["event_type"], "conversation.claim");
        let again = Told {
            decision_type: DecisionType::EventRecorded,
            outcome: Outcome::Rejected,
            reason: Reason::Duplicate,
            first: Some(Position { seq: 5, idx: 1 }),
            ..base
        };
        let value = rendered(&again, None);
        let data = &value["data"];
        assert_eq!((&data["outcome"], &data["reason"]), (&json!("rejected"), &json!("duplicate")));
        assert_eq!((&data["first"], &data["code"]), (&json!({"seq": 5, "idx": 1}), &Value::Null));
        assert_eq!(value.get("subject"), None);
    }

    #[test]
    fn the_canonical_form_has_nothing_of_the_run() {
        let mut out = Vec::new();
        canonical(&told(), &mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        let mut expected = rendered(&told(), None);
        for attribute in ["specversion", "id", "source", "traceparent", "datacontenttype"] {
            expected.as_object_mut().unwrap().remove(attribute);
        }
        expected["data"].as_object_mut().unwrap().remove("position");
        assert_eq!(value, expected);
    }

    #[test]
    fn decisions_are_read_from_their_section() {
        use engine::wire::Wire;
        let mut section = Vec::new();
        told().put(&mut section);
        Told::default().put(&mut section);
        assert_eq!(super::super::decisions(&section).unwrap(), [told(), Told::default()]);
        assert!(super::super::decisions(&section[..section.len() - 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_the_json(text in any::<String>(), number in any::<u64>()) {
            let told = Told { sentence: text.clone().into(), cause_id: "x".into(), time: number, ..Told::default() };
            let value = rendered(&told, Some(Position { seq: number, idx: 0 }));
            if !text.is_empty() {
                prop_assert_eq!(value["data"]["sentence"].as_str(), Some(&*text));
            }
            prop_assert_eq!(value["data"]["position"]["prev"][0].as_u64(), Some(number));
        }
    }
}
