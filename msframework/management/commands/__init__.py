"""The commands that come with msframework: one file each, with a click command named `command`."""
