resource "kubernetes_namespace" "this" {
  metadata {
    name = "b"
  }
}

resource "kubernetes_deployment" "b" {
  metadata {
    name      = "b"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "b" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "b" }
    }

    template {
      metadata {
        labels = { app = "b" }
      }

      spec {
        container {
          name  = "b"
          image = "acme/app-web:${var.image_tag}"

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
