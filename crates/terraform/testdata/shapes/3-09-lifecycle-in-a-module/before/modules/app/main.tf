resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = "app"
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

  lifecycle {
    ignore_changes = [spec[0].template[0].spec[0].container[0].image]
  }
}

variable "tag" {}
