"""Write a data set in another format: class folders, a table, WebDataset shards or Hugging Face Parquet.

DATA is anything that `train` reads; OUT is a new folder. Encoded pictures are copied byte for byte, arrays become
PNG; labels, splits and groups are kept where the target can hold them, and a line says what it cannot. What was
written is read back and compared before OUT gets its name, so a conversion that was stopped leaves no OUT.

  sightline convert photos.zip photo-shards --to webdataset
  sightline convert mnist/ mnist-parquet --to parquet
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the labelled pictures")
    parser.add_argument("out", metavar="OUT", help="the folder to write; it must not exist")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="folder, table, webdataset or parquet")


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from sightline.cli._terminal import Terminal
    from sightline.data.convert import convert

    with Terminal() as terminal:
        done = convert(args.data, Path(args.out).expanduser(), args.to, terminal.track)
        for note in done.notes:
            terminal.say(note)
    written = done.dataset
    splits = written.splits
    parts = [f"{list(splits).count(name):,} {name}" for name in dict.fromkeys(splits)] if splits is not None else []
    shown = f" ({', '.join(parts)})" if parts else ""
    print(f"{len(written):,} pictures {written.described()}{shown} -> {done.out}, read back and equal")
    return 0
