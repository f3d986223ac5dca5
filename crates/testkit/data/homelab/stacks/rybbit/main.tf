# The image is rolled by the project's own deploy hook, so Terraform looks away.
resource "kubernetes_namespace" "rybbit" {
  metadata {
    name = "rybbit"
  }
}

resource "kubernetes_deployment" "rybbit" {
  metadata {
    name      = "rybbit"
    namespace = kubernetes_namespace.rybbit.metadata[0].name
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "rybbit" }
    }
    template {
      metadata {
        labels = { app = "rybbit" }
      }
      spec {
        container {
          name  = "backend"
          image = "ghcr.io/rybbit-io/rybbit-backend:v1.6.0"
          port { container_port = 3001 }
        }
        container {
          name  = "client"
          image = "ghcr.io/rybbit-io/rybbit-client:v1.6.0"
          port { container_port = 3002 }
        }
      }
    }
  }
  lifecycle {
    ignore_changes = [
      spec[0].template[0].spec[0].container[0].image,
      metadata[0].annotations,
    ]
  }
}
