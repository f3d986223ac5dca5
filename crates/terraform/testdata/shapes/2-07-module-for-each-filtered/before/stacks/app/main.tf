variable "sites" {
  default = {
    anna = { enabled = true, tag = "1.2.0" }
    bert = { enabled = false, tag = "1.1.0" }
  }
}

module "site" {
  source    = "../../modules/app"
  for_each  = { for name, site in var.sites : name => site if site.enabled }
  namespace = each.key
  tag       = each.value.tag
}
