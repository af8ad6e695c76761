#!/usr/bin/env python3
"""Judges the dashboards by the rules of Grafana's dashboard linter and by our own; the alerts, too.

    tests/grafana/lint.py              one line for each fault; fails if there is one
    tests/grafana/lint.py --self-test  plants a fault for each rule and fails if it is not found

The linter's rules keep its names. It is a Go program that cannot be had everywhere; promtool is needed here as there.
"""

import argparse
import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from promql import selectors

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARDS, RULES, RUNBOOKS = ROOT / "grafana/dashboards", ROOT / "grafana/rules", ROOT / "docs/runbooks"

WITH_QUERIES = {"stat", "singlestat", "graph", "table", "timeseries", "gauge", "bargauge", "heatmap", "piechart"}
# The linter's list, without what no dashboard of ours could mean.
UNITS = set(
    "none string short percent percentunit sci locale bytes decbytes bits decbits kbytes mbytes gbytes Bps binBps bps"
    " dateTimeAsIso dateTimeAsLocal dateTimeFromNow hertz ns µs ms s m h d dtdurationms dtdurations dthms dtdhms"
    " clockms clocks cps ops reqps rps wps iops cpm opm rpm wpm bool bool_yes_no bool_on_off".split()
)
VARIABLES = ["job", "instance", "workspace", "queue"]
HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
RULE_NAMES = set()


def rule(name):
    """Names a check; it yields (place, what is wrong)."""
    RULE_NAMES.add(name)

    def named(check):
        check.rule = name
        return check

    return named


def panels(dashboard):
    """All panels but rows, those in closed rows among them."""
    for panel in dashboard.get("panels", []):
        if panel["type"] == "row":
            yield from (inner for inner in panel.get("panels", []))
        else:
            yield panel


def targets(dashboard):
    for panel in panels(dashboard):
        for target in panel.get("targets") or []:
            yield panel, f"{panel.get('title')!r} {target.get('refId')}", target.get("expr", "")


def variables(dashboard, kind=None):
    return [one for one in dashboard["templating"]["list"] if kind in (None, one["type"])]


# ---- the linter's rules ----


@rule("template-datasource-rule")
def template_datasource(dashboard):
    found = variables(dashboard, "datasource")
    if not found:
        yield "", "no templated data source"
    for one in found:
        query = one["query"]
        names, labels = {f"{query}_datasource"}, {f"{query.title()} data source"}
        if len(found) == 1:
            names.add("datasource")
            labels.add("Data source")
        if one["name"] not in names:
            yield one["name"], f"should be named one of {sorted(names)}"
        if one.get("label") not in labels:
            yield one["name"], f"should be labelled one of {sorted(labels)}"


def template(dashboard, name):
    found = [one for one in variables(dashboard) if one["name"] == name]
    if not found:
        yield name, "this variable is missing"
        return
    one = found[0]
    if (one.get("datasource") or {}).get("uid") not in ("$datasource", "${datasource}"):
        yield name, "does not ask the templated data source"
    if one["type"] != "query":
        yield name, "is no query"
    if one.get("label") != name.title():
        yield name, f"should be labelled {name.title()!r}"
    if not one.get("multi"):
        yield name, "should allow several values"
    if one.get("allValue") != ".+":
        yield name, "All should be .+"


@rule("template-job-rule")
def template_job(dashboard):
    yield from template(dashboard, "job")


@rule("template-instance-rule")
def template_instance(dashboard):
    yield from template(dashboard, "instance")


@rule("template-label-promql-rule")
def template_label_promql(dashboard):
    for one in variables(dashboard, "query"):
        query = one["query"]["query"] if isinstance(one["query"], dict) else one["query"]
        call = re.fullmatch(r"([a-z_]+)\((.+)\)", query)
        if not call or call[1] not in ("label_names", "label_values", "metrics", "query_result"):
            yield one["name"], f"no function of the data source: {query}"
            continue
        said = parse_fault(call[2].rpartition(",")[0] if call[1] == "label_values" else call[2])
        if said:
            yield one["name"], f"{query}: {said}"


@rule("template-on-time-change-reload-rule")
def template_reload(dashboard):
    for one in variables(dashboard, "query"):
        if one.get("refresh") != 2:
            yield one["name"], "should be read again when the time range changes (refresh 2)"


@rule("panel-datasource-rule")
def panel_datasource(dashboard):
    allowed = {form % one["name"] for one in variables(dashboard, "datasource") for form in ("$%s", "${%s}")}
    for panel in panels(dashboard):
        for place in [panel, *(panel.get("targets") or [])]:
            if (place.get("datasource") or {}).get("uid") not in allowed:
                yield repr(panel.get("title")), "does not use the templated data source"
                break


@rule("panel-title-description-rule")
def panel_title_description(dashboard):
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel.get('id')}", "has no title or no description"


@rule("panel-units-rule")
def panel_units(dashboard):
    for panel in panels(dashboard):
        if panel["type"] not in WITH_QUERIES:
            continue
        config = panel.get("fieldConfig", {})
        said = [config.get("defaults", {}).get("unit")]
        for override in config.get("overrides", []):
            said += [one["value"] for one in override["properties"] if one["id"] == "unit"]
        for unit in said:
            if unit not in UNITS:
                yield repr(panel["title"]), f"unit {unit!r}"


@rule("panel-no-targets-rule")
def panel_no_targets(dashboard):
    for panel in panels(dashboard):
        if panel["type"] in WITH_QUERIES and not panel.get("targets"):
            yield repr(panel["title"]), "asks nothing"


@rule("target-logql-rule")
def target_logql(dashboard):
    for panel in panels(dashboard):
        for target in panel.get("targets") or []:
            if (target.get("datasource") or {}).get("type") != "prometheus":
                yield repr(panel["title"]), "asks something else than Prometheus; no rule here judges that"


@rule("target-promql-rule")
def target_promql(dashboard):
    asked = list(targets(dashboard))
    for (_, place, expression), said in zip(asked, parse_faults([expression for _, _, expression in asked])):
        if said:
            yield place, f"{expression}: {said}"


@rule("target-rate-interval-rule")
def target_rate_interval(dashboard):
    for _, place, expression in targets(dashboard):
        for one in selectors(expression):
            if one.call in ("rate", "irate") and one.range != "$__rate_interval":
                yield place, f"{one.call}({one.text}[{one.range}]) should use $__rate_interval"


def matcher(dashboard, label):
    for _, place, expression in targets(dashboard):
        for one in selectors(expression):
            if (label, "=~", f"${label}") not in one.matchers:
                yield place, f'{one.text} lacks {label}=~"${label}"'


@rule("target-job-rule")
def target_job(dashboard):
    yield from matcher(dashboard, "job")


@rule("target-instance-rule")
def target_instance(dashboard):
    yield from matcher(dashboard, "instance")


@rule("target-counter-agg-rule")
def target_counter_agg(dashboard):
    for _, place, expression in targets(dashboard):
        for one in selectors(expression):
            counted = one.range is not None and one.call in ("rate", "irate", "increase")
            if one.name.endswith("_total") and not counted:
                yield place, f"{one.text} is a counter: rate, irate or increase"


@rule("uneditable-dashboard")
def uneditable(dashboard):
    if dashboard.get("editable", True):
        yield "", "can be edited, and the next provisioning undoes that"


# ---- our own ----


@rule("our-variables")
def our_variables(dashboard):
    names = [one["name"] for one in variables(dashboard)]
    if names != ["datasource", *VARIABLES]:
        yield "", f"variables {names}"
    for name in ("workspace", "queue"):
        yield from template(dashboard, name)


@rule("panel-overlap")
def panel_overlap(dashboard):
    taken = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield repr(panel["title"]), "reaches beyond the 24 columns"
        cells = [
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        other = next((taken[cell] for cell in cells if cell in taken), None)
        if other:
            yield repr(panel["title"]), f"lies on {other!r}"
        taken.update({cell: panel["title"] for cell in cells})


@rule("panel-ids")
def panel_ids(dashboard):
    ids = [panel.get("id") for panel in dashboard["panels"]]
    if len(set(ids)) != len(ids):
        yield "", "two panels have one id"
    for panel in panels(dashboard):
        letters = [target.get("refId") for target in panel.get("targets") or []]
        if len(set(letters)) != len(letters):
            yield repr(panel["title"]), "two queries have one letter"


@rule("panel-steps")
def panel_steps(dashboard):
    for panel in panels(dashboard):
        config = panel["fieldConfig"]
        told = [config["defaults"].get("thresholds")]
        for override in config["overrides"]:
            told += [one["value"] for one in override["properties"] if one["id"] == "thresholds"]
        for thresholds in filter(None, told):
            values = [step["value"] for step in thresholds["steps"]]
            if values[0] is not None or values[1:] != sorted(values[1:]):
                yield repr(panel["title"]), f"thresholds {values} do not rise from the lowest"


def links(dashboard):
    for link in dashboard.get("links", []):
        yield "the dashboard", link
    for panel in panels(dashboard):
        for link in panel.get("links", []):
            yield repr(panel["title"]), link
        for override in panel["fieldConfig"]["overrides"]:
            for one in override["properties"]:
                for link in one["value"] if one["id"] == "links" else []:
                    yield repr(panel["title"]), link


@rule("links")
def link_targets(dashboard):
    uids = {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS.glob("*.json")}
    names = {one["name"] for one in variables(dashboard)} | {"__url_time_range", "__all_variables"}
    for place, link in links(dashboard):
        if link.get("type") == "dashboards":
            if not link["tags"] or not set(link["tags"]) <= set(dashboard["tags"]):
                yield place, f"links to dashboards tagged {link['tags']}, and is none itself"
            continue
        url = link["url"]
        to = re.match(r"/d/([^?]+)\?", url)
        if to and to[1] not in uids:
            yield place, f"links to {to[1]}, which is not there"
        elif not to and not (url.startswith("docs/runbooks/") and (ROOT / url).is_file()):
            yield place, f"links to {url}, which is not there"
        for name in re.findall(r"\$\{([^}:.]+)", url):
            if name not in names and name != "__data":
                yield place, f"asks for {name}, which is no variable"


@rule("panel-links")
def panel_links(dashboard):
    for panel in panels(dashboard):
        if panel["type"] != "row" and not panel.get("links"):
            yield repr(panel["title"]), "leads nowhere: to no other dashboard and no runbook"


# ---- alerts ----


def alerts(text):
    """(name, its lines) of a rule file in the form that ours have."""
    for part in re.split(r"^\s*- alert: ", text, flags=re.M)[1:]:
        name, _, rest = part.partition("\n")
        yield name.strip(), re.split(r"^\s*- (?:name|record): ", rest, flags=re.M)[0]


@rule("alert-runbook")
def alert_runbook(rules):
    uids = {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in DASHBOARDS.glob("*.json")}
    for name, body in alerts(rules["alerts"]):
        for key in ("summary", "description", "severity"):
            if f"{key}:" not in body:
                yield name, f"has no {key}"
        url = re.search(r"runbook_url: (\S+)", body)
        path = ROOT / url[1] if url else None
        if not path or not path.is_file():
            yield name, f"has no runbook: {url and url[1]}"
        else:
            missing = [
                heading for heading in HEADINGS if heading not in path.read_text(encoding="utf-8").splitlines()
            ]
            if missing:
                yield name, f"its runbook lacks {missing}"
            if name not in path.read_text(encoding="utf-8"):
                yield name, "its runbook does not name it"
        to = re.search(r"dashboard: (\S+)", body)
        if not to or to[1] not in uids:
            yield name, f"names no dashboard that is there: {to and to[1]}"


@rule("alert-tests")
def alert_tests(rules):
    for name, _ in alerts(rules["alerts"]):
        cases = re.findall(rf"alertname: {name}\n\s*exp_alerts:(.*)", rules["tests"])
        if not any(case.strip() == "" for case in cases):
            yield name, "no test in which it fires"
        if not any(case.strip() == "[]" for case in cases):
            yield name, "no test in which it does not fire"


# ---- running them ----


def parse_faults(expressions):
    """What promtool says of each, or None. Variables of Grafana stand for something of their kind."""
    rules = []
    for number, expression in enumerate(expressions):
        expression = re.sub(r"\$__\w+", "1m", expression)
        rules.append(f"  - {{record: 'r:{number}', expr: {json.dumps(expression)}}}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rules.yaml"
        path.write_text("groups:\n- name: all\n  rules:\n" + "".join(rules), encoding="utf-8")
        done = subprocess.run(
            ["promtool", "check", "rules", "--lint=none", path], capture_output=True, text=True, check=False
        )
    said = dict(re.findall(r'"r:(\d+)": could not parse expression: (.*)', done.stdout + done.stderr))
    if done.returncode and not said:
        raise SystemExit(f"lint: promtool: {done.stdout}{done.stderr}")
    return [said.get(str(number)) for number in range(len(expressions))]


def parse_fault(expression):
    return parse_faults([expression])[0]


OF_DASHBOARDS = [
    template_datasource, template_job, template_instance, template_label_promql, template_reload, panel_datasource,
    panel_title_description, panel_units, panel_no_targets, target_logql, target_promql, target_rate_interval,
    target_job,
    target_instance, target_counter_agg, uneditable, our_variables, panel_overlap, panel_ids, panel_steps,
    link_targets, panel_links,
]  # fmt: skip
OF_RULES = [alert_runbook, alert_tests]


def faults_of_dashboard(dashboard):
    return [(check.rule, place, said) for check in OF_DASHBOARDS for place, said in check(dashboard)]


def faults_of_rules(rules):
    return [(check.rule, place, said) for check in OF_RULES for place, said in check(rules)]


def committed():
    dashboards = {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))
    }
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted((RULES / "tests").glob("*.yaml")))
    return dashboards, {"alerts": (RULES / "alerts.yaml").read_text(encoding="utf-8"), "tests": tests}


# ---- planted faults ----


def first(dashboard, kind="timeseries"):
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def asks(expression):
    def plant(dashboard):
        first(dashboard)["targets"][0]["expr"] = expression

    return plant


def sets(where, **values):
    """Plants values at what `where` finds; None takes the key away."""

    def plant(dashboard):
        found = where(dashboard)
        for key, value in values.items():
            found.pop(key, None) if value is None else found.update({key: value})

    return plant


def of_variable(name):
    return lambda dashboard: next(one for one in variables(dashboard) if one["name"] == name)


def drops(name):
    def plant(dashboard):
        dashboard["templating"]["list"] = [one for one in variables(dashboard) if one["name"] != name]

    return plant


HERE = 'job=~"$job",instance=~"$instance"'
PLANTED = [
    ("template-datasource-rule", drops("datasource")),
    ("template-datasource-rule", sets(of_variable("datasource"), name="prometheus")),
    ("template-datasource-rule", sets(of_variable("datasource"), label="Prometheus")),
    ("template-job-rule", drops("job")),
    ("template-job-rule", sets(of_variable("job"), allValue=".*")),
    ("template-job-rule", sets(of_variable("job"), multi=False)),
    ("template-job-rule", sets(of_variable("job"), label="job")),
    ("template-job-rule", sets(of_variable("job"), datasource={"uid": "prometheus"})),
    ("template-instance-rule", drops("instance")),
    ("template-instance-rule", sets(of_variable("instance"), type="custom")),
    ("template-label-promql-rule", sets(of_variable("queue"), query="label_values(up{, queue)")),
    ("template-label-promql-rule", sets(of_variable("queue"), query="values(up, queue)")),
    ("template-on-time-change-reload-rule", sets(of_variable("workspace"), refresh=1)),
    ("panel-datasource-rule", sets(first, datasource={"uid": "prometheus"})),
    ("panel-datasource-rule", sets(lambda d: first(d)["targets"][0], datasource={"type": "prometheus", "uid": "x"})),
    ("panel-title-description-rule", sets(first, title="")),
    ("panel-title-description-rule", sets(lambda d: first(d, "bargauge"), description=None)),
    ("panel-links", sets(first, links=[])),
    ("panel-units-rule", sets(lambda d: first(d)["fieldConfig"]["defaults"], unit=None)),
    ("panel-units-rule", sets(lambda d: first(d)["fieldConfig"]["defaults"], unit="seconds")),
    ("panel-no-targets-rule", sets(first, targets=None)),
    (
        "target-logql-rule",
        sets(lambda d: first(d)["targets"][0], datasource={"type": "loki", "uid": "${datasource}"}),
    ),
    ("target-promql-rule", asks(f"sum(rate(strowger_events_total{{{HERE}}}[$__rate_interval])")),
    ("target-promql-rule", asks(f"sum(rates(strowger_events_total{{{HERE}}}[$__rate_interval]))")),
    ("target-rate-interval-rule", asks(f"sum(rate(strowger_events_total{{{HERE}}}[5m]))")),
    ("target-job-rule", asks('sum(strowger_queue_waiting{instance=~"$instance"})')),
    ("target-job-rule", asks('sum(strowger_queue_waiting{job="$job",instance=~"$instance"})')),
    ("target-instance-rule", asks('sum(strowger_queue_waiting{job=~"$job"})')),
    ("target-instance-rule", asks(f'sum by (job) (a:b:c{{{HERE}}}) / on (job) max by (job) (a:b:d{{job=~"$job"}})')),
    ("target-counter-agg-rule", asks(f"sum by (type) (strowger_events_total{{{HERE}}})")),
    ("target-counter-agg-rule", asks(f"sum(max_over_time(strowger_events_total{{{HERE}}}[5m]))")),
    ("uneditable-dashboard", sets(lambda d: d, editable=True)),
    ("uneditable-dashboard", sets(lambda d: d, editable=None)),
    ("our-variables", drops("queue")),
    ("our-variables", sets(of_variable("workspace"), label="Tenant")),
    ("panel-overlap", lambda d: d["panels"][1]["gridPos"].update(x=d["panels"][0]["gridPos"]["x"])),
    ("panel-overlap", lambda d: d["panels"][0]["gridPos"].update(w=25)),
    ("panel-ids", lambda d: d["panels"][1].update(id=d["panels"][0]["id"])),
    ("panel-ids", lambda d: [one.update(refId="A") for one in first(d)["targets"]]),
    (
        "panel-steps",
        lambda d: first(d)["fieldConfig"]["defaults"].update(
            thresholds={"steps": [{"value": None}, {"value": 2}, {"value": 1}]}
        ),
    ),
    ("links", lambda d: first(d)["links"].append({"url": "/d/strowger-floor?x"})),
    ("links", lambda d: first(d)["links"].append({"url": "docs/runbooks/no-such.md"})),
    ("links", lambda d: first(d)["links"].append({"url": "/d/strowger-engine?${tenant:queryparam}"})),
    ("links", lambda d: d["links"][0].update(tags=["other"])),
]  # fmt: skip


def replaces(which, pattern, by):
    def plant(rules):
        changed = re.sub(pattern, by, rules[which], count=1, flags=re.S)
        assert changed != rules[which], f"{pattern} is not in the rules"
        rules[which] = changed

    return plant


PLANTED_IN_RULES = [
    ("alert-runbook", replaces("alerts", r"runbook_url: \S+", "runbook_url: docs/runbooks/no-such.md")),
    ("alert-runbook", replaces("alerts", r"runbook_url: \S+", "runbook_url: README.md")),
    ("alert-runbook", replaces("alerts", r"dashboard: \S+", "dashboard: strowger-floor")),
    ("alert-runbook", replaces("alerts", r"summary:", "title:")),
    ("alert-tests", replaces("tests", r"exp_alerts: \[\]", "exp_alerts:")),
    ("alert-tests", replaces("tests", r"(alertname: StrowgerInputLag\n\s*exp_alerts:)\n", r"\1 []\n")),
]


def self_test():
    dashboards, rules = committed()
    missed = []

    def judge(number, name, before, after):
        if name not in {rule for rule, _, _ in after} - {rule for rule, _, _ in before}:
            missed.append(
                f"planted fault {number} is not found by {name}; found: {sorted({rule for rule, *_ in after})}"
            )

    dashboard = dashboards["wallboard.json"]
    before = faults_of_dashboard(dashboard)
    for number, (name, plant) in enumerate(PLANTED):
        changed = copy.deepcopy(dashboard)
        plant(changed)
        judge(number, name, before, faults_of_dashboard(changed))
    before = faults_of_rules(rules)
    for number, (name, plant) in enumerate(PLANTED_IN_RULES):
        changed = dict(rules)
        plant(changed)
        judge(number, name, before, faults_of_rules(changed))
    planted = {name for name, _ in PLANTED + PLANTED_IN_RULES}
    missed += [f"no fault is planted for {name}" for name in sorted(RULE_NAMES - planted)]
    for line in missed:
        print(line, file=sys.stderr)
    if not missed:
        print(f"{len(PLANTED) + len(PLANTED_IN_RULES)} planted faults, each found by its rule")
    return 1 if missed else 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--self-test", action="store_true", help="plant a fault for each rule and find it")
    options = arguments.parse_args()
    if not shutil.which("promtool"):
        print("lint: promtool is missing: apt-get install prometheus", file=sys.stderr)
        return 2
    if options.self_test:
        return self_test()
    dashboards, rules = committed()
    faults = [(name, fault) for name, dashboard in dashboards.items() for fault in faults_of_dashboard(dashboard)]
    faults += [("alerts.yaml", fault) for fault in faults_of_rules(rules)]
    for name, (broken, place, said) in faults:
        print(f"{name}: {broken}: {place}: {said}", file=sys.stderr)
    if not faults:
        count = sum(1 for dashboard in dashboards.values() for _ in panels(dashboard))
        print(
            f"{len(dashboards)} dashboards with {count} panels, {len(list(alerts(rules['alerts'])))} alerts: no fault"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
