resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = var.namespace
    labels    = { app = "app" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "app" }
    }

    template {
      metadata {
        labels = { app = "app" }
      }

      spec {
        container {
          name  = "app"
          image = "acme/app:${var.tag}"

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
