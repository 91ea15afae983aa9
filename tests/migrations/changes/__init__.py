"""Changes of models, each taken all the way: migrated, looked at, taken back, and done again."""
