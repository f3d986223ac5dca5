# Written on Windows, hence the line ends. Gerätenetze: 10.0.10.0/24 …
variable "tls_secret_name" {}

resource "kubernetes_namespace" "phpipam" {
  metadata {
    name = "phpipam"
  }
}

resource "kubernetes_deployment" "phpipam" {
  metadata {
    name      = "phpipam-web"
    namespace = kubernetes_namespace.phpipam.metadata[0].name
  }
  spec {
    replicas = 1
    selector {
      match_labels = {
        component = "phpipam-web"
      }
    }
    template {
      metadata {
        labels = {
          component = "phpipam-web"
        }
      }
      spec {
        container {
          name  = "web"
          #image = "phpipam/phpipam-www:v1.6.1"
          image = "phpipam/phpipam-www:v1.7.0"
          env {
            name  = "IPAM_DATABASE_HOST"
            value = "mysql.dbaas.svc.cluster.local"
          }
          env {
            name  = "TZ"
            value = "Europe/Vienna"
          }
          port {
            container_port = 80
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "phpipam" {
  metadata {
    name      = "phpipam"
    namespace = kubernetes_namespace.phpipam.metadata[0].name
  }
  spec {
    selector = {
      component = "phpipam-web"
    }
    port {
      port = 80
    }
  }
}

resource "kubernetes_ingress_v1" "phpipam" {
  metadata {
    name      = "phpipam"
    namespace = kubernetes_namespace.phpipam.metadata[0].name
  }
  spec {
    tls {
      hosts       = ["ipam.example.org"]
      secret_name = var.tls_secret_name
    }
    rule {
      host = "ipam.example.org"
      http {
        path {
          path = "/"
          backend {
            service {
              name = "phpipam"
              port {
                number = 80
              }
            }
          }
        }
      }
    }
  }
}
