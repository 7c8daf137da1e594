"""Make a first convolution for RGB one for any number of channels."""

from __future__ import annotations

from torch import Tensor


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """``(out, in, *kernel)`` → ``(out, channels, *kernel)``.

    For one channel the filters are added up: a grey image then gives what the same image as RGB gave. For more, the
    filters are repeated in turn and scaled by ``in / channels``, so that the size of the output stays what it was.
    """
    have = weight.shape[1]
    if channels == have:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    turns = [channel % have for channel in range(channels)]
    return weight[:, turns] * (have / channels)
