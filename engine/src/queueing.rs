//! How a conversation comes into a queue, how it stands there, and the ways out (routing.md §2, §4, §5).

use crate::decision::{DecisionType, Reason};
use crate::effect::{Effect, Requirement, SkillSlot, TimerKind, Waiting};
use crate::policy::{ExitKind, Strategy, limits};
use crate::state::workspace::relax;
use crate::state::{ExitRule, NONE, Phase, Route};
use crate::step::{About, Stepping};
use alloc::vec::Vec;

/// How a conversation enters a queue.
#[derive(Clone, Copy)]
pub(crate) struct Entering {
    pub route: Route,
    pub reason: Reason,
    pub arrival: u64,
    /// Who gave it away: the last to get it back.
    pub giver: Option<u32>,
    /// Who is waited for, where the queue waits for anybody.
    pub preferred: Option<u32>,
    /// Told when it has its first place, before what follows from that.
    pub announce: Option<(DecisionType, Reason)>,
}

impl Entering {
    pub(crate) fn new(route: Route, reason: Reason, arrival: u64) -> Entering {
        Entering { route, reason, arrival, giver: None, preferred: None, announce: None }
    }
}

impl Stepping<'_> {
    /// Into a queue, or out by one of its ways. The conversation stands in no line and nobody owns it.
    pub(crate) fn enter(&mut self, slot: u32, entering: Entering) {
        let Entering { mut route, mut reason, arrival, mut giver, preferred, announce } = entering;
        let before = self.state.conversation(slot).queue();
        let mut announce = announce;
        let mut seen = Vec::new();
        while let Some((exit, why)) = self.gate(slot, route.queue) {
            match exit.kind {
                ExitKind::Queue
                    if seen.len() < limits::HOPS && !seen.contains(&exit.queue) && exit.queue != route.queue =>
                {
                    seen.push(route.queue);
                    if announce.is_some() {
                        self.come(slot, route, arrival, Waiting::default());
                        self.announced(slot, announce.take());
                    }
                    route.queue = exit.queue;
                    reason = Reason::Overflow;
                    giver = None;
                }
                ExitKind::Wait | ExitKind::Queue => break,
                ExitKind::Deflect | ExitKind::Park | ExitKind::Close => {
                    self.come(slot, route, arrival, Waiting::default());
                    self.announced(slot, announce);
                    return self.leave_by(slot, &exit, why);
                }
            }
        }
        let mut waiting = Waiting { giver: giver.map_or(0, |agent| agent + 1), ..Waiting::default() };
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let tier = workspace.tier_rule(row.tier());
        waiting.class = tier.class;
        waiting.ring = tier.ring_ms > 0;
        let preferred_ms = workspace.queue(route.queue).map_or(0, |q| q.preferred_ms);
        let is_there = |agent: &u32| self.state.is_routable(*agent, row.channel()) && Some(*agent) != giver;
        match preferred.filter(|_| preferred_ms > 0) {
            Some(agent) if is_there(&agent) => {
                waiting.only = agent + 1;
                waiting.only_until = self.now + preferred_ms;
            }
            somebody => waiting.absent = somebody.is_some(),
        }
        self.come(slot, route, arrival, waiting);
        self.announced(slot, announce);
        let before = if before == NONE { seen.first().copied().unwrap_or(NONE) } else { before };
        let other_queue =
            Some(before).filter(|_| matches!(reason, Reason::Transfer | Reason::Overflow | Reason::Escalated));
        let about = About { conversation: Some(slot), other_queue, ..About::default() };
        self.tell(DecisionType::ConversationQueued, reason, about);
        self.rearm_wait(slot);
        if giver.is_some() {
            self.round_may_end(slot);
        }
    }

    fn announced(&mut self, slot: u32, announce: Option<(DecisionType, Reason)>) {
        if let Some((decision, reason)) = announce {
            self.tell_conversation(decision, reason, slot, None);
        }
    }

    /// A conversation comes into a queue.
    pub(crate) fn come(&mut self, slot: u32, route: Route, arrival: u64, waiting: Waiting) {
        self.place(slot, route, (arrival, self.now), waiting, true);
    }

    /// A conversation takes its place: the set of what it asks now, its class and head start.
    pub(crate) fn stand(&mut self, slot: u32, route: Route, times: (u64, u64), waiting: Waiting) -> bool {
        self.place(slot, route, times, waiting, false)
    }

    fn place(
        &mut self,
        slot: u32,
        route: Route,
        (arrival, queued_at): (u64, u64),
        waiting: Waiting,
        enters: bool,
    ) -> bool {
        let row = self.state.conversation(slot);
        let (ws, channel) = (row.workspace(), row.channel());
        let requirement = self.requirement(slot, route.queue, &waiting);
        let (set, is_whole) = self.set_of(ws, route.queue, channel, requirement);
        let head_start_ms = self.head_start(slot, waiting.step_head_start_ms);
        let (queue, rule) = (route.queue, route.rule);
        self.effect(Effect::Queued {
            conversation: slot,
            queue,
            set,
            rule,
            arrival,
            queued_at,
            head_start_ms,
            waiting,
            enters,
        });
        is_whole
    }

    /// By how much it stands before its arrival: its tier's, its priority's and its steps' share.
    pub(crate) fn head_start(&self, slot: u32, of_steps_ms: u64) -> u64 {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let raised = u64::from(row.priority()) * workspace.policy().priority_head_start_ms;
        workspace.tier_rule(row.tier()).head_start_ms + raised + of_steps_ms
    }

    /// Its class by its tier. The first one is kept, whether by its tier or by promotion.
    pub(crate) fn class(&self, slot: u32) -> u8 {
        let row = self.state.conversation(slot);
        let of_tier = self.state.workspace(row.workspace()).tier_rule(row.tier()).class;
        if self.state.texts(slot).waiting.class == 1 { 1 } else { of_tier }
    }

    /// The same place with something of it changed.
    pub(crate) fn stand_anew(&mut self, slot: u32, change: impl FnOnce(&mut Waiting)) {
        let row = self.state.conversation(slot);
        let route = Route { queue: row.queue(), rule: row.rule() };
        let times = (row.arrival(), row.queued_at());
        let mut waiting = self.state.texts(slot).waiting.clone();
        change(&mut waiting);
        self.stand(slot, route, times, waiting);
    }

    /// What a conversation asks of agents in a queue at its step.
    pub(crate) fn requirement(&self, slot: u32, queue: u32, waiting: &Waiting) -> Requirement {
        self.requirement_of(slot, queue, waiting, &self.state.texts(slot).asked)
    }

    /// The same, with other skills than its event asked for.
    pub(crate) fn requirement_of(&self, slot: u32, queue: u32, waiting: &Waiting, asked: &[SkillSlot]) -> Requirement {
        let row = self.state.conversation(slot);
        let workspace = self.state.workspace(row.workspace());
        let Some(rule) = workspace.queue(queue) else { return Requirement::default() };
        let mut skills = if asked.is_empty() { rule.skills.clone() } else { join(&rule.skills, asked) };
        let mut teams = &rule.teams;
        let taken = rule.steps.iter().take(usize::from(waiting.step)).enumerate();
        for (_, step) in taken.filter(|(at, _)| waiting.skipped >> at & 1 == 0) {
            relax(&mut skills, &step.drop, &step.lower);
            teams = step.own_teams.as_ref().unwrap_or(teams);
        }
        let tier = workspace.tier_rule(row.tier());
        Requirement {
            skills,
            teams: teams.clone(),
            ring_team: if waiting.ring { tier.ring_team } else { 0 },
            ring_seniority: if waiting.ring { tier.ring_seniority } else { 0 },
            unclaimed: waiting.unclaimed,
        }
    }

    /// The first of a queue's tests that a conversation fails at its entry, where it leads somewhere.
    fn gate(&self, slot: u32, queue: u32) -> Option<(ExitRule, Reason)> {
        let row = self.state.conversation(slot);
        let ws = row.workspace();
        let workspace = self.state.workspace(ws);
        let rule = workspace.queue(queue)?;
        let desk = workspace.desk(queue);
        if desk.is_closed() && rule.on_closed.kind != ExitKind::Wait {
            return Some((rule.on_closed.clone(), closed_reason(desk.control())));
        }
        let is_counted = matches!(row.phase(), Phase::Queued | Phase::Offered) && row.queue() == queue;
        let is_full = rule.max_waiting > 0 && desk.waiting() - u32::from(is_counted) >= rule.max_waiting;
        if is_full && rule.on_full.kind != ExitKind::Wait {
            return Some((rule.on_full.clone(), Reason::Full));
        }
        if rule.on_unstaffed.kind != ExitKind::Wait && !self.state.is_staffed_queue(ws, queue) {
            return Some((rule.on_unstaffed.clone(), Reason::Unstaffed));
        }
        if rule.on_unservable.kind != ExitKind::Wait && !self.is_servable(slot, queue) {
            return Some((rule.on_unservable.clone(), Reason::Unservable));
        }
        None
    }

    /// Whether some agent, online or not, could serve some step of a conversation in a queue.
    pub(crate) fn is_servable(&self, slot: u32, queue: u32) -> bool {
        let row = self.state.conversation(slot);
        let (ws, channel) = (row.workspace(), row.channel());
        let steps = self.state.workspace(ws).queue(queue).map_or(0, |q| q.steps.len());
        (0..=steps).any(|step| {
            let waiting = Waiting { step: step as u8, ..Waiting::default() };
            let requirement = self.requirement(slot, queue, &waiting);
            self.state.is_anybody_able(ws, queue, channel, &requirement)
        })
    }

    /// Out of its queue. It stands in line, or nowhere.
    pub(crate) fn leave_by(&mut self, slot: u32, exit: &ExitRule, why: Reason) {
        match exit.kind {
            ExitKind::Wait => {}
            ExitKind::Queue => {
                let row = self.state.conversation(slot);
                let (rule, arrival) = (row.rule(), row.arrival());
                let route = Route { queue: exit.queue, rule };
                self.enter(slot, Entering::new(route, Reason::Overflow, arrival));
            }
            ExitKind::Deflect => {
                self.ends(slot);
                let about = About { conversation: Some(slot), text: &exit.reason, ..About::default() };
                self.tell(DecisionType::ConversationDeflected, why, about);
            }
            ExitKind::Park => self.park(slot, why),
            ExitKind::Close => {
                self.ends(slot);
                self.tell_conversation(DecisionType::ConversationClosed, why, slot, None);
            }
        }
    }

    pub(crate) fn park(&mut self, slot: u32, why: Reason) {
        self.effect(Effect::Parked { conversation: slot, reason: why });
        self.tell_conversation(DecisionType::ConversationParked, why, slot, None);
        let row = self.state.conversation(slot);
        let until = match why {
            Reason::Closed | Reason::Emergency => self.state.workspace(row.workspace()).desk(row.queue()).until(),
            _ => 0,
        };
        // One that ends this moment is the queue's to open.
        self.arm(TimerKind::Turn, slot, if until > self.now { until } else { 0 });
    }

    /// When waiting next leads to something.
    pub(crate) fn rearm_wait(&mut self, slot: u32) {
        let row = self.state.conversation(slot);
        if row.phase() != Phase::Queued {
            return;
        }
        let workspace = self.state.workspace(row.workspace());
        let desk = workspace.desk(row.queue());
        let waiting = &self.state.texts(slot).waiting;
        let mut at = u64::MAX;
        let mut by = |deadline: u64, is: bool| at = if is { at.min(deadline) } else { at };
        by(waiting.only_until, waiting.only != 0);
        by(waiting.paused_until, waiting.paused_until != 0);
        let rule = workspace.queue(row.queue()).filter(|_| !desk.is_closed() || desk.is_draining());
        if let Some(rule) = rule {
            let from = row.queued_at();
            let tier = workspace.tier_rule(row.tier());
            by(from + rule.max_wait_ms, rule.max_wait_ms > 0 && rule.on_max_wait.kind != ExitKind::Wait);
            by(from + tier.ring_ms, waiting.ring);
            let step = rule.steps.get(usize::from(waiting.step));
            by(from + step.map_or(0, |step| step.after_ms), step.is_some());
            let delay = desk.next_delay(waiting.stage_ms);
            by(from + delay.unwrap_or(0), delay.is_some());
            let strict = workspace.policy().strict_max_wait_ms;
            by(from + strict, strict > 0 && waiting.class > 1);
            let is_unclaimed = rule.strategy == Strategy::Manual && rule.unclaimed_ms > 0 && !waiting.unclaimed;
            by(from + rule.unclaimed_ms, is_unclaimed);
        }
        self.arm(TimerKind::Wait, slot, if at == u64::MAX { 0 } else { at });
    }

    /// Arms a timer of a conversation, or stops it (0), where that is not so already.
    pub(crate) fn arm(&mut self, timer: TimerKind, slot: u32, at: u64) {
        let workspace = self.state.conversation(slot).workspace();
        self.arm_of(timer, workspace, slot, at);
    }

    pub(crate) fn arm_of(&mut self, timer: TimerKind, workspace: u32, slot: u32, at: u64) {
        if self.state.armed_at(timer, workspace, slot) != at {
            self.effect(Effect::Armed { timer, workspace, slot, at });
        }
    }
}

pub(crate) fn closed_reason(control: crate::input::Control) -> Reason {
    match control {
        crate::input::Control::Emergency => Reason::Emergency,
        _ => Reason::Closed,
    }
}

/// Both lists by skill, each skill once at its higher level.
pub(crate) fn join(a: &[SkillSlot], b: &[SkillSlot]) -> Vec<SkillSlot> {
    let mut all: Vec<SkillSlot> = a.iter().chain(b).copied().collect();
    all.sort_unstable_by(|x, y| x.skill.cmp(&y.skill).then(y.level.cmp(&x.level)));
    all.dedup_by_key(|s| s.skill);
    all
}
