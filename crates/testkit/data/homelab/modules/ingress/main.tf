locals {
  host = coalesce(var.full_host, "${coalesce(var.host, var.name)}.${var.root_domain}")
}

resource "kubernetes_ingress_v1" "this" {
  metadata {
    name      = var.name
    namespace = var.namespace
    annotations = merge({
      "kubernetes.io/ingress.class"                 = "nginx"
      "nginx.ingress.kubernetes.io/proxy-body-size" = var.max_body_size
    }, var.extra_annotations)
  }

  spec {
    tls {
      hosts       = [local.host]
      secret_name = var.tls_secret_name
    }
    rule {
      host = local.host
      http {
        path {
          path = "/"
          backend {
            service {
              name = coalesce(var.service_name, var.name)
              port { number = var.port }
            }
          }
        }
      }
    }
  }
}
