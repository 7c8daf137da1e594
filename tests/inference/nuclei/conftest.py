"""Slides cut from the real fields."""

import numpy as np
import PIL.Image
import pytest


@pytest.fixture(scope="session")
def field(shared_data):
    """The 1500×1500 H&E field."""
    return shared_data / "histolytics_hgsc" / "hgsc_nest.jpg"


@pytest.fixture(scope="session")
def crop(field, tmp_path_factory):
    """520×430 pixels of it, as a file."""
    path = tmp_path_factory.mktemp("slides") / "crop.png"
    pixels = np.asarray(PIL.Image.open(field).convert("RGB"))[300:730, 200:720]
    PIL.Image.fromarray(pixels).save(path)
    return path
