//! How a conversation goes on beyond being answered and handled: the optional fields of an arrival's line.
//!
//! `workload` reads them here, `player` acts on them. A first line `{"kind": "workload", "version": 1, …}` may set the
//! shares for all arrivals that do not name their own.

use crate::workload::{id, milliseconds};
use anyhow::{Result, ensure};
use serde::Deserialize;

type Text = Box<str>;

/// Messages back and forth of one conversation.
pub const TURNS_MAX: usize = 1_000;

/// All durations in milliseconds. The default is a conversation that is answered, handled and resolved.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Course {
    /// A bot that has it first hands it over after so long.
    pub bot_ms: Option<u64>,
    /// An agent who is offered it looks at the offer for so long.
    pub accept_ms: u64,
    /// Shares of its offers that are declined, and that are left to run out; together at most 1.
    pub decline_share: f64,
    pub miss_share: f64,
    /// After its end the agent completes his wrap-up after so long. None: he does not.
    pub acw_ms: Option<u64>,
    /// Messages that the customer writes after the first reply.
    pub turns: Vec<Turn>,
    pub transfer: Option<Transfer>,
    /// The customer of an async conversation writes again so long after its first end.
    pub reopen_after_ms: Option<u64>,
}

/// The customer writes so long after the agent's reply, and the agent replies so long after that.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub customer_ms: u64,
    pub agent_ms: u64,
}

/// The first who has it gives it to this queue after so long.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub queue: Text,
    pub after_ms: u64,
}

/// Answered, handled and resolved.
pub(crate) static PLAIN: Course = Course {
    bot_ms: None,
    accept_ms: 0,
    decline_share: 0.0,
    miss_share: 0.0,
    acw_ms: None,
    turns: Vec::new(),
    transfer: None,
    reopen_after_ms: None,
};

/// Of the workload's first line, and of an arrival that has its own.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct RawShares {
    pub(crate) decline: Option<f64>,
    pub(crate) miss: Option<f64>,
}

impl RawShares {
    /// These, and where they are silent those of the whole workload.
    pub(crate) fn over(self, of_all: RawShares) -> Result<RawShares> {
        let shares = RawShares { decline: self.decline.or(of_all.decline), miss: self.miss.or(of_all.miss) };
        let (decline, miss) = (shares.decline.unwrap_or(0.0), shares.miss.unwrap_or(0.0));
        ensure!((0.0..=1.0).contains(&decline), "\"decline_share\" must be from 0 to 1");
        ensure!((0.0..=1.0).contains(&miss), "\"miss_share\" must be from 0 to 1");
        ensure!(decline + miss <= 1.0, "\"decline_share\" and \"miss_share\" are more than 1 together");
        Ok(shares)
    }
}

/// The members of an arrival's line that make its course.
#[derive(Debug, Default)]
pub(crate) struct RawCourse {
    pub(crate) bot_s: Option<f64>,
    pub(crate) accept_s: Option<f64>,
    pub(crate) acw_s: Option<f64>,
    pub(crate) turns: Option<RawTurns>,
    pub(crate) transfer: Option<RawTransfer>,
    pub(crate) reopen_after_s: Option<f64>,
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub(crate) enum RawTurns {
    Count(usize),
    List(Vec<RawTurn>),
}

#[derive(Deserialize, Debug)]
pub(crate) struct RawTurn {
    customer_after_s: f64,
    agent_after_s: f64,
}

#[derive(Deserialize, Debug)]
pub(crate) struct RawTransfer {
    to: Option<Text>,
    after_s: f64,
}

/// The course of one arrival, none where it is the default, and the time until the agent's first reply: a bare count
/// of turns divides `handle_ms` evenly among the replies, and the customer takes as long for each of his messages.
pub(crate) fn of_arrival(raw: RawCourse, shares: RawShares, handle_ms: u64) -> Result<(Option<Box<Course>>, u64)> {
    let optional = |field: &str, seconds: Option<f64>| seconds.map(|s| milliseconds(field, s)).transpose();
    let (turns, first_ms) = match raw.turns {
        None => (Vec::new(), handle_ms),
        Some(RawTurns::Count(count)) => {
            ensure!(count <= TURNS_MAX, "\"turns\" are {count}, and {TURNS_MAX} are the limit");
            let each = handle_ms / (count as u64 + 1);
            (vec![Turn { customer_ms: each, agent_ms: each }; count], handle_ms - each * count as u64)
        }
        Some(RawTurns::List(list)) => {
            ensure!(list.len() <= TURNS_MAX, "\"turns\" are {}, and {TURNS_MAX} are the limit", list.len());
            (list.iter().map(turn).collect::<Result<_>>()?, handle_ms)
        }
    };
    let course = Course {
        bot_ms: optional("bot_s", raw.bot_s)?,
        accept_ms: optional("accept_s", raw.accept_s)?.unwrap_or(0),
        decline_share: shares.decline.unwrap_or(0.0),
        miss_share: shares.miss.unwrap_or(0.0),
        acw_ms: optional("acw_s", raw.acw_s)?,
        turns,
        transfer: raw.transfer.map(transfer).transpose()?,
        reopen_after_ms: optional("reopen_after_s", raw.reopen_after_s)?,
    };
    Ok(((course != PLAIN).then(|| Box::new(course)), first_ms))
}

fn turn(raw: &RawTurn) -> Result<Turn> {
    Ok(Turn {
        customer_ms: milliseconds("turns.customer_after_s", raw.customer_after_s)?,
        agent_ms: milliseconds("turns.agent_after_s", raw.agent_after_s)?,
    })
}

fn transfer(raw: RawTransfer) -> Result<Transfer> {
    Ok(Transfer { queue: id("transfer.to", raw.to)?, after_ms: milliseconds("transfer.after_s", raw.after_s)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Selection, Workload};
    use serde_json::{Value, json};

    fn read(first: Option<Value>, members: Value) -> Result<Workload> {
        let mut line = json!({"at": "2026-01-01T00:00:00Z", "kind": "arrival", "conversation": "c1",
            "channel": "email", "handle_s": 10.0});
        for (name, value) in members.as_object().unwrap() {
            line[name] = value.clone();
        }
        let text = first.map_or(String::new(), |first| format!("{first}\n")) + &line.to_string();
        Workload::read("w", text.as_bytes(), &Selection::default())
    }

    #[test]
    fn every_field_of_a_course_is_read_in_milliseconds() {
        let members = json!({"bot_s": 1.5, "accept_s": 2, "acw_s": 3, "reopen_after_s": 60,
            "turns": [{"customer_after_s": 4, "agent_after_s": 5}], "transfer": {"to": "q2", "after_s": 6},
            "decline_share": 0.25});
        let workload = read(Some(json!({"kind": "workload", "version": 1, "miss_share": 0.5})), members).unwrap();
        let arrival = workload.arrivals().next().unwrap();
        let expected = Course {
            bot_ms: Some(1_500),
            accept_ms: 2_000,
            decline_share: 0.25,
            miss_share: 0.5,
            acw_ms: Some(3_000),
            turns: vec![Turn { customer_ms: 4_000, agent_ms: 5_000 }],
            transfer: Some(Transfer { queue: "q2".into(), after_ms: 6_000 }),
            reopen_after_ms: Some(60_000),
        };
        assert_eq!((arrival.course(), arrival.handle_ms), (&expected, 10_000));
    }

    #[test]
    fn a_count_of_turns_divides_the_handling_time_among_the_replies() {
        let workload = read(None, json!({"turns": 2})).unwrap();
        let arrival = workload.arrivals().next().unwrap();
        assert_eq!(arrival.course().turns, [Turn { customer_ms: 3_333, agent_ms: 3_333 }; 2]);
        assert_eq!(arrival.handle_ms, 3_334);
    }

    #[test]
    fn a_plain_arrival_has_no_course_of_its_own() {
        let workload = read(None, json!({})).unwrap();
        assert!(workload.arrivals().next().unwrap().course.is_none());
    }

    #[test]
    fn faults_of_a_course_are_told_with_their_line_and_field() {
        let said = |first: Option<Value>, members: Value| format!("{:#}", read(first, members).unwrap_err());
        assert!(said(None, json!({"bot_s": -1})).starts_with("w:1: \"bot_s\""));
        assert!(said(None, json!({"turns": 1_001})).contains("1000 are the limit"));
        assert!(said(None, json!({"transfer": {"after_s": 1}})).contains("transfer.to"));
        let all = json!({"kind": "workload", "version": 1, "miss_share": 0.6});
        assert!(said(Some(all), json!({"decline_share": 0.5})).starts_with("w:2: \"decline_share\""));
        assert!(said(Some(json!({"kind": "workload", "version": 2})), json!({})).starts_with("w:1: version"));
        let late = format!(
            "{}\n{}",
            r#"{"at":"2026-01-01T00:00:00Z","kind":"presence","agent":"a","status":"online"}"#,
            r#"{"kind":"workload","version":1}"#
        );
        let error = Workload::read("w", late.as_bytes(), &Selection::default()).unwrap_err();
        assert!(format!("{error:#}").starts_with("w:2: the line of kind \"workload\""));
    }
}
