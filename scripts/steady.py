#!/usr/bin/env python3
"""Events a second and latency at steady rates, through the embedded journal and through Kafka: one table.

    scripts/steady.py --binary target/release/strowger [--modes embedded,kafka] [--rates 100,500,1000,2000] [--seconds 15]

Each row is a fresh `serve` and one open-loop `replay` of a generated workload: RATE is events a second asked for (two a
call: contact.started and conversation.resolve), latencies count from the intended send time. Mode kafka needs
KAFKA_BOOTSTRAP (scripts/kafka.py run COMMAND). Absolute figures are this machine's; compare rows of one run.
"""
import argparse, json, pathlib, re, subprocess, sys, tempfile, urllib.request
from serving import free_port, replay_target, serving, topics_of, write_config

HANDLE_S = 0.2


def generated(binary, folder, rate, seconds, *more):
    """A workload of rate / 2 calls a second, with agents enough that three in four are busy. `more`: for `generate`."""
    calls_per_s = rate / 2
    workload, workspace = folder / "workload.ndjson", folder / "workspace.toml"
    agents = max(4, round(calls_per_s * HANDLE_S / 0.75))
    command = [binary, "generate", "--rate-per-s", calls_per_s, "--arrivals", int(calls_per_s * seconds), "--agents", agents,
               "--handle", f"exponential:{HANDLE_S}", "--out", workload, "--workspace", workspace,
               *more]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return workload, workspace


def quantiles(api, family):
    """The p50 and p99 gauges of a shard's family, ms; of the busiest shard (one workspace lives in one shard)."""
    text = urllib.request.urlopen(f"{api}/metrics", timeout=10).read().decode()
    found = {}
    for quantile, value in re.findall(rf'^strowger_{family}_quantile_seconds{{[^}}]*quantile="([^"]+)"[^}}]*}} (\S+)', text, re.M):
        found[quantile] = max(found.get(quantile, 0.0), float(value) * 1000)
    return found


def row(binary, mode, rate, seconds):
    with tempfile.TemporaryDirectory(prefix="strowger-steady-") as name:
        folder = pathlib.Path(name)
        workload, workspace = generated(binary, folder, rate, seconds)
        topics, port = topics_of("steady"), free_port()
        config = write_config(folder, mode, port, workspace, topics)
        with serving(binary, config, port) as api:
            to = replay_target(mode, api, topics)
            command = [binary, "replay", "--workspace", workspace, "--workload", workload, *to, "--json"]
            done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                sys.exit(done.stderr)
            figures = json.loads(done.stdout)
            apply, commit = quantiles(api, "apply"), quantiles(api, "commit")
    if figures["unfinished"]:
        sys.exit(f"{mode} at {rate}: {figures['unfinished']} calls were left")
    decision, end = figures["latency"]["decision"], figures["latency"]["end_to_end"]
    print(f"{mode:<9} {rate:>6} {figures['rate']['reached_per_s']:>8.0f}"
          f" {apply.get('0.5', 0) * 1000:>8.1f} {apply.get('0.99', 0) * 1000:>8.1f}"
          f" {commit.get('0.5', 0):>8.2f} {commit.get('0.99', 0):>8.2f}"
          f" {decision['p50_ms']:>8.2f} {decision['p99_ms']:>8.2f} {end['p50_ms']:>8.2f} {end['p99_ms']:>8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--modes", default="embedded,kafka")
    parser.add_argument("--rates", default="100,500,1000,2000")
    parser.add_argument("--seconds", type=int, default=15)
    args = parser.parse_args()
    print("                events/s     apply us          commit ms        decision ms       end to end ms")
    print("journal    asked  reached      p50      p99      p50      p99      p50      p99      p50      p99")
    for mode in args.modes.split(","):
        for rate in args.rates.split(","):
            row(args.binary, mode, int(rate), args.seconds)


if __name__ == "__main__":
    main()
