# Functions shared by ./up and ./test. Sourced, never run.
# shellcheck shell=bash

# The caller's umask, language, TMPDIR and search path are the caller's; what is made here must not depend on them.
set -o pipefail
umask 022
export LC_ALL=C.UTF-8
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
[ -d "${TMPDIR:-/tmp}" ] && [ -w "${TMPDIR:-/tmp}" ] || export TMPDIR=/tmp

ATOLL_START=${ATOLL_START:-$(date +%s)}

say() { printf '[%4ds] %s\n' "$(($(date +%s) - ATOLL_START))" "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

usage() { # the comment that opens the script
  sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0"
}

AT_EXIT=()
at_exit() { # a command that runs at the end, however that comes
  AT_EXIT+=("$*")
  trap 'for ((n = ${#AT_EXIT[@]} - 1; n >= 0; --n)); do eval "${AT_EXIT[n]}"; done' EXIT
}
trap 'printf "\ninterrupted; the same command goes on where it stopped\n" >&2; exit 130' INT
trap 'exit 143' TERM

# Copies lines to LOG; every ten seconds says how far it is: the first group of PATTERN in the last line that has it.
follow() { # LOG PATTERN
  local line next=$((SECONDS + 10)) log=$1
  exec 7>"$log"
  while IFS= read -r line; do
    printf '%s\n' "$line" >&7
    if [ "$SECONDS" -ge "$next" ] && [[ $line =~ $2 ]]; then
      say "  ${BASH_REMATCH[1]}"
      next=$((SECONDS + 10))
    fi
  done
}

# One at a time: waits for the lock of an existing folder, which leaves no file behind. The descriptor stays open;
# what is started to outlive this shell must close it.
lock_folder() { # FOLDER DESCRIPTOR
  eval "exec $2<\"\$1\"" || die "$1 cannot be opened"
  flock -n "$2" && return 0
  say "waiting: another ./up or ./test works on $1"
  flock "$2"
}

package_list() { # names of packages in packaging/packages/<name>.txt
  local name
  for name in "$@"; do grep -hv '^#' "$ATOLL_ROOT/packaging/packages/$name.txt"; done | sort -u
}

missing_packages() {
  local have
  have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p' | sort -u)
  comm -23 <(package_list "$@") <(printf '%s\n' "$have")
}

# Services that packages bring stay stopped while this file says so.
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# made by Atoll while it installs packages'
keep_services_stopped() {
  [ ! -e $POLICY ] || return 0
  printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >$POLICY && chmod 755 $POLICY
}
let_services_start() { ! grep -qsF "$POLICY_MARK" $POLICY || rm -f $POLICY; }

# Atoll and its tests run these programs themselves. The packages' own services would start with the machine, and take ports.
OWN_SERVICES='haproxy:haproxy nginx-light:nginx redis-server:redis-server docker-registry:docker-registry'
switch_off_services() { # PACKAGES that were just installed; what was there before stays as its owner wants it
  local pair
  for pair in $OWN_SERVICES; do
    case " $1 " in
      *" ${pair%%:*} "*) update-rc.d "${pair#*:}" disable ;; # for systemd, too, even where that comes later
    esac >/dev/null 2>&1 || true
  done
}

# Installs the packages of the named lists that are missing.
install_packages() {
  local missing log
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    die "this system has no apt-get; Atoll installs on Debian 12. Install these yourself, then run it again: $missing"
  [ "$(id -u)" = 0 ] || die "packages are missing, and installing them needs root: $missing"
  say "installing $(wc -w <<<"$missing") packages"
  log=$(mktemp)
  at_exit let_services_start
  keep_services_stopped
  # shellcheck disable=SC2086 # a list of words
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 $missing; } 2>&1 </dev/null | follow "$log" '^((Unpacking|Setting up) [^ ]+)'; then
    grep '^E: ' "$log" | head -n 5 >&2
    die "apt-get could not install the packages on $(system_name) (whole output: $log). $(apt_advice "$log")"
  fi
  let_services_start
  switch_off_services "$missing"
  rm -f "$log"
}

system_name() { (. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME") || uname -s; }

apt_advice() {
  if grep -q 'Unable to locate package' "$1" && ! grep -q bookworm /etc/os-release 2>/dev/null; then
    echo "The packages are named as in Debian 12: use that, or a container of it."
  elif grep -qE 'No space left|not enough free space' "$1"; then
    echo "The disk is full: free some space, then run it again."
  else
    echo "Check the network and the sources in /etc/apt, then run it again."
  fi
}

# build PRESET TARGET...: configures where needed and builds; shows the last lines where it fails.
build() {
  local preset=$1 folder log
  shift
  folder="$ATOLL_ROOT/build/$preset"
  log="$ATOLL_ROOT/build/$preset.log"
  mkdir -p "$ATOLL_ROOT/build" || die "$ATOLL_ROOT/build cannot be made"
  lock_folder "$ATOLL_ROOT/build" 9
  forget_moved "$folder"
  if [ ! -f "$folder/build.ninja" ]; then
    (cd "$ATOLL_ROOT" && cmake --preset "$preset") >"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      die "cmake could not configure the build (whole output: $log)"
    }
  fi
  if ! ninja -C "$folder" "$@" 2>&1 | follow "$log" '^\[([0-9]+/[0-9]+)\]'; then
    grep -aE 'error:|FAILED:' -A 5 "$log" | head -n 40 >&2
    ! grep -q 'No space left' "$log" || die "the disk is full; free some space, then run it again: it goes on where it stopped"
    die "the build failed (whole output: $log)"
  fi
  exec 9<&-
}

# A build folder knows the path of its sources: a copied or moved checkout begins anew (the compiler cache helps).
forget_moved() {
  local was
  was=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$1/CMakeCache.txt" 2>/dev/null)
  [ -z "$was" ] || [ "$was" = "$ATOLL_ROOT" ] || rm -rf "$1"
}
