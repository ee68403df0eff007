# shellcheck shell=sh
# A health check for an image that has none of its own, by whatever is in it:
#   sh -c "$script" probe PORT [PATH HOST]
# With a path an answer of 2xx or 3xx is good, and without one a connection that is taken.
# An answer is read to its end: some servers log it as a fault when a client hangs up.
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY BASH_ENV

if command -v bash >/dev/null; then
  # shellcheck disable=SC2016 # it is bash's
  exec bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    if [ $# = 1 ]; then exit 0; fi
    printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: health-check\r\nConnection: close\r\n\r\n" "$2" "$3" >&3
    IFS= read -r answer <&3
    cat <&3 >/dev/null
    answer=${answer%[[:space:]]}
    if [[ $answer = HTTP/*\ [23]* ]]; then exit 0; fi
    echo "GET $2 from port $1: ${answer:-no answer}"
    exit 1' probe "$@"
fi

for python in python3 python; do
  if command -v "$python" >/dev/null; then
    exec "$python" -ISc '
import socket, sys
port, ask = int(sys.argv[1]), sys.argv[2:]
try:
    connection = socket.create_connection(("127.0.0.1", port))
    if not ask:
        sys.exit(0)
    text = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: health-check\r\nConnection: close\r\n\r\n" % tuple(ask)
    connection.sendall(text.encode())
    stream = connection.makefile("rb")
    answer = stream.readline().decode("latin-1").strip()
    while stream.read(65536):
        pass
except OSError as error:
    sys.exit("port %d: %s" % (port, error))
if not (answer.startswith("HTTP/") and answer.partition(" ")[2][:1] in ("2", "3")):
    sys.exit("GET %s from port %d: %s" % (ask[0], port, answer or "no answer"))
' "$@"
  fi
done

if command -v wget >/dev/null; then
  if [ $# = 1 ]; then exec nc -z -w 5 127.0.0.1 "$1"; fi
  said=$(wget -S -T 5 -O /dev/null --header "Host: $3" "http://127.0.0.1:$1$2" 2>&1)
  answer=${said#*HTTP/} # of several, the first: wget follows redirects
  case $answer in "$said") ;; *\ [23]*) case ${answer#* } in [23]*) exit 0 ;; esac ;; esac
  echo "GET $2 from port $1: $said"
  exit 1
fi

echo "a health check by path or port needs bash, python3, python or wget in the image, and none of them is there"
exit 127
