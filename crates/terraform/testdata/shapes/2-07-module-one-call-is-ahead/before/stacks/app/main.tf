module "a" {
  source    = "../../modules/app"
  namespace = "a"
  tag       = "1.2.0"
}

