module "b" {
  source    = "../../modules/app"
  namespace = "b"
  tag       = "1.2.0"
}

