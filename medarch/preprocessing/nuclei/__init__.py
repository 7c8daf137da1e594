"""Images of nuclei, as training and prediction see them."""
