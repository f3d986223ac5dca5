module "app" {
  source    = "../../modules/app"
  namespace = "app"
  tag       = null
}

