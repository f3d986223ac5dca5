resource "kubectl_manifest" "app" {
  server_side_apply = true
  yaml_body = yamlencode({
    apiVersion = "batch/v1"
    kind       = "CronJob"
    metadata   = { name = "app", namespace = "app" }
    spec = {
      schedule = "@daily"
      jobTemplate = { spec = { template = { spec = {
        restartPolicy = "Never"
        containers    = [{ name = "app", image = "ghcr.io/acme/app:v1.3.0" }]
      } } } }
    }
  })
}
