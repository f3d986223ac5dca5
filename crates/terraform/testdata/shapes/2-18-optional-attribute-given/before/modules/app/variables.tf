variable "app" {
  type = object({
    namespace = string
    tag       = optional(string, "1.0.0")
  })
}
