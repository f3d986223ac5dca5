variable "namespace" {}
variable "tag" {
  default = "1.3.0"
}
