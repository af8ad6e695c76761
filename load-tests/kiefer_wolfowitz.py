#!/usr/bin/env python3
"""Waits of a first-come-first-served queue with c alike agents by the Kiefer-Wolfowitz recursion (1955), against the
`--calls` of a simulation of the same workload, call by call to the millisecond:

    load-tests/kiefer_wolfowitz.py WORKLOAD CALLS

Nothing is shared with the engine. V is the vector of the agents' remaining work, sorted; all of them are there from
the first line on. Calls stand in the order of the workload.
"""
import datetime, json, sys


def ms(at):
    return round(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000)


calls = map(json.loads, open(sys.argv[2]))
agents, v, before, count, waited, total, wrong = set(), None, 0, 0, 0, 0, []
for line in map(json.loads, open(sys.argv[1])):
    if line["kind"] == "presence":
        agents.add(line["agent"])
        continue
    now = ms(line["at"])
    v = [max(0, work - (now - before)) for work in v or [0] * len(agents)]
    before, wait = now, v[0]
    v[0] += round(line["handle_s"] * 1000)
    v.sort()
    call = next(calls, {"conversation": "none", "wait_s": -1})
    if call["conversation"] != line["conversation"] or round(call["wait_s"] * 1000) != wait:
        wrong.append((line["conversation"], wait / 1000, call["conversation"], call["wait_s"]))
    count, waited, total = count + 1, waited + (wait > 0), total + wait

if wrong or next(calls, None):
    sys.exit(f"{len(wrong)} of {count} calls differ; the first (by recursion, simulated): {wrong[:1]}")
print(f"{count} calls, each wait the same to the millisecond; mean wait {total / count / 1000:.3f} s, waited {waited / count:.5f}")
