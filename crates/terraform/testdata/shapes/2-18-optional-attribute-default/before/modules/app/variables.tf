variable "app" {
  type = object({
    namespace = string
    tag       = optional(string, "1.2.0")
  })
}
