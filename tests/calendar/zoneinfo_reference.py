#!/usr/bin/env python3
"""Calendar arithmetic a second time: what business time is, when a clock is due and when it is breached.

    zoneinfo_reference.py CASES            answers each case on a line of its own: business milliseconds, due, breach
    zoneinfo_reference.py CASES --wrong X  the same with a mistake X (one of WRONG), to see that a comparison notices

CASES has a JSON object a line (tests/it/calendar.rs draws and compares them). It shares nothing with Strowger: the zones
are those of Python's zoneinfo (the system's data, or the package tzdata), openings are expanded date by date, and time
is summed by looking at every opening. An instant that the expanded days do not reach is `-`.
"""

import argparse
import json
import multiprocessing
import sys
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)

WRONG = {
    "fold": "an ambiguous time is the second",
    "gap": "a time in a gap moves back",
    "holiday": "a date without openings changes nothing",
    "night": "a date replaces what runs into it, too",
    "closing": "the breach is a millisecond after due, open or not",
}
wrong = None


@lru_cache(maxsize=None)
def zone_named(name):
    return ZoneInfo(name)


def instant(zone, day, minute):
    """The milliseconds UTC of a wall clock's minute of a day; minutes may go on past midnight."""
    # Adding to a datetime moves the wall's clock, and two of one zone are compared by it. fold is 0: the first of two,
    # and in a gap a time that does not exist, which comes back from UTC as the one moved forward.
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    there = wall.astimezone(timezone.utc)
    back = there.astimezone(zone)
    if back < wall:
        raise ValueError(f"{wall} came back earlier: {back}")
    if (wrong == "fold" and back == wall) or (wrong == "gap" and back > wall):
        there = wall.replace(fold=1).astimezone(timezone.utc)
    return (there - EPOCH) // MILLISECOND


def spans_of_days(case, days):
    """The openings that begin on each of these days, as minutes of its wall clock."""
    dates = {date.fromisoformat(text): spans for text, spans in case["dates"]}
    for day in days:
        spans = dates.get(day)
        if spans is None or (wrong == "holiday" and not spans):
            weekday = day.isoweekday()
            spans = [span[1:] for span in case["weekly"] if span[0] == weekday]
        for begin, end in spans:
            last = end if end > begin else end + 24 * 60
            if wrong == "night" and day + timedelta(days=1) in dates:
                last = min(last, 24 * 60)
            yield day, begin, last


def intervals(case):
    """All openings of the case's days in UTC, sorted, none touching another, cut at both ends."""
    zone, first = zone_named(case["zone"]), date.fromisoformat(case["first"])
    low, high = instant(zone, first, 0), instant(zone, first + timedelta(days=case["days"]), 0)
    days = (first + timedelta(days=number) for number in range(-1, case["days"]))
    found = []
    for day, begin, end in spans_of_days(case, days):
        found.append((max(low, instant(zone, day, begin)), min(high, instant(zone, day, end))))
    joined = []
    for begin, end in sorted(found):
        if begin >= end:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def without(openings, pause):
    """What a pause leaves of the openings."""
    begin, end = pause
    left = []
    for low, high in openings:
        left += [(low, min(high, begin)), (max(low, end), high)] if begin < end else [(low, high)]
    return [(low, high) for low, high in left if low < high]


def answer(line):
    case = json.loads(line)
    running = intervals(case)
    for pause in case["pauses"]:
        running = without(running, pause)
    start, end, target = case["start"], case["end"], case["target"]
    business = sum(max(0, min(high, end) - max(low, start)) for low, high in running)
    due = breach = None
    passed = 0
    for low, high in running:
        low = max(low, start)
        if low >= high:
            continue
        if due is None and passed + high - low >= target:
            due = low + target - passed
        if breach is None and passed + high - low > target:
            breach = low + target - passed + 1
        passed += high - low
    if wrong == "closing" and due is not None:
        breach = due + 1
    return f"{business} {'-' if due is None else due} {'-' if breach is None else breach}"


def make_wrong(name):
    global wrong
    wrong = name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases")
    parser.add_argument("--wrong", choices=sorted(WRONG))
    options = parser.parse_args()
    with open(options.cases, encoding="utf-8") as file, multiprocessing.Pool(None, make_wrong, (options.wrong,)) as pool:
        for line in pool.imap(answer, file, chunksize=500):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
