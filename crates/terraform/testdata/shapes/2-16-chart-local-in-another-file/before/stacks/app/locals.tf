locals {
  charts = {
    app = { version = "9.0.1" }
    web = { version = "9.0.1" }
  }
}

