//! Answers with an `ETag`: who asks again with `If-None-Match` and would get the same is told 304 and nothing else.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use std::hash::{DefaultHasher, Hasher};

/// Members that time alone changes, from others that stand beside them.
const DERIVED: [&str; 5] = ["at", "wall_ms", "business_ms", "oldest_wait_ms", "oldest_unanswered_ms"];

/// The answer as JSON, tagged by what it says; that time has passed is no news.
pub fn tagged(headers: &HeaderMap, answer: &impl Serialize) -> Response {
    // A struct of texts and numbers cannot fail to be JSON.
    let mut news = serde_json::to_value(answer).unwrap_or_default();
    let body = serde_json::to_vec(answer).unwrap_or_default();
    leave_out_derived(&mut news);
    let mut hasher = DefaultHasher::new();
    hasher.write(news.to_string().as_bytes());
    // Weak: what time alone changes may differ.
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    let is_known = asked(headers, &tag);
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
    };
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal digits and quotes");
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn leave_out_derived(value: &mut Value) {
    match value {
        Value::Object(members) => {
            DERIVED.iter().for_each(|name| drop(members.remove(*name)));
            members.values_mut().for_each(leave_out_derived);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_derived),
        _ => {}
    }
}

/// Whether `If-None-Match` names it; weak and strong tags compare alike (RFC 9110, 13.1.2).
fn asked(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_string();
    tags.any(|known| known == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_same_answer_is_not_sent_twice() {
        let first = tagged(&HeaderMap::new(), &[1, 2]);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_string();
        let strong = tag.trim_start_matches("W/").to_string();
        assert_ne!(strong, tag, "it is weak: {tag}");
        for known in [tag.clone(), strong, format!("\"other\", {tag}"), "*".into()] {
            let again = tagged(&with(&known), &[1, 2]);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag);
            assert!(!again.headers().contains_key(header::CONTENT_TYPE));
        }
        assert_eq!(tagged(&with(&tag), &[1, 3]).status(), StatusCode::OK);
        let told = |wall_ms: u64, waiting: u64| serde_json::json!({"rows": [{"wall_ms": wall_ms, "waiting": waiting}]});
        let tag = |value: &Value| tagged(&HeaderMap::new(), value).headers()[header::ETAG].clone();
        assert_eq!(tag(&told(1, 2)), tag(&told(9, 2)));
        assert_ne!(tag(&told(1, 2)), tag(&told(1, 3)));
        assert_eq!(tagged(&with("\"other\""), &[1, 2]).status(), StatusCode::OK);
    }
}
