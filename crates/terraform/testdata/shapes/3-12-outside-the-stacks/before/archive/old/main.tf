resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "old" {
  metadata {
    name      = "old"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "old" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "old" }
    }

    template {
      metadata {
        labels = { app = "old" }
      }

      spec {
        container {
          name  = "old"
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
