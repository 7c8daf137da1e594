"""Training on images of nuclei: windows, and the augmentation of colour and shape."""
