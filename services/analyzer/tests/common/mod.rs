//! One service in a repository, and a request for another version of it.

use job::{Request, Source};
use terraform::{MemTree, Tree};

const STACK: &str = r#"
resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = "app"
  }
  spec {
    template {
      spec {
        container {
          name  = "app"
          image = "acme/app:1.2.0"
        }
      }
    }
  }
}
"#;

/// The head of the branch, and what it holds: `acme/app` at 1.2.0.
pub(crate) fn newest() -> (String, Box<dyn Tree + Send + Sync>) {
    let file = ("stacks/app/main.tf".to_owned(), STACK.as_bytes().to_vec());
    ("c0ffee".to_owned(), Box::new(MemTree([file].into())))
}

/// DIUN's or, without a status, a person's.
pub(crate) fn request(tag: &str, status: &str) -> Request {
    Request {
        repository: "acme/infra".to_owned(),
        image: "docker.io/acme/app".to_owned(),
        tag: tag.to_owned(),
        chart: false,
        digest: None,
        status: status.to_owned(),
        source: Source::Diun,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    }
}
