//! The document of the topics: events in, decisions out, as AsyncAPI 3 (https://www.asyncapi.com/docs/reference).
//!
//! Made from the sets that the decoder reads by (`members`), the bounds of `limits` and the engine's lists of types and
//! words; tests hold the schemas against what the decoder takes and what `render` writes. The journal's topic is not
//! here: nobody but this program reads or writes it.

mod decisions;
mod events;
mod yaml;

#[cfg(test)]
mod tests;

pub use decisions::reasons;
pub use events::example;

use serde_json::{Value, json};

/// The document in YAML, the same bytes at every call; `asyncapi.yaml` in the project's root is a copy of it.
pub fn asyncapi() -> String {
    yaml::print(&document())
}

fn document() -> Value {
    let mut schemas = events::schemas();
    schemas.append(&mut decisions::schemas());
    let mut messages = events::messages();
    messages.append(&mut decisions::messages());
    messages.insert("dead-letter".to_string(), dead_letter());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Strowger",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
            "description": "The automatic exchange for customer conversations: events in, decisions out, as \
                CloudEvents 1.0 in JSON. The names of the topics are the defaults. Unknown members are ignored on the way \
                in; consumers ignore unknown types, members and words on the way out: new ones may come at any time, \
                and a breaking change is a new type that ends in `.v2`. On the way in `null` is as good as absent, \
                except where its member says so, and lengths are counted in bytes of UTF-8. A command with a member \
                that would change it, and that its type does not have, is answered `unsupported`.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": events::channel(),
            "decisions": decisions::channel(),
            "dead-letters": {
                "address": "strowger.dead-letters",
                "description": "What came in and was no event, as it came. Kept for 7 days.",
                "messages": { "dead-letter": reference("messages", "dead-letter") },
            },
        },
        "operations": {
            "receive-events": {
                "action": "receive",
                "channel": { "$ref": "#/channels/events" },
                "summary": "Facts and commands. The same event again (workspace, source, id) changes nothing.",
            },
            "send-decisions": {
                "action": "send",
                "channel": { "$ref": "#/channels/decisions" },
                "summary": "Every event but a renewal without effect and a dead letter has at least one decision that \
                    names it as its cause.",
            },
            "send-dead-letters": {
                "action": "send",
                "channel": { "$ref": "#/channels/dead-letters" },
                "summary": "Bytes that are no event, written after the batch that passed over them was committed.",
            },
        },
        "components": { "messages": messages, "schemas": schemas },
    })
}

fn dead_letter() -> Value {
    json!({
        "title": "A dead letter",
        "summary": "The original bytes of what was no event, whatever they are.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": ["reason", "field"],
            "properties": {
                "reason": {
                    "type": "string",
                    "description": "Why, as a word: `not_json`, `missing`, `unknown_workspace` and so on.",
                },
                "field": {
                    "type": "string",
                    "description": "The path of what is wrong, like `data.channel`; `body` for the whole.",
                },
            },
        },
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "`<partition>:<offset>` of the original in the topic of events",
                },
            },
        },
    })
}

fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

fn schema(name: &str) -> Value {
    reference("schemas", name)
}

/// Every message of both topics has the workspace as its key.
fn keyed_by_workspace() -> Value {
    json!({ "kafka": { "key": { "type": "string", "description": "the workspace" } } })
}
