# Immich brings its own PostgreSQL: the vector extension is pinned to the server's major version.
resource "kubernetes_stateful_set" "postgresql" {
  metadata {
    name      = "immich-postgresql"
    namespace = kubernetes_namespace.immich.metadata[0].name
  }
  spec {
    service_name = "immich-postgresql"
    replicas     = 1
    selector {
      match_labels = { app = "immich-postgresql" }
    }
    template {
      metadata {
        labels = { app = "immich-postgresql" }
      }
      spec {
        container {
          name  = "postgresql"
          image = "ghcr.io/immich-app/postgres:${var.pgvector_version}"
          port { container_port = 5432 }
          volume_mount {
            name       = "data"
            mount_path = "/var/lib/postgresql/data"
          }
        }
      }
    }
    volume_claim_template {
      metadata { name = "data" }
      spec {
        access_modes = ["ReadWriteOnce"]
        resources {
          requests = { storage = "30Gi" }
        }
      }
    }
  }
}

resource "kubernetes_cron_job_v1" "postgresql_backup" {
  metadata {
    name      = "postgresql-backup"
    namespace = kubernetes_namespace.immich.metadata[0].name
  }
  spec {
    schedule           = "15 1 * * *"
    concurrency_policy = "Forbid"
    job_template {
      metadata {}
      spec {
        backoff_limit = 2
        template {
          metadata {}
          spec {
            restart_policy = "OnFailure"
            container {
              name    = "backup"
              image   = "postgres:16-alpine"
              command = ["/bin/sh", "-c", "pg_dumpall -h immich-postgresql -U postgres | gzip > /backup/immich-$(date +%F).sql.gz"]
            }
          }
        }
      }
    }
  }
}
