//! kill -9 of `serve` under load, judged by the outside checker (tests/checker): a share of what `make kill` does in full.
//!
//! The driver and the checker are Python programs that share no code with the engine; this file only starts them. Then
//! the checker has to find the faults that self_test.py plants in the same record: one that has never failed proves nothing.

use crate::node::{Folder, kafka_or_skip, program_or_skip};
use std::path::Path;
use std::process::Command;

const EMBEDDED_KILLS: u32 = 8;
const KAFKA_KILLS: u32 = 4;

fn python(folder: &Folder, program: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker").join(program);
    let done = Command::new("python3").arg("-B").arg(script).args(arguments).output().expect("python3 starts");
    let text = String::from_utf8_lossy(&done.stdout);
    println!("{text}");
    assert!(
        done.status.success(),
        "{program} failed in {}:\n{text}{}",
        folder.path().display(),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn kill_and_judge(name: &str, mode: &str, kills: u32) {
    let folder = Folder::new(name);
    let run = folder.file("run").display().to_string();
    let kills = kills.to_string();
    let binary = env!("CARGO_BIN_EXE_strowger");
    python(&folder, "drive.py", &["--binary", binary, "--out", &run, "--mode", mode, "--kills", &kills]);
    python(&folder, "check.py", &[&run]);
    python(&folder, "self_test.py", &[&run]);
}

#[test]
fn nothing_is_lost_or_doubled_by_kill_9_of_an_embedded_node() {
    if program_or_skip("python3", "kill -9 of an embedded node") {
        kill_and_judge("kill-embedded", "embedded", EMBEDDED_KILLS);
    }
}

#[test]
fn nothing_is_lost_or_doubled_by_kill_9_of_a_node_on_kafka() {
    let test = "kill -9 of a node on Kafka";
    if kafka_or_skip(test).is_some() && program_or_skip("kcat", test) && program_or_skip("python3", test) {
        kill_and_judge("kill-kafka", "kafka", KAFKA_KILLS);
    }
}
