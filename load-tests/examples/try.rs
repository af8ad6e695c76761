use load_tests::{simulate, generate, replay, workload::Selection, SimulateArgs, GenerateArgs, ReplayArgs};
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let opt = |n: &str| a.iter().position(|x| x == n).map(|i| a[i + 1].clone());
    let selection = Selection { from: opt("--from"), to: opt("--to-time") };
    let json = a.iter().any(|x| x == "--json");
    let r = match a[0].as_str() {
        "simulate" => simulate::run(SimulateArgs { workspace: opt("--workspace").unwrap().into(), workload: opt("--workload").unwrap().into(), seed: 1, selection, json, calls: opt("--calls").map(Into::into) }),
        "replay" => replay::run(ReplayArgs { workspace: opt("--workspace").map(Into::into), workload: opt("--workload").unwrap().into(), selection, json, calls: opt("--calls").map(Into::into), to: opt("--to").unwrap(), api: opt("--api"), speed: opt("--speed").map_or(1.0, |s| s.parse().unwrap()), ..ReplayArgs::default() }),
        _ => generate::run(GenerateArgs { out: opt("--out").unwrap().into(), arrivals: opt("--arrivals").unwrap().parse().unwrap(), case: opt("--case"), seed: 1, ..GenerateArgs::default() }),
    };
    if let Err(e) = r { eprintln!("error: {e:#}"); std::process::exit(1) }
}
