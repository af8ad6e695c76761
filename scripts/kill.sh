#!/usr/bin/env bash
# `make kill`: kills `strowger serve` with SIGKILL KILLS times under at least 500 events a second and has the outside
# checker judge what it did, offers, leases, wrap-ups and timers in play; then sees the checker find the faults that
# self_test.py plants in the same record.
# MODE=embedded (50 kills) or MODE=kafka (20); the record stays in target/kill/MODE.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"
mode=${MODE:-embedded}
seed=${SEED:-1}
kills=${KILLS:-50}
folder=target/kill/$mode

if [ -z "${STROWGER_INSIDE:-}" ]; then
    scripts/install.sh tests
    cargo build --bin strowger
    if [ "$mode" = kafka ] && [ -z "${KAFKA_BOOTSTRAP:-}" ]; then
        STROWGER_INSIDE=1 exec python3 scripts/kafka.py run "$0"
    fi
fi
echo "SEED=$seed MODE=$mode KILLS=$kills"
python3 tests/checker/drive.py --binary target/debug/strowger --out "$folder" --mode "$mode" --kills "$kills" --seed "$seed" \
    --rate 700 --at-least 500
python3 tests/checker/check.py "$folder"
python3 tests/checker/self_test.py "$folder"
