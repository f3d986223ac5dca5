variable "chart_version" {
  default = "9.0.1"
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = var.chart_version
}
