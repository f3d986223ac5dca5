resource "kubernetes_deployment" "cron" {
  metadata {
    name      = "cron"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "cron" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "cron" }
    }

    template {
      metadata {
        labels = { app = "cron" }
      }

      spec {
        container {
          name  = "cron"
          image = "acme/app:1.2.0"

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
