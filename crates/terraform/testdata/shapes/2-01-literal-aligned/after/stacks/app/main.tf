# Überwacht die Dienste – läuft als einzelner Pod.
resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = kubernetes_namespace.this.metadata[0].name
  }
  spec {
    template {
      spec {
        container {
          name              = "app"
          image             = "acme/app:1.3.0" # seit März; vorher acme/app:1.1.9
          image_pull_policy = "IfNotPresent"
        }
        container {
          name  = "web"
          image = "acme/app-web:1.2.0"
        }
      }
    }
  }
}
