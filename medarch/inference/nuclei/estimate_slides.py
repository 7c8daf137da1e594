"""What slides will cost, before anything is done: tiles counted, one of them computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medarch.core.errors import MedarchError
from medarch.core.prediction import CaseEstimate
from medarch.core.process_peak_bytes import process_peak_bytes
from medarch.core.stopwatch import Stopwatch
from medarch.inference.nuclei.nuclei_model import NucleiModel
from medarch.inference.nuclei.separate_chunk import reach
from medarch.inference.nuclei.slide_grid import SlideGrid
from medarch.inference.nuclei.slide_options import SlideOptions
from medarch.inference.nuclei.tile_network import TileNetwork
from medarch.io.slides.open_slide import open_slide
from medarch.preprocessing.slides.slide_view import SlideView
from medarch.preprocessing.slides.tissue_mask import tissue_mask, whole_slide

CHUNK_BYTES_A_PIXEL = 48
"""What post-processing holds at most for each pixel that it sees, besides the maps."""


def estimate_slides(
    model: NucleiModel, slides: Mapping[str, Path], *, options: SlideOptions
) -> tuple[CaseEstimate, ...]:
    """Predict seconds (of the network, which is nearly all) and peak memory of each slide.

    A slide that cannot be read has no tiles.
    """
    seconds = seconds_a_tile(model.network)
    channels = model.network.channels
    seen = options.chunk + 2 * reach(model.separation)
    chunk_bytes = seen**2 * (CHUNK_BYTES_A_PIXEL + 4 * channels) * max(options.workers, 1)
    estimates = []
    for name, path in slides.items():
        try:
            tiles = _count(model, path, options)
        except MedarchError:
            estimates.append(CaseEstimate(case=name))
            continue
        estimates.append(
            CaseEstimate(
                case=name, passes=tiles, seconds=tiles * seconds, peak_bytes=process_peak_bytes() + chunk_bytes
            )
        )
    return tuple(estimates)


def _count(model: NucleiModel, path: Path, options: SlideOptions) -> int:
    with open_slide(path, mpp=options.mpp, reader=options.reader) as slide:
        view = SlideView(slide, model.network.mpp)
        tissue = tissue_mask(slide) if options.tissue else whole_slide(slide)
    size = (view.size[1], view.size[0])
    grid = SlideGrid.of(
        size, tissue, view.downsample, side=model.network.side, chunk=options.chunk, reach=reach(model.separation)
    )
    return grid.tile_count


def seconds_a_tile(network: TileNetwork, *, channels: int = 3) -> float:
    """The second of two batches: the first warms up."""
    pixels = np.random.default_rng(0).integers(0, 256, (network.batch, *network.window, channels), np.uint8)
    network.maps(pixels)
    watch = Stopwatch()
    network.maps(pixels)
    return watch.seconds / network.batch
