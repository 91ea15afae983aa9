"""The probes and metrics of a service over HTTP: `/livez`, `/readyz`, `/metrics`."""
