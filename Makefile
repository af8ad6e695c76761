# The commands of README.md. Each installs what this machine lacks, builds, runs, and stops what it started.
# All but `bench` build one profile (dev: optimised, assertions on), so that nothing is compiled twice.

MODE ?= embedded
KILLS ?= $(if $(filter kafka,$(MODE)),20,50)
SEED ?= 1
SPEED ?= 120

.PHONY: demo test bench bank kill floor

demo:
	@scripts/install.sh build
	@PATH="$$PATH:$$HOME/.cargo/bin" cargo run --quiet --bin strowger -- demo

test:
	@scripts/test.sh

bench:
	@scripts/bench.sh

# The bank's busiest day through real Kafka and through the embedded journal: 12 minutes each at SPEED=120.
bank:
	@SPEED=$(SPEED) scripts/bank.sh

# A morning with a real Prometheus: which alert fires when, and which does not. Four minutes.
floor:
	@scripts/install.sh tests
	@PATH="$$PATH:$$HOME/.cargo/bin" cargo build --quiet --bin strowger
	@python3 scripts/floor.py --binary target/debug/strowger

# kill -9 under load, judged by the outside checker: make kill MODE=embedded KILLS=50, make kill MODE=kafka KILLS=20.
kill:
	@MODE=$(MODE) KILLS=$(KILLS) SEED=$(SEED) scripts/kill.sh
