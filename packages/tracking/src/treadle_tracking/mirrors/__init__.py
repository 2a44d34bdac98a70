"""Places that runs are mirrored to, each in a module of its own."""
