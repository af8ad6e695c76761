//! The page: figures as HTML for people, in one file with all that it shows. Nothing is loaded from elsewhere, nothing
//! runs. Every text that came from outside goes through `escaped`.

use super::figures::{
    AgentGroup, ClockTarget, Clocks, ContextCase, Figures, Group, HandoversOf, Listed, LostContext, QueueDays, Slow,
    SlowCounts,
};
use super::plots;
use super::zone::Zone;
use connectors::codec::parse_timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Rows of a table that are shown at most; JSON has all of them.
const ROWS_MAX: usize = 60;
/// Queues whose waits are drawn, days that are columns of a table.
const DRAWN_MAX: usize = 12;
const COLUMNS_MAX: usize = 14;
/// Columns of a table that does not need the whole width.
const NARROW_MAX: usize = 5;
/// Characters of a name that may be broken.
const LONG: usize = 28;

const STYLE: &str = include_str!("page.css");

/// Text as HTML, in element or attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `3,046`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `76.7 %`; a dash for none.
pub fn percent(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| format!("{:.1} %", share * 100.0))
}

/// `h:mm:ss`, rounded; a dash for none.
pub fn duration(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "–".into() };
    let seconds = seconds.round().max(0.0) as u64;
    format!("{}:{:02}:{:02}", thousands(seconds / 3_600), seconds / 60 % 60, seconds % 60)
}

/// What the command prints when it has written the files.
pub fn summary(figures: &Figures, files: &str) -> String {
    let mut out = format!(
        "{files}: workspace {}, {} to {}, read up to {} of shard {}\n",
        figures.workspace,
        figures.from,
        figures.to,
        figures.journal.decision.as_deref().unwrap_or("nothing"),
        figures.journal.shard
    );
    for card in cards(figures) {
        let _ = writeln!(out, "  {:<24}{:>9}  {}", card.name, card.value, card.beside);
    }
    out
}

pub fn render(figures: &Figures, zone: &Zone) -> String {
    let mut page = Page { figures, zone, out: String::with_capacity(64 * 1_024) };
    page.head();
    page.cards();
    page.service_level();
    page.volume();
    page.waits();
    page.clocks();
    page.agents();
    page.answers_that_failed();
    page.lost_context();
    page.handovers();
    page.exceptions();
    page.foot();
    page.out
}

/// One of the six figures that stand first.
struct Card {
    name: &'static str,
    value: String,
    beside: String,
    /// None: nothing was asked for.
    is_well: Option<bool>,
}

fn cards(figures: &Figures) -> Vec<Card> {
    let all = &figures.all;
    let goal = figures.service_level_goal;
    let service_level = Card {
        name: "Service level",
        value: percent(all.service_level),
        beside: format!(
            "goal {}, reached by {} of {} queues",
            percent(goal),
            figures.queues_at_goal,
            figures.queues_with_goal
        ),
        is_well: all.service_level.zip(goal).map(|(reached, goal)| reached >= goal),
    };
    let clock = |name: &'static str, kind: &str| {
        let clocks = all.clocks.get(kind);
        let (met, missed) = clocks.map_or((0, 0), |clocks| (clocks.met, clocks.missed));
        Card {
            name,
            value: percent(clocks.and_then(|clocks| clocks.compliance)),
            beside: match met + missed {
                0 => "no clock of this kind ended".into(),
                sum => format!("{} of {} missed their target", thousands(missed), thousands(sum)),
            },
            is_well: (met + missed > 0).then_some(missed == 0),
        }
    };
    let lost: u64 = figures.lost_context.iter().map(|lost| lost.cases.total).sum();
    vec![
        service_level,
        clock("First answer in time", "first_response"),
        clock("Next answers in time", "next_response"),
        clock("Resolved in time", "resolution"),
        Card {
            name: "Abandoned",
            value: percent(all.abandonment),
            beside: format!("{} of {} entries", thousands(all.abandoned), thousands(all.entries)),
            is_well: None,
        },
        Card {
            name: "Context lost",
            value: thousands(lost),
            beside: format!(
                "{} of {} hand-overs without a note",
                figures.handovers.without_note, figures.handovers.total
            ),
            is_well: Some(lost == 0),
        },
    ]
}

struct Page<'a> {
    figures: &'a Figures,
    zone: &'a Zone,
    out: String,
}

/// A column of a table: its heading, and whether it has numbers.
type Column<'a> = (&'a str, bool);

const fn words(heading: &str) -> Column<'_> {
    (heading, false)
}

const fn numbers(heading: &str) -> Column<'_> {
    (heading, true)
}

impl Page<'_> {
    fn add(&mut self, html: &str) {
        self.out.push_str(html);
        self.out.push('\n');
    }

    /// Rows of cells that are HTML already.
    fn table(&mut self, columns: &[Column<'_>], rows: &[Vec<String>]) {
        let class = |is_number: bool| if is_number { " class=\"n\"" } else { "" };
        let narrow = if columns.len() <= NARROW_MAX { " class=\"narrow\"" } else { "" };
        let _ = write!(self.out, "<div class=\"wide\"><table{narrow}><thead><tr>");
        for (heading, is_number) in columns {
            let _ = write!(self.out, "<th{}>{heading}</th>", class(*is_number));
        }
        self.out.push_str("</tr></thead><tbody>\n");
        for row in rows.iter().take(ROWS_MAX) {
            self.out.push_str("<tr>");
            for (cell, (_, is_number)) in row.iter().zip(columns) {
                let _ = write!(self.out, "<td{}>{cell}</td>", class(*is_number));
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</tbody></table></div>\n");
        if rows.len() > ROWS_MAX {
            let more = rows.len() - ROWS_MAX;
            self.add(&format!("<p class=\"note\">And {more} more, which are in the JSON.</p>"));
        }
    }

    fn section(&mut self, title: &str, note: &str) {
        self.add(&format!("<h2>{title}</h2>"));
        if !note.is_empty() {
            self.note(note);
        }
    }

    fn note(&mut self, note: &str) {
        self.add(&format!("<p class=\"note\">{note}</p>"));
    }

    fn list<T>(&mut self, listed: &Listed<T>, columns: &[Column<'_>], row: impl Fn(&T) -> Vec<String>, none: &str) {
        if listed.total == 0 {
            return self.note(none);
        }
        let rows: Vec<Vec<String>> = listed.shown.iter().map(row).collect();
        self.table(columns, &rows);
        if listed.more > 0 {
            self.note(&format!("And {} more.", thousands(listed.more)));
        }
    }

    /// A moment in the zone of the page.
    fn at(&self, utc: &str) -> String {
        at(self.zone, utc)
    }

    fn head(&mut self) {
        let Figures { workspace, from, to, zone, made_at, journal, policies, .. } = self.figures;
        let versions: Vec<String> =
            policies.iter().map(|policy| format!("{} (since {})", policy.version, self.at(&policy.since))).collect();
        let range = format!("{} to {}", moment(self.zone, from), moment(self.zone, to));
        let zone = escaped(zone);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Review of {workspace}, {range}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header><h1>Review of {workspace}</h1>\n<p class=\"range\">{range} <span>({zone})</span></p>\n\
             <dl><dt>In UTC</dt><dd>{from} to {to}</dd><dt>Policy versions</dt><dd>{versions}</dd>\
             <dt>Journal</dt><dd>{id}, shard {shard}, read up to decision {decision}; known until {known}</dd>\
             <dt>Made</dt><dd>{made}</dd></dl></header>",
            workspace = escaped(workspace),
            from = utc(from),
            to = utc(to),
            versions = if versions.is_empty() { "none".into() } else { versions.join(", ") },
            id = escaped(&journal.id),
            shard = journal.shard,
            decision = escaped(journal.decision.as_deref().unwrap_or("none")),
            known = self.at(&journal.known_until),
            made = self.at(made_at),
        );
        self.add(&html);
    }

    fn cards(&mut self) {
        self.out.push_str("<div class=\"cards\">");
        for card in cards(self.figures) {
            let (class, mark) = match card.is_well {
                Some(true) => (" well", "✓ "),
                Some(false) => (" badly", "✗ "),
                None => ("", ""),
            };
            let Card { name, value, beside, .. } = card;
            let _ = write!(
                self.out,
                "<div class=\"card{class}\"><b>{name}</b><strong>{mark}{value}</strong><span>{beside}</span></div>"
            );
        }
        self.add("</div>");
        let figures = self.figures;
        let all = &figures.all;
        let escalated: u64 = figures.escalations.iter().map(|escalated| escalated.count).sum();
        let counts = [
            ("entries into queues", all.entries),
            ("answered", all.answered),
            ("missed", figures.missed.total),
            ("slow", figures.slow.total),
            ("duplicate replies", figures.collisions.total),
            ("hand-overs", figures.handovers.total),
            ("reopened", figures.reopens),
            ("escalations", escalated),
        ];
        let counts: Vec<String> =
            counts.iter().map(|(what, count)| format!("<b>{}</b> {what}", thousands(*count))).collect();
        self.add(&format!("<p class=\"counts\">{}</p>", counts.join(" · ")));
    }

    fn service_level(&mut self) {
        let figures = self.figures;
        self.section(
            "Service level",
            "A contact is judged once for each entry into a queue, in which it may wait T. \
             Service level = in time / (in time + late + left before T). Late are all for whom T passed while they waited.",
        );
        if figures.by_day.len() > 1 {
            self.add(&plots::days(figures));
        }
        self.add("<h3>By queue</h3>");
        self.groups(&figures.by_queue, "Queue");
        self.queue_days();
        self.add("<h3>By channel</h3>");
        self.groups(&figures.by_channel, "Channel");
        self.add("<h3>By tier</h3>");
        self.groups(&figures.by_tier, "Tier");
        self.five_names();
    }

    fn groups(&mut self, groups: &[Group], what: &str) {
        let has_goal = groups.iter().any(|group| group.goal.is_some());
        let mut columns = vec![words(what)];
        if has_goal {
            columns.extend([numbers("T"), numbers("Goal")]);
        }
        columns.extend([numbers("Service level"), words("")]);
        let rest = ["Entries", "Answered", "In time", "Late", "Abandoned", "", "Excluded", "Mean wait", "Mean work"]
            .map(numbers);
        columns.extend(rest);
        let row = |group: &&Group| {
            let mut cells = vec![named(&group.name)];
            if has_goal {
                cells.extend([duration(group.threshold_s), percent(group.goal)]);
            }
            let meter = group.service_level.map_or(String::new(), |share| plots::meter(share, group.goal));
            cells.extend([judged(group.service_level, group.goal), meter]);
            cells.extend([
                thousands(group.entries),
                thousands(group.answered),
                thousands(group.answered_in_time),
                thousands(group.late),
                thousands(group.abandoned),
                percent(group.abandonment),
                thousands(group.excluded.sum()),
                duration(group.asa_s),
                duration(group.mean_work_s),
            ]);
            cells
        };
        let there: Vec<&Group> = groups.iter().filter(|group| group.entries + group.handled > 0).collect();
        let rows: Vec<Vec<String>> = there.iter().map(row).collect();
        self.table(&columns, &rows);
    }

    /// Whoever reads another system's figure finds it here.
    fn five_names(&mut self) {
        let figures = self.figures;
        self.add("<h3>Under its five names</h3>");
        let names = ["service level", "of answered", "SL 2", "of arrivals", "without early abandons"].map(numbers);
        let columns: Vec<Column<'_>> = [words(""), words("")].into_iter().chain(names).collect();
        let row = |what: &str, group: &Group| {
            let shares =
                [group.service_level, group.of_answered, group.sl2, group.of_arrivals, group.without_early_abandons];
            [what.to_string(), named(&group.name)].into_iter().chain(shares.map(percent)).collect::<Vec<String>>()
        };
        let mut rows = vec![row("all", &Group { name: "all".into(), ..figures.all.clone() })];
        rows[0][1].clear();
        for (what, groups) in
            [("queue", &figures.by_queue), ("channel", &figures.by_channel), ("tier", &figures.by_tier)]
        {
            rows.extend(groups.iter().filter(|group| group.entries > 0).map(|group| row(what, group)));
        }
        self.table(&columns, &rows);
    }

    /// Queues against days, where that is a table one can read.
    fn queue_days(&mut self) {
        let figures = self.figures;
        let days = figures.by_day.len();
        if !(2..=COLUMNS_MAX).contains(&days) || figures.by_queue_and_day.is_empty() {
            return;
        }
        let names: Vec<String> = figures.by_day.iter().map(|day| escaped(&plots::day_name(&day.local))).collect();
        let columns: Vec<Column<'_>> =
            std::iter::once(words("Queue")).chain(names.iter().map(|name| numbers(name.as_str()))).collect();
        let row = |queue: &QueueDays| {
            let cell = |day: &super::figures::Day| match day.service_level {
                None => "<span class=\"none\">–</span>".to_string(),
                Some(share) => judged(Some(share), queue.goal),
            };
            std::iter::once(named(&queue.queue)).chain(queue.days.iter().map(cell)).collect()
        };
        let rows: Vec<Vec<String>> = figures.by_queue_and_day.iter().map(row).collect();
        self.table(&columns, &rows);
    }

    fn volume(&mut self) {
        let figures = self.figures;
        let width = match figures.timeline_piece_s {
            86_400 => "day".to_string(),
            3_600 => "hour".to_string(),
            piece if piece > 3_600 => format!("{} hours", piece / 3_600),
            60 => "minute".to_string(),
            piece => format!("{} minutes", piece / 60),
        };
        self.section(
            "Volume",
            &format!(
                "Entries into queues by the {width} of the entry: <i class=\"key well\"></i> answered in time, \
                 <i class=\"key answered-late\"></i> answered late, <i class=\"key not-answered\"></i> late and not answered, \
                 <i class=\"key there\"></i> left before T or outside the service level."
            ),
        );
        self.add(&plots::timeline(figures));
        if figures.by_day.len() < 2 {
            return;
        }
        self.add("<h3>Entries by hour and weekday</h3>");
        self.add(&plots::heat(&figures.entries_by_hour_of_week, (0, 90, 150), "Entries by hour and weekday"));
        self.add("<h3>Late by hour and weekday</h3>");
        self.add(&plots::heat(&figures.late_by_hour_of_week, (190, 80, 0), "Late by hour and weekday"));
    }

    fn waits(&mut self) {
        let figures = self.figures;
        if figures.waits.is_empty() {
            return;
        }
        self.section(
            "Waits",
            "How many waited up to so long for their <i class=\"key well\"></i> answer or until they \
             <i class=\"key badly\"></i> left; the dashed line is T.",
        );
        let mut most: Vec<_> = figures.waits.iter().collect();
        most.sort_by_key(|waits| std::cmp::Reverse(waits.answered.iter().chain(&waits.abandoned).sum::<u64>()));
        self.out.push_str("<div class=\"plots\">");
        for waits in most.iter().take(DRAWN_MAX) {
            let plot = plots::waits(figures, waits);
            let _ = write!(self.out, "<figure><figcaption>{}</figcaption>{plot}</figure>", named(&waits.queue));
        }
        self.add("</div>");
        if most.len() > DRAWN_MAX {
            self.note(&format!("And {} more queues, which are in the JSON.", most.len() - DRAWN_MAX));
        }
    }

    fn clocks(&mut self) {
        let figures = self.figures;
        self.section(
            "Clocks",
            "What was met and missed, of the clocks that ended in the range; cancelled ones are left out. Met = up to and \
             with the target, in business hours where the clock has some.",
        );
        if figures.all.clocks.is_empty() {
            return self.note("No clock ended.");
        }
        let target = |target: &ClockTarget| {
            let conditions = [("queue", &target.queue), ("tier", &target.tier), ("channel", &target.channel)];
            let conditions =
                conditions.iter().filter_map(|(what, name)| Some(format!("{what} {}", named(name.as_ref()?))));
            let conditions: Vec<String> = conditions.collect();
            let whose = if conditions.is_empty() { "others".into() } else { conditions.join(", ") };
            format!("{} <i>{whose}</i>", duration(Some(target.target_s)))
        };
        let mut targets: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for asked in &figures.targets.clocks {
            targets.entry(asked.clock).or_default().push(target(asked));
        }
        let row = |(kind, clocks): (&&str, &Clocks)| {
            vec![
                clock_name(kind),
                targets.get(kind).map_or("as the channel says".into(), |targets| targets.join("<br>")),
                percent(clocks.compliance),
                clocks.compliance.map_or(String::new(), |share| plots::meter(share, None)),
                thousands(clocks.met),
                thousands(clocks.missed),
                thousands(clocks.cancelled),
                duration(clocks.mean_business_s),
                duration(clocks.mean_wall_s),
            ]
        };
        let rows: Vec<Vec<String>> = figures.all.clocks.iter().map(row).collect();
        let columns = [
            words("Clock"),
            words("Targets, the first that fits"),
            numbers("Compliance"),
            words(""),
            numbers("Met"),
            numbers("Missed"),
            numbers("Cancelled"),
            numbers("Mean, in its hours"),
            numbers("Mean, nothing subtracted"),
        ];
        self.table(&columns, &rows);
        for (what, groups) in
            [("Queue", &figures.by_queue), ("Channel", &figures.by_channel), ("Tier", &figures.by_tier)]
        {
            self.clocks_of(what, groups);
        }
    }

    fn clocks_of(&mut self, what: &str, groups: &[Group]) {
        let kinds: Vec<&'static str> = self.figures.all.clocks.keys().copied().collect();
        let names: Vec<String> = kinds.iter().map(|kind| clock_name(kind)).collect();
        let columns: Vec<Column<'_>> =
            std::iter::once(words(what)).chain(names.iter().map(|name| numbers(name.as_str()))).collect();
        let some = groups.iter().filter(|group| !group.clocks.is_empty());
        let row = |group: &Group| {
            let cells = kinds.iter().map(|kind| clock_cell(group.clocks.get(kind)));
            std::iter::once(named(&group.name)).chain(cells).collect()
        };
        let rows: Vec<Vec<String>> = some.map(row).collect();
        self.table(&columns, &rows);
    }

    fn agents(&mut self) {
        let figures = self.figures;
        self.section(
            "Agents",
            "Everything is credited to who did it, as the decisions say. Answered in time is of those who waited in a queue \
             until then. Work is without wrap-up.",
        );
        if figures.by_agent.is_empty() {
            return self.note("Nobody was online.");
        }
        let has_teams = figures.by_agent.iter().any(|agent| !agent.team.is_empty());
        let mut columns = vec![words("Agent")];
        columns.extend(has_teams.then_some(words("Team")));
        columns.extend([
            numbers("Online"),
            numbers("Assigned"),
            numbers("Answered in time"),
            words(""),
            numbers("Handled"),
            numbers("Mean work"),
            numbers("Resolved"),
            numbers("Replies"),
            numbers("Mean response"),
            numbers("Declined"),
            numbers("Not heard"),
        ]);
        let row = |agent: &AgentGroup| {
            let meter = agent.of_answered.map_or(String::new(), |share| plots::meter(share, None));
            let mut cells = vec![named(&agent.name)];
            cells.extend(has_teams.then(|| named(&agent.team)));
            cells.extend([
                duration(Some(agent.online_s)),
                thousands(agent.assigned),
                percent(agent.of_answered),
                meter,
                thousands(agent.handled),
                duration(agent.mean_work_s),
                thousands(agent.resolved),
                thousands(agent.replied),
                duration(agent.average_response_s),
                thousands(agent.offers.declined),
                thousands(agent.offers.expired),
            ]);
            cells
        };
        let rows: Vec<Vec<String>> = figures.by_agent.iter().map(row).collect();
        self.table(&columns, &rows);
        let kinds: Vec<&'static str> = figures.all.clocks.keys().copied().collect();
        let names: Vec<String> = kinds.iter().map(|kind| clock_name(kind)).collect();
        let mut columns = vec![words("Agent")];
        columns.extend(names.iter().map(|name| numbers(name.as_str())));
        columns.extend([numbers("Hand-overs"), numbers("Without a note"), numbers("Duplicate replies")]);
        let row = |agent: &AgentGroup| {
            let mut cells = vec![named(&agent.name)];
            cells.extend(kinds.iter().map(|kind| clock_cell(agent.clocks.get(kind))));
            cells.extend([agent.handovers, agent.handovers_without_note, agent.collisions].map(thousands));
            cells
        };
        let rows: Vec<Vec<String>> = figures.by_agent.iter().map(row).collect();
        self.table(&columns, &rows);
    }

    fn answers_that_failed(&mut self) {
        let (figures, zone) = (self.figures, self.zone);
        self.section("Missed", "Written conversations that ended without a person ever having had them.");
        let columns = ["Conversation", "Customer", "Queue", "Channel", "Tier", "Ended"].map(words);
        let columns: Vec<Column<'_>> = columns.into_iter().chain([numbers("Was open")]).collect();
        self.list(
            &figures.missed,
            &columns,
            |missed| {
                vec![
                    named(&missed.conversation),
                    named(&missed.customer),
                    named(&missed.queue),
                    named(&missed.channel),
                    named(&missed.tier),
                    at(zone, &missed.ended_at),
                    duration(Some(missed.open_s)),
                ]
            },
            "None.",
        );
        self.section(
            "Slow",
            "Clocks whose target passed in the range, the furthest beyond it first. <i>late</i>: what it measures came after it; \
             <i>never</i>: it ended without what the \
             clock measures; <i>open</i>: it goes on, and nothing is subtracted.",
        );
        let row = |(kind, counts): (&&str, &SlowCounts)| {
            let counts = [counts.late, counts.never, counts.open].map(thousands);
            std::iter::once(clock_name(kind)).chain(counts).collect()
        };
        let rows: Vec<Vec<String>> = figures.slow_by_clock.iter().map(row).collect();
        if !rows.is_empty() {
            self.table(&[words("Clock"), numbers("late"), numbers("never"), numbers("open")], &rows);
        }
        let columns = [
            words("Conversation"),
            words("Clock"),
            words("Queue"),
            words("Channel"),
            words("Tier"),
            words("Agent"),
            words("Target passed"),
            numbers("Target"),
            numbers("Beyond it"),
            words("Came of it"),
        ];
        let row = |slow: &Slow| {
            vec![
                named(&slow.conversation),
                clock_name(slow.clock),
                named(&slow.queue),
                named(&slow.channel),
                named(&slow.tier),
                slow.agent.as_deref().map_or("nobody".into(), named),
                at(zone, &slow.breached_at),
                duration(Some(slow.target_s)),
                format!("<b>{}</b>", duration(Some(slow.over_s))),
                slow.outcome.to_string(),
            ]
        };
        self.list(&figures.slow, &columns, row, "None.");
        self.section("Duplicate replies", "Somebody wrote to the customer in a conversation that another one has.");
        let columns = ["Conversation", "Queue", "Owner", "Who wrote", "When"].map(words);
        self.list(
            &figures.collisions,
            &columns,
            |collision| {
                vec![
                    named(&collision.conversation),
                    named(&collision.queue),
                    collision.owner.as_deref().map_or("nobody".into(), named),
                    named(&collision.agent),
                    at(zone, &collision.at),
                ]
            },
            "None.",
        );
    }

    fn lost_context(&mut self) {
        let (figures, zone) = (self.figures, self.zone);
        self.section("Lost context", "Where somebody had to begin anew with what was known before.");
        let row = |lost: &LostContext| {
            let by_queue: Vec<String> =
                lost.by_queue.iter().map(|(queue, count)| format!("{} {}", named(queue), thousands(*count))).collect();
            vec![
                reason_name(lost.reason).to_string(),
                format!("<b>{}</b>", thousands(lost.cases.total)),
                by_queue.join(", "),
            ]
        };
        let rows: Vec<Vec<String>> = figures.lost_context.iter().map(row).collect();
        self.table(&[words("Why"), numbers("Cases"), words("By queue")], &rows);
        for lost in figures.lost_context.iter().filter(|lost| lost.cases.total > 0) {
            self.add(&format!("<h3>{}</h3>", reason_name(lost.reason)));
            let columns = ["Conversation", "Customer", "Queue", "Agent", "When"].map(words);
            let row = |case: &ContextCase| {
                let other = case.other_customer.as_deref();
                vec![
                    case.conversation.as_deref().map_or(String::new(), named),
                    other
                        .map_or(named(&case.customer), |other| format!("{} = {}", named(&case.customer), named(other))),
                    case.queue.as_deref().map_or(String::new(), named),
                    case.agent.as_deref().map_or(String::new(), named),
                    at(zone, &case.at),
                ]
            };
            self.list(&lost.cases, &columns, row, "None.");
        }
    }

    fn handovers(&mut self) {
        let handovers = &self.figures.handovers;
        self.section("Hand-overs", "Transfers and releases, by the queue that they left; in brackets: without a note.");
        if handovers.total == 0 {
            return self.note("None.");
        }
        let cell = |with: u64, without: u64| format!("{} ({without})", thousands(with + without));
        let row = |of: &HandoversOf| {
            vec![
                named(&of.queue),
                cell(of.blind_with_note, of.blind_without_note),
                cell(of.warm_with_note, of.warm_without_note),
                cell(of.release_with_note, of.release_without_note),
            ]
        };
        let rows: Vec<Vec<String>> = handovers.by_queue.iter().map(row).collect();
        self.table(&[words("Queue"), numbers("Blind"), numbers("Warm"), numbers("Given back")], &rows);
        let lengths: Vec<String> = handovers
            .conversations_by_handovers
            .iter()
            .map(|(length, conversations)| format!("{} {}", thousands(*conversations), times(*length)))
            .collect();
        self.note(&format!("Conversations that were handed over: {}.", lengths.join(", ")));
        if handovers.chains.total > 0 {
            self.add("<h3>The longest chains</h3>");
        }
        let columns = [words("Conversation"), numbers("Hand-overs"), words("From whom to whom; # is a queue")];
        let row = |chain: &super::figures::Chain| {
            let path: Vec<String> = chain.path.iter().map(|station| escaped(station)).collect();
            vec![named(&chain.conversation), chain.handovers.to_string(), path.join(" → ")]
        };
        self.list(&handovers.chains, &columns, row, "None was handed over more than once.");
    }

    fn exceptions(&mut self) {
        let figures = self.figures;
        self.section("Reopened", "");
        let rows: Vec<Vec<String>> =
            figures.reopens_by_queue.iter().map(|(queue, count)| vec![named(queue), thousands(*count)]).collect();
        self.table_or_none(&[words("Queue"), numbers("Conversations")], &rows);
        self.section("Escalations", "By what raised them; levels are those of the queue's ladder or the clock.");
        let rows: Vec<Vec<String>> = figures
            .escalations
            .iter()
            .map(|escalated| {
                let level = if escalated.level == 0 { String::new() } else { escalated.level.to_string() };
                vec![named(&escalated.queue), escalated.trigger.replace('_', " "), level, thousands(escalated.count)]
            })
            .collect();
        self.table_or_none(&[words("Queue"), words("Raised by"), numbers("Level"), numbers("Times")], &rows);
        self.section("Closed queues", "By command or by their hours.");
        let rows: Vec<Vec<String>> = figures
            .closures
            .iter()
            .map(|closure| {
                vec![
                    named(&closure.queue),
                    duration(Some(closure.closed_s)),
                    duration(Some(closure.emergency_s)),
                    thousands(closure.closings),
                    if closure.is_closed { "closed".into() } else { "open".into() },
                ]
            })
            .collect();
        let columns = [
            words("Queue"),
            numbers("Was closed"),
            numbers("By emergency"),
            numbers("Times it closed"),
            words("When the journal ends"),
        ];
        self.table_or_none(&columns, &rows);
        self.section("Turned away", "Conversations that did not get through to a queue or that it gave up, by why.");
        let rows: Vec<Vec<String>> = figures
            .turned_away
            .iter()
            .map(|away| vec![named(&away.queue), away.how.into(), away.reason.replace('_', " "), thousands(away.count)])
            .collect();
        self.table_or_none(&[words("Queue"), words("How"), words("Why"), numbers("Conversations")], &rows);
    }

    fn table_or_none(&mut self, columns: &[Column<'_>], rows: &[Vec<String>]) {
        if rows.is_empty() { self.note("None.") } else { self.table(columns, rows) }
    }

    fn foot(&mut self) {
        self.section("What is not in here", "");
        let sentences: Vec<String> =
            self.figures.left_out.iter().map(|sentence| format!("<li>{}</li>", escaped(sentence))).collect();
        self.add(&format!("<ul>{}</ul>", sentences.concat()));
        self.add(
            "<p class=\"note\">of answered = in time / answered · SL 2 = (in time + left before T) / (answered + abandoned) · \
             of arrivals = in time / entries · w/o early abandons = in time / (answered + left after T) · mean wait is of \
             the answered · abandoned = abandoned / (answered + abandoned); short abandons are in none of them. Entries and \
             their verdicts belong to the time of the entry, all else to its own.</p>\n</main>\n</body>\n</html>",
        );
    }
}

fn at(zone: &Zone, utc: &str) -> String {
    let Some(ms) = parse_timestamp(utc) else { return escaped(utc) };
    let local = connectors::codec::timestamp(u64::try_from(zone.local(ms)).unwrap_or(0));
    let (date, time) = local.split_at_checked(10).unwrap_or((&local, ""));
    escaped(&format!("{date} {}", time.get(1..9).unwrap_or("")))
}

/// `Mon 16 Nov 2026, 00:00`
fn moment(zone: &Zone, utc: &str) -> String {
    let local = at(zone, utc);
    let (date, time) = local.split_at_checked(10).unwrap_or((&local, ""));
    format!("{} {}, {}", plots::day_name(date), date.get(..4).unwrap_or(""), time.trim().get(..5).unwrap_or(""))
}

/// `2026-11-16 00:00 UTC`
fn utc(text: &str) -> String {
    let text = text.get(..16).unwrap_or(text).replace('T', " ");
    escaped(&format!("{text} UTC"))
}

/// A name from outside.
fn named(name: &str) -> String {
    match name.len() {
        0 => "<span class=\"none\">none</span>".into(),
        LONG.. => format!("<span class=\"long\">{}</span>", escaped(name)),
        _ => escaped(name),
    }
}

/// A share against its goal, in words that need no colour.
fn judged(share: Option<f64>, goal: Option<f64>) -> String {
    match share.zip(goal) {
        Some((reached, goal)) if reached >= goal => format!("<span class=\"well\">✓ {}</span>", percent(share)),
        Some(_) => format!("<span class=\"badly\">✗ {}</span>", percent(share)),
        None => percent(share),
    }
}

fn clock_name(kind: &str) -> String {
    let name = match kind {
        "first_response" => "First answer",
        "next_response" => "Next answers",
        "resolution" => "Resolution",
        "queue_wait" => "Wait in queue",
        "reply_window" => "Reply window",
        other => other,
    };
    name.into()
}

fn clock_cell(clocks: Option<&Clocks>) -> String {
    let Some(clocks) = clocks.filter(|clocks| clocks.met + clocks.missed > 0) else { return "–".into() };
    let missed = match clocks.missed {
        0 => String::new(),
        missed => format!(" <i>{} missed</i>", thousands(missed)),
    };
    format!("{}{missed}", percent(clocks.compliance))
}

fn reason_name(reason: &str) -> &str {
    match reason {
        "handover_without_note" => "Handed over without a note",
        "repeat_contact_24h" => "Came again within 24 hours of the end",
        "unlinked_channel" => "Served as two customers who were one",
        "owner_left" => "Its owner left",
        other => other,
    }
}

fn times(number: u32) -> String {
    match number {
        1 => "once".into(),
        2 => "twice".into(),
        number => format!("{number} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!((thousands(0).as_str(), thousands(999).as_str()), ("0", "999"));
        assert_eq!((thousands(1_000).as_str(), thousands(1_234_567).as_str()), ("1,000", "1,234,567"));
        assert_eq!((percent(Some(0.76666)).as_str(), percent(None).as_str()), ("76.7 %", "–"));
        assert_eq!(duration(Some(59.6)), "0:01:00");
        assert_eq!(duration(Some(3_661.0)), "1:01:01");
        assert_eq!(duration(Some(4_000_000.0)), "1,111:06:40");
    }

    #[test]
    fn what_comes_from_outside_is_text_and_nothing_else() {
        let bad = "<script>alert('1')</script>\"&";
        assert_eq!(escaped(bad), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;");
        let group = Group { name: bad.into(), entries: 1, ..Group::default() };
        let figures = Figures {
            workspace: bad.into(),
            by_queue: vec![group.clone()],
            by_channel: vec![group.clone()],
            by_tier: vec![group],
            ..Figures::default()
        };
        let page = render(&figures, &Zone::named("UTC").unwrap());
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    }
}
