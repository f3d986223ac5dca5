variable "root_domain" {}
variable "tls_secret_name" {}

resource "kubernetes_namespace" "matrix" {
  metadata {
    name = "matrix"
  }
}

resource "kubernetes_deployment" "synapse" {
  metadata {
    name      = "synapse"
    namespace = kubernetes_namespace.matrix.metadata[0].name
  }
  spec {
    replicas = 1
    strategy {
      type = "Recreate"
    }
    selector {
      match_labels = {
        app = "synapse"
      }
    }
    template {
      metadata {
        labels = {
          app = "synapse"
        }
      }
      spec {
        init_container {
          name    = "generate-config"
          image   = "matrixdotorg/synapse:v1.125.0" # keep in step with the main container
          command = ["/start.py", "migrate_config"]
          volume_mount {
            name       = "data"
            mount_path = "/data"
          }
        }
        init_container {
          name    = "permissions"
          image   = "busybox:1.37.0"
          command = ["chown", "-R", "991:991", "/data"]
        }
        container {
          name  = "synapse"
          image = "matrixdotorg/synapse:v1.125.0"
          env {
            name  = "SYNAPSE_SERVER_NAME"
            value = var.root_domain
          }
          port {
            container_port = 8008
          }
          readiness_probe {
            http_get {
              path = "/health"
              port = 8008
            }
          }
          volume_mount {
            name       = "data"
            mount_path = "/data"
          }
          resources {
            limits = {
              memory = "2Gi"
            }
          }
        }
        volume {
          name = "data"
          persistent_volume_claim {
            claim_name = "synapse-data"
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "synapse" {
  metadata {
    name      = "synapse"
    namespace = kubernetes_namespace.matrix.metadata[0].name
  }
  spec {
    selector = {
      app = "synapse"
    }
    port {
      port        = 80
      target_port = 8008
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.matrix.metadata[0].name
  name            = "synapse"
  host            = "matrix"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
