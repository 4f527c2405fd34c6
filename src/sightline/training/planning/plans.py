"""Plans that were measured before, in a folder beside the decoded pictures.

Comes in: what a plan depends on; goes out: the plan. What cannot be read or written is measured again. Must not know
torch.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sightline.data.storage.user_cache import default_folder
from sightline.run import write_json
from sightline.training.planning.plan import Plan

NAME = "plans/plans.json"
MAX_PLANS = 1000  # the oldest go first


def recalled(facts: Mapping[str, object]) -> Plan | None:
    """The plan that was measured for all of this, if any."""
    try:
        return Plan(**_all(default_folder() / NAME)[_key(facts)])
    except (KeyError, TypeError):
        return None


def remember(facts: Mapping[str, object], plan: Plan) -> None:
    """Keep a plan. A folder that cannot be written to keeps none."""
    path = default_folder() / NAME
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        plans = _all(path)
        plans.pop(_key(facts), None)
        plans[_key(facts)] = asdict(plan)
        write_json(path, dict(list(plans.items())[-MAX_PLANS:]))


def forget() -> None:
    """Remove all of them."""
    path = default_folder() / NAME
    with contextlib.suppress(OSError):
        path.unlink()
        path.parent.rmdir()


def _key(facts: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def _all(path: Path) -> dict[str, dict[str, Any]]:  # Any: the fields of a plan
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
