variable "root_domain" {}
variable "tls_secret_name" {}

resource "kubernetes_namespace" "onlyoffice" {
  metadata {
    name = "onlyoffice"
  }
}

resource "kubernetes_deployment" "onlyoffice" {
  metadata {
    name      = "onlyoffice-document-server"
    namespace = kubernetes_namespace.onlyoffice.metadata[0].name
    labels = {
      app = "onlyoffice-document-server"
    }
    annotations = {
      "reloader.stakater.com/search" = "true"
    }
  }
  spec {
    replicas = 1
    strategy {
      type = "Recreate"
    }
    selector {
      match_labels = {
        app = "onlyoffice-document-server"
      }
    }
    template {
      metadata {
        labels = {
          app = "onlyoffice-document-server"
        }
      }
      spec {
        container {
          # 9.x needs a new font cache, see the notes in the wiki
          # image = "onlyoffice/documentserver:8.0.1"
          # image = "onlyoffice/documentserver:9.0.0"   # rolled back by hand
          image = "onlyoffice/documentserver:8.2.3"
          name  = "onlyoffice-document-server"
          resources {
            limits = {
              cpu    = "2"
              memory = "3Gi"
            }
            requests = {
              cpu    = "100m"
              memory = "1Gi"
            }
          }
          env {
            name  = "DB_TYPE"
            value = "mysql"
          }
          env {
            name  = "DB_HOST"
            value = "mysql.dbaas.svc.cluster.local"
          }
          port {
            container_port = 80
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "onlyoffice" {
  metadata {
    name      = "onlyoffice"
    namespace = kubernetes_namespace.onlyoffice.metadata[0].name
  }
  spec {
    selector = {
      app = "onlyoffice-document-server"
    }
    port {
      port = 80
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.onlyoffice.metadata[0].name
  name            = "onlyoffice"
  host            = "office"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
