//! Calendars, kept expanded: each calendar of each workspace that this node owns has its openings, those that its policy
//! means, and for long enough ahead (routing.md §7).
//!
//! Looks at the replica, as the workspace files do, and sends `calendar.expand` through the same door as everybody, in
//! both modes. What is right already is left alone, so a restart sends nothing; what was sent and not seen is the same
//! event again. Its ids are those of `connectors::calendar::event`.

use crate::ingest::{Answered, Busy, Ingest};
use crate::standing::Standing;
use crate::workload::SharedShard;
use connectors::calendar::{self, CalendarFault};
use connectors::codec::Decoder;
use engine::calendar::Openings;
use engine::decision::Outcome;
use engine::policy::Calendar;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often it looks: a policy that comes by HTTP has its hours this soon.
pub const EVERY: Duration = Duration::from_millis(200);

/// Engine time of a shard, ms UTC.
pub type Now<'a> = &'a dyn Fn(u16) -> u64;

pub struct Calendars<'a> {
    pub ingest: &'a Ingest,
    pub decoder: &'a Decoder,
    pub shards: &'a [SharedShard],
    pub standings: &'a [Arc<Standing>],
    pub now: Now<'a>,
    pub stopping: &'a AtomicBool,
    pub looked_at: LookedAt,
}

/// What need not be looked at again.
#[derive(Default)]
pub struct LookedAt {
    /// By workspace: the policy version whose calendars were found right, or made so.
    versions: HashMap<String, u64>,
    /// By workspace and calendar: the last event that was answered, or the version that cannot be expanded.
    settled: HashMap<(String, String), String>,
}

/// A workspace whose calendars may not be as they should.
struct Suspect {
    workspace: String,
    version: u64,
    calendars: Vec<(Calendar, Option<Openings>)>,
}

/// An expansion on its way.
struct Sent {
    key: (String, String),
    id: String,
    answer: oneshot::Receiver<Answered>,
}

impl Calendars<'_> {
    /// Sends what is missing, other than the policy means, or ends too soon, and waits for the answers. What cannot be
    /// sent now is found again by the next look.
    pub fn look(&mut self) {
        for standing in self.standings {
            let shard = standing.shard;
            if !standing.is_owned() {
                continue;
            }
            let now = (self.now)(shard);
            for suspect in self.suspects(shard, now) {
                if self.stopping.load(Ordering::Acquire) {
                    return;
                }
                if self.set_right(&suspect, now) {
                    self.looked_at.versions.insert(suspect.workspace, suspect.version);
                }
            }
        }
    }

    fn suspects(&self, shard: u16, now: u64) -> Vec<Suspect> {
        let workload = self.shards[usize::from(shard)].read();
        let mut suspects = Vec::new();
        for workspace in workload.replica().workspaces() {
            let calendars = &workspace.policy.calendars;
            let is_known = self.looked_at.versions.get(workspace.name) == Some(&workspace.policy.version);
            let lasts = |own: &Calendar| workspace.openings(&own.name).is_some_and(|known| calendar::lasts(known, now));
            if is_known && calendars.iter().all(lasts) {
                continue;
            }
            let known = |own: &Calendar| (own.clone(), workspace.openings(&own.name).cloned());
            suspects.push(Suspect {
                workspace: workspace.name.to_string(),
                version: workspace.policy.version,
                calendars: calendars.iter().map(known).collect(),
            });
        }
        suspects
    }

    /// Whether all of its calendars are right now, or will be by themselves.
    fn set_right(&mut self, suspect: &Suspect, now: u64) -> bool {
        let mut is_right = true;
        let mut sent = Vec::new();
        for (own, known) in &suspect.calendars {
            let key = (suspect.workspace.clone(), own.name.to_string());
            match self.expand(suspect, own, known.as_ref(), &key, now) {
                Ok(waits) => sent.extend(waits),
                Err(Busy::Full | Busy::Unreachable | Busy::Starting | Busy::NotOwner | Busy::Stopping) => {
                    is_right = false;
                }
                Err(Busy::TooLarge) => {
                    self.looked_at.settled.insert(key.clone(), format!("version {}", suspect.version));
                    tracing::error!(
                        workspace = key.0,
                        calendar = key.1,
                        "a calendar's openings are too large to be sent"
                    );
                }
            }
        }
        for Sent { key, id, answer } in sent {
            match answer.blocking_recv() {
                Ok(Answered::Outcome { outcome, code, .. }) => {
                    if outcome == Outcome::Rejected {
                        let (workspace, calendar) = &key;
                        tracing::warn!(workspace, calendar, code = code.word(), "a calendar's openings were refused");
                    }
                    self.looked_at.settled.insert(key, id);
                }
                // The shard was lost meanwhile: whoever owns it looks again.
                Ok(_) | Err(_) => is_right = false,
            }
        }
        is_right
    }

    fn expand(
        &mut self,
        suspect: &Suspect,
        own: &Calendar,
        known: Option<&Openings>,
        key: &(String, String),
        now: u64,
    ) -> Result<Option<Sent>, Busy> {
        let unusable = format!("version {}", suspect.version);
        if self.looked_at.settled.get(key) == Some(&unusable) {
            return Ok(None);
        }
        let expansion = match calendar::expansion_at(own, now) {
            Ok(expansion) => expansion,
            Err(fault) => {
                self.cannot(key, unusable, &fault);
                return Ok(None);
            }
        };
        if known.is_some_and(|known| calendar::lasts(known, now) && expansion.agrees_with(known, now)) {
            return Ok(None);
        }
        let event = calendar::event(&suspect.workspace, suspect.version, &own.name, &expansion);
        let id = event["id"].as_str().unwrap_or_default().to_string();
        if self.looked_at.settled.get(key) == Some(&id) {
            return Ok(None);
        }
        let json = event.to_string();
        let input = self.decoder.decode(json.as_bytes()).expect("an expansion is within the bounds of its event");
        let answer = self.ingest.offer(input, json.as_bytes())?;
        let (workspace, calendar, openings) = (&key.0, &key.1, expansion.openings.len());
        tracing::info!(workspace, calendar, openings, "a calendar is expanded");
        Ok(Some(Sent { key: key.clone(), id, answer }))
    }

    /// A policy of another release may have a zone that this one does not know.
    fn cannot(&mut self, key: &(String, String), unusable: String, fault: &CalendarFault) {
        let (workspace, calendar) = key;
        tracing::error!(workspace, calendar, %fault, "a calendar cannot be expanded; it stays as it was");
        self.looked_at.settled.insert(key.clone(), unusable);
    }
}
