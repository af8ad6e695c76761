//! What came of a run: shares, waits and occupancy, whole and by queue, tier and agent, in the names of `--json`.
//!
//! *waited*: not assigned in the step that applied its arrival. *wait*: from arrival (or a bot's hand-over, which sets it
//! anew) to the first assignment or leaving, abandoned
//! included; who is still waiting at the end has waited until then. *occupancy*: unit-seconds held / unit-seconds online
//! between the first and the last line. Of the file's calls only those that were sent are counted.

use crate::names::NONE;
use crate::player::{Call, Counts, Player, Stage};
use crate::service_level::{Counts as Service, Rates, ratio};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Half-hours with fewer arrivals are left out of the correlation.
const ARRIVALS_OF_A_HALF_HOUR_MIN: u64 = 10;
const HALF_HOUR_MS: u64 = 1_800_000;
const ANSWERED_WITHIN_MS: u64 = 20_000;

/// Waits are absent where they mean nothing (`hide_waits`), shares where there is nothing to share.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measures {
    pub arrivals: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub deflected: u64,
    pub unfinished: u64,
    pub waited_share: Option<f64>,
    pub mean_wait_s: Option<f64>,
    pub answered_within_20s_share: Option<f64>,
    pub waited: Waited,
    /// Service levels and rates (`service_level`), of entries into queues: whole, by queue and by tier.
    #[serde(flatten)]
    pub rates: Option<Rates>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Waited {
    pub count: Option<u64>,
    /// Over those who waited.
    pub mean_wait_s: Option<f64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct AgentMeasures {
    pub answered: u64,
    pub occupancy: Option<f64>,
}

/// What really happened, of the calls that say so, beside `predicted` of the same calls.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub observed: Measures,
    pub predicted: Measures,
    pub observed_by_tier: BTreeMap<String, Measures>,
    /// Pearson's, over half-hours with at least 10 arrivals, of the mean wait over all arrivals.
    pub correlation: Option<f64>,
    pub half_hours: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub all: Measures,
    pub occupancy: Option<f64>,
    /// SHA-256 of the decisions; none of a replay, whose ids differ from run to run.
    pub digest: Option<String>,
    /// Real seconds that the run took.
    pub wall_s: f64,
    pub by_queue: BTreeMap<String, Measures>,
    pub by_tier: BTreeMap<String, Measures>,
    pub by_agent: BTreeMap<String, AgentMeasures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Of workloads and workspaces that have such things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Events that the engine ignored or rejected: "type: code" -> how many.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Abandoned,
    Deflected,
    Unfinished,
}

#[derive(Default)]
struct Tally {
    answered: u64,
    abandoned: u64,
    deflected: u64,
    unfinished: u64,
    answered_soon: u64,
    wait_ms: u64,
    waited: u64,
    waited_ms: u64,
}

impl Tally {
    fn add(&mut self, fate: Fate, wait_ms: u64, waited: bool) {
        match fate {
            Fate::Answered => self.answered += 1,
            Fate::Abandoned => self.abandoned += 1,
            Fate::Deflected => self.deflected += 1,
            Fate::Unfinished => self.unfinished += 1,
        }
        if fate == Fate::Answered && wait_ms <= ANSWERED_WITHIN_MS {
            self.answered_soon += 1;
        }
        self.wait_ms += wait_ms;
        if waited {
            self.waited += 1;
            self.waited_ms += wait_ms;
        }
    }

    fn measures(&self) -> Measures {
        let arrivals = self.answered + self.abandoned + self.deflected + self.unfinished;
        Measures {
            arrivals,
            answered: self.answered,
            abandoned: self.abandoned,
            deflected: self.deflected,
            unfinished: self.unfinished,
            waited_share: ratio(self.waited, arrivals),
            mean_wait_s: ratio(self.wait_ms, arrivals).map(|ms| ms / 1000.0),
            answered_within_20s_share: ratio(self.answered_soon, arrivals),
            waited: Waited {
                count: Some(self.waited),
                mean_wait_s: ratio(self.waited_ms, self.waited).map(|ms| ms / 1000.0),
            },
            rates: None,
        }
    }
}

/// How a call stands, as far as the run has come; none for one that was not sent.
fn standing(call: &Call, now: u64) -> Option<(Fate, u64)> {
    let wait_ms = match call.stage {
        Stage::InBot => 0,
        _ => call.wait_ms.unwrap_or_else(|| now.saturating_sub(call.waits_since)),
    };
    let fate = match call.stage {
        Stage::Ahead => return None,
        Stage::Waiting | Stage::InBot if call.wait_ms.is_none() => Fate::Unfinished,
        // Answered once, and again in line after a transfer or a reopening.
        Stage::Waiting | Stage::InBot => Fate::Answered,
        Stage::Working | Stage::Answered => Fate::Answered,
        Stage::Abandoned => Fate::Abandoned,
        Stage::Deflected => Fate::Deflected,
    };
    Some((fate, wait_ms))
}

impl Figures {
    /// Of a run that has ended. The player's account must be settled.
    pub fn of(player: &Player<'_>, digest: Option<String>, wall_s: f64) -> Figures {
        let mut all = Tally::default();
        let mut by_queue: Vec<Tally> = Vec::new();
        let mut by_tier: Vec<Tally> = Vec::new();
        let mut answered = vec![0; player.agents.len()];
        by_queue.resize_with(player.queues.len(), Tally::default);
        by_tier.resize_with(player.tiers.len(), Tally::default);
        for call in &player.calls {
            let Some((fate, wait_ms)) = standing(call, player.last_time) else { continue };
            all.add(fate, wait_ms, call.waited);
            if call.queue != NONE {
                by_queue[call.queue as usize].add(fate, wait_ms, call.waited);
            }
            if call.tier != NONE {
                by_tier[call.tier as usize].add(fate, wait_ms, call.waited);
            }
            if call.agent != NONE {
                answered[call.agent as usize] += 1;
            }
        }
        let held: u64 = player.agents.iter().map(|agent| agent.held_unit_ms).sum();
        let online: u64 = player.agents.iter().map(|agent| agent.online_unit_ms).sum();
        let by_agent = player.agents.iter().enumerate().map(|(number, agent)| {
            let occupancy = ratio(agent.held_unit_ms, agent.online_unit_ms);
            let measures = AgentMeasures { answered: answered[number], occupancy };
            (player.agent_names.text(number as u32).to_owned(), measures)
        });
        let mut together = Service::default();
        player.service.iter().for_each(|service| together += *service);
        let refused = player.refused.iter().map(|((code, kind), count)| (format!("{kind}: {code}"), *count));
        Figures {
            all: Measures { rates: Some(together.rates()), ..all.measures() },
            occupancy: ratio(held, online),
            digest,
            wall_s,
            by_queue: named(&by_queue, &player.service, |number| player.queues.text(number)),
            by_tier: named(&by_tier, &player.service_of_tier, |number| player.tiers.text(number)),
            by_agent: by_agent.collect(),
            comparison: compare(player),
            counts: (player.counts != Counts::default()).then_some(player.counts),
            refused: refused.collect(),
        }
    }

    /// Leaves out what means nothing where the engine's clock does not run at the player's speed.
    pub fn hide_waits(&mut self) {
        let hide = |measures: &mut Measures| {
            measures.waited_share = None;
            measures.mean_wait_s = None;
            measures.answered_within_20s_share = None;
            measures.waited = Waited::default();
            measures.rates = None;
        };
        hide(&mut self.all);
        self.by_queue.values_mut().for_each(hide);
        self.by_tier.values_mut().for_each(hide);
        self.by_agent.values_mut().for_each(|agent| agent.occupancy = None);
        self.occupancy = None;
        self.comparison = None;
    }

    /// Mean wait of one tier : mean wait of all others, among those who waited.
    pub fn waited_ratio(&self, tier: &str) -> Option<f64> {
        let own = self.by_tier.get(tier)?.waited.mean_wait_s?;
        let (mut count, mut seconds) = (0, 0.0);
        for (_, measures) in self.by_tier.iter().filter(|(name, _)| *name != tier) {
            if let (Some(waited), Some(mean_s)) = (measures.waited.count, measures.waited.mean_wait_s) {
                count += waited;
                seconds += mean_s * waited as f64;
            }
        }
        (count > 0 && seconds > 0.0).then(|| own / (seconds / count as f64))
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}

fn named<'a>(tallies: &[Tally], services: &[Service], name: impl Fn(u32) -> &'a str) -> BTreeMap<String, Measures> {
    let measures = |(number, tally): (usize, &Tally)| {
        let rates = services.get(number).copied().unwrap_or_default().rates();
        (name(number as u32).to_owned(), Measures { rates: Some(rates), ..tally.measures() })
    };
    tallies.iter().enumerate().map(measures).collect()
}

#[derive(Default)]
struct HalfHour {
    arrivals: u64,
    predicted_ms: u64,
    observed_ms: u64,
}

/// Predicted beside real, over the calls that carry `observed`; none where there are none.
fn compare(player: &Player<'_>) -> Option<Comparison> {
    let (mut real, mut predicted) = (Tally::default(), Tally::default());
    let mut real_by_tier: BTreeMap<String, Tally> = BTreeMap::new();
    let mut half_hours: BTreeMap<u64, HalfHour> = BTreeMap::new();
    for (number, call) in player.calls.iter().enumerate() {
        let arrival = player.arrival(number as u32);
        let (Some((fate, wait_ms)), Some(observed)) = (standing(call, player.last_time), &arrival.observed) else {
            continue;
        };
        let real_ms = if observed.queued { observed.wait_ms } else { 0 };
        let real_fate = match (observed.answered, observed.abandoned) {
            (true, _) => Fate::Answered,
            (_, true) => Fate::Abandoned,
            _ => Fate::Unfinished,
        };
        predicted.add(fate, wait_ms, call.waited);
        real.add(real_fate, real_ms, observed.queued);
        if let Some(tier) = &arrival.tier {
            real_by_tier.entry(tier.to_string()).or_default().add(real_fate, real_ms, observed.queued);
        }
        let half_hour = half_hours.entry(arrival.at / HALF_HOUR_MS).or_default();
        half_hour.arrivals += 1;
        half_hour.predicted_ms += wait_ms;
        half_hour.observed_ms += real_ms;
    }
    let mean = |ms: u64, half_hour: &HalfHour| ms as f64 / half_hour.arrivals as f64;
    let pairs: Vec<(f64, f64)> = half_hours
        .values()
        .filter(|half_hour| half_hour.arrivals >= ARRIVALS_OF_A_HALF_HOUR_MIN)
        .map(|half_hour| (mean(half_hour.predicted_ms, half_hour), mean(half_hour.observed_ms, half_hour)))
        .collect();
    let observed = real.measures();
    (observed.arrivals > 0).then(|| Comparison {
        observed,
        predicted: predicted.measures(),
        observed_by_tier: real_by_tier.iter().map(|(tier, tally)| (tier.clone(), tally.measures())).collect(),
        correlation: pearson(&pairs),
        half_hours: pairs.len() as u64,
    })
}

/// Pearson's product-moment correlation; none where one side does not vary.
fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (mean_x, mean_y) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(x, y)| f(x - mean_x, y - mean_y)).sum::<f64>();
    let spread = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    (spread > 0.0).then(|| sum(&|x, y| x * y) / spread)
}

#[derive(Serialize)]
struct CallLine<'a> {
    conversation: &'a str,
    queue: Option<&'a str>,
    tier: Option<&'a str>,
    agent: Option<&'a str>,
    arrival: String,
    /// None where waits mean nothing.
    wait_s: Option<f64>,
    outcome: &'static str,
}

/// Writes one line a conversation that was sent, in the order of the workload; `arrival` is the engine's time of it.
pub fn write_calls(path: &Path, player: &Player<'_>, with_waits: bool) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(context)?);
    for (number, call) in player.calls.iter().enumerate() {
        let Some((fate, wait_ms)) = standing(call, player.last_time) else { continue };
        let arrival = player.arrival(number as u32);
        let line = CallLine {
            conversation: &arrival.conversation,
            queue: (call.queue != NONE).then(|| player.queues.text(call.queue)),
            tier: arrival.tier.as_deref(),
            agent: (call.agent != NONE).then(|| player.agent_names.text(call.agent)),
            arrival: connectors::codec::timestamp(call.arrival),
            wait_s: with_waits.then_some(wait_ms as f64 / 1000.0),
            outcome: match fate {
                Fate::Answered => "answered",
                Fate::Abandoned => "abandoned",
                Fate::Deflected => "deflected",
                Fate::Unfinished => "unfinished",
            },
        };
        serde_json::to_writer(&mut file, &line).with_context(context)?;
        file.write_all(b"\n").with_context(context)?;
    }
    file.flush().with_context(context)
}

/// The report for people.
pub fn print(figures: &Figures, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{:<16} {HEADINGS}", "")?;
    row(out, "all", &figures.all)?;
    for (title, group) in [("queue", &figures.by_queue), ("tier", &figures.by_tier)] {
        for (name, measures) in group {
            row(out, &format!("{title} {name}"), measures)?;
        }
    }
    writeln!(out, "\n{:<16} {RATE_HEADINGS}", "")?;
    rates_row(out, "all", &figures.all)?;
    for (title, group) in [("queue", &figures.by_queue), ("tier", &figures.by_tier)] {
        for (name, measures) in group {
            rates_row(out, &format!("{title} {name}"), measures)?;
        }
    }
    if let Some(comparison) = &figures.comparison {
        writeln!(out, "\n{:<16} {HEADINGS}", "of those observed")?;
        row(out, "predicted", &comparison.predicted)?;
        row(out, "real", &comparison.observed)?;
        for (name, measures) in &comparison.observed_by_tier {
            row(out, &format!("real tier {name}"), measures)?;
        }
        let correlation = comparison.correlation.map_or("-".to_owned(), |r| format!("{r:.3}"));
        writeln!(out, "correlation of the mean wait over {} half-hours: {correlation}", comparison.half_hours)?;
    }
    writeln!(out)?;
    for tier in figures.by_tier.keys() {
        if let Some(ratio) = figures.waited_ratio(tier) {
            writeln!(out, "mean wait of tier {tier} : all others, among those who waited: {ratio:.3}")?;
        }
    }
    for (name, agent) in &figures.by_agent {
        writeln!(out, "agent {name:<10} answered {:>8}  occupancy {}", agent.answered, percent(agent.occupancy))?;
    }
    if let Some(c) = &figures.counts {
        writeln!(
            out,
            "offers {}: {} accepted, {} declined, {} expired; {} handed over by bots, {} transferred, {} reopened",
            c.offers, c.accepted, c.declined, c.expired, c.handoffs, c.transfers, c.reopened
        )?;
    }
    for (what, count) in &figures.refused {
        writeln!(out, "refused or ignored: {what}: {count}")?;
    }
    writeln!(out, "occupancy {}  took {:.2} s", percent(figures.occupancy), figures.wall_s)?;
    if let Some(digest) = &figures.digest {
        writeln!(out, "digest {digest}")?;
    }
    Ok(())
}

const HEADINGS: &str =
    " arrivals  answered abandoned deflected unfinished  waited%  mean wait  <=20s%  waited: count  mean wait";

fn row(out: &mut impl Write, name: &str, m: &Measures) -> std::io::Result<()> {
    writeln!(
        out,
        "{name:<16}  {:>8} {:>9} {:>9} {:>9} {:>10} {:>8} {:>10} {:>7} {:>14} {:>10}",
        m.arrivals,
        m.answered,
        m.abandoned,
        m.deflected,
        m.unfinished,
        percent(m.waited_share),
        seconds(m.mean_wait_s),
        percent(m.answered_within_20s_share),
        m.waited.count.map_or("-".to_owned(), |count| count.to_string()),
        seconds(m.waited.mean_wait_s),
    )
}

const RATE_HEADINGS: &str =
    "service level of_answered    sl2 of_arrivals w/o early abandons        asa abandoned%        aht   response";

fn rates_row(out: &mut impl Write, name: &str, m: &Measures) -> std::io::Result<()> {
    let Some(rates) = &m.rates else { return Ok(()) };
    writeln!(
        out,
        "{name:<16} {:>13} {:>11} {:>6} {:>11} {:>18} {:>10} {:>10} {:>10} {:>10}",
        percent(rates.service_level),
        percent(rates.of_answered),
        percent(rates.sl2),
        percent(rates.of_arrivals),
        percent(rates.without_early_abandons),
        seconds(rates.asa_s),
        percent(rates.abandonment),
        seconds(rates.aht_s),
        seconds(rates.average_response_s),
    )
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.2}", share * 100.0))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlation_is_pearsons() {
        let close = |pairs: &[(f64, f64)], r: f64| (pearson(pairs).unwrap() - r).abs() < 1e-12;
        assert!(close(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)], 1.0));
        assert!(close(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)], 0.5));
        assert_eq!(pearson(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    #[test]
    fn an_abandoned_wait_counts_in_the_mean_and_not_as_answered() {
        let mut tally = Tally::default();
        tally.add(Fate::Answered, 0, false);
        tally.add(Fate::Abandoned, 10_000, true);
        tally.add(Fate::Answered, 20_000, true);
        tally.add(Fate::Answered, 30_000, true);
        let measures = tally.measures();
        assert_eq!((measures.arrivals, measures.mean_wait_s), (4, Some(15.0)));
        assert_eq!((measures.waited_share, measures.waited.mean_wait_s), (Some(0.75), Some(20.0)));
        assert_eq!(measures.answered_within_20s_share, Some(0.5));
    }
}
