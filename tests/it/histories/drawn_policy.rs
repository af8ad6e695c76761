//! Policies and agents drawn at random: each history has its own taste for how much of everything is in play.

use super::events;
use engine::policy::*;
use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

pub const SKILLS: [&str; 4] = ["de", "fr", "billing", "tech"];
pub const QUEUES: [&str; 5] = ["main", "sales", "care", "vips", "late"];
pub const CHANNELS: [&str; 6] = ["voice", "chat", "email", "whatsapp", "fax", "walkin"];
pub const ENTRIES: [&str; 4] = ["", "+4930", "shop", "robot"];
pub const TIERS: [&str; 3] = ["vip", "gold", "nobody"];
pub const TEAMS: [&str; 2] = ["first", "second"];
pub const CALENDARS: [&str; 2] = ["office", "nights"];
const HOUR_MS: u64 = 3_600_000;

/// How often each of the many settings departs from its default, in hundredths.
#[derive(Clone, Copy)]
pub struct Taste(u32);

impl Taste {
    pub fn drawn(rng: &mut ChaCha8Rng) -> Taste {
        Taste(*[0, 8, 25, 50, 90].choose(rng).unwrap_or(&25))
    }

    fn likes(self, rng: &mut ChaCha8Rng) -> bool {
        rng.random_ratio(self.0, 100)
    }
}

/// A duration as real policies have them, and some that none has.
fn duration(rng: &mut ChaCha8Rng) -> u64 {
    *[1, 500, 2_000, 2_000, 10_000, 10_000, 30_000, 120_000, HOUR_MS].choose(rng).unwrap_or(&1)
}

/// One after which the same may come again and again.
fn pause(rng: &mut ChaCha8Rng) -> u64 {
    duration(rng).max(2_000)
}

fn word<T: Copy>(rng: &mut ChaCha8Rng, all: &[T]) -> T {
    *all.choose(rng).expect("there is one")
}

fn some<'a>(rng: &mut ChaCha8Rng, names: &[&'a str], of: u32) -> Vec<&'a str> {
    names.iter().filter(|_| rng.random_ratio(1, of)).copied().collect()
}

fn levels(rng: &mut ChaCha8Rng, of: u32, max: u8) -> Vec<(&'static str, u8)> {
    some(rng, &SKILLS, of).into_iter().map(|skill| (skill, rng.random_range(0..=max))).collect()
}

fn texts(names: Vec<&str>) -> Vec<Box<str>> {
    names.into_iter().map(Into::into).collect()
}

/// An agent of this policy; now and then of another one.
pub fn agent_config(rng: &mut ChaCha8Rng, taste: Taste, policy: &Policy) -> AgentConfig {
    let is_stranger = rng.random_ratio(1, 30);
    let queues: Vec<&str> =
        QUEUES.into_iter().filter(|name| is_stranger || policy.queues.iter().any(|q| *q.name == **name)).collect();
    let channels: Vec<&str> =
        CHANNELS.into_iter().filter(|name| is_stranger || policy.channels.iter().any(|c| *c.name == **name)).collect();
    let mut skills: Vec<(&str, u8)> = Vec::new();
    for skill in SKILLS {
        if rng.random_ratio(3, 5) {
            skills.push((skill, rng.random_range(0..=8)));
        }
    }
    let units = rng.random_ratio(2, 3).then(|| rng.random_range(1..=5));
    let weight = if rng.random_ratio(1, 2) { 1 } else { rng.random_range(1..=7) };
    let mut config = events::agent_config(units, weight, &skills);
    if rng.random_ratio(1, 3) {
        config.team = word(rng, &TEAMS).into();
    }
    if taste.likes(rng) {
        config.seniority = rng.random_range(0..=10);
    }
    if taste.likes(rng) && rng.random_ratio(1, 3) {
        config.channels = texts(some(rng, &channels, 2));
    }
    if taste.likes(rng) && rng.random_ratio(1, 2) {
        for channel in some(rng, &channels, 3) {
            config.limits.push(ChannelLimit { channel: channel.into(), max: rng.random_range(1..=2) });
        }
    }
    if taste.likes(rng) {
        config.memberships = memberships(rng, &queues);
    }
    if let (true, Some(calendar)) = (taste.likes(rng) && rng.random_ratio(1, 2), policy.calendars.choose(rng)) {
        config.shifts = calendar.name.clone();
    }
    config
}

fn memberships(rng: &mut ChaCha8Rng, queues: &[&str]) -> Vec<Membership> {
    let mut memberships = Vec::new();
    for queue in some(rng, queues, 2) {
        let mut membership = Membership::of(queue);
        if rng.random_ratio(1, 2) {
            membership.priority = rng.random_range(1..=9);
        }
        if rng.random_ratio(1, 2) {
            membership.rank = rng.random_range(1..=3);
        }
        if rng.random_ratio(1, 4) {
            membership.delay_ms = duration(rng);
        }
        if rng.random_ratio(1, 4) {
            membership.max_units = rng.random_range(1..=3);
        }
        memberships.push(membership);
    }
    memberships
}

pub fn policy(rng: &mut ChaCha8Rng, version: u64, taste: Taste) -> Policy {
    let mut policy = events::plain_policy(Strategy::LongestIdle);
    policy.version = version;
    policy.default_units = rng.random_range(1..=3);
    policy.reopen_window_ms = word(rng, &[0, 30_000, HOUR_MS, 72 * HOUR_MS]);
    policy.idle_reset_ms = word(rng, &[0, 2_000, 60_000]);
    policy.decline_limit = word(rng, &[0, 1, 2, 3]);
    policy.max_transfers = word(rng, &[0, 1, 3]);
    if taste.likes(rng) {
        policy.not_responding_ms = duration(rng);
    }
    policy.lease_grace_ms = duration(rng);
    policy.bot_max_ms = duration(rng);
    if taste.likes(rng) {
        policy.priority_head_start_ms = duration(rng);
    }
    if taste.likes(rng) {
        policy.strict_max_wait_ms = duration(rng);
    }
    let count = rng.random_range(1..=QUEUES.len());
    let mut names: Vec<&str> = QUEUES[..count].to_vec();
    // The order of queues is not the order of their names, and the first may go.
    if count > 1 && rng.random_ratio(1, 3) {
        names.remove(rng.random_range(0..count));
    }
    for name in TEAMS {
        let memberships = if taste.likes(rng) { memberships(rng, &names) } else { Vec::new() };
        policy.teams.push(Team { name: name.into(), memberships });
    }
    policy.queues = names.iter().map(|name| queue(rng, name, &names, taste)).collect();
    channels(rng, &mut policy, taste);
    hours(rng, &mut policy, taste);
    routes(rng, &mut policy, taste);
    if rng.random_ratio(1, 2) || taste.likes(rng) {
        clocks(rng, &mut policy, &names, taste);
    }
    policy
}

/// Calendars, and the queues that keep to one.
fn hours(rng: &mut ChaCha8Rng, policy: &mut Policy, taste: Taste) {
    for name in CALENDARS {
        if taste.likes(rng) || rng.random_ratio(1, 4) {
            policy.calendars.push(super::policies::calendar(name));
        }
    }
    for queue in &mut policy.queues {
        if let (true, Some(calendar)) = (taste.likes(rng), policy.calendars.choose(rng)) {
            queue.calendar = calendar.name.clone();
        }
        if taste.likes(rng) {
            queue.drain_after_close_ms = duration(rng);
        }
    }
}

fn clocks(rng: &mut ChaCha8Rng, policy: &mut Policy, queues: &[&str], taste: Taste) {
    let target = |rng: &mut ChaCha8Rng| word(rng, &[1_000, 2_000, 10_000, 10_000, 30_000, 120_000, HOUR_MS]);
    for kind in ClockKind::ALL {
        if rng.random_ratio(1, 3) {
            continue;
        }
        let mut clock = Clock { kind: *kind, ..Clock::default() };
        if rng.random_ratio(4, 5) {
            clock.target_ms = target(rng);
        }
        if *kind != ClockKind::ReplyWindow {
            clock.calendar = match (rng.random_range(0..3), policy.calendars.choose(rng)) {
                (0, Some(calendar)) => calendar.name.clone(),
                (1, _) => ALWAYS.into(),
                _ => "".into(),
            };
        }
        for _ in 0..rng.random_range(0..3) {
            let mut own = Target { target_ms: target(rng), ..Target::default() };
            match (rng.random_range(0..3), policy.tiers.choose(rng)) {
                (0, Some(tier)) => own.tier = tier.name.clone(),
                (1, _) => {
                    own.channel = policy.channels.choose(rng).map(|channel| channel.name.clone()).unwrap_or_default()
                }
                _ => own.queue = word(rng, queues).into(),
            }
            // One that says a thing twice, or can mean nobody, is refused.
            if !own_fits_earlier(&clock.targets, &own) && !never_runs_there(policy, *kind, &own.channel) {
                clock.targets.push(own);
            }
        }
        clock.warn_percent = [25, 50, 75, 99].into_iter().filter(|_| rng.random_ratio(1, 3)).collect();
        if rng.random_ratio(1, 2) {
            let pauses = PauseOn::ALL.iter().filter(|_| *kind != ClockKind::QueueWait && rng.random_ratio(1, 2));
            clock.pause_on = Some(pauses.copied().collect());
        }
        for percent in [10, 50, 100, 150, 1_000] {
            if rng.random_ratio(1, 4) {
                let mut level = level(rng, percent, queues, taste);
                level.reassign &= *kind != ClockKind::QueueWait;
                let has_rung = |queue: &Queue| queue.ladder.iter().any(|rung| rung.level == level.escalate);
                if !policy.queues.iter().any(has_rung) {
                    level.escalate = 0;
                }
                if level == (ClockLevel { percent, ..ClockLevel::default() }) {
                    level.priority = 1;
                }
                clock.levels.push(level);
            }
        }
        if clock.target_ms > 0 || !clock.targets.is_empty() {
            policy.clocks.push(clock);
        }
    }
}

fn level(rng: &mut ChaCha8Rng, percent: u16, queues: &[&str], taste: Taste) -> ClockLevel {
    let mut level =
        ClockLevel { percent, relax: taste.likes(rng), reassign: taste.likes(rng), ..ClockLevel::default() };
    if rng.random_ratio(1, 2) {
        level.priority = rng.random_range(1..=9);
    }
    if rng.random_ratio(1, 3) {
        level.notify = texts(vec!["a0"]);
    }
    if rng.random_ratio(1, 4) {
        level.queue = word(rng, queues).into();
    }
    if rng.random_ratio(1, 3) {
        level.escalate = rng.random_range(1..=3);
    }
    level
}

fn own_fits_earlier(earlier: &[Target], own: &Target) -> bool {
    let fits = |first: &str, later: &str| first.is_empty() || first == later;
    earlier.iter().any(|t| fits(&t.queue, &own.queue) && fits(&t.tier, &own.tier) && fits(&t.channel, &own.channel))
}

fn never_runs_there(policy: &Policy, kind: ClockKind, channel: &str) -> bool {
    let is_live = policy.channels.iter().any(|own| *own.name == *channel && own.live);
    is_live && matches!(kind, ClockKind::NextResponse | ClockKind::ReplyWindow)
}

fn queue(rng: &mut ChaCha8Rng, name: &str, all: &[&str], taste: Taste) -> Queue {
    let push = [Strategy::LongestIdle, Strategy::LeastLoaded, Strategy::WeightedRoundRobin, Strategy::MostSkilled];
    let is_manual = taste.likes(rng) && rng.random_ratio(1, 3);
    let strategy = if is_manual { Strategy::Manual } else { word(rng, &push) };
    let skills = levels(rng, 4, 5);
    let mut queue = events::queue(name, strategy, &skills);
    let others: Vec<&str> = all.iter().filter(|other| **other != name).copied().collect();
    if taste.likes(rng) {
        queue.preferred_skills = events::skill_levels(&levels(rng, 3, 5));
    }
    if taste.likes(rng) && rng.random_ratio(1, 4) {
        queue.teams = texts(some(rng, &TEAMS, 2));
    }
    if taste.likes(rng) {
        queue.accept_ms = pause(rng);
    }
    queue.on_all_declined = word(rng, &[RoundEnd::Again, RoundEnd::Relax, RoundEnd::Queue, RoundEnd::Park]);
    match (queue.on_all_declined, others.choose(rng)) {
        (RoundEnd::Queue, Some(other)) => queue.all_declined_queue = (*other).into(),
        (RoundEnd::Queue, None) => queue.on_all_declined = RoundEnd::Again,
        _ => {}
    }
    queue.round_ms = pause(rng);
    if taste.likes(rng) || (is_manual && rng.random_ratio(2, 3)) {
        queue.preferred_ms = if is_manual { 120_000 } else { duration(rng) };
    }
    if is_manual {
        queue.pick = word(rng, Pick::ALL);
        if rng.random_ratio(1, 2) {
            queue.unclaimed_ms = duration(rng);
            queue.unclaimed_strategy = word(rng, &push);
        }
    }
    if taste.likes(rng) {
        queue.max_waiting = rng.random_range(1..=6);
        queue.on_full = exit(rng, &others);
    }
    if taste.likes(rng) {
        queue.max_wait_ms = pause(rng);
        queue.on_max_wait = exit(rng, &others);
    }
    for way in [&mut queue.on_closed, &mut queue.on_unstaffed, &mut queue.on_unservable] {
        if taste.likes(rng) && rng.random_ratio(1, 3) {
            *way = exit(rng, &others);
        }
    }
    if taste.likes(rng) && rng.random_ratio(1, 3) {
        queue.replies_do_not_claim = true;
    }
    if taste.likes(rng) {
        queue.wrap_up = Some(wrap_up(rng));
    }
    if taste.likes(rng) && rng.random_ratio(1, 4) {
        queue.context_required = true;
    }
    if taste.likes(rng) {
        steps(rng, &mut queue, &skills, &others);
    }
    if taste.likes(rng) {
        ladder(rng, &mut queue, &others);
    }
    queue
}

fn exit(rng: &mut ChaCha8Rng, others: &[&str]) -> Exit {
    let kind = word(rng, ExitKind::ALL);
    match (kind, others.choose(rng)) {
        (ExitKind::Queue, Some(other)) => Exit { kind, text: (*other).into() },
        (ExitKind::Queue, None) => Exit::default(),
        (ExitKind::Deflect, _) => Exit { kind, text: "busy".into() },
        _ => Exit { kind, text: "".into() },
    }
}

fn wrap_up(rng: &mut ChaCha8Rng) -> WrapUp {
    match word(rng, WrapUpMode::ALL) {
        WrapUpMode::None => WrapUp::default(),
        mode => WrapUp { mode, units: rng.random_range(1..=2), max_ms: duration(rng) },
    }
}

fn steps(rng: &mut ChaCha8Rng, queue: &mut Queue, skills: &[(&str, u8)], others: &[&str]) {
    let mut after_ms = 0;
    for _ in 0..rng.random_range(1..=4) {
        after_ms += pause(rng);
        let mut step = Step { after_ms, ..Step::default() };
        for (skill, level) in skills {
            match rng.random_range(0..3) {
                0 => step.drop.push((*skill).into()),
                1 if *level > 0 => step.lower.push(SkillLevel { name: (*skill).into(), level: level - 1 }),
                _ => {}
            }
        }
        if rng.random_ratio(1, 3) {
            step.teams = Some(texts(some(rng, &TEAMS, 2)));
        }
        if rng.random_ratio(1, 3) {
            step.head_start_ms = duration(rng);
        }
        step.only_if_nobody_online = rng.random_ratio(1, 5);
        if step.drop.is_empty() && step.lower.is_empty() && step.teams.is_none() && step.head_start_ms == 0 {
            step.head_start_ms = 1;
        }
        if let (true, Some(other)) = (rng.random_ratio(1, 5), others.choose(rng)) {
            // Nothing comes after the step by which it leaves.
            queue.steps.push(Step { overflow: (*other).into(), ..step });
            return;
        }
        queue.steps.push(step);
    }
}

fn ladder(rng: &mut ChaCha8Rng, queue: &mut Queue, others: &[&str]) {
    for level in 1..=rng.random_range(1..=3) {
        let mut rung = Rung { level, priority: rng.random_range(1..=9), ..Rung::default() };
        if let (true, Some(other)) = (rng.random_ratio(1, 3), others.choose(rng)) {
            rung.queue = (*other).into();
        }
        if rng.random_ratio(1, 2) {
            rung.notify = texts(vec!["a0"]);
        }
        queue.ladder.push(rung);
    }
}

fn channels(rng: &mut ChaCha8Rng, policy: &mut Policy, taste: Taste) {
    for name in ["voice", "chat", "email", "whatsapp"] {
        if rng.random_ratio(1, 3) || taste.likes(rng) {
            let live = matches!(name, "voice" | "chat");
            events::set_channel(policy, channel(rng, name, live, taste));
        }
    }
    for name in ["fax", "walkin"] {
        if rng.random_ratio(4, 5) {
            // Now and then a channel turns from live to async: what is open stays what it was.
            let live = (name == "walkin") != rng.random_ratio(1, 8);
            events::set_channel(policy, channel(rng, name, live, taste));
        }
    }
}

fn channel(rng: &mut ChaCha8Rng, name: &str, live: bool, taste: Taste) -> Channel {
    let exclusive = rng.random_ratio(1, 4);
    let mut channel = events::channel(name, live, rng.random_range(1..=3), exclusive);
    if taste.likes(rng) {
        channel.limit = rng.random_range(1..=2);
    }
    if taste.likes(rng) && !exclusive {
        let mut names = some(rng, &CHANNELS[..4], 2);
        names.retain(|other| *other != name);
        channel.interrupts = Some(texts(names));
    }
    if taste.likes(rng) {
        channel.min_gap_ms = duration(rng);
    }
    if taste.likes(rng) {
        channel.wrap_up = wrap_up(rng);
    }
    if live {
        if taste.likes(rng) {
            channel.max_open_ms = duration(rng) + 60_000;
        }
        return channel;
    }
    if taste.likes(rng) {
        channel.on_offline = word(rng, OnOffline::ALL);
        channel.offline_grace_ms = word(rng, &[0, 2_000, 60_000]);
    }
    if taste.likes(rng) {
        channel.owner_absent = word(rng, OwnerAbsent::ALL);
        channel.owner_absent_ms = duration(rng);
    }
    if taste.likes(rng) {
        channel.owner_silent_ms = pause(rng);
    }
    if taste.likes(rng) || rng.random_ratio(1, 3) {
        channel.reply_window_ms = pause(rng);
    }
    if taste.likes(rng) {
        channel.close_after_ms = duration(rng);
    }
    if taste.likes(rng) {
        channel.their_turn_units = rng.random_range(0..=channel.units);
        channel.their_turn_after_ms = word(rng, &[0, 2_000, 30_000]);
    }
    channel
}

fn routes(rng: &mut ChaCha8Rng, policy: &mut Policy, taste: Taste) {
    for name in &TIERS[..2] {
        if rng.random_ratio(2, 3) {
            let mut tier = events::tier(name, word(rng, &[0, 5_000, 90_000, 10_000_000]));
            if taste.likes(rng) && rng.random_ratio(1, 2) {
                tier.class = rng.random_range(1..=9);
            }
            if taste.likes(rng) {
                tier.first_ring = Some(match rng.random_ratio(1, 2) {
                    true => FirstRing { team: word(rng, &TEAMS).into(), for_ms: duration(rng), seniority_at_least: 0 },
                    false => FirstRing {
                        team: "".into(),
                        for_ms: duration(rng),
                        seniority_at_least: rng.random_range(1..=8),
                    },
                });
            }
            policy.tiers.push(tier);
        }
    }
    let names: Vec<String> = policy.queues.iter().map(|queue| queue.name.to_string()).collect();
    let any = |rng: &mut ChaCha8Rng| names.choose(rng).cloned().unwrap_or_default();
    for name in &ENTRIES[1..] {
        if rng.random_ratio(1, 2) {
            let queue = any(rng);
            let bot = *name == "robot" && taste.likes(rng);
            policy.entries.push(Entry { bot, ..events::entry(name, &queue) });
        }
    }
    policy.rules.clear();
    for _ in 0..rng.random_range(0..4) {
        let tiers = policy.tiers.clone();
        let calendars = policy.calendars.clone();
        let condition = match rng.random_range(0..8) {
            6 if !calendars.is_empty() => (Subject::Open, "", &*calendars[0].name),
            7 if !calendars.is_empty() => (Subject::Closed, "", &*calendars[0].name),
            0 => (Subject::Channel, "", "email"),
            1 => (Subject::Entry, "", "shop"),
            2 => (Subject::Language, "", "fr"),
            3 if !tiers.is_empty() => (Subject::Tier, "", &*tiers[0].name),
            4 => (Subject::Attribute, "new", "true"),
            _ => (Subject::Attribute, "topic", "billing"),
        };
        let mut when = vec![condition];
        if condition.0 != Subject::Channel && rng.random_ratio(1, 4) {
            when.push((Subject::Channel, "", "whatsapp"));
        }
        let queue = any(rng);
        policy.rules.push(events::rule(&when, &queue));
    }
    let queue = any(rng);
    let at = rng.random_range(0..=policy.rules.len());
    policy.rules.insert(at, events::rule(&[], &queue));
}
