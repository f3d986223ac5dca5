module "pg" {
  source   = "../../modules/pg"
  pg_image = "ghcr.io/acme/postgres:16.4"
}
