//! The executor's view of a repository, over real smart HTTP.

use std::path::{Path, PathBuf};

use executor::{GitRepository, Landed, Refound, Repository};
use job::Site;
use runtime::Settings;
use testkit::git::GitServer;

/// A git host with the sample tree, our view of it, and the folder of the mirror.
fn bench() -> (GitServer, GitRepository, tempfile::TempDir) {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/testkit/data/homelab");
    let server = GitServer::start(&seed);
    let folder = tempfile::tempdir().expect("a folder");
    let token: PathBuf = folder.path().join("token");
    std::fs::write(&token, server.token()).expect("a token file");
    let mut settings = Settings::default();
    settings.repository.url = server.url();
    settings.repository.user = server.user().to_owned();
    settings.repository.token_file = Some(token);
    settings.data_dir = folder.path().to_owned();
    let repository = GitRepository::open(&settings).expect("a mirror");
    (server, repository, folder)
}

fn site() -> Site {
    Site {
        path: "stacks/dawarich/main.tf".to_owned(),
        address: "variable.dawarich_version.default".to_owned(),
        before: "0.37.1".to_owned(),
        after: "0.37.2".to_owned(),
    }
}

fn reversed() -> Site {
    let Site {
        path,
        address,
        before,
        after,
    } = site();
    Site {
        path,
        address,
        before: after,
        after: before,
    }
}

const MESSAGE: &str = "upgrade: dawarich 0.37.1 -> 0.37.2\n\nUpgrade-Id: 0123456789abcdef/1\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_arguments_build_the_same_commit_and_it_moves_only_the_site() {
    let (server, repository, _folder) = bench();
    let head = repository.fetch().await.expect("a head");
    assert_eq!(
        repository.refind(&head, &[site()]).await.expect("sites"),
        Refound::Ready
    );
    let first = repository
        .build(&head, &[site()], MESSAGE, 1_700_000_000)
        .await
        .expect("built");
    let again = repository
        .build(&head, &[site()], MESSAGE, 1_700_000_000)
        .await
        .expect("built");
    assert_eq!(first, again);
    assert_eq!(
        repository.push(&first, &head).await.expect("pushed"),
        Landed::Yes
    );
    assert_eq!(server.head("main"), first);
    let before = server.show(&head, &site().path).expect("the old file");
    let after = server.show(&first, &site().path).expect("the new file");
    let (before, after) = (
        String::from_utf8(before).expect("text"),
        String::from_utf8(after).expect("text"),
    );
    let moved: Vec<(&str, &str)> = before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .collect();
    let [(old, new)] = moved.as_slice() else {
        panic!("one line moves: {moved:?}")
    };
    assert_eq!(old.replace("0.37.1", "0.37.2"), *new);
    assert_eq!(before.lines().count(), after.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_commit_is_found_by_its_trailer_and_its_sites_are_there() {
    let (_server, repository, _folder) = bench();
    let base = repository.fetch().await.expect("a head");
    let commit = repository
        .build(&base, &[site()], MESSAGE, 1_700_000_000)
        .await
        .expect("built");
    repository.push(&commit, &base).await.expect("pushed");
    let head = repository.fetch().await.expect("a head");
    let find = |value: &'static str| repository.find_trailer(&base, &head, "Upgrade-Id", value);
    assert_eq!(
        find("0123456789abcdef/1").await.expect("a search"),
        Some(commit.clone())
    );
    assert_eq!(find("0123456789abcdef/10").await.expect("a search"), None);
    assert_eq!(
        repository.refind(&head, &[site()]).await.expect("sites"),
        Refound::AlreadyThere
    );
    assert_eq!(
        repository
            .refind(&head, &[reversed()])
            .await
            .expect("sites"),
        Refound::Ready
    );
    let subject = repository.subject(&commit).await.expect("a subject");
    assert_eq!(subject, "upgrade: dawarich 0.37.1 -> 0.37.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_value_at_the_site_is_named_and_left_alone() {
    let (server, repository, _folder) = bench();
    let head = repository.fetch().await.expect("a head");
    let text = String::from_utf8(server.show(&head, &site().path).expect("a file")).expect("text");
    let edited = text.replace("0.37.1\"", "0.40.0\"");
    server.commit_as_someone_else(&site().path, edited.as_bytes(), "by hand");
    let head = repository.fetch().await.expect("a head");
    let Refound::Changed(how) = repository.refind(&head, &[site()]).await.expect("sites") else {
        panic!("a third value must not pass");
    };
    assert!(
        how.contains("0.40.0") && how.contains("stacks/dawarich/main.tf"),
        "{how}"
    );
    let refused = repository.build(&head, &[site()], MESSAGE, 1).await;
    assert!(refused.is_err(), "nothing is built over a third value");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_hook_is_reported_in_its_own_words() {
    let (server, repository, _folder) = bench();
    server.set_hook(
        "pre-receive",
        "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n",
    );
    let head = repository.fetch().await.expect("a head");
    let commit = repository
        .build(&head, &[site()], MESSAGE, 1)
        .await
        .expect("built");
    let Landed::Refused(reason) = repository.push(&commit, &head).await.expect("an answer") else {
        panic!("the hook refused it");
    };
    assert!(reason.contains("main is protected"), "{reason}");
    assert_eq!(server.head("main"), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_only_read_is_a_refusal_and_not_tried_for_ever() {
    let (server, repository, _folder) = bench();
    let head = repository.fetch().await.expect("a head");
    let commit = repository
        .build(&head, &[site()], MESSAGE, 1)
        .await
        .expect("built");
    server.fail_next(403, 1);
    let landed = repository.push(&commit, &head).await.expect("an answer");
    assert!(matches!(landed, Landed::Refused(_)), "{landed:?}");
    assert_eq!(server.head("main"), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_beyond_the_target_is_told_from_one_before_it_and_from_another_style() {
    let (server, repository, _folder) = bench();
    let head = repository.fetch().await.expect("a head");
    let text = String::from_utf8(server.show(&head, &site().path).expect("a file")).expect("text");
    for (written, expected) in [
        ("0.37.1", false),
        ("0.37.2", true),
        ("0.40.0", true),
        ("v0.40.0", false),
    ] {
        let edited = text.replace("0.37.1\"", &format!("{written}\""));
        server.commit_as_someone_else(&site().path, edited.as_bytes(), "by hand");
        let head = repository.fetch().await.expect("a head");
        let found = repository.at_or_beyond(&head, &[site()]).await;
        assert_eq!(found.expect("an answer"), expected, "{written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_built_on_each_new_head_and_never_from_an_old_look() {
    let (server, repository, _folder) = bench();
    let build = async |repository: &GitRepository| {
        let head = repository.fetch().await.expect("a head");
        let built = repository.build(&head, &[site()], MESSAGE, 1).await;
        built.map(|commit| (head, commit))
    };
    let (_, first) = build(&repository).await.expect("built");
    // A file that the engine does not read, then one that it does, then the site itself.
    server.commit_as_someone_else("state.json", b"{}", "state");
    let (head, second) = build(&repository).await.expect("built");
    assert_ne!(first, second);
    let landed = repository.push(&second, &head).await.expect("an answer");
    assert_eq!(landed, Landed::Yes);
    assert_eq!(
        server.show("main", "state.json").as_deref(),
        Some(&b"{}"[..])
    );

    let text = String::from_utf8(server.show("main", &site().path).expect("a file")).expect("text");
    let back = format!("# moved down\n{}", text.replace("0.37.2\"", "0.37.1\""));
    server.commit_as_someone_else(&site().path, back.as_bytes(), "back, one line below");
    let (head, third) = build(&repository).await.expect("built");
    let landed = repository.push(&third, &head).await.expect("an answer");
    assert_eq!(landed, Landed::Yes);
    let expected = format!("# moved down\n{text}");
    assert_eq!(
        server.show("main", &site().path),
        Some(expected.into_bytes())
    );

    let other = text.replace("0.37.2\"", "0.40.0\"");
    server.commit_as_someone_else(&site().path, other.as_bytes(), "by hand");
    assert!(build(&repository).await.is_err());
}
