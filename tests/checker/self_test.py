#!/usr/bin/env python3
"""Sees the checker fail: takes a recorded run that check.py finds whole, plants one fault at a time, and expects it found.

    self_test.py RUN

The faults are those that kill -9 would bring out in a service that is not careful, written into the record the way such
a service would have left it:
- publication before commit: a record was told and answered, then the kill took it; the journal goes on with another
  record under its number, and all after it is numbered one lower;
- idempotency memory lost: an event that was sent again is decided a second time;
- relay tail dropped: the last decisions before a kill were committed and never published;
- an offer accepted twice: a late accept finds the offer still there;
- an expiry fired twice: a timer is not cancelled by what it did, and fires again;
- a lease expired before its grace: agents are thrown out because the server was away;
- units leaked: wrap-ups never end;
- two offers at once: a conversation rings at two desks;
- a breach fired twice: a clock's threshold does not remember that it has fired;
- a breach lost: a clock runs past its target and its timer is gone.
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
from desk import RANKS, Desk, ms  # noqa: E402

TAIL = 3


def lines_of(path):
    return list(check.ndjson(path))


def write(path, values):
    with open(path, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(value) + "\n" for value in values)


def settings(folder):
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as text:
        return json.load(text)


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


def last_answer_before_a_kill(log):
    """The last fresh answer before some kill: what a kill is most likely to take with it. A renewal that changed nothing
    stands in no record and has no position."""
    kills = [at for at, line in enumerate(log) if line["t"] == "kill"]
    best = None
    for at, _, event, outcome in answers_in(log):
        if kills and at < kills[len(kills) // 2] and not outcome.get("duplicate") and "position" in outcome:
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
    _, outcome = last_answer_before_a_kill(log)
    shard, lost = outcome["position"]["shard"], outcome["position"]["seq"]
    before = lines_of(final_path(folder, shard))
    kept = [renumbered(event, lost) for event in before if event["data"]["position"]["seq"] != lost]
    relink(kept)
    write(final_path(folder, shard), kept)
    # What consumers saw: all up to the lost record as it was, and from then on what the journal says now.
    seen = [event for event in before if event["data"]["position"]["seq"] <= lost]
    seen += [event for event in kept if event["data"]["position"]["seq"] >= lost]
    republish(folder, shard, seen)
    # The record that took its number may have told nothing.
    is_taken = any(event["data"]["position"]["seq"] == lost for event in kept)
    return {"lost", "rewritten" if is_taken else "unconfirmed"}


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
    _, outcome = last_answer_before_a_kill(log)
    shard, seq = outcome["position"]["shard"], outcome["position"]["seq"]
    events = lines_of(final_path(folder, shard))
    end = max(n for n, event in enumerate(events) if event["data"]["position"]["seq"] == seq) + 1
    republish(folder, shard, events[: max(end - TAIL, 0)] + events[end:])
    return {"gap"}


def shard_files(folder):
    """(shard, its decisions) of each shard."""
    for path in sorted(glob.glob(os.path.join(folder, "final-*.ndjson"))):
        yield int(re.search(r"final-(\d+)", path)[1]), lines_of(path)


def rewrite(folder, shard, events):
    """A shard's decisions as all readers saw them."""
    relink(events)
    write(final_path(folder, shard), events)
    republish(folder, shard, events)


def told(event, *types):
    return event["type"].removeprefix("strowger.") in types


def because(event, reason):
    return event["data"].get("reason") == reason


def ends_record(events, at):
    return at + 1 == len(events) or events[at]["data"]["position"]["seq"] != events[at + 1]["data"]["position"]["seq"]


def append_to_record(events, at, event):
    """Puts a copy of `event` at the end of the record in which the decision number `at` stands, told by a tick."""
    seq = events[at]["data"]["position"]["seq"]
    end = at
    while end + 1 < len(events) and events[end + 1]["data"]["position"]["seq"] == seq:
        end += 1
    last = events[end]["data"]["position"]
    event = json.loads(json.dumps(event)) | {"id": f"{seq}.{last['idx'] + 1}", "time": events[end]["time"]}
    event["data"] |= {"position": last | {"idx": last["idx"] + 1}, "cause": "tick"}
    events.insert(end + 1, event)
    for sibling in events:
        if sibling["data"]["position"]["seq"] == seq:
            sibling["data"]["position"]["count"] = last["idx"] + 2


def accept_twice(folder):
    """Where an agent's second accept of an offer was refused, he gets the conversation again."""
    sent = {check.cause_of(event): event for line in lines_of(log_path(folder)) if line["t"] == "send" for event in line["events"]}
    for shard, events in shard_files(folder):
        accepted = {}
        for event in events:
            cause = event["data"]["cause"]
            said = sent.get((event["workspace"], cause["source"], cause["id"])) if cause != "tick" else None
            if said is None or said["type"] != "offer.accept":
                continue
            offer = (event["workspace"], said["data"]["offer"], said["data"]["actor"]["id"])
            if told(event, "conversation.assigned") and because(event, "accepted"):
                accepted[offer] = event
            elif told(event, "command.rejected") and offer in accepted:
                place = {"position": event["data"]["position"], "cause": cause}
                event |= {"type": accepted[offer]["type"], "subject": accepted[offer]["subject"]}
                event["data"] = accepted[offer]["data"] | place | {"epoch": accepted[offer]["data"]["epoch"] + 1}
                rewrite(folder, shard, events)
                return {"offer"}
    raise SystemExit("self test: no offer was accepted twice in this run; record a longer one")


def expire_twice(folder):
    """The expiry of an offer is told once more, in the same record."""
    for shard, events in shard_files(folder):
        for at, event in enumerate(events):
            if told(event, "offer.withdrawn") and because(event, "expired"):
                append_to_record(events, at, event)
                rewrite(folder, shard, events)
                return {"expired twice"}
    raise SystemExit("self test: no offer expired in this run; record a longer one")


def expire_before_grace(folder):
    """Soon after a restart an agent is told to be offline whose lease lives: by its grace alone, as it ran out while the
    server was dead, or where the run has none such, by the grace or its own term."""
    for by_grace_alone in (True, False):
        for shard, events in shard_files(folder):
            if throw_out(folder, shard, events, by_grace_alone):
                return {"lease"}
    raise SystemExit("self test: no lease lived on over a restart in this run; record a longer one")


def throw_out(folder, shard, events, by_grace_alone):
    log = check.Log(log_path(folder))
    desk = Desk(settings(folder), log, check.Findings())
    template = next((event for event in events if told(event, "agent.changed") and because(event, "lease_expired")), None)
    for at, event in enumerate(events if template else ()):
        desk.apply(check.Decision(event))
        restarts = [restart for restart in log.restarts if restart.start <= desk.now]
        victim = restarts and ends_record(events, at) and alive_since(desk, event["workspace"], restarts[-1], by_grace_alone)
        if victim:
            agent = desk.agents[(event["workspace"], victim)]
            units = {"units_used": sum(hold.units for hold in agent.holds.values()), "units": agent.units}
            gone = template | {"workspace": event["workspace"], "subject": victim}
            gone["data"] = template["data"] | {"agent": template["data"]["agent"] | units | {"id": victim, "state": "offline"}}
            append_to_record(events, at, gone)
            rewrite(folder, shard, events)
            return True
    return False


def alive_since(desk, workspace, restart, by_grace_alone):
    """An agent of the workspace who is surely online, by leases of before the restart."""
    for (of, name), agent in sorted(desk.agents.items()):
        leases = [lease for lease in agent.leases.values() if lease.status == "online"]
        if of == workspace and agent.told in ("available", "partly", "full") and desk.ranks(agent) == {RANKS["online"]}:
            old = all(lease.sooner is not None and lease.at <= restart.kill for lease in leases)
            if old and (not by_grace_alone or all(lease.sooner <= desk.now for lease in leases)):
                return name
    return None


def leak_wrap_ups(folder):
    """Every agent is told to use the units of his wrap-ups for ever. Of one alone a tick's decision may tell rightly: it may
    stand behind the one that the tick fires."""
    run, leaks = settings(folder), 0
    for shard, events in shard_files(folder):
        over = {}
        for event in events:
            agent, now = event["data"].get("agent"), ms(event["time"])
            if agent:
                leaked = sum(units for until, units in over.get((event["workspace"], agent["id"]), ()) if until <= now)
                agent["units_used"] += leaked
                leaks += leaked > 0
            wrap_up = run["channels"].get(event["data"].get("channel"), {}).get("wrap_up")
            if told(event, "conversation.resolved") and event["data"].get("previous_owner") and wrap_up:
                owner = (event["workspace"], event["data"]["previous_owner"])
                over.setdefault(owner, []).append((now + wrap_up["max_s"] * 1000, wrap_up["units"]))
        rewrite(folder, shard, events)
    if not leaks:
        raise SystemExit("self test: nobody is told of after a wrap-up in this run; record a longer one")
    return {"ledger"}


def offer_twice(folder):
    """A conversation that was just offered is offered to another agent as well, by another offer."""
    for shard, events in shard_files(folder):
        for at, event in enumerate(events):
            if told(event, "conversation.offered") and ends_record(events, at):
                second = json.loads(json.dumps(event))
                second["data"]["offer"] += "0000000"
                second["data"]["agent"] |= {"id": "agent-0" if event["data"]["agent"]["id"] != "agent-0" else "agent-1"}
                append_to_record(events, at, second)
                rewrite(folder, shard, events)
                return {"two offers"}
    raise SystemExit("self test: no offer in this run; record a longer one")


def breach_twice(folder):
    """The breach of a clock is told once more, in the same record."""
    for shard, events in shard_files(folder):
        for at, event in enumerate(events):
            if told(event, "clock.breached"):
                append_to_record(events, at, event)
                rewrite(folder, shard, events)
                return {"fired twice"}
    raise SystemExit("self test: no clock was breached in this run; record a longer one")


def lose_breach(folder):
    """A breach, and the level that fires with it, stand in no record: the next input proves it overdue, and the end of the
    clock that it passed its target untold."""
    for shard, events in shard_files(folder):
        for at, event in enumerate(events):
            if told(event, "clock.breached") and is_proven(events, at) and take_out(events, at):
                rewrite(folder, shard, events)
                return {"overdue", "not fired"}
    raise SystemExit("self test: no breach of this run can be taken out; record a longer one")


def threshold_of(event):
    clock = event["data"].get("clock") or {}
    return (event["workspace"], event.get("subject"), clock.get("clock"), clock.get("generation"))


def is_proven(events, at):
    """Another record's input comes after the breach, and then the clock is told to be over."""
    is_later = False
    for event in events[at + 1:]:
        if threshold_of(event) == threshold_of(events[at]) and told(event, "clock.completed", "clock.cancelled"):
            return is_later and told(event, "clock.completed")
        is_later |= event["data"]["cause"] != "tick" and event["data"]["position"]["seq"] != events[at]["data"]["position"]["seq"]
    return False


def take_out(events, at):
    """Takes what a clock told at its breach out of its record, if that is all ticks: no answer names a place in it."""
    seq, percent = events[at]["data"]["position"]["seq"], events[at]["data"]["clock"]["percent"]
    record = [event for event in events if event["data"]["position"]["seq"] == seq]
    lost = [
        event for event in record
        if threshold_of(event) == threshold_of(events[at]) and event["data"]["clock"]["percent"] == percent]
    kept = [event for event in record if event not in lost]
    if any(event["data"]["cause"] != "tick" for event in record):
        return False
    for idx, event in enumerate(kept):
        event["id"] = f"{seq}.{idx}"
        event["data"]["position"] |= {"idx": idx, "count": len(kept)}
    events[:] = [event for event in events if event not in lost]
    return True


FAULTS = {
    "publication before commit": publish_before_commit,
    "idempotency memory lost": forget_idempotency,
    "relay tail dropped": drop_relay_tail,
    "an offer accepted twice": accept_twice,
    "an expiry fired twice": expire_twice,
    "a lease expired before its grace": expire_before_grace,
    "units leaked by wrap-ups that never end": leak_wrap_ups,
    "two offers at once": offer_twice,
    "a breach fired twice": breach_twice,
    "a breach lost": lose_breach,
}


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    run = arguments[0]
    findings, _ = check.judge(run)
    if findings:
        counts = {name: len(sentences) for name, sentences in findings.by_name.items()}
        print(f"self test: the run is not whole to begin with: {counts}", file=sys.stderr)
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
