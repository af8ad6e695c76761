#!/usr/bin/env python3
"""Waits of a first-come-first-served queue with c alike agents by the Kiefer-Wolfowitz recursion (1955), against the
`--calls` of a simulation of the same workload, call by call to the millisecond:

    load-tests/kiefer_wolfowitz.py WORKLOAD CALLS [--json]

Nothing is shared with the engine. V is the vector of the agents' remaining work, sorted; all of them are there from
the first line on. With --json it prints its own mean wait and the share that waited.
"""
import datetime, json, sys


def ms(at):
    return round(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000)


lines = [json.loads(line) for line in open(sys.argv[1])]
arrivals = [line for line in lines if line["kind"] == "arrival"]
v = [0] * len({line["agent"] for line in lines if line["kind"] == "presence"})
waits, before = {}, 0
for line in arrivals:
    now = ms(line["at"])
    v = [max(0, work - (now - before)) for work in v]
    before, waits[line["conversation"]] = now, v[0]
    v[0] += round(line["handle_s"] * 1000)
    v.sort()

calls = {call["conversation"]: call for call in map(json.loads, open(sys.argv[2]))}
wrong = [id for id, wait in waits.items() if id not in calls or round(calls[id]["wait_s"] * 1000) != wait]
if "--json" in sys.argv:
    waited = sum(wait > 0 for wait in waits.values())
    print(json.dumps({"mean_wait_s": sum(waits.values()) / len(waits) / 1000, "waited_share": waited / len(waits)}))
if wrong or len(calls) != len(waits):
    sys.exit(f"{len(wrong)} of {len(waits)} calls differ, {len(calls)} simulated; the first: {wrong[:1]}")
print(f"{len(waits)} calls, each wait the same to the millisecond", file=sys.stderr)
