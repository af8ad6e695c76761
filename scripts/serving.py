"""`strowger serve` as a child process, for the scripts that need a running engine. Python's standard library only."""
import contextlib, os, pathlib, signal, socket, subprocess, sys, time, urllib.error, urllib.request

READY_S_MAX = 60
STOP_S_MAX = 15


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def topics_of(name):
    """Topic names of their own, so that one broker serves many runs."""
    return {topic: f"{name}-{os.getpid()}-{int(time.time())}.{topic}"
            for topic in ("events", "journal", "decisions", "dead_letters")}


def write_config(folder, mode, port, workspace, topics):
    text = f'shards = 4\nworkspaces = ["{workspace}"]\n[http]\nlisten = "127.0.0.1:{port}"\n'
    if mode == "kafka":
        bootstrap = os.environ.get("KAFKA_BOOTSTRAP")
        if not bootstrap:
            sys.exit("mode kafka needs KAFKA_BOOTSTRAP; scripts/kafka.py run COMMAND starts a broker and sets it")
        text += f'[journal]\nkind = "kafka"\n[kafka]\nbootstrap = "{bootstrap}"\n[kafka.topics]\n'
        text += "".join(f'{name} = "{topic}"\n' for name, topic in topics.items())
    else:
        text += f'[journal]\nkind = "sqlite"\npath = "{folder}/journal.db"\n'
    config = pathlib.Path(folder) / "strowger.toml"
    config.write_text(text)
    return config


def replay_target(mode, api, topics):
    """What tells `replay` where the engine is."""
    if mode != "kafka":
        return ["--to", api]
    return ["--to", f"kafka://{os.environ['KAFKA_BOOTSTRAP']}", "--api", api,
            "--events-topic", topics["events"], "--decisions-topic", topics["decisions"]]


def await_ready(process, port):
    deadline = time.monotonic() + READY_S_MAX
    while True:
        with contextlib.suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        if process.poll() is not None:
            sys.exit(f"`serve` ended with {process.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"`serve` was not ready within {READY_S_MAX} s")
        time.sleep(0.1)


def started(binary, config, port, *more):
    """A ready `serve`. What it says is added to serve.log beside its config."""
    with open(config.parent / "serve.log", "ab") as log:
        command = [str(binary), "serve", "--config", str(config), *more]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_ready(process, port)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def stopped(process, config):
    """Ends it by SIGTERM; its last lines are shown if it ended badly."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        print(f"`serve` did not end within {STOP_S_MAX} s of SIGTERM", file=sys.stderr)
    if process.returncode != 0:
        log = (config.parent / "serve.log").read_text(errors="replace")
        print("\n".join(log.splitlines()[-5:]), file=sys.stderr)


@contextlib.contextmanager
def serving(binary, config, port, *more):
    """Runs `serve` until the block ends."""
    process = started(binary, config, port, *more)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stopped(process, config)
