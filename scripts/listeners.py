#!/usr/bin/env python3
"""What listeners and a scraper cost the engine: one run, phases beside each other. Python's standard library only.

    scripts/listeners.py --binary target/debug/strowger [--listeners 1000] [--following 1] [--queues 1] [--rate 200]
        [--seconds 12] [--rounds 2]

One `serve` under a steady `replay`; in turn nobody looks on, LISTENERS read the stream of figures, FOLLOWING of them decisions
too, and a scraper asks for /metrics each second. With QUEUES the workload is spread over so many, and over three tiers. Of each phase: the engine's own time an event, and the time from an event to its
committed decision, from the histograms of /metrics at its two ends, and the memory that is resident at its end. Then as many
listeners come who ask for decisions and read nothing. The last lines are the ratios to the quiet phases of the
same run. Listeners and the player share the machine with the engine, so the ratio is an upper bound.
"""
import argparse, asyncio, multiprocessing, os, pathlib, re, statistics, subprocess, sys, tempfile, threading, time, urllib.request
from serving import free_port, serving, topics_of, write_config
from steady import generated

FAMILIES = ("apply", "event_to_decision")


def buckets(api):
    """family -> {upper bound in seconds: events below}, all shards together."""
    text = urllib.request.urlopen(f"{api}/metrics", timeout=30).read().decode()
    found = {family: {} for family in FAMILIES}
    for family, bound, count in re.findall(r'^strowger_(\w+)_seconds_bucket{[^}]*le="([^"]+)"} (\d+)', text, re.M):
        if family in found:
            bound = float(bound)
            found[family][bound] = found[family].get(bound, 0) + int(count)
    memory = float(re.search(r"^process_resident_memory_bytes (\S+)", text, re.M)[1])
    return found, len([line for line in text.splitlines() if line and not line.startswith("#")]), memory / (1 << 20)


def quantile(before, after, share):
    """By linear interpolation within a bucket, as Prometheus does; in ms."""
    counts = sorted((bound, count - before.get(bound, 0)) for bound, count in after.items())
    wanted, lower, below = counts[-1][1] * share, 0.0, 0
    for bound, count in counts:
        if count >= wanted and count > below:
            return (lower + (min(bound, 60.0) - lower) * (wanted - below) / (count - below)) * 1000
        lower, below = bound, count
    return 0.0


def many_queues(binary, folder, rate, seconds, queues):
    """The generated workload and workspace, but with so many queues, each with its rule."""
    names = [f"q{number:03}" for number in range(queues)]
    mix = ["--attributes", ",".join(f"queue={name}:1" for name in names), "--tiers", "vip:1,gold:1,regular:1"]
    workload, workspace = generated(binary, folder, rate, seconds, *mix)
    tables = "".join(f'[[queue]]\nname = "{name}"\n\n[[rule]]\nwhen = {{ attributes = {{ queue = "{name}" }} }}\nqueue = "{name}"\n\n'
                     for name in names)
    for_all, text = '[[rule]]\nqueue = "all"', workspace.read_text()
    assert for_all in text, "`generate` writes another workspace than this script knows"
    workspace.write_text(text.replace(for_all, tables + for_all))
    return workload, workspace


def listen(port, count, following, asleep, ready):
    """Another process: reads and throws away; asleep, it reads nothing but the answer's first line."""
    os.nice(5)

    async def one(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        decisions = int(number < following)
        writer.write(f"GET /v1/workspaces/generated/stream?decisions={decisions} HTTP/1.1\r\nhost: node\r\n\r\n".encode())
        line = await reader.readline()
        if not line.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a listener is answered {line}")
        while not asleep and not (await reader.readline()).startswith(b"event: board"):
            pass
        heard.append(number)
        if len(heard) == count:
            ready.set()
        if asleep:
            writer.transport.pause_reading()
            await asyncio.sleep(3600)
        while await reader.read(1 << 16):
            pass

    async def everybody():
        await asyncio.gather(*(one(number) for number in range(count)))

    heard = []
    asyncio.run(everybody())


def scrape(api, stopping, took):
    while not stopping.wait(1.0):
        started = time.monotonic()
        urllib.request.urlopen(f"{api}/metrics", timeout=30).read()
        took.append(time.monotonic() - started)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--following", type=int, default=1)
    parser.add_argument("--queues", type=int, default=1)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    phases = [phase for _ in range(args.rounds) for phase in ("quiet", "listeners", "quiet", "scraper")] + ["asleep"]
    seen, took = {}, []
    with tempfile.TemporaryDirectory(prefix="strowger-listeners-") as name:
        folder = pathlib.Path(name)
        length_s = args.seconds * len(phases) + 60
        spread = (args.queues,) if args.queues > 1 else ()
        workload, workspace = (many_queues if spread else generated)(args.binary, folder, args.rate, length_s, *spread)
        port = free_port()
        config = write_config(folder, "embedded", port, workspace, topics_of("listeners"))
        with serving(args.binary, config, port) as api:
            command = [args.binary, "replay", "--workspace", workspace, "--workload", workload, "--to", api, "--json"]
            player = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(5)
            print(f"{args.rate} events/s asked, {args.listeners} listeners, {args.following} of them to decisions, {args.queues} queues, phases of {args.seconds} s")
            for phase in phases:
                ready, stopping, crowd, scraper = multiprocessing.Event(), threading.Event(), None, None
                if phase in ("listeners", "asleep"):
                    following = args.listeners if phase == "asleep" else args.following
                    told = (port, args.listeners, following, phase == "asleep", ready)
                    crowd = multiprocessing.Process(target=listen, args=told, daemon=True)
                    crowd.start()
                    if not ready.wait(60):
                        sys.exit("not all listeners were answered within a minute")
                if phase == "scraper":
                    scraper = threading.Thread(target=scrape, args=(api, stopping, took))
                    scraper.start()
                before, series, _ = buckets(api)
                time.sleep(args.seconds)
                after, series, resident_mib = buckets(api)
                stopping.set()
                if crowd:
                    if not crowd.is_alive():
                        sys.exit("the listeners have ended by themselves")
                    crowd.terminate()
                    crowd.join()
                if scraper:
                    scraper.join()
                figures = [quantile(before[family], after[family], share) for family in FAMILIES for share in (0.5, 0.99)]
                events = max(after["apply"].values()) - max(before["apply"].values())
                seen.setdefault(phase, []).append(figures)
                print(f"{phase:<10} {events / args.seconds:>6.0f} events/s   apply p50 {figures[0] * 1000:>7.1f} us p99 {figures[1] * 1000:>7.1f} us"
                      f"   event to decision p50 {figures[2]:>7.2f} ms p99 {figures[3]:>7.2f} ms   resident {resident_mib:>6.1f} MiB", flush=True)
            player.kill()
            player.wait()
    quiet = [statistics.median(column) for column in zip(*seen["quiet"])]
    for phase in ("listeners", "scraper"):
        ratios = [statistics.median(column) / base for column, base in zip(zip(*seen[phase]), quiet)]
        print(f"{phase} : quiet   apply p50 {ratios[0]:.2f} p99 {ratios[1]:.2f}   event to decision p50 {ratios[2]:.2f} p99 {ratios[3]:.2f}")
    print(f"a scrape of {series} series took {statistics.median(took) * 1000:.0f} ms (median of {len(took)})")


if __name__ == "__main__":
    main()
