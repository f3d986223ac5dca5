//! The executor as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::service("executor", |settings, log, stop| async move {
        executor::run(&settings, log, stop).await
    })
}
