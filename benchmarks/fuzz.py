"""Claim: no file, however broken, crashes a process, hangs it, or takes more than a bounded amount of memory.

Valid files of every kind of picture, container and data set that is read, and of a run's folder, are damaged by their
structure (lengths, types, dimensions, names, order of parts) and without regard to it (bits, bytes, truncation), and
opened in child processes with a limit of memory and of time a file. What may come of a file is a picture, a data set,
or an error of the house; anything else (a crash, a hang, another exception, a picture that is no array of the promised
kind, a reason without words) is reported with the mutant, which is kept.

A format is one entry of CASES: the valid files, what reads one, and how one is damaged. Those of containers and data
sets are in fuzz_sets.py.

  python benchmarks/fuzz.py [FORMAT ...] [--mutants 5000] [--jobs 2] [--seed 0] [--limit 60]
      [--keep FOLDER]
"""

import argparse
import contextlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import fuzz_sets
from fuzz_seeds import pictures

# Bytes of address space that a child may take besides its imports: the largest picture that is read, as floats.
MEMORY = 3 * 2**30
DISK = 2**30  # bytes of a file that a child may write: what is unpacked goes to temporary files
READ, REFUSED = "read", "refused"
LIMIT_S = 60.0  # a file; the slowest honest ones (179 megapixels, read twice) take a third of it
Damage = Callable[[bytes, np.random.Generator], bytes]
Read = Callable[[bytes], bool]  # whether a file was read (else refused in words); a function of a module, to be sent


class Unpromised(Exception):
    """Something else than a picture or a reason in words."""


@dataclass(frozen=True)
class Case:
    """Valid files of one format, what reads them, and how a mutant is made of one; None: as of any picture."""

    seeds: Callable[[], list[bytes]]
    read: Read
    damage: Damage | None = None


def read_picture(data: bytes) -> bool:
    """What scanning a data set does with a file: once scaled, once in full."""
    from sightline.data.decode import PictureError, decode, read_picture

    try:
        for pixels in (read_picture(data, 16)[1], decode(data)):
            if pixels.dtype not in (np.uint8, np.float32) or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
                raise Unpromised(f"{pixels.dtype} {pixels.shape}")
            if pixels.dtype == np.float32 and not (pixels.min() >= -1e-3 and pixels.max() <= 255.001):
                raise Unpromised(f"float32 from {pixels.min()} to {pixels.max()}")
    except PictureError as error:
        if not 8 <= len(str(error)) <= 400:
            raise Unpromised(f"a reason of no use: {error}") from error
        return False
    return True


def mutants(seeds: list[bytes], count: int, seed: int, damage: Damage | None = None) -> Iterator[bytes]:
    """`count` damaged copies of the seeds, the same ones for the same `seed`."""
    draw = np.random.default_rng(seed)
    for i in range(count):
        yield (damage or _picture_damage)(seeds[i % len(seeds)], draw)


def _picture_damage(seed: bytes, draw: np.random.Generator) -> bytes:
    data = bytearray(seed)
    for _ in range(int(draw.integers(1, 4))):
        MUTATIONS[int(draw.integers(len(MUTATIONS)))](data, draw)
    return _with_checksums(bytes(data)) if draw.random() < 0.7 else bytes(data)


def _set_damage(name: str, seed: bytes, draw: np.random.Generator) -> bytes:
    return fuzz_sets.damaged(name, seed, draw, GENERIC)


def _place(data: bytearray, draw: np.random.Generator) -> int:
    """Half of the time near the beginning, where headers are."""
    reach = len(data) if draw.random() < 0.5 else min(len(data), 200)
    return int(draw.integers(max(1, reach)))


def _bit(data: bytearray, draw: np.random.Generator) -> None:
    if data:
        data[_place(data, draw)] ^= 1 << int(draw.integers(8))


def _byte(data: bytearray, draw: np.random.Generator) -> None:
    if data:
        data[_place(data, draw)] = int(draw.choice([0, 1, 2, 3, 8, 16, 127, 128, 254, 255, int(draw.integers(256))]))


def _number(data: bytearray, draw: np.random.Generator) -> None:
    """A length, a dimension, an offset or a count of 2 or 4 bytes becomes a borderline one."""
    size, order = int(draw.choice([2, 4])), str(draw.choice(["little", "big"]))
    at = _place(data, draw)
    top = 2 ** (8 * size)
    value = int(
        draw.choice(
            [0, 1, 2, top - 1, top // 2, top // 2 - 1, 65535 % top, 1 << 14, len(data), int(draw.integers(top))]
        )
    )
    data[at : at + size] = (value % top).to_bytes(size, order)  # type: ignore[arg-type]  # "little" or "big"


def _truncate(data: bytearray, draw: np.random.Generator) -> None:
    del data[int(draw.integers(len(data) + 1)) :]


def _remove(data: bytearray, draw: np.random.Generator) -> None:
    at = _place(data, draw)
    del data[at : at + int(draw.integers(1, 64))]


def _repeat(data: bytearray, draw: np.random.Generator) -> None:
    """A stretch (a chunk, a marker, a row) comes twice, or many times."""
    at, length = _place(data, draw), int(draw.integers(1, 200))
    data[at:at] = data[at : at + length] * int(draw.choice([1, 1, 2, 50]))


def _swap(data: bytearray, draw: np.random.Generator) -> None:
    a, b, length = _place(data, draw), _place(data, draw), int(draw.integers(1, 40))
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]


def _noise(data: bytearray, draw: np.random.Generator) -> None:
    at, length = _place(data, draw), int(draw.integers(1, 64))
    data[at : at + length] = draw.bytes(length)


def _marker(data: bytearray, draw: np.random.Generator) -> None:
    """One of JPEG's markers becomes another, or one is put where none was."""
    places = [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] >= 0xC0]
    at = int(draw.choice(places)) if places and draw.random() < 0.8 else _place(data, draw)
    data[at : at + 2] = bytes([0xFF, int(draw.integers(0xC0, 0x100))])


def _chunk_type(data: bytearray, draw: np.random.Generator) -> None:
    """A chunk, box or tag of four letters takes another's name."""
    names = (
        b"IHDR IDAT PLTE tRNS iCCP acTL fcTL fdAT eXIf IEND VP8L VP8X ALPH ANMF ANIM ftyp meta iloc jp2h jp2c".split()
    )
    found = [at for name in names if (at := data.find(name)) >= 0]
    at = int(draw.choice(found)) if found else _place(data, draw)
    data[at : at + 4] = names[int(draw.integers(len(names)))]


GENERIC = (_bit, _byte, _number, _number, _truncate, _remove, _repeat, _swap, _noise)
MUTATIONS = (*GENERIC, _marker, _chunk_type)
CASES: dict[str, Case] = {name: Case(seeds, read_picture) for name, seeds in pictures().items()} | {
    name: Case(kind.seeds, partial(fuzz_sets.read, name), partial(_set_damage, name))
    for name, kind in fuzz_sets.SETS.items()
}


def _with_checksums(data: bytes) -> bytes:
    """PNG's checksums made right again, so that the damage gets past them."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    made, at = bytearray(data), 8
    while at + 12 <= len(made):
        length = int.from_bytes(made[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)


@dataclass(frozen=True)
class Found:
    """What came of the mutants of one format; peak_mib: of a child's memory; `bad`: mutant and what happened."""

    name: str
    num_read: int
    num_refused: int
    slowest_s: float
    peak_mib: float
    bad: tuple[tuple[bytes, str], ...]


def fuzz(name: str, read: Read, made: list[bytes], limit_s: float = LIMIT_S) -> Found:
    """Read the mutants in child processes; a child that dies or hangs is replaced."""
    bad: list[tuple[bytes, str]] = []
    results: list[tuple[str, float, int]] = []
    context = multiprocessing.get_context("spawn")
    folder = tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-")  # children that are killed leave files behind
    at = 0
    while at < len(made):
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(read, theirs, folder.name), daemon=True)
        child.start()
        theirs.close()
        ours.recv()  # its imports are done
        while at < len(made):
            with contextlib.suppress(BrokenPipeError):
                ours.send(made[at])
            result = _answer(ours, limit_s)
            if result is None:
                child.join(1)
                hung = child.exitcode is None
                bad.append((made[at], f"hung for {limit_s:g} s" if hung else f"crashed: exit code {child.exitcode}"))
            else:
                results.append(result)
                if result[0] not in (READ, REFUSED):
                    bad.append((made[at], result[0]))
            at += 1
            if result is None:
                break
        child.kill()
        child.join()
        ours.close()
    folder.cleanup()
    what = [text for text, *_ in results]
    slowest = max((seconds for _, seconds, _ in results), default=0.0)
    peak_mib = max((kib for *_, kib in results), default=0) / 1024
    return Found(name, what.count(READ), what.count(REFUSED), slowest, peak_mib, tuple(bad))


def _answer(pipe: Connection, limit_s: float) -> tuple[str, float, int] | None:
    """What a child says of a mutant; None if it is dead or says nothing in time."""
    with contextlib.suppress(EOFError, ConnectionResetError):
        if pipe.poll(limit_s):
            answer: tuple[str, float, int] = pipe.recv()
            return answer
    return None


def _child(read: Read, pipe: Connection, folder: str) -> None:
    """Read what is sent, one after the other; say READ, REFUSED, or what should not have been."""
    warnings.simplefilter("ignore")  # Pillow's, about damaged metadata
    tempfile.tempdir = folder
    with contextlib.suppress(Exception):
        read(b"")  # imports what it needs, before the memory is limited
    most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libtiff writes to the terminal
    pipe.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            data = pipe.recv()
            began = time.monotonic()
            try:
                text = READ if read(data) else REFUSED
            except BaseException as error:
                text = f"{type(error).__name__}: {error}"[:2000]
                if os.environ.get("FUZZ_TRACE"):
                    text += "\n" + traceback.format_exc()[-1500:]
            pipe.send((text, time.monotonic() - began, _peak_kib()))


def _peak_kib() -> int:
    """The most memory that this process has had; ru_maxrss has the parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds that a file may take")
    parser.add_argument("--keep", type=Path, help="where bad mutants go; default: a new temporary folder")
    args = parser.parse_args()
    unknown = [name for name in args.formats if name not in CASES]
    if unknown:
        parser.error(f"unknown format {unknown[0]!r}; known: {', '.join(CASES)}")
    keep = args.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)

    def run(name: str) -> Found:
        case = CASES[name]
        return fuzz(name, case.read, list(mutants(case.seeds(), args.mutants, args.seed, case.damage)), args.limit)

    num_bad = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for found in pool.map(run, args.formats or list(CASES)):
            print(f"{found.name:16} {found.num_read:6} read, {found.num_refused:6} refused in words, "
                  f"slowest {found.slowest_s:5.2f} s, peak {found.peak_mib:5.0f} MiB, {len(found.bad)} bad",
                  flush=True)  # fmt: skip
            for i, (data, what) in enumerate(found.bad[:10]):
                path = keep / f"{found.name}-{args.seed}-{i}"
                path.write_bytes(data)
                print(f"    {what.encode('ascii', 'backslashreplace').decode()}: {path}", flush=True)
            num_bad += len(found.bad)
    return 1 if num_bad else 0


if __name__ == "__main__":
    sys.exit(main())
