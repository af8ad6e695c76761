//! Policies in words: one line a thing, for scripts and for the tests that change one in mid-stream.
//!
//! ```text
//! set decline_limit=2 strict_max_wait=60      settings of the whole, durations in seconds
//! queue main least_loaded accept=20 skills=de:5 wrap_up=timed:1:30 full=deflect:busy max_waiting=3
//! step main after=30 drop=de                  a relaxation step of the queue before it
//! rung main level=1 priority=5 notify=boss    a level of its ladder
//! channel email async min_gap=10 their_units=0:60
//! entry +4930 main bot
//! tier vip head_start=90 ring=seniority:5:30
//! team night member=main:5:1:0:0
//! rule mail channel=email open=office         without a condition: the default
//! calendar office                             open when a script says so (`expand`)
//! clock first_response target=60 warn=50,75 pause=snoozed calendar=office
//! target first_response tier=vip target=30    of the clock before it
//! level first_response percent=100 priority=5 relax reassign queue=second escalate=2 notify=boss
//! ```
//! Lines may also be separated by `;`. Without a queue there is `main`, without a default rule the first queue is it.

use super::events::{channel, condition, plain_policy, queue, rule, skill_levels, tier};
use engine::policy::*;

type Text = Box<str>;

pub fn policy(text: &str) -> Policy {
    let mut policy = plain_policy(Strategy::LongestIdle);
    let plain = std::mem::take(&mut policy.queues);
    policy.rules.clear();
    for line in text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, words) = (words.get(1).copied().unwrap_or(""), Words { line, words: words.clone() });
        match words.words[0] {
            "set" => words.set(&mut policy),
            "queue" => policy.queues.push(words.queue(name)),
            "step" => words.queue_of(&mut policy, name).steps.push(words.step()),
            "rung" => words.queue_of(&mut policy, name).ladder.push(words.rung()),
            "channel" => super::events::set_channel(&mut policy, words.channel(name)),
            "entry" => {
                policy.entries.push(Entry { name: name.into(), queue: words.at(2).into(), bot: words.has("bot") })
            }
            "tier" => policy.tiers.push(words.tier(name)),
            "team" => policy.teams.push(Team { name: name.into(), memberships: words.memberships() }),
            "rule" => policy.rules.push(words.rule(name)),
            "calendar" => policy.calendars.push(calendar(name)),
            "clock" => policy.clocks.push(words.clock(name)),
            "target" => words.clock_of(&mut policy, name).targets.push(words.target()),
            "level" => words.clock_of(&mut policy, name).levels.push(words.level()),
            _ => panic!("`{line}` is no line of a policy"),
        }
    }
    if policy.queues.is_empty() {
        policy.queues = plain;
    }
    if policy.rules.iter().all(|rule| !rule.when.is_empty()) {
        policy.rules.push(rule(&[], &policy.queues[0].name));
    }
    policy
}

/// An agent's settings: `units=2 weight=3 skills=de:5 team=x seniority=3 channels=email limits=email:2
/// member=QUEUE:PRIORITY:RANK:DELAY_S:MAX_UNITS` (the numbers from the right may be left out).
pub fn agent_config(args: &[&str]) -> AgentConfig {
    let words = Words { line: "agent", words: args.to_vec() };
    AgentConfig {
        shifts: words.text("shifts"),
        team: words.text("team"),
        skills: words.levels("skills"),
        weight: words.option("weight").map_or(1, |weight| number(weight) as u16),
        units: words.option("units").map(|units| number(units) as u32),
        seniority: words.number("seniority") as u8,
        channels: words.names("channels"),
        limits: words.limits(),
        memberships: words.memberships(),
    }
}

pub fn option<'a>(args: &[&'a str], name: &str) -> Option<&'a str> {
    args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
}

pub fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

pub fn milliseconds(seconds: &str) -> u64 {
    let seconds: f64 = seconds.parse().unwrap_or_else(|_| panic!("`{seconds}` is no time"));
    (seconds * 1_000.0).round() as u64
}

/// `de:5,fr:2`; without a level 1.
pub fn levels(list: &str) -> Vec<(&str, u8)> {
    let one = |skill| {
        let (name, level) = str::split_once(skill, ':').unwrap_or((skill, "1"));
        (name, number(level) as u8)
    };
    list.split(',').filter(|skill| !skill.is_empty()).map(one).collect()
}

struct Words<'a> {
    line: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn at(&self, at: usize) -> &'a str {
        self.words.get(at).copied().unwrap_or_else(|| panic!("`{}` has no word {at}", self.line))
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn option(&self, name: &str) -> Option<&'a str> {
        option(&self.words, name)
    }

    fn text(&self, name: &str) -> Text {
        self.option(name).unwrap_or("").into()
    }

    fn number(&self, name: &str) -> u64 {
        self.option(name).map_or(0, number)
    }

    fn ms(&self, name: &str, default_ms: u64) -> u64 {
        self.option(name).map_or(default_ms, milliseconds)
    }

    fn names(&self, name: &str) -> Vec<Text> {
        let list = self.option(name).unwrap_or("").split(',');
        list.filter(|name| !name.is_empty()).map(Into::into).collect()
    }

    fn levels(&self, name: &str) -> Vec<SkillLevel> {
        skill_levels(&levels(self.option(name).unwrap_or("")))
    }

    fn limits(&self) -> Vec<ChannelLimit> {
        let one = |(channel, max): (&str, u8)| ChannelLimit { channel: channel.into(), max: u32::from(max) };
        levels(self.option("limits").unwrap_or("")).into_iter().map(one).collect()
    }

    fn memberships(&self) -> Vec<Membership> {
        let lists = self.words.iter().filter_map(|word| word.strip_prefix("member="));
        let one = |text: &str| {
            let parts: Vec<&str> = text.split(':').collect();
            let part = |at: usize, default: u64| parts.get(at).map_or(default, |part| number(part));
            Membership {
                queue: parts[0].into(),
                priority: part(1, 5) as u8,
                rank: part(2, 5) as u8,
                delay_ms: part(3, 0) * 1_000,
                max_units: part(4, 0) as u32,
            }
        };
        lists.map(one).collect()
    }

    fn set(&self, policy: &mut Policy) {
        for word in &self.words[1..] {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("`{word}` sets nothing"));
            match name {
                "version" => policy.version = number(value),
                "default_units" => policy.default_units = number(value) as u32,
                "decline_limit" => policy.decline_limit = number(value) as u32,
                "max_transfers" => policy.max_transfers = number(value) as u32,
                "reopen_window" => policy.reopen_window_ms = milliseconds(value),
                "idle_reset" => policy.idle_reset_ms = milliseconds(value),
                "not_responding" => policy.not_responding_ms = milliseconds(value),
                "lease_grace" => policy.lease_grace_ms = milliseconds(value),
                "bot_max" => policy.bot_max_ms = milliseconds(value),
                "priority_head_start" => policy.priority_head_start_ms = milliseconds(value),
                "strict_max_wait" => policy.strict_max_wait_ms = milliseconds(value),
                _ => panic!("`{word}` sets nothing"),
            }
        }
    }

    fn queue(&self, name: &str) -> Queue {
        let strategy = self.words.iter().find_map(|word| Strategy::from_word(word)).unwrap_or_default();
        let mut queue = queue(name, strategy, &levels(self.option("skills").unwrap_or("")));
        queue.preferred_skills = self.levels("preferred_skills");
        queue.teams = self.names("teams");
        queue.accept_ms = self.ms("accept", 0);
        let (all_declined, to) = split(self.option("all_declined").unwrap_or("again"));
        queue.on_all_declined = RoundEnd::from_word(all_declined).expect("a word of `on_all_declined`");
        queue.all_declined_queue = to.into();
        queue.round_ms = self.ms("round", 30_000);
        queue.preferred_ms = self.ms("preferred", 0);
        queue.pick = self.option("pick").and_then(Pick::from_word).unwrap_or_default();
        let (unclaimed, strategy) = split(self.option("unclaimed").unwrap_or("0"));
        queue.unclaimed_ms = milliseconds(unclaimed);
        queue.unclaimed_strategy = Strategy::from_word(strategy).unwrap_or_default();
        queue.max_waiting = self.number("max_waiting") as u32;
        queue.max_wait_ms = self.ms("max_wait", 0);
        queue.on_full = self.exit("full");
        queue.on_max_wait = self.exit("too_long");
        queue.on_closed = self.exit("closed");
        queue.on_unstaffed = self.exit("unstaffed");
        queue.on_unservable = self.exit("unservable");
        queue.replies_do_not_claim = self.has("replies_do_not_claim");
        queue.wrap_up = self.option("wrap_up").map(wrap_up);
        queue.context_required = self.has("context_required");
        queue.calendar = self.text("calendar");
        queue.drain_after_close_ms = self.ms("drain", 0);
        queue
    }

    fn queue_of<'p>(&self, policy: &'p mut Policy, name: &str) -> &'p mut Queue {
        let found = policy.queues.iter_mut().find(|queue| *queue.name == *name);
        found.unwrap_or_else(|| panic!("`{}` is of no queue before it", self.line))
    }

    /// `queue:NAME`, `deflect:REASON`, `park`, `close`, `wait`.
    fn exit(&self, name: &str) -> Exit {
        let (kind, text) = split(self.option(name).unwrap_or("wait"));
        let kind = ExitKind::from_word(kind).unwrap_or_else(|| panic!("`{}` has no way out `{kind}`", self.line));
        Exit { kind, text: text.into() }
    }

    fn step(&self) -> Step {
        Step {
            after_ms: self.ms("after", 0),
            drop: self.names("drop"),
            lower: self.levels("lower"),
            teams: self.option("teams").map(|_| self.names("teams")),
            head_start_ms: self.ms("head_start", 0),
            overflow: self.text("overflow"),
            only_if_nobody_online: self.has("only_if_nobody_online"),
        }
    }

    fn rung(&self) -> Rung {
        Rung {
            level: self.number("level") as u8,
            priority: self.number("priority") as u8,
            queue: self.text("queue"),
            notify: self.names("notify"),
        }
    }

    fn channel(&self, name: &str) -> Channel {
        let live = self.has("live");
        let mut channel = channel(name, live, self.option("units").map_or(1, number) as u32, self.has("exclusive"));
        channel.limit = self.number("limit") as u32;
        channel.interrupts = self.option("interrupts").map(|_| self.names("interrupts"));
        channel.min_gap_ms = self.ms("min_gap", 0);
        channel.wrap_up = self.option("wrap_up").map(wrap_up).unwrap_or_default();
        let (offline, grace) = split(self.option("offline").unwrap_or("keep"));
        channel.on_offline = OnOffline::from_word(offline).expect("a word of `on_offline`");
        channel.offline_grace_ms = if grace.is_empty() { 0 } else { milliseconds(grace) };
        let (absent, wait) = split(self.option("absent").unwrap_or("wait:300"));
        channel.owner_absent = OwnerAbsent::from_word(absent).expect("a word of `owner_absent`");
        channel.owner_absent_ms = if wait.is_empty() { 300_000 } else { milliseconds(wait) };
        channel.reply_window_ms = self.ms("reply_window", 0);
        channel.max_open_ms = self.ms("max_open", channel.max_open_ms);
        channel.owner_silent_ms = self.ms("silent", channel.owner_silent_ms);
        channel.close_after_ms = self.ms("close_after", channel.close_after_ms);
        if let Some((units, after)) = self.option("their_units").map(split) {
            channel.their_turn_units = number(units) as u32;
            channel.their_turn_after_ms = if after.is_empty() { 0 } else { milliseconds(after) };
        } else {
            // Dormancy is the business of the scripts that name it.
            channel.their_turn_units = channel.units;
        }
        channel
    }

    fn clock(&self, kind: &str) -> Clock {
        let percents = self.names("warn");
        let pauses = self.names("pause");
        let pause =
            |word: &Text| PauseOn::from_word(word).unwrap_or_else(|| panic!("`{}` pauses for nothing", self.line));
        Clock {
            kind: clock_kind(kind),
            calendar: self.text("calendar"),
            target_ms: self.ms("target", 0),
            targets: Vec::new(),
            warn_percent: percents.iter().map(|percent| number(percent) as u16).collect(),
            pause_on: self
                .option("pause")
                .map(|_| pauses.iter().filter(|word| ***word != *"nothing").map(pause).collect()),
            levels: Vec::new(),
        }
    }

    fn clock_of<'p>(&self, policy: &'p mut Policy, kind: &str) -> &'p mut Clock {
        let found = policy.clocks.iter_mut().find(|clock| clock.kind == clock_kind(kind));
        found.unwrap_or_else(|| panic!("`{}` is of no clock before it", self.line))
    }

    fn target(&self) -> Target {
        let (queue, tier, channel) = (self.text("queue"), self.text("tier"), self.text("channel"));
        Target { queue, tier, channel, target_ms: self.ms("target", 0) }
    }

    fn level(&self) -> ClockLevel {
        ClockLevel {
            percent: self.number("percent") as u16,
            priority: self.number("priority") as u8,
            relax: self.has("relax"),
            notify: self.names("notify"),
            reassign: self.has("reassign"),
            queue: self.text("queue"),
            escalate: self.number("escalate") as u8,
        }
    }

    fn tier(&self, name: &str) -> Tier {
        let mut tier = tier(name, self.ms("head_start", 0));
        tier.class = self.number("class") as u8;
        tier.first_ring = self.option("ring").map(|ring| match ring.split(':').collect::<Vec<_>>()[..] {
            ["team", team, seconds] => {
                FirstRing { team: team.into(), for_ms: milliseconds(seconds), ..FirstRing::default() }
            }
            ["seniority", level, seconds] => FirstRing {
                seniority_at_least: number(level) as u8,
                for_ms: milliseconds(seconds),
                ..FirstRing::default()
            },
            _ => panic!("`{}` has no ring of its own", self.line),
        });
        tier
    }

    fn rule(&self, queue: &str) -> Rule {
        let one = |word: &&str| {
            let (subject, value) = word.split_once('=')?;
            let subject = Subject::from_word(subject)?;
            let (key, value) = if subject == Subject::Attribute { split(value) } else { ("", value) };
            Some(condition(subject, key, value))
        };
        Rule { when: self.words.iter().filter_map(one).collect(), queue: queue.into() }
    }
}

fn clock_kind(word: &str) -> ClockKind {
    ClockKind::from_word(word).unwrap_or_else(|| panic!("`{word}` is no clock"))
}

/// Open at all times, for those who ask the policy: scripts say in numbers when.
pub fn calendar(name: &str) -> Calendar {
    let weekly = (1..=7).map(|day| WeeklyOpening { day, from_minute: 0, to_minute: 1_440 }).collect();
    Calendar { name: name.into(), zone: "UTC".into(), weekly, dates: Vec::new() }
}

/// `mode:units:seconds`
fn wrap_up(text: &str) -> WrapUp {
    let parts: Vec<&str> = text.split(':').collect();
    let mode = WrapUpMode::from_word(parts[0]).expect("a word of `wrap_up`");
    if mode == WrapUpMode::None {
        return WrapUp::default();
    }
    WrapUp {
        mode,
        units: parts.get(1).map_or(1, |units| number(units)) as u32,
        max_ms: parts.get(2).map_or(0, |seconds| milliseconds(seconds)),
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(':').unwrap_or((text, ""))
}
