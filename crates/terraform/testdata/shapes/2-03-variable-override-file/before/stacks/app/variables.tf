variable "app_version" {
  type    = string
  default = "1.1.0"
}
