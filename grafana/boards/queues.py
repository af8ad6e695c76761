"""What comes into the queues, how long and why it waits, how it leaves."""

from boards.pieces import (
    BAD, BLUE, BY, CAUSE_LINES, GREEN, OF_TARGET_BY, ONLINE, ORANGE, PLAIN, PURPLE, QUIET, SKY, WAITING_BY, YELLOW,
    a_minute, abandonment, by_agents, dashboard, mean, quantile, queue_table, row, runbook, series, steps,
    to,
)


def queues():
    return dashboard(
        "queues",
        "Strowger / 2 Queues",
        "What comes into the queues, how long and why it waits, and how it leaves.",
        [
            [queue_table(24, 9)],
            [
                series(
                    8, 8, "Waiting", "Conversations that nobody has yet.", [(WAITING_BY, "{{queue}}")], "short",
                    decimals=0,
                ),
                series(
                    8, 8, "Why it waits", "Waiting conversations by the first reason that leaves no agent.",
                    CAUSE_LINES, "short", [runbook("nobody-online")], stacked=True, decimals=0,
                ),
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
                    [(a_minute("by (reason) strowger_queue_entries_total{Q}"), "{{reason}}")], "short", stacked=True,
                    interval="1m",
                ),
                series(
                    8, 8, "Exits a minute, by outcome",
                    "Out of the queues. Short abandons left too early to have been kept waiting.",
                    [(a_minute("by (outcome) strowger_queue_exits_total{Q}"), "{{outcome}}")], "short", stacked=True,
                    interval="1m",
                ),
                series(
                    8, 8, "Entries a minute, by channel",
                    "Into the queues, by channel.",
                    [(a_minute("by (channel) strowger_queue_entries_total{Q}"), "{{channel}}")], "short",
                    stacked=True, interval="1m",
                ),
            ],
            [
                series(
                    8, 8, "Wait until answered",
                    "Half and nine tenths of those who were answered had waited no longer; and the mean (ASA).",
                    [
                        (quantile(0.5, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}'), "half", SKY),
                        (
                            quantile(0.9, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}'), "nine tenths",
                            ORANGE,
                        ),
                        (mean('strowger_queue_wait_seconds{Q,outcome="answered"}'), "mean", QUIET),
                    ],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Wait until answered, nine tenths, by queue",
                    "Nine tenths of those who were answered had waited no longer.",
                    [
                        (
                            quantile(
                                0.9, 'strowger_queue_wait_seconds_bucket{Q,outcome="answered"}',
                                "workspace, queue, le",
                            ),
                            "{{queue}}",
                        ),
                    ],
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
                            ("in_bot", "with a bot", PURPLE), ("queued", "queued", ORANGE),
                            ("offered", "ringing", YELLOW),
                            ("our_turn", "our turn", BLUE), ("their_turn", "customer's turn", SKY),
                            ("snoozed", "snoozed", "#9A9A9A"), ("parked", "parked", "#6E6E6E"),
                        ]
                    ],
                    "short", stacked=True, decimals=0,
                ),
                series(
                    8, 8, "Waiting, by channel",
                    "Conversations that nobody has yet, by channel.",
                    [("sum by (channel) (strowger_queue_waiting{Q})", "{{channel}}")], "short", stacked=True,
                    decimals=0,
                ),
                series(
                    8, 8, "Agents online who could serve",
                    "By membership, team and skills. Agents are shared by queues: the lines do not add up.",
                    [(by_agents(ONLINE), "{{queue}}")], "short",
                    [to("agents", "Agents and workload"), runbook("nobody-online")], decimals=0,
                ),
            ],
            [row("What happens on the way")],
            [
                series(
                    8, 8, "Offers a minute, by outcome",
                    "What became of what rang. Declined and expired ones cost the customer time.",
                    [(a_minute("by (outcome) strowger_offers_total{Q}"), "{{outcome}}")], "short", stacked=True,
                    interval="1m",
                ),
                series(
                    8, 8, "Time an offer stands",
                    "Half and nine tenths of the offers ended no later, however they ended.",
                    [
                        (quantile(0.5, "strowger_offer_seconds_bucket{Q}"), "half", SKY),
                        (quantile(0.9, "strowger_offer_seconds_bucket{Q}"), "nine tenths", ORANGE),
                    ],
                    "s", interval="1m",
                ),
                series(
                    8, 8, "Bots, a minute",
                    "Handed on to people, and settled by the bot alone.",
                    [
                        (a_minute('strowger_queue_entries_total{Q,reason="handoff"}'), "handed on", ORANGE),
                        (
                            a_minute('strowger_conversations_ended_total{Q,reason="contained"}'), "settled alone",
                            GREEN,
                        ),
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
                    [(a_minute("by (result) strowger_preferences_total{Q}"), "{{result}}")], "short", stacked=True,
                    interval="1m",
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
                    [(a_minute("by (reason) strowger_conversations_ended_total{Q}"), "{{reason}}")], "short",
                    stacked=True, interval="1m",
                ),
                series(
                    8, 8, "Reopened a minute",
                    "Resolved conversations whose customer wrote again.",
                    [(a_minute("by (queue) strowger_reopens_total{Q}"), "{{queue}}")], "short", stacked=True,
                    interval="1m",
                ),
                series(
                    8, 8, "Context lost, a minute",
                    "Moments at which what was known of a customer's matter was lost. Of the whole workspace.",
                    [(a_minute("by (reason) strowger_context_losses_total{W}"), "{{reason}}")], "short", stacked=True,
                    interval="1m",
                ),
            ],
        ],
    )
