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


def build_clients():
    folder = CLIENTS.parent
    run(["cmake", "--preset", "release", "-B", str(folder)], timeout=120, cwd=ROOT)
    run(["ninja", "-C", str(folder), "bench_programs"], timeout=600)


def row(what, figure, target="", peer=""):
    print(f"{what:<52} {figure:>20}   {('target ' + target) if target else '':<26} {peer}", flush=True)


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


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


def start_and_rest(atoll):
    samples = []
    for _ in range(5):
        old = atoll.pid("server")
        os.kill(old, signal.SIGKILL)
        begun = None
        while True:
            try:
                pid = atoll.pid("server")
                if pid != old and begun is None:
                    begun = time.monotonic()
                if begun and run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://127.0.0.1:{atoll.settings['API_PORT']}/readyz"],
                                 check=False).stdout == "200":
                    break
            except (ValueError, FileNotFoundError):
                pass
            time.sleep(0.002)
        samples.append(time.monotonic() - begun)
    row("process start → API ready (median of 5)", f"{statistics.median(samples) * 1000:.0f} ms", "300 ms")
    time.sleep(5)
    pids = {name: atoll.pid(name) for name in PROGRAMS}
    sizes = {name: resident_kib(pid) / 1024 for name, pid in pids.items()}
    row("resident memory, idle whole", f"{sum(sizes.values()):.1f} MiB", "60 MiB", " ".join(f"{n} {s:.1f}" for n, s in sizes.items()))
    before, begun = sum(map(cpu_seconds, pids.values())), time.monotonic()
    time.sleep(30)
    used = sum(map(cpu_seconds, pids.values())) - before
    row("CPU of the idle whole, 30 s", f"{100 * used / (time.monotonic() - begun):.2f} %", "0.2 % of a core")


def load(api, path, count, connections, streams, body=None):
    command = [CLIENTS / "bench_requests", "--port", str(api.port), "--pem", api.credentials, "--path", path,
               "--requests", str(count), "--connections", str(connections), "--streams", str(streams)]
    text = run(command + (["--body", body] if body else []), timeout=300).stdout
    failed, rate, p99 = re.search(r"(\d+) failed, (\d+)/s, .*p99 ([\d.]+) ms", text).groups()
    return float(rate), f"p99 {p99} ms, failed {failed}"


def requests(atoll, api, objects):
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
    path = "/api/v1/namespaces/bench/configmaps"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "b-"}, "data": {"value": "x" * 2800}}, body)
        body.flush()
        one, tail_one = load(api, path, 1000, 1, 1, body.name)
        many, tail_many = load(api, path, objects - 1000, 4, 16, body.name)
    peer_one, peer_many = etcd_puts()
    row("durable creates of 3 KB, one client", f"{one:.0f}/s", "3 000/s", f"{tail_one}; etcd puts: {peer_one}")
    row("durable creates of 3 KB, 64 streams", f"{many:.0f}/s", "12 000/s, p99 25 ms", f"{tail_many}; etcd puts: {peer_many}")
    name = api.call("GET", f"{path}?limit=1")["items"][0]["metadata"]["name"]
    rate, tail = load(api, f"{path}/{name}", 40000, 4, 16)
    row("GET one, 64 streams", f"{rate:.0f}/s", "40 000/s, p99 5 ms", tail)
    samples = []
    for _ in range(5):
        begun = time.monotonic()
        connection = api.connect()
        connection.request("GET", path)
        size = len(connection.getresponse().read())
        samples.append(time.monotonic() - begun)
        connection.close()
    row(f"LIST of {objects} objects ({size / 1e6:.0f} MB, TLS)", f"{statistics.median(samples) * 1000:.0f} ms", "60 ms")
    row("resident memory of the server then", f"{resident_kib(atoll.pid('server')) / 1024:.1f} MiB")


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


def pod(name, command):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "bench"},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": "sample/web:1", "command": command}]}}


class ReadyTimes(threading.Thread):
    """When each pod of the namespace became Ready, by watching."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.at = api, {}

    def run(self):
        connection = self.api.connect()
        connection.request("GET", "/api/v1/namespaces/bench/pods?watch=true")
        answer = connection.getresponse()
        while True:
            line = answer.readline()
            if not line:
                return
            object_ = json.loads(line)["object"]
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in object_.get("status", {}).get("conditions", []))
            if ready:
                self.at.setdefault(object_["metadata"]["name"], time.monotonic())


def pods(api, count):
    times = ReadyTimes(api)
    times.start()
    time.sleep(0.5)
    samples = []
    for number in range(count):
        name = f"p{number}"
        begun = time.monotonic()
        api.call("POST", "/api/v1/namespaces/bench/pods", pod(name, ["/bin/busybox", "sleep", "3600"]))
        wait_for("Ready", lambda n=name: n in times.at, 30, 0.001)
        samples.append(times.at[name] - begun)
    samples.sort()
    row(f"create → Ready, image present, {count} pods", f"p50 {samples[len(samples) // 2] * 1000:.0f} ms", "p50 25 ms, p99 100 ms",
        f"p99 {samples[int(len(samples) * 0.99)] * 1000:.0f} ms")


def memory_available_kib():
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))


def idle_pods(api, count):
    before, begun = memory_available_kib(), time.monotonic()
    for number in range(count):
        api.call("POST", "/api/v1/namespaces/bench/pods", pod(f"idle{number}", ["/bin/busybox", "sleep", "3600"]))

    def running():
        items = api.call("GET", "/api/v1/namespaces/bench/pods?fieldSelector=status.phase%3DRunning")["items"]
        return len([i for i in items if i["metadata"]["name"].startswith("idle")]) >= count
    wait_for(f"{count} pods", running, 300, 0.5)
    took = time.monotonic() - begun
    time.sleep(3)
    row(f"{count} idle pods, memory for each (MemAvailable)", f"{(before - memory_available_kib()) / 1024 / count:.2f} MiB", "0.95 MiB on hybrid cgroups")
    row(f"{count} pods, from the first POST to the last Running", f"{count / took:.0f} pods/s", "100/s")


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
        pods(api, options.pods)
        idle_pods(api, options.idle)
    finally:
        atoll.reset()


if __name__ == "__main__":
    main()
