"""Unmodified kubectl, two versions of it: what a user does with one application in a day."""
import re
import subprocess
import unittest

from lib import clients
from lib.instance import run_id, shared, wait_for

APPLICATION = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: sample/web:1
          env: [{name: REDIS_HOST, value: redis.sample}]
          readinessProbe: {httpGet: {path: /plain, port: 8080}, periodSeconds: 1}
"""


class Kubectl:
    """Mixed into one class for each version."""

    version = ""

    @classmethod
    def setUpClass(cls):
        cls.atoll = shared()
        cls.ns = run_id()
        cls.k("create", "namespace", cls.ns)
        cls.apply(APPLICATION)
        cls.k("rollout", "status", "deploy/web", "-n", cls.ns, "--timeout=60s")

    @classmethod
    def tearDownClass(cls):
        cls.k("delete", "namespace", cls.ns, "--timeout=60s")

    @classmethod
    def k(cls, *arguments, **options):
        return cls.atoll.kubectl(*arguments, version=cls.version, **options)

    @classmethod
    def apply(cls, manifest, *arguments, **options):
        return cls.k("apply", "-f", "-", *arguments, input=manifest.replace("NS", cls.ns), **options)

    def out(self, *arguments, **options):
        return self.k("-n", self.ns, *arguments, **options).stdout

    def test_apply_again_changes_nothing(self):
        self.assertIn("unchanged", self.apply(APPLICATION).stdout)

    def test_get_in_every_form(self):
        self.assertRegex(self.out("get", "deploy", "web"), r"NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE\nweb\s+1/1")
        self.assertRegex(self.out("get", "pods", "-o", "wide"), r"NODE.*\n.*1/1\s+Running")
        self.assertIn("kind: Deployment", self.out("get", "deploy", "web", "-o", "yaml"))
        self.assertEqual(self.out("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), "sample/web:1")
        self.assertEqual(self.out("get", "pods", "-l", "app=none", "-o", "name"), "")

    def test_watch_shows_changes(self):
        name = run_id()
        watch = subprocess.Popen([clients.tool(f"kubectl-{self.version}"), "get", "configmaps", "-w", "-n", self.ns, "-o", "name"],
                                 env=self.atoll.environment, stdout=subprocess.PIPE, text=True)
        try:
            self.assertTrue(watch.stdout.readline().startswith("configmap/"))  # what is there already
            self.out("create", "configmap", name, "--from-literal=a=b")
            while watch.stdout.readline().strip() != f"configmap/{name}":
                self.assertIsNone(watch.poll(), "the watch ended")
        finally:
            watch.terminate()
            watch.wait(10)
            watch.stdout.close()

    def test_describe_tells_the_story(self):
        pod = self.out("get", "pods", "-l", "app=web", "-o", "name").split()[0]
        story = self.out("describe", pod)
        for word in ("Scheduled", "Pulled", "Created", "Started", "Ready", "sample/web:1"):
            self.assertIn(word, story)

    def test_logs_follow(self):
        logs = self.out("logs", "deploy/web")
        self.assertIn("listening on 8080", logs)
        follow = subprocess.Popen([clients.tool(f"kubectl-{self.version}"), "logs", "-f", "deploy/web", "-n", self.ns, "--tail=1"],
                                  env=self.atoll.environment, stdout=subprocess.PIPE, text=True)
        try:
            self.assertTrue(follow.stdout.readline())
            self.assertIn("GET /plain", follow.stdout.readline())  # the probe, each second
        finally:
            follow.terminate()
            follow.wait(10)
            follow.stdout.close()

    def test_exec_with_and_without_a_terminal(self):
        self.assertEqual(self.out("exec", "deploy/web", "--", "/bin/busybox", "echo", "hello"), "hello\n")
        echoed = self.out("exec", "-i", "deploy/web", "--", "/bin/busybox", "cat", input="through stdin")
        self.assertEqual(echoed, "through stdin")
        failed = self.k("exec", "-n", self.ns, "deploy/web", "--", "/bin/busybox", "sh", "-c", "exit 7", check=False)
        self.assertEqual(failed.returncode, 7)
        command = f"{clients.tool(f'kubectl-{self.version}')} exec -it deploy/web -n {self.ns} -- /bin/busybox tty"

        for _ in range(5):  # a command that is over at once has had a terminal, too
            done = subprocess.run(["script", "-qec", command, "/dev/null"], env=self.atoll.environment, stdout=subprocess.PIPE, text=True,
                                  timeout=30, stdin=subprocess.DEVNULL, check=False)
            self.assertRegex(done.stdout, r"/dev/(pts/\d+|console)", self.atoll.log("agent", 5))

    def test_scale_and_wait(self):
        self.out("scale", "deploy/web", "--replicas=3")
        self.out("rollout", "status", "deploy/web", "--timeout=60s")
        self.assertEqual(self.out("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}"), "3")
        self.out("scale", "deploy/web", "--replicas=1")
        self.out("wait", "--for=jsonpath={.status.replicas}=1", "deploy/web", "--timeout=60s")

    def test_set_env_rolls_out_undo_and_restart(self):
        before = self.out("get", "rs", "-o", "name").split()
        self.out("set", "env", "deploy/web", f"ROUND={run_id()}")
        self.out("rollout", "status", "deploy/web", "--timeout=60s")
        self.assertGreater(len(self.out("get", "rs", "-o", "name").split()), len(before))
        self.assertIn("ROUND=", self.out("exec", "deploy/web", "--", "/bin/busybox", "env"))
        self.out("rollout", "undo", "deploy/web")
        self.out("rollout", "status", "deploy/web", "--timeout=60s")
        wait_for("the old pod alone", lambda: "ROUND=" not in self.out("exec", "deploy/web", "--", "/bin/busybox", "env"), seconds=60)
        self.out("rollout", "restart", "deploy/web")
        self.out("rollout", "status", "deploy/web", "--timeout=60s")
        self.assertRegex(self.out("rollout", "history", "deploy/web"), r"REVISION\s+CHANGE-CAUSE")

    def test_create_deployment_and_configmap_and_delete(self):
        name = run_id()
        self.out("create", "deployment", name, "--image=sample/redis:7")
        self.out("wait", "--for=condition=Available", f"deploy/{name}", "--timeout=60s")
        self.out("create", "configmap", name, "--from-literal=key=value")
        self.assertEqual(self.out("get", "cm", name, "-o", "jsonpath={.data.key}"), "value")
        self.out("delete", "deploy,cm", name, "--timeout=60s")
        wait_for("no pods", lambda: self.out("get", "pods", "-l", f"app={name}", "-o", "name") == "", seconds=60)

    def test_explain_api_resources_and_diff(self):
        self.assertIn("FIELD: replicas <integer>", self.k("explain", "deployment.spec.replicas").stdout)
        self.assertRegex(self.k("api-resources").stdout, r"deployments\s+deploy\s+apps/v1\s+true\s+Deployment")
        changed = APPLICATION.replace("replicas: 1", "replicas: 2").replace("NS", self.ns)
        diff = self.k("diff", "-f", "-", input=changed, check=False)
        self.assertEqual(diff.returncode, 1, diff.stderr)
        self.assertRegex(diff.stdout, r"\+\s+replicas: 2")

    def test_server_side_apply_names_conflicts_and_can_be_forced(self):
        name = run_id()
        config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: NS}}\ndata: {{a: '1', b: '1'}}\n"
        self.apply(config, "--server-side", "--field-manager=one")
        refused = self.apply(config.replace("a: '1'", "a: '2'"), "--server-side", "--field-manager=two", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('conflict with "one": .data.a', refused.stderr)
        self.apply(config.replace("a: '1'", "a: '2'"), "--server-side", "--field-manager=two", "--force-conflicts")
        self.assertEqual(self.out("get", "cm", name, "-o", "jsonpath={.data.a}"), "2")
        # What nobody applies any more goes.
        self.apply(config.replace("a: '2', ", "").replace("a: '1', ", "").replace("b: '1'", "c: '1'"), "--server-side", "--field-manager=one", "--force-conflicts")
        left = self.out("get", "cm", name, "-o", "jsonpath={.data}")
        self.assertIn('"a":"2"', left)

    def test_a_wrong_object_is_refused_in_kubectls_words(self):
        bad = APPLICATION.replace("replicas: 1", "replicas: -1").replace("name: web,", "name: bad,")
        refused = self.apply(bad, check=False)
        self.assertRegex(refused.stderr, r'The Deployment "bad" is invalid: spec.replicas: Invalid value: -1')
        unknown = self.apply(APPLICATION.replace("replicas: 1", "replica: 1"), check=False)
        self.assertRegex(unknown.stderr, re.compile(r'unknown field "spec.replica"'))


class Kubectl132(Kubectl, unittest.TestCase):
    version = "1.32"


class Kubectl135(Kubectl, unittest.TestCase):
    version = "1.35"


if __name__ == "__main__":
    unittest.main()
