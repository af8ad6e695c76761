//! The end of a fold: figures of what was counted.

use super::{Agent, Closings, DAY_MS, Line, Open, Review, Top, WAIT_BOUNDS_S, WaitCounts};
use crate::review::figures::{
    AgentGroup, Chain, Clocks, Closure, ContextCase, Day, Escalations, Figures, Group, Handovers, HandoversOf,
    LostContext, Offers, Piece, PolicyInForce, QueueDays, Targets, TurnedAway, Waits, seconds,
};
use crate::workload::words::ContextLoss;
use connectors::codec::timestamp;
use load_tests::service_level::{Counts, ratio};
use std::collections::{BTreeMap, HashMap};

impl Review {
    /// The figures as of the end of what was read, ms UTC.
    pub fn finish(mut self, known_until: u64) -> Figures {
        self.judge_who_waits(known_until);
        self.end_what_is_open(known_until);
        let goals: HashMap<String, (f64, f64)> = self
            .goals
            .iter()
            .map(|(queue, goal)| {
                let threshold_s = seconds(goal.service_level_ms);
                (self.queues.names.name(*queue).to_string(), (f64::from(goal.permille) / 1e3, threshold_s))
            })
            .collect();
        let mut by_queue = self.queues.groups();
        for group in &mut by_queue {
            let goal = goals.get(&group.name).filter(|(goal, _)| *goal > 0.0);
            group.goal = goal.map(|(goal, _)| *goal);
            group.threshold_s = goals.get(&group.name).map(|(_, threshold_s)| *threshold_s);
        }
        let judged: Vec<(f64, f64, u64)> =
            by_queue.iter().filter_map(|group| Some((group.goal?, group.service_level?, group.judged()))).collect();
        let sum: u64 = judged.iter().map(|(.., judged)| judged).sum();
        let asked: f64 = judged.iter().map(|(goal, _, judged)| goal * *judged as f64).sum();
        let timeline = self.timeline();
        let by_day = self.by_day();
        let by_queue_and_day = self.by_queue_and_day(&goals);
        let waits = self.wait_distributions(&goals);
        Figures {
            format: 1,
            from: timestamp(self.range.from),
            to: timestamp(self.range.to),
            zone: self.zone.name().to_string(),
            policies: self.policies_in_force(),
            left_out: self.left_out(known_until),
            service_level_goal: (sum > 0).then(|| asked / sum as f64),
            queues_at_goal: judged.iter().filter(|(goal, reached, _)| reached >= goal).count() as u64,
            queues_with_goal: judged.len() as u64,
            all: Group::of("", &self.all),
            by_queue,
            by_channel: self.channels.groups(),
            by_tier: self.tiers.groups(),
            by_agent: self.by_agent(),
            timeline_piece_s: self.piece_ms / 1_000,
            timeline,
            by_day,
            by_queue_and_day,
            entries_by_hour_of_week: self.entries_of_week,
            late_by_hour_of_week: self.late_of_week,
            wait_bounds_s: WAIT_BOUNDS_S.to_vec(),
            waits,
            handovers: self.handovers_of_range(),
            closures: self.closures(),
            targets: Targets { clocks: self.clock_targets },
            missed: self.missed.listed(),
            slow_by_clock: self.slow_by_clock,
            slow: self.slow.listed(),
            collisions: self.collisions.listed(),
            lost_context: lost_context(self.lost),
            reopens: self.reopens.values().sum(),
            reopens_by_queue: self.reopens,
            escalations: self
                .escalations
                .into_iter()
                .map(|((queue, trigger, level), count)| Escalations { queue, trigger, level, count })
                .collect(),
            turned_away: self
                .turned_away
                .into_iter()
                .map(|((queue, how, reason), count)| TurnedAway { queue, how, reason, count })
                .collect(),
            ..Figures::default()
        }
    }

    /// T has passed for some who wait still: late, whatever follows.
    fn judge_who_waits(&mut self, known_until: u64) {
        let waiting: Vec<Line> = self.open.values().filter_map(Open::line).collect();
        for line in waiting {
            let waited_ms = self.waited_ms(line.spot.queue, line.queued_at, known_until);
            if waited_ms > line.service_level_ms && known_until > line.short_until {
                self.is_late(line.spot, line.entered_at);
            }
        }
    }

    /// Whatever goes on is counted up to here.
    fn end_what_is_open(&mut self, known_until: u64) {
        let range = self.range;
        for agent in self.agents.values_mut() {
            if let Some(since) = agent.online_since.take() {
                agent.online_ms += range.part_of(since, known_until);
            }
        }
        for closings in self.closings.values_mut() {
            if let Some(shut) = closings.now {
                closings.count(shut, range, known_until);
            }
        }
        for ((_, _), (breached_at, mut slow)) in std::mem::take(&mut self.breached) {
            let over_ms = known_until.saturating_sub(breached_at);
            slow.over_s = seconds(over_ms);
            self.was_slow(over_ms, slow);
        }
    }

    fn policies_in_force(&self) -> Vec<PolicyInForce> {
        let told = |(version, since): &(u64, u64)| PolicyInForce { version: *version, since: timestamp(*since) };
        self.policies.iter().map(told).collect()
    }

    fn left_out(&self, known_until: u64) -> Vec<String> {
        let mut left_out = vec![
            "Wrap-up: no decision tells its end, so handling times are work alone and there is no occupancy.".into(),
            "Scores of surveys: they stand in no decision.".into(),
            "A queue whose calendar closed it while no server ran is known to be closed from the server's return on."
                .into(),
        ];
        if known_until < self.range.to {
            left_out.push(format!(
                "What happened after {}: the journal ends there, before the range does.",
                timestamp(known_until)
            ));
        }
        left_out
    }

    fn timeline(&self) -> Vec<Piece> {
        let width = self.piece_ms as i64;
        let first = self.zone.local(self.range.from).div_euclid(width) * width;
        let last = self.zone.local(self.range.to - 1).div_euclid(width) * width;
        let none = Counts::default();
        let piece = |at: i64| {
            let counts = self.pieces.get(&at).unwrap_or(&none);
            Piece {
                local: local_text(at, 16),
                entries: counts.entries,
                answered: counts.answered(),
                answered_in_time: counts.answered_in_time,
                late: counts.late,
            }
        };
        (0..=(last - first) / width).map(|nth| piece(first + nth * width)).collect()
    }

    /// Begins of the local days of the range.
    fn local_days(&self) -> Vec<i64> {
        let day = DAY_MS as i64;
        let first = self.zone.local(self.range.from).div_euclid(day);
        let last = self.zone.local(self.range.to - 1).div_euclid(day);
        (first..=last).map(|nth| nth * day).collect()
    }

    fn by_day(&self) -> Vec<Day> {
        let none = Counts::default();
        let day = |at: i64| Day::of(local_text(at, 10), self.days.get(&at).unwrap_or(&none));
        self.local_days().into_iter().map(day).collect()
    }

    fn by_queue_and_day(&self, goals: &HashMap<String, (f64, f64)>) -> Vec<QueueDays> {
        let none = Counts::default();
        let days = self.local_days();
        let of = |queue: u32| {
            let name = self.queues.names.name(queue);
            let day = |at: &i64| Day::of(local_text(*at, 10), self.queue_days.get(&(queue, *at)).unwrap_or(&none));
            QueueDays {
                queue: name.into(),
                goal: goals.get(name).map(|(goal, _)| *goal).filter(|goal| *goal > 0.0),
                days: days.iter().map(day).collect(),
            }
        };
        let entered = self.queues.counts.iter().filter(|(_, counts)| counts.entries > 0);
        let mut found: Vec<QueueDays> = entered.map(|(queue, _)| of(*queue)).collect();
        found.sort_by(|a, b| a.queue.cmp(&b.queue));
        found
    }

    fn wait_distributions(&self, goals: &HashMap<String, (f64, f64)>) -> Vec<Waits> {
        let of = |(queue, waits): (&u32, &WaitCounts)| {
            let name = self.queues.names.name(*queue);
            Waits {
                queue: name.into(),
                threshold_s: goals.get(name).map(|(_, threshold_s)| *threshold_s),
                answered: waits.answered.to_vec(),
                abandoned: waits.abandoned.to_vec(),
            }
        };
        let mut found: Vec<Waits> = self.waits.iter().map(of).collect();
        found.sort_by(|a, b| a.queue.cmp(&b.queue));
        found
    }

    fn by_agent(&self) -> Vec<AgentGroup> {
        let of = |(at, agent): (&u32, &Agent)| AgentGroup::of(self.agent_names.name(*at), agent);
        let mut found: Vec<AgentGroup> = self.agents.iter().map(of).filter(AgentGroup::was_there).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn handovers_of_range(&mut self) -> Handovers {
        let mut handovers = Handovers::default();
        for (queue, counts) in &self.handovers {
            let [blind, warm, release] = counts;
            handovers.total += counts.iter().flatten().sum::<u64>();
            handovers.without_note += counts.iter().map(|[without, _]| without).sum::<u64>();
            handovers.by_queue.push(HandoversOf {
                queue: self.queues.names.name(*queue).into(),
                blind_with_note: blind[1],
                blind_without_note: blind[0],
                warm_with_note: warm[1],
                warm_without_note: warm[0],
                release_with_note: release[1],
                release_without_note: release[0],
            });
        }
        handovers.by_queue.sort_by(|a, b| a.queue.cmp(&b.queue));
        let mut chains: Vec<Chain> = std::mem::take(&mut self.chains).into_values().collect();
        chains.sort_by(|a, b| a.conversation.cmp(&b.conversation));
        let mut top = Top::default();
        for chain in chains {
            *handovers.conversations_by_handovers.entry(chain.handovers).or_default() += 1;
            if chain.handovers > 1 {
                top.push(u64::from(chain.handovers), chain);
            }
        }
        handovers.chains = top.listed();
        handovers
    }

    fn closures(&self) -> Vec<Closure> {
        let of = |(queue, closings): (&u32, &Closings)| Closure {
            queue: self.queues.names.name(*queue).into(),
            closed_s: seconds(closings.closed_ms),
            emergency_s: seconds(closings.emergency_ms),
            closings: closings.closings,
            is_closed: closings.now.is_some(),
        };
        let mut found: Vec<Closure> = self.closings.iter().map(of).filter(|closure| closure.closed_s > 0.0).collect();
        found.sort_by(|a, b| a.queue.cmp(&b.queue));
        found
    }
}

impl AgentGroup {
    fn of(name: &str, agent: &Agent) -> AgentGroup {
        let [first, next, resolution, queue_wait, reply_window] = &agent.clocks;
        AgentGroup {
            name: name.into(),
            team: agent.team.to_string(),
            online_s: seconds(agent.online_ms),
            assigned: agent.assigned,
            answered_in_time: agent.answered_in_time,
            answered_late: agent.answered_late,
            of_answered: ratio(agent.answered_in_time, agent.answered_in_time + agent.answered_late),
            handled: agent.handled,
            work_s: seconds(agent.work_ms),
            mean_work_s: ratio(agent.work_ms, agent.handled).map(|ms| ms / 1e3),
            resolved: agent.resolved,
            replied: agent.replied,
            average_response_s: agent.turns.mean_s(),
            clocks: Clocks::of([first, next, resolution, queue_wait, reply_window]),
            offers: agent.offers,
            handovers: agent.handovers,
            handovers_without_note: agent.handovers_without_note,
            collisions: agent.collisions,
        }
    }

    /// Whether he was online in the range or is credited with anything in it.
    fn was_there(&self) -> bool {
        let offers = self.offers != Offers::default();
        let worked = self.assigned + self.handled + self.replied + self.collisions + self.handovers > 0;
        self.online_s > 0.0 || worked || offers || !self.clocks.is_empty()
    }
}

fn lost_context(lost: [(BTreeMap<String, u64>, Top<ContextCase>); ContextLoss::COUNT]) -> Vec<LostContext> {
    let named = ContextLoss::WORDS.into_iter().zip(lost);
    named.map(|(reason, (by_queue, cases))| LostContext { reason, by_queue, cases: cases.listed() }).collect()
}

/// A local time as `YYYY-MM-DD hh:mm`, or its first characters.
fn local_text(local_ms: i64, len: usize) -> String {
    timestamp(u64::try_from(local_ms).unwrap_or(0)).replace('T', " ").chars().take(len).collect()
}
