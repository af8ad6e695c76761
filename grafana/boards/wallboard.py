"""For the room where the queues are watched. One screen: big numbers, why it waits, dead sources, the queues."""

from boards.pieces import (
    ABOVE_0, AGAINST_GOAL, AGE_ROWS, BAD, BELOW_GOAL, CAUSE_LINES, CAUSE_ROWS, LEFT, NEUTRAL, NOTHING,
    OF_TARGET, OF_TARGET_BY, OLDEST, ONLINE, PAST_TARGET, PLAIN, SILENCE, SILENT, WAITING, WARN, abandonment,
    agents_of, bars, dashboard, queue_table, runbook, series, service_level, stat, steps, to,
)


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
                    "Conversations that nobody has yet. Unstaffed: those for which no agent, or none with the "
                    "skill, is online. They wait until somebody comes.",
                    [
                        ("now", WAITING, "short", NEUTRAL, 0),
                        (
                            "unstaffed",
                            'sum(strowger_queue_waiting_by_cause{Q,cause=~"nobody_online|no_skill_online"})', "short",
                            ABOVE_0, 0,
                        ),
                    ],
                    [to("queues", "Queues"), runbook("nobody-online")],
                ),
                stat(
                    4, 5, "Longest wait",
                    "The longest wait now, and the longest one in times of its queue's target: above 1 the contact "
                    "is late.",
                    [
                        ("now", f"round({OLDEST})", "s", NEUTRAL, 0),
                        ("× target", f"max({OF_TARGET_BY})", "short", OF_TARGET, 1),
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
                        (
                            "with room", agents_of('state=~"available|partly"'), "short",
                            steps((WARN, None), (PLAIN, 1)), 0,
                        ),
                    ],
                    [to("agents", "Agents and workload"), runbook("nobody-online")],
                ),
            ],
            [
                bars(
                    6, 9, "Why it waits, now",
                    "Waiting conversations by the first reason that leaves no agent. Red, orange and yellow want "
                    "somebody to act: sign agents in, move a skill, ask why all decline.",
                    CAUSE_ROWS, "short", [to("queues", "Queues"), runbook("nobody-online")], decimals=0,
                ),
                series(
                    8, 9, "Why it waited",
                    "The same over time: the height is how many wait.",
                    CAUSE_LINES, "short", [to("queues", "Queues")], stacked=True, decimals=0,
                ),
                bars(
                    5, 9, "Unanswered, by age",
                    "Conversations whose customer spoke last, waiting or owned, by the time since then.",
                    AGE_ROWS, "short", [to("sla", "SLA"), runbook("unanswered-past-target")], decimals=0,
                ),
                bars(
                    5, 9, "Sources, silence of limit",
                    "Time since the last event of each source, or since the opening, as a share of what its config "
                    "allows. From 100 %: a webhook or a connection is dead, and customers write to nobody. A source "
                    "without a limit is not here.",
                    [("{{source}}", SILENCE, None)], "percentunit", [to("engine", "Engine"), runbook("source-silent")],
                    thresholds=SILENT, max=1.5, decimals=0,
                ),
            ],
            [queue_table(24, 9)],
        ],
        refresh="10s",
    )
