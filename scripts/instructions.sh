#!/bin/sh
# Instructions per event of the engine, counted by valgrind's callgrind: the figure that does not depend on the machine
# (performance.md T12). Prints one line for each number of agents. PROFILE=release counts what is shipped; the default is
# the profile in which everything else is built and tested (optimised, assertions and overflow checks on). AGENTS="1000"
# counts only there; TOP=40 shows for each number the functions in which most instructions are spent, with all they call.
set -eu
cd "$(dirname "$0")/.."
profile=${PROFILE:-dev}
if ! command -v valgrind >/dev/null; then
    echo "skipped: instructions (valgrind is not installed)"
    exit 0
fi
bench=$(cargo bench --quiet --no-run --profile "$profile" --bench costs --message-format=json 2>/dev/null |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("target", {}).get("name") == "costs" and message.get("executable"):
        print(message["executable"])')
[ -n "$bench" ] || { echo "the bench of costs did not build"; exit 1; }
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT
# Instructions per event inside `measured` of the bench run with these arguments.
count() {
    events=$(valgrind --tool=callgrind --toggle-collect='costs::measured' --callgrind-out-file="$counts/out" \
        "$bench" "$@" 2>/dev/null)
    total=$(sed -n 's/^\(summary\|totals\): *//p' "$counts/out" | head -1)
    echo "$events" >"$counts/events"
    echo $((total / events))
}
# Of those counted last, the ones that write effects and decisions as bytes: T12 counts both as structs.
writing() {
    callgrind_annotate --inclusive=yes "$counts/out" | awk -v events="$(cat "$counts/events")" '
        { cost = $1; gsub(",", "", cost); cost += 0 }
        /engine::decision::Telling::put( [(\[]|$)/ { if (cost > decisions) decisions = cost }
        /<engine::effect::Effect as engine::wire::Wire>::put( [(\[]|$)/ { if (cost > effects) effects = cost }
        END { if (!decisions || !effects) exit 1; print int((decisions + effects) / events) }'
}
for agents in ${AGENTS:-100 1000 10000}; do
    echo "engine, $agents agents, profile $profile: $(count --instructions "$agents") instructions per event, $(writing || echo an unknown number) of them write bytes"
    if [ -n "${TOP:-}" ]; then
        callgrind_annotate --inclusive=yes "$counts/out" | grep -E '^ *[0-9,]+ .*engine::' | head -n "$TOP" | cut -c1-160
    fi
done
# The same with first response, resolution and queue wait running (T12), and a whole life under none, three and five clocks.
for agents in ${AGENTS:-1000}; do
    echo "engine, $agents agents, three clocks: $(count --instructions "$agents" --clocks 3) instructions per event, $(writing || echo an unknown number) of them write bytes"
done
for clocks in 0 3 5; do
    echo "engine, a conversation's life under $clocks clocks: $(count --instructions-of-lives $clocks) instructions"
done
# Promise 7 under load: an agent is freed, and whom he can serve stands behind those whom nobody can.
alone=$(count --instructions-behind 0)
behind=$(count --instructions-behind 50000)
echo "engine, a freed agent's next: $alone instructions, with 50,000 unservable before it $behind"
