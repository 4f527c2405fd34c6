"""LeNet-5: LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition.

The paper's layers at its sizes: convolution 6 @ 5x5, subsampling 2x2, convolution 16 @ 5x5, subsampling 2x2,
120, 84 and K units; 61,706 parameters for 28x28 grey images and ten classes. What differs:

- the paper sets its 28x28 digits in 32x32; here the first convolution pads by 2, which is the same;
- subsampling is a plain mean (or maximum): no trained coefficient and bias a map, no squashing after it;
- every map of the second convolution sees all six maps, not the hand-made table of the paper;
- the 120 units see the whole map whatever its size (at 28x28 that is the paper's 5x5);
- tanh without the factors 1.7159 and 2/3, or ReLU; a linear output for cross-entropy in place of the
  Euclidean RBF units and their loss.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from torch import nn

from sightline.models.architectures._layers import ACTIVATIONS, initialise

INPUT_SIZE = (1, 28, 28)


@dataclass(frozen=True)
class Options:
    activation: Literal["tanh", "relu"] = "tanh"
    pooling: Literal["average", "max"] = "average"


def build(options: Options, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    """(N, C, H, W) -> (N, K). Raises ValueError if the image is too small for both poolings."""
    height, width = (((side // 2) - 4) // 2 for side in image_size)
    if min(height, width) < 1:
        raise ValueError("nothing is left of the image after the second pooling")
    act = ACTIVATIONS[options.activation]
    pool = nn.AvgPool2d if options.pooling == "average" else nn.MaxPool2d
    head = nn.Linear(84, num_classes)
    features = OrderedDict(
        conv1=nn.Conv2d(in_channels, 6, 5, padding=2), act1=act(), pool1=pool(2),  # (N, 6, H/2, W/2)
        conv2=nn.Conv2d(6, 16, 5), act2=act(), pool2=pool(2),  # (N, 16, H/4 - 2, W/4 - 2)
    )  # fmt: skip
    classifier = OrderedDict(
        flatten=nn.Flatten(),
        dense1=nn.Linear(16 * height * width, 120), act3=act(),
        dense2=nn.Linear(120, 84), act4=act(),
        head=head,
    )  # fmt: skip
    network = nn.Sequential(OrderedDict(features=nn.Sequential(features), classifier=nn.Sequential(classifier)))
    initialise(network, options.activation, head)
    return network
