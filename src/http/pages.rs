//! The pages that the process serves itself: the wallboard, and the HTTP API described for people.
//!
//! Each is one file, loads nothing from outside, and shows data as text only; the policy of its head says so to the
//! browser too.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

const WALLBOARD: &str = include_str!("pages/wallboard.html");
const API: &str = include_str!("pages/api.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

fn page(text: &'static str) -> Response {
    let mut response = Html(text).into_response();
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-cache");
    response
}

/// The wallboard.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn root() -> Response {
    page(WALLBOARD)
}

/// A workspace's figures for a screen on the wall: `?workspace=NAME`, or the only one there is.
#[utoipa::path(
    get, path = "/wallboard", tag = "pages",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn wallboard() -> Response {
    page(WALLBOARD)
}

/// The HTTP API for people.
#[utoipa::path(
    get, path = "/docs", tag = "pages",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
pub async fn docs() -> Response {
    page(API)
}
