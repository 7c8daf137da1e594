"""A slide as a network sees it: at the network's own scale, and where there is tissue."""
