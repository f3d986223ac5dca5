//! Ingest as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::service("ingest", |settings, log, stop| async move {
        ingest::run(&settings, log, stop).await
    })
}
