//! [`Backups`] on the cluster: a Job made from a `CronJob` the way `kubectl create job --from` does.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use job::BackupTarget;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::{Api, Client};
use runtime::probe::Access;
use runtime::settings::Settings;

use crate::backup::TTL_SECONDS;
use crate::ports::{Backups, CreateError, JobPhase, JobReport, NewJob, PortError, RunningJob};

/// No request may take longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The label that names the upgrade a Job was made for.
const UPGRADE_LABEL: &str = "bowline.dev/upgrade";

/// The cluster's batch API.
pub struct KubernetesBackups {
    client: Client,
}

impl KubernetesBackups {
    /// A client for the configured cluster, or for the one around us.
    ///
    /// # Errors
    /// When no configuration for a cluster can be found.
    pub async fn connect(settings: &Settings) -> anyhow::Result<KubernetesBackups> {
        let client = client(settings.kubernetes.url.as_deref()).await?;
        Ok(KubernetesBackups { client })
    }

    /// Whether Jobs can be listed, made from these `CronJob`s (namespace and name), and deleted.
    /// Nothing is made: the server only says what it would do.
    pub(crate) async fn look(&self, targets: &[(String, String)]) -> Access {
        for (namespace, cronjob) in targets {
            if let Err(access) = self.look_at(namespace, cronjob).await {
                return access;
            }
        }
        Access::Granted
    }

    async fn look_at(&self, namespace: &str, cronjob: &str) -> Result<(), Access> {
        let told = |what: &str, error: &kube::Error| {
            let place = format!("failed to {what} in namespace {namespace}");
            if refuses_credentials(error) {
                Access::Refused(format!("{place}: {}", explained(error)))
            } else {
                Access::Unknown(format!("{place}: {error}"))
            }
        };
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let first = ListParams::default().limit(1);
        jobs.list(&first)
            .await
            .map_err(|error| told("list Jobs", &error))?;
        let found = Api::<CronJob>::namespaced(self.client.clone(), namespace)
            .get_opt(cronjob)
            .await
            .map_err(|error| told("read CronJobs", &error))?;
        let new = NewJob {
            name: "bowline-looks".to_owned(),
            upgrade: String::new(),
            deadline_seconds: 60,
        };
        let Some(job) = found.and_then(|cronjob| from_cronjob(&cronjob, &new)) else {
            tracing::warn!(
                "there is no CronJob {namespace}/{cronjob} to back up with: upgrades that need it \
                 are aborted"
            );
            return Ok(());
        };
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        if let Err(error) = jobs.create(&dry, &job).await
            && code(&error) != Some(409)
        {
            return Err(told("create Jobs", &error));
        }
        let dry = DeleteParams::foreground().dry_run();
        match jobs.delete(&new.name, &dry).await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some(404) => Ok(()),
            Err(error) => Err(told("delete Jobs", &error)),
        }
    }

    fn jobs_in(&self, target: &BackupTarget) -> Api<Job> {
        Api::namespaced(self.client.clone(), &target.namespace)
    }
}

/// A client with time-outs for the given address, else for the cluster around us.
async fn client(url: Option<&str>) -> anyhow::Result<Client> {
    let mut config = match url {
        None => kube::Config::infer().await?,
        // Credentials are not sent over plain HTTP.
        Some(url) if url.starts_with("http:") => kube::Config::new(url.parse()?),
        Some(url) => {
            let mut config = kube::Config::infer().await?;
            config.cluster_url = url.parse()?;
            config
        }
    };
    // The loop tries again by itself, and a worker must not be held meanwhile.
    config.default_retry = false;
    config.connect_timeout = Some(TIMEOUT);
    config.read_timeout = Some(TIMEOUT);
    config.write_timeout = Some(TIMEOUT);
    Ok(Client::try_from(config)?)
}

/// Whether the Job was made from this `CronJob`.
fn made_from(job: &Job, cronjob: &str) -> bool {
    job.metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.kind == "CronJob" && owner.name == cronjob)
}

/// Whether the Job was made for this upgrade.
fn made_for(job: &Job, upgrade: &str) -> bool {
    let labels = job.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(UPGRADE_LABEL))
        .is_some_and(|value| value == upgrade)
}

fn report(job: &Job) -> RunningJob {
    let started = job
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref())
        .or(job.metadata.creation_timestamp.as_ref());
    RunningJob {
        name: job.metadata.name.clone().unwrap_or_default(),
        started_ms: started.map_or(0, |time| time.0.as_millisecond()),
        phase: phase(job),
    }
}

/// A condition alone does not say that nothing dumps any more: a Job that failed by its deadline
/// may have a pod that is still being stopped.
fn phase(job: &Job) -> JobPhase {
    let status = job.status.as_ref();
    let condition = |kind: &str| {
        status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == kind && condition.status == "True")
    };
    if condition("Complete").is_some() {
        return JobPhase::Complete;
    }
    let has_pods = status.is_some_and(|status| {
        status.active.is_some_and(|pods| pods > 0)
            || status.terminating.is_some_and(|pods| pods > 0)
    });
    if let Some(failed) = condition("Failed").filter(|_| !has_pods) {
        let reason = failed.reason.as_deref().unwrap_or("no reason given");
        return JobPhase::Failed(match failed.message.as_deref() {
            Some(message) if !message.is_empty() => format!("{reason} ({message})"),
            _ => reason.to_owned(),
        });
    }
    match &job.metadata.deletion_timestamp {
        Some(deleted) => JobPhase::Ending {
            since_ms: deleted.0.as_millisecond(),
        },
        None => JobPhase::Running,
    }
}

/// The Job as `kubectl create job --from=cronjob/…` would make it, except that its outcome stays
/// readable, that it is not tried again behind our back, and that it ends in time.
fn from_cronjob(cronjob: &CronJob, new: &NewJob) -> Option<Job> {
    let spec = cronjob.spec.as_ref()?;
    let template = &spec.job_template;
    let of_template = template.metadata.clone().unwrap_or_default();
    let mut annotations = BTreeMap::from([(
        "cronjob.kubernetes.io/instantiate".to_owned(),
        "manual".to_owned(),
    )]);
    annotations.extend(of_template.annotations.unwrap_or_default());
    let mut labels = of_template.labels.unwrap_or_default();
    labels.insert(UPGRADE_LABEL.to_owned(), new.upgrade.clone());
    let mut job_spec = template.spec.clone()?;
    job_spec.ttl_seconds_after_finished = Some(TTL_SECONDS);
    job_spec.backoff_limit = Some(0);
    job_spec.active_deadline_seconds = Some(i64::from(new.deadline_seconds));
    Some(Job {
        metadata: ObjectMeta {
            name: Some(new.name.clone()),
            namespace: cronjob.metadata.namespace.clone(),
            annotations: Some(annotations),
            labels: Some(labels),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "CronJob".to_owned(),
                name: cronjob.metadata.name.clone()?,
                uid: cronjob.metadata.uid.clone()?,
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(job_spec),
        status: None,
    })
}

fn failed(what: &str, target: &BackupTarget, error: &kube::Error) -> PortError {
    PortError::new(format!(
        "failed to {what} in namespace {}: {}",
        target.namespace,
        explained(error)
    ))
}

/// Whether the API server refuses the credentials, or they lack a right. A quota or an admission
/// hook answers 403 as well, and means this one object.
fn refuses_credentials(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) if status.code == 401 => true,
        kube::Error::Api(status) if status.code == 403 => {
            status.message.contains(" cannot ") && status.message.contains(" resource ")
        }
        _ => false,
    }
}

/// The error, with what to do about missing rights.
fn explained(error: &kube::Error) -> String {
    if refuses_credentials(error) {
        format!(
            "{error}; the executor's service account (or kubeconfig) needs the verbs list, get, \
             create and delete on jobs and get on cronjobs, API group batch, in each namespace \
             with backups"
        )
    } else {
        error.to_string()
    }
}

/// The status code, if the API server itself answered.
fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

#[async_trait]
impl Backups for KubernetesBackups {
    async fn jobs(&self, target: &BackupTarget) -> Result<Vec<RunningJob>, PortError> {
        runtime::outside("kubernetes_list_jobs", None, self.list_asked(target)).await
    }

    async fn job(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<JobReport, PortError> {
        let asked = self.get_asked(target, name, upgrade);
        runtime::outside("kubernetes_get_job", None, asked).await
    }

    async fn create(&self, target: &BackupTarget, new: &NewJob) -> Result<(), CreateError> {
        runtime::effect(
            "kubernetes_create_job",
            None,
            Box::pin(self.create_asked(target, new)),
        )
        .await
    }

    async fn delete(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<(), PortError> {
        let asked = Box::pin(self.delete_asked(target, name, upgrade));
        runtime::effect("kubernetes_delete_job", None, asked).await
    }
}

/// What is asked, without its spans.
impl KubernetesBackups {
    async fn list_asked(&self, target: &BackupTarget) -> Result<Vec<RunningJob>, PortError> {
        let jobs = self
            .jobs_in(target)
            .list(&ListParams::default())
            .await
            .map_err(|error| failed("list Jobs", target, &error))?;
        Ok(jobs
            .iter()
            .filter(|job| made_from(job, &target.cronjob))
            .map(report)
            .collect())
    }

    async fn get_asked(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<JobReport, PortError> {
        let found = self
            .jobs_in(target)
            .get_opt(name)
            .await
            .map_err(|error| failed("read a Job", target, &error))?;
        Ok(match found {
            None => JobReport::Absent,
            Some(job) if made_for(&job, upgrade) => JobReport::Found(report(&job)),
            Some(_) => JobReport::Foreign,
        })
    }

    async fn create_asked(&self, target: &BackupTarget, new: &NewJob) -> Result<(), CreateError> {
        let cronjobs: Api<CronJob> = Api::namespaced(self.client.clone(), &target.namespace);
        let cronjob = cronjobs
            .get_opt(&target.cronjob)
            .await
            .map_err(|error| failed("read a CronJob", target, &error))?
            .ok_or_else(|| {
                CreateError::Lasting(format!(
                    "there is no CronJob {}/{}",
                    target.namespace, target.cronjob
                ))
            })?;
        let job = from_cronjob(&cronjob, new).ok_or_else(|| {
            CreateError::Lasting(format!(
                "CronJob {}/{} has no Job template",
                target.namespace, target.cronjob
            ))
        })?;
        match self
            .jobs_in(target)
            .create(&PostParams::default(), &job)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match code(&error) {
                Some(409) => Ok(()),
                _ if refuses_credentials(&error) => {
                    Err(failed("create a Job", target, &error).into())
                }
                Some(403 | 422) => Err(CreateError::Lasting(error.to_string())),
                _ => Err(failed("create a Job", target, &error).into()),
            },
        }
    }

    async fn delete_asked(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<(), PortError> {
        let jobs = self.jobs_in(target);
        let found = jobs
            .get_opt(name)
            .await
            .map_err(|error| failed("read a Job", target, &error))?;
        let Some(job) = found.filter(|job| made_for(job, upgrade)) else {
            return Ok(());
        };
        let foreground = DeleteParams {
            preconditions: Some(Preconditions {
                uid: job.metadata.uid,
                resource_version: None,
            }),
            ..DeleteParams::foreground()
        };
        match jobs.delete(name, &foreground).await {
            Ok(_) => Ok(()),
            // It is gone, or another one has its name by now.
            Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(failed("delete a Job", target, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::{JobCondition, JobStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn check(conditions: &[&str], terminating: i32, deleted: bool, expected: &JobPhase) {
        let mut job = Job::default();
        job.metadata.deletion_timestamp =
            deleted.then(|| Time(Timestamp::from_millisecond(7_000).unwrap()));
        let conditions = conditions.iter().map(|kind| JobCondition {
            type_: (*kind).to_owned(),
            status: "True".to_owned(),
            reason: Some("Why".to_owned()),
            ..JobCondition::default()
        });
        job.status = Some(JobStatus {
            conditions: Some(conditions.collect()),
            terminating: Some(terminating),
            ..JobStatus::default()
        });
        let found = report(&job).phase;
        assert_eq!(&found, expected, "{:?}", job.status);
    }

    #[test]
    fn a_job_is_over_when_its_pods_have_ended_and_not_before() {
        let failed = JobPhase::Failed("Why".to_owned());
        let ending = JobPhase::Ending { since_ms: 7_000 };
        check(&[], 0, false, &JobPhase::Running);
        check(&["FailureTarget"], 1, false, &JobPhase::Running);
        check(&["Failed"], 1, false, &JobPhase::Running);
        check(&["Failed"], 0, false, &failed);
        check(&["Complete"], 0, false, &JobPhase::Complete);
        check(&[], 1, true, &ending);
        check(&[], 0, true, &ending);
        check(&["Failed"], 1, true, &ending);
        // Its time to live is over, as an end it was.
        check(&["Failed"], 0, true, &failed);
        check(&["Complete"], 0, true, &JobPhase::Complete);
    }
}
