#!/usr/bin/env bash
# `make test`: installs what is missing, builds everything once, starts a real Apache Kafka (unless KAFKA_BOOTSTRAP names
# one), runs all tests, stops what it started whatever happens, and says in one line each what was skipped and why.
# The lines of skipped tests are left in target/skipped.txt, where .ci/run reads them.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"

scripts/install.sh tests
mkdir -p target
: >target/skipped.txt
: >target/test.log

# In a process group of its own, so that an interrupt or an error here ends all of it: tests, servers, Kafka's starter
# (which then stops its broker).
group=
finish() {
    if [ -n "$group" ] && kill -0 -- "-$group" 2>/dev/null; then
        kill -TERM -- "-$group" 2>/dev/null || true
        for _ in $(seq 100); do # the broker needs some seconds to close its files
            kill -0 -- "-$group" 2>/dev/null || return 0
            sleep 0.2
        done
        kill -KILL -- "-$group" 2>/dev/null || true
    fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cargo build --workspace --all-targets

runner=()
if [ -z "${KAFKA_BOOTSTRAP:-}" ]; then runner=(python3 scripts/kafka.py run); fi
set -m # the next background command gets a process group
# --show-output: what a passing test skipped stands in what it printed. What is played against the clock of the wall, or
# watches a browser or a Prometheus by it, comes after all else and alone: beside other tests it would measure them.
export alone="an_hour_of_the_bank a_day_on_the_floor the_pages_are_served every_query_of_dashboards"
"${runner[@]}" bash -c '
    result=0
    cargo test --workspace --no-fail-fast -- --show-output $(printf -- "--skip %s " $alone) || result=$?
    cargo test --test it -- --show-output --test-threads 1 $alone || result=$?
    exit "$result"
' >target/test.log 2>&1 </dev/null &
group=$!
set +m
tail -n +1 -f --pid="$group" target/test.log || true
result=0
wait "$group" || result=$?
finish

grep -a '^skipped: ' target/test.log | sort -u >target/skipped.txt || true
grep -a -E '^test .* \.\.\. ignored' target/test.log | sed 's/^test \(.*\) \.\.\. ignored.*/skipped: \1 is marked to be ignored/' \
    >>target/skipped.txt || true
echo
if [ -s target/skipped.txt ]; then cat target/skipped.txt; else echo "Nothing was skipped."; fi
if [ "$result" -ne 0 ]; then
    echo "These tests failed:"
    grep -a -E '^test .* \.\.\. FAILED|^error: ' target/test.log | sort -u || true
    # Their last words come last, because that is what a log cut short still shows.
    awk -v most=60 '
        function tell(   i) {
            for (i = (count > most ? count - most : 0); i < count; i++) { print substr(said[i], 1, 600); told = 1 }
            count = 0
        }
        FNR == NR { if ($1 == "test" && $NF == "FAILED") failed[$2]; next }
        /^---- .* stdout ----$/ { tell(); is_wanted = $2 in failed }
        /^(failures|successes):$/ || /^test result: / { tell(); is_wanted = 0 }
        is_wanted { said[count++] = $0 }
        END { tell(); exit !told }
    ' target/test.log target/test.log || tail -n 60 target/test.log
fi
exit "$result"
