use bowline_tests::{LIMIT, in_lab};
use testkit::lab::Options;

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_stops_the_start_and_says_which_right_is_missing() {
    in_lab(Options::default(), async |lab| {
        let variable = "BOWLINE_SECRET_REPOSITORY_TOKEN";
        for (service, right) in [
            ("analyzer", "read the repository's contents"),
            ("executor", "read and write the repository's contents"),
        ] {
            let wrong = [(variable, lab.git.bad_token().to_owned())];
            let (status, log) = lab.ends_by_itself(service, &wrong).await?;
            assert_eq!(status.code(), Some(1), "{log}");
            for words in ["repository.token_file", variable, right] {
                assert!(log.contains(words), "{words} is missing in\n{log}");
            }
            assert!(!log.contains(lab.git.bad_token()), "{log}");
        }
        lab.cluster.forbid("delete", "jobs");
        let (status, log) = lab.ends_by_itself("executor", &[]).await?;
        assert_eq!(status.code(), Some(1), "{log}");
        for words in [
            "cannot delete resource",
            "verbs list, get, create and delete",
        ] {
            assert!(log.contains(words), "{words} is missing in\n{log}");
        }
        assert_eq!(lab.cluster.jobs(), [], "looking makes no Job");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_at_the_start_is_waited_for() {
    let options = Options {
        without: vec!["analyzer", "executor"],
        ..Options::default()
    };
    in_lab(options, async |lab| {
        lab.cluster.unavailable(true);
        lab.git.fail_next(503, 4);
        lab.spawn("analyzer")?;
        lab.spawn("executor")?;
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let log = |service| std::fs::read_to_string(lab.log_path(service)).unwrap_or_default();
        for service in ["analyzer", "executor"] {
            lab.until(
                "it warns",
                || log(service).contains("without knowing whether the credentials are right"),
                LIMIT,
            )
            .await?;
        }
        lab.cluster.unavailable(false);
        lab.ended(&id, "Succeeded", LIMIT).await?;
        lab.until(
            "it has looked again",
            || log("executor").contains("right after all"),
            LIMIT,
        )
        .await?;
        assert_eq!(lab.commits().len(), 1);
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;
        Ok(())
    })
    .await;
}
