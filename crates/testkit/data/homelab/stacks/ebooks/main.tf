variable "root_domain" { type = string }
variable "tls_secret_name" { type = string }
variable "nfs_server" { type = string }

resource "kubernetes_namespace" "ebooks" {
  metadata {
    name = "ebooks"
    labels = {
      tier = "media"
    }
  }
}

module "audiobooks" {
  source     = "../../modules/nfs_volume"
  name       = "audiobooks"
  namespace  = kubernetes_namespace.ebooks.metadata[0].name
  nfs_server = var.nfs_server
  nfs_path   = "/mnt/main/audiobooks" # Hörbücher, ≈ 400 GB
  capacity   = "500Gi"
}

resource "kubernetes_deployment" "audiobookshelf" {
  metadata {
    name      = "audiobookshelf"
    namespace = kubernetes_namespace.ebooks.metadata[0].name
    labels = {
      app = "audiobookshelf"
    }
  }
  spec {
    replicas = 1
    strategy {
      type = "Recreate"
    }
    selector {
      match_labels = {
        app = "audiobookshelf"
      }
    }
    template {
      metadata {
        labels = {
          app = "audiobookshelf"
        }
      }
      spec {
        container {
          name  = "audiobookshelf"
          # image = "ghcr.io/advplyr/audiobookshelf:2.29.0" # last one with the old scanner
          image = "ghcr.io/advplyr/audiobookshelf:2.32.1"
          port {
            container_port = 80
          }
          env {
            name  = "CONFIG_PATH"
            value = "/config"
          }
          volume_mount {
            name       = "audiobooks"
            mount_path = "/audiobooks"
          }
          readiness_probe {
            http_get {
              path = "/healthcheck"
              port = 80
            }
          }
          resources {
            requests = { cpu = "25m", memory = "128Mi" }
            limits   = { memory = "512Mi" }
          }
        }
        volume {
          name = "audiobooks"
          persistent_volume_claim {
            claim_name = module.audiobooks.claim_name
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "audiobookshelf" {
  metadata {
    name      = "audiobookshelf"
    namespace = kubernetes_namespace.ebooks.metadata[0].name
  }
  spec {
    selector = {
      app = "audiobookshelf"
    }
    port {
      port        = 80
      target_port = 80
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.ebooks.metadata[0].name
  name            = "audiobookshelf"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
  max_body_size   = "0"
}
