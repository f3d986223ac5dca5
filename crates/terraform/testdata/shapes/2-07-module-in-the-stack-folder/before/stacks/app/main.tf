module "server" {
  source = "./modules/server"
  tag    = "1.2.0"
}
