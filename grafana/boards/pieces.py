"""What the dashboards are made of: colours, panels, links, variables, and the expressions that several share.

In expressions `{E`, `{W` and `{Q` open a selector that the variables at the top choose: by job and instance, and by
workspace, and by queue. Names with colons come from `rules/recording.yaml`.
"""

RUNBOOKS = "docs/runbooks"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

SCOPES = {"{E": 'job=~"$job",instance=~"$instance"'}
SCOPES["{W"] = SCOPES["{E"] + ',workspace=~"$workspace"'
SCOPES["{Q"] = SCOPES["{W"] + ',queue=~"$queue"'

# Blue, yellow and red differ in brightness too, so that nobody has to tell red from green.
PLAIN, GOOD, WARN, BAD, QUIET = "text", "#56B4E9", "#F2C037", "#E5484D", "#8E8E8E"
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, RED, PURPLE = "#E69F00", "#D55E00", "#CC79A7"

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
    "new": SKY, "handoff": PURPLE, "transfer": ORANGE, "overflow": YELLOW, "requeue": RED, "reopen": BLUE,
    "resume": "#9A9A9A",
    "accepted": SKY, "accepted_elsewhere": BLUE, "declined": ORANGE, "expired": RED, "rescinded": "#9A9A9A",
    "agent_lost": PURPLE,
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
    """An override; `custom__align` stands for `custom.align`."""
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
        overrides.append(
            by_name(name, unit=unit, thresholds=thresholds, **({"decimals": decimals[0]} if decimals else {}))
        )
    targets = [target(i, value[1], value[0], instant=True) for i, value in enumerate(values)]
    options = {
        "reduceOptions": REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "value_and_name" if len(values) > 1 else "value",
        "justifyMode": "center",
        "orientation": "vertical",
        "text": {"titleSize": 13, "valueSize": 34} if len(values) > 1 else {"valueSize": 54},
    }
    unit, thresholds = values[0][2:4]
    field = {"thresholds": thresholds, "color": {"mode": "thresholds"}, "mappings": [NOTHING], "overrides": overrides}
    return panel("stat", width, height, title, description, targets, unit, options, links, **field)


def bars(width, height, title, description, rows, unit, links=(), thresholds=None, **field):
    """Bars of what is now: (name, expression, colour) each, in this order; where no colour is said, by threshold."""
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
    return panel(
        "bargauge", width, height, title, description, targets, unit, options, links, thresholds=thresholds,
        overrides=overrides, **field
    )


WORD_LEGENDS = {
    "{{" + label + "}}" for label in ("outcome", "reason", "result", "kind", "channel", "clock", "trigger")
}


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
    field = {
        "color": {"mode": "palette-classic"}, "noValue": "nothing yet", "thresholds": limits or NEUTRAL,
        "custom": custom, **more
    }
    targets = [target(i, line[0], line[1]) for i, line in enumerate(lines)]
    return panel(
        "timeseries", width, height, title, description, targets, unit, options, links, overrides=overrides, **field
    )


def table(width, height, title, description, keys, columns, links=(), sort=None, labels=(), hidden=()):
    """One row for each value of the labels `keys`: (name, expression, unit, overrides) a column."""
    labels = dict(labels)
    many = len(columns) > 1  # of several queries Grafana names each value after its query
    names = {f"Value #{chr(ord('A') + i)}" if many else "Value": column[0] for i, column in enumerate(columns)}
    order = [*keys, *names]
    overrides = []
    for name, _, unit, properties in columns:
        overrides.append(by_name(name, unit=unit, custom__align="right", **properties))
    for name, properties in labels.items():
        overrides.append(by_name(name, **properties))
    renames = {**names, **{key: key.capitalize() for key in keys}}
    organize = {
        "excludeByName": {"Time": True, **{key: True for key in hidden}},
        "indexByName": {name: i for i, name in enumerate(order)}, "renameByName": renames,
    }
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    targets = [target(i, column[1], table=True) for i, column in enumerate(columns)]
    field = {
        "thresholds": NEUTRAL,
        "color": {"mode": "thresholds"},
        "mappings": [NOTHING],
        "custom": {"align": "left", "minWidth": 60, "cellOptions": {"type": "auto"}, "filterable": False},
        "transformations": transformations,
    }
    return panel(
        "table", width, height, title, description, targets, "short", options, links, overrides=overrides, **field
    )


TEXT_CELL = {"custom__cellOptions": {"type": "color-text"}}


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def to(name, title):
    """A link to another of these dashboards that keeps the time and what is chosen."""
    return {
        "title": title, "url": f"/d/strowger-{name}?${{__url_time_range}}&${{__all_variables}}", "targetBlank": False,
    }


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
    {
        "name": "datasource", "type": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1,
        "current": {}, "hide": 0,
    },
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


# Where to look next from a panel that says nothing more particular.
NEXT = {
    "wallboard": ("queues", "Queues"), "queues": ("sla", "SLA"), "agents": ("queues", "Queues"),
    "sla": ("queues", "Queues"), "engine": ("wallboard", "Wallboard"),
}


def dashboard(uid, title, description, lines, span="now-1h", refresh="30s"):
    """`lines` are rows of panels that stand side by side; each line begins below the highest panel of the one above."""
    placed, y = [], 0
    for one in (one for line in lines for one in line if one["type"] != "row"):
        one["links"] = one["links"] or [to(*NEXT[uid])]
    for line in lines:
        x = 0
        for one in line:
            one["id"] = len(placed) + 1
            one["gridPos"] = {"x": x, "y": y, **one["gridPos"]}
            x += one["gridPos"]["w"]
            placed.append(one)
        y += max(one["gridPos"]["h"] for one in line)
    others = {
        "type": "dashboards", "title": "Strowger", "tags": ["strowger"], "asDropdown": False, "includeVars": True,
        "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }
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


CAUSE_ROWS = [
    (words, f'sum(strowger_queue_waiting_by_cause{{Q,cause="{cause}"}})', colour) for cause, words, colour in CAUSES
]
CAUSE_LINES = [(expression, words, colour) for words, expression, colour in CAUSE_ROWS]
AGE_ROWS = [(words, f'sum(strowger_unanswered{{Q,age="{age}"}})', colour) for age, words, colour in AGES]
OCCUPANCY_RATE = "team:strowger_capacity_unit_seconds:rate5m"
OCCUPANCY = f'sum({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum({OCCUPANCY_RATE}{{W,kind="online"}})'
SILENCE = (
    "max by (source) (min by (job, source) (source:strowger_source_silence_in_open_hours:seconds{E})"
    " / min by (job, source) (strowger_source_silent_after_seconds{E}))"
)
SILENT = steps((GOOD, None), (WARN, 0.7), (BAD, 1))


def queue_link():
    chosen = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance"))
    row = "var-workspace=${__data.fields.Workspace}&var-queue=${__data.fields.Queue}"
    url = f"/d/strowger-queues?${{__url_time_range}}&{chosen}&{row}"
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
            ("Waiting", WAITING_BY, "short", {}),
            ("Oldest", OLDEST_BY, "dthms", {}),
            ("Target", TARGET_BY, "dthms", {}),
            (
                "× target", OF_TARGET_BY, "short",
                {"decimals": 1, "thresholds": OF_TARGET, **TEXT_CELL},
            ),
            ("In time", service_level(by=BY), "percentunit", {"decimals": 0}),
            ("Goal", GOAL_BY, "percentunit", {"decimals": 0}),
            (
                "To goal", f"{service_level(by=BY)} - {GOAL_BY}", "percentunit",
                {"decimals": 1, "thresholds": BELOW_GOAL, **TEXT_CELL},
            ),
            (
                "Abandoned", abandonment(by=BY), "percentunit",
                {
                    "decimals": 0,
                    "thresholds": steps((PLAIN, None), (WARN, 0.05), (BAD, 0.1)), **TEXT_CELL
                },
            ),
            (
                "Staffed", by_agents(ONLINE), "short",
                {"thresholds": steps((BAD, None), (PLAIN, 1)), **TEXT_CELL},
            ),
            (
                "Free", by_agents('state=~"available|partly"'), "short",
                {"thresholds": steps((WARN, None), (PLAIN, 1)), **TEXT_CELL},
            ),
            (
                "Open",
                f"min {BY} (strowger_queue_open{{Q}})",
                "short",
                {
                    "mappings": [
                        {
                            "type": "value",
                            "options": {
                                "0": {"text": "closed", "color": QUIET, "index": 0},
                                "1": {"text": "open", "color": PLAIN, "index": 1},
                            },
                        },
                    ],
                    **TEXT_CELL,
                },
            ),
        ],
        [to("queues", "Queues"), runbook("unanswered-past-target")],
        sort="× target",
        labels={"Queue": {"links": queue_link()}},
    )
