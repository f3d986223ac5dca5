variable "image_tag" {
  type    = string
  default = "1.0.0"
}
