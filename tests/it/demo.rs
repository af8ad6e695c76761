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

/// What a spectator gets to see before long, by a word of the line that tells it.
const SCENES: [(&str, &str); 6] = [
    ("waiting  ", "the first second"),
    (", accepted", "an offer that its agent accepted"),
    ("the bot hands ", "a bot's hand-off"),
    ("vip in his first ring", "a VIP answered by a senior"),
    (" ringing)", "why somebody waits"),
    ("  1 wrapping up", "an agent who wraps up"),
];

#[test]
fn the_demo_shows_its_scenes_and_ctrl_c_ends_it_cleanly() {
    let folder = Folder::new("demo-interrupted");
    // It ends by itself should a scene never come.
    let mut process = demo(&folder, &["--seconds", "240"]);
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut missing = SCENES.to_vec();
    let mut text = String::new();
    while !missing.is_empty() {
        let before = text.len();
        assert!(lines.read_line(&mut text).expect("it prints text") > 0, "never shown: {missing:?}, in:\n{text}");
        missing.retain(|(word, _)| !text[before..].contains(word));
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
