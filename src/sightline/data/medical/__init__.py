"""What hospitals keep pictures in: DICOM and NIfTI -> pixels; no tag but those of pixels is read."""
