"""Classifiers, one file a family. Their presets are rows of ``networks/catalogue/classifiers.py``."""
