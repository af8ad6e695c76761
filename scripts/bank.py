#!/usr/bin/env python3
"""One stretch of the bank's month through a running engine, held against the simulator. Python's standard library only.

    scripts/bank.py --binary target/debug/strowger --mode embedded|kafka [--speed 120] [--from T --to T] [--within 0.15]

It simulates the stretch, starts `strowger serve` on a clock that runs SPEED times as fast and begins with the stretch,
replays the stretch, stops the engine, and judges: every call accounted for (answered + abandoned + deflected = arrivals,
none left, the same arrivals as simulated, one line a call), the share that waited and the mean wait within `--within` of
the simulator's. MODE kafka needs KAFKA_BOOTSTRAP; its topics have names of their own. Exit code 1: it does not hold.
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile
from serving import free_port, replay_target, serving, topics_of, write_config

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKSPACE = ROOT / "load-tests/workspaces/bank.toml"


def data_folder():
    folder = pathlib.Path(os.environ.get("STROWGER_DATA", ROOT / "data"))
    if not (folder / "bank-1999-02.workload.ndjson.gz").exists():
        print("skipped: bank: no bank-1999-02.workload.ndjson.gz in STROWGER_DATA or data/")
        sys.exit(0)
    return folder


def played(command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit(f"bank: {' '.join(str(part) for part in command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def start_of(stretch_from):
    """A bare date begins at midnight of the bank's own time, two hours east."""
    return stretch_from if "T" in stretch_from else f"{stretch_from}T00:00:00+02:00"


def replay(args, folder, stretch):
    topics, port = topics_of("bank"), free_port()
    config = write_config(folder, args.mode, port, WORKSPACE, topics)
    clock = f"scaled={args.speed},start={args.clock_start or start_of(args.begin)}"
    with serving(args.binary, config, port, "--clock", clock) as api:
        to = replay_target(args.mode, api, topics)
        return played([args.binary, "replay", "--workspace", WORKSPACE, *stretch, *to, "--speed", args.speed, "--json",
                       "--calls", folder / "calls.ndjson"])


def judge(simulated, replayed, lines, within):
    """What does not hold, in sentences."""
    faults = []
    gone = sum(replayed[name] for name in ("answered", "abandoned", "deflected"))
    if replayed["arrivals"] != simulated["arrivals"]:
        faults.append(f"{replayed['arrivals']} calls were replayed and {simulated['arrivals']} simulated")
    if replayed["unfinished"] or gone != replayed["arrivals"]:
        faults.append(f"of {replayed['arrivals']} calls {gone} are accounted for and {replayed['unfinished']} are left")
    if lines != replayed["arrivals"]:
        faults.append(f"--calls has {lines} lines for {replayed['arrivals']} calls")
    for name in ("waited_share", "mean_wait_s"):
        ratio = replayed[name] / simulated[name]
        if not 1 - within <= ratio <= 1 + within:
            faults.append(f"{name} is {replayed[name]:.4f}, {ratio:.3f} of the simulator's {simulated[name]:.4f}")
    return faults


def show(name, figures):
    print(f"{name:<10} arrivals {figures['arrivals']:>6}  answered {figures['answered']:>6}  left {figures['abandoned']:>5}  "
          f"waited {figures['waited_share']:.4f}  mean wait {figures['mean_wait_s']:7.3f} s  "
          f"within 20 s {figures['answered_within_20s_share']:.4f}  occupancy {figures['occupancy']:.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--mode", choices=("embedded", "kafka"), required=True)
    parser.add_argument("--speed", type=int, default=120)
    parser.add_argument("--from", dest="begin", default="1999-02-02T06:30:00+02:00")
    parser.add_argument("--to", dest="end", default="1999-02-03T00:00:00+02:00")
    parser.add_argument("--clock-start", help="where the engine's clock begins; default: --from")
    parser.add_argument("--within", type=float, default=0.15)
    args = parser.parse_args()
    workload = data_folder() / "bank-1999-02.workload.ndjson.gz"
    stretch = ["--workload", workload, "--from", args.begin, "--to", args.end]
    simulated = played([args.binary, "simulate", "--workspace", WORKSPACE, *stretch, "--json"])
    print(f"the bank from {args.begin} to {args.end}, {args.mode} journal, {args.speed} times as fast")
    show("simulated", simulated)
    with tempfile.TemporaryDirectory(prefix="strowger-bank-") as folder:
        replayed = replay(args, pathlib.Path(folder), stretch)
        with open(pathlib.Path(folder) / "calls.ndjson") as calls:
            lines = sum(1 for _ in calls)
    show("replayed", replayed)
    for name, latency in replayed["latency"].items():
        print(f"{name:<12} p50 {latency['p50_ms']:8.2f} ms  p90 {latency['p90_ms']:8.2f}  p99 {latency['p99_ms']:8.2f}  "
              f"p99.9 {latency['p999_ms']:8.2f}  max {latency['max_ms']:8.2f}  of {latency['count']}")
    print(f"events a second: asked {replayed['rate']['asked_per_s']:.1f}, reached {replayed['rate']['reached_per_s']:.1f}")
    faults = judge(simulated, replayed, lines, args.within)
    for fault in faults:
        print(f"bank: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
