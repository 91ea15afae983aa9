"""The steps that bring the regions service's tables from one version to the next."""
