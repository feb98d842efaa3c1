"""Machines for the tests: a root file system, processes, cgroups, devices and (if wanted) a network of their own.

A machine is made of namespaces (machine_boot.sh), as a container runtime makes a privileged container: root, with
rights, but nothing of it is seen outside. Two sorts:
  bare(FOLDER)  a bare Debian 12, fresh from mmdebstrap
  copy(FOLDER)  what this machine has installed; what the machine writes is its own and goes with it
Both hold the project at the path it has here. shutdown() is pulling the plug: processes and /run are gone, the disk
stays; boot() starts it again.
"""
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from lib.instance import ROOT, run, wait_for

BOOT = Path(__file__).with_name("machine_boot.sh")
# Where controllers are mounted one by one systemd leaves empty folders of pairs, which no real machine has.
MACHINE_CGROUPS = """[Unit]
Before=atoll.service
[Service]
Type=oneshot
ExecStart=sh -c 'mount -o remount,rw /sys/fs/cgroup; rmdir /sys/fs/cgroup/*,*; mount -o remount,ro /sys/fs/cgroup; true'
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debian_sources():
    """Files below /etc/apt that name Debian's own packages."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.sources")),
             *sorted(Path("/etc/apt/sources.list.d").glob("*.list"))]
    return [str(f) for f in files if f.exists() and "bookworm" in f.read_text() and "debian" in f.read_text()]


class Machine:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.name = "atoll-machine-" + secrets.token_hex(3)
        self.root = self.folder / "root"
        self.binds = []
        self.boots = None  # unshare, the parent of the machine's first process
        self.pid = None
        self.upper = None
        self.root.mkdir(parents=True)

    @classmethod
    def bare(cls, folder):
        machine = cls(folder)
        archive = machine.folder / "root.tar"
        run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(archive), *debian_sources()], timeout=900)
        run(["tar", "-C", str(machine.root), "-xf", str(archive)], timeout=300)
        archive.unlink()
        shutil.copy("/etc/resolv.conf", machine.root / "etc/resolv.conf")
        return machine

    @classmethod
    def copy(cls, folder):
        """Writes go to memory, but for /var/lib and /tmp: images need a file system of the disk."""
        machine = cls(folder)
        machine.upper = machine.folder / "upper"
        machine.upper.mkdir()
        run(["mount", "-t", "tmpfs", "tmpfs", str(machine.upper)])
        for part in ("upper", "work"):
            (machine.upper / part).mkdir()
        run(["mount", "-t", "overlay", "overlay", str(machine.root), "-o",
             f"lowerdir=/,upperdir={machine.upper}/upper,workdir={machine.upper}/work"])
        state = machine.folder / "state"
        state.mkdir()
        for part in ("dpkg", "apt", "pam", "ucf"):
            if Path("/var/lib", part).exists():
                run(["cp", "-a", f"/var/lib/{part}", str(state)])
        temporary = machine.folder / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        machine.binds += [f"{state}=/var/lib", f"{temporary}=/tmp", f"{ROOT}={ROOT}"]
        return machine

    def boot(self, network="own", init=""):
        """network: "own" (loopback alone) or "host" (this machine's); init: the first process, such as systemd."""
        command = [str(BOOT), self.name, str(self.root), network, *self.binds]
        self.boots = subprocess.Popen(command, env=dict(os.environ, MACHINE_INIT=init), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
        self.pid = wait_for("first process", self._first_process, seconds=20, every=0.02)
        wait_for("booted machine", lambda: self.run("test", "-e", "/run/booted"), seconds=20, every=0.05)
        if init:
            self._wait_for_systemd()

    def _wait_for_systemd(self):
        wait_for("a started systemd", lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"), seconds=60)

    def _first_process(self):
        if self.boots.poll() is not None:
            raise RuntimeError(f"the machine did not boot: {self.boots.stderr.read()}")
        children = Path(f"/proc/{self.boots.pid}/task/{self.boots.pid}/children").read_text().split()
        comm = Path(f"/proc/{self.boots.pid}/comm").read_text().strip()
        return int(children[0]) if children and comm == "unshare" else None

    def command(self, *words, env=None):
        """`words` as a command that runs inside."""
        variables = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", **(env or {})}
        return [str(BOOT), "--enter", self.name, str(self.pid), "env", "-i",
                *(f"{k}={v}" for k, v in variables.items()), *words]

    def run(self, *words, env=None, timeout=120, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return run(self.command(*words, env=env), timeout=timeout, **options)

    def shell(self, script, **options):
        return self.run("bash", "-c", script, **options)

    def start(self, *words, env=None, **options):
        """A command that goes on, in a process group of its own."""
        return subprocess.Popen(self.command(*words, env=env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True, **options)

    def prepare_systemd(self):
        """Installs systemd, which may touch nothing that all machines of this kernel share."""
        self.run("apt-get", "install", "-y", "--no-install-recommends", "systemd", env={"DEBIAN_FRONTEND": "noninteractive"}, timeout=600)
        for unit in ("systemd-sysctl.service", "systemd-binfmt.service", "systemd-modules-load.service", "systemd-udevd.service",
                     "systemd-udev-trigger.service", "systemd-tmpfiles-setup-dev.service", "systemd-random-seed.service",
                     "console-getty.service", "getty.target", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
                     "dev-hugepages.mount", "dev-mqueue.mount", "proc-sys-fs-binfmt_misc.automount"):
            self.run("ln", "-sf", "/dev/null", f"/etc/systemd/system/{unit}")
        self.run("tee", "/etc/systemd/system/machine-cgroups.service", input=MACHINE_CGROUPS, stdin=None)
        self.run("mkdir", "-p", "/etc/systemd/system/multi-user.target.wants")
        self.run("ln", "-sf", "../machine-cgroups.service", "/etc/systemd/system/multi-user.target.wants/")

    def shutdown(self):
        if self.boots is None:
            return
        if self.boots.poll() is None:
            os.kill(self.pid or self.boots.pid, 9)
        self.boots.wait(20)
        self.boots.stderr.close()
        self.boots = self.pid = None
        for group in sorted(Path("/sys/fs/cgroup").glob(f"**/{self.name}")):
            self._remove_group(group)

    @staticmethod
    def _remove_group(group):
        for inner in sorted((p for p in group.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
            wait_for(f"empty {inner}", lambda g=inner: g.rmdir() is None, seconds=10)
        wait_for(f"empty {group}", lambda: group.rmdir() is None, seconds=10)

    def remove(self):
        self.shutdown()
        if self.upper is not None:
            for point in (self.root, self.upper):
                subprocess.run(["umount", "-l", str(point)], stderr=subprocess.DEVNULL, check=False)
        if os.path.ismount(self.root) or any(self.root.glob("proc/1")):
            raise AssertionError(f"{self.root} is still mounted: nothing below it was removed")
        shutil.rmtree(self.folder)
