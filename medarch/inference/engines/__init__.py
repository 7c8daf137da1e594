"""Ways to compute a network's features: torch in several precisions and layouts, and other programs' runtimes."""
