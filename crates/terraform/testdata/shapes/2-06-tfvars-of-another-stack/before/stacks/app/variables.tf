variable "image_tag" {
  type    = string
  default = "1.2.0"
}
