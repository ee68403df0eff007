# shellcheck shell=bash
# What the set-up scripts share: how they talk to people, and how they run
# something that takes time. Source it: . "$(dirname "$0")/lib.sh"
#
# Everything for people goes to stderr, so that a script's stdout stays data.
# bash 3.2 is enough (macOS has no newer one).

if [ -t 2 ]; then
  _bold=$'\033[1m' _green=$'\033[32m' _yellow=$'\033[33m' _red=$'\033[31m' _plain=$'\033[0m'
else
  _bold='' _green='' _yellow='' _red='' _plain=''
fi

step() { printf '%s==> %s%s\n' "$_bold" "$*" "$_plain" >&2; }
ok() { printf '  %sok%s    %s\n' "$_green" "$_plain" "$*" >&2; }
skip() { printf '  skip  %s\n' "$*" >&2; }
note() { printf '        %s\n' "$*" >&2; }
warn() { printf '  %swarn%s  %s\n' "$_yellow" "$_plain" "$*" >&2; }

# fail WHAT [WHAT TO DO, line by line]: ends the script.
fail() {
  printf '  %sfail%s  %s\n' "$_red" "$_plain" "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '%s\n' "$@" | sed 's/^/        /' >&2; fi
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# Debian and what is made from it: everything that has apt and says so.
is_debian() { have apt-get && grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; }

# apt_install PACKAGES...: never removes a package to make room for another.
apt_install() {
  # A repository of somebody else's that does not answer need not stop us.
  run_logged "apt-get update" "10 s" apt-get update --quiet || warn "going on with the package lists that are here"
  DEBIAN_FRONTEND=noninteractive run_logged "apt-get install $*" "1 min" \
    apt-get install --yes --quiet --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 "$@"
}

# bounded SECONDS COMMAND...: status 124 when it takes longer. (macOS has no timeout.)
bounded() {
  local ticks=$(($1 * 5)) pid
  shift
  "$@" &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$ticks" -le 0 ]; then
      kill "$pid" 2>/dev/null
      wait "$pid" 2>/dev/null
      return 124
    fi
    ticks=$((ticks - 1))
    sleep 0.2
  done
  wait "$pid"
}

# The folder for downloads and logs. Safe to delete; costs the downloads again.
cache_dir() {
  local dir="${TAROT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tarot-platform}"
  mkdir -p "$dir/logs"
  printf '%s\n' "$dir"
}

# human_time SECONDS: 75 -> 1 min 15 s
human_time() {
  if [ "$1" -lt 60 ]; then printf '%d s' "$1"; else printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); fi
}

# took NAME START: how long something took that began when SECONDS was START.
took() { printf '  time  %s: %s\n' "$1" "$(human_time $((SECONDS - $2)))" >&2; }

# The last line that a tool has logged, fit for showing.
_last_line() {
  tail -c 2000 "$1" 2>/dev/null | tr '\r' '\n' | LC_ALL=C tr -d '\000-\011\013-\037' | grep -v '^ *$' | tail -n 1 | cut -c 1-90 || true
}

# Says every second (on a terminal) or every 15 s (in a log) that NAME still
# runs. It ends by itself when the script is gone, however that happened.
_heartbeat() {
  local name=$1 log=$2 start=$SECONDS spent next=15
  while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    spent=$((SECONDS - start))
    if [ -t 2 ]; then
      printf '\r\033[K  ...   %s: %s  %s' "$name" "$(human_time "$spent")" "$(_last_line "$log")" >&2
    elif [ "$spent" -ge "$next" ]; then
      next=$((next + 15))
      printf '  ...   %s: %s  %s\n' "$name" "$(human_time "$spent")" "$(_last_line "$log")" >&2
    fi
  done
}

# run_logged NAME EXPECTED COMMAND...: runs the command with its output in a log
# file and shows that it lives. When it fails, shows the log's end and returns
# its status: write `run_logged … || fail "…" "what to do"`.
#
# Give it a program, not a function of several lines: bash forgets `set -e`
# inside a function that is called on the left of `||`.
run_logged() {
  local name=$1 expected=$2 log start=$SECONDS status=0 heartbeat
  shift 2
  log="$(cache_dir)/logs/$(printf '%s' "$name" | LC_ALL=C tr -cs 'A-Za-z0-9._' '-').log"
  note "$name (usually $expected) ..."
  : >"$log"
  _heartbeat "$name" "$log" &
  heartbeat=$!
  # In the foreground, so that Ctrl-C reaches it; without stdin, because nobody
  # would see what it asks.
  "$@" >"$log" 2>&1 </dev/null || status=$?
  # KILL, because a script's EXIT trap makes a subshell stumble over TERM.
  kill -KILL "$heartbeat" 2>/dev/null || true
  wait "$heartbeat" 2>/dev/null || true
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  if [ "$status" -eq 0 ]; then
    ok "$name: $(human_time $((SECONDS - start)))"
  else
    printf '  %sfail%s  %s: status %d after %s. The last lines of %s:\n' \
      "$_red" "$_plain" "$name" "$status" "$(human_time $((SECONDS - start)))" "$log" >&2
    tail -n 30 "$log" | sed 's/^/        | /' >&2
  fi
  return "$status"
}
