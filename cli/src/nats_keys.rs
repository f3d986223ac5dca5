//! `bowline nats-keys`: an nkey for each user of `deploy/nats/users.conf`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use nkeys::KeyPair;
use serde::Serialize;

use crate::failure::Outcome;
use crate::output::Out;

/// The users of the shipped configuration, and what else their Secrets hold in the shipped manifests.
const USERS: [(&str, &[&str]); 5] = [
    ("set-up", &[]),
    ("ingest", &["webhook", "slack-webhook-url"]),
    ("analyzer", &["repository-token", "github-token"]),
    ("executor", &["repository-token"]),
    ("verifier", &["ci-token", "kuma-api-key"]),
];
/// The file with the public keys.
const PUBLIC: &str = "nkeys.env";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to write to; must not hold keys yet.
    folder: PathBuf,
}

#[derive(Serialize)]
struct Json {
    folder: String,
    public_keys: String,
}

pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to make the folder {}", folder.display()))?;
    let mut public = String::new();
    for (user, _) in USERS {
        let key = KeyPair::new_user();
        let seed = key.seed().context("failed to make a key")?;
        write(&folder.join(format!("{user}.seed")), &seed, 0o600)?;
        public.push_str(&format!("{}={}\n", variable(user), key.public_key()));
    }
    let keys = folder.join(PUBLIC);
    write(&keys, &public, 0o644)?;
    out.answer(
        |_| text(folder),
        || Json {
            folder: folder.display().to_string(),
            public_keys: keys.display().to_string(),
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn text(folder: &Path) -> String {
    let folder = folder.display();
    let mut text = format!(
        "The seeds are in {folder}/*.seed: keep them secret. The public keys are in \
         {folder}/{PUBLIC}.\nFor the shipped manifests, with a file for each of the other \
         secrets:\n\n  kubectl -n bowline create configmap bowline-nkeys \
         --from-env-file={folder}/{PUBLIC}\n"
    );
    for (user, others) in USERS {
        text.push_str(&format!(
            "  kubectl -n bowline create secret generic bowline-{user} \\\n    \
             --from-file=nats-nkey-seed={folder}/{user}.seed"
        ));
        for other in others {
            text.push_str(&format!(" \\\n    --from-file={other}=FILE"));
        }
        text.push('\n');
    }
    text
}

/// The variable that `users.conf` reads.
fn variable(user: &str) -> String {
    format!("BOWLINE_NKEY_{}", user.replace('-', "").to_uppercase())
}

/// Writes a new file; an old one is kept, because somebody may be logging in with it.
fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| {
            format!(
                "failed to write {}; keys that exist are not replaced",
                path.display()
            )
        })?;
    writeln!(file, "{}", text.trim_end())
        .with_context(|| format!("failed to write {}", path.display()))
}
