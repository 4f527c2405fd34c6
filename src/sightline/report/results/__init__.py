"""What a report says of each task: one file, one task; its page is the template of the same name.

Comes in: an Evaluation, or the Facts that were made of it; goes out: figures as text, rows of tables, Facts. Must not
know torch or files, nor escape anything: the page and the card do.
"""

from types import ModuleType

from sightline.registry import Registry

RESULTS = Registry(
    "sightline.report.results",
    "task",
    (
        "CURVE",  # what the main figure is called, above its curve
        "headline",  # (tested) -> the main figure with its interval, in a line
        "table",  # (tested, names) -> the lines of `sightline evaluate`
        "predictions",  # (tested, dataset) -> header and rows of predictions.csv
        "facts_of",  # (common, tested, dataset, train_labels, decision) -> Facts of the task
        "title",  # (facts) -> the page's title in a few words
        "meaning",  # (facts) -> what the figure says, in sentences
        "cautions",  # (facts) -> what must be known before believing it
        "page_values",  # (facts) -> what the template needs besides
        "card_answer",  # (facts) -> the card's first sentence, Markdown
        "card_metrics",  # (facts) -> the hub's `metrics`
        "card_table",  # (facts) -> head and rows
        "card_mistakes",  # (facts) -> the commonest mistakes, a line each
        "card_limits",  # (facts) -> what the network cannot do, a line each
    ),
)


def result_of(task: str) -> ModuleType:
    """What a report says of `task`."""
    return RESULTS.get(task)
