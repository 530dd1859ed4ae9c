"""A sparse autoencoder on text features: `FiringLayer` beside dense encoders.

    python benchmarks/autoencoder.py      five minutes on two cores, 3 GB

The rows are the 15,000 questions of CLINC150: words and pairs of words, weighted by how rare they are, in 768
dimensions. Three tables: the encoder alone, 65,536 latents of which 0.1 % fire, with the memory that it
takes; a training step of an autoencoder of 16,384 latents, JumpReLU with trained thresholds, in turn with
dense ones; and what some latents of it stand for.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn

import fewfire
from common import DATA, multiplies_bfloat16, save
from fewfire.networks.threshold import threshold_for_fire_rate
from fewfire.torch import FiringLayer
from fewfire.torch.rivals import BFLOAT16, FLOAT32, PURE_BFLOAT16

FEATURES, BATCH = 768, 512
WIDE, RATE, ROUNDS = 65_536, 0.001, 9
WIDTH, STEPS, WARM, THRESHOLD, BANDWIDTH, PENALTY, LEARNING_RATE = 16_384, 300, 30, 0.15, 0.05, 2e-4, 1e-3
Way = Callable[[Tensor], object]


def text_features() -> tuple[list[str], Tensor]:
    """The questions, and their rows of norm 1."""
    parts = json.loads((DATA / "clinc150" / "data_full.json").read_text())
    texts = [text for text, _ in parts["train"]]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)
    rows = TruncatedSVD(FEATURES, random_state=0).fit_transform(words)
    rows -= rows.mean(axis=0)
    return texts, nn.functional.normalize(torch.from_numpy(rows).float())


def seconds(way: Way, rows: Tensor) -> float:
    start = perf_counter()
    way(rows)
    return perf_counter() - start


def extra_bytes(way: Way, rows: Tensor) -> int:
    """By how much the memory of the process grows at its peak while this runs."""
    status = Path("/proc/self/status")

    def kilobytes(name: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = kilobytes("VmRSS")
    kept = way(rows)
    del kept
    return 1024 * (kilobytes("VmHWM") - before)


def onednn(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def jump(z: Tensor, theta: Tensor | float) -> Tensor:
    return z.mul_(z > theta)


def encoders(layer: FiringLayer, threshold: float) -> dict[str, tuple[str, Way]]:
    """A precision and what encodes rows, for each way; biases are 0."""
    weight = layer.weight.detach().contiguous()
    small = weight.bfloat16()
    compiled = torch.compile(lambda rows: jump(rows @ weight.T, threshold))
    return {
        "fewfire": ("", layer),
        "torch.mm": (FLOAT32, lambda rows: jump(rows @ weight.T, threshold)),
        "torch.compile": (FLOAT32, compiled),
        "oneDNN": (FLOAT32, lambda rows: jump(onednn(rows, weight), threshold)),
        "bfloat16, weights rounded anew": (
            BFLOAT16, lambda rows: jump(rows.bfloat16() @ weight.bfloat16().T, threshold)
        ),
        "bfloat16 weights": (PURE_BFLOAT16, lambda rows: jump(rows.bfloat16() @ small.T, threshold)),
    }  # fmt: skip


def encoding(rows: Tensor) -> list[dict]:
    """Time and memory of each way to encode, in turn."""
    threshold = threshold_for_fire_rate(RATE) / FEATURES**0.5
    layer = FiringLayer(FEATURES, WIDE, threshold=threshold)
    batches = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))].split(BATCH)
    ways = encoders(layer, threshold)
    with torch.no_grad():
        for way in ways.values():
            for _ in range(2):
                way[1](batches[0])
        taken = {name: [] for name in ways}
        for round_ in range(ROUNDS):
            for name, (_, way) in ways.items():
                taken[name].append(seconds(way, batches[1 + round_]))
        stored = len(layer(batches[1]).values())
        dense = ways["torch.mm"][1](batches[1])
        assert torch.equal(layer(batches[1]).to_dense() != 0, dense != 0), "others fire"
        found = [
            {
                "way": name,
                "precision": precision,
                "seconds": median(taken[name]),
                "extra_bytes": extra_bytes(way, batches[2]),
                "fires": stored / (BATCH * WIDE),
            }
            for name, (precision, way) in ways.items()
        ]
    return found


class Step(torch.autograd.Function):
    """H(z - theta), whose gradient by theta is that of a ramp as wide as the bandwidth."""

    @staticmethod
    def forward(ctx, z: Tensor, theta: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(z, theta)
        return (z > theta).to(z.dtype)

    @staticmethod
    def backward(ctx, pulls: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        z, theta = ctx.saved_tensors
        near = (z - theta).abs() < BANDWIDTH / 2
        return None, -(pulls * near).sum(0) / BANDWIDTH


class OneDnnProduct(torch.autograd.Function):
    """left @ right.T with products of oneDNN forward and back."""

    @staticmethod
    def forward(ctx, left: Tensor, right: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(left, right)
        return onednn(left, right)

    @staticmethod
    def backward(ctx, pulls: Tensor) -> tuple[Tensor | None, Tensor]:  # type: ignore[override]
        left, right = ctx.saved_tensors
        of_left = onednn(pulls, right.T.contiguous()) if ctx.needs_input_grad[0] else None
        return of_left, onednn(pulls.T.contiguous(), left.T.contiguous())


class Autoencoder(nn.Module):
    """The error of rows behind an encoder and a decoder, and how many latents fire."""

    def __init__(self, encoder: FiringLayer) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.Parameter(encoder.weight.detach().clone())

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder.encode(rows)

    def decode(self, latents: Tensor) -> Tensor:
        return latents @ self.decoder

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        latents, fire = self.encode(rows)
        return (self.decode(latents) - rows).square().sum(dim=1).mean(), fire


class Dense(Autoencoder):
    """All pre-activations, as most users write it."""

    def __init__(self, encoder: FiringLayer) -> None:
        nn.Module.__init__(self)
        self.weight, self.bias, self.theta, self.decoder = (
            nn.Parameter(part.detach().clone(memory_format=torch.contiguous_format))
            for part in (encoder.weight, encoder.bias, encoder.theta, encoder.weight)
        )

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        z = self.product(rows, self.weight) + self.bias
        steps = Step.apply(z, self.theta)
        return z * steps.detach() + self.theta.detach() * (steps - steps.detach()), steps.sum() / len(rows)

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right.T


class DenseOneDnn(Dense):
    def product(self, left: Tensor, right: Tensor) -> Tensor:
        return OneDnnProduct.apply(left, right)

    def decode(self, latents: Tensor) -> Tensor:
        return OneDnnProduct.apply(latents, self.decoder.T.contiguous())


class DenseAutocast(Dense):
    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(rows)


def autoencoders() -> dict[str, tuple[str, nn.Module]]:
    """A precision and an autoencoder for each way, all with the same initial values."""
    encoder = FiringLayer(FEATURES, WIDTH, threshold=THRESHOLD, bandwidth=BANDWIDTH)
    ours = Autoencoder(encoder)
    with torch.no_grad():  # rows of norm 1, as its decoder keeps them
        encoder.weight.copy_(nn.functional.normalize(encoder.weight))
        ours.decoder.copy_(encoder.weight)
    found = {
        "fewfire": ("", ours),
        "autograd": (FLOAT32, Dense(encoder)),
        "torch.compile": (FLOAT32, torch.compile(Dense(encoder))),
        "oneDNN": (FLOAT32, DenseOneDnn(encoder)),
    }
    if multiplies_bfloat16():  # else a step takes many times as long
        found["bfloat16 autocast"] = BFLOAT16, DenseAutocast(encoder)
    return found


def training(rows: Tensor) -> tuple[list[dict], Autoencoder]:
    """Time per step, in turn, and the error in the end; ours goes on alone once the times are known."""
    order = torch.Generator().manual_seed(0)
    batches = [rows[torch.randint(len(rows), (BATCH,), generator=order)] for _ in range(STEPS)]
    found, taken, errors = autoencoders(), {}, {}
    steps = {}
    for name, (_, model) in found.items():
        fused = name != "fewfire"  # whose rows are padded: a compiled step is as fast
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused, foreach=False)
        descend = optimizer.step if fused else torch.compile(optimizer.step)

        def step(rows: Tensor, model=model, optimizer=optimizer, descend=descend, name=name) -> None:
            optimizer.zero_grad()
            error, fire = model(rows)
            (error + PENALTY * fire).backward()
            descend()
            errors[name] = error.item(), fire.item()

        steps[name], taken[name] = step, []
    for number, batch in enumerate(batches[:WARM]):
        for name, step in steps.items():
            spent = seconds(step, batch)
            if number >= WARM - ROUNDS:
                taken[name].append(spent)
    together = dict(errors)
    for batch in batches[WARM:]:
        steps["fewfire"](batch)
    table = [
        {
            "way": name,
            "precision": precision,
            "seconds": median(taken[name]),
            "error": together[name][0],
            "fire": together[name][1],
        }
        for name, (precision, _) in found.items()
    ]
    table[0] |= {"error_in_the_end": errors["fewfire"][0], "fire_in_the_end": errors["fewfire"][1]}
    ours = found["fewfire"][1]
    assert isinstance(ours, Autoencoder)
    return table, ours


def readings(texts: list[str], rows: Tensor, model: Autoencoder, count: int = 6) -> list[dict]:
    """Some latents that fire on about a hundredth of the rows, with the three rows that they fire most on."""
    with torch.no_grad():
        latents = model.encode(rows)[0]
    samples = np.repeat(np.arange(len(rows)), np.diff(latents.crow_indices().numpy()))
    neurons, values = latents.col_indices().numpy(), latents.values().numpy()
    often = np.bincount(neurons, minlength=WIDTH)
    chosen = np.argsort(np.abs(often - len(rows) / 100), kind="stable")[:count]
    found = []
    for latent in chosen:
        own = neurons == latent
        best = samples[own][np.argsort(-values[own])[:3]]
        found.append(
            {"latent": int(latent), "fires_on": int(often[latent]), "most": [texts[row] for row in best]}
        )
    return found


def beside(table: list[dict]) -> None:
    """Print how much faster the first row is than each of the others."""
    for row in table:
        print(f"{row['way']}: {1e3 * row['seconds']:.1f} ms, {row['seconds'] / table[0]['seconds']:.2f} x")


if __name__ == "__main__":
    torch.set_num_threads(fewfire.threads())
    texts, rows = text_features()
    print(f"{len(rows)} rows of {FEATURES} features", flush=True)
    encoded = encoding(rows)
    beside(encoded)
    print({row["way"]: f"{row['extra_bytes'] / 2**20:.0f} MB" for row in encoded}, flush=True)
    trained, model = training(rows)
    beside(trained)
    print(*(f"{row['way']}: error {row['error']:.4f}, {row['fire']:.1f} fire" for row in trained), sep="\n")
    latents = readings(texts, rows, model)
    print(*latents, sep="\n")
    figures = {"encoding": encoded, "training": trained, "latents": latents}
    save("autoencoder", "python benchmarks/autoencoder.py", figures)
