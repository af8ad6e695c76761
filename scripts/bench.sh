#!/usr/bin/env bash
# `make bench`: the criterion benches, instruction counts by callgrind, and a table of events a second and latency at
# steady rates through the embedded journal and through real Kafka. Ratios and counts are what to look at: absolute
# times are this machine's. PROFILE=release measures what is shipped and builds everything a second time; the default is
# the profile in which all else is built and tested (optimised, assertions and overflow checks on).
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"
profile=${PROFILE:-dev}
binary=target/$([ "$profile" = dev ] && echo debug || echo "$profile")/strowger

scripts/install.sh tests
mapfile -t benches < <(sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/--bench=\1/p' Cargo.toml)
cargo bench --profile "$profile" "${benches[@]}"
PROFILE="$profile" scripts/instructions.sh
cargo build --bin strowger --profile "$profile"
runner=()
if [ -z "${KAFKA_BOOTSTRAP:-}" ]; then runner=(python3 scripts/kafka.py run); fi
"${runner[@]}" python3 scripts/steady.py --binary "$binary"
