resource "helm_release" "app" {
	name   = "app"
	chart  = "app"
	values = [<<EOT
image:
  repository: acme/app
  tag: "1.3.0"
EOT
	]
}