//! The workspace files, offered as inputs once the shards are owned (design.md §8).
//!
//! The engine's policy is only what recorded effects made it: this compares a file with the state and sends what
//! differs, through the same door as everybody. A version is offered only when above the state's; the same version
//! with other content refuses to start, because an old deploy must not overwrite a new one. Agents that the file no
//! longer names are reported, never removed.

use crate::ingest::{Answered, Busy, Ingest};
use crate::workload::SharedShard;
use connectors::codec::Decoder;
use connectors::workspace_file::WorkspaceFile;
use engine::decision::Outcome;
use engine::policy::{AgentConfig, Policy};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A pipeline that is full is asked again after this long.
const RETRY: Duration = Duration::from_millis(20);
/// Answers waited for at once.
const IN_FLIGHT_MAX: usize = 512;

pub struct Offering<'a> {
    pub ingest: &'a Ingest,
    pub decoder: &'a Decoder,
    pub shards: &'a [SharedShard],
    pub scaled: bool,
    /// Engine time: calendars are judged by it.
    pub now: u64,
    pub stopping: &'a AtomicBool,
    /// Differs with each start: a file that returns to an older content is no duplicate.
    pub source: String,
}

impl Offering<'_> {
    /// Offers each file. An error is a reason not to start, ready to be printed.
    pub fn offer_all(&self, files: &[PathBuf]) -> Result<(), String> {
        files.iter().try_for_each(|path| self.offer(path))
    }

    fn offer(&self, path: &Path) -> Result<(), String> {
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(file = shown, %error, "a workspace file cannot be read; nothing of it is offered");
                return Ok(());
            }
        };
        let file = WorkspaceFile::parse_at(&shown, &text, self.now).map_err(|faults| faults.to_string())?;
        if self.scaled && !file.policy.test {
            return Err(format!("error: {shown}: the clock is scaled, and the workspace is not marked `test = true`"));
        }
        let differences = self.differences(&file);
        let workspace = file.workspace.as_str();
        for agent in &differences.gone {
            tracing::warn!(file = shown, workspace, agent, "an agent is no longer in the file; he is kept as he was");
        }
        match differences.version {
            Version::Other => {
                return Err(format!(
                    "error: {shown}: version {} is in force with other content; raise `version`, or restore the file",
                    file.policy.version
                ));
            }
            Version::Older(in_force) => {
                let version = file.policy.version;
                tracing::warn!(
                    file = shown,
                    workspace,
                    version,
                    in_force,
                    "the file is older than what is in force; nothing of it is offered"
                );
                return Ok(());
            }
            Version::Same | Version::Newer => {}
        }
        let mut events = file.events(&self.source).into_iter();
        let policy = events.next().filter(|_| differences.version == Version::Newer);
        let agents: Vec<_> = events
            .zip(&file.agents)
            .filter(|(_, (agent, _))| differences.agents.contains(agent))
            .map(|(event, _)| event)
            .collect();
        tracing::info!(
            file = shown,
            workspace,
            policy = policy.is_some(),
            agents = agents.len(),
            "the workspace file is offered"
        );
        // The agents' answers depend on the workspace, so it comes first and is waited for.
        if let Some(policy) = policy {
            self.send(&shown, &[policy])?;
        }
        agents.chunks(IN_FLIGHT_MAX).try_for_each(|agents| self.send(&shown, agents))
    }

    fn differences(&self, file: &WorkspaceFile) -> Differences {
        let shard = &self.shards[usize::from(self.ingest.shard_of(&file.workspace))];
        let workload = shard.read();
        let state = workload.replica().workspace(&file.workspace);
        let agents = state.as_ref().map(|state| state.agents()).unwrap_or_default();
        let known: HashMap<&str, &AgentConfig> = agents.iter().map(|agent| (&*agent.id, &agent.config)).collect();
        Differences::between(file, state.as_ref().map(|state| state.policy), &known)
    }

    fn send(&self, shown: &str, events: &[serde_json::Value]) -> Result<(), String> {
        let mut waiting = Vec::with_capacity(events.len());
        for event in events {
            let json = event.to_string();
            let input = self.decoder.decode(json.as_bytes()).map_err(|refusal| format!("error: {shown}: {refusal}"))?;
            waiting.push(loop {
                match self.ingest.offer(input.clone(), json.as_bytes()) {
                    Ok(answer) => break answer,
                    Err(Busy::TooLarge) => return Err(format!("error: {shown}: {}", Busy::TooLarge)),
                    Err(_) if self.stopping.load(Ordering::Acquire) => return Ok(()),
                    Err(_) => std::thread::sleep(RETRY),
                }
            });
        }
        for answer in waiting {
            match answer.blocking_recv() {
                Ok(Answered::Outcome { outcome: Outcome::Rejected, code, .. }) => {
                    return Err(format!("error: {shown}: the engine has refused it: {}", code.word()));
                }
                Ok(Answered::Outcome { .. }) => {}
                // The shard was lost meanwhile: its next owner offers its own file.
                Ok(other) => tracing::warn!(file = shown, ?other, "a configuration was not taken"),
                Err(_) => tracing::warn!(file = shown, "a configuration was not answered; the next start looks again"),
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Newer,
    Same,
    /// Below the one in force.
    Older(u64),
    /// The same number, and other content.
    Other,
}

/// How a file differs from the state.
#[derive(PartialEq, Eq, Debug)]
struct Differences {
    version: Version,
    /// To be configured.
    agents: BTreeSet<String>,
    /// In the state and not in the file.
    gone: Vec<String>,
}

impl Differences {
    fn between(file: &WorkspaceFile, state: Option<&Policy>, known: &HashMap<&str, &AgentConfig>) -> Differences {
        let version = match state {
            Some(policy) if policy.version > file.policy.version => Version::Older(policy.version),
            Some(policy) if policy.version == file.policy.version && *policy == file.policy => Version::Same,
            Some(policy) if policy.version == file.policy.version => Version::Other,
            _ => Version::Newer,
        };
        let differs =
            |(agent, config): &&(String, AgentConfig)| known.get(agent.as_str()).is_none_or(|is| *is != config);
        let named: BTreeSet<&str> = file.agents.iter().map(|(agent, _)| agent.as_str()).collect();
        let mut gone: Vec<String> =
            known.keys().filter(|agent| !named.contains(**agent)).map(|agent| agent.to_string()).collect();
        gone.sort_unstable();
        let agents = file.agents.iter().filter(differs).map(|(agent, _)| agent.clone()).collect();
        Differences { version, agents, gone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u64, agents: &[(&str, u16)]) -> WorkspaceFile {
        let config = |weight| AgentConfig { weight, ..AgentConfig::default() };
        WorkspaceFile {
            workspace: "acme".into(),
            policy: Policy { version, ..Policy::default() },
            agents: agents.iter().map(|(agent, weight)| (agent.to_string(), config(*weight))).collect(),
        }
    }

    #[test]
    fn only_what_differs_is_offered_and_nobody_is_removed() {
        let known = file(3, &[("ada", 1), ("bob", 1), ("eve", 1)]);
        let configs: HashMap<&str, &AgentConfig> =
            known.agents.iter().map(|(agent, config)| (&**agent, config)).collect();
        let newer = file(4, &[("ada", 1), ("bob", 2), ("joe", 1)]);
        let differences = Differences::between(&newer, Some(&known.policy), &configs);
        assert_eq!(differences.version, Version::Newer);
        assert_eq!(differences.agents, ["bob".to_string(), "joe".into()].into());
        assert_eq!(differences.gone, ["eve"]);
    }

    #[test]
    fn a_version_is_judged_by_number_and_content() {
        let in_force = Policy { version: 3, ..Policy::default() };
        let judged = |file: &WorkspaceFile, state| Differences::between(file, state, &HashMap::new()).version;
        assert_eq!(judged(&file(3, &[]), Some(&in_force)), Version::Same);
        assert_eq!(judged(&file(2, &[]), Some(&in_force)), Version::Older(3));
        assert_eq!(judged(&file(1, &[]), None), Version::Newer);
        let other = Policy { test: true, ..in_force.clone() };
        assert_eq!(judged(&file(3, &[]), Some(&other)), Version::Other);
    }
}
