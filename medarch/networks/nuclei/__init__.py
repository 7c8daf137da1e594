"""Networks that tell one nucleus from the next: HoVerNet in 2D and 3D."""
