variable "app_version" {
  default = "1.2.0"
}
