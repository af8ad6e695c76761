#!/usr/bin/env python3
"""A day on the floor: which alert fires when, and which does not. Python's standard library only, and `prometheus`.

    scripts/floor.py --binary target/debug/strowger [--speed 60] [--keep FOLDER]

Plays a morning of `load-tests/workspaces/floor.toml` on a running engine, SPEED times as fast, with a real Prometheus that
scrapes it and evaluates `grafana/rules/`: every duration of the rules is divided by SPEED, and nothing else of them is
changed (so the ten seconds of StrowgerInputLag are ten minutes of this floor). What happens stands below in capitals, what
has to fire in `expected`; whatever fires beside that is a fault too. In the end the judge itself is judged: by forged records
of the same day.
Exit status 1: an alert did not fire, fired at another time, or should not have.
"""
import argparse, contextlib, datetime, json, pathlib, random, re, subprocess, sys, tempfile, time, urllib.parse, urllib.request
from serving import free_port, started, stopped, write_config

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKSPACE = ROOT / "load-tests/workspaces/floor.toml"
DATE, ZONE = "2026-11-23", "+01:00"
CLOCK_START, OPENS, ENDS = "07:59", "08:00", "11:30"
MIDNIGHT = datetime.datetime.fromisoformat(f"{DATE}T00:00:00{ZONE}")
RUN = "floor"

# What happens. Times are those of the floor.
RUSH = ("08:40", "09:10")         # six times as many call
SOURCE_DEAD = ("09:20", "10:00")  # nothing comes from WhatsApp
NO_CLAIMS = ("09:20", "10:20")    # nobody of claims is there
KILLED = ("09:45", "10:22")       # kill -9 of `serve`, started again at once: what fires goes on
AWAY = ("11:05", "11:11")         # `serve` is stopped

# channel, entry, arrivals a minute, mean handling and patience in seconds
TRAFFIC = [
    ("voice", None, 1.0, 180, 240),
    ("chat", None, 0.8, 240, 600),
    ("whatsapp", None, 1.5, 120, None),
    ("email", "help@example.org", 0.5, 180, None),
    ("email", "claims@example.org", 0.7, 100, None),
]
RUSH_FACTOR = 6
AGENTS = [f"phone-{n}" for n in range(1, 9)] + [f"desk-{n}" for n in range(1, 7)]
CLAIMS = ["claims-1", "claims-2"]
# Minutes after which the floor wants to know that a source is silent.
SILENT_AFTER = {"voice": 15, "chat": 15, "whatsapp": 10, "email": 15, "fax": 15}


def expected(gone, back):
    """[(alert, of what, fires between, is over between, or none: it goes on)], in minutes of the floor. `gone` and `back`: when
    `serve` began to stop and had stopped, and when it was started and was ready, which takes a slow machine longer."""
    def row(alert, of_what, fires, over):
        return alert, of_what, tuple(map(minutes, fires)), over and tuple(map(minutes, over))

    return [
        # It never sends anything, which counts from the start of the process, some minutes of the floor before it opens.
        row("StrowgerSourceSilent", "fax", ("08:00", "08:18"), (gone[0], gone[1] + 6)),
        row("StrowgerServiceLevelBurning", "calls", ("08:47", "09:12"), ("09:25", "09:58")),
        row("StrowgerNobodyOnline", "claims", ("09:22", "09:30"), ("10:20", "10:26")),
        row("StrowgerSourceSilent", "whatsapp", ("09:30", "09:36"), ("10:00", "10:06")),
        row("StrowgerUnansweredPastTarget", "claims", ("09:55", "10:04"), ("10:21", "10:40")),
        row("StrowgerServiceLevelBurning", "claims", ("10:10", "10:35"), ("10:25", "11:00")),
        row("StrowgerBreachesRising", "claims", ("10:10", "10:30"), ("10:35", "11:00")),
        row("StrowgerShardWithoutOwner", "", (gone[0] + 1.9, gone[1] + 4), (back[0] - 0.5, back[1] + 3)),
        row("StrowgerSourceSilent", "fax", (back[0], back[1] + 5), None),
    ]


def minutes(clock):
    if not isinstance(clock, str):
        return clock
    hours, rest = clock.split(":")
    return int(hours) * 60 + float(rest)


def clock_of(minute):
    return "--:--" if minute is None else f"{int(minute // 60):02}:{int(minute % 60):02}"


def at(minute):
    millis = round(minute * 60_000)
    return f"{DATE}T{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}.{millis % 1000:03}{ZONE}"


def is_within(minute, span):
    return minutes(span[0]) <= minute < minutes(span[1])


def arrivals(chance):
    for number, (channel, entry, per_minute, handle_s, patience_s) in enumerate(TRAFFIC):
        minute = minutes(OPENS) + 1
        while True:
            is_rush = channel == "voice" and is_within(minute, RUSH)
            minute += chance.expovariate(per_minute * (RUSH_FACTOR if is_rush else 1))
            if minute >= minutes(ENDS):
                break
            if channel == "whatsapp" and is_within(minute, SOURCE_DEAD):
                continue
            line = {"at": at(minute), "kind": "arrival", "conversation": f"{number}-{minute:.4f}", "customer": f"c{minute:.4f}",
                    "tier": None, "channel": channel, "attributes": {}, "handle_s": round(chance.expovariate(1 / handle_s), 1),
                    "patience_s": patience_s and round(chance.expovariate(1 / patience_s), 1)}
            if entry:
                # Half of the time for a first reply, and when the customer has thanked, the other half for a second one.
                line |= {"entry": entry, "turns": 1}
            yield line


def presence():
    for agent in AGENTS + CLAIMS:
        yield {"at": at(minutes(OPENS)), "kind": "presence", "agent": agent, "status": "online"}
    for agent in CLAIMS:
        for minute, status in zip(NO_CLAIMS, ("offline", "online")):
            yield {"at": at(minutes(minute)), "kind": "presence", "agent": agent, "status": status}


def write_workload(path):
    lines = sorted([*presence(), *arrivals(random.Random(7))], key=lambda line: line["at"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def config_of(folder, port, speed):
    path = write_config(folder, "embedded", port, WORKSPACE, None)
    # A source's silence is measured in real time.
    sources = "".join(f'[[source]]\nname = "{channel}"\nprefix = "replay/{RUN}/customers/{channel}"\n'
                      f"silent_after_s = {round(limit * 60 / speed)}\n" for channel, limit in SILENT_AFTER.items())
    path.write_text(path.read_text() + sources)
    return path


def faster(text, speed):
    """Rules, with every duration a SPEEDth, and the two that stand there as seconds."""
    unit_ms = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

    def shorter(match):
        return f"{max(1, round(int(match[1]) * unit_ms[match[2]] / speed))}ms"

    text = re.sub(r"(?<!\w)(\d+)(ms|s|m|h|d)\b", shorter, text)
    for seconds in (3600, 86400):
        text = re.sub(rf"\b{seconds}\b", f"{seconds / speed:g}", text)
    return text


def write_prometheus(folder, port, speed):
    rules = folder / "rules"
    rules.mkdir()
    for path in (ROOT / "grafana/rules").glob("*.yaml"):
        (rules / path.name).write_text(faster(path.read_text(), speed))
    # Not a SPEEDth of what stands there: the time for a scrape is never longer than that between two.
    config = (ROOT / "grafana/prometheus.yml").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    config = re.sub(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 250ms", config)
    path = folder / "prometheus.yml"
    path.write_text(config)
    return path


class Prometheus:
    def __init__(self, folder, target, speed):
        self.port = free_port()
        self.log = folder / "prometheus.log"
        command = ["prometheus", f"--config.file={write_prometheus(folder, target, speed)}",
                   f"--web.listen-address=127.0.0.1:{self.port}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    sys.exit(f"floor: prometheus is not ready:\n{self.log.read_text()}")
                time.sleep(0.1)

    def await_scrape(self):
        """It looks for its targets only some seconds after its start, and until then nothing is there."""
        deadline = time.monotonic() + 60
        while not self.get("query", query="up == 1")["result"] or self.get("query", query="ALERTS")["result"]:
            if time.monotonic() > deadline:
                sys.exit(f"floor: prometheus does not scrape:\n{self.log.read_text()}")
            time.sleep(0.2)

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def faults(self):
        """Rules that Prometheus could not evaluate, and that none is missing."""
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        asked = {name for name, *_ in expected((0, 0), (0, 0))} - {rule["name"] for rule in rules}
        return [f"rule {rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")] + [
            f"there is no rule {name}" for name in asked]

    def firing(self, begin, end):
        """[(alert, of what, first, last)], in real seconds."""
        step = 0.25
        series = self.get("query_range", query='ALERTS{alertstate="firing"}', start=begin, end=end, step=step)["result"]
        found = []
        for one in series:
            labels = one["metric"]
            of_what = labels.get("queue") or labels.get("source") or labels.get("promise") or labels.get("shard") or ""
            times = [seconds for seconds, _ in one["values"]]
            starts = [times[0]] + [b for a, b in zip(times, times[1:]) if b - a > 1.5 * step]
            ends = [a for a, b in zip(times, times[1:]) if b - a > 1.5 * step] + [times[-1]]
            found += [(labels["alertname"], of_what, a, b + step) for a, b in zip(starts, ends)]
        return sorted(found, key=lambda one: one[2])

    def stop(self):
        self.process.terminate()
        self.process.wait(15)


class FloorClock:
    """The engine's clock and the wall's."""

    def __init__(self, api, speed, player):
        self.speed = speed
        while True:
            if player.poll() is not None:
                sys.exit(f"floor: the player ended with {player.returncode} before it began")
            with urllib.request.urlopen(f"{api}/v1/clock", timeout=5) as answer:
                shards, self.wall = json.load(answer)["shards"], time.time()
            begun = [shard for shard in shards if shard["origin"]]
            if begun:
                break
            time.sleep(0.02)
        now = datetime.datetime.fromisoformat(begun[0]["now"].replace("Z", "+00:00"))
        self.minute = (now - MIDNIGHT).total_seconds() / 60

    def minute_of(self, wall):
        return self.minute + (wall - self.wall) * self.speed / 60

    def wall_of(self, clock):
        return self.wall + (minutes(clock) - self.minute) * 60 / self.speed

    def timed(self, act):
        """When it began and was done, in minutes, and what came of it."""
        begun, came = time.time(), act()
        return (self.minute_of(begun), self.minute_of(time.time())), came

    def wait_until(self, clock, player):
        while (left := self.wall_of(clock) - time.time()) > 0:
            if player.poll() is not None:
                sys.exit(f"floor: the player ended with {player.returncode} before {clock}")
            time.sleep(min(left, 0.2))


class Server:
    """`serve`, killed and started again; whatever of it runs is stopped in the end."""

    def __init__(self, stack, binary, config, port, clock):
        self.start = lambda: started(binary, config, port, "--clock", clock)
        self.stop = lambda: stopped(self.process, config)
        self.process = self.start()
        stack.callback(self.end)

    def end(self):
        if self.process.poll() is None:
            self.stop()

    def kill(self):
        self.process.kill()
        self.process.wait()


def play(args, folder):
    """The day. Returns what fired, when `serve` was gone and back, in minutes of the floor, and what went wrong."""
    workload, port = folder / "floor.ndjson", free_port()
    write_workload(workload)
    config = config_of(folder, port, args.speed)
    api = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        server = Server(stack, args.binary, config, port, f"scaled={args.speed},start={DATE}T{CLOCK_START}:00{ZONE}")
        prometheus = Prometheus(folder, port, args.speed)
        stack.callback(prometheus.stop)
        prometheus.await_scrape()
        begin = time.time()
        player = subprocess.Popen([args.binary, "replay", "--workspace", WORKSPACE, "--workload", workload, "--to", api, "--speed",
                                   str(args.speed), "--run", RUN, "--json"], stdout=subprocess.PIPE, text=True)
        stack.callback(lambda: player.poll() is None and player.kill())
        clock = FloorClock(api, args.speed, player)
        for killed in KILLED:
            clock.wait_until(killed, player)
            server.kill()
            at_s = time.time()
            server.process = server.start()
            print(f"killed at {clock_of(clock.minute_of(at_s))}, ready again {time.time() - at_s:.1f} s later")
        clock.wait_until(AWAY[0], player)
        gone, _ = clock.timed(server.stop)
        clock.wait_until(AWAY[1], player)
        back, server.process = clock.timed(server.start)
        clock.wait_until(ENDS, player)
        fired, faults = prometheus.firing(begin, time.time()), prometheus.faults()
        figures = json.loads(player.communicate()[0])
        print(f"{figures['arrivals']} arrivals, {figures['answered']} answered, {figures['abandoned']} abandoned, "
              f"{figures['unfinished']} unfinished, {figures['missed_decisions']} decisions missed")
        if player.returncode != 0:
            faults.append(f"the player ended with {player.returncode}")
    end = minutes(ENDS)
    spans = [(alert, of_what, clock.minute_of(first), clock.minute_of(last)) for alert, of_what, first, last in fired]
    fired = [(alert, of_what, first, None if last > end - 1.5 else last) for alert, of_what, first, last in spans]
    return fired, (gone, back), faults


def between(span):
    return f"{clock_of(span[0])}-{clock_of(span[1])}" if span else "goes on"


def judged(fired, away):
    """The table's rows, and sentences of what is not as expected."""
    left, rows, faults = list(fired), [], []
    for alert, of_what, fires, over in expected(*away):
        name = f"{alert} of {of_what or 'the whole'}"
        inside = [one for one in left if one[:2] == (alert, of_what) and fires[0] <= one[2] <= fires[1]]
        first, last = inside[0][2:] if inside else (None, None)
        rows.append(f"{alert:<30} {of_what:<10} fires {clock_of(first)} (expected {between(fires)})  "
                    f"over {clock_of(last)} (expected {between(over)})")
        if not inside:
            faults.append(f"{name} did not fire between {between(fires)}")
            continue
        left.remove(inside[0])
        is_as_expected = over[0] <= last <= over[1] if over and last is not None else over is None and last is None
        if not is_as_expected:
            faults.append(f"{name} was over {clock_of(last)}, expected: {between(over)}")
    for alert, of_what, first, last in left:
        faults.append(f"{alert} of {of_what or 'the whole'} fired {clock_of(first)} to {clock_of(last)}, and should not have")
    return rows, faults


def forged(fired):
    """Records of other days: each has to be found out."""
    alert, of_what, first, last = fired[0]
    yield "one alert is missing", fired[1:]
    yield "one alert comes half an hour late", [(alert, of_what, first + 30, last and last + 30), *fired[1:]]
    yield "one alert is over at once", [(alert, of_what, first, first), *fired[1:]]
    yield "one alert pauses", [(alert, of_what, first, first + 20), (alert, of_what, first + 21, last), *fired[1:]]
    yield "one alert fires that nothing asked for", [*fired, ("StrowgerInputLag", "", first, last)]
    yield "one alert is of another queue", [(alert, "chats", first, last), *fired[1:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--speed", type=int, default=60)
    parser.add_argument("--keep", type=pathlib.Path, help="a new folder that keeps the logs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strowger-floor-") as folder:
        if args.keep:
            args.keep.mkdir(parents=True)
        fired, away, faults = play(args, args.keep or pathlib.Path(folder))
    rows, unexpected = judged(fired, away)
    print("\n".join(rows))
    faults += unexpected
    if not faults:
        faults += [f"nobody noticed that {what}" for what, record in forged(fired) if not judged(record, away)[1]]
    for fault in faults:
        print(f"floor: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
