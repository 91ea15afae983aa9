"""The same service, written once for each framework that one could pick instead."""
