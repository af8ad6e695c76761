"""Service level against its goal, clocks, and how long answers take."""

from boards.pieces import (
    ABOVE_0, AGAINST_GOAL, BAD, BELOW_GOAL, BY, GOAL_BY, JUDGED, NEUTRAL, ORANGE, PAST_TARGET, PLAIN, QUIET, RED,
    SKY, TEXT_CELL, WARN, YELLOW, a_minute, bars, dashboard, mean, quantile, queue_link, row, runbook, series,
    service_level, stat, steps, table, to,
)


def sla():

    def burn(over):
        contacts = f"queue:strowger_service_level_contacts:increase{over}"
        lost, judged = f'{contacts}{{Q,verdict=~"late|abandoned"}}', f"{contacts}{{Q,{JUDGED}}}"
        lost = f"sum {BY} ({lost}) / clamp_min(sum {BY} ({judged}), 1)"
        return f"{lost} / clamp_min(1 - {GOAL_BY}, 0.01)"

    columns = [
        (f"Level {over}", service_level(over, BY), "percentunit", {"decimals": 0})
        for over in ("30m", "2h")
    ] + [
        ("Goal", GOAL_BY, "percentunit", {"decimals": 0}),
        (
            "To goal", f"{service_level('2h', BY)} - {GOAL_BY}", "percentunit",
            {"decimals": 0, "thresholds": BELOW_GOAL, **TEXT_CELL},
        ),
    ] + [
        (
            f"Burn {over}", burn(over), "short",
            {
                "decimals": 1, "thresholds": steps((PLAIN, None), (WARN, 1), (BAD, 2)),
                **TEXT_CELL
            },
        )
        for over in ("30m", "2h")
    ] + [
        (
            "Contacts 2h", f"sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,{JUDGED}}})", "short",
            {"decimals": 0},
        ),
        (
            "Late 2h", f'sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,verdict="late"}})', "short",
            {"decimals": 0},
        ),
        (
            "Lost 2h",
            f'sum {BY} (queue:strowger_service_level_contacts:increase2h{{Q,verdict="abandoned"}})', "short",
            {"decimals": 0},
        ),
        (
            "Past target", f"sum {BY} ({PAST_TARGET})", "short",
            {"thresholds": ABOVE_0, **TEXT_CELL},
        ),
    ]
    results = "queue:strowger_clock_results:increase30m"
    ended = f'{results}{{Q,result=~"met|missed"}}'
    met = f'sum({results}{{Q,result="met"}}) / (sum({ended}) + sum(strowger_clocks{{Q,state="breached"}}))'
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
                    6, 5, "Service level, 30 min",
                    "Share of contacts answered within their queue's target, of all answered, late or lost. A "
                    "dash: there was no contact.",
                    [
                        ("in time", service_level(), "percentunit", NEUTRAL, 1),
                        ("to goal", AGAINST_GOAL, "percentunit", BELOW_GOAL, 1),
                    ],
                    [runbook("service-level-burning")],
                ),
                stat(
                    6, 5, "Service level, 2 h", "The same over two hours, and how many contacts were late.",
                    [
                        ("in time", service_level("2h"), "percentunit", NEUTRAL, 1),
                        (
                            "late", 'sum(queue:strowger_service_level_contacts:increase2h{Q,verdict="late"})',
                            "short", NEUTRAL, 0,
                        ),
                    ],
                    [runbook("service-level-burning")],
                ),
                stat(
                    6, 5, "Clocks met, 30 min",
                    "Of the clocks that ended in 30 minutes or are open past their target, the share that was met; "
                    "and how many were not.",
                    [
                        ("met", met, "percentunit", NEUTRAL, 1),
                        ("breached", "sum(queue:strowger_clock_breaches:sum30m{Q})", "short", NEUTRAL, 0),
                    ],
                    [runbook("breaches-rising")],
                ),
                stat(
                    6, 5, "Past target now",
                    "Clocks of open conversations that are past their target: first and next answers, and all the "
                    "others.",
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
                    [(f"{service_level(by=BY)} - {GOAL_BY}", "{{queue}}")], "percentunit",
                    [runbook("service-level-burning")],
                    limits=steps((BAD, None), (PLAIN, 0)), custom={"axisSoftMax": 0.2, "axisSoftMin": -0.2},
                ),
                series(
                    8, 8, "Verdicts a minute",
                    "Contacts at the moment they are judged. Lost: they left before the target had passed; left "
                    "out: short abandons and those sent elsewhere in time.",
                    [
                        (a_minute(f'strowger_service_level_contacts_total{{Q,verdict="{verdict}"}}'), name, colour)
                        for verdict, name, colour in [
                            ("within", "in time", SKY), ("late", "late", ORANGE), ("abandoned", "lost", RED),
                            ("excluded", "left out", "#6E6E6E"),
                        ]
                    ],
                    "short", stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Service level by tier, 30 min",
                    "Share of contacts answered within their queue's target, by the customers' tier.",
                    [
                        (
                            'sum by (tier) '
                            f'(increase(strowger_service_level_contacts_total{{Q,verdict="within"}}[30m])) / sum by '
                            f'(tier) (increase(strowger_service_level_contacts_total{{Q,{JUDGED}}}[30m]))',
                            "{{tier}}",
                        ),
                    ],
                    "percentunit", max=1,
                ),
            ],
            [row("Clocks")],
            [
                series(
                    8, 8, "Open conversations past target, by clock",
                    "Clocks that are past their target and have not ended.",
                    [('sum by (clock) (strowger_clocks{Q,state="breached"})', "{{clock}}")], "short",
                    [runbook("breaches-rising")], decimals=0,
                ),
                series(
                    8, 8, "Open clocks, by state",
                    "Warned: a warning before the target has passed. What is warned now is breached soon.",
                    [
                        (f'sum(strowger_clocks{{Q,state="{state}"}})', state, colour)
                        for state, colour in [
                            ("running", SKY), ("paused", "#6E6E6E"), ("warned", YELLOW), ("breached", RED),
                        ]
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
                    [(f"sum {BY} (queue:strowger_clock_breaches:sum30m{{Q}})", "{{queue}}")], "short",
                    [runbook("breaches-rising")], decimals=0,
                ),
                series(
                    12, 8, "Escalations a minute, by cause",
                    "By a clock, too many transfers, or an owner who is absent or silent.",
                    [(a_minute("by (trigger) strowger_escalations_total{Q}"), "{{trigger}}")], "short", interval="1m",
                    stacked=True,
                ),
            ],
            [row("How long it takes")],
            [
                durations(
                    "first_response", words["first_response"],
                    "From the first contact to a person's answer: half and nine tenths took no longer, within "
                    "business hours; and the mean with nothing subtracted.",
                ),
                durations(
                    "response", words["response"],
                    "From the customer's oldest unanswered message to the answer, messages and mail only: within "
                    "business hours; and the mean with nothing subtracted, which is the average response time.",
                ),
                bars(
                    8, 8, "How satisfied customers are, 24 h",
                    "Mean of the surveys of 24 hours, as a share of the largest score. A dash: nobody answered one.",
                    [
                        (
                            kind.upper() if kind != "other" else kind,
                            f'sum(increase(strowger_survey_score_sum{{Q,kind="{kind}"}}[24h])) / '
                            f'sum(increase(strowger_survey_score_count{{Q,kind="{kind}"}}[24h]))',
                            SKY,
                        )
                        for kind in ("csat", "nps", "ces", "other")
                    ],
                    "percentunit", max=1, decimals=0,
                ),
            ],
        ],
        span="now-3h",
    )
