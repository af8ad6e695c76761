//! The dispatch rule of a real exchange: at each pick-up with a VIP and another of its type waiting, does the engine
//! choose the one who was really picked?
//!
//! Who waited is in the trace: those with `at` <= t <= `at` + `wait_s`. They are fed to the engine with one agent of
//! that type, who signs on at t; whom he gets is the engine's choice.

use crate::player::Stage;
use crate::simulate;
use crate::theory::{BANK, Row, id_of, number};
use crate::workload::{Arrival, Line, Presence, Selection, Workload};
use anyhow::{Context, Result, ensure};
use connectors::workspace_file::WorkspaceFile;
use engine::input::Status;
use serde_json::Value;
use std::path::Path;

const WORKSPACE: &str = include_str!("../../workspaces/bank.toml");
/// The month whose trace is at hand, and its types with VIPs who wait.
const MONTH: &str = "1999-02";
const TYPES: [&str; 2] = ["PS", "NE"];
const RULE: &str = "head_start_90";
const POINTS_OFF_MAX: f64 = 0.02;
const VIP: &str = "vip";

pub fn judge(case: &Value, data: &Path) -> Result<(Vec<Row>, String)> {
    let path = data.join(BANK);
    if !path.exists() {
        return Ok((Vec::new(), format!("skipped: {}: no {BANK} in {}", id_of(case), data.display())));
    }
    let workload = Workload::open(&path, &Selection::default())?;
    let shares = case["expect"]["share_of_real_pickups_explained"].as_object().context("no shares")?;
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for name in TYPES {
        let title = format!("{MONTH} {name} (");
        let (published, share) = shares.iter().find(|(published, _)| published.starts_with(&title)).context(title)?;
        let pickups = pickups(&workload, name);
        let explained = explained(&pickups, name)?;
        rows.push(Row {
            case: id_of(case).to_owned(),
            figure: format!("{MONTH} {name}, {RULE}"),
            expected: number(share, &[RULE])?,
            measured: explained as f64 / pickups.len() as f64,
            tolerance: POINTS_OFF_MAX,
        });
        notes.push(format!("{explained} of {} pick-ups (published: {published})", pickups.len()));
    }
    Ok((rows, notes.join("; ")))
}

/// A choice that was made: at this time, among these, for the one at this place.
struct Pickup<'w> {
    at: u64,
    waiting: Vec<&'w Arrival>,
    real: usize,
}

/// All with a VIP and another of this type waiting.
fn pickups<'w>(workload: &'w Workload, name: &str) -> Vec<Pickup<'w>> {
    let is_of_type =
        |arrival: &Arrival| arrival.attributes.iter().any(|(key, value)| (&**key, &**value) == ("type", name));
    // Only of those who queued is the tier trustworthy.
    let waited = |arrival: &Arrival| arrival.observed.as_ref().filter(|o| o.queued).map(|o| (o.wait_ms, o.answered));
    let calls: Vec<(&Arrival, u64, bool)> = workload
        .arrivals()
        .filter(|arrival| is_of_type(arrival))
        .filter_map(|arrival| waited(arrival).map(|(wait_ms, answered)| (arrival, arrival.at + wait_ms, answered)))
        .collect();
    let mut pickups = Vec::new();
    for (number, (_, at, answered)) in calls.iter().enumerate() {
        if !answered {
            continue;
        }
        let there = |(_, (arrival, until, _)): &(usize, &(&Arrival, u64, bool))| arrival.at <= *at && at <= until;
        let waiting: Vec<(usize, &Arrival)> =
            calls.iter().enumerate().filter(there).map(|(number, (arrival, ..))| (number, *arrival)).collect();
        let vips = waiting.iter().filter(|(_, arrival)| arrival.tier.as_deref() == Some(VIP)).count();
        if vips > 0 && vips < waiting.len() {
            let real = waiting.iter().position(|(other, _)| *other == number).expect("it waits at its own pick-up");
            let waiting = waiting.into_iter().map(|(_, arrival)| arrival).collect();
            pickups.push(Pickup { at: *at, waiting, real });
        }
    }
    pickups
}

/// In how many of them the engine chooses as was really chosen.
fn explained(pickups: &[Pickup<'_>], skill: &str) -> Result<usize> {
    let mut file = WorkspaceFile::parse("bank.toml", WORKSPACE).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    file.agents.retain(|(_, config)| config.skills.iter().any(|has| &*has.name == skill));
    file.agents.truncate(1);
    let agent = file.agents.first().context("no agent takes this type")?.0.clone();
    let mut explained = 0;
    for pickup in pickups {
        explained += usize::from(choice(&file, &agent, pickup)? == pickup.real);
    }
    Ok(explained)
}

/// The place of whom the engine gives to an agent who signs on at the time of the pick-up.
fn choice(file: &WorkspaceFile, agent: &str, pickup: &Pickup<'_>) -> Result<usize> {
    // Nobody leaves, and the first call lasts: who is answered at the instant of the pick-up was chosen.
    let arrival = |arrival: &&Arrival| {
        let (patience_ms, handle_ms) = (None, 1000);
        Line::Arrival(Box::new(Arrival { patience_ms, handle_ms, observed: None, ..(*arrival).clone() }))
    };
    let mut lines: Vec<Line> = pickup.waiting.iter().map(arrival).collect();
    lines.push(Line::Presence(Presence { at: pickup.at, agent: agent.into(), status: Status::Online, line: 1 }));
    let (begins, ends) = (pickup.waiting[0].at, pickup.at);
    let workload = Workload { lines, opening: Vec::new(), begins, ends };
    let player = simulate::play_undigested(file, &workload, 1)?;
    let chosen = player.calls.iter().position(|call| {
        call.stage == Stage::Answered && call.wait_ms.map(|wait_ms| call.arrival + wait_ms) == Some(pickup.at)
    });
    let chosen = chosen.context("the engine gives the agent nobody")?;
    ensure!(player.refused.is_empty(), "the engine refuses {:?}", player.refused);
    Ok(chosen)
}
