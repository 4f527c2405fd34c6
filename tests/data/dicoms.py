"""DICOM files for tests, written by pydicom."""

import io
from typing import Any

from numpy.typing import NDArray

NAME = "PLANTED^PATIENT"  # in every tag of `planted` that can hold it


def dicom(pixels: NDArray[Any], syntax: str = "1.2.840.10008.1.2.1", **tags: Any) -> bytes:
    """A file of uint8, uint16 or int16 ([frames, ]H, W) or uint8 ([frames, ]H, W, 3); `tags` of None are left out."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    compressed = syntax.startswith("1.2.840.10008.1.2.4") or syntax == "1.2.840.10008.1.2.5"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    values = {
        "Rows": rows, "Columns": columns, "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "PlanarConfiguration": 0 if colour else None,
        "NumberOfFrames": len(pixels) if pixels.ndim == (4 if colour else 3) else None,
        "BitsAllocated": 8 * pixels.dtype.itemsize, "BitsStored": 8 * pixels.dtype.itemsize,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": pixels.tobytes(),
    } | tags  # fmt: skip
    values.setdefault("HighBit", (values["BitsStored"] or 1) - 1)
    for name, value in values.items():
        if value is not None:
            setattr(dataset, name, value)
    if compressed:
        dataset.PixelData = encapsulate([values["PixelData"]])
    if len(dataset.get("PixelData", b"")) % 2:
        dataset.PixelData += b"\0"
    if "PixelData" in dataset:
        dataset["PixelData"].VR = (
            "OB" if pixels.dtype.itemsize == 1 or syntax.startswith("1.2.840.10008.1.2.4") else "OW"
        )
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    assert isinstance(dataset, Dataset)
    return file.getvalue()


def planted(pixels: NDArray[Any]) -> bytes:
    """A file with NAME in every kind of tag that identifies a person, and in private and odd ones."""
    import pydicom
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    dataset = pydicom.dcmread(io.BytesIO(dicom(pixels)))
    for tag in (
        "PatientName", "PatientID", "OtherPatientIDs", "PatientAddress", "PatientComments", "InstitutionName",
        "ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName", "AccessionNumber", "StudyDescription",
        "SeriesDescription", "ProtocolName", "ImageComments", "DeviceSerialNumber", "StationName", "StudyID",
        "RequestedProcedureDescription", "PatientMotherBirthName", "DerivationDescription",
        "FrameComments", "Manufacturer",
    ):  # fmt: skip
        setattr(dataset, tag, NAME[:16] if tag in ("AccessionNumber", "StudyID", "StationName") else NAME)
    dataset.PatientBirthDate, dataset.StudyDate = "19770707", "20200202"
    item = Dataset()
    item.PatientID, item.PatientName = NAME, NAME
    dataset.OtherPatientIDsSequence = Sequence([item])
    dataset.private_block(0x0011, NAME[:16], create=True).add_new(0x01, "LO", NAME)
    dataset.preamble = (NAME.encode() * 9)[:128]
    dataset.file_meta.SourceApplicationEntityTitle = NAME[:16]
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()
