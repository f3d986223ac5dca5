module "web" {
  source    = "../../modules/app"
  namespace = "web"
  tag       = "1.2.0"
}

