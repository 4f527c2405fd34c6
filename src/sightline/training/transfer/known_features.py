"""Features that were computed before, in the cache. Comes in: hashes of pixels; goes out: the features that are known.

A file holds those of one network, one preprocessing and one engine, whatever data set they were of: a picture is known
by its pixels, so another fold needs nothing new, and a data set that has grown only what is new. What cannot be read or
written is computed. Must not know torch.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.packs.cache import Cache, Key
from sightline.data.packs.pack import Pack, PackError

Floats = NDArray[np.float32]
MAX_BYTES = 2**30  # of a file; those not asked for are left out first


@dataclass(frozen=True)
class KnownFeatures:
    """The file of one engine. `facts`: all that features depend on but the pixels; `source`: where the pictures lie."""

    cache: Cache
    source: str
    facts: Mapping[str, object]

    @property
    def key(self) -> Key:
        text = json.dumps(["features", self.facts], sort_keys=True, default=str)
        name = re.sub(r"[^\w.-]+", "_", Path(self.source).name.partition(".")[0])[:40].strip("_") or "pictures"
        return Key(name, hashlib.blake2b(text.encode(), digest_size=16).hexdigest())

    def of(self, hashes: list[bytes]) -> dict[bytes, Floats]:
        """Those that are known, each (D,)."""
        pack = self.cache.open(self.key)
        return {} if pack is None else dict(self._read(pack, set(hashes)))

    def keep(self, new: Mapping[bytes, Floats]) -> None:
        """Add features to what is kept. Of processes that do so together the later keeps the earlier's as well."""
        with self.cache.claim(self.key, 1, lambda pack: set(new) <= set(_hashes(pack))) as (old, growing):
            if growing is None:
                return
            hashes, num_bytes = list(new), sum(values.nbytes for values in new.values())
            for values in new.values():
                growing.add(values.reshape(1, -1, 1))
            if old is not None:
                room = max(0, MAX_BYTES - num_bytes) * len(new) // num_bytes
                others = [h for h in _hashes(old) if h not in new][:room]
                for name, values in self._read(old, set(others)):
                    hashes.append(name)
                    growing.add(values.reshape(1, -1, 1))
            facts = {"source": self.source, "num_pictures": len(hashes), "features": dict(self.facts)}
            growing.finish(facts, {"hash": np.array(hashes, "V16")})

    def _read(self, pack: Pack, wanted: set[bytes]) -> Iterator[tuple[bytes, Floats]]:
        """Ends early where the file turns out to be damaged, which is said."""
        try:
            for row, name in enumerate(_hashes(pack)):
                if name in wanted and (values := pack.canvas(row)) is not None:
                    yield name, values.reshape(-1).astype(np.float32, copy=False)
        except PackError as error:
            self.cache.discard(pack.path, str(error))


def _hashes(pack: Pack) -> list[bytes]:
    return [name.tobytes() for name in pack.columns["hash"]]
