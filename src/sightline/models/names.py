"""Which network a name means. Comes in: what a user typed; goes out: its source, base name and weights' tag.

    own, then torchvision's, then timm's          resnet18
    one source and no other                       torchvision/resnet18, timm/resnet18
    timm's, with the tag of its weights           resnet18.a1_in1k

The catalogue answers for names that it has; only for others are torchvision and timm imported and asked.
"""

from dataclasses import dataclass

from sightline.errors import ConfigError, MissingExtraError, nearest
from sightline.models import catalogue


@dataclass(frozen=True)
class ModelName:
    source: str  # own, torchvision or timm
    base: str  # the name within its source
    tag: str | None = None  # of timm's weights

    @property
    def canonical(self) -> str:
        """The name that means this network and no other: with its source where a bare one would not."""
        info = catalogue.rows().get((self.source, self.base))
        return info.name if info else f"{self.source}/{self.base}"


def resolve(name: str) -> ModelName:
    """The network that `name` means. Raises ConfigError, with the nearest names, if there is none."""
    prefix, slash, rest = name.rpartition("/")
    sources: tuple[str, ...] = catalogue.SOURCES
    if slash:
        if prefix not in catalogue.SOURCES:
            raise ConfigError(f"{nearest(prefix, catalogue.SOURCES, 'source of networks')} (in {name!r})")
        sources = (prefix,)
    base, dot, tag = rest.partition(".")
    candidates = [ModelName("timm", base, tag)] if dot else [ModelName(source, base) for source in sources]
    for known in (_in_catalogue, _is_installed):
        for candidate in candidates:
            if candidate.source in sources and known(candidate):
                return candidate
    raise ConfigError(f"{nearest(name, catalogue.known_names(), 'network')} `sightline models` lists all.")


def _in_catalogue(name: ModelName) -> bool:
    return (name.source, name.base) in catalogue.rows()


def _is_installed(name: ModelName) -> bool:
    """Whether the installed package knows a name that the catalogue, made from another version, does not."""
    from sightline.models import from_timm, from_torchvision

    asked = {"torchvision": from_torchvision.has, "timm": from_timm.has}.get(name.source)
    try:
        return asked is not None and asked(name.base)
    except MissingExtraError:
        return False
