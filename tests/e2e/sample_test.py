"""The sample application: from one command to a URL, as a new user meets it."""
import unittest

from lib.instance import shared, wait_for


class Sample(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.atoll = shared()

    def test_the_url_answers_and_counts_in_redis(self):
        first = self.atoll.curl("hello.localhost").stdout
        self.assertIn("Hello from Atoll: visit", first)
        second = self.atoll.curl("hello.localhost").stdout
        visits = [int(text.split("visit ")[1].split(",")[0]) for text in (first, second)]
        self.assertEqual(visits[1], visits[0] + 1)

    def test_https_answers_with_the_default_certificate(self):
        answer = self.atoll.curl("hello.localhost", "/plain", True, "-k")
        self.assertEqual(answer.stdout, "Hello from Atoll\n")

    def test_an_unknown_host_is_404_and_says_what_to_do(self):
        answer = self.atoll.curl("nobody.localhost", "/", False, "-w", "%{http_code}")
        self.assertTrue(answer.stdout.endswith("404"), answer.stdout)
        self.assertIn("Ingress", answer.stdout)

    def test_up_again_is_idempotent_and_prints_the_same_addresses(self):
        again = self.atoll.up()
        lines = dict(line.split(": ", 1) for line in again.stdout.splitlines() if line.startswith(("api: ", "kubeconfig: ", "gateway: ")))
        self.assertEqual(lines["kubeconfig"], self.atoll.kubeconfig)
        self.assertEqual(lines["api"], f"https://127.0.0.1:{self.atoll.settings['API_PORT']}")
        status = self.atoll.up("--status")
        self.assertEqual([l for l in status.stdout.splitlines() if l.startswith("api: ")], [f"api: {lines['api']}"])

    def test_pods_are_ready_and_redis_was_found_by_name(self):
        pods = self.atoll.kubectl("get", "pods", "-n", "sample", "-o", "jsonpath={.items[*].status.phase}").stdout
        self.assertEqual(set(pods.split()), {"Running"})
        pod = self.atoll.kubectl("get", "pods", "-n", "sample", "-l", "app=web", "-o", "name").stdout.split()[0]
        resolv = self.atoll.kubectl("exec", "-n", "sample", pod, "--", "/bin/busybox", "cat", "/etc/resolv.conf").stdout
        self.assertIn("search sample.svc.cluster.local svc.cluster.local cluster.local", resolv)
        lookup = self.atoll.kubectl("exec", "-n", "sample", pod, "--", "/bin/busybox", "nslookup", "redis.sample.svc.cluster.local").stdout
        address = self.atoll.kubectl("get", "service", "redis", "-n", "sample", "-o", "jsonpath={.spec.clusterIP}").stdout
        self.assertIn(address, lookup)

    def test_the_cli_gets_a_person_on_without_kubectl(self):
        self.assertIn("redis", self.atoll.atoll("get", "pods", "-n", "sample").stdout)
        self.assertIn("sample/web:1", self.atoll.atoll("image", "list").stdout)
        self.assertIn("listening on 8080", self.atoll.atoll("logs", "deploy/web", "-n", "sample", "--tail", "1000").stdout)
        self.assertEqual(self.atoll.atoll("exec", "deploy/web", "-n", "sample", "--", "/bin/busybox", "echo", "hi").stdout, "hi\n")
        self.assertEqual(self.atoll.atoll("exec", "deploy/web", "-n", "sample", "--", "/bin/busybox", "false", check=False).returncode, 1)
        self.assertEqual(self.atoll.atoll("get", "pod", "none", check=False).returncode, 3)
        self.assertEqual(self.atoll.atoll("get", check=False).returncode, 2)
        wait_for("a healthy doctor", lambda: self.atoll.atoll("doctor"), seconds=10)


if __name__ == "__main__":
    unittest.main()
