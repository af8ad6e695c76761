#!/usr/bin/env python3
"""The incidents of bpi2013 and how long each took, computed apart from the engine: with Python's zones, day by day.

    incidents_reference.py bpi2013_incidents.csv.gz

Prints one JSON line a case: its moments as [ms, waits for the user], in order, and `wall_ms` and `business_ms` from the first
to the last, what lies in "Wait - User" left out of `business_ms`. The office works Monday to Friday from 08:00 to 17:00 in
Stockholm, and not on 6 June, 24 to 26 December and 1 January.
"""

import csv
import gzip
import json
import sys
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Stockholm")
HOLIDAYS = {(6, 6), (12, 24), (12, 25), (12, 26), (1, 1)}


def ms(moment):
    return round((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1))


def office(day):
    """The opening of a day as (from, to) in ms, or None."""
    if day.weekday() > 4 or (day.month, day.day) in HOLIDAYS:
        return None
    return tuple(ms(datetime.combine(day, time(hour), ZONE).astimezone(timezone.utc)) for hour in (8, 17))


def business(start, end, offices={}):
    """Ms of [start, end) in which the office is open."""
    total = 0
    day = datetime.fromtimestamp(start / 1000, ZONE).date()
    last = datetime.fromtimestamp(end / 1000, ZONE).date()
    while day <= last:
        if day not in offices:
            offices[day] = office(day)
        if offices[day]:
            opens, closes = offices[day]
            total += max(0, min(end, closes) - max(start, opens))
        day += timedelta(days=1)
    return total


def main(path):
    cases = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            moment = datetime.fromisoformat(row["end_timestamp"]).replace(tzinfo=timezone.utc)
            cases.setdefault(row["caseid"], []).append((ms(moment), "Wait - User" in row["task"]))
    for case, moments in cases.items():
        moments.sort(key=lambda moment: moment[0])
        counted = 0
        for (start, waits), (end, _) in zip(moments, moments[1:]):
            counted += 0 if waits else business(start, end)
        wall = moments[-1][0] - moments[0][0]
        print(json.dumps({"case": case, "moments": moments, "wall_ms": wall, "business_ms": counted}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
