//! README.md says what is so: its config and workspace files pass `strowger check`, its curl commands get the answers it
//! promises from a server that runs on those very files, the player's commands run as they stand there, and the make
//! targets and scripts it names are there.

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
    check(&folder.write("hours.toml", &format!("{}\n{}", file("acme.toml", 0), file("acme.toml: and further", 0))));
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hours.toml"));
    check(&folder.write("strowger.toml", file("strowger.toml", 0)));
    check(&folder.write("kafka.toml", file("strowger.toml", 1)));
    let player = concat!(env!("CARGO_MANIFEST_DIR"), "/load-tests/");
    check(&folder.write("shop.toml", &file("shop.toml", 0).replace("load-tests/", player)));
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
    assert_eq!(commands.len(), 3, "one block of events and views, one of decisions, one of what to watch");
    let said = run(&node, commands[0]);
    assert!(said.contains("\"state\":\"assigned\"") && said.contains("\"owner\":\"ada\""), "{said}");
    let told = run(&node, commands[1]);
    for decision_type in ["workspace.configured", "agent.changed", "conversation.opened", "conversation.assigned"] {
        assert!(told.contains(&format!("strowger.{decision_type}")), "{decision_type} is not told:\n{told}");
    }
    let seen = run(&node, commands[2]);
    for shown in ["\"agents_online\":1", "\"unanswered_by_age\"", "\"conversation\":\"call-1\"", "event: board"] {
        assert!(seen.contains(shown), "{shown} is not shown:\n{seen}");
    }
}

/// The commands of one block of the player, with the binary that is being tested.
fn player(part: &str) -> String {
    let block = blocks("sh").into_iter().find(|block| block.contains(part)).expect("the README has this command");
    block.replace("cargo run --bin strowger --", env!("CARGO_BIN_EXE_strowger"))
}

#[test]
fn the_simulate_and_generate_commands_of_the_readme_run() {
    let folder = crate::node::Folder::new("readme-player");
    let said = shell(&player(" generate ").replace("target/made", &folder.file("made").display().to_string()));
    assert_eq!(said.matches("\ndigest ").count(), 2, "two workloads are simulated:\n{said}");
}

#[test]
fn the_replay_command_of_the_readme_runs_on_the_clock_of_its_serve_command() {
    let workspace = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/workspaces/small.toml"));
    let mut node =
        Node::prepared("readme-replay", &JournalAt::Embedded, Some(&workspace.expect("the small workspace")));
    let serve = player(" --clock ");
    let (scale, start) =
        serve.trim().split_once("scaled=").and_then(|(_, clock)| clock.split_once(",start=")).expect("a scaled clock");
    let config = fs::read_to_string(node.folder.file("strowger.toml")).expect("the node's config");
    node.folder.write("strowger.toml", &format!("{config}\n[clock]\nscale = {scale}\nstart = \"{start}\"\n"));
    node.start();
    let said = run(&node, &player(" replay "));
    assert!(said.contains("end to end") && !said.contains("No waits"), "{said}");
}

#[test]
fn the_review_command_of_the_readme_writes_its_page_and_its_figures() {
    let mut node = Node::prepared("readme-review", &JournalAt::Embedded, Some(file("acme.toml", 0)));
    node.start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while node.try_get("/v1/workspaces/acme/agents").is_none_or(|answer| answer.status != 200) {
        assert!(Instant::now() < deadline, "the workspace file was not offered:\n{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let command =
        player("strowger review ").replace("strowger review", &format!("{} review", env!("CARGO_BIN_EXE_strowger")));
    let said = shell(&format!("cd {}\n{command}", node.folder.path().display()));
    assert!(said.starts_with("review.html and review.json: workspace acme, "), "{said}");
    assert!(node.folder.file("review.html").exists() && node.folder.file("review.json").exists());
}

fn run(node: &Node, commands: &str) -> String {
    shell(&commands.replace("http://127.0.0.1:8080", &node.url("")))
}

fn shell(commands: &str) -> String {
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("bash starts");
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
