module "app" {
  source    = "../../modules/app"
  namespace = "web"
}
