use super::*;

fn seeded() -> (TempDir, GitServer) {
    let seed = TempDir::new().unwrap();
    fs::write(seed.path().join("a.tf"), "a = 1\n").unwrap();
    let server = GitServer::start(seed.path());
    (seed, server)
}

fn ls_remote(url: &str) -> anyhow::Result<Vec<u8>> {
    git(Path::new("/"), ["ls-remote", url], b"")
}

/// Clones, commits a change and pushes it with the git program.
fn push(server: &GitServer) -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let url = server.url_with_token();
    git(dir.path(), ["clone", "--quiet", &url, "."], b"")?;
    fs::write(dir.path().join("a.tf"), "a = 2\n")?;
    git(dir.path(), ["commit", "--quiet", "-am", "Two"], b"")?;
    git(dir.path(), ["push", "--quiet"], b"").map(drop)
}

#[test]
fn a_pushed_commit_is_seen_in_log_and_files() {
    let (_seed, server) = seeded();
    push(&server).unwrap();
    assert_eq!(server.show("main", "a.tf").unwrap(), b"a = 2\n");
    let subjects: Vec<_> = server
        .log("main")
        .into_iter()
        .map(|entry| entry.subject)
        .collect();
    assert_eq!(subjects, ["Two", "Seed"]);
}

#[test]
fn a_wrong_token_and_none_are_refused() {
    let (_seed, server) = seeded();
    assert!(ls_remote(&server.url_with_token()).is_ok());
    assert!(ls_remote(&server.url_with_bad_token()).is_err());
    assert!(ls_remote(&server.url()).is_err());
    assert_eq!(server.refused_credentials(), 1);
}

#[test]
fn a_hook_declines_until_it_is_removed() {
    let (_seed, server) = seeded();
    server.set_hook("pre-receive", "#!/bin/sh\necho no >&2\nexit 1\n");
    let error = push(&server).unwrap_err().to_string();
    assert!(error.contains("pre-receive hook declined"), "{error}");
    server.remove_hook("pre-receive");
    push(&server).unwrap();
}

#[test]
fn a_commit_before_receive_wins_the_race() {
    let (_seed, server) = seeded();
    let other = server.someone_else();
    server.before_receive(move || drop(other.commit("b.tf", b"b", "Theirs")));
    push(&server).unwrap_err();
    assert_eq!(server.log("main").first().unwrap().subject, "Theirs");
    assert_eq!(server.log("main").len(), 2);
}

#[test]
fn a_lost_answer_hides_a_push_that_landed() {
    let (_seed, server) = seeded();
    server.lose_receive_answers(1);
    push(&server).unwrap_err();
    assert_eq!(server.log("main").first().unwrap().subject, "Two");
}

#[test]
fn failures_are_used_up() {
    let (_seed, server) = seeded();
    server.fail_next(503, 1);
    ls_remote(&server.url_with_token()).unwrap_err();
    ls_remote(&server.url_with_token()).unwrap();
}

#[test]
fn the_folder_goes_away_with_the_host() {
    let (_seed, server) = seeded();
    server.hang_next(1);
    let mut hanging = bare_git(Path::new("/"));
    hanging.args(["ls-remote", &server.url_with_token()]);
    let mut hanging = hanging.spawn().unwrap();
    while server.requests() < 2 {
        std::thread::yield_now();
    }
    let folder = server.bare_path();
    drop(server);
    assert!(!folder.exists());
    hanging.wait().unwrap();
}

#[test]
fn the_committed_head_is_copied_and_nothing_else() {
    let own = TempDir::new().unwrap();
    let run = |arguments: &[&str]| git(own.path(), arguments, b"").unwrap();
    run(&["init", "--quiet", "-b", "trunk", "."]);
    fs::write(own.path().join("a.tf"), b"a = 1\r\n\0").unwrap();
    fs::write(own.path().join(".gitattributes"), "a.tf export-ignore\n").unwrap();
    run(&["add", "--all"]);
    run(&["commit", "--quiet", "-m", "One"]);
    run(&["commit", "--quiet", "--allow-empty", "-m", "Two"]);
    fs::write(own.path().join("a.tf"), "uncommitted").unwrap();
    fs::write(own.path().join("untracked"), "x").unwrap();

    let server = GitServer::copy_of(own.path()).unwrap();
    assert_eq!(server.show("main", "a.tf").unwrap(), b"a = 1\r\n\0");
    assert_eq!(server.show("main", "untracked"), None);
    let log = server.log("main");
    assert!(
        log.len() == 1 && log[0].subject.ends_with(" Two"),
        "{log:?}"
    );
    // It can be cloned and pushed to like any other.
    push(&server).unwrap();

    let nothing = TempDir::new().unwrap();
    let refused = GitServer::copy_of(nothing.path()).unwrap_err();
    assert!(
        format!("{refused:#}").contains("failed to copy the HEAD of"),
        "{refused:#}"
    );
}
