//! Ingest as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::service_with_health("ingest", |settings, log, health, stop| async move {
        ingest::run(&settings, log, health, stop).await
    })
}
