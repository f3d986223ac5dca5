variable "tag" {
  default = "1.2.0" # dead
}
