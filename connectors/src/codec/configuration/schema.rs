//! The JSON Schema of the workspace file (draft 2020-12), printed from the key lists that the reader reads by.
//!
//! For editors: it knows keys, types, words and bounds. Combinations of keys and names that must exist are judged by
//! `strowger check`, which takes nothing that the schema refuses and may refuse more.

use super::keys::{Holds, Key, Keys, WORKSPACE_FILE};
use engine::faults::DURATION_MS_MAX;
use engine::policy::limits;
use serde_json::{Map, Value, json};

/// What `strowger schema workspace` prints.
pub fn workspace_schema() -> Value {
    let mut schema = table(WORKSPACE_FILE);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Strowger workspace file");
    schema["description"] =
        json!("A workspace's policy and its agents. Durations are seconds, whole or broken. TOML, read as JSON.");
    schema
}

fn table(keys: Keys) -> Value {
    let keys = || keys.iter().copied().flatten();
    let properties: Map<_, _> = keys().map(|key| (key.name.to_string(), of_key(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let required: Vec<_> = keys().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn of_key(key: &Key) -> Value {
    let mut schema = of(key.holds);
    schema["description"] = json!(key.says);
    schema
}

fn of(holds: Holds) -> Value {
    let seconds = |min: f64| json!({ "type": "number", "minimum": min, "maximum": DURATION_MS_MAX / 1_000 });
    match holds {
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Name => name(),
        Holds::Text => json!({ "type": "string", "minLength": 1, "maxLength": limits::TEXT_BYTES }),
        Holds::Names(max) => json!({ "type": "array", "items": name(), "maxItems": max, "uniqueItems": true }),
        Holds::Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Holds::Seconds => seconds(0.0),
        // Durations are kept in milliseconds.
        Holds::SomeSeconds => seconds(0.001),
        Holds::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Holds::Word(words) => json!({ "enum": words() }),
        Holds::Words(words) => {
            let words = words();
            json!({ "type": "array", "items": { "enum": words }, "maxItems": words.len(), "uniqueItems": true })
        }
        Holds::Numbers(min, max, count) => {
            json!({ "type": "array", "items": of(Holds::Whole(min, max)), "maxItems": count, "uniqueItems": true })
        }
        Holds::WeeklyOpenings(max) => {
            let pattern = format!("^{DAYS}(,{DAYS})* {SPAN}$");
            json!({ "type": "array", "items": { "type": "string", "pattern": pattern }, "maxItems": max })
        }
        Holds::DayOpenings(max) => {
            let pattern = format!("^{SPAN}$");
            json!({ "type": "array", "items": { "type": "string", "pattern": pattern }, "maxItems": max })
        }
        Holds::Date => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Holds::Levels => by_name(of(Holds::Whole(0, limits::LEVEL.into())), limits::SKILLS_OF_ONE),
        Holds::Wholes(min, max) => by_name(of(Holds::Whole(min, max)), limits::CHANNELS),
        Holds::Attributes => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean"] },
            "propertyNames": { "minLength": 1, "maxLength": limits::TEXT_BYTES },
            "maxProperties": limits::CONDITIONS,
        }),
        Holds::Table(keys) => table(keys),
        Holds::Named(keys, max) => by_name(table(keys), max),
        Holds::Tables(keys, max) => json!({ "type": "array", "items": table(keys), "maxItems": max }),
        Holds::Anything => json!({}),
    }
}

/// As `crate::calendar` reads them.
const DAYS: &str = "(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?";
const SPAN: &str = "([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)";

fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": limits::TEXT_BYTES, "pattern": "^[!-~]+$" })
}

fn by_name(values: Value, max: usize) -> Value {
    json!({ "type": "object", "additionalProperties": values, "propertyNames": name(), "maxProperties": max })
}
