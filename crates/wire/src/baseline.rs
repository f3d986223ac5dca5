use crate::{DecodeError, enums, v1};

impl From<&job::Baseline> for v1::Baselined {
    fn from(baseline: &job::Baseline) -> Self {
        v1::Baselined {
            targets: baseline.targets.iter().map(Into::into).collect(),
            monitors: baseline
                .monitors
                .iter()
                .map(|(name, state)| (name.clone(), v1::MonitorState::from(*state).into()))
                .collect(),
        }
    }
}

impl TryFrom<v1::Baselined> for job::Baseline {
    type Error = DecodeError;

    fn try_from(baseline: v1::Baselined) -> Result<Self, DecodeError> {
        let monitors = baseline.monitors.into_iter();
        Ok(job::Baseline {
            targets: baseline.targets.into_iter().map(Into::into).collect(),
            monitors: monitors
                .map(|(name, state)| Ok((name, enums::monitor_state(state)?)))
                .collect::<Result<_, DecodeError>>()?,
        })
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
