use v1::skipped::Reason;

use crate::{DecodeError, v1};

impl From<&job::SkipReason> for v1::Skipped {
    fn from(reason: &job::SkipReason) -> Self {
        let reason = match reason {
            job::SkipReason::Observe(why) => Reason::Observe(why.clone()),
            job::SkipReason::AlreadyThere => Reason::AlreadyThere(v1::AlreadyThere {}),
            job::SkipReason::SameTagRebuilt => Reason::SameTagRebuilt(v1::SameTagRebuilt {}),
            job::SkipReason::NotFound(searched) => Reason::NotFound(v1::NotFound {
                searched: searched.clone(),
            }),
            job::SkipReason::SeveralServices(services) => {
                Reason::SeveralServices(v1::SeveralServices {
                    services: services.clone(),
                })
            }
            job::SkipReason::Refused(why) => Reason::Refused(why.clone()),
            job::SkipReason::Fenced(version) => Reason::Fenced(version.clone()),
        };
        v1::Skipped {
            reason: Some(reason),
        }
    }
}

impl TryFrom<v1::Skipped> for job::SkipReason {
    type Error = DecodeError;

    fn try_from(skipped: v1::Skipped) -> Result<Self, DecodeError> {
        Ok(
            match skipped
                .reason
                .ok_or(DecodeError::Missing("skipped.reason"))?
            {
                Reason::Observe(why) => job::SkipReason::Observe(why),
                Reason::AlreadyThere(v1::AlreadyThere {}) => job::SkipReason::AlreadyThere,
                Reason::SameTagRebuilt(v1::SameTagRebuilt {}) => job::SkipReason::SameTagRebuilt,
                Reason::NotFound(v1::NotFound { searched }) => job::SkipReason::NotFound(searched),
                Reason::SeveralServices(v1::SeveralServices { services }) => {
                    job::SkipReason::SeveralServices(services)
                }
                Reason::Refused(why) => job::SkipReason::Refused(why),
                Reason::Fenced(version) => job::SkipReason::Fenced(version),
            },
        )
    }
}
