//! The licence check of `.ci/run` can fail: it runs on this workspace, and on a package that must not pass.

use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn check(metadata: Option<&str>) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    command.arg("-B").arg(root.join("scripts/licences.py")).current_dir(root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if metadata.is_some() {
        command.arg("-");
    }
    let mut process = command.spawn().expect("python3 starts");
    process.stdin.take().expect("piped").write_all(metadata.unwrap_or("").as_bytes()).expect("the check reads");
    let done = process.wait_with_output().expect("the check ends");
    (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
}

fn package(licence: Option<&str>) -> String {
    json!({"packages": [{"name": "x", "version": "1.0.0", "license": licence}]}).to_string()
}

#[test]
fn every_package_may_be_used_under_apache_2() {
    let (passed, said) = check(None);
    assert!(passed, "{said}");
}

#[test]
fn a_licence_outside_the_list_is_refused() {
    for refused in [Some("GPL-3.0-only"), Some("MIT AND GPL-2.0"), Some("(MIT OR ISC) AND SSPL-1.0"), None] {
        assert!(!check(Some(&package(refused))).0, "{refused:?} passed");
    }
    for taken in ["MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(MIT OR GPL-2.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(check(Some(&package(Some(taken)))).0, "{taken} was refused");
    }
}
