"""What the files of a slide's nuclei are called."""

from __future__ import annotations

GEOJSON, CSV, PARQUET, LABELS = "nuclei.geojson", "nuclei.csv", "nuclei.parquet", "labels.ome.tif"
