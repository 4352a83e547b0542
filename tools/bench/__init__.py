"""Times and memory of the generator and of helm, at sizes that people grow to."""
