#!/usr/bin/env python3
"""One real Apache Kafka on this machine, for tests and for trying things by hand. Python's standard library only.

    scripts/kafka.py start [DIR]          start (or find running), print KAFKA_BOOTSTRAP=127.0.0.1:PORT
    scripts/kafka.py kill [DIR]           kill -9; `start` on the same DIR goes on with the same ports and data
    scripts/kafka.py stop [DIR]           stop it and remove DIR
    scripts/kafka.py run COMMAND ...      start one in a folder of its own, run COMMAND with KAFKA_BOOTSTRAP set,
                                          stop it whatever happens; the exit code is the command's
    scripts/kafka.py fetch                only fetch the jars

Apache Kafka comes from its own jars, fetched once by Maven into target/kafka/jars. The node is combined broker and
controller (KRaft), listens on loopback only, on free ports, and keeps its data in DIR (default: target/kafka/node).
Nothing here creates topics: Strowger does that itself. KAFKA_HEAP_MB changes the heap (512).
"""
import base64, os, pathlib, random, shutil, signal, socket, struct, subprocess, sys, tempfile, time, uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
KAFKA = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "kafka"
JARS = KAFKA / "jars"
READY_S_MAX = 90
STOP_S_MAX = 15

POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>strowger</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


def fail(sentence):
    print(f"kafka: {sentence}", file=sys.stderr)
    sys.exit(1)


def fetch():
    """The jars of Apache Kafka, once. Maven knows where from: its own settings decide."""
    for tool, package in (("mvn", "maven"), ("java", "default-jre-headless")):
        if shutil.which(tool) is None:
            fail(f"`{tool}` is missing; on Debian or Ubuntu: apt-get install {package}")
    if (JARS / "complete").exists():
        return
    JARS.mkdir(parents=True, exist_ok=True)
    (KAFKA / "pom.xml").write_text(POM)
    command = ["mvn", "-q", "-B", "-f", str(KAFKA / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        fail("Maven could not fetch Apache Kafka 4.1.1 (its message stands above)")
    (JARS / "complete").touch()


def free_port():
    """Below the range of outgoing connections, so that none of those takes it between here and the broker's bind."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def java(*arguments):
    heap = os.environ.get("KAFKA_HEAP_MB", "512")
    return ["java", f"-Xmx{heap}m", "-Xms256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{JARS}/*", *map(str, arguments)]


def read(folder, name):
    path = folder / name
    return path.read_text().strip() if path.exists() else ""


def running(folder):
    """The pid of this folder's broker, if it lives and is that broker (a pid may have been given to another)."""
    pid = read(folder, "pid")
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() if pid else b""
    except OSError:
        return None
    return int(pid) if str(folder / "server.properties").encode() in command else None


def controller_answers(port):
    """Whether a Metadata request (v1) is answered with a controller: a port that accepts is not yet a broker."""
    request = struct.pack(">hhih8si", 3, 1, 1, 8, b"strowger", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            stream = connection.makefile("rb")
            (size,) = struct.unpack(">i", stream.read(4))
            answer = stream.read(size)
    except (OSError, struct.error):
        return False
    (brokers,), at = struct.unpack_from(">i", answer, 4), 8
    for _ in range(brokers):
        at += 4
        at += 2 + struct.unpack_from(">h", answer, at)[0] + 4
        at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])
    return brokers > 0 and struct.unpack_from(">i", answer, at)[0] >= 0


def prepare(folder):
    folder.mkdir(parents=True, exist_ok=True)
    broker, controller = free_port(), free_port()
    properties = PROPERTIES.format(broker=broker, controller=controller, data=folder / "data")
    (folder / "server.properties").write_text(properties)
    # Never an id that begins with a dash: it would be read as an option.
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    command = java("kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--standalone",
                   "--config", folder / "server.properties")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        fail(f"formatting {folder} failed: {done.stdout}")
    (folder / "port").write_text(str(broker))


def start(folder):
    fetch()
    if not read(folder, "port"):
        prepare(folder)
    port = int(read(folder, "port"))
    if running(folder) is None:
        with open(folder / "broker.log", "ab") as log:
            broker = subprocess.Popen(java("kafka.Kafka", folder / "server.properties"), stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, start_new_session=True)
        (folder / "pid").write_text(str(broker.pid))
    deadline = time.monotonic() + READY_S_MAX
    while not controller_answers(port):
        if time.monotonic() > deadline or running(folder) is None and not exec_pending(deadline):
            tail = (folder / "broker.log").read_text(errors="replace")[-2000:]
            halt(folder, signal.SIGKILL)
            fail(f"the broker did not answer within {READY_S_MAX} s; the end of its log:\n{tail}")
        time.sleep(0.1)
    return f"127.0.0.1:{port}"


def exec_pending(deadline):
    """In its first second the child may not have become java yet."""
    return deadline - time.monotonic() > READY_S_MAX - 1


def halt(folder, how):
    """Ends the broker of this folder and nothing else; SIGKILL follows where SIGTERM is not enough."""
    pid = running(folder)
    if pid is None:
        return
    os.kill(pid, how)
    deadline = time.monotonic() + STOP_S_MAX
    while running(folder) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += STOP_S_MAX
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        time.sleep(0.05)


def run(command):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="strowger-kafka-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bootstrap = start(folder)
        return subprocess.run(command, env={**os.environ, "KAFKA_BOOTSTRAP": bootstrap}).returncode
    finally:
        halt(folder, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    verb, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    folder = pathlib.Path(rest[0] if rest else KAFKA / "node").resolve()
    if verb == "start":
        print(f"KAFKA_BOOTSTRAP={start(folder)}")
    elif verb == "kill":
        halt(folder, signal.SIGKILL)
    elif verb == "stop":
        halt(folder, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)
    elif verb == "run" and rest:
        sys.exit(run(rest))
    elif verb == "fetch":
        fetch()
    else:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)


main()
