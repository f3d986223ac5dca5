locals {
  sites = {
    anna = { host = "anna.example.org", tag = "1.2.0" }
    bert = { host = "bert.example.org", tag = "1.2.0" }
  }
}

module "site" {
  source    = "../../modules/app"
  for_each  = local.sites
  namespace = each.key
  tag       = each.value.tag
}
