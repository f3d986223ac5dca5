resource kubernetes_pod app {
  spec {
    container {
      name  = "app"
      image = "acme/app:1.3.0"
    }
  }
}
