variable "pg_image" {
  default = "postgres:16.3"
}
