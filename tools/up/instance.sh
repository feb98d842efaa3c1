# One instance of Atoll: its folders, configuration, start, stop and removal. Sourced by ./up.
# shellcheck shell=bash

set_layout() { # as src/base/io/layout.h
  if [ -z "$1" ]; then
    HOME_DIR= ETC=/etc/atoll DATA=/var/lib/atoll RUN=/run/atoll LIB=/usr/local/lib/atoll
    KUBECONFIG_FILE=/etc/atoll/admin.kubeconfig
  else
    mkdir -p "$1" 2>/dev/null || die "the folder $1 cannot be made; name one that you may write to"
    HOME_DIR=$(cd "$1" && pwd)
    ETC=$HOME_DIR/etc DATA=$HOME_DIR/data RUN=$HOME_DIR/run LIB=$HOME_DIR/lib
    KUBECONFIG_FILE=$HOME_DIR/etc/admin.kubeconfig
  fi
  CONF=$ETC/atoll.conf
}

home_arguments() { [ -z "$HOME_DIR" ] || printf '%s\n%s\n' --home "$HOME_DIR"; }

setting() { sed -n "s/^$1 *= *//p" "$CONF" 2>/dev/null | tail -n 1; }

PROGRAMS="atoll-server atoll-agent atoll-keeper atoll-supervise atoll-unpack atoll"

# Copies what changed; the running programs keep their old files until they restart.
install_instance() {
  local program changed=
  mkdir -p "$LIB" "$ETC" || die "$LIB cannot be made"
  for program in $PROGRAMS; do
    if ! cmp -s "$ATOLL_ROOT/build/release/bin/$program" "$LIB/$program"; then
      install -m 755 "$ATOLL_ROOT/build/release/bin/$program" "$LIB/.$program.new" || die "there is no room or no right to write to $LIB"
      strip --strip-debug "$LIB/.$program.new" 2>/dev/null
      cmp -s "$LIB/.$program.new" "$LIB/$program" && { rm -f "$LIB/.$program.new"; continue; }
      mv -f "$LIB/.$program.new" "$LIB/$program"
      changed="$changed $program"
    fi
  done
  CHANGED_PROGRAMS=$changed
  if [ -z "$HOME_DIR" ]; then
    mkdir -p /usr/local/bin && ln -sfn "$LIB/atoll" /usr/local/bin/atoll
    install_completion
  fi
  make_user
  require_passable
}

install_completion() {
  local folder shell
  for shell in bash:/usr/share/bash-completion/completions/atoll zsh:/usr/share/zsh/vendor-completions/_atoll \
    fish:/usr/share/fish/vendor_completions.d/atoll.fish; do
    folder=$(dirname "${shell#*:}")
    [ -d "$folder" ] && "$LIB/atoll" completion "${shell%%:*}" >"${shell#*:}" 2>/dev/null
  done
  return 0
}

# The server and the gateway run as this user, which owns no file outside the instance.
make_user() {
  SERVER_USER=atoll
  getent passwd atoll >/dev/null && return 0
  useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin atoll || die "the user 'atoll' cannot be made (useradd failed)"
}

write_config() {
  if [ ! -f "$CONF" ]; then
    choose_addresses
    choose_ports
    umask 022
    cat >"$CONF.new" <<EOF
# Written by ./up at the first start; edit it and run ./up again.
API_PORT=$API_PORT
HTTP_PORT=$HTTP_PORT
HTTPS_PORT=$HTTPS_PORT
POD_CIDR=$POD_CIDR
SERVICE_CIDR=$SERVICE_CIDR
DNS_IP=$DNS_IP
LINK_IP=$LINK_IP
NODE_NAME=$(uname -n | tr '[:upper:]_' '[:lower:]-' | tr -cd 'a-z0-9.-')
CLUSTER_DOMAIN=cluster.local
GATEWAY_DOMAIN=localhost
SERVER_USER=$SERVER_USER
GATEWAY_USER=$SERVER_USER
EOF
    mv "$CONF.new" "$CONF"
  fi
  mkdir -p "$DATA" "$RUN" "$DATA/log"
  chmod 755 "$DATA" "$RUN"
  chmod 750 "$DATA/log"
  install -d -m 700 -o "$SERVER_USER" -g "$SERVER_USER" "$DATA/server" "$DATA/pki"
  install -d -m 755 -o "$SERVER_USER" -g "$SERVER_USER" "$DATA/gateway"
  install -d -m 700 "$DATA/agent" "$DATA/keeper"
}

control() { # a line to the running atoll-supervise
  "$LIB/atoll-supervise" $(home_arguments) "$@" 2>/dev/null
}

running() { [ -x "$LIB/atoll-supervise" ] && control status >/dev/null; }

start_instance() {
  if running; then
    restart_changed
    return 0
  fi
  require_free_ports
  say "starting"
  launch_supervise
}

# In a session of its own: it outlives this shell.
launch_supervise() {
  setsid "$LIB/atoll-supervise" $(home_arguments) >>"$DATA/log/supervise.log" 2>&1 </dev/null &
  disown
}

# A program that was replaced is restarted; containers do not notice. The supervisor first: it restarts the rest.
restart_changed() {
  local program
  case " $CHANGED_PROGRAMS " in
    *" atoll-supervise "*)
      say "replacing atoll-supervise"
      control detach >/dev/null
      launch_supervise
      ;;
  esac
  for program in $CHANGED_PROGRAMS; do
    case $program in
      atoll-keeper | atoll-server | atoll-agent)
        say "restarting $program"
        wait_for 10 running && control restart "${program#atoll-}" >/dev/null
        ;;
    esac
  done
}

wait_for() { # SECONDS COMMAND...
  local end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

api_url() { echo "https://127.0.0.1:$(setting API_PORT)"; }

api_ready() { curl -fsSk --max-time 2 "$(api_url)/readyz" >/dev/null 2>&1; }
node_ready() { "$LIB/atoll" --kubeconfig "$DATA/pki/admin.kubeconfig" get nodes -o json 2>/dev/null | grep -q '"type": *"Ready"' ; }

wait_until_ready() {
  wait_for 60 api_ready || die "the API did not become ready in 60 s; the reason stands at the end of $DATA/log/server.log"
  wait_for 60 node_ready || die "the node did not register in 60 s; the reason stands at the end of $DATA/log/agent.log"
}

publish_kubeconfig() {
  cmp -s "$DATA/pki/admin.kubeconfig" "$KUBECONFIG_FILE" && return 0
  install -m 600 "$DATA/pki/admin.kubeconfig" "$KUBECONFIG_FILE" || die "$KUBECONFIG_FILE cannot be written"
}

gateway_url() { # http, with the port where it is not 80
  local port
  port=$(setting HTTP_PORT)
  if [ "$port" = 80 ]; then echo http://localhost; else echo "http://localhost:$port"; fi
}

print_status() {
  [ -f "$CONF" ] || die "there is no instance here; start one with: ./up${HOME_DIR:+ --home $HOME_DIR}"
  if ! running; then
    printf 'Atoll is not running; start it with: ./up%s\n' "${HOME_DIR:+ --home $HOME_DIR}"
    return 1
  fi
  control status
  printf 'deploy:     export KUBECONFIG=%s; kubectl create deployment web --image=IMAGE --port=80\n' "$KUBECONFIG_FILE"
  printf '            (no kubectl at hand: %s apply -f FILE; images: %s image load FILE)\n' "$(atoll_command)" "$(atoll_command)"
  printf 'open:       curl -H "Host: NAME.localhost" http://127.0.0.1:%s/ works anywhere; browsers open %s\n' "$(setting HTTP_PORT)" \
    "$(gateway_url | sed 's|//localhost|//NAME.localhost|')"
  printf 'api: %s\nkubeconfig: %s\ngateway: %s\n' "$(api_url)" "$KUBECONFIG_FILE" "$(gateway_url)"
}

atoll_command() { if [ -z "$HOME_DIR" ]; then echo atoll; else echo "$LIB/atoll --home $HOME_DIR"; fi; }

stop_instance() {
  if running; then
    say "stopping containers and programs"
    control stop >/dev/null
    wait_for 60 not_running || die "atoll-supervise did not stop in 60 s; see $DATA/log/supervise.log"
  fi
  say "stopped"
}

not_running() { ! running; }

# Everything that is no Debian package and no build: processes, mounts, namespaces, cgroups, rules, files.
reset_instance() {
  [ -e "$LIB" ] || [ -e "$DATA" ] || [ -e "$ETC" ] || { say "nothing is here"; return 0; }
  stop_instance
  if [ -x "$LIB/atoll-agent" ] && [ -f "$CONF" ]; then
    "$LIB/atoll-agent" $(home_arguments) cleanup || die "the node could not be cleaned up; the sentence above says what is left"
  fi
  local point
  while read -r point; do umount -l "$point"; done < <(awk -v d="$DATA/" -v r="$RUN/" '{ if (index($5, d) == 1 || index($5, r) == 1) print $5 }' /proc/self/mountinfo | sort -r)
  rm -rf "$DATA" "$RUN" "$ETC" "$LIB"
  if [ -z "$HOME_DIR" ]; then
    rm -f /usr/local/bin/atoll /usr/share/bash-completion/completions/atoll /usr/share/zsh/vendor-completions/_atoll \
      /usr/share/fish/vendor_completions.d/atoll.fish
  else
    rmdir "$HOME_DIR" 2>/dev/null
  fi
  remove_user
  say "removed; Debian packages and $ATOLL_ROOT/build stay"
}

# The user goes with the last instance that uses it.
remove_user() {
  getent passwd atoll >/dev/null || return 0
  pgrep -u atoll >/dev/null 2>&1 && return 0
  [ -e /etc/atoll ] && return 0
  userdel atoll 2>/dev/null
  return 0
}
