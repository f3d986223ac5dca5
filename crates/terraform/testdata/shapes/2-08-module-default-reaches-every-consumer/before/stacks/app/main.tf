module "app" {
  source    = "../../modules/app"
  namespace = "app"
}
