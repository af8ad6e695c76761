#!/usr/bin/env python3
"""Asks a real Prometheus every query of every panel, variable, recording rule and alert; names those without a sample.

    tests/grafana/queries.py --prometheus http://127.0.0.1:9090 [--wait 120]

The Prometheus has to scrape a Strowger with a workspace in it (the demo) and to load `grafana/rules/*.yaml`. With
--wait what has no sample yet is asked again until then. An alert is asked without its comparisons
(`promql.unfiltered`): a quiet alert answers, one on a name that is not there does not.
"""

import argparse
import json
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from promql import unfiltered

ROOT = pathlib.Path(__file__).resolve().parents[2]


def panels(listed):
    for panel in listed:
        yield panel
        yield from panels(panel.get("panels", []))


def substituted(expression, rate_interval):
    """As Grafana would send it, everything chosen."""
    expression = (
        expression.replace("$__rate_interval", rate_interval).replace("$__range", "1h").replace("$__interval", "15s")
    )
    return re.sub(r"\$(job|instance|workspace|queue)\b", ".+", expression)


def of_dashboards(rate_interval):
    """(where it stands, query)."""
    for path in sorted((ROOT / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                call = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                query = f"count by ({call[2]}) ({call[1]})"
                yield f"{path.name}: variable {variable['name']}", substituted(query, rate_interval)
        for panel in panels(dashboard["panels"]):
            for target in panel.get("targets", []):
                place = f"{path.name}: {panel['title']!r} {target['refId']}"
                yield place, substituted(target["expr"], rate_interval)


def named_in_files():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "grafana/rules").glob("*.yaml")))
    return re.findall(r"^\s*- (?:record|alert): (\S+)", text, re.M)


def said(error):
    """Of an answer that refuses; not every one is JSON."""
    text = error.read().decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return f"{error}: {text[:200]}"


class Prometheus:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def get(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with DIRECTLY.open(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise
            raise ValueError(said(error)) from error

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def samples(self, query):
        return len(self.get("query", query=query)["result"])


# A proxy for the outside is none for a Prometheus beside us.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
UNREACHABLE = (urllib.error.URLError, ConnectionError, TimeoutError)


def patiently(ask, deadline):
    """What it answers, once it does: a Prometheus that is starting listens to nobody yet, or says 503."""
    while True:
        try:
            return ask()
        except UNREACHABLE:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)


def of_rules(prometheus):
    """(where it stands, query), and what is wrong with the rules themselves."""
    loaded = {rule["name"]: rule for rule in prometheus.rules()}
    asked, wrong = [], []
    for name in named_in_files():
        rule = loaded.get(name)
        if rule is None:
            wrong.append((f"rule {name}", "is not loaded by this Prometheus"))
        elif rule["type"] == "recording":
            asked.append((f"rule {name}", name))
        else:
            asked.append((f"alert {name}", unfiltered(rule["query"])))
    return asked, wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--prometheus", required=True, metavar="URL")
    arguments.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="ask again until then")
    arguments.add_argument("--rate-interval", default="1m", help="what $__rate_interval is")
    options = arguments.parse_args()
    prometheus, deadline = Prometheus(options.prometheus), time.monotonic() + options.wait
    try:
        asked, wrong = patiently(lambda: of_rules(prometheus), deadline)
        asked = list(of_dashboards(options.rate_interval)) + asked
        count, left = len(asked), asked
        while True:
            still = []
            for place, query in left:
                try:
                    if not patiently(lambda: prometheus.samples(query), deadline):
                        still.append((place, query))
                except ValueError as error:
                    wrong.append((place, f"{error}: {query}"))
            left = still
            if not left or time.monotonic() >= deadline:
                break
            time.sleep(1)
        # At the end, when each has been evaluated.
        wrong += [(f"rule {rule['name']}", rule["lastError"]) for rule in prometheus.rules() if rule.get("lastError")]
    except UNREACHABLE as error:
        print(f"queries: {options.prometheus}: {error}", file=sys.stderr)
        return 2
    for place, fault in wrong:
        print(f"{place}: {fault}", file=sys.stderr)
    for place, query in left:
        print(f"{place}: no sample: {query}", file=sys.stderr)
    if not wrong and not left:
        print(f"{count} queries, each with a sample")
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
