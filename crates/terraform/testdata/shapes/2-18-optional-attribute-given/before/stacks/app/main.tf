module "app" {
  source = "../../modules/app"
  app = {
    namespace = "app"
    tag       = "1.2.0"
  }
}
