use bowline_tests::{LIMIT, in_lab};
use testkit::kubernetes::JobBehaviour;
use testkit::lab::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_backup_aborts_and_nothing_is_pushed() {
    in_lab(Options::default(), async |lab| {
        lab.cluster
            .job_behaviour("dbaas", "mysql-backup", JobBehaviour::Fails);
        let id = lab.upgrade("phpipam/phpipam-www", "v1.7.4").await?;
        lab.ended(&id, "Aborted", LIMIT).await?;

        assert_eq!(lab.cluster.jobs().len(), 1);
        assert_eq!(lab.commits(), []);
        assert_eq!(lab.woodpecker.runs(), []);
        assert_eq!(lab.live("phpipam").as_deref(), Some("v1.7.0"));
        lab.said(
            &["phpipam", "v1.7.4 starting", "dbaas/mysql-backup", &id],
            LIMIT,
        )
        .await?;
        lab.said(
            &["phpipam", "aborted", "v1.7.0 is unchanged", "failed", &id],
            LIMIT,
        )
        .await?;
        Ok(())
    })
    .await;
}
