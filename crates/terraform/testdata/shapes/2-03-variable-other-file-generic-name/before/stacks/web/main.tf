resource "kubernetes_namespace" "this" {
  metadata {
    name = "web"
  }
}

resource "kubernetes_deployment" "web" {
  metadata {
    name      = "web"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "web" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "web" }
    }

    template {
      metadata {
        labels = { app = "web" }
      }

      spec {
        container {
          name  = "web"
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
