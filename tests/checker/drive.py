#!/usr/bin/env python3
"""The driver: loads a `strowger serve`, kills it with SIGKILL at random points, starts it again, and writes down all.

    drive.py --binary target/debug/strowger --out RUN --mode embedded --kills 50
    drive.py --binary target/debug/strowger --out RUN --mode kafka --bootstrap 127.0.0.1:9092 --kills 20

Workers send what load.py draws over HTTP, as single events, batches and NDJSON: contacts, messages, leases and their
renewals from two devices an agent, answers to offers in time and too late, snoozes, transfers, claims, assignments, ends
and wrap-ups. What was sent and not answered when the server died is sent again, with the same id, when it is back. On
Kafka some events, and some garbage, are appended to the events topic by kcat besides. A follower reads each shard's
decisions all the while, and what it learns from them the workers act upon. The folder RUN then has all that check.py
judges; this program itself judges nothing.
Needs only Python's own library, and kcat for Kafka. The load is drawn from --seed; where the kills fall is drawn from it
too, but what they meet depends on the machine.
"""

import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from load import AGENT_UNITS, CHANNELS, POLICY, QUEUES, WORKSPACES, Draws, Scene, cloud_event, configuration  # noqa: E402

WORKERS = 8
REQUEST_TIMEOUT_S = 20
READY_TIMEOUT_S = 120
DRAIN_TIMEOUT_S = 120
RUSH_S_MAX = 0.06
# A server that is dead for a while comes back to timers that ran out meanwhile.
DEAD_S_MAX = 1.5
# After the last kill: a lease's term and its grace.
SILENCE_S = 4.5
SHARDS = 4


class Log:
    """log.ndjson: one line for each thing that happened, in the order it was seen; written before it is acted upon."""

    def __init__(self, folder):
        self.lines = open(os.path.join(folder, "log.ndjson"), "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.requests = 0

    def write(self, **line):
        with self.lock:
            line.setdefault("at", time.monotonic())
            line.setdefault("wall_ms", int(time.time() * 1000))
            self.lines.write(json.dumps(line) + "\n")
            self.lines.flush()

    def next_request(self):
        with self.lock:
            self.requests += 1
            return self.requests


class Server:
    """The `strowger serve` under test."""

    def __init__(self, options, folder, port):
        self.port = port
        self.process = None
        self.ready = threading.Event()
        self.rush = threading.Event()
        self.config = os.path.join(folder, "strowger.toml")
        self.output = open(os.path.join(folder, "serve.log"), "ab")
        self.binary = options.binary
        with open(self.config, "w", encoding="utf-8") as text:
            text.write(config_text(options, port))

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", self.config], stdout=self.output, stderr=self.output, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"drive: serve ended by itself with {self.process.returncode}; see {self.output.name}")
            if self.says_ready():
                self.ready.set()
                return
            time.sleep(0.02)  # nothing tells a stranger that a port has been opened: ask again
        raise SystemExit(f"drive: serve was not ready within {READY_TIMEOUT_S} s; see {self.output.name}")

    def says_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self):
        """SIGKILL, while the workers go on sending; when it was sent."""
        at = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.ready.clear()
        self.process.wait()
        return at

    def stop(self):
        """SIGTERM: it drains and exits 0 within 10 s."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed after 15 s"


def config_text(options, port):
    """The config file of `serve`: the one place here that knows its keys."""
    lines = [f"shards = {SHARDS}", "", "[http]", f'listen = "127.0.0.1:{port}"', "", "[journal]"]
    if options.mode == "embedded":
        lines += ['kind = "sqlite"', 'path = "journal.db"']
    else:
        lines += ['kind = "kafka"', "", "[kafka]", f'bootstrap = "{options.bootstrap}"', "replication_factor = 1", "", "[kafka.topics]"]
        lines += [f'{kind} = "{topic}"' for kind, topic in topics(options).items()]
    return "\n".join(lines) + "\n"


def topics(options):
    prefix = options.topics or "strowger"
    return {name: f"{prefix}.{name.replace('_', '-')}" for name in ("events", "journal", "decisions", "dead_letters")}


class Answers:
    """Reads the answers of POST /v1/events: [(status, outcome or problem)] for each event sent, in order."""

    @staticmethod
    def read(response, body, count):
        if count == 1 and not response.getheader("content-type", "").startswith(("application/x-ndjson", "application/json-seq")):
            value = json.loads(body) if body else {}
            if isinstance(value, list):
                value = value[0]
            return [Answers.one(response.status, value)]
        if response.status != 200:
            return [(response.status, json.loads(body) if body else {})] * count
        text = body.decode()
        values = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line]
        if len(values) != count:
            raise http.client.HTTPException(f"{len(values)} answers to {count} events")
        return [Answers.one(200, value) for value in values]

    @staticmethod
    def one(status, value):
        """In a batch an event's own status stands in its answer, where it is not 200."""
        return (value.get("status", status), value)


class Worker(threading.Thread):
    """Sends events on one connection, at its share of the rate, and sends again what was not answered."""

    def __init__(self, number, options, server, log, scene, stop):
        super().__init__(name=f"worker {number}", daemon=True)
        self.random = random.Random(options.seed * 1000 + 100 + number)
        self.interval = WORKERS / options.rate
        self.server, self.log, self.stop = server, log, stop
        self.draws = Draws(number, WORKERS, options.seed, scene)
        self.again = []  # unanswered events
        self.answered = collections.deque(maxlen=200)
        self.connection = None
        self.unexpected = collections.Counter()

    def run(self):
        due = time.monotonic()
        while not self.stop.is_set() or self.again:
            if not self.server.ready.wait(timeout=0.5):
                due = time.monotonic()
                continue
            events = self.take()
            delay = due - time.monotonic()
            if delay > 0:
                self.server.rush.wait(delay)
            due = max(due + self.interval * len(events), time.monotonic() - 0.25)  # catch up a quarter of a second, no more
            self.send(events)

    def take(self):
        """What to send next: the unanswered first, then new events, now and then one that was answered already."""
        if self.again:
            taken, self.again = self.again[:20], self.again[20:]
            return taken
        size = 1 if self.random.random() < 0.6 else self.random.randint(2, 8)
        return [self.draw() for _ in range(size)]

    def draw(self):
        if self.answered and self.random.random() < 0.03:
            return self.random.choice(self.answered)  # the same event again: a duplicate
        return self.draws.event()

    def send(self, events):
        number = self.log.next_request()
        self.log.write(t="send", n=number, events=events)
        sent_at = None
        try:
            connection = self.connect()
            path, headers, body = self.encoded(events)
            connection.request("POST", path, body=body, headers=headers)
            sent_at = time.monotonic()
            response = connection.getresponse()
            answers = Answers.read(response, response.read(), len(events))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.log.write(t="lost", n=number, sent_at=sent_at, error=repr(error))
            self.again.extend(events)
            self.disconnect()
            return
        self.log.write(t="answer", n=number, outcomes=answers)
        for event, (status, _) in zip(events, answers):
            if status == 200:
                self.answered.append(event)
            elif status in (429, 503):
                self.again.append(event)
            else:
                self.unexpected[status] += 1
        if any(status in (429, 503) for status, _ in answers):
            self.stop.wait(0.05)  # the server said "later"

    def encoded(self, events):
        way = self.random.randrange(2)
        if len(events) == 1 and way == 0:
            return "/v1/events", {"content-type": "application/cloudevents+json"}, json.dumps(events[0])
        if way == 0:
            return "/v1/events", {"content-type": "application/cloudevents-batch+json"}, json.dumps(events)
        return "/v1/events", {"content-type": "application/x-ndjson"}, "".join(json.dumps(event) + "\n" for event in events)

    def connect(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=REQUEST_TIMEOUT_S)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connection

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Appender(threading.Thread):
    """On Kafka: appends events, and garbage, to the events topic itself, as an integrator would. kcat's exit 0 with
    acks=all is the acknowledgement; an idempotent producer, so that the garbage is not written twice."""

    def __init__(self, options, log, stop):
        super().__init__(name="appender", daemon=True)
        self.options, self.log, self.stop = options, log, stop
        self.random = random.Random(options.seed * 1000 + 999)
        self.serial = 0

    def run(self):
        while not self.stop.wait(0.5):
            workspace = self.random.choice(WORKSPACES)
            started = [self.message(workspace) for _ in range(5)]
            events = started + [self.resolve(event) for event in started]
            garbage = [f'{{"no event": {self.serial}']
            self.log.write(t="append", events=events)
            if self.append(workspace, [json.dumps(event) for event in events] + garbage):
                self.log.write(t="appended", events=events, garbage=garbage)

    def message(self, workspace):
        self.serial += 1
        data = {"conversation": f"k-{self.serial}", "customer": {"id": f"ck-{self.serial}"}, "channel": "email", "entry": "line"}
        data["message"] = {"id": f"k-{self.serial}", "kind": "text"}
        return cloud_event(workspace, "append", str(self.serial), "message.received", data)

    def resolve(self, message):
        data = {"conversation": message["data"]["conversation"], "actor": {"kind": "system", "id": "drive"}}
        return cloud_event(message["workspace"], "append", f"{message['id']}-resolve", "conversation.resolve", data)

    def append(self, key, lines):
        command = ["kcat", "-P", "-b", self.options.bootstrap, "-t", topics(self.options)["events"], "-k", key, "-X", "acks=all"]
        command += ["-X", "enable.idempotence=true", "-X", "partitioner=murmur2_random"]
        done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, capture_output=True, timeout=60, check=False)
        return done.returncode == 0


class Follower(threading.Thread):
    """Reads one shard's decisions while they come, over all restarts, and keeps every line as it was told."""

    def __init__(self, shard, folder, server, scene, stop):
        super().__init__(name=f"follower {shard}", daemon=True)
        self.shard, self.server, self.scene, self.stop = shard, server, scene, stop
        self.after = None
        self.lines = open(os.path.join(folder, f"told-{shard}.ndjson"), "wb")

    def run(self):
        while not self.stop.is_set():
            if not self.server.ready.wait(timeout=0.5):
                continue
            try:
                for line in decision_lines(self.server.port, self.shard, self.after, follow=True):
                    self.lines.write(line)
                    decision = json.loads(line)
                    self.after = position_of(decision)
                    self.scene.learn(decision)
                    if self.stop.is_set():
                        break
            except (OSError, http.client.HTTPException):
                pass
            self.stop.wait(0.02)
        self.lines.close()

    def last(self):
        """(seq, idx) of the last decision seen, () for none."""
        return tuple(int(part) for part in self.after.split(".")) if self.after else ()


def position_of(decision):
    position = decision["data"]["position"]
    return f"{position['seq']}.{position['idx']}"


def decision_lines(port, shard, after, follow):
    """The lines of /v1/decisions from a position on: what there is, or with `follow` what comes, until it goes silent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 if follow else REQUEST_TIMEOUT_S)
    try:
        query = {"shard": shard, "follow": str(follow).lower()} | ({"after": after} if after else {})
        connection.request("GET", "/v1/decisions?" + urllib.parse.urlencode(query))
        response = connection.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"/v1/decisions answered {response.status}")
        while line := response.readline():
            if not line.endswith(b"\n"):
                return
            if line.strip():
                yield line
    except TimeoutError:
        return
    finally:
        connection.close()


def send_settled(server, log, events):
    """Sends events one by one until each is answered 200; returns their outcomes."""
    outcomes = []
    for event in events:
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while True:
            number = log.next_request()
            log.write(t="send", n=number, events=[event])
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=REQUEST_TIMEOUT_S)
            connection.request("POST", "/v1/events", json.dumps(event), {"content-type": "application/cloudevents+json"})
            response = connection.getresponse()
            answers = Answers.read(response, response.read(), 1)
            connection.close()
            log.write(t="answer", n=number, outcomes=answers)
            if answers[0][0] == 200:
                outcomes.append(answers[0][1])
                break
            if answers[0][0] not in (429, 503) or time.monotonic() > deadline:
                raise SystemExit(f"drive: {event['type']} was answered {answers[0]}")
            time.sleep(0.05)
    return outcomes


def kill_and_restart(options, server, scene, log):
    """The kills: each at a random moment under load, after which the server comes back on the same journal.

    At a steady rate a quick server has answered everything most of the time. So each kill falls into a short rush, in
    which nobody waits for his turn to send: then most kills meet events that were sent and not answered. Before the last
    one all devices fall silent, so that their leases run out after it."""
    moments = random.Random(options.seed)
    for number in range(1, options.kills + 1):
        if number == options.kills:
            scene.silent.set()
        time.sleep(moments.uniform(options.up_s_min, options.up_s_max))
        server.rush.set()
        time.sleep(moments.uniform(0.005, RUSH_S_MAX))
        wall_ms, at = int(time.time() * 1000), server.kill()
        log.write(t="kill", k=number, at=at, wall_ms=wall_ms, dead_ms=int(time.time() * 1000))
        server.rush.clear()
        time.sleep(moments.choice((0, 0, 0.5, 1)) * moments.uniform(0, DEAD_S_MAX))
        log.write(t="start", k=number)
        server.start()
        log.write(t="ready", k=number)
        print(f"drive: kill {number} of {options.kills}", flush=True)


def send_last(server, log):
    """When all is answered: a last event to each workspace says how far each shard has to be read, {shard: (seq, idx)}.

    Timers go on firing: what comes after is read as far as anybody saw it, and need not have been seen."""
    outcomes = send_settled(server, log, [
        cloud_event(workspace, "last", "last", "contact.ended", {"conversation": "none"}) for workspace in WORKSPACES])
    ends = collections.defaultdict(tuple)
    for outcome in outcomes:
        position = outcome["position"]
        ends[position["shard"]] = max(ends[position["shard"]], (position["seq"], position["idx"]))
    log.write(t="last", ends=ends)
    return ends


def read_to_end(port, shard, end, path):
    """Everything a shard has decided, from the start to the given position at least."""
    after, last = None, ()
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    with open(path, "wb") as lines:
        while end is not None and last < end:
            if time.monotonic() > deadline:
                raise SystemExit(f"drive: shard {shard} told decisions only up to {last}, its last event was decided at {end}")
            for line in decision_lines(port, shard, after, follow=False):
                lines.write(line)
                after = position_of(json.loads(line))
                seq, _, idx = after.partition(".")
                last = (int(seq), int(idx))


def read_topics(options, folder, ends):
    """strowger.decisions and strowger.dead-letters by kcat, once the last decision of each shard has been relayed. How
    far they told of each shard, {shard: (seq, idx)}."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    names = topics(options)
    while True:
        records = consume(options, names["decisions"])
        last = {}
        for record in records:
            position = json.loads(json.loads(record)["payload"])["data"]["position"]
            last[position["shard"]] = (position["seq"], position["idx"])
        if all(last.get(shard, ()) >= end for shard, end in ends.items()) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    with open(os.path.join(folder, "decisions.ndjson"), "w", encoding="utf-8") as lines:
        lines.write("".join(record + "\n" for record in records))
    with open(os.path.join(folder, "dead-letters.ndjson"), "w", encoding="utf-8") as lines:
        lines.write("".join(record + "\n" for record in consume(options, names["dead_letters"])))
    return last


def consume(options, topic):
    command = ["kcat", "-C", "-q", "-e", "-J", "-b", options.bootstrap, "-t", topic, "-o", "beginning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DRAIN_TIMEOUT_S, check=True)
    return done.stdout.splitlines()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def parse(arguments):
    parser = argparse.ArgumentParser(description="Loads and kills a strowger serve; see the head of this file.")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--out", required=True, help="folder of the run; emptied first")
    parser.add_argument("--mode", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP"))
    parser.add_argument("--topics", help="prefix of the run's topics (default: one of its own)")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rate", type=float, default=650, help="events a second, asked for")
    parser.add_argument("--at-least", type=float, default=0, help="the checker complains below this many events a second")
    parser.add_argument("--up-s-min", type=float, default=0.3)
    parser.add_argument("--up-s-max", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.mode == "kafka" and not options.bootstrap:
        parser.error("--mode kafka needs --bootstrap or KAFKA_BOOTSTRAP")
    if options.topics is None:
        options.topics = f"kill-{os.getpid()}-{int(time.time())}"
    return options


def load(options, folder, server, log):
    """The run itself: configure, load, kill, drain. Returns the workers for their counts."""
    sending_stop, following_stop = threading.Event(), threading.Event()
    send_settled(server, log, configuration())
    scene = Scene(options.seed)
    followers = [Follower(shard, folder, server, scene, following_stop) for shard in range(SHARDS)]
    workers = [Worker(number, options, server, log, scene, sending_stop) for number in range(WORKERS)]
    appenders = [Appender(options, log, sending_stop)] if options.mode == "kafka" else []
    log.write(t="begin")
    for thread in followers + workers + appenders:
        thread.start()
    try:
        kill_and_restart(options, server, scene, log)
        time.sleep(SILENCE_S)
        log.write(t="end")
    finally:
        sending_stop.set()
    for thread in workers + appenders:
        thread.join(timeout=DRAIN_TIMEOUT_S)
        if thread.is_alive():
            raise SystemExit(f"drive: {thread.name} did not come to an end; the server answers no more?")
    ends = send_last(server, log)
    following_stop.set()
    for follower in followers:
        follower.join(timeout=DRAIN_TIMEOUT_S)
    relayed = read_topics(options, folder, ends) if options.mode == "kafka" else {}
    for follower in followers:
        shard = follower.shard
        end = max(ends.get(shard, ()), relayed.get(shard, ()), follower.last())
        read_to_end(server.port, shard, end or None, os.path.join(folder, f"final-{shard}.ndjson"))
    return workers


def main(arguments):
    options = parse(arguments)
    sys.setswitchinterval(0.0005)  # the killing thread shall not queue behind nine others for the interpreter
    folder = os.path.abspath(options.out)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as text:
        json.dump({
            "mode": options.mode, "seed": options.seed, "at_least": options.at_least,
            "policy": POLICY, "channels": CHANNELS, "queues": QUEUES, "agent_units": AGENT_UNITS,
        }, text)
    log = Log(folder)
    server = Server(options, folder, free_port())
    try:
        server.start()
        workers = load(options, folder, server, log)
        ended = server.stop()
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
    unexpected = sum((worker.unexpected for worker in workers), collections.Counter())
    if unexpected or ended != 0:
        print(f"drive: unexpected answers {dict(unexpected)}, serve ended with {ended} on SIGTERM", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
