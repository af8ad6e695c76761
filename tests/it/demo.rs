//! `strowger demo` from outside: what it prints, and that it leaves nothing behind.

use crate::node::Folder;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

fn demo(folder: &Folder, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_strowger"))
        .args(["demo", "--port", "0"])
        .args(arguments)
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the strowger binary starts")
}

fn is_empty(folder: &Folder) -> bool {
    std::fs::read_dir(folder.path()).expect("the test's own folder").next().is_none()
}

#[test]
fn the_demo_says_where_to_look_shows_its_seconds_and_leaves_nothing() {
    let folder = Folder::new("demo-seconds");
    let output = demo(&folder, &["--seconds", "3"]).wait_with_output().expect("it ends by itself");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success(), "{text}");
    for word in ["/metrics", "/v1/workspaces/demo/queues", "waiting  sales", "agents   ", "The demo has ended: "] {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(is_empty(&folder), "its folder is still there");
}

#[test]
fn ctrl_c_ends_the_demo_cleanly() {
    let folder = Folder::new("demo-interrupted");
    let mut process = demo(&folder, &[]);
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("waiting  ") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("it prints text") > 0, "it ended before its first second");
    }
    assert!(!is_empty(&folder));
    let sent = Command::new("kill").args(["-INT", &process.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("it prints text");
    assert!(process.wait().expect("own child").success(), "{rest}");
    assert!(rest.contains("The demo has ended: "), "{rest}");
    assert!(is_empty(&folder), "its folder is still there");
}
