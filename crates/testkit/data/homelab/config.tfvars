root_domain     = "example.org"
tls_secret_name = "tls-wildcard"
nfs_server      = "nas.lan"
timezone        = "Europe/Vienna"
