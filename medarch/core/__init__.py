"""The nouns of medarch: frozen, versioned, validated records and the errors every room raises.

Imports numpy and pydantic, nothing else. Never computes on images, never imports torch.
"""
