module "server" {
  source = "./modules/server"
  tag    = "1.3.0"
}
