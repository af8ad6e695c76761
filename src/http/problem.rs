//! Refusals as problem+json (RFC 9457): status, title, a sentence, and two machine words, `field` and `reason`.

use crate::ingest::Busy;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connectors::codec::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which asking again is worth it.
const RETRY_AFTER_S: u64 = 1;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    pub status: u16,
    /// The status in words.
    pub title: &'static str,
    /// Dotted path of the field at fault, or `body`, `path`, `query` …
    pub field: String,
    /// A machine word.
    pub reason: &'static str,
    /// A sentence for people.
    pub detail: String,
}

impl Problem {
    pub fn new(status: u16, field: impl Into<String>, reason: &'static str, detail: impl Into<String>) -> Problem {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Problem");
        Problem { status, title, field: field.into(), reason, detail: detail.into() }
    }

    pub fn unknown_workspace() -> Problem {
        Problem::new(404, "workspace", "unknown_workspace", "no such workspace is configured; nothing was recorded")
    }

    pub fn unknown_shard(shards: usize) -> Problem {
        Problem::new(
            404,
            "shard",
            "unknown_shard",
            format!("shards are numbered from 0 to {}", shards.saturating_sub(1)),
        )
    }

    pub fn not_owner() -> Problem {
        Problem::new(503, "shard", "not_owner", "this node does not own the shard now, or is still reading its journal")
    }

    pub fn full() -> Problem {
        Problem::new(429, "body", "full", "the queue of events is full; send it again a little later")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem::new(refusal.status, refusal.field, refusal.reason, refusal.sentence)
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Problem {
        let (status, reason) = match busy {
            Busy::Full => (429, "full"),
            Busy::Starting => (503, "starting"),
            Busy::NotOwner => (503, "not_owner"),
            Busy::Stopping => (503, "stopping"),
            Busy::TooLarge => (413, "too_large"),
            Busy::Unreachable => (503, "unreachable"),
        };
        Problem::new(status, "body", reason, busy.to_string())
    }
}

/// Whether the same request may succeed later, unchanged.
pub fn is_retryable(status: u16) -> bool {
    matches!(status, 429 | 503)
}

pub fn set_retry_after(response: &mut Response) {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if is_retryable(self.status) {
            set_retry_after(&mut response);
        }
        response
    }
}
