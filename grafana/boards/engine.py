"""Whether the engine itself is well."""

from boards.pieces import (
    ABOVE_0, BAD, BLUE, NEUTRAL, ORANGE, PLAIN, PURPLE, RED, SKY, WARN, a_minute, bars,
    dashboard, quantile, row, runbook, series, stat, steps, table,
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
                    [("violations", "sum(instance:strowger_promise_violations:sum{E})", "short", ABOVE_0, 0)],
                    [runbook("promise-broken")],
                ),
                stat(
                    4, 5, "Dead letters, 24 h",
                    "Input that could not be read. It is kept with its reason; somebody sends something wrong.",
                    [
                        (
                            "dead letters", 'sum(increase(strowger_events_total{E,result="dead_letter"}[24h]))',
                            "short", steps((PLAIN, None), (WARN, 0.5)), 0,
                        ),
                    ],
                    [runbook("dead-letters")],
                ),
                stat(
                    4, 5, "Input lag",
                    "Age of the oldest input that is not decided yet, of the shard that is furthest behind.",
                    [
                        (
                            "lag", "max(strowger_input_lag_seconds{E})", "s",
                            steps((PLAIN, None), (WARN, 2), (BAD, 10)), 1,
                        ),
                    ],
                    [runbook("input-lag")],
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
                        (
                            "without",
                            "count(max by (job, shard) (strowger_shard_owned{E})) - sum(max by (job, shard) "
                            "(strowger_shard_owned{E}))",
                            "short", ABOVE_0, 0,
                        ),
                    ],
                    [runbook("shard-without-owner")],
                ),
                stat(
                    4, 5, "Disk free",
                    "Free where the journal is, on the fullest machine.",
                    [
                        (
                            "free", "min(strowger_disk_free_bytes{E})", "bytes",
                            steps((BAD, None), (WARN, 2147483648), (PLAIN, 10737418240)), 1,
                        ),
                    ],
                    [runbook("disk-filling")],
                ),
            ],
            [row("Input and decisions")],
            [
                series(
                    8, 8, "Events a second, by result",
                    "Decided events. Duplicates are recognised and change nothing; ignored and rejected ones were "
                    "answered with a reason.",
                    [(per_s, "{{result}}")], "short", stacked=True,
                ),
                table(
                    8, 8, "Events not applied, last hour",
                    "The ten most frequent: ignored and rejected ones, and dead letters, whose type is unknown. A "
                    "source sends what the workspace does not know.",
                    ["type", "result"],
                    [
                        (
                            "Events",
                            'topk(10, sum by (type, result) '
                            '(increase(strowger_events_total{E,result!~"applied|duplicate"}[1h])))',
                            "short", {"decimals": 0},
                        ),
                    ],
                    [runbook("dead-letters")],
                    sort="Events",
                ),
                series(
                    8, 8, "Decisions a second",
                    "Committed decisions, by what they are about.",
                    [
                        (
                            'sum by (about) (label_replace(rate(strowger_decisions_total{E}[$__rate_interval]), '
                            '"about", "$1", "type", "([a-z]+)[.].*"))',
                            "{{about}}",
                        ),
                    ],
                    "short", stacked=True,
                ),
            ],
            [
                bars(
                    8, 8, "Sources, silent for",
                    "Time since the last event of each configured source, in open hours or not.",
                    [("{{source}}", "round(min by (source) (source:strowger_source_silence:seconds{E}))", None)], "s",
                    [runbook("source-silent")],
                ),
                series(
                    8, 8, "Input lag",
                    "Age of the oldest input that is not decided yet, by shard.",
                    [("max by (shard) (strowger_input_lag_seconds{E})", "shard {{shard}}")], "s",
                    [runbook("input-lag")], limits=steps((PLAIN, None), (BAD, 10)), custom={"axisSoftMax": 12},
                ),
                series(
                    8, 8, "Sources of presence that are suspect",
                    "Sources of which many leases ran out at once: their agents are given more time before they "
                    "count as gone.",
                    [("sum(strowger_sources_suspect{E})", "suspect", ORANGE)], "short", [runbook("source-silent")],
                    decimals=0,
                ),
            ],
            [row("Latency")],
            [
                latency(
                    "event_to_decision", "Event to decision",
                    "From receiving an event until its decisions were committed.",
                ),
                latency(
                    "commit", "Commit",
                    "From handing a record to the journal until it was committed. The disk or the broker.",
                ),
                latency("apply", "Apply", "The engine's time for one event."),
            ],
            [row("Queues inside")],
            [
                series(
                    8, 8, "Ring before the shard",
                    "Share of the ring that is filled, by shard. Near 100 % the source is held back.",
                    [("max by (shard) (strowger_ring_depth{E} / strowger_ring_capacity{E})", "shard {{shard}}")],
                    "percentunit", [runbook("input-lag")], max=1,
                ),
                series(
                    8, 8, "Records under way",
                    "Input not decided yet, records handed to the journal and not acknowledged, and committed ones "
                    "whose decisions are not on the topic yet.",
                    [
                        ("sum(max by (job, shard) (strowger_input_lag_records{E}))", "input behind", ORANGE),
                        ("sum(max by (job, shard) (strowger_journal_in_flight{E}))", "at the journal", BLUE),
                        ("sum(max by (job, shard) (strowger_decisions_relay_lag_records{E}))", "decisions to relay", PURPLE),
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
            [row("The process")],
            [
                series(
                    8, 8, "Memory", "Resident memory, by instance. It has to become flat.",
                    [("max by (instance) (process_resident_memory_bytes{E})", "{{instance}}")], "bytes",
                ),
                series(
                    8, 8, "Processors busy", "Processor seconds a second, by instance: 1 is one core.",
                    [("max by (instance) (rate(process_cpu_seconds_total{E}[$__rate_interval]))", "{{instance}}")], "short",
                    interval="1m",  # it counts whole seconds
                ),
                series(
                    8, 8, "Open files", "Share of the files and connections that the process may have open, by instance.",
                    [("max by (instance) (process_open_fds{E} / process_max_fds{E})", "{{instance}}")], "percentunit",
                    max=1,
                ),
            ],
            [row("Journal and shards")],
            [
                series(
                    8, 8, "Disk free", "Free where the journal is, by instance.",
                    [("min by (instance) (strowger_disk_free_bytes{E})", "{{instance}}")], "bytes",
                    [runbook("disk-filling")],
                ),
                series(
                    8, 8, "Journal", "Size of the journal, by shard.",
                    [("max by (shard) (strowger_journal_bytes{E})", "shard {{shard}}")], "bytes",
                    [runbook("disk-filling")], stacked=True,
                ),
                series(
                    8, 8, "Shards owned, by instance",
                    "Steps are take-overs. The sum has to be the number of shards.",
                    [("sum by (instance) (strowger_shard_owned{E})", "{{instance}}")], "short",
                    [runbook("shard-without-owner")], stacked=True, decimals=0, interpolation="stepAfter",
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
                            'max by (instance, build, workspace, policy) (label_replace(strowger_config_info{W}, '
                            '"policy", "$1", "version", "(.*)")'
                            ' * on (job, instance) group_left (build) label_replace(strowger_build_info{E}, '
                            '"build", "$1", "version", "(.*)"))',
                            "short",
                            {},
                        )
                    ],
                    hidden=["Value"],
                ),
            ],
        ],
    )
