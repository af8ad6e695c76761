#!/usr/bin/env python3
"""Plants bugs in a copy of the engine, one at a time, and shows what catches each: one table.

    python3 scripts/planted.py [--only 3,7] [--histories 400] [--further 12000] [--events 300] [--keep-copy]

A workspace of the engine, the naive engine and a small player (`tests/planted/main.rs`) is made in `target/planted/`.
First the copy as it is has to be clean. Then each bug of the list is written into it, built in the dev profile of the
project and played: generated histories (`tests/it/histories/`) until the first that fails, at most `--histories`,
and up to `--further` for a bug that those do not catch. A seed that fails without a bug catches none.

Exit status 1: a bug is not caught, or the copy is not clean. A text not found exactly once is an error: the list has to
follow the engine. `--keep-copy` plants in the copy of the last run, whatever the tree is now.
"""
import argparse, os, pathlib, re, shutil, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "planted"
HISTORIES = ["checker", "drawn_policy", "events", "generator", "pair", "policies", "world"]
PLAY_S = 900

# (file of engine/src, exact text, what stands there instead, what that breaks)
BUGS = [
    # Offers and rounds
    ("offer.rs", "w.declined.push(agent);", "",
     "a decline is forgotten in its round"),
    ("state/apply.rs", "Some(self.hold_ended(hold))", "Some(self.holds[hold as usize].agent)",
     "an offer's hold is not given back when it ends"),
    ("offer.rs", "Some(asked) if asked == agent => Ok((slot, agent)),", "Some(_) => Ok((slot, agent)),",
     "anybody may accept another's offer"),
    ("offer.rs", "if declines > 0 {", "if false {",
     "an accept between two declines does not set the count back"),
    ("state/lane.rs", "if waiting.giver != 0 {", "if false {",
     "who gave it away gets it back at once"),
    # The ledger of holds
    ("dispatch.rs", "self.effect(Effect::Paced { agent, channels });", "let _ = channels;",
     "the pace is not cleared when it is over"),
    ("staff.rs", "        self.effect(Effect::HoldEnded { hold });\n        self.rearm_wrap(agent);\n        RECORDED",
     "        let _ = hold;\n        self.rearm_wrap(agent);\n        RECORDED",
     "wrap-up units are not freed by wrapup.complete"),
    ("state/hold.rs", "if hold.kind == HoldKind::WrapUp {", "if hold.kind == HoldKind::WrapUp && hold.exclusive {",
     "a wrap-up counts as a conversation of its channel"),
    ("state/hold.rs", "        return; // only its units count\n", "        return by(&mut row.exclusive_holds, 1);\n",
     "a wrap-up keeps everything away, as if it were exclusive"),
    ("state/agent.rs", "        self.exclusive_holds == 0\n            && ", "        ",
     "an exclusive conversation does not keep others away"),
    ("state/agent.rs", "&& self.held & load.barred_by == 0", "",
     "a channel is given beside one that it must not interrupt"),
    ("state/agent.rs", "self.used_in(member.queue) + units <= member.max_units",
     "self.used_in(member.queue) < member.max_units + 0 * units",
     "max_units is tested without what comes on top"),
    ("turn.rs", "let units = hold.full();", "let units = self.hold_asked(slot).0;",
     "who wakes takes his channel's units of today, not his own"),
    # Presence
    ("state/apply.rs", "row.expires_at.max(from) + grace_ms", "row.expires_at.max(from) + 2 * grace_ms",
     "a lease is extended twice"),
    ("state/apply.rs", "row.expires_at = now + row.term_ms;", "let _ = now;",
     "a renewal does not prolong its lease"),
    ("presence.rs", "let (at, ws) = (ends.min().unwrap_or(0), row.workspace());",
     "let (at, ws) = (ends.max().unwrap_or(0), row.workspace());",
     "of several leases only the last wakes us: the first does not expire"),
    ("state/agent.rs", "match self.word.or(self.choice)", "match self.choice.or(self.word)",
     "a supervisor's word stands below the agent's own"),
    ("presence.rs", "(count >= STORM_MIN && ", "(count > STORM_MIN && ",
     "three leases that run out together are no storm yet"),
    ("state/agent.rs", "&& !self.draining && ", "&& ",
     "an agent who drains is still given work"),
    ("state/apply.rs", "let short_away = row.away_since > 0 && now - row.away_since < reset;",
     "let short_away = row.away_since > now + reset;",
     "a short absence costs an agent his idle time"),
    ("state/apply.rs", "                    row.sequence = *sequence;\n                    row.is_graced = false;\n",
     "                    row.sequence = *sequence;\n                    row.is_graced = false;\n                    let status = row.status;\n"
     "                    self.agents[*agent as usize].choice = Some(status);\n",
     "a renewal moves the agent's choice, whoever renews"),
    ("presence.rs", "if *s <= k)", "if *s < k)",
     "a word with the sequence number of the last one is taken"),
    ("presence.rs", "(count >= STORM_MIN && count * STORM_SHARE", "(count >= STORM_MIN && count",
     "a storm is one only where all leases run out together"),
    ("state/hold.rs", "if matches!(hold.kind, HoldKind::Work | HoldKind::WrapUp) {",
     "if matches!(hold.kind, HoldKind::Work) {",
     "idle time counts from the end of the talk, not of the wrap-up"),
    # Which agent, which conversation
    ("state/workspace.rs", "        rank: m.rank,\n        delay_ms: m.delay_ms,",
     "        rank: 5,\n        delay_ms: m.delay_ms,",
     "the rank of a membership is ignored"),
    ("state/workspace.rs", "        priority: m.priority,\n        rank:", "        priority: 5,\n        rank:",
     "the priority of a membership is ignored"),
    ("state/workspace.rs", "take_while(|delay| *delay <= after_ms)", "take_while(|delay| *delay < after_ms)",
     "the delay stage of a membership is off by one step"),
    ("state/set.rs", "        settled.settle();\n        settled.weight", "        settled.weight",
     "the rotation is not settled at a pick from which some are frozen"),
    ("state/apply.rs", "                let set = &mut ws.sets[m.set as usize];\n                m.in_pool = false;\n",
     "                let set = &mut ws.sets[m.set as usize];\n",
     "after a change of weight an agent keeps his old weight class"),
    ("state/agent.rs",
     "        let ours = u64::from(self.used) * u64::from(other.units);\n"
     "        let theirs = u64::from(other.used) * u64::from(self.units);\n",
     "        let ours = u64::from(self.used);\n        let theirs = u64::from(other.used);\n",
     "least loaded compares units, not shares of capacity"),
    ("contact.rs", "owned.min()", "owned.max()",
     "the newest open conversation's owner is preferred, not the oldest's"),
    ("staff.rs", "                self.end_preference(slot);\n", "                let _ = slot;\n",
     "a preference does not end when the preferred agent goes offline"),
    ("queueing.rs", "if self.state.texts(slot).waiting.class == 1 { 1 } else { of_tier }", "of_tier",
     "a new tier takes back a promotion"),
    ("dispatch.rs", "agent, frozen: found.frozen });", "agent, frozen: Default::default() });",
     "who is left out of a pick is not frozen in his rotation"),
    ("state/lane.rs", "could && priority(*other) < here", "could && priority(*other) > here",
     "an agent serves the highest number of his priorities first"),
    # Waiting and queues
    ("queueing.rs", "taken.filter(|(at, _)| waiting.skipped >> at & 1 == 0)", "taken",
     "a step that was skipped is applied"),
    ("waiting.rs", "w.step_head_start_ms += head_start_ms;", "w.step_head_start_ms = head_start_ms;",
     "a step's head start replaces those of the steps before"),
    ("queueing.rs", "            by(from + tier.ring_ms, waiting.ring);\n", "",
     "a first ring has no timer: it never ends by itself"),
    ("queueing.rs", "- u32::from(is_counted) >= rule.max_waiting", "- u32::from(is_counted) > rule.max_waiting",
     "a queue holds one more than max_waiting"),
    ("state/lane.rs", " || !ws.desk(set.queue).serves(self.now)", "",
     "a closed queue is still served"),
    ("control.rs", "                    self.swept(ws, queue, slot, reason);\n",
     "                    self.swept(ws, queue, slot, reason);\n                    next = None;\n",
     "a sweep stops at the first who waits"),
    # Transfer, merge, reopen
    ("transfer.rs", "let arrival = if place_back { self.now } else { self.kept_arrival(slot) };",
     "let arrival = self.now.max(u64::from(place_back));",
     "a transfer loses the wait that was kept"),
    ("merge.rs", "        self.ends(from);\n",
     "        let wrap_up = self.wrap_up(from);\n        self.effect(Effect::Ended { conversation: from, wrap_up });\n",
     "what is merged away still holds units, as a wrap-up"),
    ("merge.rs", "(false, true) => arrival.min(row.arrival()),", "(false, true) => row.arrival(),",
     "a merge loses the older wait"),
    ("state/apply.rs", "let (mut ids, mut identities) = self.drop_aliases(from);",
     "let (mut ids, mut identities) = (Vec::new(), Vec::new());",
     "aliases of what is merged away are not led on"),
    ("state/apply.rs", "        row.epoch += 1;\n        row.tier = tier;\n", "        row.tier = tier;\n",
     "the epoch is not raised at reopen"),
    # Timers, recovery, digest
    ("state/timers.rs", "let (arm, turns) = (self.armed, self.turns);",
     "let (arm, turns) = (u64::from(slot), self.turns);",
     "timers due together fire by slot, not in the order of their arming"),
    ("state/timers.rs", "self.armed += u64::from(at != 0);", "self.armed += u64::from(at != 0 && turns);",
     "the arm number is counted live only, not in recovery"),
    ("state/customers.rs", "            self.fact_changes(BLOCKED, workspace, customer, 0, is);\n", "",
     "the digest forgets who is blocked"),
    # Clocks and hours
    ("clock.rs", "ClockStatus::Running => calendar::passed(openings, clock.since, share - clock.counted_ms),",
     "ClockStatus::Running => calendar::reached(openings, clock.since, share - clock.counted_ms),",
     "a clock breaches at due, not a millisecond of business time after it"),
    ("clock.rs", "fired: if goes_on { before.fired } else { 0 },", "fired: 0,",
     "after a failed delivery thresholds fire again"),
    ("clock.rs", "let at = self.at_fact(kind, &clock);\n        let clock = self.passes_until",
     "let at = self.now;\n        let clock = self.passes_until",
     "a delay of the pipeline is charged to the agent"),
    ("clock.rs", "            since => since,\n", "            _ => at,\n",
     "a further message begins the turn anew"),
    ("clock.rs", "let counted_ms = self.business_ms(slot, &clock, at);", "let counted_ms = clock.counted_ms;",
     "what ran before a pause is forgotten"),
    ("clock.rs", "let is_met = told.over_ms == 0 && clock.fired < BREACH;", "let is_met = told.over_ms == 0;",
     "a higher target takes a breach back"),
    ("state/workspace.rs", "self.targets.iter().find(", "self.targets.iter().rev().find(",
     "of several targets that fit the last one counts"),
    ("merge.rs", "since.min(other_since)", "since.max(other_since)",
     "the survivor of a merge waits since the later contact"),
    ("hours.rs", "if off && took_work {", "if false && took_work {",
     "an agent whose shift is over is still waited for"),
    ("control.rs", "let at = ends.chain(self.next_hours(ws, queue, after)).min().unwrap_or(0);",
     "let at = ends.min().or(self.next_hours(ws, queue, after)).unwrap_or(0);",
     "a command's end hides the calendar's"),
    ("clock.rs", "ClockRow { counted_ms: self.business_ms(slot, &clock, at), since: at, calendar, ..clock }",
     "ClockRow { calendar, ..clock }",
     "a transfer to other hours recounts what was counted"),
    ("control.rs", "let due = self.state.workspace(ws).desk(queue).due().min(self.now);", "let due = self.now;",
     "a queue that turned while nobody was here turns when it is seen"),
    ("waiting.rs", "self.known_until(ws, queue).saturating_sub(from)", "self.now.saturating_sub(from)",
     "a wait is judged by time in which its queue was closed and nobody was here"),
    ("turn.rs", "(None, _) => return self.answered_in_passing(slot),", "(None, _) => return,",
     "an answer that claims nothing stops no clock"),
    ("calendar.rs", "map(|opening| within(*opening, 0, from));", "map(|opening| *opening);",
     "an opening that a renewal cuts off goes on"),
]

PLAYER = """[package]
name = "play"
version.workspace = true
edition.workspace = true
publish.workspace = true

[dependencies]
engine.workspace = true
naive.workspace = true
rand.workspace = true
rand_chacha.workspace = true
"""


def write(path, text):
    """Only what differs, so that nothing is built for nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def copy_tree(source, to):
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    for path in wanted:
        write(to / path, (source / path).read_text())
    for path in [path for path in to.rglob("*") if path.is_file()]:
        if path.relative_to(to) not in wanted:
            path.unlink()


def manifest():
    """The project's, without its own package and with other members."""
    sections = re.split(r"(?m)^(?=\[)", (ROOT / "Cargo.toml").read_text())
    kept = "".join(s for s in sections if s.startswith(("[workspace", "[profile")))
    return re.sub(r"(?m)^members = .*$", 'members = ["engine", "tests/naive", "play"]', kept)


def make_copy():
    write(COPY / "Cargo.toml", manifest())
    write(COPY / "rust-toolchain.toml", (ROOT / "rust-toolchain.toml").read_text())
    shutil.copy(ROOT / "Cargo.lock", COPY / "Cargo.lock")
    copy_tree(ROOT / "engine", COPY / "engine")
    copy_tree(ROOT / "tests" / "naive", COPY / "tests" / "naive")
    write(COPY / "play" / "Cargo.toml", PLAYER)
    source = COPY / "play" / "src"
    write(source / "main.rs", (ROOT / "tests" / "planted" / "main.rs").read_text())
    for name in HISTORIES:
        write(source / "histories" / f"{name}.rs", (ROOT / "tests" / "it" / "histories" / f"{name}.rs").read_text())
    found = re.search(r"(?ms)^fn new_pair\(.*?(?=^fn replay\()", (ROOT / "tests" / "it" / "histories.rs").read_text())
    if not found:
        sys.exit("tests/it/histories.rs: `new_pair` and `make` are not where they were")
    write(source / "moves.rs", found.group())


def build():
    environment = {**os.environ, "CARGO_TARGET_DIR": str(COPY / "target"), "RUSTFLAGS": "-Awarnings"}
    command = ["nice", "cargo", "build", "--offline", "--quiet", "-p", "play"]
    done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    return done.stderr if done.returncode else None


def play(first, last, events):
    """(seed, event, failure) of the first history that fails, or none."""
    command = ["nice", COPY / "target" / "debug" / "play", str(first), str(last), str(events)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PLAY_S)
    if done.returncode:
        sys.exit(f"the player failed: {done.stderr}")
    seed, event, failure = done.stdout.rstrip("\n").split("\t", 2) if done.stdout else (None, None, None)
    return (int(seed), int(event), failure) if seed else None


def failures(first, last, events):
    """All of them."""
    while first <= last and (found := play(first, last, events)):
        yield found
        first = found[0] + 1


def catcher(failure):
    """Which net it is, by what the failure says."""
    for start, net in [("decision ", "naive engine"), ("answered ", "naive engine"),
                       ("an event ", "naive engine"), ("the engine wants a tick", "naive engine"),
                       ("a tick that", "naive engine"), ("still wants a tick", "naive engine"),
                       ("the engine says of itself", "promise check"), ("the state rebuilt", "replica"),
                       ("the live state", "digest in full"), ("the rebuilt state", "digest in full")]:
        if failure.startswith(start):
            return net
    if failure.startswith("panic: "):
        return "engine's assertion" if "engine/src" in failure.split(": ")[1] else "panic elsewhere"
    return "outside checker"


def planted(bug):
    """Writes a bug into the copy. Returns what undoes it."""
    name, text, instead, _ = bug
    path = COPY / "engine" / "src" / name
    before = path.read_text()
    if before.count(text) != 1:
        sys.exit(f"engine/src/{name}: found {before.count(text)} times, not once:\n{text}")
    path.write_text(before.replace(text, instead))
    return lambda: path.write_text(before)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--only", help="numbers of bugs, by comma")
    options.add_argument("--histories", type=int, default=400)
    options.add_argument("--further", type=int, default=12000)
    options.add_argument("--events", type=int, default=300)
    options.add_argument("--keep-copy", action="store_true")
    asked = options.parse_args()
    only = {int(number) for number in asked.only.split(",")} if asked.only else None
    if not asked.keep_copy:
        make_copy()
    for bug in BUGS:
        planted(bug)()  # each text is looked for before anything is built
    started = time.monotonic()
    if (wrong := build()) is not None:
        sys.exit(f"the copy does not build:\n{wrong}")
    last = max(asked.histories, asked.further)
    unclean = []
    for seed, event, failure in failures(1, last, asked.events):
        unclean.append(seed)
        print(f"the copy without a bug is not clean: seed {seed}, event {event}: {failure[:200]}", flush=True)
    if any(seed <= asked.histories for seed in unclean):
        sys.exit(1)
    if not unclean:
        print(f"   the copy as it is: clean ({last} histories of {asked.events} events)", flush=True)
    print(f"{'#':>2} {'what was broken':68} {'caught by':19} {'seed':>5} {'event':>5}  what it said", flush=True)
    missed, late = [], []
    for number, bug in enumerate(BUGS, 1):
        if only and number not in only:
            continue
        undo = planted(bug)
        try:
            if (wrong := build()) is not None:
                print(f"{number:2} {bug[3]:68} DOES NOT BUILD\n{wrong}", flush=True)
                missed.append(number)
                continue
            found = next((f for f in failures(1, last, asked.events) if f[0] not in unclean), None)
        finally:
            undo()
        if not found:
            missed.append(number)
            print(f"{number:2} {bug[3]:68} NOT CAUGHT", flush=True)
            continue
        seed, event, failure = found
        late += [number] if seed > asked.histories else []
        print(f"{number:2} {bug[3]:68} {catcher(failure):19} {seed:5} {event:5}  {failure[:150]}", flush=True)
    count = len(only or BUGS)
    print(f"{count - len(missed)} of {count} bugs caught in {time.monotonic() - started:.0f} s; not by the first "
          f"{asked.histories} histories: {late or 'none'}; not at all: {missed or 'none'}")
    sys.exit(1 if missed or unclean else 0)


if __name__ == "__main__":
    main()
