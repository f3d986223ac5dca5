# The shared databases and their nightly dumps.
resource "kubernetes_namespace" "dbaas" {
  metadata {
    name = "dbaas"
  }
}

resource "kubernetes_stateful_set" "mysql" {
  metadata {
    name      = "mysql"
    namespace = kubernetes_namespace.dbaas.metadata[0].name
  }
  spec {
    service_name = "mysql"
    replicas     = 1
    selector {
      match_labels = { app = "mysql" }
    }
    template {
      metadata {
        labels = { app = "mysql" }
      }
      spec {
        container {
          name  = "mysql"
          image = "mysql:8.4.4"
          port { container_port = 3306 }
        }
      }
    }
  }
}

resource "kubernetes_cron_job_v1" "mysql_backup" {
  metadata {
    name      = "mysql-backup"
    namespace = kubernetes_namespace.dbaas.metadata[0].name
  }
  spec {
    schedule = "30 0 * * *"
    job_template {
      metadata {}
      spec {
        template {
          metadata {}
          spec {
            restart_policy = "OnFailure"
            container {
              name    = "mysql-backup"
              image   = "mysql:8.0.41" # the 8.4 client cannot dump the old users' grants
              command = ["/bin/bash", "-c", "mysqldump --all-databases -h mysql | gzip > /backup/dump-$(date +%F).sql.gz"]
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_cron_job_v1" "postgresql_backup" {
  metadata {
    name      = "postgresql-backup"
    namespace = kubernetes_namespace.dbaas.metadata[0].name
  }
  spec {
    schedule = "0 0 * * *"
    job_template {
      metadata {}
      spec {
        template {
          metadata {}
          spec {
            restart_policy = "OnFailure"
            container {
              name    = "postgresql-backup"
              image   = "postgres:16.4-alpine"
              command = ["/bin/sh", "-c", "pg_dumpall -h postgresql -U root | gzip > /backup/dump-$(date +%F).sql.gz"]
            }
          }
        }
      }
    }
  }
}
