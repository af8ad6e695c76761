//! The player against numbers that it cannot have made itself: the bank's month, M/M/c, the Kiefer-Wolfowitz recursion,
//! and its own simulator.
//!
//! The bank's files are not in the project (`load-tests/README.md`); without them those tests are skipped. Constants of
//! M/M/c are those of the Erlang C formula and of an independent simulator (ten runs of 1,000,000 arrivals each).

use crate::node::Folder;
use connectors::workspace_file::WorkspaceFile;
use load_tests::figures::Figures;
use load_tests::generate::{self, GenerateArgs};
use load_tests::simulate::{self, SimulateArgs};
use load_tests::workload::{Selection, Workload};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Arrivals of the M/M/c tests: a few seconds each. The whole million: see load-tests/README.md.
const ARRIVALS: u64 = 200_000;

fn workspaces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/workspaces")
}

/// The bank's workload, or none with the line that says so.
fn bank() -> Option<PathBuf> {
    let folder = std::env::var_os("STROWGER_DATA").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data"));
    let path = folder.join("bank-1999-02.workload.ndjson.gz");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: the bank: no bank-1999-02.workload.ndjson.gz in STROWGER_DATA or data/");
    None
}

fn bank_workspace(head_start_s: u64) -> WorkspaceFile {
    let text = std::fs::read_to_string(workspaces().join("bank.toml")).unwrap();
    let line = "head_start_s = 90";
    assert_eq!(text.matches(line).count(), 1, "the tier's head start is one line");
    let text = text.replace(line, &format!("head_start_s = {head_start_s}"));
    WorkspaceFile::parse("bank.toml", &text).unwrap()
}

fn simulated(file: &WorkspaceFile, workload: &Workload) -> Figures {
    let played = simulate::play(file, workload, 1).unwrap();
    Figures::of(&played.player, Some(played.digest), 0.0)
}

#[test]
fn the_banks_vips_wait_less_by_the_published_ratios() {
    let Some(path) = bank() else { return };
    let workload = Workload::open(&path, &Selection::default()).unwrap();
    for (head_start_s, low, high) in
        [(90, 0.79, 0.85), (60, 0.86, 0.90), (120, 0.74, 0.79), (0, 1.1, 2.0), (1_000_000, 0.4, 0.69)]
    {
        let figures = simulated(&bank_workspace(head_start_s), &workload);
        let ratio = figures.waited_ratio("vip").unwrap();
        assert!((low..=high).contains(&ratio), "head start {head_start_s} s: {ratio:.4} is not in {low}..{high}");
        assert_eq!((figures.all.arrivals, figures.all.unfinished), (31_125, 0));
    }
}

#[test]
fn the_banks_month_comes_out_as_in_the_independent_simulator() {
    let Some(path) = bank() else { return };
    let workload = Workload::open(&path, &Selection::default()).unwrap();
    let figures = simulated(&bank_workspace(90), &workload);
    // The independent simulator over several tie rules: 13,840-14,190 waited, 2,973-3,007 left, 29.8-30.3 s.
    let waited = figures.all.waited.count.unwrap();
    let mean_s = figures.all.mean_wait_s.unwrap();
    assert!((13_700..=14_330).contains(&waited), "{waited} waited");
    assert!((2_940..=3_040).contains(&figures.all.abandoned), "{} left", figures.all.abandoned);
    assert!((29.5..=30.6).contains(&mean_s), "mean wait {mean_s:.3} s");
    assert_eq!(figures.by_queue["PE"].abandoned, 136, "nobody takes type PE");
    let comparison = figures.comparison.as_ref().unwrap();
    let correlation = comparison.correlation.unwrap();
    assert!(correlation > 0.7, "correlation with reality {correlation:.4}");
    assert_eq!(comparison.observed.abandoned, 3_963);
    assert_eq!(simulated(&bank_workspace(90), &workload).digest, figures.digest, "twice the same digest");
}

struct Case {
    name: &'static str,
    /// (expected, relative standard deviation of one run of 1,000,000 arrivals).
    waited_share: (f64, f64),
    mean_wait_s: (f64, f64),
    answered_within_20s_share: (f64, f64),
    occupancy: f64,
}

/// Erlang C; deviations from ten runs of an independent simulator.
const CASES: [Case; 2] = [
    Case {
        name: "mmc_c5_rho0.7",
        waited_share: (0.377_838_226_698_44, 0.0039),
        mean_wait_s: (60.454_116_271_750_4, 0.007_69),
        answered_within_20s_share: (0.666_558_935_260_571, 0.002_19),
        occupancy: 0.7,
    },
    Case {
        name: "mmc_c10_rho0.8",
        waited_share: (0.409_180_150_796_444, 0.0057),
        mean_wait_s: (61.377_022_619_466_5, 0.018_18),
        answered_within_20s_share: (0.641_896_449_340_983, 0.003_68),
        occupancy: 0.8,
    },
];

/// Tolerance: 4 standard deviations of a run of a million, times sqrt(1e6 / arrivals), at least 0.2 %.
fn assert_near(what: &str, found: f64, (expected, deviation): (f64, f64)) {
    let tolerance = (4.0 * deviation * (1e6 / ARRIVALS as f64).sqrt()).max(0.002);
    let off = (found / expected - 1.0).abs();
    assert!(off <= tolerance, "{what}: {found:.5} is {off:.4} off {expected:.5}, {tolerance:.4} is allowed");
}

#[test]
fn many_agents_and_one_queue_come_out_as_erlang_c_and_call_by_call_as_kiefer_and_wolfowitz() {
    for case in &CASES {
        let folder = Folder::new(case.name);
        let (workload, calls) = (folder.file("workload.ndjson"), folder.file("calls.ndjson"));
        generate::run(GenerateArgs {
            out: workload.clone(),
            arrivals: ARRIVALS,
            case: Some(case.name.to_owned()),
            seed: 1,
            ..GenerateArgs::default()
        })
        .unwrap();
        let file = simulate::open_workspace(&workspaces().join(format!("{}.toml", case.name))).unwrap();
        let lines = Workload::open(&workload, &Selection::default()).unwrap();
        let played = simulate::play(&file, &lines, 1).unwrap();
        let figures = Figures::of(&played.player, None, 0.0);
        assert_near("waited_share", figures.all.waited_share.unwrap(), case.waited_share);
        assert_near("mean_wait_s", figures.all.mean_wait_s.unwrap(), case.mean_wait_s);
        let soon = figures.all.answered_within_20s_share.unwrap();
        assert_near("answered_within_20s_share", soon, case.answered_within_20s_share);
        let occupancy = figures.occupancy.unwrap();
        let allowed = 0.01 * (1e6 / ARRIVALS as f64).sqrt();
        assert!((occupancy / case.occupancy - 1.0).abs() < allowed, "occupancy {occupancy:.5} of {}", case.name);
        load_tests::figures::write_calls(&calls, &played.player, true).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/kiefer_wolfowitz.py");
        let Ok(checked) = Command::new("python3").arg(&script).args([&workload, &calls]).output() else {
            println!("skipped: Kiefer-Wolfowitz: no python3 on this machine");
            return;
        };
        assert!(checked.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn the_small_workload_runs_to_its_end_on_the_small_workspace() {
    let file = simulate::open_workspace(&workspaces().join("small.toml")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/workloads/small.ndjson");
    let workload = Workload::open(&path, &Selection::default()).unwrap();
    let figures = simulated(&file, &workload);
    assert_eq!(figures.all.arrivals, 120);
    assert!(figures.all.answered >= 90, "{} answered", figures.all.answered);
    assert_eq!(figures.by_queue.keys().collect::<Vec<_>>(), ["billing", "general", "technical"]);
    assert!(figures.refused.is_empty(), "{:?}", figures.refused);
    let again = simulated(&file, &workload);
    assert_eq!(figures.digest, again.digest);
}

#[test]
fn a_part_of_a_workload_begins_with_each_agents_last_status() {
    let file = simulate::open_workspace(&workspaces().join("small.toml")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/workloads/small.ndjson");
    let selection = Selection { from: Some("2026-11-23T08:20".to_owned()), to: Some("2026-11-23T08:40".to_owned()) };
    let workload = Workload::open(&path, &selection).unwrap();
    assert_eq!(workload.opening.len(), 5);
    let figures = simulated(&file, &workload);
    assert!(figures.all.answered > 20 && figures.all.arrivals == workload.arrivals().count() as u64);
}

#[test]
fn a_workspace_with_a_fault_is_not_played() {
    let folder = Folder::new("faulty-workspace");
    let workspace = folder.write("w.toml", "workspace = 'x'\nversion = 1\n[[queue]]\nname = 'a'\nsteps = 3\n");
    let workload = Path::new(env!("CARGO_MANIFEST_DIR")).join("load-tests/workloads/small.ndjson");
    let args = SimulateArgs { workspace, workload, seed: 1, selection: Selection::default(), json: true, calls: None };
    let error = simulate::run(args).unwrap_err().to_string();
    assert!(error.contains("steps"), "{error}");
}

/// One hour of the bank's busiest day on a running engine, 120 times as fast, against the simulator. In so short a
/// stretch ties and a few milliseconds of way (times 120) move single calls: a quarter either way is allowed here, `make
/// bank` holds the whole day to 15 %.
fn an_hour_of_the_bank(mode: &str) {
    if bank().is_none() {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bank.py");
    let output = Command::new("python3")
        .arg(script)
        .args(["--binary", env!("CARGO_BIN_EXE_strowger"), "--mode", mode, "--speed", "120"])
        .args(["--from", "1999-02-02T10:00:00+02:00", "--to", "1999-02-02T11:00:00+02:00", "--within", "0.25"])
        .output();
    let Ok(output) = output else {
        println!("skipped: the bank's hour: no python3 on this machine");
        return;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}");
}

#[test]
fn an_hour_of_the_bank_through_the_embedded_journal_comes_out_as_simulated() {
    an_hour_of_the_bank("embedded");
}

#[test]
fn an_hour_of_the_bank_through_kafka_comes_out_as_simulated() {
    if std::env::var_os("KAFKA_BOOTSTRAP").is_none() {
        println!("skipped: the bank's hour through Kafka: KAFKA_BOOTSTRAP is not set");
        return;
    }
    an_hour_of_the_bank("kafka");
}
