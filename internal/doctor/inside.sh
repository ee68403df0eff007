# shellcheck shell=sh
# What a container sees by itself: a line for each question, of words that a tab parts, beginning with the
# question. A question is KIND=VALUE. What can't be found out is "-".
tab=$(printf '\t')

say() { # WORD...: one line
  line=$1
  shift
  for word; do line=$line$tab$word; done
  printf '%s\n' "$line"
}

room() { # KIND OPTION PLACE: what df says: all, and what is left
  found=$(df "$2" "$3" 2>/dev/null | tail -n 1) || found=
  # shellcheck disable=SC2086 # its fields
  set -- "$1" "$3" $found
  say "$1" "$2" "${4:--}" "${5:--}" "${6:--}"
}

# A name server that does not answer is waited for by whoever asks it, far longer than the doctor does.
bound=
if command -v timeout >/dev/null; then bound='timeout 2'; fi

resolved() { # NAME: its first address
  if command -v getent >/dev/null; then
    found=$($bound getent hosts "$1" 2>/dev/null) || found=
  elif command -v nslookup >/dev/null; then
    found=$($bound nslookup "$1" 2>/dev/null | sed -n 's/^Address[^:]*: *//p' | tail -n +2) || found=
  else
    say name "$1" - no-tool
    return
  fi
  say name "$1" "$(printf '%s' "$found" | head -n 1 | sed 's/[[:space:]].*//')"
}

writes() { # PLACE: as its own user
  why=
  if [ -d "$1" ]; then
    why=$({ : >"$1/.write-test.$$" && rm -f "$1/.write-test.$$"; } 2>&1) && why=
  elif [ -e "$1" ] && ! { [ -r "$1" ] && [ -w "$1" ]; }; then
    why=$(ls -ln "$1" 2>&1)
  elif ! [ -e "$1" ]; then
    why=missing
  fi
  say write "$1" "$(printf '%s' "$why" | tr '\n\t' '  ')"
}

for question; do
  value=${question#*=}
  case ${question%%=*} in
  room)
    room room -Pk "$value"
    room inodes -Pi "$value"
    ;;
  name) resolved "$value" & ;;
  write) writes "$value" ;;
  net)
    route=no
    while read -r _ destination _ flags _; do
      if [ "$destination" = 00000000 ] && [ "$flags" != 0000 ]; then route=yes; fi
    done </proc/net/route
    say route "$route"
    for device in /sys/class/net/*; do
      name=${device##*/}
      if [ "$name" != lo ]; then say mtu "$name" "$(cat "$device/mtu")"; fi
    done
    ;;
  killed)
    say killed "$(cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | sed -n 's/^oom_kill //p' | head -n 1)"
    ;;
  nginx)
    say configuration "$(cat "$value/current/name" 2>/dev/null)"
    sed -n 's/^ *server \([A-Za-z][^ ;:]*\):[0-9]* resolve max_fails=1.*/\1/p' "$value/current/nginx.conf" 2>/dev/null | sort -u | {
      while read -r host; do
        say upstream "$host"
        resolved "$host" &
      done
      wait
    }
    token=$(sed -n 's/^ *"~^\([^\\]*\)\\\..*/\1/p' "$value/current/candidate.map" 2>/dev/null | head -n 1)
    for proxied in "" --haproxy-protocol; do
      for url in https://127.0.0.1:8443 http://127.0.0.1:8080; do
        # shellcheck disable=SC2086 # none, or one
        answer=$(printf 'header = "X-Release-Candidate: %s.backend"\n' "$token" |
          curl --silent --insecure --max-time 2 --fail $proxied --config - "$url/-/rotation" 2>/dev/null) && break 2
      done
    done
    say serves "$(printf '%s' "$answer" | head -n 1)" "$(printf '%s' "$answer" | sed -n 2p)"
    ;;
  static)
    file=$(find "$value" -path '*/.*' -prune -o -type f -print 2>/dev/null | head -n 1)
    denied=
    if [ -z "$file" ] && find "$value" 2>&1 >/dev/null | grep -q denied; then denied=denied; fi
    say static "${file#"$value"/}" "$denied"
    ;;
  esac
done
wait
# Where this is missing, something above was not asked.
say end
