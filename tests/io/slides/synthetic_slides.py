"""Small slides of every kind, written by tifffile and pydicom from one picture."""

import io
from pathlib import Path

import numpy as np
import pydicom
import tifffile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"


def picture(width: int = 700, height: int = 500, seed: int = 0) -> np.ndarray:
    """A smooth colour picture (even sides), so that JPEG keeps it nearly."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 240, (height // 20, width // 20, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((20, 20, 1), np.float32)).astype(np.uint8)


def halved(pixels: np.ndarray, times: int) -> np.ndarray:
    step = 2**times
    return pixels[::step, ::step]


def write_ome_tiff(path: Path, pixels: np.ndarray, *, mpp: float | None, levels: int = 3, planes: bool = False) -> None:
    size = {} if mpp is None else {"PhysicalSizeX": mpp * 1000, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": mpp,
                                   "PhysicalSizeYUnit": "µm"}  # fmt: skip
    axes = "CYX" if planes else "YXS"
    moved = (lambda part: np.ascontiguousarray(np.moveaxis(part, -1, 0))) if planes else np.ascontiguousarray
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (64, 96), "photometric": "minisblack" if planes else "rgb", "compression": "zlib"}
        writer.write(moved(pixels), subifds=levels - 1, metadata={"axes": axes, **size}, **options)
        for level in range(1, levels):
            writer.write(moved(halved(pixels, level)), subfiletype=1, **options)


def write_pyramid(path: Path, pixels: np.ndarray, *, mpp: float | None, levels: int = 3, big: bool = False) -> None:
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for level in range(levels):
            resolution = {} if mpp is None else {"resolution": (1e4 / mpp / 2**level,) * 2, "resolutionunit": 3}
            writer.write(np.ascontiguousarray(halved(pixels, level)), tile=(64, 64), photometric="rgb", metadata=None,
                         subfiletype=int(level > 0), compression="zlib", **resolution)  # fmt: skip


def write_dicom(
    path: Path, pixels: np.ndarray, *, mpp: float | None, tile: int = 128, organization: str | None = "TILED_FULL",
    positions: list[int] | None = None, complete: bool = True, jpeg: bool = False,
) -> None:  # fmt: skip
    """A DICOM slide; without ``complete`` it lacks ImageType and more, and OpenSlide refuses it.

    ``positions`` is the order of the frames, then every frame states its place."""
    height, width = pixels.shape[:2]
    across, down = -(-width // tile), -(-height // tile)
    places = [(column * tile, row * tile) for row in range(down) for column in range(across)]
    order = list(range(len(places))) if positions is None else positions
    frames = []
    for index in order:
        x, y = places[index]
        part = np.full((tile, tile, 3), 255, np.uint8)
        piece = pixels[y : y + tile, x : x + tile]
        part[: piece.shape[0], : piece.shape[1]] = piece
        frames.append(part)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = SLIDE_CLASS
    header.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["slide"])
    header.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit if jpeg else pydicom.uid.ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = SLIDE_CLASS, header.file_meta.MediaStorageSOPInstanceUID
    header.StudyInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["study"])
    header.SeriesInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["series"])
    header.Modality = "SM"
    header.NumberOfFrames, header.Rows, header.Columns = len(frames), tile, tile
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = width, height
    header.SamplesPerPixel, header.PlanarConfiguration = 3, 0
    header.PhotometricInterpretation = "YBR_FULL_422" if jpeg else "RGB"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    if complete:
        header.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        header.TotalPixelMatrixFocalPlanes = 1
        header.NumberOfOpticalPaths = 1
    if organization:
        header.DimensionOrganizationType = organization
    if mpp is not None:
        measures, shared = Dataset(), Dataset()
        measures.PixelSpacing = [mpp / 1000, mpp / 1000]
        measures.SliceThickness = 0.001
        shared.PixelMeasuresSequence = [measures]
        header.SharedFunctionalGroupsSequence = [shared]
    if positions is not None:
        groups = []
        for index in order:
            place, group = Dataset(), Dataset()
            place.ColumnPositionInTotalImagePixelMatrix = places[index][0] + 1
            place.RowPositionInTotalImagePixelMatrix = places[index][1] + 1
            group.PlanePositionSlideSequence = [place]
            groups.append(group)
        header.PerFrameFunctionalGroupsSequence = groups
    if jpeg:
        header.PixelData = encapsulate([_jpeg(frame) for frame in frames])
        header["PixelData"].VR = "OB"
    else:
        header.PixelData = b"".join(frame.tobytes() for frame in frames)
        header["PixelData"].VR = "OB"
    header.save_as(path, enforce_file_format=True)


def _jpeg(frame: np.ndarray) -> bytes:
    import PIL.Image

    stream = io.BytesIO()
    PIL.Image.fromarray(frame).save(stream, "JPEG", quality=95)
    return stream.getvalue()
