//! `strowger check FILE`: a config file or a workspace file, judged without starting anything.
//!
//! Which of the two it is shows in its keys: a workspace file names its workspace. A config file's own workspace files
//! are checked with it.

use crate::clock::WallClock;
use crate::config::Config;
use connectors::workspace_file::WorkspaceFile;
use std::path::Path;

/// What is right with the file, or what is wrong with it, ready to be printed.
pub fn run(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("error: {shown}: {error}"))?;
    if is_workspace_file(&text) { workspace(path, &text) } else { config(path, &text) }
}

/// Decided without a parser, so that a file with a broken line is still judged as what it is.
fn is_workspace_file(text: &str) -> bool {
    let key = |line: &str| line.split(['=', '#']).next().unwrap_or_default().trim().to_string();
    text.lines().any(|line| key(line) == "workspace" || matches!(line.trim(), "[[queue]]" | "[[rule]]" | "[[agent]]"))
}

fn workspace(path: &Path, text: &str) -> Result<String, String> {
    let shown = path.display().to_string();
    let now = WallClock::default().now_ms();
    let file = WorkspaceFile::parse_at(&shown, text, now).map_err(|faults| faults.to_string())?;
    let policy = &file.policy;
    Ok(format!(
        "{shown}: workspace {} version {}: {}, {}, {}, {}",
        file.workspace,
        policy.version,
        counted(policy.queues.len(), "queue"),
        counted(policy.rules.len(), "rule"),
        counted(policy.tiers.len(), "tier"),
        counted(file.agents.len(), "agent"),
    ))
}

fn config(path: &Path, text: &str) -> Result<String, String> {
    let shown = path.display().to_string();
    let config = Config::parse(&shown, text, path.parent().unwrap_or(Path::new("")), false)?;
    let mut lines =
        vec![format!("{shown}: {}, listening on {}", counted(config.shards.into(), "shard"), config.http.listen)];
    let mut faults = Vec::new();
    for path in &config.workspaces {
        let judged = std::fs::read_to_string(path)
            .map_err(|error| format!("error: {}: {error}", path.display()))
            .and_then(|text| workspace(path, &text));
        match judged {
            Ok(line) => lines.push(line),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(lines.join("\n")) } else { Err(faults.join("\n")) }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_of_file_are_told_apart() {
        assert!(is_workspace_file("workspace = \"acme\""));
        assert!(is_workspace_file("# c\n[[queue]]\nnam = "));
        assert!(!is_workspace_file("workspaces = [\"acme.toml\"]\nshards = 4"));
        assert!(!is_workspace_file(""));
    }
}
