"""Speeds of a run and of its exports: measured in processes of their own, told in a table and on a page."""

import json
from pathlib import Path

import pytest
from tests.exporting.conftest import exported, one_thread, single

from sightline.benchmarking.measure import Benchmark, Speed, benchmark, sides_for
from sightline.benchmarking.page import page
from sightline.benchmarking.words import HEADINGS, lines
from sightline.data.preprocess import Preprocessing
from sightline.errors import ConfigError, RunError
from sightline.exporting.export import Exported
from sightline.report.benchmark_facts import BenchmarkFacts, SpeedDot, drawn

__all__ = ["exported", "one_thread", "single"]


def speed(engine: str, rate: float, figure: float | None, network: str = "resnet18") -> Speed:
    return Speed(
        f"runs/{engine}", network, engine, 0.4, {"p50": 1.0, "p95": 2.0, "p99": 3.0}, 0.5, 2 * rate, 32, rate, None,
        100.0, 1.5, figure,
    )  # fmt: skip


def test_an_export_is_measured_without_torch_and_a_run_with_it(single: Path, exported: dict[str, Exported]) -> None:
    found = benchmark([single, exported["onnx"].path], seconds=0.05)
    torch, onnx = found.speeds
    assert (torch.engine, onnx.engine) == ("PyTorch, fp32", "onnx, fp32")
    for one in found.speeds:
        assert 0 < one.latency_ms["p50"] <= one.latency_ms["p95"] <= one.latency_ms["p99"]
        assert one.pictures_a_second > 0 and one.graph_a_second > 0 and one.cold_start_s > 0
    assert onnx.memory_mb is not None and torch.memory_mb is not None and onnx.memory_mb < torch.memory_mb / 2
    assert onnx.cold_start_s < torch.cold_start_s
    assert torch.figure is not None and onnx.figure is not None and exported["onnx"].proof is not None
    assert onnx.figure == exported["onnx"].proof.exported
    table = lines(found)
    assert "pixels" in table[0] and table[1].split()[0] == HEADINGS[0] and len(table) == 5
    assert json.dumps(found.to_json())


def test_what_cannot_be_measured_is_said(single: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not there"):
        benchmark([tmp_path / "none"])
    with pytest.raises(ConfigError, match="seconds = 0"):
        benchmark([single], seconds=0)


def test_small_networks_are_asked_about_small_pictures() -> None:
    assert sides_for(Preprocessing(28, 32)) == (56, 64)
    assert sides_for(Preprocessing(224, 224)) == (480, 640)


def test_the_page_draws_those_that_none_beats() -> None:
    speeds = (speed("PyTorch, fp32", 10, 0.9), speed("onnx, int8", 100, 0.89), speed("onnx, fp32", 50, 0.9))
    text = page(Benchmark("a machine", (*speeds, speed("onnx, fp16", 5, None)), ((480, 640),) * 4, 3.0))
    assert "The fastest is onnx, int8: 20.0 times onnx, fp16" in text
    assert text.count('class="dot strong"') == 2 and text.count('class="dot quiet"') == 1
    assert "<script>alert" not in page(Benchmark("a", (speed("<script>alert(1)</script>", 1, 0.5),), ((1, 1),), 1.0))


def test_dots_lie_inside_the_drawing() -> None:
    dots = tuple(SpeedDot(i + 1, str(i), 3.0 * 10**i, 0.5 + 0.1 * i, True) for i in range(5))
    facts = BenchmarkFacts("", "", "", "", "", (), (), dots, 1.0)
    picture = drawn(facts)
    assert picture is not None
    assert [x for x, *_ in picture.dots] == sorted(x for x, *_ in picture.dots)
    for x, y, name_y, *_ in picture.dots:
        assert 40 < x < 400 and 10 < y < 230 and 5 < name_y < 260
    assert drawn(BenchmarkFacts("", "", "", "", "", (), (), dots[:1], 1.0)) is None
