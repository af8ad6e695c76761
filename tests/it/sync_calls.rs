//! Sync calls of the running `serve` are counted: kill -9 keeps the page cache, so the kill tests alone cannot tell a
//! journal that reaches the disk from one that does not.
//!
//! tests/sync/count_syncs.c, loaded by LD_PRELOAD, counts fsync and fdatasync into a mapped file. Between the sending of
//! an event and its answer there has to be at least one on the write-ahead log; with `synchronous=OFF` the same count
//! finds none, which shows that the test can fail.

use crate::node::{JournalAt, Node, configure, event, program_or_skip};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const EVENTS: u32 = 100;

/// The library, built for this test binary.
fn library(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sync/count_syncs.c");
    let library = folder.join("count_syncs.so");
    let built = Command::new("gcc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(built.is_ok_and(|status| status.success()), "gcc builds tests/sync/count_syncs.c");
    library
}

/// Of `EVENTS` events, each sent when the one before was answered: how many saw a sync of the write-ahead log meanwhile.
fn commits_with_a_sync(name: &str, environment: &[(&str, &str)]) -> u32 {
    let mut node = Node::prepared(name, &JournalAt::Embedded, None);
    let counts = node.folder.file("sync_counts");
    fs::write(&counts, [0_u8; 16]).expect("the counters' file");
    let library = library(node.folder.path());
    node = node
        .with_environment("LD_PRELOAD", &library.display().to_string())
        .with_environment("SYNC_COUNTS", &counts.display().to_string());
    for (name, value) in environment {
        node = node.with_environment(name, value);
    }
    node.start();
    configure(&node);
    let syncs_of_the_log = || {
        let bytes = fs::read(&counts).expect("the counters' file");
        u64::from_ne_bytes(bytes[..8].try_into().expect("eight bytes"))
    };
    let mut synced = 0;
    for n in 0..EVENTS {
        let before = syncs_of_the_log();
        node.settle(&event(
            &format!("c{n}"),
            "contact.started",
            json!({"channel": "voice", "conversation": format!("c{n}")}),
        ));
        synced += u32::from(syncs_of_the_log() > before);
    }
    synced
}

#[test]
fn every_answered_commit_was_synced_to_disk() {
    if program_or_skip("gcc", "counting sync calls") {
        assert_eq!(commits_with_a_sync("synced", &[]), EVENTS);
    }
}

#[test]
fn without_synchronous_writes_the_count_of_sync_calls_shows_it() {
    if program_or_skip("gcc", "counting sync calls") {
        let synced = commits_with_a_sync("not-synced", &[("STROWGER_TEST_SYNCHRONOUS", "off")]);
        assert!(synced < EVENTS / 10, "{synced} of {EVENTS} commits were synced though synchronous is OFF");
    }
}
