resource "kubernetes_namespace" "immich" {
  metadata {
    name = "immich"
    labels = {
      tier = "gpu"
    }
  }
}

module "library" {
  source     = "../../modules/nfs_volume"
  name       = "library"
  namespace  = kubernetes_namespace.immich.metadata[0].name
  nfs_server = var.nfs_server
  nfs_path   = "/mnt/main/immich/library"
  capacity   = "2Ti"
}

resource "kubernetes_deployment" "immich_server" {
  metadata {
    name      = "immich-server"
    namespace = kubernetes_namespace.immich.metadata[0].name
    labels    = { app = "immich-server" }
  }
  spec {
    replicas = 1
    strategy { type = "Recreate" }
    selector {
      match_labels = { app = "immich-server" }
    }
    template {
      metadata {
        labels = { app = "immich-server" }
      }
      spec {
        container {
          name  = "immich-server"
          image = "ghcr.io/immich-app/immich-server:${var.immich_version}"
          port {
            name           = "http"
            container_port = 2283
          }
          env {
            name  = "DB_HOSTNAME"
            value = "immich-postgresql.immich.svc.cluster.local"
          }
          env {
            name  = "REDIS_HOSTNAME"
            value = "redis.redis.svc.cluster.local"
          }
          startup_probe {
            http_get {
              path = "/api/server/ping"
              port = "http"
            }
            failure_threshold = 30
            period_seconds    = 10
          }
          volume_mount {
            name       = "library"
            mount_path = "/usr/src/app/upload"
          }
          resources {
            requests = { cpu = "250m", memory = "1Gi" }
            limits   = { memory = "4Gi" }
          }
        }
        volume {
          name = "library"
          persistent_volume_claim { claim_name = module.library.claim_name }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "immich_machine_learning" {
  metadata {
    name      = "immich-machine-learning"
    namespace = kubernetes_namespace.immich.metadata[0].name
    labels    = { app = "immich-machine-learning" }
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "immich-machine-learning" }
    }
    template {
      metadata {
        labels = { app = "immich-machine-learning" }
      }
      spec {
        container {
          name = "machine-learning"
          # GPU time-slicing is broken on the new node, so no -cuda for now.
          # image = "ghcr.io/immich-app/immich-machine-learning:${var.immich_version}-cuda"
          image = "ghcr.io/immich-app/immich-machine-learning:${var.immich_version}"
          port { container_port = 3003 }
          resources {
            requests = { memory = "2Gi" }
            limits   = { memory = "6Gi" }
          }
        }
      }
    }
  }
}

resource "kubernetes_service" "immich_server" {
  metadata {
    name      = "immich-server"
    namespace = kubernetes_namespace.immich.metadata[0].name
  }
  spec {
    selector = { app = "immich-server" }
    port {
      port        = 80
      target_port = 2283
    }
  }
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.immich.metadata[0].name
  name            = "immich"
  service_name    = "immich-server"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
  max_body_size   = "50000m"
}
