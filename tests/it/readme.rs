//! README.md says what is so: its config and workspace files pass `strowger check`, its curl commands get the answers it
//! promises from a server that runs on those very files, and the make targets and scripts it names are there.

use crate::node::{JournalAt, Node, program_or_skip};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const README: &str = include_str!("../../README.md");

/// The fenced blocks of a language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap_or("")).collect()
}

/// The block that begins with this file's name as a comment.
fn file(name: &str, nth: usize) -> &'static str {
    let head = format!("# {name}\n");
    blocks("toml").into_iter().filter(|block| block.starts_with(&head)).nth(nth).expect("the README has this file")
}

fn check(path: &Path) {
    let done = Command::new(env!("CARGO_BIN_EXE_strowger")).arg("check").arg(path).output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "strowger check {} says:\n{said}", path.display());
}

#[test]
fn the_files_of_the_readme_pass_the_check() {
    let folder = crate::node::Folder::new("readme-files");
    check(&folder.write("acme.toml", file("acme.toml", 0)));
    check(&folder.write("strowger.toml", file("strowger.toml", 0)));
    check(&folder.write("kafka.toml", file("strowger.toml", 1)));
}

#[test]
fn the_curl_commands_of_the_readme_get_what_it_promises() {
    if !program_or_skip("curl", "the README's curl commands") {
        return;
    }
    let mut node = Node::prepared("readme", &JournalAt::Embedded, Some(file("acme.toml", 0)));
    node.start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while node.get("/v1/workspaces/acme/agents").text.matches("\"agent\":").count() < 2 {
        assert!(Instant::now() < deadline, "the workspace file was not offered:\n{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let commands: Vec<&str> = blocks("sh").into_iter().filter(|block| block.contains("curl")).collect();
    assert_eq!(commands.len(), 2, "one block of events and views, one of decisions");
    let said = run(&node, commands[0]);
    assert!(said.contains("\"state\":\"assigned\"") && said.contains("\"owner\":\"ada\""), "{said}");
    let told = run(&node, commands[1]);
    for decision_type in ["workspace.configured", "agent.changed", "conversation.opened", "conversation.assigned"] {
        assert!(told.contains(&format!("strowger.{decision_type}")), "{decision_type} is not told:\n{told}");
    }
}

fn run(node: &Node, commands: &str) -> String {
    let commands = commands.replace("http://127.0.0.1:8080", &node.url(""));
    let done = Command::new("bash").args(["-euo", "pipefail", "-c", &commands]).output().expect("bash starts");
    assert!(done.status.success(), "{commands}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn what_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).expect("the Makefile");
    for line in blocks("sh").into_iter().flat_map(str::lines) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["make", target, ..] => assert!(makefile.contains(&format!("\n{target}:")), "make {target}"),
            [script, ..] if script.starts_with("scripts/") => assert!(root.join(script).exists(), "{script}"),
            _ => {}
        }
        for word in words.iter().filter(|word| word.starts_with("load-tests/")) {
            assert!(root.join(word).exists(), "{word} is not there");
        }
    }
    for name in ["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "examples/consumer.py", "tests/checker/check.py"] {
        assert!(README.contains(name) && root.join(name).exists(), "{name}");
    }
}
