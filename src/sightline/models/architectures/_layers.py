"""What own networks share: activations by name and the weights to start from. Knows no network."""

from typing import Literal

from torch import nn

Activation = Literal["relu", "sigmoid", "tanh", "gelu", "silu"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

# Glorot and Bengio 2010, section 4.2.1: the variance of Xavier's rule is derived for a slope of 1 at zero;
# the sigmoid's is 1/4, so its weights are 4 times as large. tanh's 5/3 is torch.nn.init.calculate_gain's.
_XAVIER_GAINS = {"sigmoid": 4.0, "tanh": 5 / 3}


def initialise(network: nn.Module, activation: str, head: nn.Linear) -> None:
    """Starting weights, in place, for layers that `activation` follows; biases are 0.

    ReLU and its smooth kin: normal, variance 2 / fan-in (He et al. 2015, Delving Deep into Rectifiers).
    Sigmoid and tanh: uniform, variance gain^2 * 2 / (fan-in + fan-out) (Glorot and Bengio 2010).
    The `head`: normal, standard deviation 0.01, so that the first loss is close to ln K (Goyal et al. 2017,
    Accurate, large minibatch SGD, section 5.1).
    """
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        if module is head:
            nn.init.normal_(module.weight, std=0.01)
        elif activation in _XAVIER_GAINS:
            nn.init.xavier_uniform_(module.weight, gain=_XAVIER_GAINS[activation])
        else:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
