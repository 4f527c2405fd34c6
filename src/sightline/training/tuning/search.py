"""The folder of a search. Comes in: what was asked for; goes out: a folder in which a search that was killed can go on.

    search.json   what was asked for: the first thing that is written
    lock          held by the process that searches
    split.csv     the pictures that are searched with, and a hash of their pixels; those that test are not among them
    plans.json    the plan of each size of a batch
    study.db      Optuna's study, in SQLite
    trials.csv    a row for each trial
    recipe.toml   the best settings; written when the search is over
    best/         the run that was trained with them

The study is in SQLite and not in Optuna's journal: a transaction is there or not, whenever the process is killed, and
nothing has to be cleared away. A journal whose last line was half written cannot be read once another follows it, and
the lock file of a killed process holds up the next one for half a minute.

Must not know torch, nor what a trial does.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from sightline.data.storage.durable import Lock, sync_folder
from sightline.errors import ConfigError, MissingExtraError, RunError, TrainingError
from sightline.run import CONFIG, SPLIT, UNFINISHED, is_finished, write_csv, write_json
from sightline.training.options import Request
from sightline.training.planning.plan import Plan
from sightline.training.resuming.unfinished import RUNS, absent, claimed, remove_empty
from sightline.training.tuning.space import Value

if TYPE_CHECKING:
    from optuna import Study

SEARCH, LOCK, PLANS, STUDY, TRIALS, RECIPE, BEST = (
    "search.json", "lock", "plans.json", "study.db", "trials.csv", "recipe.toml", "best",
)  # fmt: skip
FORMAT = 1
RESULT = "result"  # the attribute of Optuna's trial that holds what came of it; one without was broken off


@dataclass(frozen=True)
class Wanted:
    """All that `tune` was given. `num_trials` None: as many as the minutes allow; `fields` empty: the usual ones."""

    request: Request
    num_trials: int | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """A trial and what came of it, by the pictures that select. `loss`, `figure` of the weights that were kept, or of
    the last epoch where it was pruned; `number` from 1 on."""

    number: int
    settings: Mapping[str, Value]
    state: Literal["complete", "pruned", "failed"]
    loss: float | None
    figure: float | None
    epochs: int
    seconds: float
    error: str = ""


class Search:
    """A search in its folder. As a context it is locked, and says how to go on where it is left by an error."""

    def __init__(self, path: Path, wanted: Wanted, made: list[Path] | None) -> None:
        """`made`: the folders that were made for it, taken away again if nothing comes of it; None: it goes on."""
        self.path, self.wanted, self._made = path, wanted, made
        self._lock = Lock(path / LOCK)

    @property
    def best_path(self) -> Path:
        return self.path / BEST

    @property
    def is_over(self) -> bool:
        """Whether all trials were made, so that the best settings are known."""
        return (self.path / RECIPE).is_file()

    @property
    def is_finished(self) -> bool:
        return self.is_over and is_finished(self.best_path)

    def plan(self, batch_size: int) -> Plan | None:
        """The one that was settled for such batches."""
        values = self._plans().get(str(batch_size))
        return None if values is None else Plan(**values)

    def keep_plan(self, batch_size: int, plan: Plan) -> None:
        write_json(self.path / PLANS, self._plans() | {str(batch_size): asdict(plan)})

    def _plans(self) -> dict[str, dict[str, Any]]:  # Any: the fields of a plan
        return _read(self.path / PLANS) if (self.path / PLANS).exists() else {}

    def write_trials(self, tried: Sequence[Tried], fields: Sequence[str], figure: str) -> None:
        """trials.csv; `figure`: what the task's is called."""
        header = ("trial", "state", "selection_loss", f"selection_{figure}", "epochs", "seconds", *fields, "error")
        rows = [
            (
                t.number, t.state, _cell(t.loss), _cell(t.figure), t.epochs, f"{t.seconds:.2f}",
                *(_cell(t.settings.get(name)) for name in fields), t.error,
            )
            for t in tried
        ]  # fmt: skip
        write_csv(self.path / TRIALS, header, rows)

    def __enter__(self) -> Search:
        if not self._lock.take():
            raise RunError(f"{self.path}: another process goes on with this search; wait for it, or end it")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()
        if error is None:
            return
        if self._made is None or (self.path / TRIALS).exists() or self.is_over:
            if self.is_over or not isinstance(error, TrainingError):  # where all failed they would fail again
                error.add_note(f"{self.path} keeps what was tried. Go on: sightline tune --resume {self.path}")
            return
        for name in (SEARCH, LOCK, PLANS, STUDY, f"{STUDY}-journal", SPLIT, TRIALS):
            (self.path / name).unlink(missing_ok=True)
        remove_empty(self._made)


def begin(wanted: Wanted, data_name: str) -> Search:
    """A new one's, in the folder that was asked for, which must be absent or empty, or the next free `runs/NAME-tuned`.

    Raises RunError where that is taken or cannot be made.
    """
    out = wanted.request.options.out
    if out is not None and (out / SEARCH).is_file():
        raise RunError(
            f"{out} holds a search; go on with it (sightline tune --resume {out}), name another folder with --out, "
            "or remove it"
        )
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} exists already; name another folder with --out, or remove it")
    path, made = claimed(RUNS, f"{data_name}-tuned") if out is None else (out, absent(out))
    document = {"format": FORMAT, "num_trials": wanted.num_trials, "fields": wanted.fields}
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / SEARCH, document | wanted.request.to_json())
        sync_folder(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            (path / SEARCH).unlink(missing_ok=True)
        remove_empty(made)
        raise RunError(f"{path} cannot be written to: {error.strerror}; name another folder with --out") from error
    return Search(path, wanted, made)


def reopen(path: Path) -> Search:
    """That of a search which was begun. Raises RunError where there is none, or it is damaged."""
    if not (path / SEARCH).is_file():
        hint = ""
        if (path / UNFINISHED).is_dir() or (path / CONFIG).is_file():
            hint = f"; it holds a training (sightline train --resume {path})"
        raise RunError(f"{path} is not a search{hint}; name the folder that `sightline tune` made")
    try:
        document = _read(path / SEARCH)
        if document["format"] > FORMAT:
            raise RunError(f"{path} is of a newer Sightline; go on with that: pip install -U sightline")
        wanted = Wanted(Request.from_json(document), document["num_trials"], tuple(document["fields"]))
    except (KeyError, TypeError, ConfigError) as error:
        raise RunError(f"{path / SEARCH} is damaged ({error}); search again") from error
    return Search(path, wanted, made=None)


@contextlib.contextmanager
def opened(search: Search) -> Iterator[Study]:
    """Its study; a new one where there is none. Raises RunError where it is damaged, or of another search.

    Optuna is quiet meanwhile: what it would say is said by us, or not worth a line.
    """
    optuna = optuna_or_error()
    from sqlalchemy.exc import SQLAlchemyError

    path, verbosity = search.path / STUDY, optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
        study = optuna.create_study(storage=storage, study_name="sightline", load_if_exists=True)
        asked = json.loads((search.path / SEARCH).read_text(encoding="utf-8"))
        known = study.user_attrs.get("asked")
        if known is None:
            study.set_user_attr("asked", asked)
        elif known != asked:
            raise RunError(
                f"{path} is the study of another search: of other data or settings than {search.path / SEARCH}; "
                "restore the one that was there, or search again"
            )
        yield study
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{path} cannot be read or written ({reason}); restore it or search again") from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


def optuna_or_error() -> Any:  # Any: a module
    """Raises MissingExtraError where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise MissingExtraError("sightline tune", "optuna", "tune") from error
    return optuna


def tried_of(study: Study) -> list[Tried]:
    """The trials that came to an end, in order; those that were broken off are not among them."""
    results = [t.user_attrs[RESULT] for t in study.get_trials(deepcopy=False) if RESULT in t.user_attrs]
    return [Tried(**(r | {"settings": _settings(r["settings"])})) for r in results]


def _settings(found: Mapping[str, Any]) -> dict[str, Value]:
    """As they were before they became JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """The one of the least selection loss, the first of equals."""
    whole = [t for t in tried if t.state == "complete" and t.loss is not None]
    return min(whole, key=lambda t: t.loss or 0.0, default=None)


def written(value: float, figure: str) -> str:
    """The task's figure: a share, or R2, which may lie below 0."""
    return f"{value:.3f}" if figure == "r2" else f"{value:.2%}"


def described(settings: Mapping[str, Any]) -> str:
    """Settings in a line."""
    texts = ("+".join(v) or "none" if isinstance(v, tuple) else v for v in settings.values())
    return ", ".join(f"{name} {value}" for name, value in zip(settings, texts, strict=True))


def _cell(value: Value | None) -> object:
    if value is None:
        return ""
    return "+".join(value) or "none" if isinstance(value, tuple) else value


def _read(path: Path) -> dict[str, Any]:
    """Raises RunError where it is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); search again") from error
    if not isinstance(document, dict):
        raise RunError(f"{path} is damaged (no object); search again")
    return document
