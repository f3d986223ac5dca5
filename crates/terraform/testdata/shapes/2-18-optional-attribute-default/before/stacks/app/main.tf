module "app" {
  source = "../../modules/app"
  app = {
    namespace = "app"
  }
}
