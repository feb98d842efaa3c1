"""What an instance leaves behind (nothing), what it listens on (loopback), who may read its secrets (their owner)."""
import os
import re
import subprocess
import unittest
from pathlib import Path

from lib.instance import Instance, run, shared


def picture():
    """What an instance could leave in the machine, apart from packages and the build folder."""
    def lines(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=30, check=False)
        return set(done.stdout.splitlines())

    settings = set()
    for file in Path("/proc/sys/net/ipv4/conf").glob("*/*"):
        try:
            settings.add(f"{file}={file.read_text().strip()}")
        except OSError:
            continue
    for name in ("net/ipv4/ip_forward", "kernel/pid_max", "net/netfilter/nf_conntrack_max", "fs/inotify/max_user_instances"):
        file = Path("/proc/sys") / name
        settings.add(f"{name}={file.read_text().strip()}" if file.exists() else name)
    groups = {str(p) for p in Path("/sys/fs/cgroup").glob("**/") if "atoll" in p.name or "/atoll" in str(p)}
    return {
        "links": {re.sub(r"^\d+: ", "", line).split("@")[0].split(":")[0] for line in lines("ip", "-o", "link")},
        "addresses": {" ".join(line.split()[1:4]) for line in lines("ip", "-o", "addr")},
        "routes": lines("ip", "route", "show", "table", "all"),
        "rules": {line for line in lines("nft", "list", "tables")},
        "namespaces": lines("ip", "netns"),
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()},
        "cgroups": groups,
        "settings": settings,
        "files": {str(p) for place in ("/etc", "/run", "/var/lib", "/usr/local/bin", "/usr/local/lib") for p in Path(place).glob("atoll*")},
    }


class Reset(unittest.TestCase):
    def test_reset_leaves_no_trace(self):
        if Path("/etc/atoll").exists():
            self.skipTest("the machine's own instance is installed")
        before = picture()
        atoll = Instance()
        self.addCleanup(atoll.reset)
        atoll.up("--sample")
        self.assertNotEqual(picture()["links"], before["links"], "the picture does not see a running instance")
        pids = [atoll.pid(name) for name in ("server", "agent", "keeper", "haproxy")]
        refused = run(["./up", "--home", str(atoll.home), "--reset"], check=False, cwd=Path(__file__).parents[2])
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--reset --yes", refused.stderr)
        atoll.reset()
        after = picture()
        for what, was in before.items():
            self.assertEqual(after[what], was, what)
        for pid in pids:
            self.assertFalse(Path(f"/proc/{pid}/exe").exists() and "atoll" in os.readlink(f"/proc/{pid}/exe"))
        self.assertFalse(atoll.home.exists())


class Walls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.atoll = shared()

    def test_nothing_listens_beyond_loopback_and_the_link_local_address(self):
        pids = {str(self.atoll.pid(name)) for name in ("server", "agent", "keeper", "haproxy")}
        listening = subprocess.run(["ss", "-Hltunp"], stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout
        ours = [line for line in listening.splitlines() if pids & set(re.findall(r"pid=(\d+)", line))]
        self.assertTrue(ours)
        allowed = ("127.0.0.1:", self.atoll.settings["LINK_IP"] + ":", "169.254.")
        for line in ours:
            self.assertTrue(line.split()[4].startswith(allowed), line)

    def test_keys_and_kubeconfigs_are_their_owners_alone(self):
        for file in [Path(self.atoll.kubeconfig), *(self.atoll.home / "data/pki").iterdir()]:
            self.assertEqual(oct(file.stat().st_mode & 0o777), "0o600", file)

    def test_programs_run_as_they_should(self):
        def user(name):
            return Path(f"/proc/{self.atoll.pid(name)}").stat().st_uid
        self.assertEqual(user("agent"), 0)
        self.assertNotEqual(user("server"), 0)
        self.assertNotEqual(user("haproxy"), 0)

    def test_strangers_get_nothing(self):
        port = self.atoll.settings["API_PORT"]
        secrets = run(["curl", "-sk", "-w", "%{http_code}", f"https://127.0.0.1:{port}/api/v1/secrets"]).stdout
        self.assertTrue(secrets.endswith("403"), secrets[-200:])
        forged = run(["curl", "-sk", "-w", "%{http_code}", "-H", "Authorization: Bearer x.y.z", f"https://127.0.0.1:{port}/api/v1/secrets"]).stdout
        self.assertTrue(forged.endswith("401"), forged[-200:])
        header = run(["curl", "-sk", "-w", "%{http_code}", "-H", "X-Remote-User: admin", "-H", "X-Remote-Group: system:masters",
                      f"https://127.0.0.1:{port}/api/v1/secrets"]).stdout
        self.assertTrue(header.endswith("403"), header[-200:])

    def test_a_pods_account_may_do_nothing_until_told(self):
        answer = self.atoll.kubectl("auth", "can-i", "list", "secrets", "--as=system:serviceaccount:sample:default", "-n", "sample", check=False)
        self.assertEqual(answer.stdout.strip(), "no")

    def test_the_agents_socket_knows_its_peers(self):
        socket = str(self.atoll.home / "run/agent.sock")
        allowed = run(["curl", "-s", "-w", "%{http_code}", "--unix-socket", socket, "http://x/healthz"]).stdout
        self.assertTrue(allowed.endswith("200"), allowed)
        refused = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-w", "%{http_code}", "--unix-socket", socket,
                       "http://x/pods"], check=False).stdout
        self.assertFalse(refused.endswith("200"), refused[-200:])


if __name__ == "__main__":
    unittest.main()
