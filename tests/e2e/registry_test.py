"""Images from a real registry: pulled by tag and digest, with credentials, and refused when they are not what they claim."""
import json
import unittest

from lib.instance import run_id, shared, wait_for
from lib.registry import Registry


class Pulls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.atoll = shared()
        cls.open = Registry()
        cls.addClassCleanup(cls.open.close)
        cls.closed = Registry(user="ann", password="sesame")
        cls.addClassCleanup(cls.closed.close)
        cls.ns = run_id()
        cls.atoll.kubectl("create", "namespace", cls.ns)
        cls.addClassCleanup(cls.atoll.kubectl, "delete", "namespace", cls.ns, "--wait=false")

    def k(self, *arguments, **options):
        return self.atoll.kubectl("-n", self.ns, *arguments, **options)

    def run_pod(self, image, **spec):
        name = run_id()
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
               "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "a", "image": image}], **spec}}
        self.k("apply", "-f", "-", input=json.dumps(pod))
        return name

    def waiting(self, pod):
        state = json.loads(self.k("get", "pod", pod, "-o", "json").stdout)["status"]["containerStatuses"][0]["state"]
        return state["waiting"]

    def runs(self, pod, greeting):
        wait_for(f"{pod} to print", lambda: self.k("logs", pod).stdout == greeting + "\n", seconds=30)

    def fails(self, pod, reason):
        """Both words that kubectl's users know, and why."""
        wait_for("ErrImagePull", lambda: self.waiting(pod)["reason"] in ("ErrImagePull", "ImagePullBackOff"), seconds=30)
        self.assertRegex(self.waiting(pod)["message"].lower(), reason)
        wait_for("ImagePullBackOff", lambda: self.waiting(pod)["reason"] == "ImagePullBackOff", seconds=30)
        events = self.k("get", "events", "--field-selector", f"involvedObject.name={pod}", "-o", "json").stdout
        messages = [e["message"] for e in json.loads(events)["items"] if e["reason"] == "Failed"]
        self.assertRegex(" ".join(messages).lower(), f"failed to pull image .*({reason})")
        self.k("delete", "pod", pod, "--wait=false")

    def test_by_the_command_by_tag_and_by_digest(self):
        digest = self.open.push("team/app", "v1", "hello from v1")
        ref = self.open.ref("team/app:v1")
        self.assertEqual(self.atoll.atoll("image", "pull", ref).stdout, f"pulled {ref} {digest}\n")
        self.assertIn(ref, self.atoll.atoll("image", "list").stdout)
        self.runs(self.run_pod(ref), "hello from v1")
        by_digest = self.open.ref(f"team/app@{digest}")
        pod = self.run_pod(by_digest)
        self.runs(pod, "hello from v1")
        self.assertTrue(self.k("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].imageID}").stdout.endswith(digest))

    def test_a_pod_pulls_what_is_not_there_and_always_means_always(self):
        self.open.push("team/moving", "latest", "first")
        ref = self.open.ref("team/moving:latest")
        self.runs(self.run_pod(ref), "first")
        self.open.push("team/moving", "latest", "second")
        self.runs(self.run_pod(ref), "second")  # :latest is pulled each time
        self.assertIn("Successfully pulled", self.k("get", "events").stdout)

    def test_a_missing_tag_and_a_missing_repository(self):
        self.open.push("team/app", "v1", "hello from v1")
        self.fails(self.run_pod(self.open.ref("team/app:none")), r"none.*not found|manifest unknown")
        self.fails(self.run_pod(self.open.ref("team/nothing:v1")), r"not found|manifest unknown|name unknown")
        done = self.atoll.atoll("image", "pull", self.open.ref("team/app:none"), check=False)
        self.assertEqual(done.returncode, 3, done.stderr)

    def test_nobody_listens(self):
        closed = Registry()
        ref = closed.ref("a:b")
        closed.close()
        self.fails(self.run_pod(ref), "connection refused")

    def test_credentials(self):
        self.closed.push("private/app", "v1", "for Ann alone")
        ref = self.closed.ref("private/app:v1")
        self.fails(self.run_pod(ref), "unauthorized|authentication required|401")
        for name, password in (("good", "sesame"), ("bad", "wrong")):
            self.k("create", "secret", "docker-registry", name, f"--docker-server=localhost:{self.closed.port}",
                   "--docker-username=ann", f"--docker-password={password}")
        self.fails(self.run_pod(ref, imagePullSecrets=[{"name": "bad"}]), "unauthorized|authentication required|401")
        self.runs(self.run_pod(ref, imagePullSecrets=[{"name": "good"}]), "for Ann alone")
        refused = self.atoll.atoll("image", "pull", self.closed.ref("private/app:v2"), check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_an_account_s_pull_secrets_are_its_pods(self):
        self.closed.push("private/other", "v1", "by the account")
        self.k("create", "secret", "docker-registry", "account", f"--docker-server=localhost:{self.closed.port}",
               "--docker-username=ann", "--docker-password=sesame")
        self.k("create", "serviceaccount", "puller")
        self.k("patch", "serviceaccount", "puller", "-p", '{"imagePullSecrets": [{"name": "account"}]}')
        self.runs(self.run_pod(self.closed.ref("private/other:v1"), serviceAccountName="puller"), "by the account")

    def test_bytes_that_are_not_what_they_claim_are_refused(self):
        self.open.push("team/broken", "layer", "soon broken")
        blob = self.open.blob_file(self.open.layer_of("team/broken", "layer"))
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.write_bytes(data)
        self.fails(self.run_pod(self.open.ref("team/broken:layer")), r"digest|corrupt|checksum")
        digest = self.open.push("team/broken", "manifest", "another one")
        self.open.blob_file(digest).write_bytes(self.open.blob_file(digest).read_bytes().replace(b'"schemaVersion": 2', b'"schemaVersion":  2'))
        done = self.atoll.atoll("image", "pull", self.open.ref(f"team/broken@{digest}"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)digest|not found|invalid|unknown")
        self.assertNotIn("team/broken", self.atoll.atoll("image", "list").stdout)

    def test_plain_http_is_for_loopback_alone(self):
        # An address of this machine that is not loopback: the one that pods reach.
        link = Registry(address=self.atoll.settings["LINK_IP"])
        self.addCleanup(link.close)
        link.push("team/app", "v1", "never seen")
        done = self.atoll.atoll("image", "pull", link.ref("team/app:v1", host=link.address), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"(?i)tls|ssl|https")

    def test_names_that_are_none(self):
        for ref in ("UPPER/case:v1", "a b", "localhost:1/x@sha256:12"):
            with self.subTest(ref):
                done = self.atoll.atoll("image", "pull", ref, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(ref, done.stderr)


if __name__ == "__main__":
    unittest.main()
