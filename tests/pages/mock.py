"""A stand-in for the server, for looking at the pages: it serves both of them, /openapi.json and scripted boards.

    python3 tests/pages/mock.py [--port 8399] [--only SCENE]

Each scene is a workspace: /wallboard?workspace=busy. It knows nothing of routing; the figures are made up and move a little.
`check.py` uses it. OPENAPI names a file with what the process answers at /openapi.json.
"""
import argparse
import copy
import datetime
import http.server
import json
import os
import pathlib
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PAGES = HERE.parent.parent / "src" / "http" / "pages"
CSP = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
# What /openapi.json answers: a file that the process's own was written to.
DOCUMENT = pathlib.Path(os.environ.get("OPENAPI", "openapi.json"))
STATES = ["offline", "away", "available", "partly", "full", "pending_away", "not_responding", "draining", "removed", "off_shift"]


def iso(ago_s=0.0):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago_s)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def agents(**given):
    return {state: given.get(state, 0) for state in STATES}


def online(states):
    return sum(states[s] for s in ("available", "partly", "full", "pending_away", "not_responding", "draining"))


def queue(name, causes=None, oldest_s=0.0, half=0.9, today=0.88, within_s=20.0, open=True, control="none", breached=0, warned=0,
          unanswered=0, **staff):
    causes, states = causes or {}, agents(**staff)
    return {
        "queue": name, "open": open, "control": control, "waiting": sum(causes.values()), "oldest_wait_ms": int(oldest_s * 1000),
        "cause": max(causes, key=causes.get) if causes else None, "waiting_by_cause": causes, "agents": states,
        "agents_online": online(states), "unanswered": unanswered, "oldest_unanswered_ms": 60000 if unanswered else 0,
        "service_level": {"last_30m": half, "today": today, "goal": 0.8}, "service_level_s": within_s,
        "answered_today": 120, "abandoned_today": 7, "clocks": {"warned": warned, "breached": breached},
    }


def board(name, queues, half=0.86, today=0.84, ages=(20, 5, 3, 2, 0), sources=(), **staff):
    states, causes = agents(**staff), {}
    for q in queues:
        for word, n in q["waiting_by_cause"].items():
            causes[word] = causes.get(word, 0) + n
    oldest = max(queues, key=lambda q: q["oldest_wait_ms"])
    n = online(states)
    return {
        "workspace": name, "at": iso(), "position": {"shard": 0, "seq": 12, "idx": 3},
        "waiting": sum(q["waiting"] for q in queues), "oldest_wait_ms": oldest["oldest_wait_ms"],
        "oldest_wait_queue": oldest["queue"] if oldest["waiting"] else None,
        "unanswered": sum(ages), "oldest_unanswered_ms": 5000000 if sum(ages) else 0,
        "unanswered_by_age": dict(zip(["le_5m", "le_30m", "le_1h", "le_24h", "gt_24h"], ages)),
        "waiting_by_cause": causes, "agents": states, "agents_online": n, "units_used": 2 * n, "units": 3 * n,
        "service_level": {"last_30m": half, "today": today, "goal": 0.8}, "answered_today": 812, "abandoned_today": 33,
        "clocks": {k: sum(q["clocks"][k] for q in queues) for k in ("warned", "breached")},
        "queues": queues, "sources": [dict(zip(["source", "last_event_at", "silent_after_s", "silent"], s)) for s in sources],
    }


# No wait comes to a threshold of its queue within a minute: a row that turns from fine to nearly late keeps its place for a
# while, and how soon a browser is looked at is the machine's to say.
def busy():
    return board("busy", [
        queue("sales", {"all_full": 7, "delay": 1}, 93, half=0.5, today=0.7, available=1, full=3, warned=1, breached=2),
        queue("billing", {"due": 2}, 3, within_s=300.0, available=3, partly=2),
        queue("support", {"all_full": 3, "preference": 1}, 230, within_s=300.0, half=0.82, available=0, partly=1, full=4, warned=3),
        queue("complaints", {"no_skill_online": 1}, 12, within_s=300.0, half=None, today=0.9, available=2),
        queue("mail", {"manual": 14}, 1900, within_s=3600.0, half=0.95, partly=2, full=1),
        queue("night line", open=False, half=None, today=None, offline=4),
    ], half=0.71, today=0.83, available=3, partly=2, full=4, away=1, offline=12,
        sources=[("whatsapp", iso(4), 600, False), ("mail", iso(75), 1800, False)])


def quiet():
    return board("quiet", [queue(n, half=None, today=None, available=1) for n in ("sales", "billing", "support")],
                 half=None, today=None, ages=(0,) * 5, available=3)


def broken():
    return board("broken", [
        queue("sales", {"nobody_online": 9}, 840, half=0.0, today=0.55, offline=6, breached=9),
        queue("billing", {"nobody_online": 3}, 64, half=0.1, today=0.6, offline=4, breached=1, warned=2),
        queue("emergency line", {"closed": 2}, 300, open=False, control="emergency", half=0.4, today=0.7, offline=2),
        queue("mail", {"all_declined": 1}, 7300, within_s=3600.0, half=None, today=0.5, offline=1, not_responding=1),
    ], half=0.04, today=0.57, ages=(4, 9, 12, 6, 2), offline=13,
        sources=[("whatsapp", iso(850), 600, True), ("mail", iso(3), 1800, False), ("telephone <b>switch</b>", None, None, True)])


def many(n=14):
    causes = [{"all_full": 4}, {}, {"paced": 2}, {}, {"all_declined": 1}, {}, {"due": 1}]
    names = ["sales", "billing", "support", "complaints", "mail", "whatsapp", "returns", "retention", "contracts", "technical first line",
             "technical second line with a long name", "claims", "legal", "back office"]
    return board("many", [
        queue(names[i], causes[i % 7], 80 - 2 * i if causes[i % 7] else 0, within_s=20.0 if i < 7 else 3600.0,
              half=0.74 + 0.02 * i, available=i % 4, full=2, warned=int(i % 5 == 4))
        for i in range(n)], available=5, partly=3, full=9, away=2, offline=20, sources=[("whatsapp", iso(9), 600, False)])


def lost():
    return {**busy(), "workspace": "lost"}


SCENES = {"busy": busy, "quiet": quiet, "broken": broken, "lost": lost, "many": many, "stopping": busy, "dropped": busy, "toomany": busy}
PROBLEMS = {404: "Not found", 429: "Too many", 503: "Not the owner now"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, kind, body, **headers):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, **headers):
        body = {"type": "about:blank", "title": PROBLEMS[status], "status": status, "detail": "made up"}
        self.answer(status, "application/problem+json", json.dumps(body), **headers)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.server.log.append((self.headers.get("host"), self.path))
        if self.server.is_dead:
            self.close_connection = True
            return
        parts = urllib.parse.unquote(url.path).strip("/").split("/")
        if url.path in ("/wallboard", "/api"):
            page = (PAGES / f"{parts[0]}.html").read_bytes()
            return self.answer(200, "text/html; charset=utf-8", page, content_security_policy=CSP, cache_control="no-cache")
        if url.path == "/openapi.json":
            return self.answer(200, "application/json", DOCUMENT.read_bytes())
        if url.path == "/v1/workspaces":
            names = [self.server.only] if self.server.only else list(SCENES)
            rows = [{"workspace": n, "test": n == "quiet", "policy_version": 1} for n in names]
            return self.answer(200, "application/json", json.dumps({"workspaces": rows}))
        if parts[:2] == ["v1", "workspaces"] and len(parts) == 4:
            return self.workspace(parts[2], parts[3])
        self.problem(404)

    def workspace(self, name, what):
        if name == "starting":
            return self.problem(503, retry_after=2)
        if name not in SCENES:
            return self.problem(404)
        if what == "board":
            return self.answer(200, "application/json", json.dumps(SCENES[name]()), etag='"1"')
        if name == "toomany":
            return self.problem(429, retry_after=30)
        if name in self.server.ended:
            return self.problem(503)
        self.send_response(200)
        for header in (("content-type", "text/event-stream"), ("cache-control", "no-store"), ("connection", "close")):
            self.send_header(*header)
        self.end_headers()
        self.close_connection = True
        # One that was lost once stays when it is found again.
        is_short = name in ("stopping", "dropped") or (name == "lost" and name not in self.server.lost)
        begun, now, is_last = time.monotonic(), SCENES[name](), False
        while not is_last:
            is_last = time.monotonic() > begun + (1.5 if is_short else 3600)
            sent = copy.deepcopy(now)
            for q in [sent, *sent["queues"]]:
                if q["waiting"]:
                    q["oldest_wait_ms"] += int(1000 * (time.monotonic() - begun))
            sent["at"] = iso()
            try:
                self.wfile.write(f"event: board\ndata: {json.dumps(sent)}\n\n: alive\n\n".encode())
            except OSError:
                return
            # The word that ends it comes right behind the last board: it must not look stale before.
            time.sleep(0 if is_last else self.server.every_s)
        self.server.lost.add(name)
        if name != "dropped":
            self.server.ended.add(name)
        last = {"stopping": "event: stopping\ndata: {}\n\n", "dropped": 'event: dropped\ndata: {"reason":"too_slow"}\n\n'}
        try:
            self.wfile.write(last.get(name, "").encode())
            time.sleep(30 if name in last else 0)     # the page goes by the word, not by the end
        except OSError:
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, only=None, every_s=1.0):
        super().__init__(("127.0.0.1", port), Handler)
        self.only, self.every_s = only, every_s
        self.is_dead = False                 # answers nothing more; streams stay open and silent
        self.log = []                        # what was asked for, by host and path
        self.ended, self.lost = set(), set() # scenes whose stream is over, and that once was
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return f"127.0.0.1:{self.server_address[1]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8399)
    parser.add_argument("--only", choices=list(SCENES))
    args = parser.parse_args()
    server = Server(args.port, args.only)
    print(f"http://{server.origin}/wallboard  http://{server.origin}/api")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
