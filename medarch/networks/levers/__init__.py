"""What trades time for memory of a training step; every network of the registry, same gradients."""
