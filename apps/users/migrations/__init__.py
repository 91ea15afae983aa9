"""The steps that bring the users service's tables from one version to the next."""
