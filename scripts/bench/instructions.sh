#!/usr/bin/env bash
# Instructions per operation of a server, which no neighbour on the machine can disturb.
#
#   scripts/bench/instructions.sh target/release/stoa-server --shards 1
#   COMMAND=SET PIPELINE=16 REQUESTS=50000 scripts/bench/instructions.sh "$(command -v redis-server)"
#
# Counts with perf where the machine has hardware counters, else under valgrind's callgrind: slower by
# fifty times but exact, user space only, and with the costliest functions listed. A server on io_uring
# may need `--driver poll` there, since valgrind knows only part of that interface.
set -euo pipefail

if (($# < 1)); then
    sed -n '2,9p' "$0"
    exit 2
fi
binary=$1
shift
command=${COMMAND:-GET} pipeline=${PIPELINE:-16} requests=${REQUESTS:-20000} keys=${KEYS:-20000}
port=${PORT:-17399} here=$(cd "$(dirname "$0")" && pwd) scratch=$(mktemp -d) server=

stop() {
    [[ -n $server ]] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$scratch"
}
trap stop EXIT

serve() { # words before the server's own command line
    (cd "$scratch" && exec "$@" "$binary" --port "$port" --bind 127.0.0.1 --save "" --appendonly no "${extra[@]}") \
        >"$scratch/log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && return
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server did not start:" >&2
    tail -n 15 "$scratch/log" >&2
    exit 1
}

fill() {
    (cd "$here" && python3 -c "import wire; wire.fill($port, $keys, 64)")
}

load() {
    timeout 300 redis-benchmark -p "$port" -t "${command,,}" -n "$requests" -r "$keys" -d 64 \
        -c 50 -P "$pipeline" -q >/dev/null
}

# Not resolving links: one file may be several programs, by the name it is called.
binary=$(realpath -s "$(command -v "$binary")")
extra=("$@")
if redis-cli -p "$port" ping >/dev/null 2>&1; then
    echo "port $port is taken; set PORT" >&2
    exit 1
fi

if perf stat -e instructions:u true 2>&1 | grep -Eq '[0-9] +instructions'; then
    serve env
    fill
    export -f load
    export port command requests keys pipeline
    perf stat -x, -e instructions:u,instructions:k,cycles -p "$server" -o "$scratch/perf" -- bash -c load
    awk -F, -v n="$requests" '$3 { printf "%-16s %12.0f per operation\n", $3, $1 / n }' "$scratch/perf"
elif command -v valgrind >/dev/null; then
    serve valgrind --tool=callgrind --callgrind-out-file="$scratch/out"
    fill
    # Two loads of which only the second counts: the first is the warm-up.
    load
    callgrind_control -z "$server" >/dev/null 2>&1
    load
    callgrind_control -d "$server" >/dev/null 2>&1
    out=$(find "$scratch" -name 'out.*' | sort | tail -n 1)
    total=$(awk '/^(summary|totals):/ { print $2 }' "$out" | tail -n 1)
    echo "$command, pipeline $pipeline: $((total / requests)) user instructions per operation"
    callgrind_annotate "$out" 2>/dev/null | grep -E '^ *[0-9,]+ \(' | head -n "${TOP:-15}"
else
    echo "neither hardware counters nor valgrind here: apt-get install valgrind" >&2
    exit 1
fi
