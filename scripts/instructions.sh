#!/bin/sh
# Instructions per event of the engine, counted by valgrind's callgrind: the figure that does not depend on the machine
# (performance.md T12). Prints one line for each number of agents. PROFILE=release counts what is shipped; the default is
# the profile in which everything else is built and tested (optimised, assertions and overflow checks on).
set -eu
cd "$(dirname "$0")/.."
profile=${PROFILE:-dev}
if ! command -v valgrind >/dev/null; then
    echo "skipped: instructions (valgrind is not installed)"
    exit 0
fi
bench=$(cargo bench --quiet --no-run --profile "$profile" --bench engine --message-format=json 2>/dev/null |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("target", {}).get("name") == "engine" and message.get("executable"):
        print(message["executable"])')
[ -n "$bench" ] || { echo "the engine bench did not build"; exit 1; }
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT
# Instructions per event inside `measured_batch` of the bench run with these arguments.
count() {
    events=$(valgrind --tool=callgrind --toggle-collect='*measured_batch*' --callgrind-out-file="$counts/out" \
        "$bench" "$@" 2>/dev/null)
    total=$(sed -n 's/^\(summary\|totals\): *//p' "$counts/out" | head -1)
    echo $((total / events))
}
for agents in ${AGENTS:-100 1000 10000}; do
    echo "engine_apply, $agents agents, profile $profile: $(count --instructions "$agents") instructions per event"
done
# Promise 7 under load: an agent is freed, and whom he can serve stands behind those whom nobody can.
alone=$(count --instructions-behind 0)
behind=$(count --instructions-behind 50000)
echo "engine_apply, a freed agent's next: $alone instructions, with 50,000 unservable before it $behind"
