"""Maps of explanations against pytorch-grad-cam and Captum: the same numbers, and how fast.

    python benchmarks/explaining.py [--parts equal speed answers apart] [--networks resnet18 ...] [--times 5]

Both peers are needed (`pip install captum grad-cam`). Same network, same pictures of 224 pixels, same batch, in turn,
in this process; the peers are given normalised pictures, ours are normalised on the way. Weights are drawn at random,
normalisation knows the pictures: neither changes the time. "Forward" is the network alone, without gradients, in the
memory layout that is the faster. Where a peer does a thing in several ways, each is measured. In this process peers
gain from memory that ours keep; `apart` gives each, in turn, processes of its own, as their users have them.
"""

import argparse
import copy
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from _common import found, header, spread, timed
from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.decision import Decision
from sightline.engines import torch as engines
from sightline.engines.torch import TorchEngine, normalised
from sightline.explainers import Question, occlusion, rise
from sightline.explaining.answering import PATIENCE_S
from sightline.explaining.explainer import Explainer
from sightline.models import Network
from sightline.predictor import Predictor
from sightline.run import RunConfig

SIDE, BATCH = 224, 16
CLASSES = tuple("abcdefghij")
NETWORKS = ["mobilenet_v2", "resnet18", "resnet50"]
CAMS = {
    "grad_cam": "GradCAM",
    "grad_cam_plus_plus": "GradCAMPlusPlus",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
}

warnings.filterwarnings("ignore")  # the peers' own


class Case:
    """A network as both sides have it, and pictures."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        frame = Preprocessing(SIDE, SIDE, 3, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        random = np.random.default_rng(0)
        coarse = random.uniform(20, 235, (BATCH, 14, 14, 3)).astype(np.float32)
        self.pixels = coarse.repeat(16, axis=1).repeat(16, axis=2)
        network = models.build(name, len(CLASSES), 3, (SIDE, SIDE), {})
        images = torch.from_numpy(self.pixels).permute(0, 3, 1, 2)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            network.train()(normalised(images, frame, True))
        config = RunConfig(name, CLASSES, frame, batch_size=BATCH, num_threads=torch.get_num_threads())
        self.engine = TorchEngine.build(network.eval(), config, torch.device("cpu"))
        self.predictor = Predictor(self.engine, frame, Decision(), CLASSES)
        self.images = normalised(images, frame, True).clone(memory_format=torch.channels_last)
        self.plain = self.images.contiguous()
        self.targets = [int(k) for k in self.engine.plain(self.pixels).argmax(axis=1)]
        self.question = Question("single", np.array(self.targets, np.intp))

    @property
    def network(self) -> Network:
        return self.engine.network

    def stage(self) -> nn.Module:
        return self.network.body.get_submodule(
            str(getattr(Explainer.open(self.predictor, "grad_cam").stages, "stage", None))
        )

    def ours(self, method: str) -> Callable[[], np.ndarray]:
        explainer = Explainer.open(self.predictor, method)
        return lambda: explainer.maps(self.pixels, self.question)

    def ours_settled(self, method: str) -> Callable[[], np.ndarray]:
        """Once it has chosen its engine, which it does after some seconds."""
        explainer, until = Explainer.open(self.predictor, method), time.perf_counter() + 2 * PATIENCE_S
        while time.perf_counter() < until:
            explainer.maps(self.pixels, self.question)
        print(f"  {method}: below the stage{getattr(explainer.stages, 'said', '') or ', by torch'}")
        return lambda: explainer.maps(self.pixels, self.question)

    def few(self) -> "Case":
        """Two of its pictures."""
        few = copy.copy(self)
        few.pixels, few.question, few.targets = self.pixels[:2], self.question.of([0, 1]), self.targets[:2]
        few.images = self.images[:2]
        return few

    def settled_occlusion(self) -> Explainer:
        explainer = Explainer.open(self.predictor, "occlusion")
        for _ in range(2):  # until the engine is chosen
            explainer.maps(self.pixels, self.question)
        return explainer

    def captum_occlusion(self, at_once: int) -> Callable[[], object]:
        from captum.attr import Occlusion

        side = round(occlusion.WINDOW * SIDE)
        attribution, step = Occlusion(self.network), round(occlusion.STRIDE * side)
        return lambda: attribution.attribute(
            self.images, sliding_window_shapes=(3, side, side), strides=(3, step, step), target=self.targets,
            perturbations_per_eval=at_once,
        )  # fmt: skip

    def forward(self, images: Tensor) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with torch.inference_mode():
                found: Tensor = self.network(images)
                return found

        return run

    def cam(self, method: str) -> Callable[[], np.ndarray]:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        cam = getattr(pytorch_grad_cam, CAMS[method])(model=self.network, target_layers=[self.stage()])
        return lambda: cam(input_tensor=self.images, targets=[ClassifierOutputTarget(k) for k in self.targets])  # type: ignore[no-any-return]

    def captum_cam(self) -> Callable[[], np.ndarray]:
        from captum.attr import LayerAttribution, LayerGradCam

        attribution = LayerGradCam(self.network, self.stage())

        def run() -> np.ndarray:
            found = attribution.attribute(self.images, target=self.targets, relu_attributions=True)
            return LayerAttribution.interpolate(found, (SIDE, SIDE), "bilinear")[:, 0].detach().numpy()  # type: ignore[no-any-return]

        return run


def equal(case: Case) -> None:
    """How far maps are apart, as a share of the largest value; the peer cuts each map to 0..1, so ours is as well."""
    for method in CAMS:
        ours, theirs = case.ours(method)(), case.cam(method)()
        scaled = np.stack([(one - one.min()) / max(float(np.ptp(one)), 1e-12) for one in ours])
        apart = np.abs(scaled - theirs)
        same = np.corrcoef(scaled.ravel(), theirs.ravel())[0, 1]
        print(f"  {method:20s} pytorch-grad-cam: largest {apart.max():.1e}, correlation {same:.6f}")
    ours, theirs = case.ours("grad_cam")(), case.captum_cam()()
    print(f"  {'grad_cam':20s} Captum: largest {np.abs(ours - theirs).max() / np.abs(theirs).max():.1e}", flush=True)


def speed(case: Case, times: int) -> None:
    """Grad-CAM beside a forward pass and the peers."""
    ways: dict[str, Callable[[], object]] = {
        "forward, channels last": case.forward(case.images),
        "forward, contiguous": case.forward(case.plain),
        "ours, at first": case.ours("grad_cam"),
        "ours": case.ours_settled("grad_cam"),
        "pytorch-grad-cam": case.cam("grad_cam"),
        "Captum": case.captum_cam(),
    }
    took = in_turn(ways, times)
    best = min(ways, key=lambda name: float(np.median(took[name])) if name.startswith("forward") else np.inf)
    for name, seconds in took.items():
        ratios = [own / forward for own, forward in zip(seconds, took[best], strict=True)]
        each = 1000 * np.median(seconds) / BATCH
        print(f"  {name:24s} {each:8.2f} ms a picture; of the faster forward {spread(ratios)}")
    for name in ("pytorch-grad-cam", "Captum"):
        ratios = [theirs / own for theirs, own in zip(took[name], took["ours"], strict=True)]
        print(f"  {name} takes {spread(ratios)} times as long as ours", flush=True)


def answers(case: Case, times: int) -> None:
    """Occlusion beside Captum's; RISE beside the network alone, by the engine that it chose."""
    few = case.few()
    explainer = few.settled_occlusion()
    took = in_turn(
        {
            "ours": lambda: explainer.maps(few.pixels, few.question),
            "Captum": few.captum_occlusion(1),
            f"Captum, {BATCH} at once": few.captum_occlusion(BATCH),
        },
        times,
    )
    for name in list(took)[1:]:
        ratios = [theirs / own for theirs, own in zip(took[name], took["ours"], strict=True)]
        print(f"  occlusion: {name} takes {spread(ratios)} times as long as ours")
    print(f"  {getattr(explainer.answers, 'said', '')}")
    begin = time.perf_counter()
    explainer.__class__(case.predictor, "rise", explainer.answers, explainer.stages).maps(few.pixels, few.question)
    rise_s, engine = time.perf_counter() - begin, explainer.answers.engine  # type: ignore[attr-defined]
    begin = time.perf_counter()
    for _ in range(10):
        engine.plain(case.pixels)
    alone_s = (time.perf_counter() - begin) / 10 / BATCH
    rate = 2 * rise.NUM_MASKS / rise_s
    alone = f"{rate * alone_s:.2f} of what {type(engine).__name__} does alone"
    print(f"  RISE: {rate:.0f} masked pictures a second, {alone}", flush=True)


def one(case: Case, way: str) -> Callable[[], object]:
    """What a process of its own measures."""
    if way == "occlusion, ours":
        few, explainer = case.few(), case.few().settled_occlusion()
        return lambda: explainer.maps(few.pixels, few.question)
    return {
        "Grad-CAM, ours": lambda: case.ours_settled("grad_cam"),
        "Grad-CAM, pytorch-grad-cam": lambda: case.cam("grad_cam"),
        "Grad-CAM, Captum": lambda: case.captum_cam(),
        "occlusion, Captum": lambda: case.few().captum_occlusion(1),
        f"occlusion, Captum, {BATCH} at once": lambda: case.few().captum_occlusion(BATCH),
    }[way]()


WAYS = [
    "Grad-CAM, ours", "Grad-CAM, pytorch-grad-cam", "Grad-CAM, Captum", "occlusion, ours", "occlusion, Captum",
    f"occlusion, Captum, {BATCH} at once",
]  # fmt: skip


def apart(name: str, times: int) -> None:
    """Each way in processes of its own, in turn."""
    took = dict[str, list[float]]()
    for _ in range(times):
        for way in WAYS:
            printed = timed([sys.executable, __file__, "--networks", name, "--one", way])[1]
            took.setdefault(way, []).append(found(printed)[0])
    for way, seconds in took.items():
        ours = took[f"{way.partition(',')[0]}, ours"]
        ratios = [theirs / own for theirs, own in zip(seconds, ours, strict=True)]
        print(f"  {way:34s} {1000 * np.median(seconds):9.1f} ms; {spread(ratios)} times as long as ours", flush=True)


def in_turn(ways: dict[str, Callable[[], object]], times: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(times):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - begin)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["equal", "speed", "answers"])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        if not args.one.endswith("ours"):
            engines.keep_freed_memory = lambda: None  # type: ignore[attr-defined]  # which peers' users do not do
        way = one(Case(args.networks[0]), args.one)
        print("found", np.median(in_turn({"": way}, args.times)[""]), 0)
        return
    header(f"Maps of {BATCH} pictures of {SIDE} pixels, float32")
    for name in args.networks:
        print(name)
        if "apart" in args.parts:
            apart(name, args.times)
        if args.parts == ["apart"]:
            continue
        case = Case(name)
        if "equal" in args.parts:
            equal(case)
        if "speed" in args.parts:
            speed(case, args.times)
        if "answers" in args.parts:
            answers(case, args.times)


if __name__ == "__main__":
    main()
