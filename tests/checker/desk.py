"""The desk that the checker keeps beside the engine's: owners, offers, holds, presences, timers and clocks of one shard.

It is rebuilt from the decisions of the shard, in their order, and from what the driver sent; the policy is the driver's
own. What the engine says of an agent is compared with it and never believed, but where it only forbids (`not_responding`).

Engine time never falls, and before each input the engine does what is due at that input's time. So a decision that
names an input and stands at T is the proof that every timer with a deadline up to T has fired: that is how a timer that
came due while the process was dead is seen to fire right after the restart, and no sooner and no second time.
"""

import heapq
from collections import Counter, defaultdict
from datetime import datetime

RANKS = {"offline": 0, "away": 1, "pending_away": 2, "online": 3}
# An engine's own choice; the others are somebody's word, or a fact.
CHOSEN = ("auto", "preferred")
# Given by a person who may pass limits, or by a fact, which is never refused; a capacity.exceeded tells where they do.
BEYOND_LIMITS = ("supervisor", "adopted", "successor", "merged", "override")
# Of a clock's target: told as clock.breached.
BREACH = 100
# What is told of a threshold; a level is told as conversation.escalated.
FIRED = ("warned", "breached", "level")
# In which states a clock is told of, where that is not only while it runs.
TOLD_OF = {"resumed": ("paused",), "completed": ("running", "paused"), "cancelled": ("running", "paused")}
# Where the policy has no such clock: a channel's reply window.
USUAL_REPLY_WINDOW = {BREACH: {"breached"}, 75: {"warned"}}
# A timer fires at most so long after its deadline, or after the start of the process that fires it.
LATE_MS = 5_000
# What was due so shortly before a kill may not have fired before it.
KILL_SLACK_MS = 500
# On Kafka what was appended so shortly before a kill may have been decided after it.
UNREAD_MS = 2_000
# On Kafka a shard that is ready has read all that was there at that moment at most so long after.
CATCH_UP_MS = 3_000


def ms(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Hold:
    """Units of an agent's capacity that one thing takes."""

    __slots__ = ("kind", "units", "channel", "until")

    def __init__(self, kind, units, channel, until=None):
        self.kind, self.units, self.channel, self.until = kind, units, channel, until


class Offer:
    """An open offer. `until` is None where the engine did not say when it ends: made while it was behind its log."""

    __slots__ = ("id", "agent", "at", "accept_ms", "until")

    def __init__(self, offer_id, agent, at, accept_ms, until):
        self.id, self.agent, self.at, self.accept_ms, self.until = offer_id, agent, at, accept_ms, until


class Lease:
    """A presence: what its source said last, and between which times it runs out (never where `sooner` is None)."""

    __slots__ = ("source", "status", "at", "sooner", "later")

    def __init__(self, source, status, at, term_ms):
        self.source, self.status, self.at = source, status, at
        self.sooner = self.later = None if term_ms is None else at + term_ms


class Agent:
    def __init__(self, units):
        self.units, self.told, self.misses = units, None, 0
        self.holds = {}  # (kind, conversation) -> Hold
        self.leases = {}  # source -> Lease
        self.choice = None  # his own last word, from any source


class Conversation:
    def __init__(self):
        self.owner = self.offer = self.snoozed_until = None
        self.epoch, self.is_open, self.lives = -1, False, 0


class Clock:
    """A clock of a conversation as its decisions tell it: it counts from `since` on, `counted` before that.

    There are no calendars here: all time is business time."""

    __slots__ = ("generation", "status", "started", "since", "counted", "target", "fired", "fired_at", "due_words", "breached",
                 "able_from", "armed_by", "version")

    def __init__(self):
        self.generation, self.status = 0, "off"
        self.started = self.since = self.counted = self.target = self.fired = self.fired_at = self.version = 0
        self.due_words = set()  # of what stands at the percent that fired last: not told yet
        self.breached, self.able_from, self.armed_by = False, 0, None

    def business(self, at):
        return self.counted + (at - self.since if self.status == "running" else 0)

    def reaches(self, percent):
        """When it fires at a share of its target: it warns when that is reached, and is broken when it has passed."""
        return self.since + max(self.left(percent), 0)

    def left(self, percent):
        """What it has to count until then; not above 0: it has passed it, which while it stands still a smaller target brings."""
        return self.target * percent // 100 + (percent >= BREACH) - self.counted


class Restart:
    """A kill and the start after it, in ms UTC."""

    __slots__ = ("kill", "dead", "start", "ready")

    def __init__(self, kill, dead, start, ready):
        self.kill, self.dead, self.start, self.ready = kill, dead, start, ready


class Desk:
    """What has to be true of one shard, told decision by decision."""

    def __init__(self, run, log, findings):
        self.log, self.findings = log, findings
        self.policy, self.channels, self.mode = run["policy"], run["channels"], run["mode"]
        self.accept_ms = {queue["name"]: queue.get("accept_s", 0) * 1000 for queue in run["queues"]}
        self.grace_ms = self.policy["lease_grace_s"] * 1000
        self.agents = defaultdict(lambda: Agent(run["agent_units"]))  # (workspace, agent)
        self.conversations = defaultdict(Conversation)  # (workspace, conversation)
        self.offers = {}  # (workspace, offer) -> conversation's id, of open ones
        self.ended_offers = {}  # (workspace, offer) -> how it ended
        self.thresholds = {"reply_window": USUAL_REPLY_WINDOW} | {
            clock["kind"]: thresholds_of(clock) for clock in self.policy.get("clock", ())}
        self.clocks = defaultdict(Clock)  # (workspace, conversation, kind)
        self.fired_once = set()  # (workspace, conversation, kind, life, generation, percent, word)
        self.deadlines = []  # heap of (ms, serial, kind, key, what)
        self.serial = 0
        self.met = set()
        self.lost = {}  # (workspace, offer) -> cause that took its agent away: to be withdrawn with it
        self.exceeded = {}  # (workspace, agent) -> cause that brought him past his units: to be told with it
        self.now = 0
        self.assignments, self.seen, self.due_while_dead = Counter(), Counter(), Counter()
        self.latest_ms = 0

    def complain(self, name, decision, sentence):
        self.findings.add(name, f"shard {decision.shard}, {decision.key}: {sentence}")

    def apply(self, decision):
        at = ms(decision.time)
        if at < self.now:
            self.complain("time", decision, f"is told at {decision.time}, a later one was told before")
        self.now = max(self.now, at)
        if decision.cause is not None:
            self.fire_due(decision)
            self.note_sent(decision)
        kind = decision.type
        if kind in ("agent.changed", "capacity.exceeded"):
            self.agent_told(decision)
        elif kind == "offer.withdrawn":
            self.offer_withdrawn(decision)
        elif kind == "source.suspect":
            self.source_suspect(decision)
        elif kind.startswith("clock."):
            self.clock_told(decision, kind.removeprefix("clock."))
        elif kind.startswith("conversation.") or kind == "message.routed":
            self.conversation_told(decision, kind.removeprefix("conversation."))
            if kind == "conversation.escalated" and decision.data.get("reason") == "clock":
                self.clock_told(decision, "level")

    # Time

    def at(self, deadline, kind, key, what):
        self.serial += 1
        heapq.heappush(self.deadlines, (deadline, self.serial, kind, key, what))

    def fire_due(self, decision):
        """What should have fired before an input of this time."""
        for (workspace, offer), cause in list(self.lost.items()):
            if cause != decision.cause:
                del self.lost[(workspace, offer)]
                self.complain("offer", decision, f"offer {offer} was not withdrawn when its agent went")
        for key, cause in list(self.exceeded.items()):
            if cause != decision.cause:
                del self.exceeded[key]
                self.complain("capacity", decision, f"nobody was told that {key[1]} passed his limits before")
        while self.deadlines and self.deadlines[0][0] <= self.now:
            deadline, _, kind, key, what = heapq.heappop(self.deadlines)
            if kind == "lease":
                self.lease_due(decision, key, what)
            elif kind == "clock":
                self.clock_due(decision, deadline, key, what)
            elif kind == "offer" and self.conversations[key].offer is what:
                self.complain("overdue", decision, f"offer {what.id} of {key[1]} was to expire {self.now - deadline} ms before")
            elif kind == "snooze" and self.conversations[key].snoozed_until == what:
                self.complain("overdue", decision, f"{key[1]} was to wake {self.now - deadline} ms before")

    def fired(self, decision, kind, deadline):
        """A timer has fired: counts it, and whether it came due while the process was dead."""
        self.seen[kind] += 1
        able_from = deadline
        for restart in self.log.restarts:
            if restart.kill < deadline <= restart.ready:
                self.due_while_dead[kind] += 1
            if restart.kill - KILL_SLACK_MS < deadline <= restart.ready and restart.kill < self.now:
                able_from = restart.ready
        self.latest_ms = max(self.latest_ms, self.now - able_from)
        if self.now - able_from > LATE_MS:
            self.complain("overdue", decision, f"{kind} fires {self.now - able_from} ms late")

    # Presence

    def note_sent(self, decision):
        """What the driver sent comes into force with its first decision, unless that ignores it."""
        if decision.cause in self.met or decision.is_duplicate():
            return
        self.met.add(decision.cause)
        event = self.log.events.get(decision.cause)
        if event is None or decision.type == "command.rejected" or ignored(decision):
            return
        if event["type"] == "agent.presence":
            self.present(event)
        elif event["type"] == "wrapup.complete":
            self.wrap_up_completed(decision, event)

    def present(self, event):
        data, key = event["data"], (event["workspace"], event["data"]["agent"])
        agent = self.agents[key]
        term_ms = data["expires_in_s"] * 1000 if "expires_in_s" in data else None
        lease = Lease(event["source"], data["status"], self.now, term_ms)
        agent.leases[lease.source] = lease
        if data.get("by", "agent") == "agent":
            agent.choice = data["status"]
        if term_ms is not None:
            self.at(lease.later, "lease", key, lease)

    def bounds(self, lease):
        """(sooner, later) of a lease with its extensions by the restarts so far: if it lived then, the grace more.

        Embedded, the grace begins with the claim, between start and ready. On Kafka a shard that comes back goes on at
        the time of what it has not yet read, and is there when it has read all: the grace may begin at either."""
        sooner, later = lease.sooner, lease.later
        for restart in self.log.restarts:
            if not lease.at <= restart.kill < self.now:
                continue
            on_kafka = self.mode == "kafka"
            if sooner > restart.dead and lease.at <= restart.kill - (UNREAD_MS if on_kafka else 0):
                sooner = max(sooner, restart.kill - KILL_SLACK_MS if on_kafka else restart.start) + self.grace_ms
            if later > restart.kill - KILL_SLACK_MS:
                later = max(later + self.grace_ms, restart.ready + CATCH_UP_MS) if on_kafka else max(later, restart.ready)
                later += self.grace_ms
        return sooner, later

    def lease_due(self, decision, key, lease):
        agent = self.agents[key]
        if agent.leases.get(lease.source) is not lease:
            return
        _, later = self.bounds(lease)
        if later > self.now:
            return self.at(later, "lease", key, lease)
        del agent.leases[lease.source]
        shown = RANKS.get(shown_as(agent.told))
        if shown is not None and shown not in self.ranks(agent):
            self.complain("overdue", decision, f"{key[1]} is still told to be {agent.told}, his lease of {lease.source} has run out")

    def source_suspect(self, decision):
        """A storm: every lease of this source lives on, the grace more."""
        self.seen["storms"] += 1
        for (workspace, _), agent in self.agents.items():
            lease = agent.leases.get(decision.data.get("other"))
            if workspace == decision.workspace and lease is not None and lease.later is not None:
                lease.later = max(lease.later, self.now) + self.grace_ms

    def ranks(self, agent):
        """The ranks of presence that the agent may have now: one, but where a lease is between its two ends."""
        surely, maybe = [0], []
        for lease in agent.leases.values():
            rank = RANKS[lease.status]
            if lease.sooner is None or self.bounds(lease)[0] > self.now:
                surely.append(rank)
            else:
                maybe.append(rank)
        base, most = max(surely), RANKS[agent.choice] if agent.choice else 3
        return {min(max(base, rank), most) for rank in [base, *maybe]}

    def agent_told(self, decision):
        told, key = decision.data["agent"], (decision.workspace, decision.data["agent"]["id"])
        agent = self.agents[key]
        agent.units, agent.told = told["units"], told["state"]
        if decision.type != "agent.changed":
            self.exceeded.pop(key, None)
            return
        self.compare_units(decision, agent, told)
        reason, shown, possible = decision.data.get("reason"), RANKS.get(shown_as(told["state"])), self.ranks(agent)
        if shown is not None and shown not in possible:
            name = "lease" if reason == "lease_expired" else "presence"
            self.complain(name, decision, f"{key[1]} is told to be {told['state']} ({reason}), by what was sent he is one of {sorted(possible)}")
        if reason == "lease_expired":
            self.lease_expired(decision, agent, shown)
        if reason == "not_responding" and agent.misses < self.policy["decline_limit"]:
            self.complain("not responding", decision, f"{key[1]} missed {agent.misses} offers in a row, the limit is {self.policy['decline_limit']}")
        if shown is not None and shown < RANKS["pending_away"]:
            for offer in [offer for offer in self.offers if self.agent_of(offer) == key]:
                self.lost[offer] = decision.cause

    def lease_expired(self, decision, agent, shown):
        over = [lease for lease in agent.leases.values() if lease.sooner is not None and self.bounds(lease)[0] <= self.now]
        over = [lease for lease in over if shown is None or RANKS[lease.status] > shown]
        for lease in over:
            del agent.leases[lease.source]
        if over:
            self.fired(decision, "lease", max(self.bounds(lease)[1] for lease in over))
            self.due_while_dead["lease"] += any(r.kill < lease.sooner <= r.ready for lease in over for r in self.log.restarts)

    def agent_of(self, offer):
        workspace = offer[0]
        return (workspace, self.conversations[(workspace, self.offers[offer])].offer.agent)

    # Holds

    def used(self, agent, is_tick):
        """(least, most) units: a wrap-up that is over may stand behind the timer that a tick fires first."""
        if not is_tick:
            for key in [key for key, hold in agent.holds.items() if hold.until is not None and hold.until <= self.now]:
                self.fired_wrap_up(agent.holds.pop(key))
        most = sum(hold.units for hold in agent.holds.values())
        over = sum(hold.units for hold in agent.holds.values() if hold.until is not None and hold.until <= self.now)
        return most - over, most

    def fired_wrap_up(self, hold):
        self.seen["wrap-up"] += 1
        self.due_while_dead["wrap-up"] += any(r.kill < hold.until <= r.ready for r in self.log.restarts)

    def compare_units(self, decision, agent, told):
        least, most = self.used(agent, decision.cause is None)
        if not least <= told["units_used"] <= most:
            held = ", ".join(f"{kind} of {of} {hold.units}" for (kind, of), hold in sorted(agent.holds.items()))
            self.complain("ledger", decision, f"{told['id']} is told to use {told['units_used']} units, his holds are {most}: {held}")

    def judge_room(self, decision, key, channel, reason):
        """One more of this channel has to fit, and the engine chooses only who is there."""
        agent, nature = self.agents[key], self.channels[channel]
        least, _ = self.used(agent, decision.cause is None)
        if reason not in BEYOND_LIMITS:
            if least + nature["units"] > agent.units:
                self.complain("capacity", decision, f"{key[1]} holds {least} of {agent.units} units and gets {nature['units']} more ({reason})")
            for (kind, of), hold in agent.holds.items():
                other = self.channels[hold.channel]
                closed = other["exclusive"] or (other["live"] and hold.channel != channel)
                if kind != "wrap_up" and closed:
                    self.complain("capacity", decision, f"{key[1]} has {of} by {hold.channel} and gets {channel} ({reason})")
        at_least = RANKS["online"] if reason in CHOSEN else RANKS["pending_away"] if reason == "claim" else 0
        if max(self.ranks(agent)) < at_least or (reason in CHOSEN and agent.told in ("not_responding", "removed", "draining", None)):
            by_sent = sorted(self.ranks(agent))
            self.complain("absent", decision, f"{key[1]} is told {agent.told}, is by what was sent {by_sent}, and gets {decision.subject} ({reason})")

    # Conversations

    def conversation_told(self, decision, kind):
        data, who = decision.data, (decision.workspace, decision.subject)
        conversation = self.conversations[who]
        epoch, owner, before = data["epoch"], data.get("owner") or None, conversation.owner
        if epoch < conversation.epoch:
            self.complain("epoch", decision, f"{who[1]} falls from epoch {conversation.epoch} to {epoch}")
        if kind == "opened" and conversation.lives:
            self.forget_clocks(decision, who)
        if kind in ("opened", "reopened"):
            conversation.lives += kind == "opened"
            self.opened(decision, kind, who, conversation)
        elif kind == "offered":
            self.offered(decision, who, conversation)
        elif kind == "assigned":
            self.assigned(decision, who, conversation, owner)
        elif kind in ("resolved", "closed", "abandoned", "deflected"):
            self.ended(decision, kind, who, conversation, owner)
        elif kind in ("unassigned", "transferred"):
            # A warm transfer is told when the taker has accepted: the next decision assigns it.
            self.release(who, conversation)
        elif owner != before:
            self.complain("owner", decision, f"{kind} of {who[1]} tells owner {owner}, it is {before}")
        else:
            self.units_told(decision, kind, who, conversation)
        if kind == "snoozed":
            self.snoozed(decision, who, conversation)
        elif kind == "woken":
            self.woken(decision, who, conversation)
        elif kind in ("assigned", "resolved", "closed", "abandoned", "transferred", "reopened", "unassigned", "deflected", "merged"):
            conversation.snoozed_until = None
        conversation.epoch = max(epoch, conversation.epoch)

    def opened(self, decision, kind, who, conversation):
        if conversation.owner is not None:
            self.complain("owner", decision, f"{who[1]} is {kind} while {conversation.owner} owns it")
        if kind == "reopened" and decision.data["epoch"] <= conversation.epoch:
            self.complain("epoch", decision, f"{who[1]} is reopened at epoch {decision.data['epoch']}, was {conversation.epoch}")
        conversation.is_open = True

    def assigned(self, decision, who, conversation, owner):
        data, reason = decision.data, decision.data.get("reason")
        self.assignments[reason] += 1
        key = (who[0], owner)
        if owner is None:
            return self.complain("owner", decision, f"{who[1]} is assigned to nobody")
        if data["epoch"] <= conversation.epoch:
            self.complain("epoch", decision, f"{who[1]} is assigned at epoch {data['epoch']}, was {conversation.epoch}")
        if not conversation.is_open:
            self.complain("owner", decision, f"{who[1]} is assigned and is not open")
        offered = conversation.offer
        if reason == "accepted":
            self.accepted(decision, who, conversation, owner)
        elif offered is not None:
            self.complain("offer", decision, f"{who[1]} is assigned ({reason}) while offer {offered.id} is open")
        if conversation.owner is not None:
            may_take = reason in ("supervisor", "adopted", "successor", "accepted", "transfer")
            if not may_take or data.get("previous_owner") != conversation.owner:
                self.complain("owner", decision, f"{who[1]} gets {owner} ({reason}) while {conversation.owner} owns it")
            self.release(who, conversation)
        channel = data["channel"]
        units = self.channels[channel]["units"]
        if data["units"] != units:
            self.complain("ledger", decision, f"{who[1]} takes {data['units']} units, its channel {units}")
        if reason != "accepted":
            self.judge_room(decision, key, channel, reason)
        self.agents[key].holds[("work", who[1])] = Hold("work", units, channel)
        conversation.owner = owner
        if reason in BEYOND_LIMITS and self.used(self.agents[key], decision.cause is None)[0] > self.agents[key].units:
            self.exceeded[key] = decision.cause

    def units_told(self, decision, kind, who, conversation):
        """A conversation whose customer is to write next may take fewer units, and takes its own again when he writes."""
        hold = self.agents[(who[0], conversation.owner)].holds.get(("work", who[1])) if conversation.owner else None
        if hold is None or decision.data["units"] == hold.units:
            return
        nature = self.channels[hold.channel]
        dormant = kind == "updated" and decision.data.get("reason") == "dormant"
        expected = nature.get("their_turn_units", nature["units"]) if dormant else nature["units"]
        if decision.data["units"] != expected:
            self.complain("ledger", decision, f"{kind} of {who[1]} tells {decision.data['units']} units, they were {hold.units}")
        hold.units = decision.data["units"]

    def ended(self, decision, kind, who, conversation, owner):
        before = conversation.owner
        if owner is not None:
            self.complain("owner", decision, f"{who[1]} ended and {owner} still owns it")
        if before != (decision.data.get("previous_owner") or before):
            self.complain("owner", decision, f"{who[1]} ended for {decision.data['previous_owner']}, {before} owned it")
        if conversation.offer is not None:
            self.complain("offer", decision, f"{who[1]} is {kind} while offer {conversation.offer.id} is open")
        self.release(who, conversation)
        conversation.is_open = False
        wrap_up = self.channels[decision.data["channel"]].get("wrap_up")
        if before is not None and wrap_up and decision.data.get("reason") != "stale":
            until = self.now + wrap_up["max_s"] * 1000
            hold = Hold("wrap_up", wrap_up["units"], decision.data["channel"], until)
            self.agents[(who[0], before)].holds[("wrap_up", who[1])] = hold

    def release(self, who, conversation):
        if conversation.owner is not None:
            self.agents[(who[0], conversation.owner)].holds.pop(("work", who[1]), None)
            conversation.owner = None

    def wrap_up_completed(self, decision, event):
        key = (event["workspace"], event["data"]["actor"]["id"])
        agent, reference = self.agents[key], ("wrap_up", event["data"]["conversation"])
        self.used(agent, is_tick=False)
        if agent.holds.pop(reference, None) is None:
            self.complain("ledger", decision, f"{key[1]} completes a wrap-up of {reference[1]} that he does not have")
        self.seen["wrap-up completed"] += 1

    # Offers

    def offered(self, decision, who, conversation):
        data = decision.data
        key, offer_id, accept_ms = (who[0], data["agent"]["id"]), data["offer"], self.accept_ms.get(data["queue"], 0)
        until = ms(data["until"]) if data.get("until") else None
        if conversation.offer is not None:
            other = conversation.offer
            self.complain("two offers", decision, f"{who[1]} is offered to {key[1]} while {other.agent} has offer {other.id}")
            self.end_offer(who, conversation, "lost")
        if (who[0], offer_id) in self.offers or (who[0], offer_id) in self.ended_offers:
            self.complain("two offers", decision, f"offer {offer_id} is made a second time")
        if conversation.owner is not None and data.get("reason") != "warm":
            self.complain("owner", decision, f"{who[1]} is offered while {conversation.owner} owns it")
        if not conversation.is_open:
            self.complain("offer", decision, f"{who[1]} is offered and is not open")
        if until is not None and accept_ms and until != self.now + accept_ms:
            self.complain("offer", decision, f"offer {offer_id} ends {until - self.now} ms after it was made, its queue says {accept_ms}")
        self.judge_room(decision, key, data["channel"], data.get("reason"))
        offer = Offer(offer_id, key[1], self.now, accept_ms, until)
        conversation.offer = offer
        self.offers[(who[0], offer_id)] = who[1]
        self.agents[key].holds[("offer", who[1])] = Hold("offer", self.channels[data["channel"]]["units"], data["channel"])
        self.compare_units(decision, self.agents[key], data["agent"])
        self.seen["offers"] += 1
        if until is not None:
            self.at(until, "offer", who, offer)

    def end_offer(self, who, conversation, how):
        offer, conversation.offer = conversation.offer, None
        self.offers.pop((who[0], offer.id), None)
        self.lost.pop((who[0], offer.id), None)
        self.ended_offers[(who[0], offer.id)] = how
        self.agents[(who[0], offer.agent)].holds.pop(("offer", who[1]), None)
        return offer

    def accepted(self, decision, who, conversation, owner):
        """Only by the agent it was made to, by his own word, and while it is open."""
        offer, event = conversation.offer, self.log.events.get(decision.cause) if decision.cause else None
        if offer is None:
            said = event and event["data"].get("offer")
            how = self.ended_offers.get((who[0], said), "never made")
            return self.complain("offer", decision, f"{who[1]} goes to {owner} by an offer ({said}) that was {how}")
        sender = ((event or {}).get("data") or {}).get("actor", {}).get("id")
        by_offer = event is not None and event["type"] == "offer.accept" and event["data"]["offer"] == offer.id
        by_claim = event is not None and event["type"] == "conversation.claim" and event["data"]["conversation"] == who[1]
        if not (by_offer or by_claim) or sender != offer.agent or owner != offer.agent:
            self.complain("offer", decision, f"offer {offer.id} of {who[1]} to {offer.agent} is accepted for {owner} by {decision.cause}")
        self.end_offer(who, conversation, "accepted")
        self.agents[(who[0], owner)].misses = 0
        self.seen["offers accepted"] += 1

    def offer_withdrawn(self, decision):
        data, workspace = decision.data, decision.workspace
        offer_id, reason = data["offer"], data["reason"]
        who = (workspace, self.offers.get((workspace, offer_id)))
        if who[1] is None:
            how = self.ended_offers.get((workspace, offer_id), "never made")
            name = "expired twice" if reason == how == "expired" else "offer"
            return self.complain(name, decision, f"offer {offer_id} is withdrawn ({reason}) and was {how}")
        offer = self.end_offer(who, self.conversations[who], reason)
        if data["agent"]["id"] != offer.agent:
            self.complain("offer", decision, f"offer {offer_id} to {offer.agent} is withdrawn from {data['agent']['id']}")
        self.compare_units(decision, self.agents[(workspace, offer.agent)], data["agent"])
        self.seen[f"offers {reason}"] += 1
        if reason in ("expired", "declined"):
            self.agents[(workspace, offer.agent)].misses += 1
        if reason == "expired":
            if self.now < (offer.until or offer.at + offer.accept_ms):
                self.complain("early", decision, f"offer {offer_id} expires at {self.now}, made at {offer.at} until {offer.until}")
            if offer.until is not None:
                self.fired(decision, "offer", offer.until)
        if reason == "declined":
            event = self.log.events.get(decision.cause)
            if event is None or event["type"] != "offer.decline" or event["data"]["actor"]["id"] != offer.agent:
                self.complain("offer", decision, f"offer {offer_id} to {offer.agent} is declined by {decision.cause}")

    # Pauses

    def snoozed(self, decision, who, conversation):
        event = self.log.events.get(decision.cause) if decision.cause else None
        until = ms(event["data"]["until"]) if event else None
        if until is None or ms(decision.data["until"]) != until:
            self.complain("early", decision, f"{who[1]} is snoozed until {decision.data.get('until')}, asked for was {until}")
        if conversation.offer is not None:
            self.complain("offer", decision, f"{who[1]} is snoozed while offer {conversation.offer.id} is open")
        conversation.snoozed_until = until
        self.seen["snoozes"] += 1
        if until is not None:
            self.at(until, "snooze", who, until)

    def woken(self, decision, who, conversation):
        until, conversation.snoozed_until = conversation.snoozed_until, None
        if until is None:
            self.complain("woken twice", decision, f"{who[1]} is woken ({decision.data['reason']}) and was not snoozed")
        elif decision.data["reason"] == "due":
            if self.now < until:
                self.complain("early", decision, f"{who[1]} wakes at {self.now}, {until - self.now} ms before its time")
            self.fired(decision, "snooze", until)

    # Clocks

    def clock_told(self, decision, word):
        told = decision.data["clock"]
        key = (decision.workspace, decision.subject, told["clock"])
        clock = self.clocks[key]
        if word == "started":
            self.clock_started(decision, key, clock, told)
        elif self.is_repeated(decision, key, told, word):
            return
        elif told["generation"] != clock.generation or not self.may_be_told(clock, told, word):
            sentence = f"{named(key, told)} is told {word}, it is {clock.status} in generation {clock.generation}"
            return self.complain("clock", decision, sentence)
        if word in ("paused", "resumed"):
            self.clock_turned(decision, key, clock, told, word)
        elif word in FIRED:
            self.clock_fired(decision, key, clock, told, word)
        self.clock_compared(decision, key, clock, told, word)
        if word in ("completed", "cancelled"):
            self.clock_ended(decision, key, clock, told, word)
        elif word not in FIRED:
            clock.able_from, clock.armed_by = self.now, decision.cause
            self.arm(key, clock)

    def may_be_told(self, clock, told, word):
        if word in FIRED and clock.status == "paused":
            return clock.left(told["percent"]) <= 0
        return clock.status in TOLD_OF.get(word, ("running",))

    def forget_clocks(self, decision, who):
        """A new conversation under a name that was known: its clocks begin at their first generation."""
        for key in [key for key in self.clocks if key[:2] == who]:
            if self.clocks.pop(key).status != "off":
                self.complain("clock", decision, f"{key[2]} of {who[1]} was not told to be over, and it is opened anew")

    def clock_started(self, decision, key, clock, told):
        reason = decision.data.get("reason")
        is_updated = reason == "updated"
        generation = clock.generation if is_updated else clock.generation + 1
        # A further message starts a reply window anew, and only that.
        was_on = is_updated or reason == "message"
        if told["generation"] != generation or was_on != (clock.status != "off"):
            sentence = f"{named(key, told)} is started ({reason}), it is {clock.status} in generation {clock.generation}"
            self.complain("clock", decision, sentence)
        clock.target = told["target_ms"]
        if is_updated:
            self.seen["clocks updated"] += 1
            return
        # For the same cause again, as after a queue in which it had no target: what has fired has fired.
        goes_on = key[2] != "queue_wait" and clock.generation > 0 and clock.started == ms(told["started_at"])
        clock.generation, clock.status, clock.started = told["generation"], "running", ms(told["started_at"])
        clock.since, clock.counted = clock.started, 0
        if reason != "failed" and not goes_on:
            clock.fired, clock.fired_at, clock.breached, clock.due_words = 0, 0, False, set()
        self.seen["clocks started"] += 1

    def clock_turned(self, decision, key, clock, told, word):
        """It stands still, or goes on, from the moment of the fact that stopped it; what it tells says which."""
        at = clock.since + told["business_ms"] - clock.counted if word == "paused" else self.now - told["business_ms"] + clock.counted
        if not max(clock.since, clock.fired_at) <= at <= self.now:
            self.complain("clock", decision, f"{word} {named(key, told)} at {at}, it is {self.now}, it counted since {clock.since}")
        if word == "paused":
            self.all_fired(decision, key, clock, at)
        clock.counted, clock.since, clock.status = clock.business(at), at, {"paused": "paused", "resumed": "running"}[word]
        self.seen[f"clocks {word}"] += 1

    def is_repeated(self, decision, key, told, word):
        """Each threshold of each generation is told once, whatever was killed in between."""
        if word not in FIRED:
            return False
        said = said_by(decision, word)
        once = (*key, self.conversations[key[:2]].lives, told["generation"], told["percent"], said)
        if once in self.fired_once:
            self.complain("fired twice", decision, f"{named(key, told)} fires at {told['percent']} % ({said}) a second time")
            return True
        self.fired_once.add(once)
        return False

    def clock_fired(self, decision, key, clock, told, word):
        percent, said = told["percent"], said_by(decision, word)
        clock.breached |= word == "breached"
        if percent != clock.fired:
            self.words_told(decision, key, clock)
            rising = [share for share in sorted(self.thresholds[key[2]]) if share > clock.fired]
            if percent not in rising:
                self.complain("clock", decision, f"{named(key, told)} fires at {percent} %, after {clock.fired} % may come {rising}")
            elif percent != rising[0]:
                self.complain("not fired", decision, f"{named(key, told)} fires at {percent} %, and did not at {rising[0]} %")
            reached = clock.reaches(percent)
            if self.now < reached:
                self.complain("early", decision, f"{named(key, told)} fires at {percent} % {reached - self.now} ms before its time")
            clock.due_words = set(self.thresholds[key[2]].get(percent, ()))
            clock.fired, clock.fired_at = percent, self.now
            self.fired(decision, "clock", max(reached, clock.able_from))
            self.arm(key, clock)
        if said not in clock.due_words:
            self.complain("clock", decision, f"{named(key, told)} tells {said} at {percent} %, to be told is {sorted(clock.due_words)}")
        clock.due_words.discard(said)
        self.seen[f"clocks {word}"] += 1

    def clock_compared(self, decision, key, clock, told, word):
        """What is told of a clock is what it counted."""
        at = clock.started + told["wall_ms"] if word == "completed" else self.now
        if not max(clock.started, clock.fired_at, clock.since) <= at <= self.now:
            self.complain("clock", decision, f"{named(key, told)} is {word} at {at}, it is {self.now}, it fired at {clock.fired_at}")
        due = clock.since + max(clock.target - clock.counted, 0) if clock.status == "running" else None
        business = clock.business(at)
        expected = {
            "started_at": clock.started, "target_ms": clock.target, "due": due, "wall_ms": at - clock.started,
            "business_ms": business, "over_ms": max(business - clock.target, 0)}
        found = told | {name: told[name] and ms(told[name]) for name in ("started_at", "due")}
        wrong = {name: (found[name], value) for name, value in expected.items() if found[name] != value}
        if wrong:
            self.complain("clock", decision, f"{word} {named(key, told)} tells another (told, counted): {wrong}")

    def clock_ended(self, decision, key, clock, told, word):
        self.all_fired(decision, key, clock, clock.started + told["wall_ms"])
        if word == "completed":
            result = "met" if told["business_ms"] <= clock.target and not clock.breached else "missed"
            if {decision.data.get("reason"), told["result"]} != {result}:
                said = f"{decision.data.get('reason')}, {told['result']}"
                self.complain("clock", decision, f"{named(key, told)} is {said}, {told['business_ms']} of {clock.target} ms is {result}")
            self.seen[f"clocks {result}"] += 1
        else:
            self.seen["clocks cancelled"] += 1
        clock.status = "off"
        clock.version += 1

    def all_fired(self, decision, key, clock, at):
        """Whatever it has passed by then was told before."""
        self.words_told(decision, key, clock)
        if clock.status == "running":
            for percent in sorted(self.thresholds[key[2]]):
                if percent > clock.fired and clock.reaches(percent) <= at:
                    behind = at - clock.reaches(percent)
                    sentence = f"{key[2]} {clock.generation} of {key[1]} stops {behind} ms after it should have fired at {percent} %"
                    self.complain("not fired", decision, sentence)

    def words_told(self, decision, key, clock):
        if clock.due_words:
            words = ", ".join(sorted(clock.due_words))
            self.complain("not fired", decision, f"{key[2]} {clock.generation} of {key[1]} fired at {clock.fired} % and never told {words}")
            clock.due_words = set()

    def next_share(self, key, clock):
        """The percent at which a clock fires next; None: it stands still, or all has fired."""
        percent = min((percent for percent in self.thresholds[key[2]] if percent > clock.fired), default=None)
        fires = clock.status == "running" or (clock.status == "paused" and percent is not None and clock.left(percent) <= 0)
        return percent if fires else None

    def arm(self, key, clock):
        clock.version += 1
        percent = self.next_share(key, clock)
        if percent is not None:
            self.at(clock.reaches(percent), "clock", key, (clock, clock.version, percent))

    def clock_due(self, decision, deadline, key, what):
        clock, version, percent = what
        if clock.version != version or self.clocks.get(key) is not clock:
            return
        if clock.armed_by == decision.cause:
            # The input that started it late tells more: only the next one proves that it fired.
            return self.at(self.now + 1, "clock", key, what)
        sentence = f"{key[2]} {clock.generation} of {key[1]} was to fire at {percent} % {self.now - deadline} ms before"
        self.complain("overdue", decision, sentence)

    def finish(self, last):
        """All is read: a clock that still runs has told all that it passed, but what may be on its way."""
        for key, clock in self.clocks.items():
            self.words_told(last, key, clock)
            percent = self.next_share(key, clock)
            if percent is not None and self.now - max(clock.reaches(percent), clock.able_from) > LATE_MS:
                sentence = f"{key[2]} {clock.generation} of {key[1]} runs on and never fired at {percent} %"
                self.complain("not fired", last, sentence)


def thresholds_of(clock):
    """percent -> the words that are told when a clock reaches it."""
    thresholds = {BREACH: {"breached"}} | {percent: {"warned"} for percent in clock.get("warn_percent", ())}
    for number, level in enumerate(clock.get("level", ()), start=1):
        thresholds.setdefault(level["percent"], set()).add(f"level {level.get('escalate') or number}")
    return thresholds


def said_by(decision, word):
    return f"level {decision.data['number']}" if word == "level" else word


def named(key, told):
    return f"{key[2]} {told['generation']} of {key[1]}"


def shown_as(state):
    """The presence that a told state shows; load is not presence."""
    if state in ("available", "partly", "full"):
        return "online"
    return state


def ignored(decision):
    return decision.type == "event.recorded" and decision.data["outcome"] == "ignored"
