"""One resource in five frameworks: the caller's own notes, listed, created, read, changed, deleted.

Each module is a whole service, written as the documentation of its framework does it. Counted are
the lines between `# The resource.` and `# The service.`, without blank ones.
"""
