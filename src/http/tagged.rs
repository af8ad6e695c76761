//! Answers with an `ETag`: who asks again with `If-None-Match` and would get the same is told 304 and nothing else.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::hash::{DefaultHasher, Hasher};

/// The answer as JSON, tagged by what it says.
pub fn tagged(headers: &HeaderMap, answer: &impl Serialize) -> Response {
    // A struct of texts and numbers cannot fail to be JSON.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    tagged_by(headers, &body.clone(), body)
}

/// The same, where only a part of it says something: that it is told later is no news.
pub fn tagged_by(headers: &HeaderMap, news: &[u8], body: Vec<u8>) -> Response {
    let mut hasher = DefaultHasher::new();
    hasher.write(news);
    let tag = format!("\"{:016x}\"", hasher.finish());
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

/// Whether `If-None-Match` names it; a weak tag compares as a strong one (RFC 9110, 13.1.2).
fn asked(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
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
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let again = tagged(&with(&known), &[1, 2]);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag);
            assert!(!again.headers().contains_key(header::CONTENT_TYPE));
        }
        assert_eq!(tagged(&with(&tag), &[1, 3]).status(), StatusCode::OK);
        assert_eq!(tagged(&with("\"other\""), &[1, 2]).status(), StatusCode::OK);
    }
}
