"""kill -9 of any program at random moments, and rolling updates under load: nothing is lost, nobody notices."""
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import unittest

from lib import clients
from lib.instance import InNamespace, run, run_id, wait_for

ROUNDS = {"full": 100}.get(os.environ.get("ATOLL_TEST_MODE", "ci"), 20)


class Writer(threading.Thread):
    """Creates ConfigMaps one after the other and remembers which ones were acknowledged."""

    def __init__(self, atoll, ns):
        super().__init__(daemon=True)
        self.atoll, self.ns, self.acknowledged, self.stopping = atoll, ns, [], threading.Event()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            name = f"w{number}"
            try:
                done = self.atoll.kubectl("-n", self.ns, "create", "configmap", name, f"--from-literal=n={number}", check=False, timeout=30)
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0:
                self.acknowledged.append((name, str(number)))


class Informer(threading.Thread):
    """A watch that goes on from the last revision it saw whenever it ends, as informers do."""

    def __init__(self, atoll, ns):
        super().__init__()
        self.atoll, self.path = atoll, f"/api/v1/namespaces/{ns}/configmaps"
        first = json.loads(atoll.kubectl("get", "--raw", self.path).stdout)
        self.revision = first["metadata"]["resourceVersion"]
        self.seen, self.errors, self.watches = {}, [], 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            self.watches += 1
            with subprocess.Popen([clients.tool("kubectl-1.35"), "get", "--raw", f"{self.path}?watch=true&timeoutSeconds=5&resourceVersion={self.revision}"],
                                  env=self.atoll.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                for line in process.stdout:
                    self.take(line)
            self.stopping.wait(0.05)

    def take(self, line):
        try:
            event = json.loads(line)
        except ValueError:
            return  # cut in the middle by the end of the server: it comes again
        if event["type"] == "ERROR":
            self.errors.append(event["object"])
            return
        metadata = event["object"]["metadata"]
        self.revision = metadata["resourceVersion"]
        if event["type"] == "ADDED":
            self.seen[metadata["name"]] = self.seen.get(metadata["name"], 0) + 1


class Faults(InNamespace):
    def containers(self):
        pods = json.loads(self.atoll.kubectl("get", "pods", "-n", "sample", "-o", "json").stdout)["items"]
        return {p["metadata"]["uid"]: [(c["containerID"], c["restartCount"]) for c in p["status"]["containerStatuses"]] for p in pods}

    def healthy(self):
        ready = self.atoll.kubectl("get", "--raw", "/readyz", check=False, timeout=10)
        return ready.returncode == 0 and self.atoll.curl("hello.localhost", "/plain", check=False, timeout=15).returncode == 0

    def test_kill_9_at_random_moments(self):
        seed = int(time.time())
        print(f"    seed {seed}, {ROUNDS} rounds", flush=True)
        choose = random.Random(seed)
        self.k("run", "late", "--image=sample/web:1", "--restart=Never", "--command", "--", "/bin/busybox", "sh", "-c", "sleep 15; exit 42")
        before = self.containers()
        informer = Informer(self.atoll, self.ns)
        informer.start()
        writer = Writer(self.atoll, self.ns)
        writer.start()
        try:
            for _ in range(ROUNDS):
                victim = choose.choice(["server", "agent", "haproxy", "supervise"])
                if victim == "supervise":
                    pid = self.supervise_pid()
                else:
                    pid = wait_for(f"{victim} to run", lambda v=victim: self.atoll.pid(v), seconds=30, every=0.02)
                os.kill(pid, signal.SIGKILL)
                if victim == "supervise":
                    time.sleep(choose.uniform(0, 0.2))
                    self.atoll.up()  # as systemd or a person would
                time.sleep(choose.uniform(0, 0.5))
                wait_for(f"health after kill -9 of {victim}", self.healthy, seconds=30)
        finally:
            writer.stopping.set()
            writer.join(60)
            time.sleep(1)
            informer.stopping.set()
            informer.join(30)
        self.assertGreater(len(writer.acknowledged), ROUNDS)
        stored = {c["metadata"]["name"]: c.get("data", {}).get("n") for c in json.loads(self.k("get", "configmaps", "-o", "json").stdout)["items"]}
        lost = [name for name, value in writer.acknowledged if stored.get(name) != value]
        self.assertEqual(lost, [], "acknowledged objects are lost")
        self.assertEqual(informer.errors, [], "a watch could not resume")
        unseen = [name for name, _ in writer.acknowledged if informer.seen.get(name) != 1]
        self.assertEqual(unseen, [], "a resumed watch missed objects, or told them twice")
        self.assertEqual(self.containers(), before, "a container was restarted")
        wait_for("the exit code", lambda: self.k("get", "pod", "late", "-o", "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}").stdout == "42",
                 seconds=60)
        print(f"    {len(writer.acknowledged)} acknowledged objects, none lost; {informer.watches} watches saw each once", flush=True)

    def supervise_pid(self):
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                words = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/atoll-supervise") and str(self.atoll.home).encode() in words:
                return int(entry)
        raise AssertionError("no atoll-supervise runs")

    def test_a_watch_resumes_after_the_server_was_killed(self):
        path = f"/api/v1/namespaces/{self.ns}/configmaps"
        seen = json.loads(self.k("get", "--raw", path).stdout)["metadata"]["resourceVersion"]
        before, after = run_id(), run_id()
        self.k("create", "configmap", before)
        os.kill(self.atoll.pid("server"), signal.SIGKILL)
        wait_for("health", self.healthy, seconds=30)
        self.k("create", "configmap", after)
        # What an informer does: it goes on from the last revision it saw.
        events = self.k("get", "--raw", f"{path}?watch=true&resourceVersion={seen}&timeoutSeconds=2").stdout.splitlines()
        added = [json.loads(e)["object"]["metadata"]["name"] for e in events if json.loads(e)["type"] == "ADDED"]
        self.assertLess(added.index(before), added.index(after))

    def test_a_rolling_update_under_load_drops_no_request(self):
        name = run_id()
        host = f"{name}.localhost"
        self.k("create", "deployment", name, "--image=sample/web:1", "--replicas=2", "--port=8080")
        self.k("patch", "deployment", name, "--type=json", "-p", json.dumps([{
            "op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
            "value": {"httpGet": {"path": "/plain", "port": 8080}, "periodSeconds": 1}}]))
        self.k("expose", "deployment", name, "--port=80", "--target-port=8080")
        self.k("create", "ingress", name, f"--rule={host}/*={name}:80")
        self.k("rollout", "status", f"deploy/{name}", "--timeout=60s")
        wait_for("the URL", lambda: self.atoll.curl(host, "/plain", False, "-f").stdout.startswith("Hello"), seconds=30)
        port = self.atoll.settings["HTTP_PORT"]
        load = subprocess.Popen(["wrk", "-t1", "-c8", "-d12s", "--timeout", "5s", "-H", f"Host: {host}", f"http://127.0.0.1:{port}/plain"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        for step in range(2):
            self.k("set", "env", f"deploy/{name}", f"STEP={step}")
            self.k("rollout", "status", f"deploy/{name}", "--timeout=60s")
        report, _ = load.communicate(timeout=60)
        print("    " + re.search(r"\d+ requests in .*", report).group(0), flush=True)
        self.assertNotIn("Non-2xx", report, report)
        self.assertNotIn("Socket errors", report, report)


if __name__ == "__main__":
    unittest.main()
