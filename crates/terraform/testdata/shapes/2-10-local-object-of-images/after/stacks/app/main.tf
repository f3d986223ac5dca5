locals {
  images = {
    web = "acme/app-web:1.2.0"
    app = "acme/app:1.3.0"
  }
}

resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "app" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "app" }
    }

    template {
      metadata {
        labels = { app = "app" }
      }

      spec {
        container {
          name  = "app"
          image = local.images.app

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "app2" {
  metadata {
    name      = "app2"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "app2" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "app2" }
    }

    template {
      metadata {
        labels = { app = "app2" }
      }

      spec {
        container {
          name  = "app2"
          image = local.images["app"]

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "web" {
  metadata {
    name      = "web"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "web" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "web" }
    }

    template {
      metadata {
        labels = { app = "web" }
      }

      spec {
        container {
          name  = "web"
          image = local.images.web

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}
