"""Training of the packaged model. Needs the extra `torch`."""
