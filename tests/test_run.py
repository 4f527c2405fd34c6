import json
from pathlib import Path

import pytest

from sightline.errors import RunError
from sightline.run import Run


@pytest.mark.parametrize("text", ["[" * 3000, '{"sightline": ' + "[" * 3000, '{"sightline": {"format": "\\ud800"}}'])
def test_a_config_that_is_too_deep_or_no_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config\.json cannot be read") as found:
        Run.open(tmp_path)
    assert str(found.value).encode()


@pytest.mark.parametrize("text", ["[" * 3000, json.dumps([1])])
def test_figures_that_are_no_object(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    run = Run(tmp_path, None)  # type: ignore[arg-type]  # not looked at
    with pytest.raises(RunError, match=r"metrics\.json (cannot be read|holds no object)"):
        run.read_json("metrics.json")
