variable "app_image" {
  type    = string
  default = "acme/app:1.0.0"
}
