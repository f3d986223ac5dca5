resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "runner" {
  metadata {
    name      = "runner"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "runner" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "runner" }
    }

    template {
      metadata {
        labels = { app = "runner" }
      }

      spec {
        container {
          name  = "runner"
          image = "acme/runner:2.0"

          env {
            name  = "JOB_IMAGE"
            value = "acme/app:1.2.0"
          }

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}
