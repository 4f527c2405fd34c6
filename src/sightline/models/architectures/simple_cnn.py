"""The teaching network: convolution, activation, pooling, again; then dense layers. Every part is an option.

The defaults are the example that Keras and TensorFlow teach with: convolutions of 32, 64 and 64 maps, 3x3 and
unpadded, max pooling 2x2 between them, a dense layer of 64 and the classes; 93,322 parameters for 28x28 grey
images and ten classes. Images of any size and number of channels, down to what the convolutions leave over.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from torch import nn

from sightline.errors import ConfigError
from sightline.models.architectures._layers import ACTIVATIONS, Activation, initialise

INPUT_SIZE = (1, 28, 28)


@dataclass(frozen=True)
class Options:
    """Raises ConfigError for a value that no network can have.

    `depth` convolutions: the first has `width` maps, the others twice as many. `pooling` "global_average"
    pools by maxima between them and takes each map's mean at the end, not the flattened maps (Lin et al.
    2013, Network in network). `dense` 0 leaves the dense layer out. `dropout` acts before the head.
    """

    depth: int = 3
    width: int = 32
    kernel_size: int = 3
    activation: Activation = "relu"
    pooling: Literal["max", "average", "global_average"] = "max"
    norm: Literal["none", "batch"] = "none"
    dense: int = 64
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("depth", 1), ("width", 1), ("kernel_size", 1), ("dense", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"simple_cnn: {name} = {getattr(self, name)}; the least is {least}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"simple_cnn: dropout = {self.dropout}; give a share from 0 up to, not including, 1")


def build(options: Options, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    """(N, C, H, W) -> (N, K). Raises ValueError if the convolutions leave nothing of the image."""
    features = _features(options, in_channels)
    num_maps = _num_maps(options, options.depth - 1)
    if options.pooling == "global_average":
        features["global_pool"] = nn.AdaptiveAvgPool2d(1)
        height, width = 1, 1
    else:
        height, width = (_side_left(options, side) for side in image_size)
    classifier: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    num_features = num_maps * height * width  # (N, C, H, W) -> (N, num_features)
    if options.dense:
        classifier["dense"] = nn.Linear(num_features, options.dense)
        classifier["act"] = ACTIVATIONS[options.activation]()
        num_features = options.dense
    classifier["dropout"] = nn.Dropout(options.dropout)
    classifier["head"] = head = nn.Linear(num_features, num_classes)
    network = nn.Sequential(OrderedDict(features=nn.Sequential(features), classifier=nn.Sequential(classifier)))
    initialise(network, options.activation, head)
    return network


def _features(options: Options, in_channels: int) -> OrderedDict[str, nn.Module]:
    """The convolutions with what stands around them; each pooling halves height and width."""
    # A maximum of neighbours may be taken before normalising and activating them, at a quarter of the cost: both
    # keep order (normalisation where its weight is positive), and 2 of 3 seconds of a step went into them.
    early_pool = options.norm == "batch" and options.pooling != "average"
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    pool = nn.AvgPool2d if options.pooling == "average" else nn.MaxPool2d
    for i in range(options.depth):
        num_maps = _num_maps(options, i)
        batch_norm = options.norm == "batch"
        layers[f"conv{i + 1}"] = nn.Conv2d(in_channels, num_maps, options.kernel_size, bias=not batch_norm)
        if early_pool and i + 1 < options.depth:
            layers[f"pool{i + 1}"] = pool(2)
        if batch_norm:
            layers[f"norm{i + 1}"] = nn.BatchNorm2d(num_maps)
        layers[f"act{i + 1}"] = ACTIVATIONS[options.activation]()
        if not early_pool and i + 1 < options.depth:
            layers[f"pool{i + 1}"] = pool(2)
        in_channels = num_maps
    return layers


def _num_maps(options: Options, i: int) -> int:
    return options.width if i == 0 else 2 * options.width


def _side_left(options: Options, side: int) -> int:
    """What the convolutions and poolings leave of a `side` in pixels."""
    for i in range(options.depth):
        side = side // 2 if i else side
        side -= options.kernel_size - 1
        if side < 1:
            raise ValueError(f"nothing is left of the image after convolution {i + 1}")
    return side
