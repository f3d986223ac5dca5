variable "root_domain" {}
variable "tls_secret_name" {}

# Short links: Shlink and its web client, both behind the same namespace.
resource "kubernetes_namespace" "url" {
  metadata {
    name = "url"
  }
}

resource "kubernetes_deployment" "shlink" {
  metadata {
    name      = "shlink"
    namespace = kubernetes_namespace.url.metadata[0].name
  }
  spec {
    replicas = 2
    selector {
      match_labels = { app = "shlink" }
    }
    template {
      metadata {
        labels = { app = "shlink" }
      }
      spec {
        container {
          name  = "shlink"
          image = "shlinkio/shlink:4.3.4"
          port { container_port = 8080 }
          env {
            name  = "DEFAULT_DOMAIN"
            value = "url.${var.root_domain}"
          }
          env {
            name  = "DB_DRIVER"
            value = "mysql"
          }
          env {
            name  = "DB_HOST"
            value = "mysql.dbaas.svc.cluster.local"
          }
          env {
            name = "DB_PASSWORD"
            value_from {
              secret_key_ref {
                name = "shlink"
                key  = "db_password"
              }
            }
          }
          readiness_probe {
            http_get {
              path = "/rest/health"
              port = 8080
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "shlink_web" {
  metadata {
    name      = "shlink-web"
    namespace = kubernetes_namespace.url.metadata[0].name
  }
  spec {
    selector {
      match_labels = { app = "shlink-web" }
    }
    template {
      metadata {
        labels = { app = "shlink-web" }
      }
      spec {
        container {
          name  = "shlink-web"
          image = "shlinkio/shlink-web-client:4.3.4"
          port { container_port = 8080 }
        }
      }
    }
  }
}

resource "kubernetes_service" "shlink" {
  metadata {
    name      = "shlink"
    namespace = kubernetes_namespace.url.metadata[0].name
  }
  spec {
    selector = { app = "shlink" }
    port {
      port        = 80
      target_port = 8080
    }
  }
}

resource "kubernetes_service" "shlink_web" {
  metadata {
    name      = "shlink-web"
    namespace = kubernetes_namespace.url.metadata[0].name
  }
  spec {
    selector = { app = "shlink-web" }
    port {
      port        = 80
      target_port = 8080
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.url.metadata[0].name
  name            = "shlink"
  host            = "url"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}

module "ingress_web" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.url.metadata[0].name
  name            = "shlink-web"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
