"""All logits of a case, put together from the stream."""

import torch

from medarch.inference.engines.load_engine import load_engine
from medarch.inference.linear_head import LinearHead
from medarch.inference.stream_features import stream_features


@torch.inference_mode()
def streamed_logits(networks, image, *, heads, window):
    """``(C, *grid)`` → ``(heads, *grid)`` float32."""
    engines = [load_engine("channels_last", network, torch.device("cpu")) for network in networks]
    head = LinearHead.of(networks, classes=heads)
    found = torch.full((heads, *image.shape[1:]), torch.nan)
    for slab in stream_features(engines, head, image, window=window):
        planes = slice(slab.start, slab.start + slab.features.shape[slab.axis + 1])
        where = [slice(None), *(planes if axis == slab.axis else slice(None) for axis in range(3))]
        found[tuple(where)] = head.logits(slab.features.movedim(0, -1)).movedim(-1, 0)
    return found
