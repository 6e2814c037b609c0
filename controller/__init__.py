"""The Kubernetes shell: a kopf controller around the pure decision core. kopf and the API client live here alone."""
