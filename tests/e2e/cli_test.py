"""The atoll command as people and scripts use it: exit codes, formats, odd input, and TAB in real shells."""
import json
import os
import pty
import select
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib.instance import run, run_id, shared

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {a: "1"}
---
# nothing but a comment
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}
- {apiVersion: v1, kind: Secret, metadata: {name: three}, stringData: {k: v}}
"""


class OnACluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = shared()
        cls.ns = run_id()
        cls.cluster.atoll("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cls.ns}}))
        cls.folder = Path(tempfile.mkdtemp(prefix="atoll-cli-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)
        cls.cluster.atoll("delete", "namespace", cls.ns, "--no-wait")

    def atoll(self, *arguments, code=0, **options):
        done = self.cluster.atoll(*arguments, check=False, **options)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)


class Objects(OnACluster):
    def test_apply_says_what_changed(self):
        n = ["-n", self.ns]
        first = self.atoll("apply", *n, "-f", "-", input=MANIFESTS).stdout
        self.assertEqual(first, "configmap/one created\nconfigmap/two created\nsecret/three created\n")
        again = self.atoll("apply", *n, "-f", "-", input=MANIFESTS.replace('"1"', '"2"')).stdout
        self.assertEqual(again, "configmap/one configured\nconfigmap/two unchanged\nsecret/three unchanged\n")
        self.assertEqual(self.atoll("apply", *n, "-f", "-", "--dry-run", input=MANIFESTS).stdout.splitlines()[0], "configmap/one configured (dry run)")
        self.assertIn('a: "2"', self.atoll("get", *n, "configmap/one", "-o", "yaml").stdout)
        self.assertEqual(self.atoll("apply", *n, "-f", "-", "-o", "name", input=MANIFESTS).stdout, "ConfigMap/one\nConfigMap/two\nSecret/three\n")
        gone = self.atoll("delete", *n, "-f", "-", input=MANIFESTS).stdout
        self.assertEqual(gone, "secret/three deleted\nconfigmap/two deleted\nconfigmap/one deleted\n")

    def test_a_folder_is_applied_in_order(self):
        for number in (2, 1):
            self.write(f"many/{number}.yaml", f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: f{number}}}}}")
        self.write("many/notes.txt", "not a manifest")
        self.write("many/inner/3.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: f3}}")
        done = self.atoll("apply", "-n", self.ns, "-f", str(self.folder / "many"))
        self.assertEqual(done.stdout, "configmap/f1 created\nconfigmap/f2 created\n")

    def test_odd_input_is_said_and_has_its_exit_code(self):
        cases = [
            ("a kind that nobody knows", "{apiVersion: v1, kind: Frobnicator, metadata: {name: x}}", 3, 'no kind "Frobnicator" in v1'),
            ("no kind", "{metadata: {name: x}}", 1, "no apiVersion and kind"),
            ("no name", "{apiVersion: v1, kind: ConfigMap}", 1, "a ConfigMap has no metadata.name"),
            ("not an object", "- 1\n- 2\n", 1, "no apiVersion and kind"),
            ("nothing", "", 1, "there is no object"),
            ("broken YAML", "a: [1,\n", 1, "-: "),
            ("a field that is not there", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, dtaa: {}}", 1, "dtaa"),
            ("a name that is none", "{apiVersion: v1, kind: ConfigMap, metadata: {name: 'A B'}}", 1, "metadata.name"),
            ("a namespace that is not there", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: nowhere}}", 3, "nowhere"),
        ]
        for name, text, code, sentence in cases:
            with self.subTest(name):
                self.assertIn(sentence, self.atoll("apply", "-n", self.ns, "-f", "-", input=text, code=code).stderr)

    def test_one_bad_object_does_not_hold_up_the_others(self):
        text = "{apiVersion: v1, kind: Nonsense, metadata: {name: x}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: good}}\n"
        done = self.atoll("apply", "-n", self.ns, "-f", "-", input=text, code=3)
        self.assertEqual(done.stdout, "configmap/good created\n")
        self.assertIn("not everything was applied", done.stderr)

    def test_conflict_is_4_and_force_takes_over(self):
        self.cluster.kubectl("-n", self.ns, "create", "configmap", "owned", "--from-literal=a=1")
        text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: owned}, data: {a: '2'}}"
        self.assertIn("kubectl-create", self.atoll("apply", "-n", self.ns, "-f", "-", input=text, code=4).stderr)
        self.atoll("apply", "-n", self.ns, "-f", "-", "--force", input=text)

    def test_what_is_not_there_is_3_and_what_is_near_is_named(self):
        self.assertIn('pods "none" not found', self.atoll("get", "pod", "none", "-n", self.ns, code=3).stderr)
        self.assertIn("near it: deployments", self.atoll("get", "deplyoment", code=3).stderr)
        self.assertIn("not found", self.atoll("logs", "none", "-n", self.ns, code=3).stderr)
        self.assertIn("not found", self.atoll("exec", "none", "-n", self.ns, "--", "true", code=3).stderr)
        self.atoll("delete", "configmap", "none", "-n", self.ns, code=3)
        self.atoll("delete", "configmap", "none", "-n", self.ns, "--ignore-not-found")
        self.assertIn("near it: pods", self.atoll("get", "podss", code=3).stderr)
        self.assertIn("No pods in namespace", self.atoll("get", "pods", "-n", self.ns, "-l", "no=where").stderr)
        self.assertEqual(self.atoll("get", "pods", "-n", "nowhere").stderr, "No pods: there is no namespace nowhere. All there are: atoll get namespaces\n")

    def test_an_empty_name_is_not_everything(self):
        self.atoll("apply", "-n", self.ns, "-f", "-", input="{apiVersion: v1, kind: ConfigMap, metadata: {name: stays}}")
        for words in (["configmap/"], ["configmap", ""], ["configmap", "none", ""], ["configmap/none", "configmap/"]):
            for verb in ("delete", "get"):
                with self.subTest([verb, *words]):
                    self.assertIn("there is an empty name after", self.atoll(verb, "-n", self.ns, *words, code=1).stderr)
        self.assertIn('there is an empty name after "deploy/"', self.atoll("logs", "-n", self.ns, "deploy/", code=1).stderr)
        self.atoll("get", "-n", self.ns, "configmap", "stays")

    def test_which_of_two_containers_is_asked(self):
        two = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two"},
               "spec": {"schedulingGates": [{"name": "test.invalid/never"}], "containers": [{"name": n, "image": "sample/web:1"} for n in ("a", "b")]}}
        self.atoll("apply", "-n", self.ns, "-f", "-", input=json.dumps(two))
        for words in (["logs", "two"], ["exec", "two", "--", "true"]):
            self.assertEqual(self.atoll(words[0], "-n", self.ns, *words[1:], code=1).stderr,
                             "error: a container name must be specified for pod two, choose one of: [a b]\n")

    def test_output_that_goes_nowhere(self):
        command = f"{self.cluster.home}/lib/atoll --home {self.cluster.home} get namespaces"
        for where, said in [(">/dev/full", "error: the output cannot be written: No space left on device\n"),
                            (">&-", "error: the output cannot be written: Bad file descriptor\n"), ("| true", "")]:
            with self.subTest(where):
                done = run(["bash", "-c", f"{command} {where}"], check=False)
                self.assertEqual((done.stdout, done.stderr, done.returncode), ("", said, 1 if said else 0))

    def test_who_may_not_gets_5(self):
        config = self.cluster.atoll("kubeconfig").stdout
        lines = [line for line in config.splitlines() if "client-certificate-data" not in line and "client-key-data" not in line]
        file = self.write("nobody", "\n".join(line + "\n    token: not.a.token" if line.strip() == "user:" else line for line in lines))
        self.atoll("--kubeconfig", file, "get", "pods", code=5)
        self.assertIn("there is no kubeconfig at /nowhere", self.atoll("--kubeconfig", "/nowhere", "get", "pods", code=3).stderr)

    def test_formats_of_each_command(self):
        self.atoll("apply", "-n", self.ns, "-f", "-", input="{apiVersion: v1, kind: ConfigMap, metadata: {name: shown}}")
        text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: shown}}"
        for arguments, given in [(["status"], None), (["doctor"], None), (["version"], None), (["image", "list"], None),
                                 (["get", "-n", self.ns, "configmap", "shown"], None), (["get", "-n", self.ns, "configmaps"], None),
                                 (["apply", "-n", self.ns, "-f", "-"], text), (["delete", "-n", self.ns, "-f", "-", "--no-wait"], text)]:
            with self.subTest(arguments):
                options = {"input": given} if given else {}
                json.loads(self.atoll(*arguments, "-o", "json", **options).stdout)
                if arguments[0] == "delete":
                    continue
                yaml = self.atoll(*arguments, "-o", "yaml", **options).stdout
                self.assertRegex(yaml, r"^(\w+:|- )")
                self.assertTrue(self.atoll(*arguments, "-o", "table", **options).stdout)
                self.assertIn("not xml", self.atoll(*arguments, "-o", "xml", code=2, **options).stderr)

    def test_doctor_names_what_is_wrong(self):
        nowhere = str(self.folder / "nobody-home")
        done = run([str(self.cluster.home / "lib/atoll"), "--home", nowhere, "doctor"], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("install and start: ./up", done.stdout)
        self.assertIn("atoll-supervise does not answer; start it: ./up", done.stdout)

    def test_interrupted_is_130(self):
        watch = subprocess.Popen([str(self.cluster.home / "lib/atoll"), "--home", str(self.cluster.home), "get", "pods", "-n", "sample", "-w"],
                                 stdout=subprocess.PIPE, text=True)
        self.assertIn("NAME", watch.stdout.readline())
        watch.send_signal(2)
        watch.stdout.close()
        self.assertEqual(watch.wait(10), -2)  # what a shell shows as 130


class Shell:
    """A real shell on a terminal of its own; types and reads as a person does."""

    START = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(atoll completion bash)"),
        "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -u -D && source <(atoll completion zsh)"),
        "fish": (["fish", "--no-config", "-i"], "atoll completion fish | source"),
    }

    def __init__(self, name, environment):
        command, source = self.START[name]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        self.seen = ""
        self.type(source + "; echo rea''dy\r")
        self.wait("ready")

    def type(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())

    def wait(self, text, seconds=15):
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} on the terminal; it shows {self.seen!r}")
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")

    def clear(self):
        os.write(self.fd, b"\x15")  # Ctrl-U
        time.sleep(0.2)

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


class Completion(OnACluster):
    TYPED = [
        ("a verb", "atoll kubec\t", "kubeconfig"),
        ("a verb of a verb", "atoll image pu\t", "pull"),
        ("an option", "atoll get pods --all-n\t", "--all-namespaces"),
        ("a value", "atoll get pods -o ya\t", "yaml"),
        ("a type", "atoll get deployme\t", "deployments"),
        ("a name", "atoll get configmaps -n {ns} long-na\t", "long-name-of-a-map"),
        ("a type and a name", "atoll get -n {ns} configmaps/long-na\t", "configmaps/long-name-of-a-map"),
        ("a namespace", "atoll get pods -n samp\t", "sample"),
        ("an image, whose name has a colon", "atoll image rm docker.io/sample/web:\t", "web:1"),
        ("a file", "atoll apply -f {folder}/mani\t", "manifest-here.yaml"),
    ]

    def complete_in(self, name):
        if shutil.which(name) is None:
            self.fail(f"{name} is not installed: packaging/packages/test.txt names it")
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        link = programs / "atoll"
        if not link.exists():
            link.symlink_to(self.cluster.home / "lib/atoll")
        self.write("manifest-here.yaml", "")
        self.atoll("apply", "-n", self.ns, "-f", "-", input="{apiVersion: v1, kind: ConfigMap, metadata: {name: long-name-of-a-map}}")
        shell = Shell(name, dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", ATOLL_HOME=str(self.cluster.home), TERM="xterm",
                                 PS1="$ ", HOME=str(self.folder), COLUMNS="200"))
        self.addCleanup(shell.close)
        for what, typed, expected in self.TYPED:
            with self.subTest(what):
                shell.type(typed.format(ns=self.ns, folder=self.folder))
                shell.wait(expected)
                shell.clear()

    def test_bash(self):
        self.complete_in("bash")

    def test_zsh(self):
        self.complete_in("zsh")

    def test_fish(self):
        self.complete_in("fish")


if __name__ == "__main__":
    unittest.main()
