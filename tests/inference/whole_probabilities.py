"""The whole computation: an array of all classes and voxels, with scipy's softmax."""

import numpy as np
from scipy.special import expit, softmax

from medarch.preprocessing.restore import paste, resample_to_crop


def whole_probabilities(logits, record, scheme):
    """``(heads, *network grid)`` → ``(heads, I, J, K)`` float32 of the file; outside the crop all is background."""
    cropped = resample_to_crop(logits, record).astype(np.float64)
    if scheme.has_regions:
        return paste(expit(cropped).astype(np.float32), record)
    shares = softmax(cropped, axis=0).astype(np.float32)
    pasted = paste(shares, record)
    pasted[0] = paste(shares[0], record, fill=1)
    return pasted
