#!/usr/bin/env python3
"""Writes the dashboards in `grafana/dashboards/`. What they show is said here and nowhere else.

    grafana/generate.py                  writes them
    grafana/generate.py --check          says which of the committed files differ, and fails if one does
    grafana/generate.py --runbooks URL   links to the runbooks there instead of `docs/runbooks` in this repository

In expressions `{E`, `{W` and `{Q` open a selector that the variables at the top choose: by job and instance, and by
workspace, and by queue. Names with colons come from `rules/recording.yaml`.
"""

import argparse
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
RUNBOOKS = "docs/runbooks"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

SCOPES = {"{E": 'job=~"$job",instance=~"$instance"'}
SCOPES["{W"] = SCOPES["{E"] + ',workspace=~"$workspace"'
SCOPES["{Q"] = SCOPES["{W"] + ',queue=~"$queue"'

# Blue, yellow and red differ in brightness too, so that nobody has to tell red from green.
PLAIN, GOOD, WARN, BAD, QUIET = "text", "#56B4E9", "#F2C037", "#E5484D", "#8E8E8E"
BLUE, SKY, GREEN, YELLOW, ORANGE, RED, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#D55E00", "#CC79A7"

# Why something waits, as one says it: what only staffing or policy can mend first, what goes by itself last.
CAUSES = [
    ("nobody_online", "no one online", RED),
    ("no_skill_online", "no skill online", ORANGE),
    ("all_declined", "all declined", YELLOW),
    ("all_full", "all busy", BLUE),
    ("due", "ringing now", SKY),
    ("preference", "for one agent", PURPLE),
    ("delay", "others first", GREEN),
    ("paced", "paced", "#7FC6B0"),
    ("manual", "to be claimed", "#B8B8B8"),
    ("closed", "queue closed", "#6E6E6E"),
]
AGES = [
    ("le_5m", "up to 5 min", SKY),
    ("le_30m", "up to 30 min", BLUE),
    ("le_1h", "up to 1 h", YELLOW),
    ("le_24h", "up to 24 h", ORANGE),
    ("gt_24h", "over 24 h", RED),
]
AGENT_STATES = [
    ("available", "free", SKY),
    ("partly", "room for more", BLUE),
    ("full", "full", "#004B76"),
    ("pending_away", "finishing", PURPLE),
    ("draining", "draining", "#8F5577"),
    ("not_responding", "not responding", RED),
    ("away", "away", "#9A9A9A"),
    ("off_shift", "off shift", "#6E6E6E"),
    ("offline", "offline", "#4A4A4A"),
]
LOADS = [
    ("0", "idle", SKY),
    ("le_25", "to 25 %", "#3A9BD0"),
    ("le_50", "to 50 %", BLUE),
    ("le_75", "to 75 %", "#004B76"),
    ("le_100", "to 100 %", YELLOW),
    ("over", "over 100 %", RED),
]
# Words that are labels' values: the same thing has the same colour everywhere.
WORDS = {
    "answered": SKY, "claimed": BLUE, "abandoned": RED, "short_abandoned": YELLOW, "overflowed": ORANGE,
    "transferred": PURPLE, "deflected": "#8F5577", "closed": "#6E6E6E",
    "new": SKY, "handoff": PURPLE, "transfer": ORANGE, "overflow": YELLOW, "requeue": RED, "reopen": BLUE, "resume": "#9A9A9A",
    "accepted": SKY, "accepted_elsewhere": BLUE, "declined": ORANGE, "expired": RED, "rescinded": "#9A9A9A", "agent_lost": PURPLE,
    "resolved": SKY, "missed": RED, "stale": YELLOW, "merged": PURPLE, "contained": GREEN,
    "honoured": SKY, "absent": "#9A9A9A",
    "auto": SKY, "preferred": GREEN, "claim": BLUE, "supervisor": ORANGE, "adopted": PURPLE,
    "applied": SKY, "duplicate": "#9A9A9A", "ignored": YELLOW, "rejected": ORANGE, "dead_letter": RED,
    "voice": BLUE, "chat": SKY, "whatsapp": GREEN, "email": ORANGE, "video": "#004B76", "facebook": PURPLE,
    "instagram": "#8F5577", "telegram": "#7FC6B0", "sms": YELLOW,
    "clock": ORANGE, "transfers": PURPLE, "owner_absent": YELLOW, "owner_silent": RED,
    "first_response": SKY, "next_response": BLUE, "resolution": GREEN, "queue_wait": ORANGE, "reply_window": PURPLE,
}
ONLINE = 'state=~"available|partly|full"'
JUDGED = 'verdict=~"within|late|abandoned"'
ANSWERED = 'outcome=~"answered|claimed"'
SL = "queue:strowger_service_level_contacts:increase30m"
BY = "by (workspace, queue)"


# ---- pieces ----


def expand(expression):
    for mark, matchers in SCOPES.items():
        expression = expression.replace(mark + "}", "{" + matchers + "}").replace(mark + ",", "{" + matchers + ",")
    return expression


def steps(*pairs):
    """(colour, from) in rising order; the first one's `from` is None."""
    return {"mode": "absolute", "steps": [{"color": colour, "value": value} for colour, value in pairs]}


NEUTRAL = steps((PLAIN, None))
ABOVE_0 = steps((PLAIN, None), (BAD, 0.5))
OF_TARGET = steps((PLAIN, None), (WARN, 0.75), (BAD, 1))
BELOW_GOAL = steps((BAD, None), (WARN, -0.1), (PLAIN, 0))
NOTHING = {"type": "special", "options": {"match": "null+nan", "result": {"text": "–", "color": PLAIN, "index": 0}}}


def by_name(name, **properties):
    """An override; `custom__width` stands for `custom.width`."""
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def coloured(name, colour):
    return by_name(name, color={"mode": "fixed", "fixedColor": colour})


def target(index, expression, legend="", table=False, instant=False):
    told = {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expand(expression), "legendFormat": legend}
    if table:
        told["format"] = "table"
    if table or instant:
        told["instant"], told["range"] = True, False
    return told


def panel(kind, width, height, title, description, targets, unit, options, links=(), **field):
    overrides = field.pop("overrides", [])
    custom = {"custom": field.pop("custom")} if "custom" in field else {}
    interval = {"interval": field.pop("interval")} if "interval" in field else {}
    transformations = {"transformations": field.pop("transformations")} if "transformations" in field else {}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": targets,
        **interval,
        **transformations,
        "fieldConfig": {"defaults": {"unit": unit, **field, **custom}, "overrides": overrides},
        "options": options,
        "links": list(links),
        "gridPos": {"w": width, "h": height},
    }


REDUCE = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(width, height, title, description, values, links=()):
    """Big numbers: (name, expression, unit, thresholds[, decimals]) each."""
    overrides = []
    for name, _, unit, thresholds, *decimals in values:
        overrides.append(by_name(name, unit=unit, thresholds=thresholds, **({"decimals": decimals[0]} if decimals else {})))
    targets = [target(i, value[1], value[0], instant=True) for i, value in enumerate(values)]
    options = {
        "reduceOptions": REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "value_and_name" if len(values) > 1 else "value",
        "justifyMode": "center",
        "orientation": "vertical",
        "text": {"titleSize": 14, "valueSize": 38} if len(values) > 1 else {"valueSize": 54},
    }
    unit, thresholds = values[0][2:4]
    field = {"thresholds": thresholds, "color": {"mode": "thresholds"}, "mappings": [NOTHING], "overrides": overrides}
    return panel("stat", width, height, title, description, targets, unit, options, links, **field)


def bars(width, height, title, description, rows, unit, links=(), thresholds=None, **field):
    """Bars of what is now: (name, expression, colour) each, in this order; without colours the thresholds colour them."""
    overrides = [coloured(name, colour) for name, _, colour in rows if colour]
    targets = [target(i, expression, name, instant=True) for i, (name, expression, _) in enumerate(rows)]
    options = {
        "reduceOptions": REDUCE,
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "text",
        "namePlacement": "left",
        "showUnfilled": False,
        "sizing": "auto",
        "minVizHeight": 12,
        "maxVizHeight": 40,
        "text": {"titleSize": 12, "valueSize": 18},
    }
    field = {"min": 0, "mappings": [NOTHING], "color": {"mode": "thresholds"}, **field}
    thresholds = thresholds or NEUTRAL
    return panel("bargauge", width, height, title, description, targets, unit, options, links, thresholds=thresholds, overrides=overrides, **field)


WORD_LEGENDS = {"{{" + label + "}}" for label in ("outcome", "reason", "result", "kind", "channel", "clock", "trigger")}


def series(width, height, title, description, lines, unit, links=(), **more):
    """Lines over time: (expression, legend[, colour]) each."""
    stacked, limits = more.pop("stacked", False), more.pop("limits", None)
    custom = {
        "drawStyle": "line",
        "lineWidth": 1 if stacked else 2,
        "fillOpacity": 60 if stacked else 0,
        "lineInterpolation": more.pop("interpolation", "linear"),
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "axisSoftMin": 0,
        **({"axisSoftMax": 1} if unit == "short" else {}),
        **({"thresholdsStyle": {"mode": "dashed"}} if limits else {}),
        **more.pop("custom", {}),
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "none" if stacked else "desc"},
    }
    words = WORDS.items() if any(line[1] in WORD_LEGENDS for line in lines) else []
    overrides = [coloured(word, colour) for word, colour in words]
    overrides += [coloured(line[1], line[2]) for line in lines if len(line) > 2] + more.pop("overrides", [])
    field = {"color": {"mode": "palette-classic"}, "noValue": "nothing yet", "thresholds": limits or NEUTRAL, "custom": custom, **more}
    targets = [target(i, line[0], line[1]) for i, line in enumerate(lines)]
    return panel("timeseries", width, height, title, description, targets, unit, options, links, overrides=overrides, **field)


def table(width, height, title, description, keys, columns, links=(), sort=None, labels=(), hidden=()):
    """One row for each value of the labels `keys`: (name, expression, unit, overrides) a column."""
    labels = dict(labels)
    many = len(columns) > 1  # of several queries Grafana names each value after its query
    names = {f"Value #{chr(ord('A') + i)}" if many else "Value": column[0] for i, column in enumerate(columns)}
    order = [*keys, *names]
    overrides = []
    for name, _, unit, properties in columns:
        overrides.append(by_name(name, unit=unit, custom__align="right", **properties))
    for name, properties in {"Workspace": {"custom__width": 90}, **labels}.items():
        overrides.append(by_name(name, **properties))
    renames = {**names, **{key: key.capitalize() for key in keys}}
    organize = {"excludeByName": {"Time": True, **{key: True for key in hidden}}, "indexByName": {name: i for i, name in enumerate(order)}, "renameByName": renames}
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    targets = [target(i, column[1], table=True) for i, column in enumerate(columns)]
    field = {
        "thresholds": NEUTRAL,
        "color": {"mode": "thresholds"},
        "mappings": [NOTHING],
        "custom": {"align": "left", "cellOptions": {"type": "auto"}, "filterable": False},
        "transformations": transformations,
    }
    return panel("table", width, height, title, description, targets, "short", options, links, overrides=overrides, **field)


TEXT_CELL = {"custom__cellOptions": {"type": "color-text"}}


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def to(name, title):
    """A link to another of these dashboards that keeps the time and what is chosen."""
    return {"title": title, "url": f"/d/strowger-{name}?${{__url_time_range}}&${{__all_variables}}", "targetBlank": False}


def runbook(name):
    return {"title": "Runbook: " + name.replace("-", " "), "url": f"{RUNBOOKS}/{name}.md", "targetBlank": True}


def variable(name, label, query):
    return {
        "name": name,
        "type": "query",
        "label": label,
        "datasource": SOURCE,
        "query": {"query": expand(query), "refId": name},
        "definition": expand(query),
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


VARIABLES = [
    {"name": "datasource", "type": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1, "current": {}, "hide": 0},
    variable("job", "Job", "label_values(strowger_build_info, job)"),
    variable("instance", "Instance", 'label_values(strowger_build_info{job=~"$job"}, instance)'),
    variable("workspace", "Workspace", "label_values(strowger_config_info{E}, workspace)"),
    variable("queue", "Queue", "label_values(strowger_service_level_goal_ratio{W}, queue)"),
]

FIRING = {
    "name": "Alerts",
    "datasource": SOURCE,
    "enable": True,
    "iconColor": BAD,
    "expr": 'ALERTS{alertname=~"Strowger.+",alertstate="firing",job=~"$job"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{workspace}} {{queue}}",
}
BUILT_IN = {
    "name": "Annotations & Alerts",
    "type": "dashboard",
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": GOOD,
}


def dashboard(uid, title, description, lines, span="now-1h", refresh="30s"):
    """`lines` are rows of panels that stand side by side; each line begins below the highest panel of the one above."""
    placed, y = [], 0
    for line in lines:
        x = 0
        for one in line:
            one["id"] = len(placed) + 1
            one["gridPos"] = {"x": x, "y": y, **one["gridPos"]}
            x += one["gridPos"]["w"]
            placed.append(one)
        y += max(one["gridPos"]["h"] for one in line)
    others = {"type": "dashboards", "title": "Strowger", "tags": ["strowger"], "asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}
    return {
        "uid": "strowger-" + uid,
        "title": title,
        "description": description,
        "tags": ["strowger"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": span, "to": "now"},
        "refresh": refresh,
        "fiscalYearStartMonth": 0,
        "links": [others],
        "annotations": {"list": [BUILT_IN, FIRING]},
        "templating": {"list": VARIABLES},
        "panels": placed,
    }


# ---- expressions that several panels share ----

WAITING = "sum(queue:strowger_queue_waiting:sum{Q})"
WAITING_BY = f"sum {BY} (queue:strowger_queue_waiting:sum{{Q}})"
OLDEST = "max(strowger_queue_oldest_wait_seconds{Q})"
OLDEST_BY = f"max {BY} (strowger_queue_oldest_wait_seconds{{Q}})"
TARGET_BY = f"max {BY} (strowger_service_level_threshold_seconds{{Q}})"
OF_TARGET_BY = f"{OLDEST_BY} / {TARGET_BY}"
GOAL_BY = f"max {BY} (strowger_service_level_goal_ratio{{Q}})"
PAST_TARGET = 'strowger_clocks{Q,clock=~"first_response|next_response",state="breached"}'


def total(selector, by=""):
    return f"sum {by} ({selector})" if by else f"sum({selector})"


def service_level(over="30m", by=""):
    contacts = f"queue:strowger_service_level_contacts:increase{over}"
    return total(f'{contacts}{{Q,verdict="within"}}', by) + " / " + total(f"{contacts}{{Q,{JUDGED}}}", by)


# Points that the service level is above what the goals of the queues ask, each queue weighted by its contacts.
AGAINST_GOAL = (
    f'(sum({SL}{{Q,verdict="within"}}) - sum(sum {BY} ({SL}{{Q,{JUDGED}}}) * {GOAL_BY})) / sum({SL}{{Q,{JUDGED}}})'
)
LEFT = "queue:strowger_queue_exits:increase30m"


def abandonment(by=""):
    who = 'outcome=~"answered|claimed|abandoned"'
    return total(f'{LEFT}{{Q,outcome="abandoned"}}', by) + " / " + total(f"{LEFT}{{Q,{who}}}", by)


def agents_of(state):
    return f'sum(strowger_agents{{W,{state}}}) or vector(0)'


def by_agents(state):
    return f"max {BY} (sum by (job, instance, workspace, queue) (strowger_queue_agents{{Q,{state}}}))"


def a_minute(expression):
    """Of a counter: how many a minute. `expression` is like `by (kind) strowger_offers_total{Q}`."""
    by, _, selector = expression.rpartition(" ")
    return "60 * " + total(f"rate({selector}[$__rate_interval])", by)


def quantile(q, selector, by="le"):
    return f"histogram_quantile({q}, sum by ({by}) (rate({selector}[$__rate_interval])))"


def mean(selector):
    name, _, rest = selector.partition("{")
    return " / ".join(f"sum(rate({name}_{part}{{{rest}[$__rate_interval]))" for part in ("sum", "count"))


CAUSE_ROWS = [(words, f'sum(strowger_queue_waiting_by_cause{{Q,cause="{cause}"}})', colour) for cause, words, colour in CAUSES]
CAUSE_LINES = [(expression, words, colour) for words, expression, colour in CAUSE_ROWS]
AGE_ROWS = [(words, f'sum(strowger_unanswered{{Q,age="{age}"}})', colour) for age, words, colour in AGES]
OCCUPANCY_RATE = "team:strowger_capacity_unit_seconds:rate5m"
OCCUPANCY = f'sum({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum({OCCUPANCY_RATE}{{W,kind="online"}})'
SILENCE = "min by (source) (source:strowger_source_silence_in_open_hours:seconds{E})"
NEVER = {"type": "range", "options": {"from": 1e9, "to": None, "result": {"text": "never sent", "index": 1}}}
SILENT = steps((GOOD, None), (WARN, 600), (BAD, 900))


def queue_link():
    url = "/d/strowger-queues?${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&var-workspace=${__data.fields.Workspace}&var-queue=${__data.fields.Queue}"
    return [{"title": "This queue", "url": url, "targetBlank": False}]


def queue_table(width, height):
    return table(
        width,
        height,
        "Queues, the longest wait against its target first",
        "One line a queue. Target: the wait within which a contact is to be answered. Oldest: the longest wait now, "
        "also in times of the target: above 1 the contact is late. In time, to goal and abandoned: the service "
        "level, its distance from the goal, and the share that left, over 30 minutes. Staffed: agents online who "
        "could serve the queue; free: with room for more. They are shared by queues. Click a queue to look into it.",
        ["workspace", "queue"],
        [
            ("Waiting", WAITING_BY, "short", {"custom__width": 75}),
            ("Oldest", OLDEST_BY, "dthms", {"custom__width": 85}),
            ("Target", TARGET_BY, "dthms", {"custom__width": 85}),
            ("× target", OF_TARGET_BY, "short", {"decimals": 1, "custom__width": 90, "thresholds": OF_TARGET, **TEXT_CELL}),
            ("In time", service_level(by=BY), "percentunit", {"decimals": 0, "custom__width": 75}),
            ("Goal", GOAL_BY, "percentunit", {"decimals": 0, "custom__width": 60}),
            ("To goal", f"{service_level(by=BY)} - {GOAL_BY}", "percentunit", {"decimals": 1, "custom__width": 75, "thresholds": BELOW_GOAL, **TEXT_CELL}),
            ("Abandoned", abandonment(by=BY), "percentunit", {"decimals": 0, "custom__width": 90, "thresholds": steps((PLAIN, None), (WARN, 0.05), (BAD, 0.1)), **TEXT_CELL}),
            ("Staffed", by_agents(ONLINE), "short", {"custom__width": 70, "thresholds": steps((BAD, None), (PLAIN, 1)), **TEXT_CELL}),
            ("Free", by_agents('state=~"available|partly"'), "short", {"custom__width": 55, "thresholds": steps((WARN, None), (PLAIN, 1)), **TEXT_CELL}),
            (
                "Open",
                f"min {BY} (strowger_queue_open{{Q}})",
                "short",
                {
                    "custom__width": 65,
                    "mappings": [{"type": "value", "options": {"0": {"text": "closed", "color": QUIET, "index": 0}, "1": {"text": "open", "color": PLAIN, "index": 1}}}],
                    **TEXT_CELL,
                },
            ),
        ],
        [to("queues", "Queues"), runbook("unanswered-past-target")],
        sort="× target",
        labels={"Queue": {"links": queue_link()}},
    )


# ---- the dashboards ----


def wallboard():
    return dashboard(
        "wallboard",
        "Strowger / 1 Wallboard",
        "For the room where the queues are watched: what is unanswered and for how long, why it waits, whether the "
        "goals are kept, and whether a source fell silent.",
        [
            [
                stat(
                    4, 5, "Waiting",
                    "Conversations that nobody has yet. Nobody could: those for which no agent, or none with the "
                    "skill, is online. They wait until somebody comes.",
                    [
                        ("now", WAITING, "short", NEUTRAL, 0),
                        ("nobody could", 'sum(strowger_queue_waiting_by_cause{Q,cause=~"nobody_online|no_skill_online"})', "short", ABOVE_0, 0),
                    ],
                    [to("queues", "Queues"), runbook("nobody-online")],
                ),
                stat(
                    4, 5, "Longest wait",
                    "The longest wait now, and the longest one in times of its queue's target: above 1 the contact "
                    "is late.",
                    [
                        ("now", f"round({OLDEST})", "s", NEUTRAL, 0),
                        ("times its target", f"max({OF_TARGET_BY})", "short", OF_TARGET, 1),
                    ],
                    [to("queues", "Queues"), runbook("unanswered-past-target")],
                ),
                stat(
                    4, 5, "Unanswered",
                    "Conversations whose customer spoke last, waiting or owned. Past target: their first or next "
                    "answer is later than its clock allows.",
                    [
                        ("now", "sum(strowger_unanswered{Q})", "short", NEUTRAL, 0),
                        ("past target", f"sum({PAST_TARGET}) or vector(0)", "short", ABOVE_0, 0),
                    ],
                    [to("sla", "SLA"), runbook("unanswered-past-target")],
                ),
                stat(
                    4, 5, "Service level, 30 min",
                    "Share of contacts answered within their queue's target, of all answered, late or lost, over 30 "
                    "minutes; and how far that is above or below the goals of the queues. Nobody online is 0 %. A "
                    "dash: there was no contact.",
                    [
                        ("in time", service_level(), "percentunit", NEUTRAL, 0),
                        ("to goal", AGAINST_GOAL, "percentunit", BELOW_GOAL, 0),
                    ],
                    [to("sla", "SLA"), runbook("service-level-burning")],
                ),
                stat(
                    4, 5, "Abandoned, 30 min",
                    "Customers of calls and chats who left before anybody answered, over 30 minutes: how many, and "
                    "of those who were answered or left. Short abandons do not count.",
                    [
                        ("customers", f'sum({LEFT}{{Q,outcome="abandoned"}})', "short", NEUTRAL, 0),
                        ("of all", abandonment(), "percentunit", steps((PLAIN, None), (WARN, 0.05), (BAD, 0.1)), 0),
                    ],
                    [to("queues", "Queues")],
                ),
                stat(
                    4, 5, "Agents online",
                    "Agents who take work now, and those of them with room for another conversation.",
                    [
                        ("online", agents_of(ONLINE), "short", steps((BAD, None), (PLAIN, 1)), 0),
                        ("with room", agents_of('state=~"available|partly"'), "short", steps((WARN, None), (PLAIN, 1)), 0),
                    ],
                    [to("agents", "Agents and workload"), runbook("nobody-online")],
                ),
            ],
            [
                bars(
                    7, 8, "Why it waits, now",
                    "Waiting conversations by the first reason that leaves no agent. Red, orange and yellow want "
                    "somebody to act: sign agents in, move a skill, ask why all decline.",
                    CAUSE_ROWS, "short", [to("queues", "Queues"), runbook("nobody-online")], decimals=0,
                ),
                series(
                    10, 8, "Why it waited",
                    "The same over time: the height is how many wait.",
                    CAUSE_LINES, "short", [to("queues", "Queues")], stacked=True, decimals=0,
                ),
                bars(
                    7, 8, "Unanswered, by time since the customer spoke",
                    "Conversations whose customer spoke last, waiting or owned, by the time since then.",
                    AGE_ROWS, "short", [to("sla", "SLA"), runbook("unanswered-past-target")], decimals=0,
                ),
            ],
            [
                queue_table(17, 9),
                bars(
                    7, 9, "Sources, silent in open hours for",
                    "Time since the last event of each configured source. Yellow from 10 minutes, red from 15: a "
                    "webhook or a connection is dead, and customers write to nobody. 0 while all queues are closed, "
                    "and in the first 15 minutes after opening.",
                    [("{{source}}", SILENCE, None)], "s", [to("engine", "Engine"), runbook("source-silent")],
                    thresholds=SILENT, max=1800, decimals=0, mappings=[NOTHING, NEVER],
                ),
            ],
        ],
        refresh="10s",
    )


def queues():
    return dashboard(
        "queues",
        "Strowger / 2 Queues",
        "What comes into the queues, how long and why it waits, and how it leaves.",
        [
            [queue_table(24, 9)],
            [
                series(8, 8, "Waiting", "Conversations that nobody has yet.", [(WAITING_BY, "{{queue}}")], "short", decimals=0),
                series(8, 8, "Why it waits", "Waiting conversations by the first reason that leaves no agent.", CAUSE_LINES, "short", [runbook("nobody-online")], stacked=True, decimals=0),
                series(
                    8, 8, "Longest wait, times the queue's target",
                    "The longest wait, in times of its queue's target. Above the line the contact is late.",
                    [(OF_TARGET_BY, "{{queue}}")], "short", [runbook("unanswered-past-target")],
                    limits=steps((PLAIN, None), (BAD, 1)), custom={"axisSoftMax": 1.5},
                ),
            ],
            [row("In and out")],
            [
                series(
                    8, 8, "Entries a minute, by reason",
                    "Into the queues: new ones, after a bot's hand-off, by transfer or overflow, again because an "
                    "owner was lost, after a reopening or a pause.",
                    [(a_minute("by (reason) strowger_queue_entries_total{Q}"), "{{reason}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Exits a minute, by outcome",
                    "Out of the queues. Short abandons left too early to have been kept waiting.",
                    [(a_minute("by (outcome) strowger_queue_exits_total{Q}"), "{{outcome}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Entries a minute, by channel",
                    "Into the queues, by channel.",
                    [(a_minute("by (channel) strowger_queue_entries_total{Q}"), "{{channel}}")], "short", stacked=True, interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Wait until answered",
                    "Half and nine tenths of those who were answered had waited no longer; and the mean (ASA).",
                    [
                        (quantile(0.5, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}'), "half", SKY),
                        (quantile(0.9, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}'), "nine tenths", ORANGE),
                        (mean('strowger_queue_wait_seconds{Q,outcome="answered"}'), "mean", QUIET),
                    ],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Wait until answered, nine tenths, by queue",
                    "Nine tenths of those who were answered had waited no longer.",
                    [(quantile(0.9, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}', "workspace, queue, le"), "{{queue}}")],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Abandoned, 30 min",
                    "Of those who were answered or left, the share that left. Short abandons do not count.",
                    [(abandonment(by=BY), "{{queue}}")], "percentunit", limits=steps((PLAIN, None), (BAD, 0.1)),
                ),
            ],
            [row("Who has them")],
            [
                series(
                    8, 8, "Open conversations, by state",
                    "With a bot, waiting, ringing, owned with our or the customer's turn, snoozed, parked.",
                    [
                        (f'sum(strowger_conversations{{Q,state="{state}"}})', words, colour)
                        for state, words, colour in [
                            ("in_bot", "with a bot", PURPLE), ("queued", "queued", ORANGE), ("offered", "ringing", YELLOW),
                            ("our_turn", "our turn", BLUE), ("their_turn", "customer's turn", SKY), ("snoozed", "snoozed", "#9A9A9A"), ("parked", "parked", "#6E6E6E"),
                        ]
                    ],
                    "short", stacked=True, decimals=0,
                ),
                series(
                    8, 8, "Waiting, by channel",
                    "Conversations that nobody has yet, by channel.",
                    [("sum by (channel) (strowger_queue_waiting{Q})", "{{channel}}")], "short", stacked=True, decimals=0,
                ),
                series(
                    8, 8, "Agents online who could serve",
                    "By membership, team and skills. Agents are shared by queues: the lines do not add up.",
                    [(by_agents(ONLINE), "{{queue}}")], "short", [to("agents", "Agents and workload"), runbook("nobody-online")], decimals=0,
                ),
            ],
            [row("What happens on the way")],
            [
                series(
                    8, 8, "Offers a minute, by outcome",
                    "What became of what rang. Declined and expired ones cost the customer time.",
                    [(a_minute("by (outcome) strowger_offers_total{Q}"), "{{outcome}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Time an offer stands",
                    "Half and nine tenths of the offers ended no later, however they ended.",
                    [(quantile(0.5, "strowger_offer_seconds_bucket{Q}"), "half", SKY), (quantile(0.9, "strowger_offer_seconds_bucket{Q}"), "nine tenths", ORANGE)],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Bots, a minute",
                    "Handed on to people, and settled by the bot alone.",
                    [
                        (a_minute('strowger_queue_entries_total{Q,reason="handoff"}'), "handed on", ORANGE),
                        (a_minute('strowger_conversations_ended_total{Q,reason="contained"}'), "settled alone", GREEN),
                    ],
                    "short", interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Transfers a minute",
                    "Out of a queue. Without a note the next agent has to ask again.",
                    [
                        (a_minute('strowger_transfers_total{Q,context="yes"}'), "with a note", SKY),
                        (a_minute('strowger_transfers_total{Q,context="no"}'), "without", ORANGE),
                    ],
                    "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Preferred agent, a minute",
                    "Conversations that had a preferred agent: he got it, it went on without him, or he was not "
                    "there.",
                    [(a_minute("by (result) strowger_preferences_total{Q}"), "{{result}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Relaxed and escalated, a minute",
                    "Steps by which a queue asks for less after a while, and escalations by what caused them.",
                    [
                        (a_minute("by (step) strowger_relaxations_total{Q}"), "step {{step}}"),
                        (a_minute("by (trigger) strowger_escalations_total{Q}"), "escalated: {{trigger}}"),
                    ],
                    "short", interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Ended a minute, by reason",
                    "How conversations ended other than by an abandon. Missed: never answered by a person.",
                    [(a_minute("by (reason) strowger_conversations_ended_total{Q}"), "{{reason}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Reopened a minute",
                    "Resolved conversations whose customer wrote again.",
                    [(a_minute("by (queue) strowger_reopens_total{Q}"), "{{queue}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Context lost, a minute",
                    "Moments at which what was known of a customer's matter was lost. Of the whole workspace.",
                    [(a_minute("by (reason) strowger_context_losses_total{W}"), "{{reason}}")], "short", stacked=True, interval="1m",
                ),
            ],
        ],
    )


def agents():
    states = [(f'sum(strowger_agents{{W,state="{state}"}})', words, colour) for state, words, colour in AGENT_STATES]
    online_s = 'strowger_agent_state_seconds_total{W,state=~"available|partly|full"}'
    busy_s = 'strowger_agent_state_seconds_total{W,state=~"partly|full"}'
    return dashboard(
        "agents",
        "Strowger / 3 Agents and workload",
        "Who is there, how much everybody has, and what of it is work. Nobody by name: by agent it is in the API.",
        [
            [
                stat(4, 5, "Online", "Agents who take work now.", [("online", agents_of(ONLINE), "short", steps((BAD, None), (PLAIN, 1)), 0)], [runbook("nobody-online")]),
                stat(4, 5, "With room", "Agents online who can take another conversation.", [("with room", agents_of('state=~"available|partly"'), "short", steps((WARN, None), (PLAIN, 1)), 0)]),
                stat(
                    4, 5, "Not responding",
                    "Agents who declined or did not hear so many offers in a row that they get none for now.",
                    [("not responding", agents_of('state="not_responding"'), "short", steps((PLAIN, None), (WARN, 1)), 0)],
                ),
                stat(
                    4, 5, "Occupancy, 5 min",
                    "Share of the online agents' units that work and wrap-up hold. Above 85 % for long, people tire "
                    "and nothing is left for a rush.",
                    [("occupancy", OCCUPANCY, "percentunit", steps((PLAIN, None), (WARN, 0.85), (BAD, 0.95)), 0)],
                ),
                stat(
                    4, 5, "Busy time, 5 min",
                    "Share of online time in which an agent had at least one conversation, however small a part of "
                    "his units it took.",
                    [("with work", f"sum(increase({busy_s}[5m])) / sum(increase({online_s}[5m]))", "percentunit", NEUTRAL, 0)],
                ),
                stat(4, 5, "Over their units", "Agents who hold more than they should: by a supervisor's word, a call taken on the switch, or a conversation that woke.", [("over", 'sum(strowger_agents_by_load{W,load="over"})', "short", steps((PLAIN, None), (WARN, 1)), 0)]),
            ],
            [
                series(8, 9, "Agents by state", "Those who take work are blue.", states, "short", stacked=True, decimals=0),
                series(
                    8, 9, "Agents online by load",
                    "By the share of their units in use. A wide yellow band: no room for a rush. Idle beside full "
                    "ones: skills or memberships keep the work from them.",
                    [(f'sum(strowger_agents_by_load{{W,load="{load}"}})', words, colour) for load, words, colour in LOADS],
                    "short", stacked=True, decimals=0,
                ),
                series(
                    8, 9, "Occupancy by team, 5 min",
                    "Share of the online agents' units that work and wrap-up hold.",
                    [(f'sum by (team) ({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum by (team) ({OCCUPANCY_RATE}{{W,kind="online"}})', "{{team}}")],
                    "percentunit", limits=steps((PLAIN, None), (WARN, 0.85)), max=1,
                ),
            ],
            [
                table(
                    12, 8, "Teams, now",
                    "Agents of each team by what they do, and their occupancy over 5 minutes.",
                    ["workspace", "team"],
                    [
                        (name, f"sum by (workspace, team) (strowger_agents{{W,{state}}})", "short", {"custom__width": 75})
                        for name, state in [("Online", ONLINE), ("Free", 'state="available"'), ("Full", 'state="full"'), ("Away", 'state=~"away|pending_away"'), ("Offline", 'state=~"offline|off_shift"')]
                    ]
                    + [
                        (
                            "Occupancy",
                            f'sum by (workspace, team) ({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum by (workspace, team) ({OCCUPANCY_RATE}{{W,kind="online"}})',
                            "percentunit",
                            {"decimals": 0, "custom__width": 110, "thresholds": steps((PLAIN, None), (WARN, 0.85), (BAD, 0.95)), **TEXT_CELL},
                        )
                    ],
                    sort="Occupancy",
                ),
                table(
                    12, 8, "Who could serve each queue, now",
                    "Agents by membership, team and skills. They are shared by queues: the lines do not add up.",
                    ["workspace", "queue"],
                    [
                        (name, by_agents(state), "short", {"custom__width": 90, "thresholds": limits, **TEXT_CELL})
                        for name, state, limits in [
                            ("Online", ONLINE, steps((BAD, None), (PLAIN, 1))), ("With room", 'state=~"available|partly"', steps((WARN, None), (PLAIN, 1))),
                            ("Full", 'state="full"', NEUTRAL), ("Away", 'state=~"away|pending_away"', NEUTRAL), ("Offline", 'state=~"offline|off_shift"', NEUTRAL),
                        ]
                    ],
                    [to("queues", "Queues"), runbook("nobody-online")],
                    sort="Online",
                    labels={"Queue": {"links": queue_link()}},
                ),
            ],
            [row("Work")],
            [
                series(
                    8, 8, "Units held, by channel",
                    "Units of capacity that work, wrap-up and offers hold, under what the online agents have.",
                    [
                        ('sum by (channel) (strowger_capacity_units{W,kind="work"})', "{{channel}}"),
                        ('sum(strowger_capacity_units{W,kind="wrap_up"})', "wrap-up", PURPLE),
                        ('sum(strowger_capacity_units{W,kind="offer"})', "ringing", YELLOW),
                        ('sum(strowger_capacity_units{W,kind="external"})', "elsewhere", "#9A9A9A"),
                        ('sum(strowger_capacity_units{W,kind="limit"})', "limit", "#B8B8B8"),
                    ],
                    "short", stacked=True, decimals=0,
                    overrides=[by_name("limit", custom__stacking={"mode": "none", "group": "B"}, custom__fillOpacity=0, custom__lineStyle={"fill": "dash", "dash": [8, 6]}, custom__lineWidth=2)],
                ),
                series(
                    8, 8, "Handling time",
                    "From having a conversation to its end or hand-over: half and nine tenths took no longer. "
                    "Wrap-up apart.",
                    [
                        (quantile(0.5, 'strowger_handle_seconds_bucket{Q,part="work"}'), "work, half", SKY),
                        (quantile(0.9, 'strowger_handle_seconds_bucket{Q,part="work"}'), "work, nine tenths", ORANGE),
                        (quantile(0.5, 'strowger_handle_seconds_bucket{Q,part="wrap_up"}'), "wrap-up, half", "#B8B8B8"),
                        (quantile(0.9, 'strowger_handle_seconds_bucket{Q,part="wrap_up"}'), "wrap-up, nine tenths", PURPLE),
                    ],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Handling time, mean, by channel",
                    "Mean of work and wrap-up of a conversation (AHT).",
                    [("sum by (channel) (rate(strowger_handle_seconds_sum{Q}[$__rate_interval])) / sum by (channel) (rate(strowger_handle_seconds_count{Q,part=\"work\"}[$__rate_interval]))", "{{channel}}")],
                    "s", interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Assignments a minute, by what chose the agent",
                    "By the queue's strategy, to the preferred agent, claimed, by a supervisor, or adopted by who "
                    "answered.",
                    [(a_minute("by (kind) strowger_assignments_total{Q}"), "{{kind}}")], "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Offers not taken, 30 min",
                    "Share of offers that were declined or ran out. A rising line: people are away without saying "
                    "so, or the time to accept is too short.",
                    [
                        ('sum(increase(strowger_offers_total{Q,outcome="declined"}[30m])) / sum(increase(strowger_offers_total{Q,outcome=~"accepted|declined|expired"}[30m]))', "declined", ORANGE),
                        ('sum(increase(strowger_offers_total{Q,outcome="expired"}[30m])) / sum(increase(strowger_offers_total{Q,outcome=~"accepted|declined|expired"}[30m]))', "ran out", RED),
                    ],
                    "percentunit", limits=steps((PLAIN, None), (WARN, 0.2)),
                ),
                series(
                    8, 8, "Messages a minute",
                    "Into and out of conversations, by who wrote them.",
                    [
                        (a_minute('strowger_messages_total{W,direction="in",actor="customer"}'), "customers", ORANGE),
                        (a_minute('strowger_messages_total{W,direction="out",actor="agent"}'), "agents", BLUE),
                        (a_minute('strowger_messages_total{W,direction="out",actor="bot"}'), "bots", PURPLE),
                    ],
                    "short", interval="1m",
                ),
            ],
            [row("Fairness and trouble")],
            [
                series(
                    8, 8, "Weighted rotation, distance from due",
                    "Largest distance between picks made and picks due, by queue. A few picks are normal; it grows "
                    "with agents who come and go.",
                    [(f"max {BY} (strowger_weighted_rotation_error{{Q}})", "{{queue}}")], "short", decimals=1,
                ),
                series(
                    8, 8, "Put over their units, a minute",
                    "Times an agent was given more than he has room for, by reason.",
                    [(a_minute("by (reason) strowger_capacity_exceeded_total{W}"), "{{reason}}")], "short", interval="1m",
                ),
                series(
                    8, 8, "Replies that collided, a minute",
                    "Replies by somebody who did not own the conversation, or no longer.",
                    [(a_minute("by (kind) strowger_reply_collisions_total{Q}"), "{{kind}}")], "short", interval="1m",
                ),
            ],
        ],
    )


def sla():

    def burn(over):
        contacts = f"queue:strowger_service_level_contacts:increase{over}"
        lost = f'sum {BY} ({contacts}{{Q,verdict=~"late|abandoned"}}) / clamp_min(sum {BY} ({contacts}{{Q,{JUDGED}}}), 1)'
        return f"{lost} / clamp_min(1 - {GOAL_BY}, 0.01)"

    columns = [
        (f"Level {over}", service_level(over, BY), "percentunit", {"decimals": 0, "custom__width": 100}) for over in ("30m", "2h")
    ] + [
        ("Goal", GOAL_BY, "percentunit", {"decimals": 0, "custom__width": 80}),
        ("To goal", f"{service_level('2h', BY)} - {GOAL_BY}", "percentunit", {"decimals": 0, "custom__width": 90, "thresholds": BELOW_GOAL, **TEXT_CELL}),
    ] + [
        (f"Burn {over}", burn(over), "short", {"decimals": 1, "custom__width": 100, "thresholds": steps((PLAIN, None), (WARN, 1), (BAD, 2)), **TEXT_CELL})
        for over in ("30m", "2h")
    ] + [
        ("Contacts 2h", f"sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,{JUDGED}}})", "short", {"decimals": 0, "custom__width": 110}),
        ("Late 2h", f'sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,verdict="late"}})', "short", {"decimals": 0, "custom__width": 90}),
        ("Lost in time 2h", f'sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,verdict="abandoned"}})', "short", {"decimals": 0, "custom__width": 130}),
        ("Past target now", f"sum {BY} ({PAST_TARGET})", "short", {"custom__width": 140, "thresholds": ABOVE_0, **TEXT_CELL}),
    ]
    results = "queue:strowger_clock_results:increase30m"
    met = f'sum({results}{{Q,result="met"}}) / (sum({results}{{Q,result=~"met|missed"}}) + sum(strowger_clocks{{Q,state="breached"}}))'
    words = {"first_response": "First answer", "response": "Each answer", "resolution": "Until resolved"}

    def durations(family, title, description):
        selector = f'strowger_{family}_seconds_bucket{{Q,basis="business"}}'
        return series(
            8, 8, title, description,
            [
                (quantile(0.5, selector), "half", SKY),
                (quantile(0.9, selector), "nine tenths", ORANGE),
                (mean(f'strowger_{family}_seconds{{Q,basis="wall"}}'), "mean, on the wall", QUIET),
            ],
            "s", [runbook("unanswered-past-target")], interval="1m",
        )

    return dashboard(
        "sla",
        "Strowger / 4 SLA",
        "Whether the goals are kept: service level against its goal, clocks met and missed, answers and resolutions.",
        [
            [
                stat(
                    6, 5, "Service level, 30 min", "Share of contacts answered within their queue's target, of all answered, late or lost. A dash: there was no contact.",
                    [("in time", service_level(), "percentunit", NEUTRAL, 1), ("to goal", AGAINST_GOAL, "percentunit", BELOW_GOAL, 1)],
                    [runbook("service-level-burning")],
                ),
                stat(
                    6, 5, "Service level, 2 h", "The same over two hours, and how many contacts were late.",
                    [
                        ("in time", service_level("2h"), "percentunit", NEUTRAL, 1),
                        ("late", 'sum(queue:strowger_service_level_contacts:increase2h{Q,verdict="late"})', "short", NEUTRAL, 0),
                    ],
                    [runbook("service-level-burning")],
                ),
                stat(
                    6, 5, "Clocks met, 30 min", "Of the clocks that ended in 30 minutes or are open past their target, the share that was met; and how many were not.",
                    [
                        ("met", met, "percentunit", NEUTRAL, 1),
                        ("breached", "sum(queue:strowger_clock_breaches:sum30m{Q})", "short", NEUTRAL, 0),
                    ],
                    [runbook("breaches-rising")],
                ),
                stat(
                    6, 5, "Past target now", "Clocks of open conversations that are past their target: first and next answers, and all the others.",
                    [
                        ("answers", f"sum({PAST_TARGET}) or vector(0)", "short", ABOVE_0, 0),
                        ("all clocks", 'sum(strowger_clocks{Q,state="breached"})', "short", NEUTRAL, 0),
                    ],
                    [runbook("unanswered-past-target"), runbook("breaches-rising")],
                ),
            ],
            [
                table(
                    24, 8, "Queues, the fastest burn first",
                    "Level: share answered in time. Burn: how many times as many were late or lost as the goal "
                    "allows; 1 just keeps it, the alert asks for 2 over 30 minutes and 1 over 2 hours. Lost in "
                    "time: customers who left before the target had passed.",
                    ["workspace", "queue"], columns, [to("queues", "Queues"), runbook("service-level-burning")],
                    sort="Burn 30m", labels={"Queue": {"links": queue_link()}},
                )
            ],
            [
                series(
                    8, 8, "Service level to goal, 30 min",
                    "Points above or below the queue's own goal. Below the line the goal is missed.",
                    [(f"{service_level(by=BY)} - {GOAL_BY}", "{{queue}}")], "percentunit", [runbook("service-level-burning")],
                    limits=steps((BAD, None), (PLAIN, 0)), custom={"axisSoftMax": 0.2, "axisSoftMin": -0.2},
                ),
                series(
                    8, 8, "Verdicts a minute",
                    "Contacts at the moment they are judged. Lost: they left before the target had passed; left "
                    "out: short abandons and those sent elsewhere in time.",
                    [
                        (a_minute(f'strowger_service_level_contacts_total{{Q,verdict="{verdict}"}}'), name, colour)
                        for verdict, name, colour in [("within", "in time", SKY), ("late", "late", ORANGE), ("abandoned", "lost", RED), ("excluded", "left out", "#6E6E6E")]
                    ],
                    "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Service level by tier, 30 min",
                    "Share of contacts answered within their queue's target, by the customers' tier.",
                    [(f'sum by (tier) (increase(strowger_service_level_contacts_total{{Q,verdict="within"}}[30m])) / sum by (tier) (increase(strowger_service_level_contacts_total{{Q,{JUDGED}}}[30m]))', "{{tier}}")],
                    "percentunit", max=1,
                ),
            ],
            [row("Clocks")],
            [
                series(
                    8, 8, "Open conversations past target, by clock",
                    "Clocks that are past their target and have not ended.",
                    [('sum by (clock) (strowger_clocks{Q,state="breached"})', "{{clock}}")], "short", [runbook("breaches-rising")], decimals=0,
                ),
                series(
                    8, 8, "Open clocks, by state",
                    "Warned: a warning before the target has passed. What is warned now is breached soon.",
                    [
                        (f'sum(strowger_clocks{{Q,state="{state}"}})', state, colour)
                        for state, colour in [("running", SKY), ("paused", "#6E6E6E"), ("warned", YELLOW), ("breached", RED)]
                    ],
                    "short", stacked=True, decimals=0,
                ),
                series(
                    8, 8, "Clocks met, 30 min, by clock",
                    "Of the clocks that ended or are open past their target, the share that was met.",
                    [(met.replace("sum(", "sum by (clock) ("), "{{clock}}")],
                    "percentunit", [runbook("breaches-rising")], max=1,
                ),
            ],
            [
                series(
                    12, 8, "Breaches, 30 min, by queue",
                    "Clocks that ended missed in the 30 minutes before, and those that are open past their target.",
                    [(f"sum {BY} (queue:strowger_clock_breaches:sum30m{{Q}})", "{{queue}}")], "short", [runbook("breaches-rising")], decimals=0,
                ),
                series(
                    12, 8, "Escalations a minute, by cause",
                    "By a clock, too many transfers, or an owner who is absent or silent.",
                    [(a_minute("by (trigger) strowger_escalations_total{Q}"), "{{trigger}}")], "short", interval="1m", stacked=True,
                ),
            ],
            [row("How long it takes")],
            [
                durations("first_response", words["first_response"], "From the first contact to a person's answer: half and nine tenths took no longer, within business hours; and the mean with nothing subtracted."),
                durations("response", words["response"], "From the customer's oldest unanswered message to the answer, messages and mail only: within business hours; and the mean with nothing subtracted, which is the average response time."),
                bars(
                    8, 8, "How satisfied customers are, 24 h",
                    "Mean of the surveys of 24 hours, as a share of the largest score. A dash: nobody answered one.",
                    [
                        (kind.upper() if kind != "other" else kind, f'sum(increase(strowger_survey_score_sum{{Q,kind="{kind}"}}[24h])) / sum(increase(strowger_survey_score_count{{Q,kind="{kind}"}}[24h]))', SKY)
                        for kind in ("csat", "nps", "ces", "other")
                    ],
                    "percentunit", max=1, decimals=0,
                ),
            ],
        ],
        span="now-3h",
    )


def engine():
    def latency(family, title, description, width=8):
        bucket = f"strowger_{family}_seconds_bucket{{E}}"
        return series(
            width, 8, title, description,
            [
                (quantile(0.5, bucket), "half", SKY),
                (quantile(0.99, bucket), "99 %", ORANGE),
                (f'max(strowger_{family}_quantile_seconds{{E,quantile="0.999"}})', "99.9 %, last minute", RED),
            ],
            "s", custom={"scaleDistribution": {"type": "log", "log": 10}, "axisSoftMin": None},
        )

    per_s = "sum by (result) (rate(strowger_events_total{E}[$__rate_interval]))"
    return dashboard(
        "engine",
        "Strowger / 5 Engine",
        "Whether the engine itself is well: input, decisions, latency, journal, disk, and promises that must hold.",
        [
            [
                stat(
                    4, 5, "Broken promises",
                    "Violations of routing promises found by sampling the state since the process started. Anything "
                    "but 0 is a bug.",
                    [("violations", "sum(instance:strowger_promise_violations:sum{E})", "short", ABOVE_0, 0)], [runbook("promise-broken")],
                ),
                stat(
                    4, 5, "Dead letters, 24 h",
                    "Input that could not be read. It is kept with its reason; somebody sends something wrong.",
                    [("dead letters", 'sum(increase(strowger_events_total{E,result="dead_letter"}[24h]))', "short", steps((PLAIN, None), (WARN, 0.5)), 0)], [runbook("dead-letters")],
                ),
                stat(
                    4, 5, "Input lag",
                    "Age of the oldest input that is not decided yet, of the shard that is furthest behind.",
                    [("lag", "max(strowger_input_lag_seconds{E})", "s", steps((PLAIN, None), (WARN, 2), (BAD, 10)), 1)], [runbook("input-lag")],
                ),
                stat(
                    4, 5, "Event to decision, 99 %",
                    "99 of 100 events had their decisions committed no later, in the last minute; of the slowest "
                    "shard.",
                    [("p99", 'max(strowger_event_to_decision_quantile_seconds{E,quantile="0.99"})', "s", NEUTRAL)],
                ),
                stat(
                    4, 5, "Shards with an owner",
                    "Of all shards. One without an owner decides nothing, and its workspaces wait.",
                    [
                        ("owned", "sum(max by (job, shard) (strowger_shard_owned{E}))", "short", NEUTRAL, 0),
                        ("without", "count(max by (job, shard) (strowger_shard_owned{E})) - sum(max by (job, shard) (strowger_shard_owned{E}))", "short", ABOVE_0, 0),
                    ],
                    [runbook("shard-without-owner")],
                ),
                stat(
                    4, 5, "Disk free",
                    "Free where the journal is, on the fullest machine.",
                    [("free", "min(strowger_disk_free_bytes{E})", "bytes", steps((BAD, None), (WARN, 2147483648), (PLAIN, 10737418240)), 1)], [runbook("disk-filling")],
                ),
            ],
            [row("Input and decisions")],
            [
                series(8, 8, "Events a second, by result", "Decided events. Duplicates are recognised and change nothing; ignored and rejected ones were answered with a reason.", [(per_s, "{{result}}")], "short", stacked=True),
                table(
                    8, 8, "Events not applied, last hour",
                    "The ten most frequent: ignored and rejected ones, and dead letters, whose type is unknown. A "
                    "source sends what the workspace does not know.",
                    ["type", "result"],
                    [("Events", 'topk(10, sum by (type, result) (increase(strowger_events_total{E,result!~"applied|duplicate"}[1h])))', "short", {"decimals": 0, "custom__width": 90})],
                    [runbook("dead-letters")],
                    sort="Events",
                ),
                series(
                    8, 8, "Decisions a second",
                    "Committed decisions, by what they are about.",
                    [('sum by (about) (label_replace(rate(strowger_decisions_total{E}[$__rate_interval]), "about", "$1", "type", "([a-z]+)[.].*"))', "{{about}}")],
                    "short", stacked=True,
                ),
            ],
            [
                bars(
                    8, 8, "Sources, silent for",
                    "Time since the last event of each configured source, in open hours or not.",
                    [("{{source}}", "min by (source) (source:strowger_source_silence:seconds{E})", None)], "s", [runbook("source-silent")], thresholds=SILENT, max=1800, decimals=0, mappings=[NOTHING, NEVER],
                ),
                series(
                    8, 8, "Input lag",
                    "Age of the oldest input that is not decided yet, by shard.",
                    [("max by (shard) (strowger_input_lag_seconds{E})", "shard {{shard}}")], "s", [runbook("input-lag")], limits=steps((PLAIN, None), (BAD, 10)), custom={"axisSoftMax": 12},
                ),
                series(
                    8, 8, "Sources of presence that are suspect",
                    "Sources of which many leases ran out at once: their agents are given more time before they "
                    "count as gone.",
                    [("sum(strowger_sources_suspect{E})", "suspect", ORANGE)], "short", [runbook("source-silent")], decimals=0,
                ),
            ],
            [row("Latency")],
            [
                latency("event_to_decision", "Event to decision", "From receiving an event until its decisions were committed."),
                latency("commit", "Commit", "From handing a record to the journal until it was committed. The disk or the broker."),
                latency("apply", "Apply", "The engine's time for one event."),
            ],
            [row("Queues inside")],
            [
                series(
                    8, 8, "Ring before the shard",
                    "Share of the ring that is filled, by shard. Near 100 % the source is held back.",
                    [("max by (shard) (strowger_ring_depth{E} / strowger_ring_capacity{E})", "shard {{shard}}")], "percentunit", [runbook("input-lag")], max=1,
                ),
                series(
                    8, 8, "Records under way",
                    "Input not decided yet, records handed to the journal and not acknowledged, and committed ones "
                    "whose decisions are not on the topic yet.",
                    [
                        ("sum(strowger_input_lag_records{E})", "input behind", ORANGE),
                        ("sum(strowger_journal_in_flight{E})", "at the journal", BLUE),
                        ("sum(strowger_decisions_relay_lag_records{E})", "decisions to relay", PURPLE),
                    ],
                    "short", [runbook("input-lag")], decimals=0,
                ),
                series(
                    8, 8, "Forwarded events, a minute",
                    "Events that stood on another workspace's partition and were put on their own. More than a few: "
                    "a producer sets no key.",
                    [(a_minute("strowger_events_forwarded_total{E}"), "forwarded", ORANGE)], "short", interval="1m",
                ),
            ],
            [row("Journal and shards")],
            [
                series(8, 8, "Disk free", "Free where the journal is, by instance.", [("min by (instance) (strowger_disk_free_bytes{E})", "{{instance}}")], "bytes", [runbook("disk-filling")]),
                series(8, 8, "Journal", "Size of the journal, by shard.", [("max by (shard) (strowger_journal_bytes{E})", "shard {{shard}}")], "bytes", [runbook("disk-filling")], stacked=True),
                series(
                    8, 8, "Shards owned, by instance",
                    "Steps are take-overs. The sum has to be the number of shards.",
                    [("sum by (instance) (strowger_shard_owned{E})", "{{instance}}")], "short", [runbook("shard-without-owner")], stacked=True, decimals=0, interpolation="stepAfter",
                ),
            ],
            [
                series(
                    8, 8, "How far back repeats are known",
                    "An event that is sent again after that long counts as new. By shard; empty ones stand at 0.",
                    [("max by (shard) (strowger_idempotency_window_seconds{E})", "shard {{shard}}")], "s",
                ),
                table(
                    16, 8, "What runs",
                    "Each instance with its build, and the version of the policy in force of each workspace.",
                    ["instance", "build", "workspace", "policy"],
                    [
                        (
                            "Shows",
                            'max by (instance, build, workspace, policy) (label_replace(strowger_config_info{W}, "policy", "$1", "version", "(.*)")'
                            ' * on (job, instance) group_left (build) label_replace(strowger_build_info{E}, "build", "$1", "version", "(.*)"))',
                            "short",
                            {},
                        )
                    ],
                    hidden=["Value"],
                ),
            ],
        ],
    )


DASHBOARDS = {"wallboard": wallboard, "queues": queues, "agents": agents, "sla": sla, "engine": engine}


def main():
    global RUNBOOKS
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--check", action="store_true", help="fail if a committed dashboard differs; write nothing")
    arguments.add_argument("--runbooks", default=RUNBOOKS, metavar="URL", help="where the runbooks are read")
    arguments.add_argument("--out", type=pathlib.Path, default=FOLDER, help="the folder to write to")
    options = arguments.parse_args()
    RUNBOOKS = options.runbooks.rstrip("/")
    made = {f"{name}.json": json.dumps(make(), indent=2, ensure_ascii=False) + "\n" for name, make in DASHBOARDS.items()}
    if not options.check:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (options.out / name).write_text(text, encoding="utf-8")
        return 0
    there = {path.name: path.read_text(encoding="utf-8") for path in options.out.glob("*.json")}
    wrong = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    for name in wrong:
        print(f"{name}: not what grafana/generate.py writes; run it and commit what it wrote", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
