"""A file's name is its registered name. Comes in: a package; goes out: its modules by name, imported when asked.

Adding an architecture, a format, an augmentation, a metric is adding one file to its package. Modules whose
name starts with an underscore are helpers, not entries. Imports nothing of the project but the errors.
"""

import importlib
import pkgutil
from types import ModuleType

from sightline.errors import ConfigError, nearest


class Registry:
    """The modules of one package, each of which exposes the agreed `symbols`."""

    def __init__(self, package: str, what: str, symbols: tuple[str, ...]) -> None:
        self.package, self.what, self.symbols = package, what, symbols
        self.found: dict[str, ModuleType] = {}  # a folder is not listed again for every batch

    def names(self) -> list[str]:
        """Registered names, sorted. Imports the package but none of its modules."""
        path = importlib.import_module(self.package).__path__
        return sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def check(self, name: str) -> None:
        """Raise ConfigError, with the nearest names, unless `name` is registered. Imports nothing."""
        if name not in self:
            raise ConfigError(nearest(name, self.names(), self.what))

    def get(self, name: str) -> ModuleType:
        """The module `name`. Raises ConfigError as `check` does."""
        if name in self.found:
            return self.found[name]
        self.check(name)
        module = importlib.import_module(f"{self.package}.{name}")
        missing = [s for s in self.symbols if s not in vars(module)]
        assert not missing, f"{module.__name__} must define {', '.join(missing)}"
        self.found[name] = module
        return module
