#!/usr/bin/env python3
"""Sees the checker fail: takes a recorded run that check.py finds whole, plants one fault at a time, and expects it found.

    self_test.py RUN

The faults are those that kill -9 would bring out in a service that is not careful, written into the record the way such
a service would have left it:
- publication before commit: a record was told and answered, then the kill took it; the journal goes on with another
  record under its number, and all after it is numbered one lower;
- idempotency memory lost: an event that was sent again is decided a second time;
- relay tail dropped: the last decisions before a kill were committed and never published.
Each goes through copies of all files that would have shown it. Exits 1 when a fault is not found, or when the run was
not whole to begin with.
"""

import glob
import json
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import check  # noqa: E402  (stands beside this file)

TAIL = 3


def lines_of(path):
    return list(check.ndjson(path))


def write(path, values):
    with open(path, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(value) + "\n" for value in values)


def topic_path(folder):
    return os.path.join(folder, "decisions.ndjson")


def final_path(folder, shard):
    return os.path.join(folder, f"final-{shard}.ndjson")


def told_path(folder, shard):
    return os.path.join(folder, f"told-{shard}.ndjson")


def log_path(folder):
    return os.path.join(folder, "log.ndjson")


def answers_in(log):
    """(index of the line, index in it, event, outcome) of each answer with status 200."""
    requests = {line["n"]: line["events"] for line in log if line["t"] == "send"}
    for at, line in enumerate(log):
        if line["t"] == "answer":
            for nth, (event, (status, outcome)) in enumerate(zip(requests[line["n"]], line["outcomes"])):
                if status == 200:
                    yield at, nth, event, outcome


def last_answer_before_a_kill(log, accept):
    """The last fresh answer before some kill that `accept` likes: what a kill is most likely to take with it."""
    kills = [at for at, line in enumerate(log) if line["t"] == "kill"]
    best = None
    for at, _, event, outcome in answers_in(log):
        if kills and at < kills[len(kills) // 2] and not outcome.get("duplicate") and accept(outcome):
            best = (event, outcome)
    if best is None:
        raise SystemExit("self test: no answer before a kill in this run; record a longer one")
    return best


def renumbered(event, lost_seq):
    """The decision as it would be told had the record `lost_seq` never been: one lower, on another chain."""
    event = json.loads(json.dumps(event))
    position = event["data"]["position"]
    if position["seq"] > lost_seq:
        position["seq"] -= 1
        position["hash"] = "f" + position["hash"][1:] if position["hash"][0] != "f" else "0" + position["hash"][1:]
        event["id"] = f"{position['seq']}.{position['idx']}"
    return event


def relink(events):
    last = None
    for event in events:
        event["data"]["position"]["prev"] = last
        last = [event["data"]["position"]["seq"], event["data"]["position"]["idx"]]


def publish_before_commit(folder):
    """The journal loses one answered and published record at a kill."""
    log = lines_of(log_path(folder))
    _, outcome = last_answer_before_a_kill(log, lambda _: True)
    shard, lost = outcome["position"]["shard"], outcome["position"]["seq"]
    before = lines_of(final_path(folder, shard))
    kept = [renumbered(event, lost) for event in before if event["data"]["position"]["seq"] != lost]
    relink(kept)
    write(final_path(folder, shard), kept)
    # What consumers saw: all up to the lost record as it was, and from then on what the journal says now.
    seen = [event for event in before if event["data"]["position"]["seq"] <= lost]
    seen += [event for event in kept if event["data"]["position"]["seq"] >= lost]
    republish(folder, shard, seen)
    return {"lost", "rewritten"}


def republish(folder, shard, events):
    write(told_path(folder, shard), events)
    if os.path.exists(topic_path(folder)):
        others = [record for record in lines_of(topic_path(folder)) if record["partition"] != shard]
        write(topic_path(folder), others + [{"partition": shard, "payload": json.dumps(event)} for event in events])


def forget_idempotency(folder):
    """An event that came again is decided again, where its `duplicate` stands in the record."""
    for shard_file in sorted(glob.glob(os.path.join(folder, "final-*.ndjson"))):
        shard = int(re.search(r"final-(\d+)", shard_file)[1])
        events = lines_of(shard_file)
        first = {}
        for event in events:
            cause = event["data"]["cause"]
            if cause == "tick":
                continue
            key = (event["workspace"], cause["source"], cause["id"])
            if key in first and check.Decision(event).is_duplicate() and event["data"]["position"]["seq"] != first[key]["data"]["position"]["seq"]:
                decide_again(event, first[key])
                write(shard_file, events)
                republish(folder, shard, events)
                return {"two outcomes"}
            first.setdefault(key, event)
    raise SystemExit("self test: no duplicate in this run; record a longer one")


def decide_again(event, original):
    position = event["data"]["position"]
    event["type"] = original["type"]
    if "subject" in original:
        event["subject"] = original["subject"]
    event["data"] = json.loads(json.dumps(original["data"])) | {"position": position}


def drop_relay_tail(folder):
    """The last decisions before a kill are committed and never relayed."""
    log = lines_of(log_path(folder))
    _, outcome = last_answer_before_a_kill(log, lambda _: True)
    shard, seq = outcome["position"]["shard"], outcome["position"]["seq"]
    events = lines_of(final_path(folder, shard))
    end = max(n for n, event in enumerate(events) if event["data"]["position"]["seq"] == seq) + 1
    republish(folder, shard, events[: max(end - TAIL, 0)] + events[end:])
    return {"gap"}


FAULTS = {
    "publication before commit": publish_before_commit,
    "idempotency memory lost": forget_idempotency,
    "relay tail dropped": drop_relay_tail,
}


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    run = arguments[0]
    findings, _ = check.judge(run)
    if findings:
        print(f"self test: the run is not whole to begin with: {dict(findings.by_name)}", file=sys.stderr)
        return 1
    failed = 0
    for name, plant in FAULTS.items():
        with tempfile.TemporaryDirectory() as above:
            folder = os.path.join(above, "run")
            shutil.copytree(run, folder, ignore=shutil.ignore_patterns("*.db*", "*.log"))
            expected = plant(folder)
            findings, _ = check.judge(folder)
        missed = expected - findings.by_name.keys()
        failed += bool(missed)
        found = ", ".join(f"{finding} ({len(sentences)})" for finding, sentences in sorted(findings.by_name.items()))
        print(f"planted: {name}; {'NOT FOUND' if missed else 'found'}: {found or 'nothing'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
