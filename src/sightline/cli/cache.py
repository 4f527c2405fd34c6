"""Show or clear what is kept on the disk of earlier trainings: decoded pictures, and frozen networks' features of them.

  sightline cache                   what is kept, its size, when it was last used
  sightline cache --clear           remove all of it, with plans that were measured, and shards of servers
  sightline cache --clear photos    what was kept of data of that name

`train` fills it by itself (`--no-cache` does not). It is bounded by a quarter of the disk's free space, or by
SIGHTLINE_CACHE_BYTES; what was not used for longest goes first. It lies in $XDG_CACHE_HOME/sightline, by default in
~/.cache/sightline. Nothing in it is needed: what is missing is made again.
"""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.data.packs.cache import Cache, Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clear", nargs="?", const="", metavar="NAME", help="remove what is kept, or some of it")


def run(args: argparse.Namespace) -> int:
    from sightline.data.packs.cache import Cache
    from sightline.data.storage import shard_cache
    from sightline.training.planning import plans

    cache = Cache.default(lambda text: print(text, file=sys.stderr))
    if args.clear is None:
        _show(cache)
        return 0
    gone = cache.clear(_matching(cache, args.clear) if args.clear else None)
    sizes = [entry.num_bytes for entry in gone]
    if not args.clear:
        plans.forget()
        for path in shard_cache.kept():
            sizes.append(path.stat().st_size)
            path.unlink()
    print(f"removed {len(sizes)} file{'' if len(sizes) == 1 else 's'}, {sum(sizes) / 1e6:,.1f} MB, from {cache.folder}")
    return 0


def _matching(cache: "Cache", name: str) -> list[str]:
    """The entries of that name, or of data of that name. Raises ConfigError if there are none."""
    from sightline.errors import ConfigError, nearest

    names = [entry.name for entry in cache.entries()]
    found = [entry for entry in names if name in (entry, entry.rpartition("-")[0])]
    if not found:
        shown = [entry.name for entry in cache.entries() if entry.path.suffix == ".pack"]
        known = sorted({*shown, *(entry.rpartition("-")[0] for entry in names)})
        hint = nearest(name, known, "name") if known else f"nothing is kept in {cache.folder}"
        raise ConfigError(f"--clear {name}: {hint}")
    return found


def _show(cache: "Cache") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sightline.cli._terminal import print_table
    from sightline.data.storage import shard_cache

    packs = [entry for entry in cache.entries() if entry.path.suffix == ".pack"]
    total = sum(entry.num_bytes for entry in cache.entries())
    print(f"{cache.folder}: {total / 1e6:,.1f} MB of at most {cache.max_bytes / 1e6:,.0f} MB")
    if shards := shard_cache.kept():
        print(f"shards of servers: {len(shards)} files, {sum(path.stat().st_size for path in shards) / 1e6:,.1f} MB")
    if not packs:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "of", "as"):
        table.add_column(heading, overflow="fold")
    for heading in ("pictures", "MB", "last used"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in packs:
        table.add_row(*map(Text, _cells(entry)))  # a path with brackets is no markup
    print_table(table)


def _cells(entry: "Entry") -> tuple[str, ...]:
    import time

    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used_s))
    size = f"{entry.num_bytes / 1e6:,.1f}"
    if not entry.facts:
        return entry.name, "damaged, or of another version", "", "", size, used
    features = entry.facts.get("features", {})
    frame = features.get("preprocessing") or entry.facts["preprocessing"]
    kind = f"{frame['width']}x{frame['height']} {'grey' if frame['channels'] == 1 else 'colour'} {frame['fit']}"
    if features:
        kind = f"features of {features['network']} by {features['engine']}, {kind}"
    return entry.name, str(entry.facts["source"]), kind, f"{entry.facts['num_pictures']:,}", size, used
