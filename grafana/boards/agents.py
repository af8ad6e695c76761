"""Who is there and who has how much. Nobody by name: metrics carry no ids of people."""

from boards.pieces import (
    AGENT_STATES, BAD, BLUE, BY, LOADS, NEUTRAL, OCCUPANCY, OCCUPANCY_RATE, ONLINE, ORANGE, PLAIN, PURPLE, RED, SKY,
    TEXT_CELL, WARN, YELLOW, a_minute, agents_of, by_agents, by_name, dashboard, quantile, queue_link, row,
    runbook, series, stat, steps, table, to,
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
                stat(
                    4, 5, "Online", "Agents who take work now.",
                    [("online", agents_of(ONLINE), "short", steps((BAD, None), (PLAIN, 1)), 0)],
                    [runbook("nobody-online")],
                ),
                stat(
                    4, 5, "With room", "Agents online who can take another conversation.",
                    [
                        (
                            "with room", agents_of('state=~"available|partly"'), "short",
                            steps((WARN, None), (PLAIN, 1)), 0,
                        ),
                    ],
                ),
                stat(
                    4, 5, "Not responding",
                    "Agents who declined or did not hear so many offers in a row that they get none for now.",
                    [
                        (
                            "not responding", agents_of('state="not_responding"'), "short",
                            steps((PLAIN, None), (WARN, 1)), 0,
                        ),
                    ],
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
                    [
                        (
                            "with work", f"sum(increase({busy_s}[5m])) / sum(increase({online_s}[5m]))",
                            "percentunit", NEUTRAL, 0,
                        ),
                    ],
                ),
                stat(
                    4, 5, "Over their units",
                    "Agents who hold more than they should: by a supervisor's word, a call taken on the switch, or "
                    "a conversation that woke.",
                    [
                        (
                            "over", 'sum(strowger_agents_by_load{W,load="over"})', "short",
                            steps((PLAIN, None), (WARN, 1)), 0,
                        ),
                    ],
                ),
            ],
            [
                series(
                    8, 9, "Agents by state", "Those who take work are blue.", states, "short", stacked=True,
                    decimals=0,
                ),
                series(
                    8, 9, "Agents online by load",
                    "By the share of their units in use. A wide yellow band: no room for a rush. Idle beside full "
                    "ones: skills or memberships keep the work from them.",
                    [
                        (f'sum(strowger_agents_by_load{{W,load="{load}"}})', words, colour) for load, words,
                        colour in LOADS
                    ],
                    "short", stacked=True, decimals=0,
                ),
                series(
                    8, 9, "Occupancy by team, 5 min",
                    "Share of the online agents' units that work and wrap-up hold.",
                    [
                        (
                            f'sum by (team) ({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum by (team) '
                            f'({OCCUPANCY_RATE}{{W,kind="online"}})',
                            "{{team}}",
                        ),
                    ],
                    "percentunit", limits=steps((PLAIN, None), (WARN, 0.85)), max=1,
                ),
            ],
            [
                table(
                    12, 8, "Teams, now",
                    "Agents of each team by what they do, and their occupancy over 5 minutes.",
                    ["workspace", "team"],
                    [
                        (name, f"sum by (workspace, team) (strowger_agents{{W,{state}}})", "short", {})
                        for name, state in [
                            ("Online", ONLINE), ("Free", 'state="available"'), ("Full", 'state="full"'),
                            ("Away", 'state=~"away|pending_away"'), ("Offline", 'state=~"offline|off_shift"'),
                        ]
                    ]
                    + [
                        (
                            "Occupancy",
                            f'sum by (workspace, team) ({OCCUPANCY_RATE}{{W,kind=~"work|wrap_up"}}) / sum by '
                            f'(workspace, team) ({OCCUPANCY_RATE}{{W,kind="online"}})',
                            "percentunit",
                            {
                                "decimals": 0,
                                "thresholds": steps((PLAIN, None), (WARN, 0.85), (BAD, 0.95)), **TEXT_CELL
                            },
                        )
                    ],
                    sort="Occupancy",
                ),
                table(
                    12, 8, "Who could serve each queue, now",
                    "Agents by membership, team and skills. They are shared by queues: the lines do not add up.",
                    ["workspace", "queue"],
                    [
                        (name, by_agents(state), "short", {"thresholds": limits, **TEXT_CELL})
                        for name, state, limits in [
                            ("Online", ONLINE, steps((BAD, None), (PLAIN, 1))),
                            ("With room", 'state=~"available|partly"', steps((WARN, None), (PLAIN, 1))),
                            ("Full", 'state="full"', NEUTRAL), ("Away", 'state=~"away|pending_away"', NEUTRAL),
                            ("Offline", 'state=~"offline|off_shift"', NEUTRAL),
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
                    overrides=[
                        by_name(
                            "limit", custom__stacking={"mode": "none", "group": "B"}, custom__fillOpacity=0,
                            custom__lineStyle={"fill": "dash", "dash": [8, 6]}, custom__lineWidth=2,
                        ),
                    ],
                ),
                series(
                    8, 8, "Handling time",
                    "From having a conversation to its end or hand-over: half and nine tenths took no longer. "
                    "Wrap-up apart.",
                    [
                        (quantile(0.5, 'strowger_handle_seconds_bucket{Q,part="work"}'), "work, half", SKY),
                        (quantile(0.9, 'strowger_handle_seconds_bucket{Q,part="work"}'), "work, nine tenths", ORANGE),
                        (
                            quantile(0.5, 'strowger_handle_seconds_bucket{Q,part="wrap_up"}'), "wrap-up, half",
                            "#B8B8B8",
                        ),
                        (
                            quantile(0.9, 'strowger_handle_seconds_bucket{Q,part="wrap_up"}'), "wrap-up, nine tenths",
                            PURPLE,
                        ),
                    ],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Handling time, mean, by channel",
                    "Mean of work and wrap-up of a conversation (AHT).",
                    [
                        (
                            "sum by (channel) (rate(strowger_handle_seconds_sum{Q}[$__rate_interval]))"
                            " / sum by (channel)"
                            ' (rate(strowger_handle_seconds_count{Q,part="work"}[$__rate_interval]))',
                            "{{channel}}",
                        ),
                    ],
                    "s", interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Assignments a minute, by what chose the agent",
                    "By the queue's strategy, to the preferred agent, claimed, by a supervisor, or adopted by who "
                    "answered.",
                    [(a_minute("by (kind) strowger_assignments_total{Q}"), "{{kind}}")], "short", stacked=True,
                    interval="1m",
                ),
                series(
                    8, 8, "Offers not taken, 30 min",
                    "Share of offers that were declined or ran out. A rising line: people are away without saying "
                    "so, or the time to accept is too short.",
                    [
                        (
                            'sum(increase(strowger_offers_total{Q,outcome="declined"}[30m])) / '
                            'sum(increase(strowger_offers_total{Q,outcome=~"accepted|declined|expired"}[30m]))',
                            "declined", ORANGE,
                        ),
                        (
                            'sum(increase(strowger_offers_total{Q,outcome="expired"}[30m])) / '
                            'sum(increase(strowger_offers_total{Q,outcome=~"accepted|declined|expired"}[30m]))',
                            "ran out", RED,
                        ),
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
                    [(a_minute("by (reason) strowger_capacity_exceeded_total{W}"), "{{reason}}")], "short",
                    interval="1m",
                ),
                series(
                    8, 8, "Replies that collided, a minute",
                    "Replies by somebody who did not own the conversation, or no longer.",
                    [(a_minute("by (kind) strowger_reply_collisions_total{Q}"), "{{kind}}")], "short", interval="1m",
                ),
            ],
        ],
    )
