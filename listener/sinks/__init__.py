"""One module a destination: it sends and says what became of it, nothing else."""
