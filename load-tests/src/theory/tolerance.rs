//! How far a figure may be off: 4 relative standard deviations of a run of this length, at least 0.2 %.
//!
//! The deviations stand in the reference, from ten runs of an independent simulator. A figure without one takes the
//! largest of its case, a case without any the largest of the M/M/c that is nearest by agents, then by load.

use crate::theory::{Reference, id_of, number};
use anyhow::{Context, Result};
use serde_json::Value;

const DEVIATIONS: f64 = 4.0;
const RELATIVE_MIN: f64 = 0.002;
/// Arrivals of the run whose deviation the reference has.
const ARRIVALS_OF_DEVIATION: f64 = 1_000_000.0;

/// Absolute, of a figure with this relative standard deviation.
pub fn of_deviation(expected: f64, deviation: f64, arrivals: usize) -> f64 {
    let relative = DEVIATIONS * deviation * (ARRIVALS_OF_DEVIATION / arrivals as f64).sqrt();
    expected.abs() * relative.max(RELATIVE_MIN)
}

/// One unit of the last digit that is printed.
pub fn of_last_digit(printed: &Value) -> f64 {
    let text = printed.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    10f64.powi(-(decimals as i32))
}

/// The relative standard deviation of a figure of this case, from a run of a million arrivals.
pub fn deviation(case: &Value, figure: &[&str], agents: u64, erlangs: f64, reference: &Reference) -> Result<f64> {
    let sim = &case["sim"];
    let own = match figure {
        ["p_wait" | "p_wait_given_entered"] => largest(&sim["p_wait"]),
        ["p_wait_by_class", index] => of(&sim["p_wait"], index),
        ["mean_wait" | "mean_time_in_queue" | "mean_wait_given_entered"] => largest(&sim["mean_wait"]),
        ["mean_wait_by_class", index] => of(&sim["mean_wait"], index),
        ["mean_wait_overall" | "conservation_exact_overall"] => largest(&sim["mean_wait_overall"]),
        ["mean_wait_fcfs"] => largest(&sim["fcfs"]["mean_wait"]),
        ["mean_wait_priority", index] => of(&sim["priority"]["mean_wait"], index),
        ["service_level" | "service_level_of_entered", "20"] => largest(&sim["sl"]),
        ["service_level", _, "served_within_T_over_all"] => largest(&sim["sl"]),
        ["service_level_class1", "20"] => of(&sim["sl"], "0"),
        ["p_block"] => largest(&sim["p_block"]),
        ["p_abandon" | "p_timeout"] => largest(&sim["p_abandon"]),
        ["p_abandon_by_class", index] => of(&sim["p_abandon"], index),
        ["occupancy"] => largest(&sim["util"]),
        ["utilization_by_agent", index] => of(&sim["util"], index),
        _ => None,
    };
    match own.or_else(|| largest(sim)) {
        Some(deviation) => Ok(deviation),
        None => nearest(agents, erlangs, reference).context("the reference has no M/M/c with deviations"),
    }
}

fn of(sim: &Value, index: &str) -> Option<f64> {
    number(sim, &["sim_rel_sd", index]).ok()
}

/// The largest of all deviations in here.
fn largest(value: &Value) -> Option<f64> {
    let of_members = |members: &serde_json::Map<String, Value>| {
        let of_member = |(name, value): (&String, &Value)| match (name.as_str(), value) {
            ("sim_rel_sd", Value::Array(list)) => list.iter().filter_map(Value::as_f64).reduce(f64::max),
            _ => largest(value),
        };
        members.iter().filter_map(of_member).reduce(f64::max)
    };
    value.as_object().and_then(of_members)
}

fn nearest(agents: u64, erlangs: f64, reference: &Reference) -> Option<f64> {
    let m_m_c = reference.cases.iter().filter(|case| id_of(case).starts_with("mmc_c"));
    let distances = m_m_c.filter_map(|case| {
        let servers = number(case, &["params", "servers"]).ok()?;
        let load = number(case, &["params", "offered_erlangs"]).ok()? / servers;
        let away = ((servers / agents as f64).ln().abs(), (load - erlangs / agents as f64).abs());
        Some((away, largest(&case["sim"])?))
    });
    distances.min_by(|(one, _), (other, _)| one.partial_cmp(other).expect("finite")).map(|(_, deviation)| deviation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_longer_run_is_allowed_less_and_none_less_than_two_thousandths() {
        assert!((of_deviation(100.0, 0.01, 1_000_000) - 4.0).abs() < 1e-9);
        assert!((of_deviation(100.0, 0.01, 4_000_000) - 2.0).abs() < 1e-9);
        assert!((of_deviation(-100.0, 0.0001, 1_000_000) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn the_last_digit_is_that_of_the_print() {
        let near = |printed: Value, digit: f64| (of_last_digit(&printed) - digit).abs() < 1e-12;
        assert!(near(json!(20.8), 0.1) && near(json!(17), 1.0) && near(json!(0.031), 0.001));
    }

    #[test]
    fn a_figure_takes_its_own_deviation_then_the_largest_of_its_case_then_that_of_the_nearest_m_m_c() {
        let sim = json!({"p_wait": {"sim_rel_sd": [0.01]}, "mean_wait": {"sim_rel_sd": [0.02, 0.03]}});
        let case = json!({"id": "x", "sim": sim});
        let m_m_c = |servers: u32, erlangs: f64, deviation: f64| {
            json!({"id": format!("mmc_c{servers}"), "params": {"servers": servers, "offered_erlangs": erlangs},
                "sim": {"p_wait": {"sim_rel_sd": [deviation]}}})
        };
        let reference = Reference { cases: vec![m_m_c(5, 3.0, 0.1), m_m_c(20, 10.0, 0.2), m_m_c(20, 19.0, 0.3)] };
        let deviation = |case: &Value, figure: &[&str]| deviation(case, figure, 30, 28.0, &reference).unwrap();
        assert_eq!(deviation(&case, &["p_wait"]), 0.01);
        assert_eq!(deviation(&case, &["mean_wait_by_class", "0"]), 0.02);
        assert_eq!(deviation(&case, &["p90_wait"]), 0.03);
        assert_eq!(deviation(&json!({"id": "y"}), &["p_block"]), 0.3);
    }
}
