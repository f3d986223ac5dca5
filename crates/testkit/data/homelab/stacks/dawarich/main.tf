variable "root_domain" {}
variable "tls_secret_name" {}
variable "dawarich_version" { default = "0.37.1" }

# Not ours: the geocoder happens to be at the same number.
variable "photon_version" { default = "0.37.1" }

resource "kubernetes_namespace" "dawarich" {
  metadata {
    name = "dawarich"
  }
}

resource "kubernetes_deployment" "dawarich" {
  metadata {
    name      = "dawarich"
    namespace = kubernetes_namespace.dawarich.metadata[0].name
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "dawarich" }
    }
    template {
      metadata {
        labels = { app = "dawarich" }
      }
      spec {
        container {
          name    = "dawarich"
          image   = "freikin/dawarich:${var.dawarich_version}"
          command = ["web-entrypoint.sh"]
          args    = ["bin/rails", "server", "-p", "3000", "-b", "::"]
          port { container_port = 3000 }
          env {
            name  = "DATABASE_HOST"
            value = "postgresql.dbaas.svc.cluster.local"
          }
          env {
            name  = "PHOTON_API_HOST"
            value = "photon.dawarich.svc.cluster.local:2322"
          }
          resources {
            limits = { memory = "1536Mi" }
          }
        }
        container {
          name    = "sidekiq"
          image   = "freikin/dawarich:${var.dawarich_version}"
          command = ["sidekiq-entrypoint.sh"]
          args    = ["bundle", "exec", "sidekiq"]
          env {
            name  = "DATABASE_HOST"
            value = "postgresql.dbaas.svc.cluster.local"
          }
          resources {
            limits = { memory = "1Gi" }
          }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "photon" {
  metadata {
    name      = "photon"
    namespace = kubernetes_namespace.dawarich.metadata[0].name
  }
  spec {
    replicas = 0 # the download of the planet file takes a day
    selector {
      match_labels = { app = "photon" }
    }
    template {
      metadata {
        labels = { app = "photon" }
      }
      spec {
        container {
          name  = "photon"
          image = "rtuszik/photon-docker:${var.photon_version}"
        }
      }
    }
  }
}

resource "kubernetes_service" "dawarich" {
  metadata {
    name      = "dawarich"
    namespace = kubernetes_namespace.dawarich.metadata[0].name
  }
  spec {
    selector = { app = "dawarich" }
    port {
      port        = 80
      target_port = 3000
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.dawarich.metadata[0].name
  name            = "dawarich"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
