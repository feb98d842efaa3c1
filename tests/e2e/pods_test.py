"""Pods that cannot run say why; limits, secrets, hooks and restarts as Kubernetes users know them."""
import json
import unittest

from lib.instance import InNamespace, run_id, wait_for


def pod(name, container, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "main", **container}], **spec}}


class Pods(InNamespace):
    def make(self, container, **spec):
        name = run_id()
        self.k("apply", "-f", "-", input=json.dumps(pod(name, container, **spec)))
        return name

    def status(self, name):
        return json.loads(self.k("get", "pod", name, "-o", "json").stdout)["status"]

    def waiting(self, name):
        return self.status(name)["containerStatuses"][0]["state"].get("waiting", {})

    def events(self, name):
        return self.k("get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "jsonpath={range .items[*]}{.reason}: {.message}{'\\n'}{end}").stdout

    def test_a_missing_image(self):
        name = self.make({"image": "registry.invalid/no/such:1"})
        wait_for("the reason", lambda: self.waiting(name).get("reason") in ("ErrImagePull", "ImagePullBackOff"), seconds=60)
        wait_for("the event", lambda: "Failed to pull image" in self.events(name), seconds=30)

    def test_a_pull_policy_of_never(self):
        name = self.make({"image": "not/here:1", "imagePullPolicy": "Never"})
        wait_for("the reason", lambda: self.waiting(name).get("reason") == "ErrImageNeverPull", seconds=30)

    def test_a_command_that_is_missing(self):
        name = self.make({"image": "sample/web:1", "command": ["/no/such/program"]})
        wait_for("the state", lambda: "no such file" in json.dumps(self.status(name)).lower(), seconds=30)

    def test_no_room(self):
        name = self.make({"image": "sample/web:1", "resources": {"requests": {"cpu": "1000"}}})
        wait_for("one sentence", lambda: "0/1 nodes are available: 1 Insufficient cpu" in self.events(name), seconds=30)
        self.assertEqual(self.status(name)["phase"], "Pending")

    def test_a_crash_loops_with_its_exit_code_and_last_words(self):
        name = self.make({"image": "sample/web:1", "command": ["/bin/busybox", "sh", "-c", "echo last words; exit 3"]})
        wait_for("back-off", lambda: self.waiting(name).get("reason") == "CrashLoopBackOff", seconds=60)
        last = self.status(name)["containerStatuses"][0]["lastState"]["terminated"]
        self.assertEqual((last["exitCode"], last["reason"]), (3, "Error"))
        self.assertIn("last words", self.k("logs", name, "--previous").stdout)

    def test_a_job_like_pod_completes(self):
        name = self.make({"image": "sample/web:1", "command": ["/bin/busybox", "true"]}, restartPolicy="Never")
        wait_for("success", lambda: self.status(name)["phase"] == "Succeeded", seconds=30)

    def test_out_of_memory_is_named(self):
        eater = "s=x; while true; do s=$s$s; done"
        name = self.make({"image": "sample/web:1", "command": ["/bin/busybox", "sh", "-c", eater], "resources": {"limits": {"memory": "32Mi"}}}, restartPolicy="Never")
        wait_for("the reason", lambda: self.status(name)["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled", seconds=60)

    def test_configuration_reaches_the_container(self):
        config = run_id()
        self.k("create", "configmap", config, "--from-literal=color=blue")
        self.k("create", "secret", "generic", config, "--from-literal=token=hidden")
        name = self.make(
            {"image": "sample/web:1", "command": ["/bin/busybox", "sleep", "600"],
             "env": [{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": config, "key": "color"}}},
                     {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}, {"name": "BOTH", "value": "$(COLOR)-$(WHERE)"}],
             "volumeMounts": [{"name": "s", "mountPath": "/secret"}, {"name": "e", "mountPath": "/scratch"}]},
            volumes=[{"name": "s", "secret": {"secretName": config}}, {"name": "e", "emptyDir": {}}], terminationGracePeriodSeconds=0)
        self.k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")

        def inside(*command):
            return self.k("exec", name, "--", "/bin/busybox", *command).stdout.strip()
        self.assertEqual(inside("sh", "-c", "echo $BOTH"), f"blue-{self.ns}")
        self.assertEqual(inside("cat", "/secret/token"), "hidden")
        self.assertEqual(inside("sh", "-c", "echo 1 > /scratch/f; cat /scratch/f"), "1")
        self.assertEqual(inside("cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"), self.ns)
        self.assertEqual(inside("hostname"), name)

    def test_a_container_is_walled_in(self):
        name = self.make({"image": "sample/web:1", "command": ["/bin/busybox", "sleep", "600"]}, terminationGracePeriodSeconds=0)
        self.k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        status = self.k("exec", name, "--", "/bin/busybox", "cat", "/proc/self/status").stdout
        self.assertRegex(status, r"Seccomp:\s+2")
        self.assertRegex(status, r"CapEff:\s+0{16}")  # the image's user is nobody
        self.assertRegex(status, r"CapBnd:\s+00000000a80425fb")
        denied = self.k("exec", name, "--", "/bin/busybox", "sh", "-c", "cat /proc/kcore | head -c 1 | wc -c; ls /proc/1/root/etc/shadow", check=False)
        self.assertNotIn("root:", denied.stdout)


if __name__ == "__main__":
    unittest.main()
