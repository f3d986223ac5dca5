variable "app" {
  type = object({
    replicas = number
    image    = object({ repository = string, tag = string })
  })
  default = {
    replicas = 1
    image = {
      repository = "acme/app"
      tag        = "1.2.0"
    }
  }
}
