locals {
  tag = "1.2.0"
  hosts = ["a", "b"]
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [<<-EOT
    image:
      repository: acme/app
      tag: ${local.tag}
    ingress:
      hosts: ${jsonencode(local.hosts)}
      annotations:
        ${indent(8, yamlencode({ a = "b" }))}
  EOT
  ]
}
