#!/bin/sh
# A Docker Engine for tests. `up` installs and starts one when none answers, only with CI=true or DOCKER=install, as root
# on Debian and its kin; `down` stops the one that `up` started, and no other.
set -eu
pid_file=/run/dataops-tests-dockerd.pid

answers() { docker version >/dev/null 2>&1; }

up() {
  test "${CI:-}" = true || test "${DOCKER:-}" = install || return 0
  if answers && command -v mmdebstrap >/dev/null; then return 0; fi
  test "$(id -u)" = 0 || { echo "a Docker Engine cannot be started here: it needs root" >&2; return 0; }
  if ! command -v dockerd >/dev/null || ! command -v mmdebstrap >/dev/null; then
    command -v apt-get >/dev/null || { echo "a Docker Engine cannot be installed here: there is no apt-get" >&2; return 0; }
    apt-get update -q
    apt-get install -y -q docker.io containerd runc iptables iproute2 mmdebstrap
  fi
  # it did before, or the package has started it
  if answers; then return 0; fi
  nohup dockerd >/var/log/dataops-tests-dockerd.log 2>&1 &
  echo $! >"$pid_file"
  for _ in $(seq 100); do
    if answers; then return 0; fi
    sleep 0.3
  done
  echo "dockerd does not answer:" >&2
  tail -n 20 /var/log/dataops-tests-dockerd.log >&2
}

down() {
  test -e "$pid_file" || return 0
  pid="$(cat "$pid_file")"
  rm -f "$pid_file"
  if test "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd; then kill "$pid"; fi
}

"$1"
