use crate::{DecodeError, enums, v1};

impl From<&job::Request> for v1::Requested {
    fn from(request: &job::Request) -> Self {
        v1::Requested {
            repository: request.repository.clone(),
            image: request.image.clone(),
            tag: request.tag.clone(),
            chart: request.chart,
            digest: request.digest.clone(),
            status: request.status.clone(),
            source: v1::Source::from(request.source).into(),
            hub_link: request.hub_link.clone(),
            attempt: request.attempt,
            retry_of: request.retry_of.clone(),
            lift_fence: request.lift_fence,
            parent: request.parent.clone(),
            service: request.service.clone(),
            by: request.by.clone(),
        }
    }
}

impl TryFrom<v1::Requested> for job::Request {
    type Error = DecodeError;

    fn try_from(request: v1::Requested) -> Result<Self, DecodeError> {
        Ok(job::Request {
            repository: request.repository,
            image: request.image,
            tag: request.tag,
            chart: request.chart,
            digest: request.digest,
            status: request.status,
            source: enums::source(request.source)?,
            hub_link: request.hub_link,
            attempt: request.attempt,
            retry_of: request.retry_of,
            lift_fence: request.lift_fence,
            parent: request.parent,
            service: request.service,
            by: request.by,
        })
    }
}
