variable "name" {}
variable "image" {
  type    = string
  default = "acme/other:1.2.0"
}
