//! `bowline config` as a person calls it: the real binary in a folder of its own.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What the program said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn config(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_bowline"))
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(folder)
        .arg("config")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn what_is_written_first_is_right_and_only_observes() {
    let folder = tempfile::tempdir().unwrap();
    let said = config(folder.path(), &["init"], &[]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.out
            .contains("bowline config check --config bowline.toml"),
        "{}",
        said.out
    );
    let said = config(
        folder.path(),
        &["check", "--config", "bowline.toml", "--output", "json"],
        &[],
    );
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["mode"], "observe");
    assert_eq!(json["repository"], "acme/infrastructure");
    assert_eq!(json["faults"], Value::Array(Vec::new()));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, "mode = 'auto'\n").unwrap();
    let said = config(folder.path(), &["init", "--path", "mine.toml"], &[]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(
        said.err.contains("mine.toml is there already") && said.err.contains("--path"),
        "{}",
        said.err
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mode = 'auto'\n");
    let said = config(folder.path(), &["init", "--path", "no/such/folder"], &[]);
    assert_eq!(said.code, Some(1), "{said:?}");
}

#[test]
fn all_faults_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("wrong.toml"),
        "instance = 'no good'\nnope = 1\n[rate]\nwindow = 'soon'\n",
    )
    .unwrap();
    let check = ["check", "--config", "wrong.toml"];
    let keys = [
        "instance",
        "nope",
        "rate.window",
        "repository.url",
        "ci.url",
    ];
    let said = config(folder.path(), &check, &[]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    for key in keys {
        assert!(
            said.err.contains(&format!("\n{key}: ")),
            "{key}: {}",
            said.err
        );
    }
    let json = [&check[..], &["--output", "json"]].concat();
    let said = config(folder.path(), &json, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let told: Vec<&str> = answer["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["key"].as_str().unwrap())
        .collect();
    for key in keys {
        assert!(told.contains(&key), "{key} is missing in {told:?}");
    }
    let said = config(folder.path(), &["check"], &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("name one with --config"), "{}", said.err);
}

#[test]
fn a_check_reads_environment_and_flags_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), &["init"], &[]);
    let environment = [
        ("BOWLINE_SECRET_WEBHOOK", "hush"),
        ("BOWLINE_SECRET_CI_TOKEN", "  "),
        ("BOWLINE_RATE__MAX_UPGRADES_PER_WINDOW", "7"),
        ("NATS_URL", "nats://me:hush@nats.example.org:4222"),
    ];
    let arguments = [
        "check",
        "--config",
        "bowline.toml",
        "--set",
        "repository.branch=trunk",
    ];
    let said = config(folder.path(), &arguments, &environment);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    for words in [
        "acme/infrastructure, branch trunk, folder stacks\n",
        "7 upgrades in 6 h\n",
        "nats.example.org:4222 (nats.url)\n",
        "\n  webhook       set\n",
        "\n  CI            not set: the CI token from BOWLINE_SECRET_CI_TOKEN is empty\n",
        "\n  Slack         not set (BOWLINE_SECRET_SLACK_WEBHOOK_URL or slack.webhook_url_file)\n",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(!said.out.contains("hush"), "{}", said.out);
}
