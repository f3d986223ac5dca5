variable "image_tag" {
  type    = string
  default = "1.3.0"
}
