module "a" {
  source    = "../../modules/app"
  namespace = "a"
  tag       = "25.5.0"
}

module "b" {
  source    = "../../modules/app"
  namespace = "b"
  tag       = "25.5.0"
}

module "c" {
  source    = "../../modules/app"
  namespace = "c"
  tag       = "25.5.0" # gleich wie oben – Prüfung
}

