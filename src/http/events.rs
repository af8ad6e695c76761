//! `POST /v1/events`: one event, a batch or NDJSON, by content type; answered event by event, in order, when committed.
//!
//! Nothing is answered 200 before its commit. Where the pipeline is full, the event it refused and all after it in the
//! same request are answered 429, so that a sender who goes on at the first of them keeps his order.

use super::answers::EventAnswer;
use super::problem::{self, Problem};
use super::{HttpState, off_async_threads};
use crate::ingest::Answered;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connectors::codec::{self, Framing, limits};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::oneshot;

/// Of a body that is refused, so many bytes are read and dropped before the connection is.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
/// Without a commit by then the answer is 503: sent again, the event is recognised.
const COMMIT_WITHIN: Duration = Duration::from_secs(30);

/// An event on its way, or already answered.
enum Sent {
    Waiting(oneshot::Receiver<Answered>),
    Answered(EventAnswer),
}

/// Offers events to the pipeline; each is answered when its commit is durable.
#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    request_body(
        description = "CloudEvents 1.0: one as application/cloudevents+json, an array as \
            application/cloudevents-batch+json, or one a line as application/x-ndjson",
        content(
            (serde_json::Value = "application/cloudevents+json"),
            (Vec<serde_json::Value> = "application/cloudevents-batch+json"),
            (String = "application/x-ndjson"),
        ),
    ),
    responses(
        (status = 200, description = "Committed: the outcome; of a batch, an array or lines of outcomes and problems, in order", body = EventAnswer),
        (status = 400, description = "Not an event; nothing was recorded", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The workspace is unknown; nothing was recorded", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not come in time; nothing was recorded", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large or too many", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "An unknown content type", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Full; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Starting, or not the owner; see Retry-After", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn post_events(State(state): State<HttpState>, headers: HeaderMap, body: Body) -> Response {
    match accept(&state, &headers, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn accept(state: &HttpState, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("not text"));
    if Framing::of(content_type, &[]).is_none() {
        return Err(unknown_content_type());
    }
    let permit = state.limits.posts.clone().try_acquire_owned().map_err(|_| Problem::full())?;
    let body = tokio::time::timeout(state.limits.body_within, read(body)).await.map_err(|_| too_slow())??;
    let framing = Framing::of(content_type, &body).ok_or_else(unknown_content_type)?;
    if framing == Framing::Single {
        return Ok(match answered(offer(state, &body)).await {
            EventAnswer::Outcome(outcome) => axum::Json(outcome).into_response(),
            EventAnswer::Problem(problem) => problem.into_response(),
        });
    }
    let state = state.clone();
    // The place goes along: a sender who hangs up meanwhile does not free it while the body is still in memory.
    let (offered, _permit) = off_async_threads(move || {
        let offered = codec::split(framing, &body).map(|events| offer_all(&state, &events));
        (offered, permit)
    })
    .await?;
    let answers = answered_all(offered?).await;
    Ok(render(framing, &answers))
}

fn unknown_content_type() -> Problem {
    let sentence = "send application/cloudevents+json, application/cloudevents-batch+json or application/x-ndjson";
    Problem::new(415, "content-type", "unknown_content_type", sentence)
}

fn too_slow() -> Problem {
    let sentence = "the body did not come in time, and nothing was recorded; send less at once on a slow line";
    Problem::new(408, "body", "too_slow", sentence)
}

fn too_large() -> Problem {
    let sentence = format!("a request has at most {} bytes; send several", limits::BODY_BYTES);
    Problem::new(413, "body", "too_large", sentence)
}

/// The whole body. What is too large is still read to its end, within reason: a sender who is cut off while he sends
/// never sees the answer.
async fn read(mut body: Body) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut received = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let aborted = |_| Problem::new(400, "body", "aborted", "the body ended before its end");
        let Ok(data) = frame.map_err(aborted)?.into_data() else { continue };
        received += data.len();
        if received <= limits::BODY_BYTES {
            bytes.extend_from_slice(&data);
        } else if received > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if received > limits::BODY_BYTES { Err(too_large()) } else { Ok(bytes) }
}

fn offer(state: &HttpState, bytes: &[u8]) -> Sent {
    match state.decoder.decode(bytes) {
        Err(refusal) => Sent::Answered(Problem::from(refusal).into()),
        Ok(input) => match state.ingest.offer(input, bytes) {
            Ok(receiver) => Sent::Waiting(receiver),
            Err(busy) => Sent::Answered(Problem::from(busy).into()),
        },
    }
}

fn offer_all(state: &HttpState, events: &[&[u8]]) -> Vec<Sent> {
    let mut refused: Option<EventAnswer> = None;
    let mut offered = Vec::with_capacity(events.len());
    for event in events {
        let sent = match &refused {
            Some(answer) => Sent::Answered(answer.clone()),
            None => offer(state, event),
        };
        if let Sent::Answered(answer) = &sent
            && problem::is_retryable(answer.status())
        {
            refused = Some(answer.clone());
        }
        offered.push(sent);
    }
    offered
}

async fn answered(sent: Sent) -> EventAnswer {
    let receiver = match sent {
        Sent::Answered(answer) => return answer,
        Sent::Waiting(receiver) => receiver,
    };
    match tokio::time::timeout(COMMIT_WITHIN, receiver).await {
        Ok(Ok(answered)) => answered.into(),
        // The shard dropped it unanswered (a step-down), or is too slow: either may still be committed.
        Ok(Err(_)) | Err(_) => {
            let sentence = "its commit is not known yet; send the same event again: it is never counted twice";
            Problem::new(503, "body", "not_committed_yet", sentence).into()
        }
    }
}

async fn answered_all(offered: Vec<Sent>) -> Vec<EventAnswer> {
    let mut answers = Vec::with_capacity(offered.len());
    for sent in offered {
        answers.push(answered(sent).await);
    }
    answers
}

fn render(framing: Framing, answers: &[EventAnswer]) -> Response {
    let (content_type, body) = match framing {
        Framing::Lines => {
            let mut body = Vec::new();
            for answer in answers {
                // A struct of texts and numbers cannot fail to be JSON.
                let _ = serde_json::to_writer(&mut body, answer);
                body.push(b'\n');
            }
            ("application/x-ndjson", body)
        }
        _ => ("application/json", serde_json::to_vec(answers).unwrap_or_default()),
    };
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body).into_response();
    if answers.iter().any(|answer| problem::is_retryable(answer.status())) {
        problem::set_retry_after(&mut response);
    }
    response
}
