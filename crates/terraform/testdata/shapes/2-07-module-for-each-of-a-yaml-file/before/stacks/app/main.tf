module "site" {
  source    = "../../modules/app"
  for_each  = yamldecode(file("${path.module}/sites.yaml"))
  namespace = each.key
  tag       = each.value.tag
}
