//! `GET /openapi.json`: the HTTP side described, from the handlers' own annotations.

use super::{answers, board, clock, decisions, events, open, pages, probes, problem, stream, views};
use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Strowger",
        description = "The automatic exchange for customer conversations: events in, decisions out"
    ),
    paths(
        events::post_events,
        views::conversation,
        views::agents,
        views::queues,
        board::workspaces,
        board::board,
        open::unanswered,
        open::waiting,
        open::of_agent,
        open::of_customer,
        stream::stream,
        decisions::stream,
        clock::clock,
        pages::root,
        pages::wallboard,
        pages::docs,
        probes::metrics,
        probes::metrics_by_agent,
        probes::livez,
        probes::readyz,
        document,
    ),
    components(schemas(answers::EventAnswer, answers::EventOutcome, problem::Problem))
)]
pub struct Api;

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "probes",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value, content_type = "application/json")),
)]
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}
