"""What is fastest on this machine for a network: a Plan.

`trials` measures it. Never the batch size, which would change what is learned. Must not know torch.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from sightline.errors import ConfigError, nearest

Precision = Literal["float32", "tf32", "bfloat16", "float16"]
LAYOUTS = {"channels_last": True, "contiguous": False}
SWITCHES = "side_by_side", "compiled"


@dataclass(frozen=True)
class Plan:
    """Precision of the multiplications, memory layout, threads, pictures side by side where filters are learned (see
    `side_by_side`), compilation; `trials`: name -> seconds a step.

    `step_s` is the chosen one's, `batch_s` the time to make a batch of pictures.
    """

    precision: Precision
    channels_last: bool
    num_threads: int
    side_by_side: bool = False
    compiled: bool = False
    step_s: float = field(default=math.nan, compare=False)
    batch_s: float = field(default=math.nan, compare=False)
    trials: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """As `--plan` takes it."""
        layout = "channels_last" if self.channels_last else "contiguous"
        words = [self.precision, layout, f"threads={self.num_threads}"]
        return ",".join(words + [word for word in SWITCHES if getattr(self, word)])

    def answer_s(self, batch_size: int) -> float:
        """Seconds for the answer to one picture, estimated: a forward pass is about a third of a step."""
        return self.step_s / batch_size / 2.5

    def sentence(self) -> str:
        """What was chosen, and what else was tried."""
        others = {n: s for n, s in self.trials.items() if n != self.name}
        tried = ", ".join(f"{n} {s / self.step_s:.1f}x" for n, s in sorted(others.items(), key=lambda item: item[1]))
        return self.name + (f"; tried too: {tried} the time" if tried else "")


def named(text: str, default: Plan) -> Plan:
    """The plan of a name; what it leaves out is as in `default`. Raises ConfigError for a word that is none."""
    plan, known = default, [*get_args(Precision), *LAYOUTS, "threads=N", *SWITCHES]
    for word in filter(None, text.replace(",", " ").split()):
        key, _, value = word.partition("=")
        if word in get_args(Precision):
            plan = replace(plan, precision=word)  # type: ignore[arg-type]  # just looked up
        elif word in LAYOUTS:
            plan = replace(plan, channels_last=LAYOUTS[word])
        elif key == "threads" and value.isascii() and value.isdigit() and 0 < int(value) <= 1024:
            plan = replace(plan, num_threads=int(value))
        elif word in SWITCHES:
            plan = replace(plan, **{word: True})  # type: ignore[arg-type]  # a field of that name
        else:
            raise ConfigError(f"--plan {text}: {nearest(word, ['off', 'show', *known], 'plan')}")
    return plan
