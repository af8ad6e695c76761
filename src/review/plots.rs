//! Plots as SVG, drawn by hand: no script, no font, nothing from outside. Told apart by lightness too, so that they can
//! be read in print and by those who do not see all colours (the palette is that of Okabe and Ito, 2008).

use super::figures::{Day, Figures, Piece, Waits};
use super::page::{escaped, percent, thousands};
use std::fmt::Write;

/// What is well, what is not, and what is only there.
pub const WELL: &str = "#0072b2";
pub const BADLY: &str = "#e69f00";
const ANSWERED_LATE: &str = "#56b4e9";
const NOT_ANSWERED: &str = "#d55e00";
const THERE: &str = "#c9d3da";
const INK: &str = "#333";
const FAINT: &str = "#ddd";
const WIDTH: f64 = 1_000.0;

/// A drawing of this size; `label` says in words what is drawn.
fn svg(width: f64, height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        escaped(label)
    )
}

/// `anchor`: start, middle or end.
fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, what: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(what));
}

fn rect(out: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, title: &str) {
    let _ = write!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\">",
        width.max(0.0),
        height.max(0.0)
    );
    if !title.is_empty() {
        let _ = write!(out, "<title>{}</title>", escaped(title));
    }
    out.push_str("</rect>");
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, more: &str) {
    let _ =
        write!(out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{stroke}\" {more}/>");
}

/// A round number at or above `most`, of which quarters are whole where that can be.
fn axis_end(most: u64) -> u64 {
    let most = most.max(4);
    let mut step = 1;
    loop {
        let end = [4, 8, 12, 20, 40].into_iter().map(|ticks| ticks * step).find(|end| *end >= most);
        match end {
            Some(end) => return end,
            None => step *= 10,
        }
    }
}

/// Entries in pieces of time, one upon the other: answered in time, answered late, late and not answered, the others.
pub fn timeline(figures: &Figures) -> String {
    const LEFT: f64 = 44.0;
    const TOP: f64 = 10.0;
    const HEIGHT: f64 = 180.0;
    let pieces = &figures.timeline;
    let most = axis_end(pieces.iter().map(|piece| piece.entries).max().unwrap_or(0));
    let width = (WIDTH - LEFT) / pieces.len().max(1) as f64;
    let y = |count: u64| TOP + HEIGHT - HEIGHT * count as f64 / most as f64;
    let mut body = String::new();
    for tick in 0..=4 {
        let count = most * tick / 4;
        line(&mut body, (LEFT, y(count)), (WIDTH, y(count)), FAINT, "");
        text(&mut body, (LEFT - 6.0, y(count) + 4.0), "end", &thousands(count));
    }
    for (nth, piece) in pieces.iter().enumerate() {
        let x = LEFT + nth as f64 * width;
        let gap = if width > 3.0 { 1.0 } else { 0.0 };
        let title = piece_title(piece);
        let mut below = 0;
        // Late are those answered late, and who was not answered.
        let in_time_or_late = piece.answered_in_time + piece.late;
        let tops = [
            (piece.answered_in_time, WELL),
            (piece.answered, ANSWERED_LATE),
            (in_time_or_late, NOT_ANSWERED),
            (piece.entries, THERE),
        ];
        for (up_to, fill) in tops {
            if up_to > below {
                rect(&mut body, (x, y(up_to)), (width - gap, y(below) - y(up_to)), fill, &title);
                below = up_to;
            }
        }
    }
    let labelled = labels_of(pieces, width);
    for (nth, label) in labelled {
        let x = LEFT + nth as f64 * width;
        line(&mut body, (x, TOP + HEIGHT), (x, TOP + HEIGHT + 5.0), INK, "");
        text(&mut body, (x + 2.0, TOP + HEIGHT + 16.0), "start", &label);
    }
    svg(WIDTH, TOP + HEIGHT + 24.0, "Entries over time, and how many of them were answered in time and late", &body)
}

fn piece_title(piece: &Piece) -> String {
    let Piece { local, entries, answered, answered_in_time, late } = piece;
    format!("{local}: {entries} entries, {answered} answered, {answered_in_time} of them in time, {late} late")
}

/// The pieces that get a label, at least a label's width apart: where a day begins, else the hours.
fn labels_of(pieces: &[Piece], width: f64) -> Vec<(usize, String)> {
    let begins_day = |piece: &Piece| piece.local.ends_with(" 00:00");
    let days = pieces.iter().filter(|piece| begins_day(piece)).count();
    let by_day = days > 2;
    let mut labels: Vec<(usize, String)> = Vec::new();
    for (nth, piece) in pieces.iter().enumerate() {
        let is_candidate = if by_day { begins_day(piece) } else { true };
        let apart = if by_day { 74.0 } else { 46.0 };
        let is_free = labels.last().is_none_or(|(last, _)| (nth - last) as f64 * width >= apart);
        let fits = (pieces.len() - nth) as f64 * width >= apart * 0.6;
        if is_candidate && is_free && fits {
            let (date, time) = piece.local.split_at_checked(10).unwrap_or((&piece.local, ""));
            labels.push((nth, if by_day { day_name(date) } else { time.trim().to_string() }));
        }
    }
    labels
}

/// Service level by day: dark at the goal, light below it.
pub fn days(figures: &Figures) -> String {
    const LEFT: f64 = 44.0;
    const TOP: f64 = 18.0;
    const HEIGHT: f64 = 150.0;
    let days = &figures.by_day;
    let width = ((WIDTH - LEFT) / days.len().max(1) as f64).min(137.0);
    let y = |share: f64| TOP + HEIGHT - HEIGHT * share;
    let mut body = String::new();
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        line(&mut body, (LEFT, y(tick)), (WIDTH, y(tick)), FAINT, "");
        text(&mut body, (LEFT - 6.0, y(tick) + 4.0), "end", &format!("{:.0} %", tick * 100.0));
    }
    let goal = figures.service_level_goal;
    for (nth, day) in days.iter().enumerate() {
        let (x, middle) = (LEFT + nth as f64 * width, LEFT + (nth as f64 + 0.5) * width);
        if let Some(share) = day.service_level {
            let is_well = goal.is_none_or(|goal| share >= goal);
            let fill = if is_well { WELL } else { BADLY };
            let bar_width = (width * 0.7).clamp(1.0, 64.0);
            rect(&mut body, (middle - bar_width / 2.0, y(share)), (bar_width, HEIGHT * share), fill, &day_title(day));
            if width >= 44.0 {
                text(&mut body, (middle, y(share) - 4.0), "middle", &percent(Some(share)));
            }
        }
        let every = (44.0 / width).ceil() as usize;
        if nth.is_multiple_of(every) {
            let label = if width >= 72.0 { day_name(&day.local) } else { day.local.get(5..).unwrap_or("").to_string() };
            text(&mut body, (middle.max(x), TOP + HEIGHT + 16.0), "middle", &label);
        }
    }
    if let Some(goal) = goal {
        line(&mut body, (LEFT, y(goal)), (WIDTH, y(goal)), INK, "stroke-width=\"1.5\" stroke-dasharray=\"6 4\"");
        text(&mut body, (WIDTH, y(goal) - 5.0), "end", &format!("goal {}", percent(Some(goal))));
    }
    svg(WIDTH, TOP + HEIGHT + 24.0, "Service level by day, and the goal", &body)
}

fn day_title(day: &Day) -> String {
    let Day { local, entries, answered_in_time, judged, service_level, .. } = day;
    format!("{local}: {}, {answered_in_time} of {judged} in time, {entries} entries", percent(*service_level))
}

/// `Mon 16 Nov` of `2026-11-16`.
pub fn day_name(date: &str) -> String {
    let Ok(date) = date.parse::<jiff::civil::Date>() else { return date.into() };
    date.strftime("%a %-d %b").to_string()
}

/// How long was waited in one queue.
pub fn waits(figures: &Figures, waits: &Waits) -> String {
    const LEFT: f64 = 40.0;
    const TOP: f64 = 12.0;
    const WIDTH: f64 = 480.0;
    const HEIGHT: f64 = 110.0;
    let bounds = &figures.wait_bounds_s;
    let pieces = bounds.len() + 1;
    let sum_of = |nth: usize| waits.answered.get(nth).unwrap_or(&0) + waits.abandoned.get(nth).unwrap_or(&0);
    let most = axis_end((0..pieces).map(sum_of).max().unwrap_or(0));
    let width = (WIDTH - LEFT) / pieces as f64;
    let y = |count: u64| TOP + HEIGHT - HEIGHT * count as f64 / most as f64;
    let mut body = String::new();
    for tick in [0, 2, 4] {
        let count = most * tick / 4;
        line(&mut body, (LEFT, y(count)), (WIDTH, y(count)), FAINT, "");
        text(&mut body, (LEFT - 5.0, y(count) + 4.0), "end", &thousands(count));
    }
    for nth in 0..pieces {
        let x = LEFT + nth as f64 * width;
        let (answered, all) = (waits.answered.get(nth).copied().unwrap_or(0), sum_of(nth));
        let up_to = bounds.get(nth).map_or("longer".to_string(), |bound| format!("up to {}", short(*bound)));
        let title = format!("{up_to}: {answered} answered, {} abandoned", all - answered);
        let mut bar = |from: u64, to: u64, fill: &str| {
            if to > from {
                rect(&mut body, (x + 1.0, y(to)), (width - 2.0, y(from) - y(to)), fill, &title);
            }
        };
        bar(0, answered, WELL);
        bar(answered, all, BADLY);
        let label = bounds.get(nth).map_or("more".to_string(), |bound| short(*bound));
        text(&mut body, (x + width / 2.0, TOP + HEIGHT + 14.0), "middle", &label);
    }
    if let Some(threshold_s) = waits.threshold_s {
        let after = bounds.partition_point(|bound| (*bound as f64) <= threshold_s);
        let lower = if after == 0 { 0.0 } else { bounds[after - 1] as f64 };
        let upper = bounds.get(after).map_or(threshold_s.max(lower + 1.0), |bound| *bound as f64);
        let part = ((threshold_s - lower) / (upper - lower)).clamp(0.0, 1.0);
        let x = LEFT + (after as f64 + part) * width;
        line(&mut body, (x, TOP - 4.0), (x, TOP + HEIGHT), INK, "stroke-width=\"1.5\" stroke-dasharray=\"5 3\"");
        text(&mut body, (x + 4.0, TOP + 5.0), "start", "T");
    }
    svg(WIDTH, TOP + HEIGHT + 22.0, &format!("Waits in {}", waits.queue), &body)
}

fn short(bound_s: u64) -> String {
    match bound_s {
        0..60 => format!("{bound_s}s"),
        60..3_600 => format!("{}m", bound_s / 60),
        _ => format!("{}h", bound_s / 3_600),
    }
}

/// A number for each hour of the week. `shares` of what: the darkest is the largest.
pub fn heat(counts: &[[u64; 24]; 7], fill: (u8, u8, u8), label: &str) -> String {
    const LEFT: f64 = 44.0;
    const TOP: f64 = 18.0;
    const CELL_HEIGHT: f64 = 22.0;
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let width = (WIDTH - LEFT) / 24.0;
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let mut body = String::new();
    for hour in 0..24 {
        text(&mut body, (LEFT + (hour as f64 + 0.5) * width, TOP - 6.0), "middle", &format!("{hour:02}"));
    }
    for (weekday, hours) in counts.iter().enumerate() {
        let y = TOP + weekday as f64 * CELL_HEIGHT;
        text(&mut body, (LEFT - 6.0, y + 15.0), "end", WEEKDAYS[weekday]);
        for (hour, count) in hours.iter().enumerate() {
            let share = *count as f64 / most as f64;
            let x = LEFT + hour as f64 * width;
            let title = format!("{} {hour:02}:00: {count}", WEEKDAYS[weekday]);
            rect(&mut body, (x + 0.5, y + 0.5), (width - 1.0, CELL_HEIGHT - 1.0), &tint(fill, share), &title);
            if *count > 0 {
                let ink = if share > 0.55 { "class=\"on-dark\" " } else { "" };
                let (x, y) = (x + width / 2.0, y + 15.0);
                let _ = write!(
                    body,
                    "<text {ink}x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
                    thousands(*count)
                );
            }
        }
    }
    svg(WIDTH, TOP + 7.0 * CELL_HEIGHT + 4.0, label, &body)
}

/// White for nothing, the whole colour for 1.
fn tint((red, green, blue): (u8, u8, u8), share: f64) -> String {
    if share <= 0.0 {
        return "#f6f6f6".into();
    }
    let share = 0.12 + 0.88 * share.min(1.0);
    let mix = |part: u8| (255.0 - (255.0 - f64::from(part)) * share).round();
    format!("rgb({} {} {})", mix(red), mix(green), mix(blue))
}

/// A share as a small bar, with a mark at its goal.
pub fn meter(share: f64, goal: Option<f64>) -> String {
    const WIDTH: f64 = 54.0;
    const HEIGHT: f64 = 9.0;
    let is_well = goal.is_none_or(|goal| share >= goal);
    let mut body = String::new();
    rect(&mut body, (0.0, 0.0), (WIDTH, HEIGHT), "#e8e8e8", "");
    rect(&mut body, (0.0, 0.0), (WIDTH * share.clamp(0.0, 1.0), HEIGHT), if is_well { WELL } else { BADLY }, "");
    if let Some(goal) = goal {
        let x = WIDTH * goal.clamp(0.0, 1.0);
        line(&mut body, (x, 0.0), (x, HEIGHT), "#000", "stroke-width=\"1.6\"");
    }
    svg(WIDTH, HEIGHT, &percent(Some(share)), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_that_holds_all() {
        let ends: Vec<u64> = [0, 4, 5, 9, 13, 41, 101, 999].into_iter().map(axis_end).collect();
        assert_eq!(ends, [4, 4, 8, 12, 20, 80, 120, 1_200]);
    }

    #[test]
    fn a_day_has_a_name_and_what_is_none_is_left_as_it_is() {
        assert_eq!((day_name("2026-11-16").as_str(), day_name("x<y").as_str()), ("Mon 16 Nov", "x<y"));
    }
}
