//! The program: reads the command line, sets up the log, and turns results into exit codes. Nothing else is here.
//!
//! Exit codes: 0 done, 1 refused or failed (a sentence on standard error says why), 2 the command line is wrong,
//! 134 an assertion failed (the process stops and recovers from the journal).

use clap::Parser;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use strowger::cli::{Cli, Command, SchemaOf};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// A report that is drawn with lines and carets says itself that it is an error.
fn sentence(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    if text.starts_with("error") { text } else { format!("error: {text}") }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => {
            log("info");
            stop_at_a_bad_assertion();
            let config = args.config().map_err(anyhow::Error::msg)?;
            strowger::serve::run(&config)
        }
        Command::Check { file } => {
            println!("{}", strowger::check::run(&file).map_err(anyhow::Error::msg)?);
            Ok(())
        }
        Command::Schema { of: SchemaOf::Workspace } => print(&format!("{:#}", connectors::codec::workspace_schema())),
        Command::Schema { of: SchemaOf::Asyncapi } => print(connectors::codec::asyncapi().trim_end()),
        Command::Demo(args) => {
            log("warn");
            strowger::demo::run(&strowger::demo::Args { port: args.port, seconds: args.seconds })
        }
        Command::Top(args) => {
            strowger::top::run(&strowger::top::Args { url: args.url, workspace: args.workspace, once: args.once })
        }
        Command::Simulate(args) => load_tests::simulate::run(args.into()),
        Command::Replay(args) => load_tests::replay::run(args.try_into()?),
        Command::Generate(args) => load_tests::generate::run(args.into()),
        Command::Theory(args) => load_tests::theory::run(args.into()),
        Command::Review(args) => {
            log("warn");
            strowger::review::run(&args.into())
        }
    }
}

/// Who reads only the beginning, as `head` does, has what he wanted.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// One JSON line each on standard error, or lines for people on a terminal. `RUST_LOG` filters.
fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| strowger::top::Log);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}

/// A state that is not what it must be is not gone on from, on whichever thread it is found.
fn stop_at_a_bad_assertion() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        tracing::error!("an assertion failed; the process stops and recovers from the journal");
        std::process::abort();
    }));
}
