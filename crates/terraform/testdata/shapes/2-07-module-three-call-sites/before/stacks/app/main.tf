module "a" {
  source    = "../../modules/app"
  namespace = "a"
  tag       = "25.4.2"
}

module "b" {
  source    = "../../modules/app"
  namespace = "b"
  tag       = "25.4.2"
}

module "c" {
  source    = "../../modules/app"
  namespace = "c"
  tag       = "25.4.2" # gleich wie oben – Prüfung
}

