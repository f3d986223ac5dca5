resource "kubernetes_cron_job_v1" "app" {
  spec {
    job_template {
      spec {
        template {
          spec {
            container {
              name  = "app"
              image = "acme/app:1.2.0"
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [
      metadata[0].labels,
      spec[0].job_template[0].spec[0].template[0].spec[0].container[0].image,
    ]
  }
}
