"""The steps that bring the roles service's tables from one version to the next."""
