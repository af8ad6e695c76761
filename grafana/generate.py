#!/usr/bin/env python3
"""Writes the dashboards in `grafana/dashboards/`. What they show is said in `grafana/boards/` and nowhere else.

    grafana/generate.py                  writes them
    grafana/generate.py --check          says which of the committed files differ, and fails if one does
    grafana/generate.py --runbooks URL   links to the runbooks there instead of `docs/runbooks` in this repository
"""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True

from boards import pieces
from boards.agents import agents
from boards.engine import engine
from boards.queues import queues
from boards.sla import sla
from boards.wallboard import wallboard

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
DASHBOARDS = {"wallboard": wallboard, "queues": queues, "agents": agents, "sla": sla, "engine": engine}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument(
        "--check", action="store_true", help="fail if a committed dashboard differs; write nothing",
    )
    arguments.add_argument("--runbooks", default=pieces.RUNBOOKS, metavar="URL", help="where the runbooks are read")
    arguments.add_argument("--out", type=pathlib.Path, default=FOLDER, help="the folder to write to")
    options = arguments.parse_args()
    pieces.RUNBOOKS = options.runbooks.rstrip("/")
    made = {
        f"{name}.json": json.dumps(make(), indent=2, ensure_ascii=False) + "\n" for name, make in DASHBOARDS.items()
    }
    if not options.check:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (options.out / name).write_text(text, encoding="utf-8")
        return 0
    there = {path.name: path.read_text(encoding="utf-8") for path in options.out.glob("*.json")}
    wrong = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    for name in wrong:
        print(f"{name}: not what grafana/generate.py writes; run it and commit what it wrote", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
