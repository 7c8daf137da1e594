"""What the files of a slide's or a volume's nuclei are called."""

from __future__ import annotations

GEOJSON, CSV, PARQUET, LABELS = "nuclei.geojson", "nuclei.csv", "nuclei.parquet", "labels.ome.tif"
VOLUME_LABELS, SUMMARY = "labels.nii.gz", "summary.json"
