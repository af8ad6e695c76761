"""The desk that the checker keeps beside the engine's: owners, offers, holds, presences and timers of one shard.

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
        self.epoch, self.is_open = -1, False


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
        elif kind.startswith("conversation.") or kind == "message.routed":
            self.conversation_told(decision, kind.removeprefix("conversation."))

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
        if kind in ("opened", "reopened"):
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


def shown_as(state):
    """The presence that a told state shows; load is not presence."""
    if state in ("available", "partly", "full"):
        return "online"
    return state


def ignored(decision):
    return decision.type == "event.recorded" and decision.data["outcome"] == "ignored"
