"""./up as people use it: in a hurry, from anywhere, on machines that lack something. In a machine of its own."""
import os
import re
import signal
import tempfile
import time
import unittest
from pathlib import Path

from lib.instance import ROOT, wait_for
from lib.machine import Machine

UP = str(ROOT / "up")


class OnAMachine(unittest.TestCase):
    """A copy of this machine with loopback alone, and nothing of Atoll on it."""

    @classmethod
    def setUpClass(cls):
        work = tempfile.mkdtemp(prefix="atoll-up-")
        cls.machine = Machine.copy(Path(work) / "machine")
        cls.addClassCleanup(os.rmdir, work)
        cls.addClassCleanup(cls.machine.remove)
        cls.machine.boot()

    def up(self, *arguments, check=True, **options):
        return self.machine.run(UP, *arguments, check=check, **options)

    def shell(self, script, check=True, **options):
        return self.machine.shell(script, check=check, **options)

    def refused(self, done, sentence, code=1):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertRegex(errors[0], sentence)

    def file(self, path):
        return self.machine.run("cat", path).stdout

    def settings(self, conf):
        return dict(line.split("=", 1) for line in self.file(conf).splitlines() if "=" in line)


class WhatIsMissing(OnAMachine):
    """One sentence each, which says the way out."""

    def test_the_command_line(self):
        for arguments, sentence in [
            (["--bogus"], r"unknown option --bogus; ./up --help lists them"),
            (["--home"], r"--home needs a folder, not an empty word: ./up --home DIR"),
            (["--home="], r"--home needs a folder, not an empty word"),
            (["--home", "--status"], r"--home needs a folder, not --status: ./up --home DIR"),
            (["stop"], r"options begin with dashes: ./up --stop"),
            (["--yes"], r"--yes goes with --reset alone"),
            (["--sample", "--stop"], r"--sample and --stop do not go together"),
            (["--stop", "--status"], r"--stop and --status do not go together"),
            (["--reset"], r"removes every application .* ./up --reset --yes"),
            (["--status"], r"there is no instance here; start one with: ./up$"),
            (["--home", "/tmp/my apps"], r'the path "/tmp/my apps" has characters other than'),
            (["--home", "/tmp/" + "x" * 90], r"longer than 80 characters; choose a shorter --home"),
            (["--home", "/proc/nothing"], r"the folder /proc/nothing cannot be made"),
        ]:
            with self.subTest(arguments):
                self.refused(self.up(*arguments, check=False), sentence)
        self.assertIn("./up --sample", self.up("--help").stdout)
        self.assertIn("nothing is here", self.up("--reset", "--yes").stdout)

    def test_no_root(self):
        self.refused(self.machine.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", UP, check=False), r"needs root: sudo ./up$")

    def test_a_container_without_rights(self):
        self.refused(self.machine.run("setpriv", "--bounding-set=-sys_admin", UP, check=False),
                     r"may not make namespaces; if it is a container itself, start it with --privileged")
        group = next(g for g in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup") if self.machine.run("test", "-d", g, check=False).returncode == 0)
        self.refused(self.shell(f"unshare --mount sh -c 'mount -o remount,bind,ro {group}; exec {UP}'", check=False),
                     rf"cgroups at {group} cannot be written; .* --cgroupns=private")
        self.refused(self.shell(f"unshare --mount sh -c 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec {UP}'", check=False),
                     r"/proc/sys cannot be written; .* --privileged")

    def test_no_disk_space(self):
        self.shell("mkdir -p /srv/small && mount -t tmpfs -o size=20m,mode=755 tmpfs /srv/small")
        self.refused(self.up("--home", "/srv/small/atoll", check=False),
                     r"/srv/small\S* has 20 MB free, 200 MB are needed to start; free some space or use --home DIR on another disk")

    def test_a_folder_that_the_server_cannot_enter(self):
        self.shell("mkdir -p -m 700 /srv/closed && mkdir -p /srv/closed/atoll")
        self.refused(self.up("--home", "/srv/closed/atoll", check=False),
                     r"/srv/closed is closed to the user 'atoll'; open it with: chmod o\+x /srv/closed, or choose another --home")
        self.shell("mkdir -p /srv/still && mount -t tmpfs -o noexec,mode=755,size=1g tmpfs /srv/still")
        self.refused(self.up("--home", "/srv/still/atoll", check=False), r"mounted noexec: choose another --home")

    def test_folders_that_are_not_atolls_are_left_alone(self):
        self.shell("mkdir -p /srv/mine/data && echo precious >/srv/mine/data/letter")
        for arguments in (["--home", "/srv/mine"], ["--home", "/srv/mine", "--reset", "--yes"]):
            self.refused(self.up(*arguments, check=False), r"/srv/mine/data is there and not Atoll's; name an empty folder")
        for place in ("/", "/usr/local", "/var"):
            with self.subTest(place):
                self.refused(self.up("--home", place, "--reset", "--yes", check=False), r" is there and not Atoll's")
        self.assertEqual(self.file("/srv/mine/data/letter"), "precious\n")

    def test_a_missing_package(self):
        # There is no network here to fetch it from.
        self.shell("dpkg --force-depends --remove libnss-myhostname")
        failed = self.up("--build", check=False, timeout=300)
        self.refused(failed, r"apt-get could not install the packages on Debian .* Check the network and the sources in /etc/apt")
        self.assertIn("installing 1 packages", failed.stdout)
        self.assertNotIn("Atoll", self.shell("cat /usr/sbin/policy-rc.d", check=False).stdout)

    def test_a_system_without_apt(self):
        self.shell("cd /usr/bin && for p in apt-get dpkg-query; do mv $p $p.away; done")
        self.addCleanup(self.shell, "cd /usr/bin && for p in apt-get dpkg-query; do mv $p.away $p; done")
        self.refused(self.up("--build", check=False), r"this system has no apt-get; Atoll installs on Debian 12. Install these yourself, then run it again: \S+ \S+")


class PortsAndRanges(OnAMachine):
    def tearDown(self):
        self.up("--home", "/srv/a", "--reset", "--yes", check=False)

    def listen(self, port):
        server = self.machine.start("python3", "-c", f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)")
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, 10)
        self.addCleanup(os.killpg, server.pid, signal.SIGKILL)
        wait_for("listener", lambda: self.shell(f"ss -Hltn 'sport = :{port}' | grep {port}"), seconds=10)

    def test_a_busy_port(self):
        self.listen(6443)
        self.listen(8080)
        self.up("--home", "/srv/a")
        chosen = self.settings("/srv/a/etc/atoll.conf")
        self.assertEqual((chosen["API_PORT"], chosen["HTTP_PORT"], chosen["HTTPS_PORT"]), ("6444", "8081", "8443"))
        self.up("--home", "/srv/a", "--stop")
        self.listen(6444)
        self.refused(self.up("--home", "/srv/a", check=False),
                     r"port 6444 is taken by python3 \(process \d+\); stop that, or set another API_PORT in /srv/a/etc/atoll.conf and run ./up --home /srv/a again")
        self.shell("sed -i s/API_PORT=.*/API_PORT=6450/ /srv/a/etc/atoll.conf")
        self.assertIn("api: https://127.0.0.1:6450", self.up("--home", "/srv/a").stdout)

    def test_a_setting_of_a_wrong_form_is_told_at_once_and_nothing_stops(self):
        self.up("--home", "/srv/a")
        running = self.up("--home", "/srv/a", "--status").stdout
        self.shell("cp /srv/a/etc/atoll.conf /srv/conf")
        for change, sentence in [
            ("s/API_PORT=.*/API_PORT=https/", r'atoll.conf, line 3: API_PORT is "https", not a port; write a number from 1 to 65535; mend it and run ./up --home /srv/a again'),
            ("$ a LOG_LEVEL=loud", r'line 15: LOG_LEVEL is "loud", not one of its words'),
            ("$ a GATEWAY_ADRESSES=127.0.0.2", r"line 15: there is no setting GATEWAY_ADRESSES; GATEWAY_ADDRESSES is near it"),
        ]:
            with self.subTest(change):
                self.shell(f"sed '{change}' /srv/conf >/srv/a/etc/atoll.conf")
                started = time.monotonic()
                self.refused(self.up("--home", "/srv/a", check=False), sentence)
                self.assertLess(time.monotonic() - started, 10)
                self.assertEqual(self.up("--home", "/srv/a", "--status").stdout.splitlines()[:4], running.splitlines()[:4])

    def route(self, to):
        self.shell(f"ip link add clash0 type veth peer name clash1; ip link set clash0 up; ip route add {to} dev clash0")
        self.addCleanup(self.shell, "ip link del clash0")

    def test_ranges_that_clash_with_the_hosts_routes(self):
        self.route("10.244.128.0/17")
        self.refused(self.up("--home", "/srv/a", env={"ATOLL_POD_CIDR": "10.244.0.0/16"}, check=False),
                     r"the range 10.244.0.0/16 clashes with the host's route to 10.244.128.0/17 on clash0; choose ranges .* ATOLL_POD_CIDR=")
        self.refused(self.up("--home", "/srv/a", env={"ATOLL_SERVICE_CIDR": "banana"}, check=False), r"'banana' does not appear to be an IPv4 or IPv6 network; choose ranges")
        self.up("--home", "/srv/a")
        self.assertEqual(self.settings("/srv/a/etc/atoll.conf")["POD_CIDR"], "10.243.0.0/16")
        self.up("--home", "/srv/a", "--stop")
        self.shell("ip route add 10.243.7.0/24 dev clash0")
        self.refused(self.up("--home", "/srv/a", check=False), r"the range 10.243.0.0/16 clashes with the host's route to 10.243.7.0/24 on clash0; take that route away, or move Atoll")


class Life(OnAMachine):
    """The machine's own instance, whatever is done to it."""

    def supervisors(self):
        return self.shell("pgrep -c -x atoll-supervise || true").stdout.strip()

    def answers(self):
        return "Hello from Atoll" in self.machine.run("curl", "-sS", "--max-time", "5", "http://hello.localhost").stdout

    def test_from_anywhere_by_anybodys_habits(self):
        self.shell(f"ln -s {UP} /srv/link-to-up")
        script = "cd /tmp && umask 077 && exec env -u HOME LANG=zh_CN.UTF-8 LC_ALL=zh_CN.UTF-8 TMPDIR=/nowhere PATH=/usr/bin:/bin /srv/link-to-up --home ./mine"
        done = self.shell(script)
        self.assertIn("kubeconfig: /tmp/mine/etc/admin.kubeconfig", done.stdout)
        self.assertEqual(self.machine.run("stat", "-c", "%a", "/tmp/mine/etc/admin.kubeconfig").stdout.strip(), "600")
        self.assertEqual(self.machine.run("stat", "-c", "%a", "/tmp/mine/lib").stdout.strip(), "755")
        self.assertIn("removed", self.shell("cd / && /srv/link-to-up --home=tmp/mine --reset --yes").stdout)

    def test_twice_at_once(self):
        both = [self.machine.start(UP) for _ in range(2)]
        for one in both:
            output, _ = one.communicate(timeout=120)
            self.assertEqual(one.returncode, 0, output)
            self.assertIn("api: https://127.0.0.1:6443", output)
        self.assertEqual(self.supervisors(), "1")

    def test_interrupted_and_resumed(self):
        self.up("--reset", "--yes")
        for pause in (0.15, 0.4, 0.8, 1.2):
            one = self.machine.start(UP)
            time.sleep(pause)
            os.killpg(one.pid, signal.SIGINT)
            output, _ = one.communicate(timeout=60)
            if one.returncode != 0:
                self.assertIn("interrupted; the same command goes on where it stopped", output)
        self.assertIn("api: https://127.0.0.1:6443", self.up().stdout)
        self.assertEqual(self.supervisors(), "1")

    def test_interrupted_while_it_builds(self):
        self.shell("mkdir -p /srv/slow && printf '#!/bin/sh\\necho \"[3/400] CXX\"\\nexec sleep 60\\n' >/srv/slow/ninja && chmod 755 /srv/slow/ninja")
        one = self.machine.start(UP, "--build", env={"PATH": "/srv/slow:/usr/sbin:/usr/bin:/sbin:/bin"})
        time.sleep(1)
        os.killpg(one.pid, signal.SIGINT)
        output, _ = one.communicate(timeout=30)
        self.assertNotEqual(one.returncode, 0)
        self.assertIn("interrupted; the same command goes on where it stopped", output)
        self.assertNotIn("the build failed", output)
        self.up("--build")

    def test_stop_status_and_start_again(self):
        self.up()
        self.assertIn("stopped", self.up("--stop").stdout)
        again = self.up("--stop")
        self.assertIn("stopped", again.stdout)
        stopped = self.up("--status", check=False)
        self.assertEqual((stopped.returncode, stopped.stdout), (1, "Atoll is not running; start it with: ./up\n"))
        self.up()
        running = self.up("--status")
        self.assertEqual(running.returncode, 0)
        self.assertEqual(running.stdout.splitlines()[-3:],
                         ["api: https://127.0.0.1:6443", "kubeconfig: /etc/atoll/admin.kubeconfig", "gateway: http://localhost"])

    def test_a_reboot(self):
        self.up("--sample")
        self.assertTrue(self.answers())
        self.machine.run("atoll", "apply", "-f", "-", input="{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}", stdin=None)
        self.machine.shutdown()  # the plug is pulled: no goodbye
        self.machine.boot()
        self.up()
        wait_for("the sample after a reboot", self.answers, seconds=30)
        self.assertEqual(self.machine.run("atoll", "get", "configmap", "kept", "-o", "yaml").stdout.count("a: b"), 1)
        self.machine.run("atoll", "doctor")

    def test_an_upgrade_disturbs_no_container(self):
        self.up("--sample")
        restarts = "atoll get pods -n sample -o yaml | grep -E 'containerID|restartCount'"
        before = self.shell(restarts).stdout
        for program in ("atoll-server", "atoll-agent", "atoll-keeper", "atoll-supervise"):
            built, other = f"{ROOT}/build/release/bin/{program}", f"/srv/{program}"
            self.shell(f"echo newer >/srv/note && objcopy --add-section .note.test=/srv/note {built} {other} && mount --bind {other} {built}")
            self.addCleanup(self.shell, f"umount {built}")
        done = self.up().stdout
        for program in ("atoll-server", "atoll-agent", "atoll-keeper"):
            self.assertIn(f"restarting {program}", done)
        self.assertIn("replacing atoll-supervise", done)
        wait_for("the sample", self.answers, seconds=30)
        self.assertEqual(self.shell(restarts).stdout, before)
        self.assertNotIn("restarting", self.up().stdout)

    def test_backup_and_restore(self):
        self.up("--sample")
        self.machine.run("atoll", "apply", "-f", "-", input="{apiVersion: v1, kind: ConfigMap, metadata: {name: saved}, data: {a: b}}", stdin=None)
        self.up("--stop")
        self.shell("tar -C / -cf /srv/backup.tar var/lib/atoll etc/atoll")
        self.up("--reset", "--yes")
        self.up()  # makes the user that owns the data
        self.up("--stop")
        self.shell("rm -rf /var/lib/atoll /etc/atoll && tar -C / -xpf /srv/backup.tar")
        self.up()
        self.assertIn("a: b", self.machine.run("atoll", "get", "configmap", "saved", "-o", "yaml").stdout)
        wait_for("the sample from the backup", self.answers, seconds=30)

    def test_stopped_and_started_the_applications_come_back(self):
        self.up("--sample")
        self.up("--stop")
        self.up()
        wait_for("the sample after a stop", self.answers, seconds=30)

    def test_a_second_instance_beside_the_first(self):
        self.up()
        self.up("--home", "/srv/second")
        self.addCleanup(self.up, "--home", "/srv/second", "--reset", "--yes")
        first, second = self.settings("/etc/atoll/atoll.conf"), self.settings("/srv/second/etc/atoll.conf")
        self.assertEqual((first["API_PORT"], first["HTTP_PORT"]), ("6443", "80"))
        self.assertEqual((second["API_PORT"], second["HTTP_PORT"]), ("6444", "8080"))
        for key in ("POD_CIDR", "SERVICE_CIDR", "LINK_IP"):
            self.assertNotEqual(first[key], second[key])
        self.machine.run("atoll", "--home", "/srv/second", "doctor")
        self.up("--home", "/srv/second", "--stop")
        self.machine.run("atoll", "doctor")

    def test_beyond_loopback_where_it_is_asked_for(self):
        conf, outside = "/etc/atoll/atoll.conf", "192.0.2.10"
        self.up()
        self.shell(f"ip link add outside0 type veth && ip addr add {outside}/32 dev outside0 && ip link set outside0 up && cp {conf} /srv/conf")
        self.addCleanup(self.shell, f"ip link del outside0; mv /srv/conf {conf}; {UP}")

        def code(url, *options):
            return self.machine.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "3", *options, url, check=False).stdout
        self.assertEqual((code(f"https://{outside}:6443/healthz", "-k"), code(f"http://{outside}/")), ("000", "000"))
        self.shell(f"printf 'API_ADDRESSES={outside}\\nGATEWAY_ADDRESSES={outside}\\n' >>{conf}")
        self.up()
        self.shell("sed -n 's/.*certificate-authority-data: //p' /etc/atoll/admin.kubeconfig | base64 -d >/srv/ca.pem")
        self.assertEqual(code(f"https://{outside}:6443/healthz", "--cacert", "/srv/ca.pem"), "200")
        wait_for("the gateway beyond loopback", lambda: code(f"http://{outside}/") == "404", seconds=20)

    def test_up_with_nothing_to_build_is_quick(self):
        self.up()
        started = time.monotonic()
        self.up()
        self.assertLess(time.monotonic() - started, 5)  # 2 s on a quiet machine

    def test_reset_leaves_no_file(self):
        def picture():
            return set(self.shell("find /etc /usr/local /usr/share /var /run /tmp /srv -xdev; "
                                  "ip -o addr; ip route; ss -Hltn; nft list tables").stdout.splitlines())
        self.up("--reset", "--yes")
        before = picture()
        self.up()
        self.assertIn("/etc/atoll", picture() - before)
        self.up("--reset", "--yes")
        self.assertEqual(picture() ^ before, set())
        self.assertEqual(self.shell("getent passwd atoll", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
