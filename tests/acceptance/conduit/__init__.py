"""RealWorld's API "Conduit", as a user of the framework would write it."""
