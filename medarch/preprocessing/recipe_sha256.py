"""What decides the content of a case store, besides the files."""

from __future__ import annotations

import hashlib

from medarch.core.labels import LabelScheme
from medarch.core.plan import PreprocessingPlan


def recipe_sha256(recipe: PreprocessingPlan, labels: LabelScheme) -> str:
    """Return the hash that names a store and stands in each of its records."""
    return hashlib.sha256((recipe.sha256() + labels.sha256()).encode()).hexdigest()
