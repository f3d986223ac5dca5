module "a" {
  source    = "../../modules/app"
  namespace = "a"
  count     = 2
  tag       = "1.3.0"
}

