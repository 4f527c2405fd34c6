"""Sightline: from a folder of pictures to a trained, measured, usable network."""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Classifier": "classifier",
    "load": "loading",
    "Options": "training.options",
    "Predictor": "predictor",
    "check": "checking",
    "compare": "comparing",
    "explain": "explaining",
    "export": "exporting.export",
    "Regressor": "classifier",
    "find_rates": "training.rates",
    "find_wrong_labels": "labelling.find",
    "learning_curve": "growth.measure",
    "open_dataset": "data",
    "resume": "training.train",
    "resume_tune": "training.tuning.tune",
    "train": "training.train",
    "tune": "training.tuning.tune",
    "verify": "exporting.verify",
    "watch": "video.watch",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    """Public names are imported when first asked for (PEP 562): `import sightline` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
