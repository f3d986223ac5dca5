//! The mirror against a real git host.

#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

mod common;

use common::{AFTER, BEFORE, CIPHER, FILE, SECRETS, Setup, chain, edit, meta, remote};
use mirror::{Commit, Error, FileEdit, Kind, Mirror, PushOutcome};
use testkit::git::git;

mod reading {
    use super::*;

    #[test]
    fn a_tree_has_files_and_neither_links_nor_submodules() {
        let setup = Setup::new();
        let head = setup.mirror.fetch().unwrap();
        let tree = setup.mirror.tree(&head).unwrap();
        let expected = [".gitattributes", SECRETS, FILE, "stacks/paperless/run.sh"];
        assert_eq!(tree.paths(), expected);
        assert_eq!(tree.read(FILE).unwrap(), BEFORE);
        assert_eq!(tree.read(SECRETS).unwrap(), CIPHER);
        assert_eq!(tree.read("stacks/paperless/link.tf"), None);
    }

    #[test]
    fn fetch_follows_the_branch_and_head_remembers_it() {
        let setup = Setup::new();
        assert!(matches!(setup.mirror.head(), Err(Error::NotFetched { .. })));
        let first = setup.mirror.fetch().unwrap();
        let second = setup
            .server
            .commit_as_someone_else("other.tf", b"x", "Other");
        assert_eq!(setup.mirror.head().unwrap(), first);
        assert_eq!(setup.mirror.fetch().unwrap().as_str(), second);
        assert_eq!(setup.mirror.head().unwrap().as_str(), second);
    }

    #[test]
    fn a_reopened_mirror_knows_its_head() {
        let setup = Setup::new();
        let head = setup.mirror.fetch().unwrap();
        let again = Mirror::open(
            &setup.dir.path().join("mirror"),
            setup.mirror.remote().clone(),
        );
        assert_eq!(again.unwrap().head().unwrap(), head);
    }

    #[test]
    fn a_branch_that_is_gone_is_an_error_and_not_its_old_head() {
        let setup = Setup::new();
        setup.mirror.fetch().unwrap();
        git(
            &setup.server.bare_path(),
            ["branch", "-M", "main", "trunk"],
            b"",
        )
        .unwrap();
        let error = setup.mirror.fetch().unwrap_err();
        assert!(matches!(error, Error::NoBranch { .. }), "{error:?}");
        assert_eq!(error.kind(), Kind::Person);
    }

    #[test]
    fn a_mirror_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Mirror>();
        shared::<mirror::MirrorTree>();
    }
}

mod building {
    use super::*;

    #[test]
    fn the_same_inputs_give_the_same_commit() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        assert_eq!(setup.upgrade(&base), setup.upgrade(&base));
    }

    #[test]
    fn a_commit_differs_from_its_parent_in_the_edited_bytes_only() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let script = FileEdit {
            path: "stacks/paperless/run.sh".to_owned(),
            before: b"#!/bin/sh\necho 1.0\n".to_vec(),
            after: b"#!/bin/sh\necho 2.0\n".to_vec(),
        };
        let paths = [edit().path, script.path.clone()];
        let commit = setup
            .mirror
            .build(&base, &[edit(), script], &meta("Upgrade"))
            .unwrap();

        assert!(setup.mirror.diff_is_exactly(&commit, &paths).unwrap());
        assert!(!setup.mirror.diff_is_exactly(&commit, &paths[..1]).unwrap());
        let args = [
            "diff-tree",
            "-r",
            "--abbrev=1",
            base.as_str(),
            commit.as_str(),
        ];
        let raw = git(&setup.dir.path().join("mirror"), args, b"").unwrap();
        let raw = String::from_utf8(raw).unwrap();
        let modes: Vec<_> = raw
            .lines()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>())
            .collect();
        let kept: [Vec<_>; 2] = [vec![":100644", "100644"], vec![":100755", "100755"]];
        assert_eq!(modes, kept, "{raw}");
    }

    #[test]
    fn edits_that_do_not_fit_the_parent_are_refused() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let build = |edits: &[FileEdit]| setup.mirror.build(&base, edits, &meta("x")).unwrap_err();
        let with = |path: &str, before: &[u8], after: &[u8]| FileEdit {
            path: path.to_owned(),
            before: before.to_vec(),
            after: after.to_vec(),
        };
        assert_eq!(build(&[]), Error::Empty);
        assert_eq!(build(&[with(FILE, BEFORE, BEFORE)]), Error::Empty);
        let stale = build(&[with(FILE, AFTER, BEFORE)]);
        assert_eq!(
            stale,
            Error::Stale {
                path: FILE.to_owned()
            }
        );
        assert!(matches!(
            build(&[with("no.tf", b"", b"x")]),
            Error::Stale { .. }
        ));
        let link = "stacks/paperless/link.tf";
        assert!(matches!(
            build(&[with(link, b"main.tf", b"x")]),
            Error::NotAFile { .. }
        ));
        assert!(matches!(
            build(&[edit(), edit()]),
            Error::EditedTwice { .. }
        ));
    }
}

mod pushing {
    use super::*;

    #[test]
    fn a_push_lands_and_leaves_encrypted_files_alone() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        assert_eq!(
            setup.mirror.push(&commit, &base).unwrap(),
            PushOutcome::Landed
        );

        assert_eq!(setup.server.head("main"), commit.as_str());
        assert_eq!(setup.mirror.head().unwrap(), commit);
        assert_eq!(setup.server.show("main", FILE).unwrap(), AFTER);
        assert_eq!(setup.server.show("main", SECRETS).unwrap(), CIPHER);
        let log = setup.server.log("main");
        assert_eq!(log.len(), 2);
        assert_eq!(log[0].author, "Bowline");
        assert_eq!(
            log[0].message.trim_end(),
            "Upgrade paperless\n\nUpgrade-Id: p/1"
        );
    }

    #[test]
    fn a_push_the_hook_declines_is_refused_in_the_hosts_words() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        setup.server.set_hook(
            "pre-receive",
            "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n",
        );
        let PushOutcome::Refused { reason } = setup.mirror.push(&commit, &base).unwrap() else {
            panic!("not refused");
        };
        assert_eq!(reason, "pre-receive hook declined: main is protected");
        assert_eq!(setup.server.head("main"), base.as_str());

        setup.server.remove_hook("pre-receive");
        assert_eq!(
            setup.mirror.push(&commit, &base).unwrap(),
            PushOutcome::Landed
        );
    }

    #[test]
    fn a_branch_that_moved_is_rederived_on_its_new_head() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        let theirs = setup
            .server
            .commit_as_someone_else("other.tf", b"x", "Other");
        let PushOutcome::Moved { head } = setup.mirror.push(&commit, &base).unwrap() else {
            panic!("not moved");
        };
        assert_eq!(head.as_str(), theirs);

        let rebased = setup.upgrade(&head);
        assert_ne!(rebased, commit);
        assert_eq!(
            setup.mirror.push(&rebased, &head).unwrap(),
            PushOutcome::Landed
        );
        assert_eq!(setup.server.log("main").len(), 3);
        assert_eq!(setup.server.show("main", "other.tf").unwrap(), b"x");
    }

    #[test]
    fn a_commit_that_wins_the_race_during_the_push_is_kept() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        let other = setup.server.someone_else();
        setup
            .server
            .before_receive(move || drop(other.commit("other.tf", b"x", "Other")));
        let outcome = setup.mirror.push(&commit, &base).unwrap();
        let head: Commit = setup.server.head("main").parse().unwrap();
        assert_eq!(outcome, PushOutcome::Moved { head });
        assert_eq!(setup.server.log("main")[0].subject, "Other");
    }

    #[test]
    fn a_base_that_somebody_took_back_does_not_return() {
        let setup = Setup::new();
        let first = setup.mirror.fetch().unwrap();
        setup.server.commit_as_someone_else("leak.tf", b"x", "Leak");
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        let back = ["update-ref", "refs/heads/main", first.as_str()];
        git(&setup.server.bare_path(), back, b"").unwrap();
        let outcome = setup.mirror.push(&commit, &base).unwrap();
        assert_eq!(outcome, PushOutcome::Moved { head: first });
        assert_eq!(setup.server.show("main", "leak.tf"), None);
    }

    #[test]
    fn a_push_repeated_after_it_landed_is_adopted() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        setup.mirror.push(&commit, &base).unwrap();
        setup
            .server
            .commit_as_someone_else("other.tf", b"x", "Other");

        assert_eq!(
            setup.mirror.push(&commit, &base).unwrap(),
            PushOutcome::Landed
        );
        let head = setup.mirror.head().unwrap();
        let find = |value: &str| setup.mirror.find_trailer(&base, &head, "Upgrade-Id", value);
        assert_eq!(find("p/1").unwrap(), Some(commit.clone()));
        assert_eq!(find("p/").unwrap(), None);
        let after = setup
            .mirror
            .find_trailer(&commit, &head, "Upgrade-Id", "p/1");
        assert_eq!(after.unwrap(), None, "the base itself is not searched");
        assert_eq!(setup.server.log("main").len(), 3);
    }

    #[test]
    fn a_push_whose_answer_was_lost_is_found_to_have_landed() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        setup.server.lose_receive_answers(1);
        assert_eq!(
            setup.mirror.push(&commit, &base).unwrap(),
            PushOutcome::Landed
        );
    }

    #[test]
    fn a_commit_that_is_not_on_its_base_is_never_sent() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        setup
            .server
            .commit_as_someone_else("other.tf", b"x", "Other");
        let head = setup.mirror.fetch().unwrap();
        let requests = setup.server.requests();
        let error = setup.mirror.push(&commit, &head).unwrap_err();
        assert!(matches!(error, Error::NotOnBase { .. }), "{error:?}");
        assert_eq!(setup.server.requests(), requests);
    }
}

mod failing {
    use super::*;

    fn check_bad_token(remote: mirror::Remote, setup: &Setup) {
        let before = setup.server.refused_credentials();
        let mirror = Mirror::open(&setup.dir.path().join("another"), remote).unwrap();
        let error = mirror.fetch().unwrap_err();
        assert!(matches!(error, Error::AccessRefused { .. }), "{error:?}");
        assert_eq!(error.kind(), Kind::Person);
        let text = chain(&error);
        assert!(text.contains(&setup.server.url()), "{text}");
        assert!(!text.contains(setup.server.bad_token()), "{text}");
        assert!(!format!("{mirror:?}").contains(setup.server.bad_token()));
        let attempts = setup.server.refused_credentials() - before;
        assert!((1..=3).contains(&attempts), "{attempts} attempts");
    }

    #[test]
    fn a_bad_token_is_tried_a_few_times_and_never_shown() {
        let setup = Setup::new();
        check_bad_token(remote(&setup.server, setup.server.bad_token()), &setup);
        let in_address = mirror::Remote {
            url: setup.server.url_with_bad_token(),
            branch: "main".to_owned(),
            user: String::new(),
            token: None,
        };
        check_bad_token(in_address, &setup);
    }

    #[test]
    fn a_push_with_a_token_that_may_only_read_needs_a_person() {
        let setup = Setup::new();
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        setup.server.fail_next(403, 1);
        let error = setup.mirror.push(&commit, &base).unwrap_err();
        assert!(matches!(error, Error::AccessRefused { .. }), "{error:?}");
    }

    #[test]
    fn a_fault_of_the_host_is_tried_again() {
        let setup = Setup::new();
        setup.server.fail_next(503, 1);
        let error = setup.mirror.fetch().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert_eq!(error.kind(), Kind::Retry);
        setup.mirror.fetch().unwrap();
    }

    #[test]
    fn a_host_that_is_not_there_is_tried_again() {
        let setup = Setup::new();
        let mut remote = remote(&setup.server, "x");
        remote.url = "http://127.0.0.1:1/repo.git".to_owned();
        let mirror = Mirror::open(&setup.dir.path().join("another"), remote).unwrap();
        assert_eq!(mirror.fetch().unwrap_err().kind(), Kind::Retry);
    }

    #[test]
    fn a_commit_nobody_has_is_unknown_and_no_ancestor() {
        let setup = Setup::new();
        let head = setup.mirror.fetch().unwrap();
        let unknown: Commit = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let error = setup.mirror.message(&unknown).unwrap_err();
        assert_eq!(
            error,
            Error::UnknownCommit {
                commit: unknown.clone()
            }
        );
        assert!(!setup.mirror.is_ancestor(&unknown, &head).unwrap());
        assert!(setup.mirror.is_ancestor(&head, &head).unwrap());
    }
}

mod reverting {
    use super::*;

    /// Pushes the upgrade and then lets others change a file.
    fn upgraded(setup: &Setup, others: Option<(&str, &[u8])>) -> (Commit, Commit) {
        let base = setup.mirror.fetch().unwrap();
        let commit = setup.upgrade(&base);
        assert_eq!(
            setup.mirror.push(&commit, &base).unwrap(),
            PushOutcome::Landed
        );
        if let Some((path, bytes)) = others {
            setup.server.commit_as_someone_else(path, bytes, "Other");
        }
        (commit, setup.mirror.fetch().unwrap())
    }

    fn check_like_git(others: Option<(&str, &[u8])>) {
        let setup = Setup::new();
        let (commit, head) = upgraded(&setup, others);
        let edits = setup.mirror.revert_edits(&commit, &head).unwrap();
        let message = setup.mirror.revert_message(&commit).unwrap();
        let revert = setup.mirror.build(&head, &edits, &meta(&message)).unwrap();
        let (tree, words) = setup.git_revert(&commit);
        assert_eq!(setup.tree_id(&revert), tree);
        assert_eq!(setup.mirror.message(&revert).unwrap(), words);
        assert_eq!(
            setup.mirror.push(&revert, &head).unwrap(),
            PushOutcome::Landed
        );
        assert!(
            setup
                .mirror
                .diff_is_exactly(&revert, &[FILE.to_owned()])
                .unwrap()
        );
    }

    #[test]
    fn a_revert_is_the_one_git_would_make() {
        check_like_git(None);
    }

    #[test]
    fn a_revert_keeps_what_others_did_to_other_lines_and_files() {
        check_like_git(Some(("other.tf", b"x")));
        let elsewhere = String::from_utf8(AFTER.to_vec())
            .unwrap()
            .replace("# four", "# 4");
        check_like_git(Some((FILE, elsewhere.as_bytes())));
    }

    #[test]
    fn a_commit_that_is_taken_back_already_leaves_no_edits() {
        let setup = Setup::new();
        let (commit, head) = upgraded(&setup, Some((FILE, BEFORE)));
        assert_eq!(setup.mirror.revert_edits(&commit, &head).unwrap(), []);
    }

    #[test]
    fn a_third_value_is_a_conflict() {
        let setup = Setup::new();
        let third = String::from_utf8(AFTER.to_vec())
            .unwrap()
            .replace("2.0", "3.0");
        let (commit, head) = upgraded(&setup, Some((FILE, third.as_bytes())));
        let error = setup.mirror.revert_edits(&commit, &head).unwrap_err();
        assert_eq!(
            error,
            Error::Conflict {
                commit,
                path: FILE.to_owned()
            }
        );
    }

    #[test]
    fn a_commit_that_added_a_file_is_none_of_ours() {
        let setup = Setup::new();
        let added = setup
            .server
            .commit_as_someone_else("other.tf", b"x", "Other");
        let head = setup.mirror.fetch().unwrap();
        let error = setup
            .mirror
            .revert_edits(&added.parse().unwrap(), &head)
            .unwrap_err();
        assert!(matches!(error, Error::NotRevertible { .. }), "{error:?}");
    }
}
