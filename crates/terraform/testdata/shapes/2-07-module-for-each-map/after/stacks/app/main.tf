module "app" {
  source    = "../../modules/app"
  for_each  = {
    blue  = "1.3.0"
    green = "1.3.0"
  }
  namespace = each.key
  tag       = each.value
}
