variable "root_domain" {}
variable "tls_secret_name" {}

locals {
  labels = {
    app  = "open-webui"
    tier = "ai"
  }
}

resource "kubernetes_namespace" "ai" {
  metadata {
    name = "open-webui"
  }
}

resource "kubernetes_stateful_set" "open_webui" {
  metadata {
    name      = "open-webui"
    namespace = kubernetes_namespace.ai.metadata[0].name
    labels    = local.labels
  }

  spec {
    service_name = "open-webui"
    replicas     = 1
    selector {
      match_labels = local.labels
    }
    template {
      metadata {
        labels = local.labels
      }
      spec {
        container {
          name              = "open-webui"
          image             = "ghcr.io/open-webui/open-webui:v0.7.2"
          image_pull_policy = "IfNotPresent"
          port {
            container_port = 8080
          }
          env {
            name  = "OLLAMA_BASE_URL"
            value = "http://ollama.ollama.svc.cluster.local:11434"
          }
          /*
          env {
            name  = "WEBUI_DOCKER_TAG"
            value = "ghcr.io/open-webui/open-webui:v0.7.2"
          }
          image = "ghcr.io/open-webui/open-webui:v0.6.43"
          */
          resources {
            requests = {
              cpu    = "100m"
              memory = "768Mi"
            }
            limits = {
              memory = "2Gi"
            }
          }
          volume_mount {
            name       = "data"
            mount_path = "/app/backend/data"
          }
        }
      }
    }
    volume_claim_template {
      metadata {
        name = "data"
      }
      spec {
        access_modes       = ["ReadWriteOnce"]
        storage_class_name = "local-path"
        resources {
          requests = { storage = "20Gi" }
        }
      }
    }
  }
}

resource "kubernetes_service" "open_webui" {
  metadata {
    name      = "open-webui"
    namespace = kubernetes_namespace.ai.metadata[0].name
  }
  spec {
    selector = { app = "open-webui" }
    port {
      port        = 80
      target_port = 8080
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.ai.metadata[0].name
  name            = "open-webui"
  host            = "chat"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
