locals {
  charts = {
    app     = { repository = "https://charts.example.org", version = "9.1.0" }
    app-web = { repository = "https://charts.example.org", version = "9.0.1" }
  }
}

resource "helm_release" "this" {
  for_each = local.charts

  name       = each.key
  chart      = each.key
  repository = each.value.repository
  version    = each.value.version
}
