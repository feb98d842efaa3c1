"""Workloads that end, that run on every node, and what holds their volumes; ports forwarded to pods."""
import json
import re
import subprocess
import unittest
import urllib.request

from lib import clients
from lib.instance import InNamespace, run_id, wait_for

BUSYBOX = "/bin/busybox"


def shell(script):
    return {"name": "main", "image": "sample/web:1", "command": [BUSYBOX, "sh", "-c", script]}


class Workloads(InNamespace):
    def apply(self, *documents):
        self.k("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)}))

    def get(self, what, name):
        return json.loads(self.k("get", what, name, "-o", "json").stdout)

    def job(self, script, **spec):
        name = run_id()
        template = {"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [shell(script)]}}
        self.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {**spec, "template": template}})
        return name

    def pods_of(self, job):
        return self.k("get", "pods", "-l", f"job-name={job}", "-o", "name").stdout.split()

    def test_a_job_completes(self):
        name = self.job("echo done", completions=3, parallelism=2)
        self.k("wait", "--for=condition=Complete", f"job/{name}", "--timeout=60s")
        status = self.get("job", name)["status"]
        self.assertEqual((status["succeeded"], status.get("failed", 0), status.get("active", 0)), (3, 0, 0))
        self.assertRegex(self.k("get", "job", name).stdout, r"Complete\s+3/3")
        self.assertIn("done", self.k("logs", f"job/{name}").stdout)
        self.k("delete", "job", name, "--timeout=60s")
        wait_for("no pods", lambda: not self.pods_of(name), seconds=30)

    def test_a_job_fails_at_its_limit(self):
        name = self.job("exit 3", backoffLimit=0)
        self.k("wait", "--for=condition=Failed", f"job/{name}", "--timeout=60s")
        failed = [c for c in self.get("job", name)["status"]["conditions"] if c["type"] == "Failed"][0]
        self.assertEqual(failed["reason"], "BackoffLimitExceeded")

    def test_a_job_ends_at_its_deadline(self):
        name = self.job("sleep 600", activeDeadlineSeconds=2)
        self.k("wait", "--for=condition=Failed", f"job/{name}", "--timeout=60s")
        self.assertEqual(self.get("job", name)["status"]["conditions"][-1]["reason"], "DeadlineExceeded")

    def test_indexed_pods_know_their_number(self):
        name = self.job('echo "number $JOB_COMPLETION_INDEX"', completions=2, parallelism=2, completionMode="Indexed")
        self.k("wait", "--for=condition=Complete", f"job/{name}", "--timeout=60s")
        self.assertEqual(self.get("job", name)["status"]["completedIndexes"], "0,1")
        said = self.k("logs", "-l", f"job-name={name}").stdout
        self.assertEqual(sorted(said.split("\n")), ["", "number 0", "number 1"])

    def test_a_suspended_job_stops_and_goes_on(self):
        name = self.job("sleep 600")
        wait_for("its pod", lambda: self.get("job", name)["status"].get("ready") == 1, seconds=60)
        self.k("patch", "job", name, "--type=merge", "-p", '{"spec":{"suspend":true}}')
        wait_for("no pods", lambda: not self.pods_of(name), seconds=60)
        self.k("patch", "job", name, "--type=merge", "-p", '{"spec":{"suspend":false}}')
        wait_for("its pod again", lambda: self.get("job", name)["status"].get("ready") == 1, seconds=60)
        self.assertEqual(self.get("job", name)["status"].get("failed", 0), 0)

    def test_a_job_whose_time_is_over_goes(self):
        name = self.job("true", ttlSecondsAfterFinished=1)
        wait_for("no job", lambda: "NotFound" in self.k("get", "job", name, check=False).stderr, seconds=60)
        wait_for("no pods", lambda: not self.pods_of(name), seconds=30)

    def test_orphaned_pods_of_a_job_can_be_deleted(self):
        name = self.job("sleep 600")
        wait_for("its pod", lambda: self.pods_of(name), seconds=30)
        self.k("delete", "job", name, "--cascade=orphan", "--timeout=60s")
        self.k("delete", *self.pods_of(name), "--timeout=60s")

    def test_a_daemon_set_follows_its_template(self):
        name = run_id()

        def daemon(script):
            return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [shell(script)]}}}}
        self.apply(daemon("sleep 600"))
        self.k("rollout", "status", f"ds/{name}", "--timeout=60s")
        self.assertEqual(self.get("ds", name)["status"]["numberReady"], 1)
        self.apply(daemon("sleep 601"))
        self.k("rollout", "status", f"ds/{name}", "--timeout=60s")
        self.assertIn("sleep 601", self.k("get", "pods", "-l", f"app={name}", "-o", "yaml").stdout)
        self.assertRegex(self.k("rollout", "history", f"ds/{name}").stdout, r"2\s+<none>")
        self.k("rollout", "undo", f"ds/{name}")
        wait_for("the first template", lambda: "sleep 601" not in self.k("get", "pods", "-l", f"app={name}", "-o", "yaml").stdout, seconds=60)

    def test_claims_of_a_stateful_set_go_when_nobody_holds_them(self):
        name = run_id()
        self.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": {
            "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{**shell("sleep 600"), "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]}})
        wait_for("the claim", lambda: f"data-{name}-0" in self.k("get", "pvc", "-o", "name").stdout, seconds=30)
        self.k("delete", "sts", name, "--timeout=60s")
        self.k("delete", "pvc", f"data-{name}-0", "--timeout=60s")

    def test_a_quota_shows_what_is_used(self):
        name = run_id()
        self.k("create", "quota", name, "--hard=count/configmaps=50")
        wait_for("the figures", lambda: int(self.get("quota", name)["status"]["used"]["count/configmaps"]) >= 1, seconds=20)

    def test_a_pod_with_everything_reserved_runs(self):
        name = run_id()
        container = {**shell("sleep 600"), "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}}}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}})
        self.k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        self.assertEqual(self.get("pod", name)["status"]["qosClass"], "Guaranteed")

    def test_a_privileged_pod_gets_what_the_host_has(self):
        name = run_id()
        container = {**shell(f"{BUSYBOX} mount -t tmpfs none /tmp && echo mounted"), "securityContext": {"privileged": True, "runAsUser": 0}}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [container]}})
        wait_for("its word", lambda: "mounted" in self.k("logs", name).stdout, seconds=30)

    def test_any_user_listens_on_any_port_of_its_pod(self):
        name = run_id()
        container = {**shell(f"{BUSYBOX} timeout 1 {BUSYBOX} nc -l -p 80; echo code $?"), "securityContext": {"runAsUser": 1234}}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [container]}})
        wait_for("its end", lambda: re.search(r"code (124|143)", self.k("logs", name).stdout), seconds=30)

    def test_a_wall_that_is_not_offered_is_refused(self):
        name = run_id()
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"hostUsers": False, "containers": [shell("sleep 600")]}})
        wait_for("the reason", lambda: "hostUsers: false is not offered" in self.k("get", "pod", name, "-o", "yaml").stdout, seconds=30)
        refused = self.k("debug", name, "--image=sample/web:1", "--", BUSYBOX, "true", check=False)
        self.assertIn("--copy-to", refused.stderr)

    def test_http_goes_through_the_api_to_pods_and_services(self):
        name = run_id()
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [
            {"name": "main", "image": "sample/web:1", "readinessProbe": {"httpGet": {"path": "/plain", "port": 8080}, "periodSeconds": 1}}]}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
        self.k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        for path in (f"pods/{name}:8080", f"services/{name}:http", f"services/{name}"):
            wait_for(path, lambda p=path: "Hello" in self.k("get", "--raw", f"/api/v1/namespaces/{self.ns}/{p}/proxy/plain").stdout, seconds=20)

    def test_a_certificate_of_a_secret_is_shown_whatever_its_key(self):
        name = run_id()
        host = f"{name}.localhost"
        files = [str(self.atoll.home / f"{name}.{part}") for part in ("key", "crt")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host}",
                        "-keyout", files[0], "-out", files[1]], check=True, stderr=subprocess.DEVNULL)
        self.k("create", "secret", "tls", name, f"--key={files[0]}", f"--cert={files[1]}")
        self.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": {"tls": [{"hosts": [host], "secretName": name}], "rules": [
            {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "none", "port": {"number": 80}}}}]}}]}})
        port = self.atoll.settings["HTTPS_PORT"]

        def subject():
            return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        wait_for("the certificate", lambda: re.search(rf"subject=.*{name}", subject()), seconds=30)

    def test_what_the_api_wrote_into_a_pod_is_for_reading(self):
        name = run_id()
        self.k("create", "configmap", name, "--from-literal=a=b")
        container = {**shell("echo x > /config/a || echo refused"), "securityContext": {"runAsUser": 0}, "volumeMounts": [{"name": "c", "mountPath": "/config"}]}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "restartPolicy": "Never", "containers": [container], "volumes": [{"name": "c", "configMap": {"name": name}}]}})
        wait_for("its word", lambda: "refused" in self.k("logs", name).stdout, seconds=30)

    def test_the_output_of_a_short_interactive_pod_is_not_lost(self):
        for version in ("1.32", "1.35"):
            said = self.k("run", run_id(), "--image=sample/web:1", "--restart=Never", "-i", "--rm", "--quiet", "--command", "--",
                          BUSYBOX, "sh", "-c", "echo hello; sleep 1", version=version, stdin=subprocess.DEVNULL, timeout=60)
            self.assertIn("hello", said.stdout)

    def test_why_a_command_cannot_run_is_said(self):
        name = run_id()
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{**shell("exit 1")}]}})
        wait_for("back-off", lambda: "CrashLoopBackOff" in self.k("get", "pod", name).stdout, seconds=60)
        refused = self.k("exec", name, "--", BUSYBOX, "true", check=False)
        self.assertIn("is not running", refused.stderr)

    def test_ports_are_forwarded(self):
        name = run_id()
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [
            {"name": "main", "image": "sample/web:1", "readinessProbe": {"httpGet": {"path": "/plain", "port": 8080}, "periodSeconds": 1}}]}})
        self.k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        for version in ("1.32", "1.35"):
            forward = subprocess.Popen([clients.tool(f"kubectl-{version}"), "-n", self.ns, "port-forward", name, ":8080"], env=self.atoll.environment,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline()).group(1)
                for _ in range(5):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/plain", timeout=10) as answer:
                        self.assertIn(b"Hello", answer.read())
            finally:
                forward.terminate()
                forward.wait(10)
                forward.stdout.close()
        forward = subprocess.Popen([clients.tool("kubectl-1.35"), "-n", self.ns, "port-forward", name, ":9"], env=self.atoll.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            port = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline()).group(1)
            with self.assertRaises(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
            wait_for("the reason", lambda: "Connection refused" in forward.stdout.readline(), seconds=10)
        finally:
            forward.terminate()
            forward.wait(10)
            forward.stdout.close()


if __name__ == "__main__":
    unittest.main()
