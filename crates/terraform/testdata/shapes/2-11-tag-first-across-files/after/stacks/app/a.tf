locals {
  version = "1.3.0"
  name    = "acme/app"
}

