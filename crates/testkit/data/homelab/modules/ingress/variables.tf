variable "namespace" { type = string }
variable "name" { type = string }
variable "tls_secret_name" { type = string }

variable "root_domain" {
  type    = string
  default = "example.org"
}

# Only where the subdomain differs from the name.
variable "host" {
  type    = string
  default = null
}

variable "full_host" {
  type    = string
  default = null
}

variable "service_name" {
  type    = string
  default = null
}

variable "port" {
  type    = number
  default = 80
}

variable "max_body_size" {
  type    = string
  default = "50m"
}

variable "extra_annotations" {
  type    = map(string)
  default = {}
}
