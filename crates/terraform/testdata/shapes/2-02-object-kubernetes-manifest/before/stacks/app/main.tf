resource "kubernetes_manifest" "app" {
  manifest = {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata = {
      name      = "app"
      namespace = "app"
    }
    spec = {
      template = {
        spec = {
          containers = [
            { name = "app", image = "acme/app:1.2.0", env = [] },
            { name = "web", image = "acme/app-web:1.2.0" },
          ]
          initContainers = [{
            name  = "migrate"
            image = "docker.io/acme/app:1.2.0" # same
          }]
        }
      }
    }
  }
}
