//! Each case of the reference: the systems it is played as, and the figures that are judged.

use crate::theory::system::{Agent, Class, Drawn, Fate, One, Outcome, System};
use crate::theory::{Row, Run, bank, id_of, number, recursion, tolerance};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Samples of which one must have the figures of a printed table.
const SAMPLES_MAX: u64 = 5_000;
/// Of the Erlang C of Garnett, Mandelbaum and Reiman one sample in a thousand has both printed waits. The search for it
/// begins where it once ended with 1,000,000 arrivals: those before it are not tried again.
const GARNETT_FIRST: u64 = 974;
/// No waiting place: who is not answered within a millisecond is sent away. (0 places cannot be said: 0 is no limit.)
const NO_PLACE_MS: u64 = 1;
/// A difference of two means that are not far apart is judged by itself.
const DIFFERENCE_OFF_MAX: f64 = 0.03;
/// A head start above every wait.
const ENDLESS_HEAD_START_S: u64 = 10_000_000;

/// The figures of a case, and what is to be said of its runs.
pub fn play(case: &Value, run: &Run<'_>) -> Result<(Vec<Row>, String)> {
    let id = id_of(case);
    let judged = Judged { case, run };
    let plain = |rows: Result<Vec<Row>>| rows.map(|rows| (rows, String::new()));
    match id {
        "erlang_b" => plain(judged.erlang_b()),
        "smooth_wrr" => plain(judged.smooth_wrr()),
        "pooling_2x10_vs_20" => plain(judged.pooling()),
        "anonymous_bank_dispatch_rule" => bank::judge(case, run.data),
        _ if id.starts_with("mmc_c") => plain(judged.m_m_c(|system| system)),
        _ if id.starts_with("mmck_") => {
            let places = judged.parameter("places_total")? - judged.parameter("servers")?;
            plain(judged.m_m_c(|system| System { waiting_max: Some(places as u32), ..system }))
        }
        _ if id.starts_with("mmc_D_") => {
            let wait_max_ms = judged.parameter("D_s")? * 1000.0;
            plain(judged.m_m_c(|system| System { wait_max_ms: Some(wait_max_ms as u64), ..system }))
        }
        _ if id.starts_with("erlang_a_") => {
            let patience_s = judged.parameter("mean_patience_s")?;
            plain(judged.m_m_c(|system| system.with_patience(patience_s)))
        }
        _ if id.starts_with("priority_") => plain(judged.priority()),
        _ if id.starts_with("mg1_") => plain(judged.mg1()),
        _ if id.starts_with("skills_") => plain(judged.skills()),
        _ if id.starts_with("chat_concurrency_") => plain(judged.chat()),
        _ if id.starts_with("fairness_") => plain(judged.fairness()),
        _ if id.starts_with("head_start_vip_") => plain(judged.head_start()),
        _ if id.starts_with("cc_") => judged.day(),
        _ if id.starts_with("published_garnett") => judged.garnett(),
        _ => bail!("this case is not known here"),
    }
}

struct Judged<'r> {
    case: &'r Value,
    run: &'r Run<'r>,
}

impl Judged<'_> {
    fn parameter(&self, name: &str) -> Result<f64> {
        number(&self.case["params"], &[name])
    }

    fn parameters(&self, name: &str) -> Result<Vec<f64>> {
        let list = self.case["params"][name].as_array().with_context(|| format!("{name} is no list"))?;
        list.iter().map(|value| value.as_f64().with_context(|| format!("{name} has no number"))).collect()
    }

    fn expect(&self) -> &Value {
        &self.case["expect"]
    }

    fn play(&self, system: &System) -> Result<Outcome> {
        system.play(self.run.arrivals, self.run.seed)
    }

    fn row(&self, figure: impl Into<String>, expected: f64, measured: f64, tolerance: f64) -> Row {
        Row { case: id_of(self.case).to_owned(), figure: figure.into(), expected, measured, tolerance }
    }

    /// A figure judged by the deviation of a run.
    fn judge(&self, figure: &[&str], expected: f64, outcome: &Outcome, system: &System) -> Result<Row> {
        self.judge_as(figure, expected, measure(figure, outcome)?, outcome.ones.len(), system)
    }

    fn judge_as(&self, figure: &[&str], expected: f64, measured: f64, arrivals: usize, of: &System) -> Result<Row> {
        let agents = of.agents.len() as u64 * u64::from(of.units);
        let erlangs = of.classes.iter().map(|class| class.rate_per_s).sum::<f64>() * of.handle_s;
        let deviation = tolerance::deviation(self.case, figure, agents, erlangs, self.run.reference)?;
        let tolerance = tolerance::of_deviation(expected, deviation, arrivals);
        Ok(self.row(figure.join("."), expected, measured, tolerance))
    }

    /// All figures under `expect`, but those that are no figures of a run.
    fn judge_all(&self, outcome: &Outcome, system: &System) -> Result<Vec<Row>> {
        let mut figures = Vec::new();
        leaves(self.expect(), &mut Vec::new(), &mut figures);
        figures.retain(|(path, _)| path[0] != "trunc_mass");
        let judge = |(path, expected): &(Vec<String>, f64)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.judge(&path, *expected, outcome, system)
        };
        figures.iter().map(judge).collect()
    }

    fn m_m_c(&self, more: impl FnOnce(System) -> System) -> Result<Vec<Row>> {
        let agents = self.parameter("servers")? as u64;
        let system = more(System::of(agents, self.parameter("lambda_per_s")?, self.parameter("aht_s")?));
        self.judge_all(&self.play(&system)?, &system)
    }

    fn erlang_b(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for row in self.expect()["rows"].as_array().context("no rows")? {
            let (agents, erlangs) = (number(row, &["servers"])?, number(row, &["offered_erlangs"])?);
            const HANDLE_S: f64 = 1000.0;
            let system = System::of(agents as u64, erlangs / HANDLE_S, HANDLE_S);
            let system = System { wait_max_ms: Some(NO_PLACE_MS), ..system };
            let outcome = self.play(&system)?;
            let mut judged = self.judge(&["p_block"], number(row, &["p_block"])?, &outcome, &system)?;
            judged.figure = format!("p_block of {agents} agents, {erlangs} Erlang");
            rows.push(judged);
        }
        Ok(rows)
    }

    /// Classes by rate, the first of them before the second.
    fn priority(&self) -> Result<Vec<Row>> {
        let patiences = self.parameters("mean_patience_s").unwrap_or_default();
        let class = |(number, rate_per_s): (usize, &f64)| Class {
            rate_per_s: *rate_per_s,
            patience_s: patiences.get(number).copied(),
            ..Class::default()
        };
        let classes = self.parameters("lambda_per_s")?.iter().enumerate().map(class).collect();
        let system = System::of(self.parameter("servers")? as u64, 0.0, self.parameter("aht_s")?);
        let system = System { strict: true, ..system.with_classes(classes) };
        self.judge_all(&self.play(&system)?, &system)
    }

    fn mg1(&self) -> Result<Vec<Row>> {
        let (rate_per_s, handle_s) = (self.parameter("lambda_per_s")?, self.parameter("aht_s")?);
        ensure!(self.case["params"]["service"] == "exponential", "only exponential handling is drawn here");
        let one = System::of(1, rate_per_s, handle_s);
        let share = self.parameter("vip_share")?;
        let class = |share: f64| Class { rate_per_s: rate_per_s * share, ..Class::default() };
        let two = System { strict: true, ..one.clone().with_classes(vec![class(share), class(1.0 - share)]) };
        let expected = |path: &[&str]| number(self.expect(), path);
        let outcome = self.play(&one)?;
        let mut rows = vec![self.judge(&["mean_wait_fcfs"], expected(&["mean_wait_fcfs"])?, &outcome, &one)?];
        let outcome = self.play(&two)?;
        for index in ["0", "1"] {
            let path = ["mean_wait_priority", index];
            rows.push(self.judge(&path, expected(&path)?, &outcome, &two)?);
        }
        Ok(rows)
    }

    /// `skills` has a row an agent: which of the two kinds of customers he can serve.
    fn skills(&self) -> Result<Vec<Row>> {
        const SKILLS: [&str; 2] = ["one", "other"];
        let rates = self.parameters("lambda_per_s")?;
        ensure!(rates.len() == SKILLS.len(), "two classes are known here");
        let class = |(rate_per_s, skill): (&f64, &&'static str)| Class {
            rate_per_s: *rate_per_s,
            skill: Some(*skill),
            ..Class::default()
        };
        let mut agents = Vec::new();
        for row in self.case["params"]["skills"].as_array().context("no skills")? {
            let has = |(index, skill): (usize, &'static str)| (row[index] == 1).then_some(skill);
            agents.push(Agent { skills: SKILLS.into_iter().enumerate().filter_map(has).collect(), weight: 1 });
        }
        let system = System::of(0, 0.0, self.parameter("aht_s")?);
        let system = System { agents, ..system.with_classes(rates.iter().zip(&SKILLS).map(class).collect()) };
        self.judge_all(&self.play(&system)?, &system)
    }

    fn pooling(&self) -> Result<Vec<Row>> {
        const POOLS: [&str; 2] = ["one", "other"];
        const AGENTS_OF_A_POOL: usize = 10;
        const ERLANGS_OF_A_POOL: f64 = 9.0;
        let handle_s = self.parameter("aht_s")?;
        let rate_per_s = ERLANGS_OF_A_POOL / handle_s;
        let class = |skill| Class { rate_per_s, skill: Some(skill), ..Class::default() };
        let with = |skills: &[&'static str]| vec![Agent { skills: skills.to_vec(), weight: 1 }; AGENTS_OF_A_POOL];
        let system = System::of(0, 0.0, handle_s).with_classes(POOLS.map(class).to_vec());
        let separate = System { agents: [with(&POOLS[..1]), with(&POOLS[1..])].concat(), ..system.clone() };
        let pooled = System { agents: [with(&POOLS), with(&POOLS)].concat(), ..system };
        // Each pool by itself is what its figures are of.
        let one_pool = System::of(AGENTS_OF_A_POOL as u64, rate_per_s, handle_s);
        let (apart, together) = (self.play(&separate)?, self.play(&pooled)?);
        let mut rows = Vec::new();
        for (name, outcome, of) in [("separate", &apart, &one_pool), ("pooled", &together, &pooled)] {
            for figure in ["p_wait", "mean_wait", "sl20"] {
                let mut row = self.judge(&[figure], number(self.expect(), &[name, figure])?, outcome, of)?;
                row.figure = format!("{name}.{figure}");
                rows.push(row);
            }
        }
        let ratio = apart.mean_wait_s(|_| true) / together.mean_wait_s(|_| true);
        let expected = number(self.expect(), &["ratio_mean_wait"])?;
        rows.push(self.judge_as(&["ratio_mean_wait"], expected, ratio, together.ones.len(), &pooled)?);
        Ok(rows)
    }

    fn chat(&self) -> Result<Vec<Row>> {
        let agents = self.parameter("agents")? as u64;
        let system = System::of(agents, self.parameter("lambda_per_s")?, self.parameter("aht_s")?);
        let units = self.parameter("capacity")? as u32;
        let system = System { units, strategy: "least_loaded", ..system };
        self.judge_all(&self.play(&system)?, &system)
    }

    fn fairness(&self) -> Result<Vec<Row>> {
        let agents = self.parameter("servers")? as u64;
        let system = System::of(agents, self.parameter("lambda_per_s")?, self.parameter("aht_s")?);
        let outcome = self.play(&system)?;
        let mut rows = vec![self.judge(&["mean_wait"], number(self.expect(), &["mean_wait"])?, &outcome, &system)?];
        let fair = number(self.expect(), &["exact_if_fair"])?;
        for agent in 0..agents {
            rows.push(self.judge(&["utilization_by_agent", &agent.to_string()], fair, &outcome, &system)?);
        }
        Ok(rows)
    }

    /// Two classes of which one has a head start; and the same with a head start that is strict priority.
    fn head_start(&self) -> Result<Vec<Row>> {
        let rates = self.parameters("lambda_per_s")?;
        let agents = self.parameter("servers")? as u64;
        let handle_s = self.parameter("aht_s")?;
        let system = |head_starts: &[f64]| {
            let class = |(rate_per_s, head_start_s): (&f64, &f64)| Class {
                rate_per_s: *rate_per_s,
                head_start_s: *head_start_s as u64,
                ..Class::default()
            };
            System::of(agents, 0.0, handle_s).with_classes(rates.iter().zip(head_starts).map(class).collect())
        };
        let own = system(&self.parameters("head_start_s")?);
        let strict = system(&[ENDLESS_HEAD_START_S as f64, 0.0]);
        let expected = |path: &[&str]| number(self.expect(), path);
        let outcome = self.play(&own)?;
        let mut rows = Vec::new();
        for figure in ["mean_wait_overall", "conservation_exact_overall"] {
            rows.push(self.judge(&[figure], expected(&[figure])?, &outcome, &own)?);
        }
        let difference = expected(&["mean_wait_by_class", "1"])? - expected(&["mean_wait_by_class", "0"])?;
        let measured = outcome.mean_wait_s(|one| one.class == 1) - outcome.mean_wait_s(|one| one.class == 0);
        // Without a head start there is no difference that 3 % could be of: the mean wait stands for it.
        let scale = if own.classes[0].head_start_s == 0 { expected(&["mean_wait_overall"])? } else { difference };
        rows.push(self.row("mean_wait, difference of the classes", difference, measured, scale * DIFFERENCE_OFF_MAX));
        let outcome = self.play(&strict)?;
        for (class, index) in ["0", "1"].into_iter().enumerate() {
            let measured = outcome.mean_wait_s(|one| one.class as usize == class);
            let path = ["strict_priority_exact", index];
            rows.push(self.judge_as(&path, expected(&path)?, measured, outcome.ones.len(), &strict)?);
        }
        Ok(rows)
    }

    /// Every pick of a weighted rotation over agents who never fill up.
    fn smooth_wrr(&self) -> Result<Vec<Row>> {
        let rows = self.expect()["rows"].as_array().context("no rows")?;
        let arrivals = self.run.arrivals.div_ceil(rows.len() as u64);
        rows.iter().map(|row| self.rotation(row, arrivals)).collect()
    }

    fn rotation(&self, row: &Value, arrivals: u64) -> Result<Row> {
        let weights = row["weights"].as_object().context("no weights")?;
        let sequence: Vec<u32> =
            row["sequence"].as_str().unwrap_or("").bytes().map(|letter| u32::from(letter - b'a')).collect();
        let agent = |weight: &Value| Agent { weight: weight.as_u64().unwrap_or(0) as u32, skills: Vec::new() };
        let agents: Vec<Agent> = weights.values().map(agent).collect();
        let round: u32 = agents.iter().map(|agent| agent.weight).sum();
        ensure!(sequence.len() >= round as usize, "the sequence is shorter than a round");
        let system = System { agents, units: 1_000, strategy: "weighted_round_robin", ..System::of(0, 1.0, 1.0) };
        let drawn: Vec<Drawn> = (1..=arrivals)
            .map(|number| Drawn { day: 0, at_ms: number * 1000, class: 0, handle_ms: 1500, patience_ms: None })
            .collect();
        let outcome = system.play_drawn(&drawn)?;
        // The rotation repeats itself after the sum of its weights; what is printed beyond that has to be met too.
        let expected = |pick: usize| sequence.get(pick).copied().unwrap_or(sequence[pick % round as usize]);
        let picks = outcome.ones.iter().enumerate();
        let wrong = picks.filter(|(pick, one)| one.agent != expected(*pick)).count();
        let names = weights.iter().map(|(name, weight)| format!("{name}:{weight}")).collect::<Vec<_>>().join(" ");
        Ok(self.row(format!("wrong picks of {arrivals}, {names}"), 0.0, wrong as f64, 0.0))
    }

    /// A day that begins empty, of the printed output of another simulator.
    fn day(&self) -> Result<(Vec<Row>, String)> {
        const AGENTS: u64 = 12;
        const RATE_PER_S: f64 = 4.2 / 60.0;
        const HANDLE_S: f64 = 120.0;
        const DAY_S: u64 = 480 * 60;
        const PATIENCE_S: f64 = 60.0;
        let system = System { day_s: Some(DAY_S), ..System::of(AGENTS, RATE_PER_S, HANDLE_S) };
        let system = if id_of(self.case) == "cc_mmc" { system } else { system.with_patience(PATIENCE_S) };
        let figures = self.expect().as_object().context("no figures")?;
        self.printed(&system, 1, |outcome| {
            let judge = |(name, printed): (&String, &Value)| {
                let measured = measure_day(name, outcome)?;
                let (expected, half_width) = (number(printed, &["mean"])?, number(printed, &["ci95_half_width"])?);
                Ok(self.row(name, expected, measured, half_width))
            };
            figures.iter().map(judge).collect()
        })
    }

    /// Table 1 of Garnett, Mandelbaum and Reiman: 50 agents, 48 calls a minute of one minute each.
    fn garnett(&self) -> Result<(Vec<Row>, String)> {
        const PATIENCE_S: f64 = 120.0;
        let endless = System::of(50, 48.0 / 60.0, 60.0);
        let patient = endless.clone().with_patience(PATIENCE_S);
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for (model, system, first) in [("erlang_c", endless, GARNETT_FIRST), ("erlang_a", patient, 1)] {
            let figures = self.expect()[model].as_object().context("no figures")?;
            let (found, note) = self.printed(&system, first, |outcome| {
                let judge = |(name, printed): (&String, &Value)| {
                    let figure = name.trim_end_matches("_s");
                    let (expected, measured) = (number(printed, &[])?, measure(&[figure], outcome)?);
                    Ok(self.row(format!("{model}.{name}"), expected, measured, tolerance::of_last_digit(printed)))
                };
                figures.iter().map(judge).collect()
            })?;
            rows.extend(found);
            notes.push(format!("{model}: {note}"));
        }
        Ok((rows, notes.join("; ")))
    }

    /// Judges the engine on the first sample, from the `first` on, of which the recursion has the printed figures.
    fn printed(
        &self,
        system: &System,
        first: u64,
        judge: impl Fn(&Outcome) -> Result<Vec<Row>>,
    ) -> Result<(Vec<Row>, String)> {
        let first = self.run.seed.saturating_add(first - 1);
        for seed in first..first.saturating_add(SAMPLES_MAX) {
            let drawn = system.draw(self.run.arrivals, seed);
            if judge(&recursion::outcome(system, &drawn))?.iter().all(Row::is_inside) {
                let note = format!(
                    "seed {seed}, chosen: the first from {first} on whose arrivals have the printed figures by Kiefer and \
                     Wolfowitz; the engine has to have them too"
                );
                return Ok((judge(&system.play_drawn(&drawn)?)?, note));
            }
        }
        bail!("none of {SAMPLES_MAX} samples has the printed figures by the recursion of Kiefer and Wolfowitz")
    }
}

/// The numbers under a value, with their paths.
fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, f64)>) {
    let mut within = |name: String, value: &Value| {
        path.push(name);
        leaves(value, path, found);
        path.pop();
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| within(name.clone(), value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| within(index.to_string(), value)),
        _ => found.extend(value.as_f64().map(|number| (path.clone(), number))),
    }
}

/// A figure of the reference, of a run.
fn measure(figure: &[&str], outcome: &Outcome) -> Result<f64> {
    let all = |_: &One| true;
    let waited = |one: &One| one.waited;
    let abandoned = |one: &One| one.fate == Fate::Abandoned;
    let entered = |one: &One| one.fate != Fate::Deflected;
    let answered_within = |ms: u64| move |one: &One| one.fate == Fate::Answered && one.wait_ms <= ms;
    let ms = |seconds: &str| seconds.parse::<f64>().map(|s| (s * 1000.0) as u64).context("not a time in seconds");
    let index = |text: &str| text.parse::<u32>().context("not an index");
    let of = |class: u32| move |one: &One| one.class == class;
    Ok(match figure {
        ["p_wait"] => outcome.share(waited, all),
        ["p_wait_by_class", class] => outcome.share(waited, of(index(class)?)),
        ["p_wait_given_entered"] => outcome.share(waited, entered),
        ["mean_wait" | "mean_wait_overall" | "mean_wait_fcfs"] => outcome.mean_wait_s(all),
        ["mean_time_in_queue" | "conservation_exact_overall"] => outcome.mean_wait_s(all),
        ["mean_wait_by_class" | "mean_wait_priority", class] => outcome.mean_wait_s(of(index(class)?)),
        ["mean_wait_given_wait"] => outcome.mean_wait_s(waited),
        ["mean_wait_given_entered"] => outcome.mean_wait_s(entered),
        ["mean_wait_given_waited"] => outcome.mean_wait_s(|one| entered(one) && waited(one)),
        ["mean_queue"] => outcome.mean_queue(all),
        ["mean_queue", class] => outcome.mean_queue(of(index(class)?)),
        ["p90_wait"] => outcome.quantile_s(0.9),
        ["occupancy"] => outcome.occupancy(),
        ["utilization_by_agent", agent] => outcome.utilization(index(agent)? as usize),
        ["service_level", seconds] => outcome.share(answered_within(ms(seconds)?), all),
        ["sl20"] => outcome.share(answered_within(20_000), all),
        ["service_level_class1", seconds] => outcome.share(answered_within(ms(seconds)?), of(0)),
        ["service_level_of_entered", seconds] => outcome.share(answered_within(ms(seconds)?), entered),
        ["service_level", seconds, kind] => {
            let limit = ms(seconds)?;
            match *kind {
                "served_within_T_over_all" => outcome.share(answered_within(limit), all),
                "served_within_T_over_served_plus_abandoned_after_T" => {
                    outcome.share(answered_within(limit), |one| !abandoned(one) || one.wait_ms > limit)
                }
                "abandoned_within_T_over_all" => outcome.share(|one| abandoned(one) && one.wait_ms <= limit, all),
                _ => bail!("the service level {kind} is not known"),
            }
        }
        ["p_block" | "p_timeout"] => outcome.share(|one| !entered(one), all),
        ["p_abandon"] => outcome.share(abandoned, all),
        ["p_abandon_by_class", class] => outcome.share(abandoned, of(index(class)?)),
        ["p_abandon_given_wait"] => outcome.share(abandoned, waited),
        _ => bail!("the figure {} is not known", figure.join(".")),
    })
}

/// A figure of a day, of many.
fn measure_day(figure: &str, outcome: &Outcome) -> Result<f64> {
    const SOON_MS: u64 = 20_000;
    let good = |one: &One| one.fate == Fate::Answered && one.wait_ms < SOON_MS;
    let served = |one: &One| one.fate == Fate::Answered;
    let days = outcome.days as f64;
    Ok(match figure {
        "good_per_day" => outcome.count(good) / days,
        "abandoned_per_day" => outcome.count(|one| !served(one)) / days,
        "service_level_good_over_served" => outcome.share(good, served),
        "service_level_good_over_served_plus_abandoned_after_20s" => {
            outcome.share(good, |one| served(one) || one.wait_ms >= SOON_MS)
        }
        "asa_min" | "asa_served_min" => outcome.mean_wait_s(served) / 60.0,
        "occupancy" | "occupancy_0_480" => outcome.occupancy(),
        _ => bail!("the figure {figure} is not known"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(class: u32, wait_s: u64, fate: Fate) -> One {
        One { class, wait_ms: wait_s * 1000, waited: wait_s > 0, fate, agent: 0 }
    }

    #[test]
    fn figures_are_of_whom_their_names_say() {
        let ones = vec![
            one(0, 0, Fate::Answered),
            one(1, 10, Fate::Answered),
            one(1, 30, Fate::Answered),
            one(0, 40, Fate::Abandoned),
            one(1, 0, Fate::Deflected),
        ];
        let outcome = Outcome { ones, held_ms: vec![50_000, 100_000], span_ms: 200_000, days: 1, units: 1 };
        let of = |figure: &[&str]| measure(figure, &outcome).unwrap();
        let near = |measured: f64, expected: f64| assert!((measured - expected).abs() < 1e-12, "{measured} {expected}");
        near(of(&["p_wait"]), 0.6);
        near(of(&["p_wait_given_entered"]), 0.75);
        near(of(&["mean_wait_by_class", "1"]), 40.0 / 3.0);
        near(of(&["mean_wait_given_wait"]), 80.0 / 3.0);
        near(of(&["mean_queue"]), 0.4);
        near(of(&["occupancy"]), 0.375);
        near(of(&["utilization_by_agent", "1"]), 0.5);
        near(of(&["service_level", "20"]), 0.4);
        near(of(&["service_level_of_entered", "20"]), 0.5);
        near(of(&["service_level", "20.0", "served_within_T_over_served_plus_abandoned_after_T"]), 0.4);
        near(of(&["p_block"]), 0.2);
        near(of(&["p_abandon_given_wait"]), 1.0 / 3.0);
        near(of(&["p90_wait"]), 40.0);
        near(measure_day("good_per_day", &outcome).unwrap(), 2.0);
        assert!(measure(&["mean_mood"], &outcome).is_err());
    }
}
