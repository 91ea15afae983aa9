"""The settings of our own service among those that are compared."""

SERVICE_NAME = "notes"
CONFIGURE = "benchmarks.resources.ours.configure"
