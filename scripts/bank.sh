#!/usr/bin/env bash
# `make bank`: the bank's busiest day, 1999-02-02, by `strowger replay` on a scaled clock: through the embedded journal,
# then through real Kafka, each held against `strowger simulate` of the same day. 12 minutes each at SPEED=120.
# MODE=embedded or MODE=kafka plays one of them. Needs the data: STROWGER_DATA, else data/ (load-tests/README.md).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"

if [ -z "${STROWGER_INSIDE:-}" ]; then
    scripts/install.sh tests
    cargo build --bin strowger
    if [ "${MODE:-}" != embedded ] && [ -z "${KAFKA_BOOTSTRAP:-}" ]; then
        STROWGER_INSIDE=1 exec python3 scripts/kafka.py run "$0"
    fi
fi
for mode in ${MODE:-embedded kafka}; do
    python3 scripts/bank.py --binary target/debug/strowger --mode "$mode" --speed "${SPEED:-120}"
done
