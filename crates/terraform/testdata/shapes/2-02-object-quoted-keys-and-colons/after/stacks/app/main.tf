resource "kubernetes_manifest" "app" {
  manifest = {
    "apiVersion" = "argoproj.io/v1alpha1"
    "kind" : "CronWorkflow"
    "spec" = {
      "workflowSpec" = {
        "templates" = [{
          "container" = {
            "name" : "app",
            "image" : "acme/app:1.3.0",
          }
        }]
      }
    }
  }
}
