//! librdkafka's own log lines and errors, as `tracing` events: the context of every client here.
//!
//! librdkafka retries by itself and whoever waits for it reports his own error, so its "errors" are warnings here. A
//! producer with the gapless guarantee that is dropped on purpose shouts EMERG about the records it purges; once
//! `closing` is set, nothing of that client is more than a debug line.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Default)]
pub(super) struct Logs {
    role: &'static str,
    closing: Arc<AtomicBool>,
}

impl Logs {
    pub fn of(role: &'static str) -> Logs {
        Logs { role, closing: Arc::default() }
    }

    /// From here on this client is being taken down on purpose.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let role = self.role;
        // CONFWARN: "experimental" for the gapless guarantee, and properties of the config file that are a consumer's
        // in a producer or the reverse. Both at every start, both intended.
        if self.closing.load(Ordering::Relaxed) || facility == "CONFWARN" {
            tracing::debug!(role, facility, "librdkafka: {text}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(role, facility, "librdkafka: {text}")
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(role, facility, "librdkafka: {text}"),
            _ => tracing::debug!(role, facility, "librdkafka: {text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let role = self.role;
        if self.closing.load(Ordering::Relaxed) {
            tracing::debug!(role, "librdkafka: {error}: {reason}");
        } else {
            tracing::warn!(role, "librdkafka: {error}: {reason}");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        tracing::info!(role = self.role, "librdkafka's statistics: {}", String::from_utf8_lossy(statistics));
    }
}

impl ConsumerContext for Logs {}

/// A producer's context is its own type (it has the delivery callback) but logs as every client does.
macro_rules! logs_as_all_clients {
    ($context:ty) => {
        impl rdkafka::client::ClientContext for $context {
            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, text: &str) {
                self.logs.log(level, facility, text);
            }
            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.logs.error(error, reason);
            }
            fn stats_raw(&self, statistics: &[u8]) {
                self.logs.stats_raw(statistics);
            }
        }
    };
}
pub(super) use logs_as_all_clients;
