locals {
  sites = [
    { name = "anna", tag = "1.2.0" },
    { name = "bert", tag = "1.2.0" },
  ]
}

module "site" {
  source    = "../../modules/app"
  for_each  = { for site in local.sites : site.name => site }
  namespace = each.key
  tag       = each.value.tag
}
