//! The analyzer as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::service("analyzer", |settings, log, stop| async move {
        analyzer::run(&settings, log, stop).await
    })
}
