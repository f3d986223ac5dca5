//! The configuration of the child nats-server, as text.

use std::net::SocketAddr;
use std::path::Path;

use super::port::Address;

/// What the consumers that live in memory may take: 256 MiB.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;
/// A log file is closed at this size: 16 MiB.
const LOG_SIZE: u64 = 16 * 1024 * 1024;
/// So many closed log files are kept.
const LOGS_KEPT: u32 = 2;

/// The server's files within its folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) store: &'a Path,
    pub(super) pid: &'a Path,
    pub(super) log: &'a Path,
}

/// A path that the server's configuration cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("the path {0:?} holds what nats-server's configuration cannot: choose another `data_dir`")]
pub(super) struct Unspeakable(std::path::PathBuf);

/// The whole file. It holds the token, so nobody else may read it.
pub(super) fn render(
    address: &Address,
    files: Files<'_>,
    max_store: u64,
    monitoring: Option<SocketAddr>,
) -> Result<String, Unspeakable> {
    let (store, pid, log) = (quoted(files.store)?, quoted(files.pid)?, quoted(files.log)?);
    let monitoring = monitoring.map_or_else(String::new, |at| format!("http: \"{at}\"\n"));
    // Every write is on the disk before it is acknowledged: a fact that was confirmed survives a
    // power cut.
    Ok(format!(
        r#"server_name: "{name}"
listen: "{at}"
{monitoring}authorization {{ token: "{token}" }}
pid_file: {pid}
log_file: {log}
logfile_size_limit: {LOG_SIZE}
logfile_max_num: {LOGS_KEPT}
jetstream {{
  store_dir: {store}
  sync_interval: always
  max_memory_store: {MAX_MEMORY}
  max_file_store: {max_store}
}}
"#,
        name = address.name,
        at = address.socket(),
        token = address.token.expose(),
    ))
}

fn quoted(path: &Path) -> Result<String, Unspeakable> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(char::is_control))
        .ok_or_else(|| Unspeakable(path.to_owned()))?;
    Ok(format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}

#[cfg(test)]
mod tests {
    use runtime::Secret;

    use super::*;

    fn files(store: &Path) -> Files<'_> {
        Files {
            store,
            pid: Path::new("/d/nats/pid"),
            log: Path::new("/d/nats/log"),
        }
    }

    fn address() -> Address {
        Address {
            port: 23_456,
            name: "bowline-1".to_owned(),
            token: Secret::new("hush"),
        }
    }

    #[test]
    fn it_listens_on_loopback_asks_for_the_token_and_syncs_each_write() {
        let text = render(&address(), files(Path::new("/d/nats/store")), 4096, None).unwrap();
        let expected = r#"server_name: "bowline-1"
listen: "127.0.0.1:23456"
authorization { token: "hush" }
pid_file: "/d/nats/pid"
log_file: "/d/nats/log"
logfile_size_limit: 16777216
logfile_max_num: 2
jetstream {
  store_dir: "/d/nats/store"
  sync_interval: always
  max_memory_store: 268435456
  max_file_store: 4096
}
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn monitoring_is_served_only_where_it_was_asked_for() {
        let at = SocketAddr::from(([127, 0, 0, 1], 8222));
        let text = render(&address(), files(Path::new("/d")), 1, Some(at)).unwrap();
        assert!(text.contains("\nhttp: \"127.0.0.1:8222\"\n"), "{text}");
    }

    #[test]
    fn a_path_cannot_end_its_quotes() {
        for (path, expected) in [
            ("/a b/c", r#""/a b/c""#),
            (r#"/a"b"#, r#""/a\"b""#),
            (r"/a\b", r#""/a\\b""#),
        ] {
            assert_eq!(quoted(Path::new(path)).unwrap(), expected);
        }
        let error = quoted(Path::new("/a\nb")).unwrap_err();
        assert!(error.to_string().contains("data_dir"), "{error}");
    }
}
