locals {
  version = "1.2.0"
  name    = "acme/app"
}

