//! The keys, the reader, the renderer and the schema against each other: one workspace file that has every key.

use super::keys::WORKSPACE_FILE;
use super::*;
use crate::calendar::{parse_date, parse_span, parse_weekly};
use crate::codec::Decoder;
use crate::workspace_file::WorkspaceFile;
use engine::id::HashKey;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

const NOVEMBER_2026: u64 = 1_795_435_200_000;

const EVERY_KEY: &str = include_str!("../../../../examples/workspace.toml");

fn every_key() -> Json {
    toml::from_str(EVERY_KEY).unwrap()
}

/// Beside that, each exit to a queue and each with a reason.
fn every_key_of_every_exit() -> Json {
    let mut file = every_key();
    for exit in [json!({ "then": "queue", "queue": "mail" }), json!({ "then": "deflect", "reason": "sorry" })] {
        let mut queue = file["queue"][2].clone();
        queue["name"] = exit["then"].clone();
        for key in ["on_full", "on_max_wait", "on_closed", "on_unstaffed", "on_unservable"] {
            queue[key] = exit.clone();
        }
        file["queue"].as_array_mut().unwrap().push(queue);
    }
    file
}

struct Read {
    policy: Policy,
    agents: Vec<(String, AgentConfig)>,
    /// (path, sentence) of shape and content.
    faults: Vec<(String, String)>,
}

fn read(file: &Json) -> Read {
    let text = file.to_string();
    let root: Node<'_> = serde_json::from_str(&text).unwrap();
    let mut reader = Reader::default();
    let table = reader.table(&root.0, String::new(), WORKSPACE_FILE);
    let policy = reader.policy(&table);
    let mut content = policy.faults();
    content.extend(calendar::faults_of(&policy, Some(NOVEMBER_2026)));
    let mut agents = Vec::new();
    for (i, own) in table.tables("agent").iter().enumerate() {
        let config = reader.agent(own);
        let faults = config.faults().into_iter().chain(engine::faults::of_agent_in(&policy, &config));
        content.extend(faults.map(|(path, sentence)| (format!("agent[{i}].{path}"), sentence)));
        agents.push((own.text("id").unwrap_or("").to_string(), config));
    }
    let shape = reader.faults.into_iter().map(|fault| (fault.path, fault.sentence));
    let faults = shape.chain(content).collect();
    Read { policy, agents, faults }
}

fn paths(file: &Json) -> Vec<String> {
    read(file).faults.into_iter().map(|(path, _)| path).collect()
}

/// The file again, from what was read; of channels those that `file` names.
fn written(read: &Read, file: &Json) -> Json {
    let mut written = policy_to_json(&read.policy);
    let named = |name: &str| file["channel"].as_object().is_some_and(|channels| channels.contains_key(name));
    written["channel"].as_object_mut().unwrap().retain(|name, _| named(name));
    written["workspace"] = file["workspace"].clone();
    let agents = read.agents.iter().map(|(agent, config)| {
        let mut agent = agent_to_json(agent, config);
        agent["id"] = agent.as_object_mut().unwrap().remove("agent").unwrap();
        agent
    });
    written["agent"] = agents.collect();
    written
}

#[test]
fn every_key_is_read_and_written_back() {
    let file = every_key_of_every_exit();
    let read = read(&file);
    assert_eq!(read.faults, vec![]);
    let written = written(&read, &file);
    for (key, value) in file.as_object().unwrap() {
        assert_eq!(written[key], *value, "{key}");
    }
    assert_eq!(written, file);
}

#[test]
fn json_and_toml_are_read_by_one_reader() {
    let read = read(&every_key());
    let file = WorkspaceFile::parse("workspace.toml", EVERY_KEY).unwrap();
    assert_eq!((&file.policy, &file.agents), (&read.policy, &read.agents));
    let decoder = Decoder::new(HashKey(7));
    let bodies: Vec<Body> =
        file.events("file").iter().map(|event| decoder.decode(event.to_string().as_bytes()).unwrap().body).collect();
    assert_eq!(bodies[0], Body::WorkspaceConfigure { policy: Box::new(read.policy), expected_version: None });
    for (body, (_, expected)) in bodies[1..].iter().zip(&read.agents) {
        let Body::AgentConfigure { config, .. } = body else { panic!("{body:?}") };
        assert_eq!(config, expected);
    }
}

#[test]
fn a_silent_file_has_the_defaults_of_the_specification() {
    let read = read(&json!({
        "workspace": "w", "version": 1, "queue": [{ "name": "q" }], "rule": [{ "queue": "q" }], "tier": { "t": {} },
        "entry": { "e": { "queue": "q" } }, "agent": [{ "id": "a", "memberships": [{ "queue": "q" }] }],
        "channel": { "fax": { "live": false }, "kiosk": { "live": true }, "chat": { "live": false } },
    }));
    assert_eq!(read.faults, vec![]);
    let policy = &read.policy;
    let counts = (policy.default_units, policy.decline_limit, policy.max_transfers);
    assert_eq!(counts, (1, 3, 3));
    let times = (policy.not_responding_ms, policy.lease_grace_ms, policy.bot_max_ms, policy.strict_max_wait_ms);
    assert_eq!(times, (0, 60_000, 3_600_000, 0));
    assert_eq!(policy.priority_head_start_ms, 60_000);
    let channel = |name: &str| policy.channels.iter().find(|channel| *channel.name == *name).unwrap().clone();
    assert_eq!(channel("fax"), Channel::of_nature("fax", false));
    assert_eq!(channel("kiosk"), Channel::of_nature("kiosk", true));
    assert_eq!(channel("chat"), Channel::of_nature("chat", false), "its nature decides its pacing");
    assert_eq!(channel("voice"), Policy::standard_channels()[0]);
    assert_eq!((channel("voice").min_gap_ms, channel("email").min_gap_ms), (0, 10_000));
    let queue = &policy.queues[0];
    let plain = Queue {
        name: "q".into(),
        service_level_ms: 20_000,
        service_level_goal_permille: 800,
        round_ms: 30_000,
        ..Queue::default()
    };
    assert_eq!(*queue, plain);
    assert_eq!(read.agents[0].1.memberships, [Membership::of("q")]);
}

#[test]
fn an_exit_whose_limit_is_set_deflects_with_its_name() {
    let mut file = every_key();
    file["queue"][2] =
        json!({ "name": "overflow", "max_waiting": 5, "max_wait_s": 60, "on_closed": { "then": "deflect" } });
    let read = read(&file);
    assert_eq!(read.faults, vec![]);
    let queue = &read.policy.queues[2];
    let deflect = |reason: &str| Exit { kind: ExitKind::Deflect, text: reason.into() };
    assert_eq!(queue.on_full, deflect("full"));
    assert_eq!(queue.on_max_wait, deflect("max_wait"));
    assert_eq!(queue.on_closed, deflect("closed"));
    assert_eq!((&queue.on_unstaffed, &queue.on_unservable), (&Exit::default(), &Exit::default()));
}

#[test]
fn a_wrap_up_takes_the_units_of_its_channel() {
    let mut file = every_key();
    file["channel"]["voice"]["wrap_up"] = json!({ "mode": "optional", "max_s": 5 });
    let expected = WrapUp { mode: WrapUpMode::Optional, units: 4, max_ms: 5_000 };
    assert_eq!(read(&file).policy.channels[0].wrap_up, expected);
}

#[test]
fn a_configuration_says_which_version_it_expects() {
    let decode = |data: Json| {
        let event = json!({
            "specversion": "1.0", "id": "e", "source": "s", "workspace": "w", "type": "agent.configure", "data": data,
        });
        Decoder::new(HashKey(7)).decode(event.to_string().as_bytes())
    };
    let expected = |data: Json| match decode(data).unwrap().body {
        Body::AgentConfigure { expected_version, .. } => expected_version,
        other => panic!("{other:?}"),
    };
    assert_eq!(expected(json!({ "agent": "anna", "expected_version": 4 })), Some(4));
    assert_eq!(expected(json!({ "agent": "anna" })), None);
    let refusal = decode(json!({ "agent": "anna", "expected_version": "4" })).unwrap_err();
    assert_eq!((refusal.field.as_str(), refusal.reason), ("data.expected_version", "wrong_type"));
}

/// `file` with what stands at `pointer` changed; a missing key is put.
fn with(pointer: &str, value: Json) -> Json {
    let mut file = every_key();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) {
        Json::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    file
}

#[test]
fn keys_that_do_not_go_together_are_faults() {
    for (pointer, value, path) in [
        ("/tier/vip/first_ring", json!({ "for_s": 5 }), "tier.vip.first_ring"),
        ("/tier/vip/first_ring", json!({ "team": "north" }), "tier.vip.first_ring.for_s"),
        (
            "/tier/vip/first_ring",
            json!({ "team": "north", "seniority_at_least": 2, "for_s": 1 }),
            "tier.vip.first_ring",
        ),
        ("/tier/vip/class", json!(0), "tier.vip.class"),
        ("/queue/0/on_closed", json!({ "then": "park", "queue": "mail" }), "queue[0].on_closed.queue"),
        ("/queue/0/on_closed", json!({ "then": "queue" }), "queue[0].on_closed.queue"),
        ("/queue/0/on_closed", json!({ "then": "park", "reason": "x" }), "queue[0].on_closed.reason"),
        ("/queue/0/on_closed", json!({ "queue": "mail" }), "queue[0].on_closed.then"),
        ("/queue/0/max_waiting", json!(0), "queue[0].on_full"),
        ("/queue/0/max_wait_s", json!(0), "queue[0].on_max_wait"),
        ("/queue/0/on_all_declined", json!({ "then": "queue" }), "queue[0].on_all_declined.queue"),
        ("/queue/0/on_all_declined", json!({ "then": "again", "queue": "mail" }), "queue[0].on_all_declined.queue"),
        ("/queue/0/on_all_declined", json!({ "then": "park", "after_s": 5 }), "queue[0].on_all_declined.after_s"),
        ("/queue/0/on_all_declined", json!({ "then": "again", "after_s": 0 }), "queue[0].on_all_declined.after_s"),
        ("/queue/0/pick", json!("any"), "queue[0].pick"),
        ("/queue/0/unclaimed_s", json!(5), "queue[0].unclaimed_s"),
        ("/queue/0/unclaimed_strategy", json!("longest_idle"), "queue[0].unclaimed_strategy"),
        ("/queue/1/unclaimed_strategy", json!("manual"), "queue[1].unclaimed_strategy"),
        ("/queue/1/unclaimed_s", Json::Null, "queue[1].unclaimed_strategy"),
        ("/queue/1/wrap_up", json!({ "mode": "timed", "max_s": 5 }), "queue[1].wrap_up.units"),
        ("/queue/1/wrap_up", json!({ "mode": "timed", "units": 1 }), "queue[1].wrap_up.max_s"),
        ("/queue/1/wrap_up", json!({ "mode": "none", "units": 1 }), "queue[1].wrap_up.units"),
        ("/channel/voice/wrap_up", json!({ "mode": "none", "max_s": 1 }), "channel.voice.wrap_up.max_s"),
        ("/channel/voice/owner_silent_s", json!(5), "channel.voice.owner_silent_s"),
        ("/channel/voice/on_offline", json!({ "then": "keep" }), "channel.voice.on_offline"),
        ("/channel/voice/reply_window_s", json!(5), "channel.voice.reply_window_s"),
        ("/channel/voice/interrupts", json!(["chat"]), "channel.voice.interrupts"),
        ("/channel/email/max_open_s", json!(5), "channel.email.max_open_s"),
        ("/channel/email/owner_absent", json!({ "mode": "return", "for_s": 5 }), "channel.email.owner_absent.for_s"),
        ("/channel/email/owner_absent", json!({ "for_s": 5 }), "channel.email.owner_absent.mode"),
        ("/channel/email/on_offline", json!({ "after_s": 5 }), "channel.email.on_offline.then"),
    ] {
        let found = paths(&with(pointer, value.clone()));
        assert!(found.contains(&path.to_string()), "{pointer} = {value}: {found:?}");
    }
}

#[test]
fn a_wrong_key_or_word_has_no_further_faults_in_its_train() {
    for (pointer, value, path) in [
        ("/rule/0/when", json!({ "topic": "billing" }), "rule[0].when.topic"),
        ("/rule/0/when", json!({ "tier": 5 }), "rule[0].when.tier"),
        ("/queue/1/strategy", json!("manuel"), "queue[1].strategy"),
        ("/queue/1/wrap_up", json!("timed"), "queue[1].wrap_up"),
        ("/queue/0/on_full/then", json!("overflow"), "queue[0].on_full.then"),
        ("/queue/0/max_waiting", json!("200"), "queue[0].max_waiting"),
        ("/channel/letter", json!({}), "channel.letter.live"),
    ] {
        assert_eq!(paths(&with(pointer, value)), [path], "{pointer}");
    }
}

#[test]
fn a_fault_of_combination_makes_a_command_invalid_and_is_said_once() {
    let mut data = policy_to_json(&read(&every_key()).policy);
    data["queue"][0]["pick"] = json!("head");
    let event = json!({
        "specversion": "1.0", "id": "e", "source": "s", "workspace": "w", "type": "workspace.configure", "data": data,
    });
    let body = Decoder::new(HashKey(7)).decode(event.to_string().as_bytes()).unwrap().body;
    let expected = "queue[0].pick: is used with `strategy = \"manual\"` only";
    assert_eq!(body, Body::Invalid { faults: expected.into() });
}

#[test]
fn what_is_later_is_named_and_nothing_else_is() {
    for key in keys::all(WORKSPACE_FILE) {
        assert!(!shape::LATER.contains(&key.name), "{} is built", key.name);
    }
    let sentence = |pointer: &str, value: Json| read(&with(pointer, value)).faults.remove(0).1;
    for pointer in ["/queue/0/callback", "/queue/0/step/0/estimated_wait_above_s", "/group_shares"] {
        assert!(sentence(pointer, json!({})).ends_with("is not built yet"), "{pointer}");
    }
    let callback = sentence("/queue/0/on_full", json!({ "then": "callback" }));
    assert_eq!(callback, "`then = \"callback\"` is not built yet");
    let shares = sentence("/queue/0/strategy", json!("group_shares"));
    assert_eq!(shares, "`strategy = \"group_shares\"` is not built yet");
}

#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    let help = |pointer: &str| {
        let text = with(pointer, json!(1)).to_string();
        let root: Node<'_> = serde_json::from_str(&text).unwrap();
        let mut reader = Reader::default();
        reader.table(&root.0, String::new(), WORKSPACE_FILE);
        reader.faults.remove(0).help
    };
    assert_eq!(help("/queue/0/accpt_s"), "did you mean `accept_s`?");
    assert_eq!(help("/accept_s"), "it is a key of [[queue]]");
    assert_eq!(help("/queue/0/max_units"), "it is a key of [[team.NAME.memberships]] and of [[agent.memberships]]");
    assert_eq!(
        help("/queue/0/head_start"),
        "did you mean `head_start_s`? It is a key of [tier.NAME] and of [[queue.step]]"
    );
    assert!(help("/entry/help@example.org/colour").starts_with("the keys here are: queue, bot"));
}

#[test]
fn hours_and_dates_are_read_or_said_to_be_none() {
    let open = |texts: Json| read(&with("/calendar/0/open", texts)).faults;
    assert_eq!(open(json!(["mon-fri 09:00-18:00"])), vec![]);
    assert_eq!(open(json!("mon-fri 09:00-18:00"))[0].0, "calendar[0].open");
    let wrong = ["mo-fr 09:00-18:00", "mon 9-18", "mon 24:00-25:00", "mon", ""];
    let found = open(json!(wrong));
    let places: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(places, (0..5).map(|i| format!("calendar[0].open[{i}]")).collect::<Vec<_>>());
    assert_eq!(found[0].1, "`mo` is not a day; days are mon, tue, wed, thu, fri, sat, sun");
    let date = |value: Json| read(&with("/calendar/0/dates/0", value)).faults.remove(0);
    let sentence = |value: Json| date(value).1;
    assert_eq!(sentence(json!({ "date": "2026-02-30" })), "there is no date 2026-02-30");
    assert_eq!(sentence(json!({ "date": "24.12.2026" })), "`24.12.2026` is not a date, like `2026-12-24`");
    assert_eq!(date(json!({ "date": "2026-12-24", "open": ["9-12"] })).0, "calendar[0].dates[0].open[0]");
    assert_eq!(date(json!({ "open": [] })).0, "calendar[0].dates[0].date");
    let twice = json!([{ "date": "2026-12-24" }, { "date": "2026-12-24" }]);
    assert_eq!(paths(&with("/calendar/0/dates", twice)), ["calendar[0].dates[1].date"]);
    assert_eq!(paths(&with("/calendar/0/zone", json!("Europe/Berln"))), ["calendar[0].zone"]);
    let never = json!({ "name": "office", "zone": "UTC" });
    assert_eq!(paths(&with("/calendar/0", never)), ["calendar[0].open"]);
}

#[test]
fn the_same_hours_are_the_same_bytes_however_they_are_written() {
    let weekly = |texts: Json| read(&with("/calendar/0/open", texts)).policy.calendars.remove(0).weekly;
    let office = weekly(json!(["mon-fri 09:00-18:00", "sat 10:00-14:00"]));
    assert_eq!(office.len(), 6);
    let other = weekly(json!(["sat 10:00-14:00", "wed-fri 09:00-18:00", "mon,tue,wed 09:00-18:00"]));
    assert_eq!(other, office);
}

#[test]
fn a_calendar_that_cannot_be_expanded_makes_a_command_invalid() {
    let body = |time: Option<&str>, calendar: Json| {
        let mut data = policy_to_json(&read(&every_key()).policy);
        data["calendar"][0] = calendar;
        let mut event = json!({
            "specversion": "1.0", "id": "e", "source": "s", "workspace": "w", "type": "workspace.configure", "data": data,
        });
        event["time"] = time.map_or(Json::Null, |time| json!(time));
        Decoder::new(HashKey(7)).decode(event.to_string().as_bytes()).unwrap().body
    };
    let invalid = |faults: &str| Body::Invalid { faults: faults.into() };
    let office = |zone: &str, open: Json| json!({ "name": "office", "zone": zone, "open": open });
    let always = || json!(["mon-sun 00:00-24:00"]);
    let unknown = "calendar[0].zone: no time zone is named `Berlin`; did you mean `Europe/Berlin`?";
    assert_eq!(body(None, office("Berlin", always())), invalid(unknown));
    let malformed = "calendar[0].open[0]: `9-18` is not days and a span, like `mon-fri 09:00-18:00`";
    assert_eq!(body(None, office("UTC", json!(["9-18"]))), invalid(malformed));
    // Whether it ever opens depends on the day, and without a time there is none.
    let once = || {
        let mut once = office("UTC", json!([]));
        once["dates"] = json!([{ "date": "2026-12-24", "open": ["09:00-12:00"] }]);
        once
    };
    assert!(matches!(body(None, once()), Body::WorkspaceConfigure { .. }));
    assert!(matches!(body(Some("2026-11-26T08:00:00Z"), once()), Body::WorkspaceConfigure { .. }));
    let never = "calendar[0].open: has no opening in the next 366 days";
    assert_eq!(body(Some("2026-12-25T08:00:00Z"), once()), invalid(never));
}

/// What a JSON Schema says of a value, in the words that ours uses; another word is a fault of this test.
fn refused(schema: &Json, value: &Json, path: &str, faults: &mut Vec<String>) {
    let mut fault = |word: &str| faults.push(format!("{path}: {word}"));
    let number = value.as_f64();
    let len = |value: &Json| value.as_str().map(|text| text.chars().count() as u64);
    let count = value.as_array().map(Vec::len).or(value.as_object().map(Map::len)).map(|count| count as u64);
    for (word, says) in schema.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match says {
                Json::Array(types) => types.iter().any(|one| is_of(one.as_str().unwrap(), value)),
                one => is_of(one.as_str().unwrap(), value),
            },
            "minimum" => number.is_none_or(|number| number >= says.as_f64().unwrap()),
            "maximum" => number.is_none_or(|number| number <= says.as_f64().unwrap()),
            "minLength" => len(value).is_none_or(|len| len >= says.as_u64().unwrap()),
            "maxLength" => len(value).is_none_or(|len| len <= says.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| match says.as_str().unwrap() {
                "^[!-~]+$" => !text.is_empty() && text.chars().all(|c| ('!'..='~').contains(&c)),
                // Expressions that the tests do not evaluate: what they stand for.
                days if days.starts_with("^(mon|") => parse_weekly(text).is_ok(),
                span if span.starts_with("^([01]") => parse_span(text).is_ok(),
                date if date.starts_with("^[0-9]{4}") => parse_date(text).is_ok(),
                other => panic!("{other}"),
            }),
            "enum" => says.as_array().unwrap().contains(value),
            "maxItems" | "maxProperties" => count.is_none_or(|count| count <= says.as_u64().unwrap()),
            "uniqueItems" => value
                .as_array()
                .is_none_or(|list| list.iter().map(Json::to_string).collect::<BTreeSet<_>>().len() == list.len()),
            "required" => value.as_object().is_none_or(|table| {
                says.as_array().unwrap().iter().all(|key| table.contains_key(key.as_str().unwrap()))
            }),
            "properties" | "additionalProperties" | "propertyNames" | "items" => true,
            other => panic!("the schema says `{other}`, which this test does not know"),
        };
        if !holds {
            fault(word);
        }
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        refused(&schema["items"], item, &format!("{path}/{i}"), faults);
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        if !schema["propertyNames"].is_null() {
            refused(&schema["propertyNames"], &json!(key), &path, faults);
        }
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Json::Null, Json::Bool(false)) => faults.push(format!("{path}: no such key")),
            (Json::Null, others) => refused(others, item, &path, faults),
            (of_key, _) => refused(of_key, item, &path, faults),
        }
    }
}

fn is_of(name: &str, value: &Json) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the schema knows a type `{other}`"),
    }
}

fn schema_faults(file: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    refused(&workspace_schema(), file, "", &mut faults);
    faults
}

/// Pointers of keys in the schema, with `*` for names and places in lists.
fn keys_in_schema(schema: &Json, pointer: &str, found: &mut BTreeSet<String>) {
    for (key, of_key) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{key}");
        keys_in_schema(of_key, &pointer, found);
        found.insert(pointer);
    }
    for inner in [&schema["items"], &schema["additionalProperties"]] {
        if inner.is_object() {
            keys_in_schema(inner, &format!("{pointer}/*"), found);
        }
    }
}

/// The same of a file, by the schema's idea of what is a name.
fn keys_in_file(schema: &Json, value: &Json, pointer: &str, found: &mut BTreeSet<String>) {
    for item in value.as_array().into_iter().flatten() {
        keys_in_file(&schema["items"], item, &format!("{pointer}/*"), found);
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let of_key = &schema["properties"][key];
        if of_key.is_null() {
            keys_in_file(&schema["additionalProperties"], item, &format!("{pointer}/*"), found);
        } else {
            let pointer = format!("{pointer}/{key}");
            keys_in_file(of_key, item, &pointer, found);
            found.insert(pointer);
        }
    }
}

#[test]
fn the_schema_has_every_key_of_the_reader_and_no_other() {
    let (schema, file) = (workspace_schema(), every_key_of_every_exit());
    let (mut in_schema, mut in_file) = (BTreeSet::new(), BTreeSet::new());
    keys_in_schema(&schema, "", &mut in_schema);
    keys_in_file(&schema, &file, "", &mut in_file);
    // That the reader reads each of the file's keys is `every_key_is_read_and_written_back`.
    assert_eq!(in_schema, in_file);
    let unique: BTreeSet<&str> = in_schema.iter().map(|pointer| pointer.rsplit('/').next().unwrap()).collect();
    assert_eq!(unique, keys::names().into_iter().collect());
}

#[test]
fn every_workspace_file_of_the_project_is_sound_and_fits_the_schema() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../load-tests/workspaces");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        WorkspaceFile::parse("the file", &text).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(schema_faults(&toml::from_str(&text).unwrap()), Vec::<String>::new());
        files += 1;
    }
    assert!(files >= 5, "{files}");
    assert_eq!(schema_faults(&every_key()), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_by_shape() {
    for (pointer, value) in [
        ("/queue/0/accept_s", json!("15")),
        ("/queue/0/strategy", json!("longest_idel")),
        ("/queue/0/on_full/then", json!("callback")),
        ("/queue/0/colour", json!("red")),
        ("/queue/0/teams", json!("north")),
        ("/queue/0/skills/german", json!(-1)),
        ("/queue/0/service_level_goal", json!(80)),
        ("/queue/0/name", Json::Null),
        ("/channel/voice/live", json!("yes")),
        ("/agent/0/limits/email", json!(1.5)),
        ("/agent", json!({})),
        ("/team/north/memberships", json!([{ "priority": 1 }])),
        ("/rule/0/when/attributes/topic", json!([])),
        ("/calendar/0/open/0", json!("mo-fr 09:00-18:00")),
        ("/calendar/0/dates/0/date", json!("2026-13-01")),
        ("/calendar/0/dates/0/open/0", json!("09:00-25:00")),
        ("/clock/0/kind", json!("answer")),
        ("/clock/0/warn_percent", json!(75)),
        ("/clock/0/pause_on", json!(["lunch"])),
    ] {
        let file = with(pointer, value);
        assert!(!schema_faults(&file).is_empty(), "the schema takes {pointer}");
        assert!(!paths(&file).is_empty(), "the reader takes {pointer}");
    }
}

/// Pointers of the file's numbers that the schema bounds, with the bounds.
fn bounded_numbers(schema: &Json, value: &Json, pointer: &str, found: &mut Vec<(String, Json, Json)>) {
    if !schema["minimum"].is_null() {
        found.push((pointer.to_string(), schema["minimum"].clone(), schema["maximum"].clone()));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        bounded_numbers(&schema["items"], item, &format!("{pointer}/{i}"), found);
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let of_key = match &schema["properties"][key] {
            Json::Null => &schema["additionalProperties"],
            of_key => of_key,
        };
        bounded_numbers(of_key, item, &format!("{pointer}/{key}"), found);
    }
}

#[test]
fn the_bounds_of_the_schema_are_those_of_the_engine() {
    let mut numbers = Vec::new();
    bounded_numbers(&workspace_schema(), &every_key(), "", &mut numbers);
    assert!(numbers.len() > 80, "{}", numbers.len());
    for (pointer, min, max) in numbers {
        let below = match min.as_u64() {
            Some(min) => min.checked_sub(1).map_or(json!(-1), |below| json!(below)),
            None if min.as_f64() == Some(0.0) => json!(-1),
            // Above 0, by a millisecond at least.
            None => json!(0),
        };
        let above = match max.as_u64() {
            Some(u64::MAX) => json!(1e30),
            Some(max) => json!(max + 1),
            None => json!(max.as_f64().unwrap() + 1.0),
        };
        let at = path_of(&pointer);
        for wrong in [below, above] {
            let found = paths(&with(&pointer, wrong.clone()));
            assert!(found.iter().any(|path| follows(path, &at)), "{pointer} = {wrong} is taken: {found:?}");
        }
        // What depends on its neighbours has no bound of its own to be reached alone.
        let depends = [
            "their_turn_units",
            "step/0/after_s",
            "step/1/after_s",
            "step/2/after_s",
            "escalation/1/level",
            "warn_percent/1",
            "level/1/percent",
            "level/2/percent",
            "escalate",
        ];
        if depends.iter().any(|end| pointer.ends_with(end)) {
            continue;
        }
        for right in [min, max] {
            let found = paths(&with(&pointer, right.clone()));
            assert!(!found.contains(&at), "{pointer} = {right} is refused: {found:?}");
        }
    }
}

/// A pointer as a path of faults.
fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(i) => path.push_str(&format!("[{i}]")),
            Err(_) => path = engine::faults::join_key(&path, part),
        }
    }
    path
}

/// Pointers of all keys of a file.
fn pointers(value: &Json, pointer: &str, found: &mut Vec<String>) {
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        pointers(item, &format!("{pointer}/{i}"), found);
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{key}");
        pointers(item, &pointer, found);
        found.push(pointer);
    }
}

#[test]
fn a_file_without_any_one_key_is_written_as_it_is_read() {
    let mut all = Vec::new();
    pointers(&every_key(), "", &mut all);
    let mut sound = 0;
    for pointer in &all {
        let mut file = every_key();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        let first = read(&file);
        if !first.faults.is_empty() {
            continue;
        }
        sound += 1;
        let again =
            read(&written(&first, &json!({ "workspace": "w", "channel": policy_to_json(&first.policy)["channel"] })));
        assert_eq!(again.faults, vec![], "without {pointer}");
        assert_eq!((&again.policy, &again.agents), (&first.policy, &first.agents), "without {pointer}");
    }
    assert!(sound > 100, "{sound} of {} keys may be left out", all.len());
}
