"""Sightline's own networks: one file, one network; its name is the file's.

A file defines `Options`, a frozen dataclass; `INPUT_SIZE`, the (C, H, W) at which the catalogue counts it;
and `build(options, num_classes, in_channels, image_size) -> nn.Module`, which raises any error for an image
size that it cannot bear: whoever asked is told the smallest that it can. Then
`python -m sightline.models.catalogue own` enters it in the catalogue.
"""
