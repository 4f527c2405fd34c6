"""The model card of a run. Comes in: Facts; goes out: Markdown with the front matter of the Hugging Face hub.

Must not know torch, files or the hub. Every value of the front matter is written as JSON, which YAML reads as
it stands, so that no name can break out of it; in the text below it, names are escaped for Markdown and HTML.
"""

import json
import re
from collections.abc import Iterable, Mapping

from sightline.report import words
from sightline.report.facts import Common
from sightline.report.results import result_of

# https://hf.co/docs/hub/repositories-licenses; any other licence is `other`, with its name beside it.
HUB_LICENCES = {
    *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "openrail", "unlicense"),
    *("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
    *("cc-by-nc-sa-4.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0"),
}
CLASSES_SHOWN = 50  # the page has them all
# YAML 1.1 breaks lines at these even between quotes, and drops the spaces around.
_YAML_BREAKS = re.compile("[\u2028\u2029]")
# What means something to Markdown anywhere, what does at the start of a line, and what becomes a link.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]!|~$]|^[-+#=]|(?<=^\d)[.)](?=\s|$)|(?<=:)//|(?<=www)\.", re.IGNORECASE)

Json = str | float | list["Json"] | dict[str, "Json"]


def render_card(facts: Common) -> str:
    """`facts` as README.md: front matter, the answer, classes, limits, how it was made."""
    sections = [
        _front_matter(facts),
        f"# {_escape(facts.title)}",
        _answer(facts),
        "## Classes\n\n" + _classes(facts),
        "## Data\n\n" + _data(facts),
        "## Training\n\n" + _training(facts),
        "## Use\n\n" + _use(),
        "## Limits\n\n" + _limits(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(facts: Common) -> str:
    values: dict[str, Json] = {
        "library_name": "sightline",
        "pipeline_tag": "image-classification",
        "tags": ["sightline", "image-classification"],
        **_licence(facts.licences),
        "model-index": [{"name": facts.title, "results": [_result(facts)]}],
    }
    return "\n".join(["---", *(f"{key}: {_quote(value)}" for key, value in values.items()), "---"])


def _result(facts: Common) -> Json:
    measured = result_of(facts.task).card_metrics(facts)
    metrics: list[Json] = [{"type": kind, "name": name, "value": round(value, 6)} for kind, name, value in measured]
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": facts.title, "type": "imagefolder", "split": facts.split},
        "metrics": metrics,
    }


def _licence(licences: Mapping[str, str]) -> dict[str, Json]:
    """The licence of the weights is the model's; unknown is left out rather than guessed."""
    name = licences.get("weights")
    if name is None:
        return {}
    if name.lower() in HUB_LICENCES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": name}


def _quote(value: Json) -> str:
    """JSON on one line that YAML 1.1 and 1.2 read as the same value."""
    text = json.dumps(_printable(value), ensure_ascii=False)
    return _YAML_BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _printable(value: Json) -> Json:
    if isinstance(value, str):
        return words.printable(value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value


def _escape(text: str) -> str:
    """`text` on one line, meaning nothing to Markdown or HTML."""
    line = " ".join(words.printable(text).split())
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(sign, entity)
    return _MARKDOWN.sub(r"\\\g<0>", line)


def _code(text: str) -> str:
    """A fenced block, its fence longer than any run of backticks in `text`."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{words.printable(text)}\n{fence}"


def _answer(facts: Common) -> str:
    result = result_of(facts.task)
    lines = [result.card_answer(facts), _escape(result.meaning(facts))]
    for caution in result.cautions(facts):
        names = ", ".join(_escape(name) for name in caution.names)
        more = f" and {caution.num_more} more" if caution.num_more else ""
        lines.append(f"> **With caution.** {caution.text}" + (f" {names}{more}." if names else ""))
    if facts.notes:
        lines.append("\n".join(f"- {_escape(note)}" for note in facts.notes))
    return "\n\n".join(lines)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] + ["---:"] * (len(names) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _classes(facts: Common) -> str:
    head, rows = result_of(facts.task).card_table(facts)
    parts = [_table(head, [[_escape(row[0]), *row[1:]] for row in rows[:CLASSES_SHOWN]])]
    if len(rows) > CLASSES_SHOWN:
        parts.append(f"The other {len(rows) - CLASSES_SHOWN:,} classes are in `report.html`.")
    mistakes = result_of(facts.task).card_mistakes(facts)
    if mistakes:
        parts.append("Commonest mistakes:\n\n" + "\n".join(f"- {_escape(line)}" for line in mistakes))
    return "\n\n".join(parts)


def _data(facts: Common) -> str:
    totals = [[_escape(name), f"{total:,}"] for name, total in facts.totals.items()]
    return _escape(facts.split_rule) + "\n\n" + _table(["Split", "Pictures"], totals)


def _training(facts: Common) -> str:
    stated = facts.what | facts.machine | {"Duration": words.duration(facts.duration_s)}
    stated |= {f"Licence of the {part}": name for part, name in facts.licences.items()}
    lines = "\n".join(f"- {_escape(key)}: {_escape(value)}" for key, value in stated.items())
    return f"{lines}\n\n{_code(facts.command)}"


def _use() -> str:
    python = 'import sightline\nmodel = sightline.load("RUN")\nmodel.predict("picture.jpg")'
    return f"RUN is this folder.\n\n{_code('sightline predict RUN pictures/')}\n\n{_code(python)}"


def _limits(facts: Common) -> str:
    lines = [
        "The figures hold for pictures like those tested; another camera or light can be much harder.",
        *map(_escape, result_of(facts.task).card_limits(facts)),
        "The interval covers which pictures were tested, not what another seed would have given.",
    ]
    return "\n".join(f"- {line}" for line in lines)
