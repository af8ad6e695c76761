#!/usr/bin/env python3
"""The outside checker: judges a recorded run of `strowger serve` that was killed again and again.

    check.py RUN            prints what it found, exits 1 when a promise was broken
    check.py RUN --json     the same as one JSON object

It shares no code with the engine and knows only `wire.md`: it reads what the driver (drive.py) wrote into the folder
RUN, namely what was sent and what was answered, the decisions that each shard told while it was being killed and again
at the end (/v1/decisions), and on Kafka the records of strowger.decisions and strowger.dead-letters (kcat).
It does not talk to a server: a run can be judged again, or doctored (self_test.py) to see that the checker can fail.
Here is what holds of any stream of decisions: order, identity, one outcome for each event. What holds of a contact
center (owners, offers, holds, presences, timers, clocks) is in desk.py.
"""

import glob
import json
import os
import re
import sys
from collections import Counter, defaultdict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from desk import Desk, Restart  # noqa: E402

SHOWN_PER_FINDING = 5


class Findings:
    """What is wrong, by the name of the broken promise."""

    def __init__(self):
        self.by_name = defaultdict(list)

    def add(self, name, sentence):
        self.by_name[name].append(sentence)

    def __bool__(self):
        return bool(self.by_name)


class Decision:
    """One published decision, taken apart once."""

    __slots__ = ("shard", "key", "count", "hash", "prev", "type", "workspace", "subject", "time", "cause", "data", "identity")

    def __init__(self, event):
        data = event["data"]
        position = data["position"]
        self.shard = position["shard"]
        self.key = (position["seq"], position["idx"])
        self.count = position["count"]
        self.hash = position["hash"]
        self.prev = tuple(position["prev"]) if position["prev"] is not None else None
        self.type = event["type"].removeprefix("strowger.")
        self.workspace = event["workspace"]
        self.subject = event.get("subject")
        self.time = event["time"]
        cause = data["cause"]
        self.cause = None if cause == "tick" else (self.workspace, cause["source"], cause["id"])
        self.data = data
        self.identity = (event["source"], event["id"])

    def is_duplicate(self):
        return self.type == "event.recorded" and self.data.get("reason") == "duplicate"


def ndjson(path):
    """The lines of a file; a last line that was cut off by a kill is left out."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and line.strip():
                yield json.loads(line)


class Shard:
    """What one shard has published, from all places where it was seen, judged by rule 17 of the journal protocol."""

    def __init__(self, number, findings):
        self.number = number
        self.findings = findings
        self.final = {}  # key -> Decision, in order: /v1/decisions, read from the start when all was over
        self.repeats = 0

    def read_final(self, events):
        last = None
        for decision in map(Decision, events):
            self.judge_identity(decision)
            if last is not None and decision.key <= last:
                self.findings.add("order", f"shard {self.number}: {decision.key} is told after {last}")
            if decision.prev != last:
                self.findings.add("prev", f"shard {self.number}: {decision.key} says prev {decision.prev}, before it was {last}")
            self.final[decision.key] = decision
            last = decision.key
        self.judge_records()

    def judge_identity(self, decision):
        source, event_id = decision.identity
        if event_id != f"{decision.key[0]}.{decision.key[1]}" or not re.fullmatch(rf"/strowger/[0-9a-f-]+/{self.number}", source):
            self.findings.add("identity", f"shard {self.number}: {decision.key} calls itself {source} {event_id}")

    def judge_records(self):
        """All decisions of one record are there, have its hash and say how many they are."""
        records = defaultdict(list)
        for decision in self.final.values():
            records[decision.key[0]].append(decision)
        for seq, decisions in records.items():
            if [d.key[1] for d in decisions] != list(range(decisions[0].count)):
                self.findings.add("record", f"shard {self.number}: record {seq} tells {len(decisions)} of {decisions[0].count}")
            if len({d.hash for d in decisions}) != 1 or len({d.count for d in decisions}) != 1:
                self.findings.add("record", f"shard {self.number}: record {seq} has several hashes or counts")

    def judge_stream(self, name, events, whole_up_to):
        """A consumer's view: drops what it has seen, alarms at a gap and where a position has another content."""
        last = None
        seen = set()
        for decision in map(Decision, events):
            settled = self.final.get(decision.key)
            if settled is None:
                self.findings.add("unconfirmed", f"{name}, shard {self.number}: {decision.key} was published, the journal has no such decision")
            elif settled.hash != decision.hash or settled.data != decision.data:
                self.findings.add("rewritten", f"{name}, shard {self.number}: {decision.key} was published with another content or hash")
            if last is not None and decision.key <= last:
                self.repeats += 1
                continue
            if decision.prev != last:
                self.findings.add("gap", f"{name}, shard {self.number}: {decision.key} says prev {decision.prev}, last seen was {last}")
            last = decision.key
            seen.add(decision.key)
        missing = [key for key in self.final if key <= whole_up_to and key not in seen]
        if missing:
            self.findings.add("unpublished", f"{name}, shard {self.number}: {len(missing)} decisions never came, the first {missing[0]}")


class Log:
    """The driver's log: which events were sent, what was answered, and what the kills met."""

    def __init__(self, path):
        self.events = {}  # cause -> the event as sent
        self.answers = defaultdict(list)  # cause -> [(status, outcome)]
        self.produced = {}  # cause -> event, appended to strowger.events and acknowledged by the broker
        self.garbage = []
        self.kills = []
        self.restarts = []
        self.ends = {}  # shard -> key of the last event's outcome: all up to there has been relayed
        self.up_s = 0.001  # between ready and kill, all together
        up_since = 0.0
        lost = []
        requests = {}
        for line in ndjson(path):
            kind = line["t"]
            if kind == "send":
                requests[line["n"]] = line["events"]
                for event in line["events"]:
                    self.events.setdefault(cause_of(event), event)
            elif kind == "answer":
                for event, (status, outcome) in zip(requests.pop(line["n"]), line["outcomes"], strict=True):
                    self.answers[cause_of(event)].append((status, outcome))
            elif kind == "lost":
                requests.pop(line["n"])
                if line["sent_at"] is not None:
                    lost.append(line)
            elif kind == "append":
                for event in line["events"]:
                    self.events.setdefault(cause_of(event), event)
            elif kind == "appended":
                for event in line["events"]:
                    self.produced[cause_of(event)] = event
                self.garbage.extend(line["garbage"])
            elif kind == "kill":
                self.kills.append(line["at"])
                self.up_s += line["at"] - up_since
                self.restarts.append(Restart(line["wall_ms"], line["dead_ms"], None, None))
            elif kind == "last":
                self.ends = {int(shard): tuple(key) for shard, key in line["ends"].items()}
            elif kind == "start":
                self.restarts[-1].start = line["wall_ms"]
            elif kind in ("begin", "ready"):
                up_since = line["at"]
                if kind == "ready":
                    self.restarts[-1].ready = line["wall_ms"]
            elif kind == "end":
                self.up_s += line["at"] - up_since
        self.kills_with_unanswered = 0
        before = 0.0
        for kill in self.kills:
            # Sent in full before the kill, and no answer ever came on that connection.
            self.kills_with_unanswered += any(before < line["sent_at"] < kill <= line["at"] for line in lost)
            before = kill

    def acknowledged(self):
        """cause -> outcome of the first answer with status 200 and a position: the renewals without effect are left out,
        which come to nothing and of which the same event again may come to something."""
        for cause, answers in self.answers.items():
            for status, outcome in answers:
                if status == 200 and "position" in outcome:
                    yield cause, outcome
                    break

    def renewals(self):
        """The causes of those that were answered 200 without a position."""
        for cause, answers in self.answers.items():
            if any(status == 200 and "position" not in outcome for status, outcome in answers):
                yield cause


def cause_of(event):
    return (event["workspace"], event["source"], event["id"])


def place_of(outcome):
    position = outcome["position"]
    return (position["shard"], position["seq"], position["idx"])


def judge_outcomes(shards, log, dead, findings):
    """Promise 4: every acknowledged event has exactly one outcome, in one record; the same event again changes nothing."""
    outcomes = defaultdict(dict)  # cause -> {(shard, seq): first decision of it there}
    for shard in shards.values():
        for decision in shard.final.values():
            if decision.cause is not None and not decision.is_duplicate():
                outcomes[decision.cause].setdefault((shard.number, decision.key[0]), decision)
    for cause, records in outcomes.items():
        if len(records) > 1:
            findings.add("two outcomes", f"{' '.join(cause)} has outcomes in records {sorted(records)}")
        if cause not in log.events:
            findings.add("unknown cause", f"{' '.join(cause)} was never sent")
    acknowledged = 0
    for cause, outcome in log.acknowledged():
        acknowledged += 1
        if cause not in outcomes:
            findings.add("lost", f"{' '.join(cause)} was answered {json.dumps(outcome)} and has no decision")
            continue
        first = min(outcomes[cause].values(), key=lambda d: d.key)
        if place_of(outcome) != (first.shard, *first.key):
            findings.add("position", f"{' '.join(cause)} was answered {place_of(outcome)}, decided at {(first.shard, *first.key)}")
        judge_outcome_word(cause, outcome, first, findings)
    for cause in log.renewals():
        event = log.events[cause]
        if event["type"] != "agent.presence" or "expires_in_s" not in event["data"]:
            findings.add("lost", f"{' '.join(cause)}, {event['type']}, was answered without a position and renews no lease")
    for cause, answers in log.answers.items():
        settled = {json.dumps(bare(outcome), sort_keys=True) for status, outcome in answers if status == 200 and "position" in outcome}
        if len(settled) > 1:
            findings.add("two answers", f"{' '.join(cause)} was answered differently: {sorted(settled)}")
    for cause in log.produced:
        acknowledged += 1
        count = len(outcomes.get(cause, ())) + sum(1 for letter in dead.values() if names(letter, cause))
        if count != 1:
            findings.add("lost", f"{' '.join(cause)} was appended to strowger.events and has {count} outcomes")
    return acknowledged, len(outcomes)


def bare(outcome):
    """An outcome without the mark of a repeat: first answer and duplicate must say the same."""
    return {key: value for key, value in outcome.items() if key != "duplicate"}


def judge_outcome_word(cause, outcome, first, findings):
    word = outcome["outcome"]
    told = "decided"
    if first.type == "command.rejected":
        told = "rejected"
    elif first.type == "event.recorded":
        told = first.data["outcome"]
    if word != told:
        findings.add("outcome", f"{' '.join(cause)} was answered {word}, its first decision says {told}")


def names(letter, cause):
    """Whether a dead letter's bytes are this event."""
    try:
        event = json.loads(letter)
        return cause_of(event) == cause
    except (ValueError, KeyError, TypeError):
        return False


def judge_dead_letters(records, log, findings):
    """Each piece of garbage is exactly one dead letter; repeats have the same key and the same bytes."""
    letters = {}
    for record in records:
        known = letters.setdefault(record["key"], record["payload"])
        if known != record["payload"]:
            findings.add("dead letter", f"key {record['key']} has two contents")
    for garbage in log.garbage:
        count = sum(1 for payload in letters.values() if payload == garbage)
        if count != 1:
            findings.add("dead letter", f"{garbage[:60]!r} is {count} dead letters, should be one")
    return letters


def read_run(folder, findings):
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as text:
        run = json.load(text)
    log = Log(os.path.join(folder, "log.ndjson"))
    shards = {}
    for path in glob.glob(os.path.join(folder, "final-*.ndjson")):
        number = int(re.search(r"final-(\d+)\.ndjson$", path)[1])
        shards[number] = Shard(number, findings)
        shards[number].read_final(ndjson(path))
        told = os.path.join(folder, f"told-{number}.ndjson")
        if os.path.exists(told):
            shards[number].judge_stream("the stream of /v1/decisions", ndjson(told), whole_up_to=())
    return run, log, shards


def judge_topic(folder, shards, log, findings):
    path = os.path.join(folder, "decisions.ndjson")
    if not os.path.exists(path):
        return 0
    by_partition = defaultdict(list)
    for record in ndjson(path):
        by_partition[record["partition"]].append(json.loads(record["payload"]))
    for number, shard in shards.items():
        shard.judge_stream("strowger.decisions", by_partition.get(number, []), whole_up_to=log.ends.get(number, ()))
    for number in by_partition.keys() - shards.keys():
        findings.add("unconfirmed", f"strowger.decisions has partition {number}, /v1/decisions has no such shard")
    return sum(map(len, by_partition.values()))


def judge_liveliness(log, acknowledged, assignments, seen, due_while_dead, findings):
    """A run in which nothing of the kind happened shows nothing."""
    wanted = {
        "acknowledged": acknowledged, "assigned by the engine": assignments["auto"], "offers accepted": seen["offers accepted"],
        "offers declined": seen["offers declined"], "offers expired": seen["offer"], "leases run out": seen["lease"],
        "snoozes ended": seen["snooze"], "wrap-ups ended": seen["wrap-up"],
        "clocks warned": seen["clocks warned"], "clocks breached": seen["clocks breached"], "clocks met": seen["clocks met"],
        "clocks missed": seen["clocks missed"], "clocks paused": seen["clocks paused"],
        "wrap-ups completed": seen["wrap-up completed"], "renewals without effect": sum(1 for _ in log.renewals()),
    }
    if log.kills:
        wanted["timers that came due while the server was dead"] = sum(due_while_dead.values())
        wanted["thresholds of clocks that came due while the server was dead"] = due_while_dead["clock"]
    for what, count in wanted.items():
        if not count:
            findings.add("empty run", f"{what}: none; such a run shows nothing")


def judge(folder):
    """(findings, summary) of a run."""
    findings = Findings()
    run, log, shards = read_run(folder, findings)
    relayed = judge_topic(folder, shards, log, findings)
    dead_path = os.path.join(folder, "dead-letters.ndjson")
    dead = judge_dead_letters(ndjson(dead_path) if os.path.exists(dead_path) else [], log, findings)
    acknowledged, decided = judge_outcomes(shards, log, dead, findings)
    desks = []
    for shard in shards.values():
        desks.append(Desk(run, log, findings))
        for decision in shard.final.values():
            desks[-1].apply(decision)
        if shard.final:
            desks[-1].finish(decision)
    assignments, seen, due_while_dead = (
        sum((getattr(desk, name) for desk in desks), Counter()) for name in ("assignments", "seen", "due_while_dead"))
    rate = len(log.events) / log.up_s
    if rate < run["at_least"]:
        findings.add("idle", f"only {rate:.0f} events a second were sent while the server was up, asked for were {run['at_least']}")
    judge_liveliness(log, acknowledged, assignments, seen, due_while_dead, findings)
    if log.kills and 2 * log.kills_with_unanswered < len(log.kills):
        findings.add("easy kills", f"only {log.kills_with_unanswered} of {len(log.kills)} kills found an event sent and unanswered")
    summary = {
        "mode": run["mode"],
        "seed": run["seed"],
        "kills": len(log.kills),
        "kills_with_an_event_sent_and_unanswered": log.kills_with_unanswered,
        "events_sent": len(log.events),
        "events_acknowledged": acknowledged,
        "events_with_an_outcome": decided,
        "events_a_second_while_up": round(rate),
        "decisions": sum(len(shard.final) for shard in shards.values()),
        "decisions_by_kcat": relayed,
        "repeats_dropped": sum(shard.repeats for shard in shards.values()),
        "dead_letters": len(dead),
        "renewals_without_effect": sum(1 for _ in log.renewals()),
        "assignments": dict(sorted(assignments.items())),
        "seen": dict(sorted(seen.items())),
        "timers_due_while_dead": dict(sorted(due_while_dead.items())),
        "latest_timer_ms": max((desk.latest_ms for desk in desks), default=0),
        "broken": {name: len(sentences) for name, sentences in sorted(findings.by_name.items())},
    }
    return findings, summary


def main(arguments):
    as_json = "--json" in arguments
    folders = [argument for argument in arguments if not argument.startswith("--")]
    if len(folders) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings, summary = judge(folders[0])
    if as_json:
        print(json.dumps(summary))
    else:
        for name, value in summary.items():
            print(f"{name.replace('_', ' ')}: {value}")
    for name, sentences in findings.by_name.items():
        for sentence in sentences[:SHOWN_PER_FINDING]:
            print(f"BROKEN {name}: {sentence}", file=sys.stderr)
        if len(sentences) > SHOWN_PER_FINDING:
            print(f"BROKEN {name}: and {len(sentences) - SHOWN_PER_FINDING} more", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
