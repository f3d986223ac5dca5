variable "app_version" {
  default = "1.3.0"
}
