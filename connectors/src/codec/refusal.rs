//! Why bytes are not an event: field, machine word and sentence, for problem+json, dead letters and `check`.
//!
//! serde_json says line and column of an error but not the field. The path is found by walking the text up to there once
//! more: this costs nothing until something is wrong.

use engine::faults::join_key;
use serde_json::error::Category;

/// Every machine word of a refusal.
pub const REFUSALS: [&str; 11] = [
    "not_json",
    "not_utf8",
    "too_deep",
    "too_large",
    "too_many",
    "missing",
    "wrong_type",
    "out_of_bounds",
    "unknown_type",
    "unknown_value",
    "repeated_key",
];

/// Bytes that are refused. Nothing is recorded of them but, on Kafka, a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP's: 400, or 413 for what is too large.
    pub status: u16,
    /// Dotted path, like `data.rule[2].queue`; `body` for the whole.
    pub field: String,
    /// One of `REFUSALS`.
    pub reason: &'static str,
    /// For people; names neither the customer nor any text of his.
    pub sentence: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.sentence, self.reason)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(super) fn bad(field: impl Into<String>, reason: &'static str, sentence: impl Into<String>) -> Refusal {
        debug_assert!(REFUSALS.contains(&reason), "{reason} is not in the list");
        Refusal { status: 400, field: field.into(), reason, sentence: sentence.into() }
    }

    pub(super) fn large(field: impl Into<String>, reason: &'static str, sentence: impl Into<String>) -> Refusal {
        Refusal { status: 413, ..Refusal::bad(field, reason, sentence) }
    }

    pub(super) fn missing(field: impl Into<String>) -> Refusal {
        Refusal::bad(field, "missing", "this field is required")
    }

    /// What serde_json found wrong in `text`, which stands at `prefix` of the event (empty: it is the event).
    #[cold]
    pub(super) fn of_json(error: &serde_json::Error, text: &str, prefix: &str) -> Refusal {
        let field = match path_at(text, offset(text, error.line(), error.column()), prefix) {
            path if path.is_empty() => "body".to_string(),
            path => path,
        };
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or_default();
        match error.classify() {
            Category::Data if what.starts_with("duplicate field") => {
                Refusal::bad(field, "repeated_key", "this key stands twice; once is allowed")
            }
            Category::Data if what.starts_with("invalid value") => {
                Refusal::bad(field, "out_of_bounds", shown(&unquoted(what)))
            }
            Category::Data => Refusal::bad(field, "wrong_type", shown(&unquoted(what))),
            _ if what.starts_with("number out of range") => {
                Refusal::bad(field, "out_of_bounds", "this number is out of range")
            }
            _ => Refusal::bad(field, "not_json", format!("this is not JSON: {}", shown(&said))),
        }
    }
}

/// serde quotes a text that it did not expect. What customers wrote is not ours to repeat.
fn unquoted(said: &str) -> String {
    match (said.find("string \""), said.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}a text{}", &said[..start], &said[end + 1..]),
        _ => said.to_string(),
    }
}

/// Cut, so that a sentence stays one.
fn shown(said: &str) -> String {
    const CHARS_MAX: usize = 160;
    if said.chars().count() <= CHARS_MAX {
        return said.to_string();
    }
    let mut cut: String = said.chars().take(CHARS_MAX).collect();
    cut.push('…');
    cut
}

/// serde_json counts lines from 1 and columns as bytes behind the last line break.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column).min(text.len())
}

enum Level<'t> {
    Object { key: &'t str, key_is_next: bool },
    Array { index: usize },
}

/// The path of what stands at or ends at `offset`.
fn path_at(text: &str, offset: usize, prefix: &str) -> String {
    let bytes = text.as_bytes();
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while at < offset {
        match bytes[at] {
            b'"' => {
                let end = text_end(bytes, at);
                if let Some(Level::Object { key, key_is_next: true }) = levels.last_mut() {
                    *key = text.get(at + 1..end).unwrap_or_default();
                }
                at = end;
            }
            b'{' => levels.push(Level::Object { key: "", key_is_next: true }),
            b'[' => levels.push(Level::Array { index: 0 }),
            b'}' | b']' => {
                levels.pop();
            }
            b':' => {
                if let Some(Level::Object { key_is_next, .. }) = levels.last_mut() {
                    *key_is_next = false;
                }
            }
            b',' => match levels.last_mut() {
                Some(Level::Object { key_is_next, .. }) => *key_is_next = true,
                Some(Level::Array { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    let mut path = prefix.to_string();
    for level in &levels {
        match level {
            Level::Object { key: "", .. } => {}
            Level::Object { key, .. } => path = join_key(&path, &shown(key)),
            Level::Array { index } => path = format!("{path}[{index}]"),
        }
        if path.len() > 1_024 {
            break;
        }
    }
    path
}

/// Where the text that opens at `start` closes.
fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_text_has_its_path() {
        let text = r#"{"a":{"b,\"":[1,{"c.d":2}]},"e":3}"#;
        let path = |mark: &str| path_at(text, text.find(mark).unwrap() + mark.len(), "");
        assert_eq!(path("\"b,\\\"\":[1"), r#"a."b,\\\""[0]"#);
        assert_eq!(path(":2"), r#"a."b,\\\""[1]."c.d""#);
        assert_eq!(path("}]}"), "a");
        assert_eq!(path(":3"), "e");
        assert_eq!(path_at("[[1,2],[3", 9, "data"), "data[1][0]");
    }

    #[test]
    fn lines_and_columns_are_offsets() {
        assert_eq!(offset("ab\ncd\nef", 1, 1), 1);
        assert_eq!(offset("ab\ncd\nef", 3, 2), 8);
        assert_eq!(offset("ab", 9, 9), 2);
    }
}
