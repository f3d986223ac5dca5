module "b" {
  source    = "../../modules/app"
  namespace = "b"
  tag       = "1.3.0"
}

