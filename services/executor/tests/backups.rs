//! Backup Jobs, against a cluster that behaves like a real one.

use std::time::{Duration, Instant};

use executor::{Backups, CreateError, JobPhase, JobReport, KubernetesBackups, NewJob, RunningJob};
use job::BackupTarget;
use runtime::Settings;
use testkit::kubernetes::{Cluster, JobBehaviour};

const UPGRADE: &str = "0123456789abcdef";

async fn bench() -> (Cluster, KubernetesBackups, BackupTarget) {
    runtime::tls::install();
    let cluster = Cluster::start().expect("a cluster");
    cluster.add_cronjob("dbaas", "postgresql-backup", "postgres:16.2");
    let mut settings = Settings::default();
    settings.kubernetes.url = Some(cluster.url());
    let backups = KubernetesBackups::connect(&settings)
        .await
        .expect("a client");
    let target = BackupTarget {
        namespace: "dbaas".to_owned(),
        cronjob: "postgresql-backup".to_owned(),
        engine: "postgresql".to_owned(),
        database: "linkwarden".to_owned(),
    };
    (cluster, backups, target)
}

fn new_job() -> NewJob {
    NewJob {
        name: format!("bowline-{UPGRADE}-1-1"),
        upgrade: UPGRADE.to_owned(),
        deadline_seconds: 60,
    }
}

/// Asks until the Job has ended.
async fn ended(backups: &KubernetesBackups, target: &BackupTarget) -> JobPhase {
    let limit = Instant::now() + Duration::from_secs(20);
    while Instant::now() < limit {
        let report = backups
            .job(target, &new_job().name, UPGRADE)
            .await
            .expect("a report");
        if let JobReport::Found(job) = report
            && job.phase != JobPhase::Running
        {
            return job.phase;
        }
        tokio::task::yield_now().await;
    }
    unreachable!("the Job did not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_made_once_and_its_success_is_seen() {
    let (cluster, backups, target) = bench().await;
    cluster.job_delay(Duration::from_millis(200));
    let absent = backups
        .job(&target, &new_job().name, UPGRADE)
        .await
        .expect("a report");
    assert_eq!(absent, JobReport::Absent);
    backups.create(&target, &new_job()).await.expect("created");
    backups.create(&target, &new_job()).await.expect("adopted");
    assert_eq!(cluster.jobs().len(), 1);
    assert_eq!(ended(&backups, &target).await, JobPhase::Complete);
    let jobs = backups
        .jobs(&target)
        .await
        .expect("the Jobs of the CronJob");
    assert_eq!(jobs.len(), 1);
    assert!(jobs.iter().all(|job| job.started_ms > 0), "{jobs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_says_why() {
    let (cluster, backups, target) = bench().await;
    cluster.job_delay(Duration::from_millis(100));
    cluster.job_behaviour("dbaas", "postgresql-backup", JobBehaviour::Fails);
    backups.create(&target, &new_job()).await.expect("created");
    let JobPhase::Failed(why) = ended(&backups, &target).await else {
        panic!("it fails")
    };
    assert!(!why.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_somebody_else_under_our_name_is_not_ours() {
    let (_cluster, backups, target) = bench().await;
    backups.create(&target, &new_job()).await.expect("created");
    let report = backups
        .job(&target, &new_job().name, "fedcba9876543210")
        .await
        .expect("a report");
    assert_eq!(report, JobReport::Foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_cronjob_trying_again_is_pointless_and_a_missing_right_is_named() {
    let (cluster, backups, target) = bench().await;
    let elsewhere = BackupTarget {
        cronjob: "mysql-backup".to_owned(),
        ..target.clone()
    };
    let missing = backups.create(&elsewhere, &new_job()).await;
    assert!(
        matches!(missing, Err(CreateError::Lasting(_))),
        "{missing:?}"
    );
    cluster.forbid("create", "jobs");
    let forbidden = backups.create(&target, &new_job()).await;
    let Err(CreateError::Port(error)) = forbidden else {
        panic!("{forbidden:?}")
    };
    for words in ["cannot create resource", "create and delete on jobs"] {
        assert!(error.what.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_cluster_is_no_answer() {
    let (cluster, backups, target) = bench().await;
    cluster.unavailable(true);
    assert!(
        backups
            .job(&target, &new_job().name, UPGRADE)
            .await
            .is_err()
    );
    assert!(matches!(
        backups.create(&target, &new_job()).await,
        Err(CreateError::Port(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_ends_before_it_is_gone_and_deleting_it_again_is_fine() {
    let (cluster, backups, target) = bench().await;
    cluster.job_grace(Duration::from_secs(600));
    backups.create(&target, &new_job()).await.expect("created");
    for _ in 0..2 {
        let deleted = backups.delete(&target, &new_job().name, UPGRADE).await;
        deleted.expect("deleted");
        let listed = backups.jobs(&target).await.expect("the CronJob's Jobs");
        assert!(
            matches!(listed[..], [RunningJob { phase: JobPhase::Ending { since_ms }, .. }] if since_ms > 0),
            "{listed:?}"
        );
    }
    cluster.job_grace(Duration::ZERO);
    let report = backups.job(&target, &new_job().name, UPGRADE).await;
    assert_eq!(report.expect("a report"), JobReport::Absent);
    let deleted = backups.delete(&target, &new_job().name, UPGRADE).await;
    deleted.expect("deleted before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_somebody_else_under_our_name_is_not_deleted() {
    let (cluster, backups, target) = bench().await;
    backups.create(&target, &new_job()).await.expect("created");
    let another = "fedcba9876543210";
    let deleted = backups.delete(&target, &new_job().name, another).await;
    deleted.expect("left alone");
    assert_eq!(cluster.running_jobs(), 1);
    let listed = backups.jobs(&target).await.expect("the CronJob's Jobs");
    assert_eq!(listed[0].phase, JobPhase::Running);
}
