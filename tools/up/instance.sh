# One instance of Atoll: its folders, what is installed, its configuration. Sourced by ./up.
# shellcheck shell=bash

set_layout() { # as src/base/io/layout.h
  HOME_ARGUMENTS=()
  if [ -z "$1" ]; then
    HOME_DIR= ETC=/etc/atoll DATA=/var/lib/atoll RUN=/run/atoll LIB=/usr/local/lib/atoll
  else
    HOME_DIR=$(readlink -m -- "$1")
    require_plain_path "$HOME_DIR"
    ETC=$HOME_DIR/etc DATA=$HOME_DIR/data RUN=$HOME_DIR/run LIB=$HOME_DIR/lib
    HOME_ARGUMENTS=(--home "$HOME_DIR")
  fi
  KUBECONFIG_FILE=$ETC/admin.kubeconfig
  CONF=$ETC/atoll.conf
  SERVER_USER=atoll
}

up_command() { echo "./up${HOME_DIR:+ --home $HOME_DIR}"; }
atoll_command() { if [ -z "$HOME_DIR" ]; then echo atoll; else echo "$LIB/atoll --home $HOME_DIR"; fi; }
setting() { sed -n "s/^$1 *= *//p" "$CONF" 2>/dev/null | tail -n 1; }

# What a person wrote into the settings is told before anything is stopped or started for it.
require_settings() {
  local wrong
  [ -f "$CONF" ] || return 0
  wrong=$(python3 "$ATOLL_ROOT/tools/up/settings.py" "$CONF") || die "$CONF, ${wrong:-it cannot be checked}; mend it and run $(up_command) again"
}

# One ./up at a time works on an instance. What is started to stay closes the descriptor.
lock_instance() {
  local folder=${HOME_DIR:-/usr/local/lib}
  [ -d "$folder" ] || return 0
  lock_folder "$folder" 8
}

PROGRAMS="atoll-server atoll-agent atoll-keeper atoll-supervise atoll-unpack atoll"

# Copies what changed; the running programs keep their old files until they restart.
install_instance() {
  local program
  CHANGED_PROGRAMS=
  mkdir -p "$LIB" "$ETC" && : >"$LIB/.atoll" || die "$LIB and $ETC cannot be made"
  for program in $PROGRAMS; do
    install_program "$program" || die "$LIB/$program cannot be written: no room or no right"
  done
  if [ -z "$HOME_DIR" ]; then
    mkdir -p /usr/local/bin && ln -sfn "$LIB/atoll" /usr/local/bin/atoll
    install_completion
  fi
  make_user
  require_runnable
}

# Beside the installed file stands a note of the build it came from, so that a second run compares without stripping.
install_program() {
  local from="$ATOLL_ROOT/build/release/bin/$1" new="$LIB/.$1.new" built
  built=$(stat -c '%i %s %y' "$from") || return 1
  [ -x "$LIB/$1" ] && [ "$(cat "$LIB/.$1.from" 2>/dev/null)" = "$built" ] && return 0
  install -m 755 "$from" "$new" || return 1
  strip --strip-debug "$new" 2>/dev/null
  if cmp -s "$new" "$LIB/$1"; then
    rm -f "$new"
  else
    mv -f "$new" "$LIB/$1" || return 1
    CHANGED_PROGRAMS="$CHANGED_PROGRAMS $1"
  fi
  printf '%s\n' "$built" >"$LIB/.$1.from"
}

COMPLETIONS="bash:/usr/share/bash-completion/completions/atoll zsh:/usr/share/zsh/vendor-completions/_atoll
  fish:/usr/share/fish/vendor_completions.d/atoll.fish"

install_completion() { # for the shells that are there
  local place
  for place in $COMPLETIONS; do
    [ ! -d "$(dirname "${place#*:}")" ] || "$LIB/atoll" completion "${place%%:*}" >"${place#*:}" 2>/dev/null
  done
  return 0
}

# The server and the gateway run as this user, which owns no file outside the instance.
make_user() {
  getent passwd "$SERVER_USER" >/dev/null && return 0
  useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SERVER_USER" ||
    die "the user '$SERVER_USER' cannot be made: useradd failed with the line above"
}

write_config() {
  if [ ! -f "$CONF" ]; then
    choose_addresses
    choose_ports
    cat >"$CONF.new" <<CONFIG
# Written by ./up at the first start; edit it and run ./up again. docs/formats/atoll-conf.md explains the keys, and
# API_ADDRESSES, GATEWAY_ADDRESSES and NODE_PORT_ADDRESSES, with which an instance listens beyond loopback.
API_PORT=$API_PORT
HTTP_PORT=$HTTP_PORT
HTTPS_PORT=$HTTPS_PORT
POD_CIDR=$POD_CIDR
SERVICE_CIDR=$SERVICE_CIDR
DNS_IP=$DNS_IP
LINK_IP=$LINK_IP
NODE_NAME=$(node_name)
CLUSTER_DOMAIN=cluster.local
GATEWAY_DOMAIN=localhost
SERVER_USER=$SERVER_USER
GATEWAY_USER=$SERVER_USER
CONFIG
    mv "$CONF.new" "$CONF" || die "$CONF cannot be written"
  fi
  mkdir -p "$DATA" "$RUN" "$DATA/log" || die "$DATA and $RUN cannot be made"
  chmod 755 "$DATA" "$RUN"
  chmod 750 "$DATA/log"
  install -d -m 700 -o "$SERVER_USER" -g "$SERVER_USER" "$DATA/server" "$DATA/pki"
  install -d -m 755 -o "$SERVER_USER" -g "$SERVER_USER" "$DATA/gateway"
  install -d -m 700 "$DATA/agent" "$DATA/keeper"
}

# The host's name as Kubernetes allows it: lower case letters, digits, dots and dashes, none of these at the ends.
node_name() {
  local name
  name=$(uname -n | tr '[:upper:]_' '[:lower:]-' | tr -cd 'a-z0-9.-' | sed 's/^[.-]*//; s/[.-]*$//')
  echo "${name:-node}"
}
