"""Predict one slide with the colour network, as a process of its own that a test can kill."""

import sys
from pathlib import Path

from colour_network import nuclei_model

from medarch.inference.nuclei.predict_slides import predict_slides
from medarch.inference.nuclei.slide_options import SlideOptions

if __name__ == "__main__":
    slide, output, chunk, workers, mpp, pause_s = sys.argv[1:]
    model = nuclei_model(mpp=0.5, pause_s=float(pause_s))
    options = SlideOptions(chunk=int(chunk), workers=int(workers), mpp=float(mpp) if mpp != "none" else None)
    prediction = predict_slides(model, {"slide": Path(slide)}, Path(output), options=options)
    sys.exit(len(prediction.failed))
