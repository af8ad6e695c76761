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
for agents in ${AGENTS:-100 1000 10000}; do
    events=$(valgrind --tool=callgrind --toggle-collect='*measured_batch*' --callgrind-out-file="$counts/$agents" \
        "$bench" --instructions "$agents" 2>/dev/null)
    total=$(sed -n 's/^\(summary\|totals\): *//p' "$counts/$agents" | head -1)
    echo "engine_apply, $agents agents, profile $profile: $((total / events)) instructions per event"
done
