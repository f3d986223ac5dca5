module "web" {
  source    = "../../modules/app"
  namespace = "web"
  tag       = "1.3.0"
}

