module "app" {
  for_each = toset(["blue", "green"])

  source    = "../../modules/app"
  namespace = each.key
  tag       = "1.3.0"
}
