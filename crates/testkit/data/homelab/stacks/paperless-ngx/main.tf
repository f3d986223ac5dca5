variable "root_domain" {}
variable "tls_secret_name" {}
variable "nfs_server" {}
variable "timezone" {}

resource "kubernetes_namespace" "paperless" {
  metadata {
    name = "paperless-ngx"
  }
}

module "documents" {
  source     = "../../modules/nfs_volume"
  name       = "documents"
  namespace  = kubernetes_namespace.paperless.metadata[0].name
  nfs_server = var.nfs_server
  nfs_path   = "/mnt/main/paperless"
}

resource "kubernetes_deployment" "paperless" {
  metadata {
    name      = "paperless-ngx"
    namespace = kubernetes_namespace.paperless.metadata[0].name
    labels    = { app = "paperless-ngx" }
  }
  spec {
    replicas = 1
    strategy { type = "Recreate" }
    selector {
      match_labels = { app = "paperless-ngx" }
    }
    template {
      metadata {
        labels = { app = "paperless-ngx" }
      }
      spec {
        container {
          name  = "paperless-ngx"
          image = "ghcr.io/paperless-ngx/paperless-ngx:2.16.4"
          env {
            name  = "PAPERLESS_DBENGINE"
            value = "mariadb"
          }
          env {
            name  = "PAPERLESS_DBHOST"
            value = "mysql.dbaas.svc.cluster.local"
          }
          env {
            name  = "PAPERLESS_OCR_LANGUAGE"
            value = "deu+eng" # Rechnungen vom Finanzamt: überwiegend Deutsch
          }
          env {
            name  = "PAPERLESS_TIME_ZONE"
            value = var.timezone
          }
          port { container_port = 8000 }
          resources {
            requests = {
              cpu    = "50m"
              memory = "768Mi"
            }
            limits = {
              memory = "1Gi"
            }
          }
          volume_mount {
            name       = "documents"
            mount_path = "/usr/src/paperless/media"
          }
        }
        volume {
          name = "documents"
          persistent_volume_claim { claim_name = module.documents.claim_name }
        }
      }
    }
  }
}

resource "kubernetes_service" "paperless" {
  metadata {
    name      = "paperless-ngx"
    namespace = kubernetes_namespace.paperless.metadata[0].name
  }
  spec {
    selector = { app = "paperless-ngx" }
    port {
      port        = 80
      target_port = 8000
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.paperless.metadata[0].name
  name            = "paperless-ngx"
  host            = "paperless"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
