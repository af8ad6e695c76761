"""What the driver (drive.py) loads a server with: workspaces, agents, and events drawn from a seed.

`Scene` is what the followers have learnt from decisions and the workers act upon: offers to answer, owners, wrap-ups to
complete. `Draws` is one worker's part in it: his conversations, his devices, his dice. No socket and no process is known
here, and nothing is judged: check.py knows none of this but the policy, which the driver writes into the run's record.
"""

import heapq
import random
import threading
import time

# Named so that each of the four shards has one or two.
WORKSPACES = [f"kill-{name}" for name in ("amber", "birch", "dune", "ember", "grove", "lake")]
AGENTS_PER_WORKSPACE = 10
AGENT_UNITS = 6
STRATEGIES = ("longest_idle", "least_loaded", "weighted_round_robin")
OPEN_PER_WORKER_MAX = 70
# What is planned and not yet sent: more than that is forgotten, as by a busy agent.
PLANNED_MAX = 5_000
# Units and nature of the channels used here: sent as policy, and what the checker counts capacity by. Every duration is
# short, so that timers run out between two kills, and while the server is dead.
CHANNELS = {
    "voice": {"live": True, "units": 3, "exclusive": True, "wrap_up": {"mode": "timed", "units": 2, "max_s": 1}},
    "chat": {"live": True, "units": 2, "exclusive": False, "wrap_up": {"mode": "mandatory", "units": 1, "max_s": 2}},
    "whatsapp": {
        "live": False, "units": 1, "exclusive": False, "min_gap_s": 0, "wrap_up": {"mode": "optional", "units": 1, "max_s": 1},
        "owner_absent": {"mode": "return"}, "their_turn_units": 0, "their_turn_after_s": 1,
    },
    "email": {
        "live": False, "units": 1, "exclusive": False, "min_gap_s": 0,
        "owner_absent": {"mode": "wait", "for_s": 1}, "their_turn_units": 1,
    },
}
QUEUES = [
    {"name": "all"},
    {"name": "ring", "accept_s": 1, "on_all_declined": {"then": "again", "after_s": 1}},
    {"name": "vip", "skills": {"gold": 1}, "accept_s": 2, "preferred_s": 1, "step": [{"after_s": 3, "drop": ["gold"]}]},
]
RULES = [
    {"when": {"tier": "vip"}, "queue": "vip"},
    {"when": {"channel": "chat"}, "queue": "ring"},
    {"when": {"channel": "whatsapp"}, "queue": "ring"},
    {"queue": "all"},
]
# Short as well: what fires falls before a kill, after it and while the server is dead. A transfer to or from the vips
# changes a target that runs.
CLOCKS = [
    {"kind": "first_response", "target_s": 2, "warn_percent": [50, 80], "pause_on": ["snoozed"],
     "level": [{"percent": 100, "priority": 5}, {"percent": 200, "priority": 8}]},
    {"kind": "next_response", "target_s": 2, "warn_percent": [75], "level": [{"percent": 100, "priority": 4}]},
    {"kind": "resolution", "target_s": 5, "targets": [{"queue": "vip", "target_s": 3}], "warn_percent": [40, 75],
     "pause_on": ["theirs", "snoozed", "parked"], "level": [{"percent": 150, "priority": 6}]},
    {"kind": "queue_wait", "target_s": 1, "warn_percent": [60], "level": [{"percent": 50, "priority": 2}, {"percent": 300, "priority": 7}]},
]
POLICY = {
    "version": 1, "lease_grace_s": 1, "decline_limit": 4, "not_responding_s": 2, "reopen_window_s": 600,
    "channel": CHANNELS, "tier": {"vip": {"head_start_s": 90}, "regular": {"head_start_s": 0}}, "rule": RULES,
    "clock": CLOCKS,
}
# Of an agent's two devices, the desk speaks for him; the telephone only for itself.
DEVICES = {"desk": {"by": "agent", "expires_in_s": 3}, "phone": {"by": "device", "expires_in_s": 4}}
# Longer than a lease and its extensions by some kills.
QUIET_S = 10
SUPERVISOR = {"kind": "supervisor", "id": "sup-1"}
SYSTEM = {"kind": "system", "id": "drive"}


def instant(at):
    """RFC 3339 of a time in seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"


def cloud_event(workspace, source, event_id, kind, data):
    return {
        "specversion": "1.0", "id": event_id, "source": source, "type": kind, "time": instant(time.time()),
        "workspace": workspace, "data": data,
    }


def agent_name(number):
    return f"agent-{number}"


def agent(name):
    return {"kind": "agent", "id": name}


def configuration():
    """The workspaces and their agents, as events: this run needs no workspace file."""
    for number, workspace in enumerate(WORKSPACES):
        queues = [queue | {"strategy": STRATEGIES[number % len(STRATEGIES)]} for queue in QUEUES]
        yield cloud_event(workspace, "setup", "policy", "workspace.configure", POLICY | {"queue": queues})
        for nth in range(AGENTS_PER_WORKSPACE):
            # Few can serve the queue of the skilled, so that others find somebody waiting whom they can claim.
            skills = {"gold": 5} if nth < 3 else {}
            config = {"agent": agent_name(nth), "units": AGENT_UNITS, "weight": nth + 1, "skills": skills}
            yield cloud_event(workspace, "setup", f"configure-{agent_name(nth)}", "agent.configure", config)


class Scene:
    """What the decisions have told so far, and what is to be done about it. Followers write, workers read."""

    def __init__(self, seed):
        self.lock = threading.Lock()
        self.random = random.Random(seed * 1000 + 500)
        self.owners = {}  # (workspace, conversation) -> agent
        self.silent = threading.Event()  # no device says anything any more
        self.planned = []  # heap of (when, serial, workspace, type, data)
        self.serial = 0
        self.accept_s = {queue["name"]: queue.get("accept_s", 0) for queue in QUEUES}

    def learn(self, decision):
        kind, workspace, data = decision["type"].removeprefix("strowger."), decision["workspace"], decision["data"]
        with self.lock:
            if kind == "conversation.offered":
                self.answer_offer(workspace, data)
            elif kind.startswith("conversation."):
                who = (workspace, data["conversation"])
                if data.get("owner"):
                    self.owners[who] = data["owner"]
                else:
                    self.owners.pop(who, None)
                if kind == "conversation.resolved":
                    self.wrap_up(workspace, data)

    def answer_offer(self, workspace, data):
        """Most are accepted in time; others declined, accepted when they are gone, tried by another agent, or let go."""
        offer, taker = {"offer": data["offer"]}, data["agent"]["id"]
        accept_s = self.accept_s.get(data["queue"]) or 1
        soon = self.random.uniform(0, 0.7 * accept_s)
        dice = self.random.random()
        if dice < 0.58:
            self.plan(soon, workspace, "offer.accept", offer | {"actor": agent(taker)})
            if dice < 0.06:  # a second click on the same button
                self.plan(soon + 0.3, workspace, "offer.accept", offer | {"actor": agent(taker)})
        elif dice < 0.70:
            self.plan(soon, workspace, "offer.decline", offer | {"actor": agent(taker)})
        elif dice < 0.82:
            late = accept_s + self.random.uniform(0.1, 1.5)
            self.plan(late, workspace, "offer.accept", offer | {"actor": agent(taker)})
        elif dice < 0.88:
            other = agent_name(self.random.randrange(AGENTS_PER_WORKSPACE))
            self.plan(soon, workspace, "offer.accept", offer | {"actor": agent(other)})

    def wrap_up(self, workspace, data):
        if data.get("previous_owner") and self.random.random() < 0.6:
            done = {"conversation": data["conversation"], "actor": agent(data["previous_owner"])}
            self.plan(self.random.uniform(0, 1.2), workspace, "wrapup.complete", done)

    def plan(self, after_s, workspace, kind, data):
        if len(self.planned) < PLANNED_MAX:
            self.serial += 1
            heapq.heappush(self.planned, (time.monotonic() + after_s, self.serial, workspace, kind, data))

    def due(self):
        """The next planned (workspace, type, data) whose time has come."""
        with self.lock:
            if self.planned and self.planned[0][0] <= time.monotonic():
                return heapq.heappop(self.planned)[2:]
        return None

    def owner(self, workspace, conversation):
        with self.lock:
            return self.owners.get((workspace, conversation))


class Device:
    """One of an agent's presences: a source with a session and rising sequences, renewed now and then."""

    def __init__(self, workspace, name, kind):
        self.workspace, self.agent, self.kind = workspace, name, kind
        self.status, self.session, self.sequence = "online", 1, 0
        self.quiet_until = 0.0

    def source(self):
        """Desks speak for themselves; telephones come through one gateway, and so may go silent together."""
        return f"desk/{self.agent}" if self.kind == "desk" else "gateway"

    def presence(self, dice):
        """The next event's data: mostly a renewal, sometimes another state or a new session."""
        if self.sequence and dice.random() < 0.2:
            states, shares = ("online", "pending_away", "away", "offline"), (72, 8, 10, 10)
            self.status = dice.choices(states, shares)[0]
        if dice.random() < 0.02:
            self.session, self.sequence = self.session + 1, 0
        self.sequence += 1
        if dice.random() < 0.06:  # and then silence: its lease runs out
            self.quiet_until = time.monotonic() + QUIET_S
        return {"agent": self.agent, "status": self.status, "session": f"s{self.session}", "sequence": self.sequence} | DEVICES[self.kind]


class Draws:
    """One worker's share of the load. State-blind: some commands are refused, as in life."""

    def __init__(self, number, workers, seed, scene):
        self.number, self.scene = number, scene
        self.random = random.Random(seed * 1000 + number)
        self.source = f"drive/{number}"
        self.serial = 0
        self.open = []  # (workspace, conversation, channel), of those it started
        everyone = [(w, agent_name(a), kind) for w in WORKSPACES for a in range(AGENTS_PER_WORKSPACE) for kind in DEVICES]
        self.devices = [Device(*of) for of in everyone[number::workers]]  # each sent by one worker, so in order

    def event(self):
        """One new event."""
        self.serial += 1
        planned = self.scene.due()
        if planned is not None:
            return self.own(*planned)
        dice = self.random.random()
        if dice < 0.25 and not self.scene.silent.is_set():
            device = self.random.choice(self.devices)
            if device.quiet_until <= time.monotonic():
                event_id = f"{self.number}-{self.serial}"
                return cloud_event(device.workspace, device.source(), event_id, "agent.presence", device.presence(self.random))
        if dice < 0.55 and len(self.open) < OPEN_PER_WORKER_MAX or not self.open:
            return self.own(*self.contact())
        for share, draw in ((0.66, self.message), (0.71, self.taking), (0.75, self.passing_on), (0.80, self.pause)):
            if dice < share:
                return self.own(*draw(*self.random.choice(self.open)))
        return self.own(*self.ending())

    def own(self, workspace, kind, data):
        return cloud_event(workspace, self.source, f"{self.serial}", kind, data)

    def contact(self):
        workspace, channel = self.random.choice(WORKSPACES), self.random.choice(list(CHANNELS))
        conversation = f"c-{self.number}-{self.serial}"
        customer = {"id": f"cu-{self.number}-{self.serial}", "tier": self.random.choice(("vip", "regular", "regular"))}
        self.open.append((workspace, conversation, channel))
        data = {"conversation": conversation, "customer": customer, "channel": channel, "entry": "line"}
        if CHANNELS[channel]["live"]:
            return workspace, "contact.started", data
        return workspace, "message.received", data | self.text()

    def text(self):
        return {"message": {"id": f"m-{self.number}-{self.serial}", "kind": "text"}}

    def message(self, workspace, conversation, channel):
        """The customer writes again, or somebody answers: the owner, another agent or a machine."""
        data = {"conversation": conversation, "channel": channel} | self.text()
        if self.random.random() < 0.4:
            return workspace, "message.received", data
        owner = self.scene.owner(workspace, conversation)
        known = owner if self.random.random() < 0.85 else None
        actor = agent(known) if known else agent(self.anybody()) if self.random.random() < 0.2 else SYSTEM
        return workspace, "message.sent", data | {"actor": actor}

    def anybody(self):
        return agent_name(self.random.randrange(AGENTS_PER_WORKSPACE))

    def taking(self, workspace, conversation, _):
        taker = self.anybody()
        if self.random.random() < 0.7:
            return workspace, "conversation.claim", {"conversation": conversation, "agent": taker, "actor": agent(taker)}
        data = {"conversation": conversation, "agent": taker, "reason": "looked free", "actor": SUPERVISOR}
        return workspace, "conversation.assign", data

    def passing_on(self, workspace, conversation, _):
        owner = self.scene.owner(workspace, conversation)
        actor = agent(owner) if owner else SUPERVISOR
        data = {"conversation": conversation, "reason": "belongs elsewhere", "actor": actor}
        dice = self.random.random()
        if dice < 0.3:
            return workspace, "conversation.release", data
        if dice < 0.7:
            return workspace, "conversation.transfer", data | {"to": {"queue": self.random.choice(QUEUES)["name"]}}
        return workspace, "conversation.transfer", data | {"to": {"agent": self.anybody()}, "warm": dice > 0.9}

    def pause(self, workspace, conversation, _):
        if self.random.random() < 0.15:
            return workspace, "conversation.wake", {"conversation": conversation, "actor": SYSTEM}
        until = instant(time.time() + self.random.uniform(0.3, 2.5))
        return workspace, "conversation.snooze", {"conversation": conversation, "until": until, "actor": SYSTEM}

    def ending(self):
        """The customer hangs up, or the work is done, mostly of what has an owner. Some that wrote write again: they are
        kept, and reopen."""
        places = [self.random.randrange(len(self.open)) for _ in range(4)]
        at = next((place for place in places if self.scene.owner(*self.open[place][:2])), places[0])
        workspace, conversation, channel = self.open[at]
        live = CHANNELS[channel]["live"]
        if live or self.random.random() < 0.85:
            self.open.pop(at)
        if live and self.random.random() < 0.3:
            return workspace, "contact.ended", {"conversation": conversation, "by": "customer"}
        owner = self.scene.owner(workspace, conversation)
        actor = agent(owner) if owner and self.random.random() < 0.5 else SYSTEM
        if self.random.random() < 0.05:
            return workspace, "conversation.close", {"conversation": conversation, "reason": "spam", "actor": SUPERVISOR}
        return workspace, "conversation.resolve", {"conversation": conversation, "actor": actor}
