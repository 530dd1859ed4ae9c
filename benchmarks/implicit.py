"""Certified training: an implicit layer beside feed-forward networks with interval bounds, on 60,000 images.

    python benchmarks/implicit.py [NET ...]      about three minutes on one thread for all nets

Fashion-MNIST, 14 x 14 means of pixels from 0 to 1, each off by up to 0.05. The nets share loss, ramps,
optimizer, batches and epochs. In short runs on 4,000 training images, judged by 3,000 others, a rate of 5e-3
was better than 2e-3 for the wide, the deep and the implicit net, and a share of 0.75 better than 0.5 for the
wide one. Every figure is of all 10,000 test images, one seed; only the attack (20 signed gradient steps on
the loss) takes the first 1,000. Each net that is named replaces its own figures.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import fewfire
from common import DATA, RESULTS, save
from fewfire.adversarial import Box
from fewfire.data import load_dataset
from fewfire.torch import ImplicitLayer, certified_loss, is_certified, ramp

PIXELS, RADIUS, RADII, BOX = 196, 0.05, (0.025, 0.05, 0.1), Box(0, 1)


def feed_forward(*widths: int) -> nn.Sequential:
    sizes = (PIXELS, *widths)
    hidden = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], 10))


@dataclass(frozen=True)
class Trained:
    make: Callable[[], nn.Module]
    epochs: int = 10
    learning_rate: float = 5e-3
    share: float = 0.75
    batch_size: int = 256


TRAINED = {
    "100-50, standard": Trained(lambda: feed_forward(100, 50), learning_rate=1e-3, share=0.0),
    "100-50": Trained(lambda: feed_forward(100, 50)),
    "100-75-50-40-25": Trained(lambda: feed_forward(100, 75, 50, 40, 25)),
    "one layer of 400": Trained(lambda: feed_forward(400)),
    "implicit, 100": Trained(lambda: ImplicitLayer(PIXELS, 100, 10, tolerance=1e-3)),
}


def pooled(images: NDArray) -> Tensor:
    pixels = torch.from_numpy(images.astype(np.float32)).reshape(-1, 14, 2, 14, 2) / 255
    return pixels.mean(dim=(2, 4)).reshape(-1, PIXELS)


def train(settings: Trained, inputs: Tensor, labels: Tensor) -> tuple[nn.Module, float]:
    """A module, and the seconds that its training took."""
    torch.manual_seed(0)
    module, random = settings.make(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    per_epoch = -(-len(inputs) // settings.batch_size)
    steps = settings.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - ramp(step / steps, 0.75, 1.0))
    begin = perf_counter()
    for epoch in range(settings.epochs):
        order = torch.randperm(len(inputs), generator=random)
        for step, ids in enumerate(order.split(settings.batch_size), start=epoch * per_epoch):
            far = ramp(step / steps)
            optimizer.zero_grad()
            loss = certified_loss(module, inputs[ids], labels[ids], RADIUS * far, settings.share * far, BOX)
            loss.backward()
            optimizer.step()
            schedule.step()
    return module, perf_counter() - begin


def attacked(module: nn.Module, inputs: Tensor, labels: Tensor, steps: int = 20) -> Tensor:
    """The inputs after signed steps up the loss, within the radius and the box."""
    low, high = (inputs - RADIUS).clamp(min=0), (inputs + RADIUS).clamp(max=1)
    points = inputs
    for _ in range(steps):
        points = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(module(points), labels), points)
        points = torch.minimum(torch.maximum(points + RADIUS / 8 * gradient.sign(), low), high)
    return points.detach()


def figures(module: nn.Module, inputs: Tensor, labels: Tensor) -> dict[str, object]:
    if isinstance(module, ImplicitLayer):
        module.tolerance = 1e-5  # its errors count against the bounds
    with torch.no_grad():
        clean = (module(inputs).argmax(dim=1) == labels).double().mean().item()
    certified = {
        str(radius): is_certified(module, inputs, labels, radius, BOX).double().mean().item()
        for radius in RADII
    }
    points = attacked(module, inputs[:1000], labels[:1000])
    with torch.no_grad():
        stands = (module(points).argmax(dim=1) == labels[:1000]).double().mean().item()
    return {"clean": clean, "certified": certified, "attacked": stands}


def main(names: list[str]) -> None:
    fewfire.set_threads(1)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        measure(names)


def measure(names: list[str]) -> None:
    dataset = load_dataset(DATA / "fashion_mnist")
    inputs, labels = pooled(dataset.inputs), torch.as_tensor(dataset.labels.astype(int))
    test, test_labels = pooled(dataset.test_inputs), torch.as_tensor(dataset.test_labels.astype(int))
    path = RESULTS / "implicit.json"
    found = json.loads(path.read_text())["figures"] if path.exists() else {}
    for name in names or TRAINED:
        settings = TRAINED[name]
        module, seconds = train(settings, inputs, labels)
        own = {key: value for key, value in asdict(settings).items() if key != "make"}
        parameters = sum(part.numel() for part in module.parameters())
        found[name] = own | {"parameters": parameters, "seconds": seconds}
        found[name] |= figures(module, test, test_labels)
        print(name, found[name], flush=True)
        ordered = {one: found[one] for one in TRAINED if one in found}
        save("implicit", "python benchmarks/implicit.py", ordered)


if __name__ == "__main__":
    main(sys.argv[1:])
