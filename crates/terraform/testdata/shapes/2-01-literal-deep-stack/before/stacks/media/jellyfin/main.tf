resource "kubernetes_namespace" "this" {
  metadata {
    name = "media"
  }
}

resource "kubernetes_deployment" "jellyfin" {
  metadata {
    name      = "jellyfin"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "jellyfin" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "jellyfin" }
    }

    template {
      metadata {
        labels = { app = "jellyfin" }
      }

      spec {
        container {
          name  = "jellyfin"
          image = "jellyfin/jellyfin:10.10.3"

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
