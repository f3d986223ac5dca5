# OwnTracks: wo bin ich? MQTT is off, the phones post over HTTP.
variable "root_domain" {}
variable "tls_secret_name" {}

resource "kubernetes_namespace" "owntracks" {
  metadata {
    name = "owntracks"
  }
}

resource "kubernetes_deployment" "owntracks" {
  metadata {
    name      = "owntracks"
    namespace = kubernetes_namespace.owntracks.metadata.0.name
    labels    = { "app.kubernetes.io/name" = "owntracks" }
  }
  spec {
    replicas = 1
    selector {
      match_labels = { "app.kubernetes.io/name" = "owntracks" }
    }
    template {
      metadata {
        labels = { "app.kubernetes.io/name" = "owntracks" }
      }
      spec {
        container {
          image = "owntracks/recorder:0.9.9"
          name  = "owntracks"
          port {
            name           = "http"
            container_port = 8083
          }
          env {
            name  = "OTR_PORT"
            value = "0"
          }
          volume_mount {
            name       = "data"
            mount_path = "/store"
          }
        }
        volume {
          name = "data"
          host_path {
            path = "/srv/owntracks"
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "owntracks" {
  metadata {
    name      = "owntracks"
    namespace = kubernetes_namespace.owntracks.metadata.0.name
  }
  spec {
    selector = { "app.kubernetes.io/name" = "owntracks" }
    port {
      port        = 80
      target_port = 8083
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = "owntracks"
  name            = "owntracks"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}