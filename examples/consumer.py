#!/usr/bin/env python3
"""How to read Strowger's decisions: each exactly once, in order, and never past a gap. Python's standard library only.

    kcat -C -b HOST:PORT -t strowger.decisions -o beginning -J -u | examples/consumer.py
    curl -sN 'http://HOST:PORT/v1/decisions?shard=0' | examples/consumer.py

After a crash Strowger may publish some decisions a second time, so: drop what is not newer than the last one seen of
its shard, and stop when `prev` is not the last one seen. Store `last` and `hashes` together with what you do about the
decision, in one transaction; here it is only printed.
"""
import json, sys

last = {}    # shard -> (seq, idx) of the last decision applied
hashes = {}  # shard -> the chain hash that its record had


def alarm(decision, why):
    sys.exit(f"ALARM: decision {decision['source']} {decision['id']}: {why}")


for line in sys.stdin:
    decision = json.loads(line)
    if "payload" in decision:                      # kcat -J wraps the message
        decision = json.loads(decision["payload"])
    at = decision["data"]["position"]
    shard, position = at["shard"], (at["seq"], at["idx"])
    prev = tuple(at["prev"] or (0, 0))
    seen = last.get(shard, (0, 0) if at["prev"] is None else prev)   # the first one read may be anywhere in the log
    if position == last.get(shard) and at["hash"] != hashes[shard]:
        alarm(decision, "the same position with another hash: two histories")
    if shard in last and position <= seen:
        continue                                   # a repeat
    if prev != seen:
        alarm(decision, f"a gap: it follows {prev}, the last one seen is {seen}")
    print(shard, *position, decision["type"], decision.get("subject", ""), flush=True)
    last[shard], hashes[shard] = position, at["hash"]
