use crate::v1;

impl From<&job::Baseline> for v1::Baselined {
    fn from(baseline: &job::Baseline) -> Self {
        v1::Baselined {
            targets: baseline.targets.iter().map(Into::into).collect(),
        }
    }
}

impl From<v1::Baselined> for job::Baseline {
    fn from(baseline: v1::Baselined) -> Self {
        job::Baseline {
            targets: baseline.targets.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<&job::TargetBaseline> for v1::TargetBaseline {
    fn from(target: &job::TargetBaseline) -> Self {
        v1::TargetBaseline {
            target: target.target.clone(),
            images: target.images.clone().into_iter().collect(),
            generation: target.generation,
            restarts: target.restarts.clone().into_iter().collect(),
            replicas: target.replicas,
            http: target.http.clone().into_iter().collect(),
        }
    }
}

impl From<v1::TargetBaseline> for job::TargetBaseline {
    fn from(target: v1::TargetBaseline) -> Self {
        job::TargetBaseline {
            target: target.target,
            images: target.images.into_iter().collect(),
            generation: target.generation,
            restarts: target.restarts.into_iter().collect(),
            replicas: target.replicas,
            http: target.http.into_iter().collect(),
        }
    }
}
