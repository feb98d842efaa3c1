#!/usr/bin/env bash
# Boots a machine made of namespaces on this one; lib/machine.py runs it. Its first process is the last line.
#   machine_boot.sh NAME ROOT own|host [MOUNT=TARGET...]      boots
#   machine_boot.sh --enter NAME PID COMMAND...               runs a command in the machine whose first process is PID
# MACHINE_INIT names its first process, where that is not a shell that waits. NAME names its cgroups. ROOT becomes its root file system. `own`: a network of its own, with loopback alone;
# `host`: this machine's network. Each MOUNT=TARGET is bound to ROOT/TARGET. As a container runtime would:
# every controller is mounted afresh, so that the machine sees its own cgroup as the root.
set -eu

controllers() { # of the cgroup file systems mounted here: "type options mount-point"
  awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i + 1) ~ /^cgroup2?$/) print $(i + 1), $(i + 3), $5 } }' /proc/self/mountinfo
}

make_cgroups() {
  local type options point name=$1
  while read -r type options point; do
    mkdir -p "$point/$name"
    case ,$options, in
      *,cpuset,*) for file in cpuset.cpus cpuset.mems; do cat "$point/$file" >"$point/$name/$file"; done ;;
    esac
  done < <(controllers)
}

join_cgroups() { # this process, and what it becomes
  local type options point name=$1
  while read -r type options point; do echo $$ >"$point/$name/cgroup.procs"; done < <(controllers)
}

mount_cgroups() {
  local type options point root=$1
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  while read -r type options point; do
    mkdir -p "$root$point"
    if [ "$type" = cgroup2 ]; then
      mount -t cgroup2 cgroup2 "$root$point"
    else
      mount -t cgroup -o "${options#rw,}" cgroup "$root$point"
    fi
  done < <(controllers)
}

inside() { # in namespaces of its own
  local root=$1 bind
  shift
  mount --make-rprivate /
  mount --bind "$root" "$root"
  for bind in "$@"; do
    mkdir -p "$root/${bind#*=}"
    mount --bind "${bind%%=*}" "$root/${bind#*=}"
  done
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount_cgroups "$root"
  mount -t devtmpfs devtmpfs "$root/dev"
  mkdir -p "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mkdir -p "$root/run/lock"
  cat /proc/sys/kernel/random/uuid >"$root/run/boot_id"
  mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"
  cd "$root"
  pivot_root . mnt
  umount -l /mnt
}

if [ "${1:-}" = --inside ]; then
  shift
  [ "$2" = host ] || ip link set lo up
  root=$1
  shift 2
  inside "$root" "$@"
  touch /run/booted
  [ -z "${MACHINE_INIT:-}" ] || exec chroot . env -i container=other "$MACHINE_INIT"
  # Waits for whatever it inherits, as a first process must.
  exec chroot . bash -c 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'
fi

if [ "${1:-}" = --enter ]; then
  join_cgroups "$2"
  pid=$3
  shift 3
  exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- "$@"
fi

make_cgroups "$1"
join_cgroups "$1"
network=
[ "$3" = host ] || network=--net
shift
exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup $network -- bash "$0" --inside "$@"
