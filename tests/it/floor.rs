//! A morning on the floor with a real Prometheus: which alert fires when, and which does not (`scripts/floor.py`, which
//! `make floor` runs too).

use crate::node::program_or_skip;
use std::path::Path;
use std::process::Command;

/// `make test` plays it after all other tests, alone: it is played against the clock of the wall.
#[test]
fn a_day_on_the_floor() {
    if !program_or_skip("prometheus", "a_day_on_the_floor") || !program_or_skip("python3", "a_day_on_the_floor") {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/floor.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(["--binary", env!("CARGO_BIN_EXE_strowger")]);
    let output = command.output().expect("python3 runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}");
}
