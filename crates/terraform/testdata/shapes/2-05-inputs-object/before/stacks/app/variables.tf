variable "app" {
  type = object({ repository = string, tag = string })
}
