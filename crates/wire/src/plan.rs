use crate::{DecodeError, enums, v1};

impl From<&job::Plan> for v1::Plan {
    fn from(plan: &job::Plan) -> Self {
        v1::Plan {
            service: plan.service.clone(),
            repository: plan.repository.clone(),
            cluster: plan.cluster.clone(),
            from: plan.from.clone(),
            head: plan.head.clone(),
            steps: plan.steps.iter().map(Into::into).collect(),
            targets: plan.targets.iter().map(Into::into).collect(),
            risk: Some((&plan.risk).into()),
            backup: plan.backup.as_ref().map(Into::into),
            windows: Some(v1::Windows {
                forward_seconds: plan.windows.forward_seconds,
                undo_seconds: plan.windows.undo_seconds,
            }),
            limits: Some(v1::Limits {
                ci_patience_seconds: plan.limits.ci_patience_seconds,
                settle_seconds: plan.limits.settle_seconds,
                backup_seconds: plan.limits.backup_seconds,
                backup_max_age_seconds: plan.limits.backup_max_age_seconds,
            }),
            policy: Some(v1::Policy {
                observe: plan.policy.observe,
                approval: plan.policy.approval,
                allow_unhealthy_before: plan.policy.allow_unhealthy_before,
                insecure_tls: plan.policy.insecure_tls,
                critical: plan.policy.critical,
            }),
            summary: plan.summary.clone(),
            releases: plan.releases,
            source_url: plan.source_url.clone(),
            monitors: plan.monitors.as_ref().map(|monitors| v1::Monitors {
                names: monitors.names.clone(),
                hosts: monitors.hosts.clone(),
            }),
            from_app: plan.from_app.clone().unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Plan> for job::Plan {
    type Error = DecodeError;

    fn try_from(plan: v1::Plan) -> Result<Self, DecodeError> {
        let windows = plan
            .windows
            .ok_or(DecodeError::Missing("planned.plan.windows"))?;
        let limits = plan
            .limits
            .ok_or(DecodeError::Missing("planned.plan.limits"))?;
        let policy = plan
            .policy
            .ok_or(DecodeError::Missing("planned.plan.policy"))?;
        Ok(job::Plan {
            service: plan.service,
            repository: plan.repository,
            cluster: plan.cluster,
            from: plan.from,
            from_app: some(plan.from_app),
            head: plan.head,
            steps: plan.steps.into_iter().map(Into::into).collect(),
            targets: plan.targets.into_iter().map(Into::into).collect(),
            risk: plan
                .risk
                .ok_or(DecodeError::Missing("planned.plan.risk"))?
                .try_into()?,
            backup: plan.backup.map(Into::into),
            windows: job::Windows {
                forward_seconds: windows.forward_seconds,
                undo_seconds: windows.undo_seconds,
            },
            limits: job::Limits {
                ci_patience_seconds: limits.ci_patience_seconds,
                settle_seconds: limits.settle_seconds,
                backup_seconds: limits.backup_seconds,
                backup_max_age_seconds: limits.backup_max_age_seconds,
            },
            policy: job::Policy {
                observe: policy.observe,
                approval: policy.approval,
                allow_unhealthy_before: policy.allow_unhealthy_before,
                insecure_tls: policy.insecure_tls,
                critical: policy.critical,
            },
            summary: plan.summary,
            releases: plan.releases,
            source_url: plan.source_url,
            monitors: plan.monitors.map(|monitors| job::Monitors {
                names: monitors.names,
                hosts: monitors.hosts,
            }),
        })
    }
}

impl From<&job::PlanStep> for v1::PlanStep {
    fn from(step: &job::PlanStep) -> Self {
        let sites = step.sites.iter().map(|site| v1::Site {
            path: site.path.clone(),
            address: site.address.clone(),
            before: site.before.clone(),
            after: site.after.clone(),
        });
        v1::PlanStep {
            to: step.to.clone(),
            sites: sites.collect(),
            app: step.app.clone().unwrap_or_default(),
        }
    }
}

impl From<v1::PlanStep> for job::PlanStep {
    fn from(step: v1::PlanStep) -> Self {
        let sites = step.sites.into_iter().map(|site| job::Site {
            path: site.path,
            address: site.address,
            before: site.before,
            after: site.after,
        });
        job::PlanStep {
            to: step.to,
            app: some(step.app),
            sites: sites.collect(),
        }
    }
}

/// What an image has not, and older builds did not write.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl From<&job::Target> for v1::Target {
    fn from(target: &job::Target) -> Self {
        v1::Target {
            kind: target.kind.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            match_labels: target.match_labels.clone().into_iter().collect(),
            containers: target.containers.clone(),
            init_containers: target.init_containers.clone(),
            image: target.image.clone(),
            http: target.http.clone(),
        }
    }
}

impl From<v1::Target> for job::Target {
    fn from(target: v1::Target) -> Self {
        job::Target {
            kind: target.kind,
            namespace: target.namespace,
            name: target.name,
            match_labels: target.match_labels.into_iter().collect(),
            containers: target.containers,
            init_containers: target.init_containers,
            image: target.image,
            http: target.http,
        }
    }
}

impl From<&job::Risk> for v1::Risk {
    fn from(risk: &job::Risk) -> Self {
        let excerpts = risk.excerpts.iter().map(|excerpt| v1::Excerpt {
            version: excerpt.version.clone(),
            word: excerpt.word.clone(),
            quote: excerpt.quote.clone(),
            url: excerpt.url.clone(),
        });
        v1::Risk {
            level: v1::Level::from(risk.level).into(),
            reasons: risk.reasons.clone(),
            excerpts: excerpts.collect(),
        }
    }
}

impl TryFrom<v1::Risk> for job::Risk {
    type Error = DecodeError;

    fn try_from(risk: v1::Risk) -> Result<Self, DecodeError> {
        let excerpts = risk.excerpts.into_iter().map(|excerpt| job::Excerpt {
            version: excerpt.version,
            word: excerpt.word,
            quote: excerpt.quote,
            url: excerpt.url,
        });
        Ok(job::Risk {
            level: enums::level(risk.level)?,
            reasons: risk.reasons,
            excerpts: excerpts.collect(),
        })
    }
}

impl From<&job::BackupTarget> for v1::BackupTarget {
    fn from(target: &job::BackupTarget) -> Self {
        v1::BackupTarget {
            namespace: target.namespace.clone(),
            cronjob: target.cronjob.clone(),
            engine: target.engine.clone(),
            database: target.database.clone(),
        }
    }
}

impl From<v1::BackupTarget> for job::BackupTarget {
    fn from(target: v1::BackupTarget) -> Self {
        job::BackupTarget {
            namespace: target.namespace,
            cronjob: target.cronjob,
            engine: target.engine,
            database: target.database,
        }
    }
}
