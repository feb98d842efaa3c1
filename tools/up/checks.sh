# What the machine must offer, each with one sentence that says the way out. Sourced by ./up.
# shellcheck shell=bash

require_root() {
  [ "$(id -u)" = 0 ] || die "Atoll makes containers and networks and needs root: run sudo ./up"
}

# Containers without rights fail late and darkly; look first.
require_rights() {
  [ "$(uname -s)" = Linux ] || die "Atoll runs on Linux"
  unshare --mount --net --uts --ipc true 2>/dev/null ||
    die "this machine may not make namespaces; if it is a container itself, start it with --privileged"
  local folder
  for folder in /sys/fs/cgroup/pids /sys/fs/cgroup; do [ -d "$folder" ] && break; done
  if ! mkdir "$folder/atoll-probe.$$" 2>/dev/null; then
    die "cgroups at $folder cannot be written; if this is a container, start it with --privileged --cgroupns=private"
  fi
  rmdir "$folder/atoll-probe.$$"
}

# An unprivileged user cannot run what lies in a folder closed to it (/root, a private --home).
require_passable() {
  runuser -u "$SERVER_USER" -- test -x "$LIB/atoll-server" ||
    die "the user '$SERVER_USER' cannot reach $LIB; open the folders above it with: chmod o+x, or choose another --home DIR"
}

DISK_NEEDED_MB=3000
require_disk() {
  local place free
  for place in "$ATOLL_ROOT" "$(dirname "$DATA")"; do
    free=$(df -Pm "$place" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$DISK_NEEDED_MB" ] || [ -d "$DATA/server" ] && [ "$free" -ge 200 ] ||
      die "$place has $free MB free, $DISK_NEEDED_MB MB are needed to build and run; free some space or use --home DIR on another disk"
  done
}

port_free() { # nothing listens on 127.0.0.1 or everywhere at this port
  ! ss -Hltn "sport = :$1" 2>/dev/null | grep -q .
}

next_free_port() {
  local port=$1 end=$(($1 + 200))
  while ! port_free "$port" || [[ " ${TAKEN_PORTS:-} " == *" $port "* ]]; do
    port=$((port + 1))
    [ "$port" -lt "$end" ] || die "no port from $1 to $end is free"
  done
  TAKEN_PORTS="${TAKEN_PORTS:-} $port"
  echo "$port"
}

choose_ports() {
  API_PORT=$(next_free_port 6443)
  if [ -z "$HOME_DIR" ] && port_free 80 && port_free 443; then
    HTTP_PORT=80 HTTPS_PORT=443
  else
    HTTP_PORT=$(next_free_port 8080)
    TAKEN_PORTS=$HTTP_PORT
    HTTPS_PORT=$(next_free_port 8443)
  fi
}

# Programs of this instance that outlived their supervisor hold its ports rightly: they are taken over.
survivors() {
  local file
  for file in "$RUN"/*.pid; do
    [ -r "$file" ] && [ -d "/proc/$(cut -d ' ' -f 1 "$file")" ] && return 0
  done
  return 1
}

require_free_ports() {
  local key
  survivors && return 0
  for key in API_PORT HTTP_PORT HTTPS_PORT; do
    port_free "$(setting $key)" || die "port $(setting $key) is taken by $(port_owner "$(setting $key)"); stop that, or set another $key in $CONF and run ./up again"
  done
}

port_owner() { ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p' | head -n 1; }

# 10.244.0.0/16 and 10.96.0.0/16, or the next pair that no route of the host and no other instance uses.
choose_addresses() {
  local n pods services link
  for n in $(seq 0 60); do
    pods=10.$((244 - n)).0.0/16 services=10.$((96 + n)).0.0/16 link=169.254.$((20 + n)).10
    if [ -n "${ATOLL_POD_CIDR:-}" ]; then pods=$ATOLL_POD_CIDR; fi
    if [ -n "${ATOLL_SERVICE_CIDR:-}" ]; then services=$ATOLL_SERVICE_CIDR; fi
    if ! range_taken "$pods" && ! range_taken "$services" && ! ip -4 -o addr show to "$link" | grep -q .; then
      POD_CIDR=$pods SERVICE_CIDR=$services LINK_IP=$link DNS_IP=${services%.*.*}.0.10
      return 0
    fi
    if [ -n "${ATOLL_POD_CIDR:-}${ATOLL_SERVICE_CIDR:-}" ]; then
      die "the range $pods or $services clashes with a route of this host (ip route); choose others with ATOLL_POD_CIDR and ATOLL_SERVICE_CIDR"
    fi
  done
  die "every address range Atoll tries clashes with a route of this host; choose two with ATOLL_POD_CIDR and ATOLL_SERVICE_CIDR"
}

range_taken() { # a route of the host overlaps it
  python3 - "$1" <(ip -4 route show table all 2>/dev/null) <<'PY'
import ipaddress, re, sys
wanted = ipaddress.ip_network(sys.argv[1])
for line in open(sys.argv[2]):
    match = re.match(r"(?:(?:unreachable|blackhole|prohibit|local|broadcast|multicast|unicast) )?(\d+(?:\.\d+){3}(?:/\d+)?)", line)
    if match and ipaddress.ip_network(match.group(1), strict=False).overlaps(wanted):
        sys.exit(0)
sys.exit(1)
PY
}
