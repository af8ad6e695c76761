//! The reference consumer `examples/consumer.py`: repeats are dropped, a gap or a second history stops it.

use std::io::Write;
use std::process::{Command, Stdio};

/// One decision as `/v1/decisions` prints it; `kcat -J` puts the same text into `payload`.
fn decision(seq: u64, idx: u32, prev: Option<(u64, u32)>, hash: &str) -> String {
    let prev = prev.map_or("null".to_string(), |(seq, idx)| format!("[{seq},{idx}]"));
    format!(
        r#"{{"source":"/strowger/j/0","id":"{seq}.{idx}","type":"strowger.x","subject":"c","data":{{"position":{{"shard":0,"seq":{seq},"idx":{idx},"count":2,"hash":"{hash}","prev":{prev}}}}}}}"#
    )
}

/// What it printed, and what it said at its end; None where there is no Python.
fn consume(lines: &[String]) -> Option<(Vec<String>, String)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/consumer.py");
    let child =
        Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        let _ = std::io::stderr().write_all(b"skipped: the reference consumer needs python3\n");
        return None;
    };
    // It may have stopped before the last line: then the pipe is closed, as it should be.
    let _ = child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect();
    Some((printed, String::from_utf8(output.stderr).unwrap()))
}

#[test]
fn repeats_are_dropped_and_the_run_goes_on() {
    let first = decision(1, 0, None, "a");
    let second = decision(1, 1, Some((1, 0)), "a");
    let wrapped = serde_json::json!({"topic": "strowger.decisions", "payload": decision(4, 0, Some((1, 1)), "b")});
    let lines = [first.clone(), second.clone(), first, second, wrapped.to_string()];
    let Some((printed, said)) = consume(&lines) else { return };
    assert_eq!(printed, ["0 1 0 strowger.x c", "0 1 1 strowger.x c", "0 4 0 strowger.x c"]);
    assert_eq!(said, "");
}

#[test]
fn a_consumer_may_begin_anywhere() {
    let lines = [decision(7, 1, Some((7, 0)), "g"), decision(9, 0, Some((7, 1)), "i")];
    let Some((printed, said)) = consume(&lines) else { return };
    assert_eq!((printed.len(), said.as_str()), (2, ""));
}

#[test]
fn a_gap_stops_it() {
    let lines = [decision(1, 0, None, "a"), decision(3, 0, Some((2, 0)), "c"), decision(4, 0, Some((3, 0)), "d")];
    let Some((printed, said)) = consume(&lines) else { return };
    assert_eq!(printed.len(), 1);
    assert!(said.contains("a gap: it follows (2, 0), the last one seen is (1, 0)"), "{said}");
}

#[test]
fn a_second_history_stops_it() {
    let lines = [decision(1, 0, None, "a"), decision(1, 0, None, "z")];
    let Some((printed, said)) = consume(&lines) else { return };
    assert_eq!(printed.len(), 1);
    assert!(said.contains("two histories"), "{said}");
}
