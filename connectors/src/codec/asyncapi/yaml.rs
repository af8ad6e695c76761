//! A JSON value as YAML 1.2: what a document needs and no more.
//!
//! Members in the order of their names, texts in double quotes as JSON writes them wherever a bare one could be taken
//! for something else.

use serde_json::{Map, Value};

pub(super) fn print(document: &Value) -> String {
    let mut out = String::new();
    match document {
        Value::Object(members) => object(members, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn object(members: &Map<String, Value>, depth: usize, out: &mut String) {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    for (i, (name, value)) in members.into_iter().enumerate() {
        if i > 0 {
            indent(depth, out);
        }
        out.push_str(&text(name));
        out.push(':');
        member(value, depth, out);
    }
}

/// What stands behind the colon.
fn member(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            indent(depth + 1, out);
            object(members, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() && items.iter().any(|item| item.is_object() || item.is_array()) => {
            out.push('\n');
            for item in items {
                indent(depth + 1, out);
                out.push('-');
                list_item(item, depth + 1, out);
            }
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn list_item(item: &Value, depth: usize, out: &mut String) {
    match item {
        Value::Object(members) if !members.is_empty() => {
            out.push(' ');
            object(members, depth + 1, out);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// What stands on one line. Lists of plain values stay on theirs; deeper ones are written as JSON, which is YAML.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn text(value: &str) -> String {
    let plain = value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$' || first == '_')
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$_.-/".contains(&byte))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&&*value.to_ascii_lowercase());
    if plain { value.to_string() } else { Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_printed_with_its_texts_quoted_where_they_must_be() {
        let value = json!({
            "b": [1, true, null, "x", "on", "1.0", "a: b", ""],
            "a": { "$ref": "#/x", "empty": {}, "none": [], "contact.started": "3.0.0", "deep": { "x": -1.5 } },
            "list": [{ "z": 1, "more": [{ "w": "say \"hi\"\n" }] }, "plain", [1, [2]]],
        });
        let expected = "\
a:
  \"$ref\": \"#/x\"
  contact.started: \"3.0.0\"
  deep:
    x: -1.5
  empty: {}
  none: []
b: [1, true, null, x, \"on\", \"1.0\", \"a: b\", \"\"]
list:
  - more:
      - w: \"say \\\"hi\\\"\\n\"
    z: 1
  - plain
  - [1,[2]]
";
        assert_eq!(print(&value), expected.replace("\"$ref\"", "$ref"));
        assert_eq!(print(&json!(["a"])), "[a]\n");
    }
}
