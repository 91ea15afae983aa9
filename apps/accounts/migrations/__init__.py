"""The steps that bring the accounts service's tables from one version to the next."""
