module "app" {
  source    = "../../modules/app"
  for_each  = {
    blue  = "1.2.0"
    green = "1.2.0"
  }
  namespace = each.key
  tag       = each.value
}
