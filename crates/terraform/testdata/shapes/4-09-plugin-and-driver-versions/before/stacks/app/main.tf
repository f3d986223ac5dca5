resource "helm_release" "gpu-operator" {
  name       = "gpu-operator"
  namespace  = "gpu-operator"
  repository = "https://charts.example.org"
  chart      = "gpu-operator"
  version    = "1.2.0"

  values = [yamlencode({
    driver  = { version = "1.2.0" }
    plugins = [{ moduleName = "github.com/acme/app", version = "1.2.0" }]
    experimental = { plugins = { app = { moduleName = "acme/app", version = "1.2.0" } } }
  })]
}
