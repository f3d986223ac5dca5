variable "name" {}
variable "image_repository" {}
variable "image_tag" {}
