variable "pg_image" {
  default = "ghcr.io/acme/postgres:16.6"
}

resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "pg" {
  metadata {
    name      = "pg"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "pg" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "pg" }
    }

    template {
      metadata {
        labels = { app = "pg" }
      }

      spec {
        container {
          name  = "pg"
          image = var.pg_image

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
