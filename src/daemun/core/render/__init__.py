"""`Desired` and `Environment` to a tree of directives per file, and that to bytes."""
