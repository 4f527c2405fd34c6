"""Answer a video, a stream or a camera as time passes: what was there, from when to when.

SOURCE is a file, an address (rtsp://, http://, udp://) or camera:0. Every frame of a file is answered, or each n-th;
of a stream and a camera the newest, so that no answer is late, and how many were dropped is told. Answers are smoothed
over time. What comes out are events; Ctrl-C ends a camera.

  sightline watch runs/birds nest.mp4 --film nest-answered.mp4
  sightline watch runs/birds rtsp://camera.local/garden --json
"""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.video.events import Event
    from sightline.video.watch import Moment, Watch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or what was exported from one")
    parser.add_argument("source", metavar="SOURCE", help="a video file, an address, or camera:0")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each n-th frame (1)")
    parser.add_argument("--live", action="store_true", help="take a file as though it were filmed now")
    parser.add_argument("--seconds", type=float, metavar="S", help="only so much of it")
    parser.add_argument(
        "--smooth", type=float, metavar="S", help="seconds in which a frame's weight falls by half (0.5); 0: none"
    )
    parser.add_argument("--abstain", type=float, metavar="E", help="mark answers so that this share of others is wrong")
    parser.add_argument("--frames", metavar="FILE", help="a new .csv or .jsonl with a row for each answered frame")
    parser.add_argument("--film", metavar="FILE", help="a new .mp4, .mkv or .mov with the answers drawn on it")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="events as JSON objects, one a line")
    form.add_argument("--csv", action="store_true", help="events as label,start,end,probability,highest,num_frames")


def run(args: argparse.Namespace) -> int:
    import sys
    from contextlib import ExitStack
    from pathlib import Path

    from sightline.errors import ConfigError
    from sightline.video.table import check_table, open_table, rows_into
    from sightline.video.watch import HALF_LIFE, watch

    smooth = HALF_LIFE if args.smooth is None else args.smooth
    if args.frames:
        check_table(Path(args.frames))
    watched = watch(args.run, args.source, args.every, smooth, args.live, args.seconds, args.abstain, args.film)
    with watched, ExitStack() as stack:
        is_number = watched.predictor.task == "number"
        if is_number and (args.json or args.csv):
            raise ConfigError("a run of numbers has no events to tell as --json or --csv: take --frames FILE")
        tell = _json if args.json else _csv() if args.csv else _line
        keep: list[Callable[[Moment], None]] = [_as_line] * is_number
        if args.frames:
            keep.append(rows_into(stack.enter_context(open_table(Path(args.frames))), watched.predictor))
        try:
            is_stopped = _through(watched, keep, tell)
        finally:
            print(_sentence(watched), file=sys.stderr)
    return 130 if is_stopped and not watched.source.is_live else 3 if watched.num_damaged else 0


def _through(watched: "Watch", keep: "Sequence[Callable[[Moment], None]]", tell: "Callable[[Event], None]") -> bool:
    """Until the end, or until Ctrl-C: then True. Events are told as soon as they are over, the last ones at any end."""
    from contextlib import closing

    def tell_all() -> None:
        for event in watched.events:
            tell(event)
        watched.events.clear()  # a camera has no end

    try:
        with closing(watched.moments()) as moments:
            for moment in moments:
                for write in keep:
                    write(moment)
                tell_all()
    except KeyboardInterrupt:
        return True
    finally:
        tell_all()
    return False


def _sentence(watched: "Watch") -> str:
    """How it went."""
    from sightline.video.events import clock

    found = watched.summary()
    latency = ", ".join(f"{name} {value:.0f}" for name, value in found["latency_ms"].items())
    parts = [
        f"{watched.source.name}: {found['num_answered']:,} of {found['num_frames']:,} frames answered in "
        f"{clock(watched.took)}, {found['answered_per_s']:.1f} a second; latency {latency} ms"
    ]
    parts += [f"{found['num_dropped']:,} dropped, so as not to be late"] * watched.is_live
    parts += [f"{found['num_damaged']:,} damaged"] * bool(watched.num_damaged)
    return "; ".join(parts)


def _line(event: "Event") -> None:
    print(event.line(), flush=True)


def _json(event: "Event") -> None:
    import json
    from dataclasses import asdict

    print(json.dumps(asdict(event), ensure_ascii=False), flush=True)


def _csv() -> "Callable[[Event], None]":
    import csv
    import sys
    from dataclasses import astuple, fields

    from sightline.video.events import Event

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(field.name for field in fields(Event))

    def write(event: Event) -> None:
        writer.writerow(f"{value:.3f}" if isinstance(value, float) else value for value in astuple(event))
        sys.stdout.flush()

    return write


def _as_line(moment: "Moment") -> None:
    """A number is no event."""
    from sightline.predictor import Failure

    answer = moment.answer
    print(f"{answer.path}: {answer.error}" if isinstance(answer, Failure) else answer.line())
