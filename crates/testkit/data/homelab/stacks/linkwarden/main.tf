variable "root_domain" {}
variable "tls_secret_name" {}

locals {
  namespace = "linkwarden"
}

resource "kubernetes_namespace" "linkwarden" {
  metadata {
    name = local.namespace
  }
}

resource "kubernetes_deployment" "linkwarden" {
  metadata {
    name      = "linkwarden"
    namespace = kubernetes_namespace.linkwarden.metadata[0].name
  }
  spec {
    replicas = 1
    selector {
      match_labels = {
        app = "linkwarden"
      }
    }
    template {
      metadata {
        labels = {
          app = "linkwarden"
        }
      }
      spec {
        container {
          name  = "linkwarden"
          image = "ghcr.io/linkwarden/linkwarden:v2.9.1"
          port {
            container_port = 3000
          }
          env {
            name  = "NEXTAUTH_URL"
            value = "https://linkwarden.${var.root_domain}/api/v1/auth"
          }
          env {
            name = "DATABASE_URL"
            value_from {
              secret_key_ref {
                name = "linkwarden"
                key  = "database_url"
              }
            }
          }
          liveness_probe {
            tcp_socket {
              port = 3000
            }
          }
        }
        container {
          # Exports the bookmarks every night → /backup.
          name  = "exporter"
          image = "alpine:3.21"
          args  = ["crond", "-f"]
        }
      }
    }
  }
}

resource "kubernetes_service" "linkwarden" {
  metadata {
    name      = "linkwarden"
    namespace = local.namespace
  }
  spec {
    selector = {
      app = "linkwarden"
    }
    port {
      port        = 80
      target_port = 3000
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = local.namespace
  name            = "linkwarden"
  full_host       = "links.example.org"
  tls_secret_name = var.tls_secret_name
}
