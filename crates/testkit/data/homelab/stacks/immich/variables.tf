variable "root_domain" {}
variable "tls_secret_name" {}
variable "nfs_server" {}

# Server and machine learning must be of the same release.
variable "immich_version" {
  description = "Release of Immich, see https://github.com/immich-app/immich/releases"
  type        = string
  # default   = "v2.6.3"
  default     = "v2.7.4"
}

variable "pgvector_version" {
  type    = string
  default = "14-vectorchord0.4.3-pgvectors0.2.0"
}
