terraform {
  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = "0.28.0"
    }
  }
}
