"""Encoder-decoders: one logit a class and voxel, in 2D and 3D. Encoders and decoders meet in two contracts only."""
