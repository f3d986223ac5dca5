variable "release" {
  default = "v2.7.4"
}
