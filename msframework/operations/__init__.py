"""What an operator asks of a service over HTTP: `/livez`, `/readyz`, `/metrics`."""
