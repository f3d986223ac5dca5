locals {
  charts = {
    app = { version = "9.1.0" }
    web = { version = "9.0.1" }
  }
}

