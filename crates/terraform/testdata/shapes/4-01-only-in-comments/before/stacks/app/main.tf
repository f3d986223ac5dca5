resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
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
          image = "acme/app-web:1.2.0"

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

/*
resource "kubernetes_pod" "app" {
  spec {
    container {
      # image = "acme/app:1.1.0"
      image = "acme/app:1.2.0"
    }
  }
}
*/
# image = "acme/app:1.2.0"
// image = "docker.io/acme/app:1.2.0"
