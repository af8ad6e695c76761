//! Presence: what sources, the agent and supervisors say of where he is, and what follows from it (routing.md §3).

use crate::agent::{HoldKind, Row};
use crate::entering::Entering;
use crate::telling::{Step, Verdict};
use crate::workspace::SweepKind;
use engine::decision::{DecisionType, Reason, ToldDetail};
use engine::input::{Body, By, Status};
use engine::policy::limits::PRESENCE_SOURCES;
use engine::policy::{ExitKind, OnOffline, Queue};
use std::collections::BTreeSet;

/// Leases that run out within so long of each other may be a storm.
const STORM_MS: u64 = 10_000;
const STORM_LEASES_MIN: usize = 3;
/// More than one in so many.
const STORM_SHARE: usize = 5;
/// Preferences that one change of an agent ends.
const PREFERENCES_MAX: usize = 256;

/// What a presence event says.
pub struct Word<'a> {
    pub status: Status,
    pub by: By,
    pub session: Option<u128>,
    pub sequence: Option<u64>,
    pub term_ms: Option<u64>,
    pub channels: &'a Option<Vec<u128>>,
    pub is_supervised: bool,
    pub reason: Option<&'a str>,
}

impl<'a> Word<'a> {
    pub fn of(body: &'a Body) -> Option<Word<'a>> {
        let Body::AgentPresence { status, by, session, sequence, expires_in_ms, channels, supervised, reason, .. } =
            body
        else {
            return None;
        };
        Some(Word {
            status: *status,
            by: *by,
            session: *session,
            sequence: *sequence,
            term_ms: *expires_in_ms,
            channels,
            is_supervised: *supervised,
            reason: reason.as_deref(),
        })
    }
}

impl Row {
    /// Another word from the same source that says the same, for another term of the same length.
    fn is_same_as(&self, row: &Row) -> bool {
        let is_same = self.status == row.status && self.is_by_agent == row.is_by_agent && self.session == row.session;
        is_same && self.channels == row.channels && row.term_ms.is_some() && self.term_ms == row.term_ms
    }
}

/// What others see of an agent's presence.
#[derive(PartialEq, Eq)]
pub struct Appearance {
    effective: Status,
    pub channels: BTreeSet<String>,
    is_responding: bool,
    /// Channels on which he may be given something new.
    works_on: BTreeSet<String>,
    is_online: bool,
}

impl Step<'_> {
    pub fn agent_presence(&mut self, id: &str, word: &Word) -> Verdict {
        let Some(&index) = self.workspace.agent_index.get(id) else {
            return Verdict::ignored(Reason::UnknownAgent);
        };
        if word.is_supervised && word.reason.is_none_or(str::is_empty) {
            return Verdict::ignored(Reason::ReasonRequired);
        }
        let before = self.appearance(index);
        if word.is_supervised {
            let agent = &mut self.workspace.agents[index];
            if word.status == Status::Online {
                agent.word = None;
                agent.choice = Some(Status::Online);
            } else {
                agent.word = Some(word.status);
            }
        } else {
            match self.take_lease(index, word) {
                Lease::Taken => {}
                Lease::Renewed => {
                    self.rearm_agent(index);
                    return Verdict::recorded(Reason::Recorded);
                }
                Lease::Refused(verdict) => return verdict,
            }
        }
        if word.is_supervised || word.by == By::Agent {
            self.workspace.agents[index].not_responding_since = None;
        }
        self.rearm_agent(index); // the lease, before what follows from it has deadlines
        let changed = self.presence_changed(index, before, Reason::Presence);
        self.rearm_agent(index);
        if changed { Verdict::decided() } else { Verdict::recorded(Reason::Recorded) }
    }

    fn row_of(&self, word: &Word) -> Row {
        let (source, source_name) =
            self.input.map_or((0, String::new()), |input| (input.source_hash, input.source.to_string()));
        Row {
            source,
            source_name,
            status: word.status,
            session: word.session,
            sequence: word.sequence,
            is_by_agent: word.by == By::Agent,
            term_ms: word.term_ms,
            expires_at: word.term_ms.map(|term| self.now + term),
            channels: word.channels.as_ref().map(|channels| self.workspace.known_channels(channels)),
            is_graced: false,
        }
    }

    /// It says what is known, early enough: nothing at all comes of it.
    pub fn renews_nothing(&self, id: &str, word: &Word) -> bool {
        let Some(agent) = self.workspace.agent(id).filter(|_| !word.is_supervised) else { return false };
        let row = self.row_of(word);
        let Some(known) = agent.rows.iter().find(|known| known.source == row.source) else { return false };
        let (left, term) = (known.expires_at.unwrap_or(0).saturating_sub(self.now), row.term_ms.unwrap_or(0));
        let follows = |sequence: u64| known.sequence.is_some_and(|last| last.checked_add(1) == Some(sequence));
        known.is_same_as(&row) && left * 3 >= term * 2 && row.sequence.is_none_or(follows)
    }

    fn take_lease(&mut self, index: usize, word: &Word) -> Lease {
        let row = self.row_of(word);
        let source = row.source;
        let agent = &mut self.workspace.agents[index];
        if let Some(known) = agent.rows.iter_mut().find(|known| known.source == source) {
            let is_same_session = known.session == row.session;
            let is_ordered = row.sequence.is_some() && known.sequence.is_some();
            if is_same_session && is_ordered && row.sequence <= known.sequence {
                return Lease::Refused(Verdict::ignored(Reason::StaleSequence));
            }
            if known.is_same_as(&row) {
                *known = row;
                return Lease::Renewed;
            }
            *known = row;
        } else {
            if agent.rows.len() >= PRESENCE_SOURCES {
                let Some(oldest) = agent.rows.iter().position(|known| known.status == Status::Offline) else {
                    return Lease::Refused(Verdict::ignored(Reason::TooManySources));
                };
                agent.rows.remove(oldest);
            }
            agent.rows.push(row);
        }
        if word.by == By::Agent {
            agent.choice = Some(word.status);
        }
        Lease::Taken
    }

    pub fn appearance(&self, index: usize) -> Appearance {
        let agent = &self.workspace.agents[index];
        Appearance {
            effective: agent.effective,
            channels: self.workspace.channels_allowed(agent),
            is_responding: agent.responds(),
            works_on: self.workspace.channels_of_work(agent),
            is_online: agent.is_online(),
        }
    }

    /// The best of his leases, capped by a supervisor's word or else his own choice.
    fn effective(&self, index: usize) -> Status {
        let agent = &self.workspace.agents[index];
        let lower = |one: Status, other: Status| if one.rank() <= other.rank() { one } else { other };
        let best =
            agent.rows.iter().map(|row| row.status).max_by_key(|status| status.rank()).unwrap_or(Status::Offline);
        agent.word.or(agent.choice).map_or(best, |cap| lower(best, cap))
    }

    /// Tells it if others see a difference, and does what follows. Returns whether it was told.
    pub fn presence_changed(&mut self, index: usize, before: Appearance, reason: Reason) -> bool {
        let effective = self.effective(index);
        if effective != self.workspace.agents[index].effective {
            self.become_present(index, effective);
        }
        let after = self.appearance(index);
        if after == before {
            return false;
        }
        if !before.is_responding && after.is_responding {
            self.workspace.agents[index].misses = 0;
            self.workspace.agents[index].respond_at = None;
        }
        self.agent_moved(index);
        self.tell_agent(DecisionType::AgentChanged, reason, index);
        self.stops_working(index, &before);
        if !before.is_online && self.workspace.agents[index].is_online() {
            self.sweep_staffed(index);
        }
        if before.effective != Status::Offline {
            self.begin_grace(index);
        }
        true
    }

    /// One who has gone offline keeps his open work for a while.
    fn begin_grace(&mut self, index: usize) {
        let channels = self.workspace.past_channels.values();
        let returned = channels.filter(|channel| !channel.live && channel.on_offline != OnOffline::Keep);
        let grace_ms = returned.map(|channel| channel.offline_grace_ms).min();
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        let is_offline = agent.effective == Status::Offline;
        agent.away_at = grace_ms.filter(|_| is_offline).map(|grace_ms| now + grace_ms);
    }

    /// What his queues have set aside for want of anybody comes back.
    pub fn sweep_staffed(&mut self, index: usize) {
        let agent = &self.workspace.agents[index];
        let parks = |queue: &&Queue| {
            queue.on_unstaffed.kind == ExitKind::Park
                && self.workspace.membership(agent, &queue.name).is_some()
                && !self.workspace.sweeps.contains_key(&*queue.name)
        };
        let queues: Vec<String> =
            self.workspace.policy.queues.iter().filter(parks).map(|queue| queue.name.to_string()).collect();
        for queue in queues {
            self.begin_sweep(&queue, SweepKind::Staffed);
        }
    }

    fn become_present(&mut self, index: usize, effective: Status) {
        let idle_reset_ms = self.workspace.policy.idle_reset_ms;
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        if effective == Status::Online {
            let short_away = agent.away_since.is_some_and(|since| now - since < idle_reset_ms);
            if !short_away {
                agent.idle_since = now;
            }
        }
        let from_online_to_away = agent.effective == Status::Online && effective == Status::Away;
        agent.away_since = from_online_to_away.then_some(now);
        agent.away_at = None;
        agent.effective = effective;
        agent.offline_since = now;
    }

    /// After it is told that an agent takes nothing on some channels any more: his offers go on, nobody waits for him,
    /// and a queue may be left without anybody.
    pub fn stops_working(&mut self, index: usize, before: &Appearance) {
        let lost = self.lose_offers(index);
        self.lose_preferences(index, &before.works_on);
        let is_fewer = !before.channels.is_subset(&self.workspace.channels_allowed(&self.workspace.agents[index]));
        let finishes = |status: Status| status.rank() >= Status::PendingAway.rank();
        let is_gone = finishes(before.effective) && !finishes(self.workspace.agents[index].effective);
        if is_fewer || is_gone {
            self.rounds_may_end(self.rounds_left(index, lost));
        }
        if before.is_online && !self.workspace.agents[index].is_online() {
            self.sweep_unstaffed();
        }
    }

    /// Rounds in which he takes part, and those in which he was asked just now, whether he still does or not.
    fn rounds_left(&self, index: usize, lost: Vec<String>) -> Vec<String> {
        let mut rounds = self.rounds_with(index);
        rounds.extend(lost.into_iter().filter(|id| self.workspace.is_in_line(id)));
        rounds.sort_by_key(|id| self.workspace.conversations[id].creation);
        rounds.dedup();
        rounds
    }

    /// What was offered on channels where no lease of his allows it any more. Returns it.
    fn lose_offers(&mut self, index: usize) -> Vec<String> {
        let agent = &self.workspace.agents[index];
        let is_finishing = agent.effective == Status::PendingAway;
        if is_finishing {
            return Vec::new();
        }
        let allowed = self.workspace.channels_allowed(agent);
        let offers = agent.holds.iter().filter(|hold| hold.kind == HoldKind::Offer && !allowed.contains(&hold.channel));
        let mut lost: Vec<String> = offers.map(|hold| hold.reference.clone()).collect();
        lost.sort_by_key(|id| self.workspace.conversations[id].creation);
        for id in &lost {
            self.withdraw_to_line(id, Reason::AgentLost, "");
            self.rearm(id);
        }
        lost
    }

    /// What waits for him on channels where he has stopped to take work.
    pub fn lose_preferences(&mut self, index: usize, worked_on: &BTreeSet<String>) {
        let works_on = self.workspace.channels_of_work(&self.workspace.agents[index]);
        let lost: Vec<String> = self
            .preferring(index)
            .into_iter()
            .filter(|id| {
                let channel = &self.workspace.conversations[id].channel;
                let is_gone = self.workspace.agents[index].is_removed;
                (is_gone || worked_on.contains(channel)) && !works_on.contains(channel)
            })
            .take(PREFERENCES_MAX)
            .collect();
        for id in lost {
            if !self.fall_back(&id) {
                self.end_preference(&id);
            }
            self.rearm(&id);
        }
    }

    /// Conversations in line that are held for him, by creation.
    pub fn preferring(&self, index: usize) -> Vec<String> {
        let agent = &self.workspace.agents[index].id;
        let mut preferring: Vec<&String> = self.workspace.waiting.values().collect();
        preferring.retain(|id| {
            let preference = &self.workspace.conversations[*id].preference;
            let may_come = !self.workspace.agents[index].is_removed;
            preference
                .as_ref()
                .is_some_and(|preference| preference.agent == *agent && (preference.fallback.is_none() || !may_come))
        });
        preferring.sort_by_key(|id| self.workspace.conversations[*id].creation);
        preferring.into_iter().cloned().collect()
    }

    /// Queues in which somebody waits and nobody is online now, and that have a way out for that.
    pub fn sweep_unstaffed(&mut self) {
        let workspace = &self.workspace;
        let is_left_alone = |queue: &&Queue| {
            queue.on_unstaffed.kind != ExitKind::Wait
                && workspace.waiting_in(&queue.name) > 0
                && !workspace.has_online_member(&queue.name)
        };
        let queues = workspace.policy.queues.iter().filter(is_left_alone);
        let left_alone: Vec<String> = queues.map(|queue| queue.name.to_string()).collect();
        for queue in left_alone {
            self.begin_sweep(&queue, SweepKind::Unstaffed);
        }
    }

    // Timers of an agent.

    pub fn leases_expire(&mut self, index: usize) {
        let before = self.appearance(index);
        let now = self.now;
        let rows = &self.workspace.agents[index].rows;
        let expired = rows.iter().filter(|row| row.expires_at.is_some_and(|at| at <= now));
        let expired: Vec<(u128, bool)> = expired.map(|row| (row.source, row.is_graced)).collect();
        for (source, is_graced) in expired {
            if is_graced || !self.is_storm(source) {
                for row in self.workspace.agents[index].rows.iter_mut().filter(|row| row.source == source) {
                    row.status = Status::Offline;
                    (row.term_ms, row.expires_at) = (None, None);
                    row.is_graced = false;
                }
                if !is_graced {
                    self.workspace.expiries.entry(source).or_default().push(now);
                }
            }
        }
        self.rearm_agent(index);
        self.presence_changed(index, before, Reason::LeaseExpired);
        self.rearm_agent(index);
    }

    /// Whether a source loses so many leases at once that it is itself suspect. Then they are extended, once.
    fn is_storm(&mut self, source: u128) -> bool {
        let now = self.now;
        let is_suspect = self.workspace.suspect_until.get(&source).is_some_and(|until| *until >= now);
        let expiries = self.workspace.expiries.entry(source).or_default();
        expiries.retain(|at| now - at < STORM_MS);
        let expired = expiries.len();
        let rows = self.workspace.agents.iter().flat_map(|agent| &agent.rows).filter(|row| row.source == source);
        let name = rows.clone().map(|row| row.source_name.clone()).next().unwrap_or_default();
        let leases: Vec<(u64, u64)> =
            rows.filter(|row| !row.is_graced).filter_map(|row| Some((row.expires_at?, row.term_ms?))).collect();
        let is_ending = |(at, term): &&(u64, u64)| *at <= now + STORM_MS && at.saturating_sub(now) * 3 < *term;
        let ending = leases.iter().filter(is_ending).count();
        let (lost, all) = (ending + expired, leases.len() + expired);
        if is_suspect || lost < STORM_LEASES_MIN || lost * STORM_SHARE <= all {
            return false;
        }
        let until = now + self.workspace.policy.lease_grace_ms;
        self.tell_plainly(DecisionType::SourceSuspect, Reason::LeaseStorm);
        self.with_detail(ToldDetail { until, other: name.into(), number: lost as u64, ..ToldDetail::default() });
        self.workspace.suspect_until.insert(source, until);
        for index in 0..self.workspace.agents.len() {
            self.extend_leases(index, Some(source));
        }
        true
    }

    /// Leases go on for the grace beyond their end.
    pub fn extend_leases(&mut self, index: usize, of_source: Option<u128>) {
        let (now, grace_ms) = (self.now, self.workspace.policy.lease_grace_ms);
        for row in &mut self.workspace.agents[index].rows {
            if of_source.is_none_or(|source| row.source == source)
                && let Some(expires_at) = &mut row.expires_at
            {
                *expires_at = now.max(*expires_at) + grace_ms;
                row.is_graced |= of_source.is_some();
            }
        }
        self.rearm_agent(index);
    }

    pub fn pace_ends(&mut self, index: usize) {
        let now = self.now;
        let workspace = &mut *self.workspace;
        let agent = &mut workspace.agents[index];
        let gap = |channel: &str| workspace.past_channels.get(channel).map_or(0, |channel| channel.min_gap_ms);
        let last_given = agent.last_given;
        agent.paced.retain(|channel| gap(channel) > now - last_given);
        agent.pace_at = agent.paced.iter().map(|channel| last_given + gap(channel)).min();
        self.agent_moved(index);
        self.rearm_agent(index);
    }

    pub fn responds_again(&mut self, index: usize) {
        let before = self.appearance(index);
        self.workspace.agents[index].not_responding_since = None;
        self.presence_changed(index, before, Reason::Responding);
        self.rearm_agent(index);
    }

    pub fn wrap_ups_end(&mut self, index: usize) {
        let now = self.now;
        let agent = &mut self.workspace.agents[index];
        agent.holds.retain(|hold| hold.until.is_none_or(|until| until > now));
        agent.idle_since = now;
        self.agent_moved(index);
        self.rearm_agent(index);
    }

    /// He has been offline for longer than his work may wait for him.
    pub fn away_too_long(&mut self, index: usize) {
        let agent = &mut self.workspace.agents[index];
        let Some(due_at) = agent.away_at.take() else { return };
        let (name, offline_since) = (agent.id.clone(), agent.offline_since);
        let gone_for = self.now - offline_since;
        let channels = self.workspace.past_channels.values().filter(|channel| !channel.live);
        let graces =
            channels.filter(|channel| channel.on_offline != OnOffline::Keep).map(|channel| channel.offline_grace_ms);
        let next = graces.filter(|grace_ms| *grace_ms > gone_for).min();
        self.workspace.agents[index].away_at = next.map(|grace_ms| offline_since + grace_ms);
        for id in self.workspace.owned_by(&name) {
            let conversation = &self.workspace.conversations[&id];
            let channel = self.workspace.channel_ever(&conversation.channel);
            let on_offline =
                channel.filter(|channel| !channel.live).map_or(OnOffline::Keep, |channel| channel.on_offline);
            let grace_ms = channel.map_or(0, |channel| channel.offline_grace_ms);
            if on_offline == OnOffline::Keep || conversation.live || grace_ms > gone_for {
                continue;
            }
            if self.left == 0 {
                self.workspace.agents[index].away_at = Some(due_at);
                break;
            }
            self.left -= 1;
            let is_preferred = on_offline == OnOffline::Return;
            let (preferred, giver) = if is_preferred { (Some(name.clone()), None) } else { (None, Some(name.clone())) };
            let arrival = Some(self.arrival_after_owner(&id));
            self.withdraw(&id, Reason::Rescinded);
            self.lose_owner(&id, Reason::OwnerOffline, "");
            let (queue, rule) = self.own_queue_again(&id);
            let reason = Reason::Requeue;
            self.enter(&id, Entering { queue, rule, reason, arrival, giver, preferred, ..Entering::default() });
        }
        self.rearm_agent(index);
    }
}

enum Lease {
    Taken,
    /// Goes on for another term; nothing else about it is new.
    Renewed,
    Refused(Verdict),
}
