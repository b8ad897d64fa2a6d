#!/bin/sh
# A worker of manyhands in a plain shell: sh worker.sh http://HOST:PORT/join#TOKEN, or sh worker.sh - with that link as its input,
# where nobody who lists processes sees the token.
#
# It offers the runner "exec" on one slot: commands run as the user who starts it. What it says and hears is described in
# src/protocol/PROTOCOL.md, as P26. It needs the tools of busybox, or others of their names. What it cannot do it gives back.
set -u
export LC_ALL=C
link=${1-}
[ "$link" != - ] || read -r link
case $link in http://*/join#?*) ;; *) echo 'usage: sh worker.sh http://HOST:PORT/join#TOKEN, or sh worker.sh - <FILE' >&2; exit 2 ;; esac
export server="${link%%/join#*}" token="${link#*#}"
messages=$(cd "$(dirname "$0")" && pwd)/messages.awk
name=$(hostname | tr -cd 'A-Za-z0-9._-')
random() { od -An -v -tx1 -N16 /dev/urandom | tr -d ' \n'; }
key=$(random)

# A task is in the file LEASE.INDEX.task until its outcome, in LEASE.INDEX.outcome, is acknowledged. What is to be said is in
# "out", and in "part" what was posted and may not have arrived.
room=${TMPDIR:-/tmp}/manyhands-shell
for old in "$room".*; do kill -0 "${old##*.}" 2>/dev/null || rm -rf "$old"; done
room=$room.$$
(umask 077 && mkdir "$room") && cd "$room" && mkdir jobs && : >part && : >out || exit 1
# GNU's wget reads the token from a file; that of busybox takes it only where whoever lists processes sees it.
set -- --header "Authorization: Bearer $token"
if wget --version 2>/dev/null | grep -q '^GNU Wget'; then
  (umask 077 && printf 'header = Authorization: Bearer %s\n' "$token" >wgetrc)
  export WGETRC="$room/wgetrc"
  set --
fi
queue=' ' busy='' poll='' isLeaving='' pause=1
uptime() { read -r now _ </proc/uptime; now=${now%.*}${now#*.}; }
uptime
epoch=$(($(date +%s) * 100 - now))

# Ends the command that runs, and all that it started.
end() { read -r group <group && kill -TERM "-$group" && sleep 2 && kill -KILL "-$group"; }
# So does the end of this worker, whatever came to it.
(trap '' INT TERM; while kill -0 $$; do sleep 1; done; kill "$(cat poller)"; read -r group <group && kill -KILL "-$group"; rm -rf "$room") >/dev/null 2>&1 &

# What a file holds, as JSON: text, or base64 where it is no UTF-8, or a blob where it is long (P24).
json() {
  [ -s "$1" ] || { echo '""'; return; }
  od -An -v -tu1 -N 32769 "$1" | awk '
    BEGIN { printf "\"" }
    { for (i = 1; i <= NF; i++) take($i + 0); bytes += NF }
    END { if (bytes > 32768) exit 2; if (left) exit 1; printf "\"" }
    function take(b) {
      if (!left && b < 128) put(b)
      else if (!left) {
        left = b < 194 || b > 244 ? 9 : b < 224 ? 1 : b < 240 ? 2 : 3
        code = b - (left == 1 ? 192 : left == 2 ? 224 : 240)
        least = b == 224 ? 160 : b == 240 ? 144 : 128; most = b == 237 ? 159 : b == 244 ? 143 : 191
      } else if (b < least || b > most) left = 9
      else if (left < 9) {
        least = 128; most = 191; code = code * 64 + b - 128
        if (!--left) put(code)
      }
    }
    function put(c) {
      if (c == 34 || c == 92) printf "\\%c", c
      else if (c > 31 && c < 127) printf "%c", c
      else if (c > 65535) printf "\\u%04x\\u%04x", 55232 + int(c / 1024), 56320 + c % 1024
      else printf "\\u%04x", c
    }' >json
  case $? in
    0) cat json ;;
    1) printf '{"base64":"%s"}' "$(base64 "$1" | tr -d '\n')" ;;
    *) upload "$1" ;;
  esac
}

# Stores a file as a blob. A server that is away for a minute is asked again.
upload() {
  size=$(wc -c <"$1") sha256=$(sha256sum <"$1") host=${server#http://} tries=0
  sha256=${sha256%% *}
  until put "$1"; head -n 1 reply | grep -q '^HTTP/1.[01] [1-4]' || [ "$tries" = 60 ]; do sleep 1; tries=$((tries + 1)); done
  head -n 1 reply | grep -q ' 20[0-9] ' && printf '{"blob":{"sha256":"%s","size":%s}}' "$sha256" "$size"
}

# By hand, since wget knows no PUT. Who ends what it says early is taken to be gone; and when the server is, no reply will come.
put() {
  : >reply
  rm -f gone
  waits=0
  {
    printf 'PUT /v1/blobs/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n' "$sha256" "$host" "$token"
    printf 'Content-Type: application/octet-stream\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' "$size"
    cat "$1"
    until [ -s reply ] || [ -e gone ] || [ "$waits" = 300 ]; do sleep 0.1; waits=$((waits + 1)); done
  } | { nc "${host%:*}" "${host##*:}"; : >gone; } >reply
}

# Runs a task in a process of its own, and leaves its outcome.
run() {
  task=$1
  . "./$task.task"
  rm -rf place late && mkdir -p place/work && uptime || exit
  began=$now
  (cd place/work && exec setsid env -i PATH="$PATH" HOME="${HOME:-/}" LANG="${LANG:-C}" TMPDIR="$room/place" "$@" \
    MANYHANDS_JOB="$job" MANYHANDS_INDEX="$index" MANYHANDS_ATTEMPT="$lease-$index" sh -c "$command") </dev/null >stdout 2>stderr &
  group=$! watcher=''
  echo "$group" >group
  if [ "$limit" -gt 0 ]; then
    (left=$(((limit + 999) / 1000)); while [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); done; : >late; end) >/dev/null 2>&1 &
    watcher=$!
  fi
  [ -e revoked ] && kill -TERM "-$group"
  wait "$group"
  code=$?
  kill $watcher
  kill -KILL "-$group"
  uptime
  micros=$(((now - began) * 10000)) facts="\"exitCode\":$code"
  usage=$(printf '{"worker":"%s","startedAt":%s0,"seconds":%d.%02d}' "$name" $((epoch + began)) $((micros / 1000000)) $((micros / 10000 % 100)))
  if out=$(json stdout) && err=$(json stderr); then outcome "$code"; else
    item='{"failed":{"kind":"error","name":"CommandError","message":"what it printed could not be stored"}}'
  fi
  printf '{"kind":"outcomes","lease":%s,"job":%s,"runs":[[%s,1]],"micros":%s,"values":[%s]}\n' "$lease" "$job" "$index" "$micros" "$item" >new
  mv new "$task.outcome"
  kill -USR1 $$
}

# What became of a command, with what it printed (P24).
outcome() {
  kind=error error=ExitError why="its command exited with code $code"
  if [ "$code" -gt 128 ] && signal=SIG$(kill -l $((code - 128))); then
    error=SignalError why="its command was ended by the signal $signal" facts="$facts,\"signal\":\"$signal\""
  elif [ "$code" -gt 0 ]; then
    case $code in 126 | 127) why="$why on worker $name" ;; esac
    why=$why$(tail -c 1024 stderr | awk '/[^ \t\r]/ { last = $0 } END { gsub(/^[ \t]+|[ \t\r]+$/, "", last); if (last != "") print ": " last }')
  fi
  [ -e late ] && kind=timeout error=TimeoutError why="it ran longer than its limit of $limit ms, so it was ended"
  value="{\"stdout\":$out,\"stderr\":$err,$facts,\"usage\":$usage}" item="{\"value\":$value}"
  [ "$code" = 0 ] && [ ! -e late ] && return
  printf '%s' "$why" >why
  item="{\"failed\":{\"kind\":\"$kind\",\"name\":\"$error\",\"message\":$(json why),$facts,\"value\":$value}}"
}

# Begins a session: the server knows this worker by its key, and its tasks by what it holds.
hello() {
  session=$(random) sent=0 seen=0 isWelcome='' held=''
  for task in *.task; do
    [ -e "$task" ] || continue
    index=${task#*.}
    held="$held${held:+,}{\"lease\":${task%%.*},\"runs\":[[${index%.task},1]]}"
  done
  printf '{"kind":"hello","protocol":1,"key":"%s","name":"%s","device":"other","slots":1,"runners":["exec"],"labels":{},"resources":{},"held":[%s]}\n' \
    "$key" "$name" "$held" >out
  : >part
}

release() { printf '{"kind":"released","lease":%s,"runs":[[%s,1]]%s}\n' "${1%.*}" "${1#*.}" "${2-}" >>out; rm -f "$1".*; }
dequeue() { case $queue in *" $1 "*) queue="${queue%% "$1" *} ${queue#* "$1" }" ;; *) return 1 ;; esac; }

# Does what messages.awk says.
hear() {
  case $1 in
    welcome) isWelcome=1; echo "joined $server as worker $2"; cat ./*.outcome >>out 2>/dev/null ;;
    task) queue="$queue$2 " ;;
    unable) release "$2" ",\"reason\":\"$3\"" ;;
    ack) rm -f "$2".* ;;
    recall) dequeue "$2" && release "$2" ;;
    revoke) if [ "$2" = "$busy" ]; then : >revoked; end 2>/dev/null & else dequeue "$2"; rm -f "$2".*; fi ;;
    jobOver) rm -f "jobs/$2" "jobs/$2.code" ;;
    dismiss) [ "$2" = stop ] && isLeaving=1 ;;
    refused) echo "the server does not want this worker: $3" >&2; [ "$2" = busy ] || exit 1 ;;
  esac
}

# Has the outcome of the task that ran told, and runs the next one.
work() {
  if [ -n "$busy" ] && [ -e "$busy.outcome" ]; then
    if [ -e revoked ]; then rm -f "$busy".* revoked; elif [ -n "$isWelcome" ]; then cat "$busy.outcome" >>out; fi
    busy=''
  fi
  [ -z "$busy$isLeaving" ] && [ "$queue" != ' ' ] || return
  busy=${queue# } busy=${busy%% *}
  dequeue "$busy"
  run "$busy" 2>/dev/null &
}

# Ends the poll that waits, since there is something to say: what its answer would have brought is said again.
wake() { isFine=1; [ -z "$poll" ] || kill "$poll" 2>/dev/null; }
trap wake USR1
trap 'isLeaving=${isLeaving:-1}; wake' TERM INT
trap 'end 2>/dev/null; rm -rf "$room"' EXIT
hello
while :; do
  isFine=''
  work
  if [ "$isLeaving" = 1 ]; then echo '{"kind":"bye"}' >>out; isLeaving=told; fi
  # A few lines at a time are posted, again and again until they have arrived; others go behind those that were posted before.
  # The answer comes when there is something to say, which may be the answer to those.
  if [ -s out ]; then
    more=$((8 - $(wc -l <part)))
    if [ "$more" -gt 0 ]; then head -n "$more" out >>part; tail -n "+$((more + 1))" out >rest; mv rest out; fi
  fi
  : >answer
  timeout 40 wget -q -S -O answer "$@" --header 'Content-Type: application/x-ndjson' \
    --post-file part "$server/v1/worker/polls/$session?sent=$sent&seen=$seen" 2>trouble &
  poll=$!
  echo "$poll" >poller
  # It may have ended when there was no poll yet.
  [ -n "$busy" ] && [ -e "$busy.outcome" ] && wake
  until wait "$poll" 2>/dev/null; code=$?; ! kill -0 "$poll" 2>/dev/null; do :; done
  poll=''
  if [ "$code" = 0 ]; then
    isFine=1 pause=1
    [ -s part ] && sent=$((sent + $(wc -l <part))) && : >part
    [ "$isLeaving" = told ] && [ ! -s out ] && exit 0
  fi
  # Whole lines count, also those of an answer that was cut.
  [ -s answer ] && awk -f "$messages" answer >heard && . ./heard
  [ -n "$isFine" ] && continue
  case $(grep -o 'HTTP/1.[01] [0-9]*' trouble | tail -n 1) in
    *' 401' | *' 403') echo "the server does not take this token: $(grep 'HTTP/1' trouble | tail -n 1)" >&2; exit 1 ;;
    *' 404' | *' 409') [ "$isLeaving" = told ] && exit 0; known=$seen; hello; [ "$known" -gt 0 ] && continue ;;
  esac
  [ "$isLeaving" = told ] && exit 1
  echo "no answer from $server: $(tail -n 1 trouble)" >&2
  # Not all workers come back at the same moment (P13).
  sleep $((0x$(random | cut -c 1-4) % pause + 1))
  pause=$((pause < 32 ? pause * 2 : 60))
done
