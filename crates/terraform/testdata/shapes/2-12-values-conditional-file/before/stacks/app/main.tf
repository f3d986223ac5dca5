resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = concat([file("${path.module}/values.yaml")], var.prod ? [file("${path.module}/prod.yaml")] : [])
}

variable "prod" {
  default = true
}
