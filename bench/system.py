#!/usr/bin/env python3
"""Figures of a whole instance, started for the run in a folder of its own and removed afterwards.

Usage: bench/system.py [--objects 10000] [--pods 50] [--idle 200]
"""
import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPSConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lib.instance import Instance, run, wait_for  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = ROOT / "build/release/bin"
PROGRAMS = ("server", "agent", "keeper", "haproxy")
POSTERS = 8  # clients that create pods side by side


def build_clients():
    folder = CLIENTS.parent
    run(["cmake", "--preset", "release", "-B", str(folder)], timeout=120, cwd=ROOT)
    run(["ninja", "-C", str(folder), "bench_programs"], timeout=600)


def row(what, figure, target="", peer="", met=None):
    """`met`: whether the target is reached; None where there is none."""
    standing = "" if met is None else "met" if met else "NOT MET"
    print(f"{what:<54} {figure:>23}   {('target ' + target) if target else '':<26} {standing:<8} {peer}".rstrip(), flush=True)


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def proportional_kib(pid):
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))


def processes(atoll):
    """Every process of the instance by name: the supervisor too, and HAProxy's worker below its master."""
    pids = {name: atoll.pid(name) for name in PROGRAMS}
    supervise = str(atoll.home / "lib/atoll-supervise")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "exe").startswith(supervise):
                pids["supervise"] = int(folder.name)
            elif int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pids["haproxy"]:
                pids["haproxy worker"] = int(folder.name)
        except OSError:  # it ended
            continue
    return pids


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Api:
    """The API with the administrator's certificate, over HTTP/1.1."""

    def __init__(self, atoll):
        self.port = int(atoll.settings["API_PORT"])
        text = Path(atoll.kubeconfig).read_text()
        self.context = ssl.create_default_context(cadata=self.pem(text, "certificate-authority-data"))
        # Certificate and key in one file, for the clients in C++ too; goes with the instance.
        self.credentials = atoll.home / "bench.pem"
        self.credentials.touch(0o600)
        self.credentials.write_text(self.pem(text, "client-certificate-data") + self.pem(text, "client-key-data"))
        self.context.load_cert_chain(self.credentials)

    @staticmethod
    def pem(text, key):
        return base64.b64decode(re.search(key + r":\s*\"?([A-Za-z0-9+/=]+)", text).group(1)).decode()

    def connect(self):
        return HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=120)

    def call(self, method, path, body=None):
        connection = self.connect()
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {text[:300]}")
        return json.loads(text)


def restart(atoll):
    """Kills the server and waits for the next one; how long that took from its start to being ready."""
    old, begun = atoll.pid("server"), None
    os.kill(old, signal.SIGKILL)
    while True:
        try:
            if atoll.pid("server") != old and begun is None:
                begun = time.monotonic()
            if begun and run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://127.0.0.1:{atoll.settings['API_PORT']}/readyz"],
                             check=False).stdout == "200":
                return time.monotonic() - begun
        except (ValueError, FileNotFoundError):
            pass
        time.sleep(0.002)


def rested_kib(atoll):
    """What the server holds of the present objects, and nothing of what it did before."""
    restart(atoll)
    time.sleep(4)
    return resident_kib(atoll.pid("server"))


def start_and_rest(atoll):
    samples = [restart(atoll) for _ in range(5)]
    ready = statistics.median(samples) * 1000
    row("process start → API ready (median of 5)", f"{ready:.0f} ms", "300 ms", met=ready <= 300)
    time.sleep(35)
    pids = processes(atoll)
    before, begun = sum(map(cpu_seconds, pids.values())), time.monotonic()
    time.sleep(30)
    used = 100 * (sum(map(cpu_seconds, pids.values())) - before) / (time.monotonic() - begun)
    row("CPU of the idle whole, 30 s", f"{used:.2f} %", "0.2 % of a core", met=used <= 0.2)
    sizes = {name: resident_kib(pid) / 1024 for name, pid in pids.items()}
    own = sum(size for name, size in sizes.items() if not name.startswith("haproxy"))
    row("resident memory, idle, Atoll's own programs", f"{own:.1f} MiB", "60 MiB", " ".join(f"{n} {s:.1f}" for n, s in sizes.items()), own <= 60)
    whole, proportional = sum(sizes.values()), sum(map(proportional_kib, pids.values())) / 1024
    row("… with both processes of HAProxy", f"{whole:.1f} MiB", "60 MiB", f"shared pages counted once: {proportional:.1f} MiB", whole <= 60)


def load(api, path, count, connections, streams, body=None):
    command = [CLIENTS / "bench_requests", "--port", str(api.port), "--pem", api.credentials, "--path", path,
               "--requests", str(count), "--connections", str(connections), "--streams", str(streams)]
    text = run(command + (["--body", body] if body else []), timeout=300).stdout
    failed, rate, p50, p99 = re.search(r"(\d+) failed, (\d+)/s, p50 ([\d.]+) ms, p99 ([\d.]+) ms", text).groups()
    return float(rate), f"p99 {p99} ms, failed {failed}", float(p50)


def requests(atoll, api, objects):
    before = rested_kib(atoll)
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
    path = "/api/v1/namespaces/bench/configmaps"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "b-"}, "data": {"value": "x" * 2800}}, body)
        body.flush()
        one, tail_one, _ = load(api, path, 1000, 1, 1, body.name)
        many, tail_many, _ = load(api, path, objects - 1000, 4, 16, body.name)
    peer_one, peer_many = etcd_puts()
    row("durable creates of 3 KB, one client", f"{one:.0f}/s", "3 000/s", f"{tail_one}; etcd puts: {peer_one}", one >= 3000)
    row("durable creates of 3 KB, 64 streams", f"{many:.0f}/s", "12 000/s, p99 25 ms", f"{tail_many}; etcd puts: {peer_many}", many >= 12000)
    name = api.call("GET", f"{path}?limit=1")["items"][0]["metadata"]["name"]
    rate, tail, _ = load(api, f"{path}/{name}", 40000, 4, 16)
    row("GET one, 64 streams", f"{rate:.0f}/s", "40 000/s, p99 5 ms", tail, rate >= 40000)
    connection = api.connect()
    connection.request("GET", path)
    size = len(connection.getresponse().read())
    connection.close()
    _, tail, half = load(api, path, 15, 1, 1)
    row(f"LIST of {objects} objects ({size / 1e6:.0f} MB, TLS)", f"{half:.0f} ms", "60 ms", tail, half <= 60)
    row("resident memory of the server then", f"{resident_kib(atoll.pid('server')) / 1024:.1f} MiB")
    ratio = (rested_kib(atoll) - before) * 1024 / size
    row("memory of each object, after a restart", f"{ratio:.2f} x its JSON", "1.5 x", met=ratio <= 1.5)


def watchers(atoll, api):
    command = [CLIENTS / "bench_watch_fanout", "--port", str(api.port), "--pem", api.credentials]
    with etcd() as peer:
        for count in (4000, 1000):
            # Memory is compared once, before anything was freed that watchers could take again.
            memory = ["--pid", str(atoll.pid("server"))] if count == 4000 else []
            print(run([*command, "--watchers", str(count), *memory, *(["--etcd", "23790"] if peer else [])], timeout=300).stdout, end="", flush=True)


@contextlib.contextmanager
def etcd():
    """Debian's etcd on the same disk, where it is installed; gives whether it is."""
    if not shutil.which("etcd"):
        yield False
        return
    folder = tempfile.mkdtemp(prefix="atoll-bench-etcd-")
    process = subprocess.Popen(["etcd", "--data-dir", folder, "--listen-client-urls", "http://127.0.0.1:23790", "--advertise-client-urls",
                                "http://127.0.0.1:23790", "--listen-peer-urls", "http://127.0.0.1:23800"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("etcd", lambda: run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:23790/health"], check=False).stdout == "200", 20)
        yield True
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def etcd_puts():
    """Puts of 3 KB by one client and by 64, through etcd's JSON gateway by h2load."""
    with etcd() as installed, tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        if not installed:
            return "not installed", "not installed"
        body.write(json.dumps({"key": base64.b64encode(b"bench").decode(), "value": base64.b64encode(b"x" * 3000).decode()}))
        body.flush()
        rates = []
        for clients, count in ((1, 1000), (64, 8000)):
            text = run(["h2load", "--h1", "-n", str(count), "-c", str(clients), "-d", body.name, "http://127.0.0.1:23790/v3/kv/put"], timeout=120).stdout
            rates.append(re.search(r"([\d.]+) req/s", text).group(1) + "/s")
        return tuple(rates)


SLEEP = ["/bin/busybox", "sleep", "3600"]
ENDS_WHEN_TOLD = ["/bin/busybox", "sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]


def pod(name, command, grace=0):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "bench"},
            "spec": {"terminationGracePeriodSeconds": grace, "containers": [{"name": "main", "image": "sample/web:1", "command": command}]}}


class PodTimes(threading.Thread):
    """When a watch first showed each pod of the namespace with all containers running, Ready, and gone."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.changed = api, threading.Condition()
        self.at = {"running": {}, "ready": {}, "gone": {}}

    def run(self):
        connection = self.api.connect()
        connection.request("GET", "/api/v1/namespaces/bench/pods?watch=true")
        answer = connection.getresponse()
        while line := answer.readline():
            now, event = time.monotonic(), json.loads(line)
            status, name = event["object"].get("status", {}), event["object"]["metadata"]["name"]
            containers = status.get("containerStatuses", [])
            seen = {"running": containers and all("running" in c["state"] for c in containers),
                    "ready": any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])),
                    "gone": event["type"] == "DELETED"}
            with self.changed:
                for what, is_so in seen.items():
                    if is_so:
                        self.at[what].setdefault(name, now)
                self.changed.notify_all()

    def wait(self, what, names, seconds=60):
        """The last of their times."""
        with self.changed:
            if not self.changed.wait_for(lambda: all(n in self.at[what] for n in names), seconds):
                raise AssertionError(f"not {what} within {seconds} s: {[n for n in names if n not in self.at[what]][:5]}")
            return max(self.at[what][n] for n in names)


class Kept:
    """A client that keeps its connection, as controllers do."""

    def __init__(self, api):
        self.connection = api.connect()

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {text[:300]}")


def share(samples, part):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * part))] * 1000


def pods(api, times, count):
    """One after another, each alone on its way."""
    client, names = Kept(api), [f"p{number}" for number in range(count)]
    running, ready, gone = [], [], []
    for name in names:
        begun = time.monotonic()
        client.call("POST", "/api/v1/namespaces/bench/pods", pod(name, ENDS_WHEN_TOLD, grace=30))
        running.append(times.wait("running", [name]) - begun)
        ready.append(times.wait("ready", [name]) - begun)
        time.sleep(0.05)
    for name in names:
        begun = time.monotonic()
        client.call("DELETE", f"/api/v1/namespaces/bench/pods/{name}")
        gone.append(times.wait("gone", [name]) - begun)
        time.sleep(0.05)
    for what, samples, p50, p99 in (("create → containers running", running, 25, 100), ("create → Ready", ready, 25, 100),
                                    ("delete → gone, of what ends when told", gone, 20, None)):
        half, most = share(samples, 0.5), share(samples, 0.99)
        row(f"{what}, {count} pods", f"p50 {half:.0f} ms, p99 {most:.0f} ms", f"p50 {p50} ms" + (f", p99 {p99} ms" if p99 else ""),
            met=half <= p50 and (p99 is None or most <= p99))


def memory_available_kib():
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))


def idle_pods(atoll, api, times, count):
    """Created by several clients at once."""
    names = [f"idle{number}" for number in range(count)]

    def create(part):
        client = Kept(api)
        for name in part:
            client.call("POST", "/api/v1/namespaces/bench/pods", pod(name, SLEEP))

    pids = {name: atoll.pid(name) for name in ("server", "agent", "keeper")}
    used = {name: cpu_seconds(pid) for name, pid in pids.items()}
    before, begun = memory_available_kib(), time.monotonic()
    clients = [threading.Thread(target=create, args=(names[i::POSTERS],)) for i in range(POSTERS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    rate = count / (times.wait("running", names, 300) - begun)
    cost = " ".join(f"{name} {1000 * (cpu_seconds(pid) - used[name]) / count:.1f}" for name, pid in pids.items())
    row(f"{count} pods, from the first POST to the last running", f"{rate:.0f} pods/s", "100/s", f"CPU ms a pod: {cost}", rate >= 100)
    time.sleep(3)
    each = (before - memory_available_kib()) / 1024 / count
    row(f"{count} idle pods, memory for each (MemAvailable)", f"{each:.2f} MiB", "0.95 MiB on hybrid cgroups", met=each <= 0.95)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=10000)
    parser.add_argument("--pods", type=int, default=50)
    parser.add_argument("--idle", type=int, default=200)
    options = parser.parse_args()
    build_clients()
    atoll = Instance()
    try:
        atoll.up("--sample")
        atoll.kubectl("delete", "namespace", "sample", "--timeout=60s")
        api = Api(atoll)
        start_and_rest(atoll)
        watchers(atoll, api)
        requests(atoll, api, options.objects)
        times = PodTimes(api)
        times.start()
        time.sleep(0.5)
        pods(api, times, options.pods)
        idle_pods(atoll, api, times, options.idle)
    finally:
        atoll.reset()


if __name__ == "__main__":
    main()
