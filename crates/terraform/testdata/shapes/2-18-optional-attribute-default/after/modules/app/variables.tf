variable "app" {
  type = object({
    namespace = string
    tag       = optional(string, "1.3.0")
  })
}
