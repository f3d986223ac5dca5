variable "namespace" {}
variable "tag" {
  default = "1.2.0"
}
