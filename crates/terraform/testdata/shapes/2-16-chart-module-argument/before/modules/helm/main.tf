variable "chart" {}
variable "chart_version" {}

resource "helm_release" "this" {
  name       = "this"
  namespace  = "this"
  repository = "https://charts.example.org"
  chart      = var.chart
  version    = var.chart_version
}
