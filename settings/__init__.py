"""The settings of this project: one module for each way to run it."""
