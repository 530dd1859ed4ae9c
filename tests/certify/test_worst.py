"""Worst margins in training: their values are bounds, and their derivatives those of PyTorch."""

import numpy as np
import pytest

from fewfire.certify import Ball, Box
from fewfire.certify.region import Region
from fewfire.certify.worst import WorstMargins
from fewfire.prepare import InputScaling
from fewfire.reference import certify as reference

FLOAT64 = np.dtype(np.float64)


def problem(seed, norm, *, scaled, radius=0.3):
    random = np.random.default_rng(seed)
    samples = random.standard_normal((3, 5))
    scaling = InputScaling.fit(samples, standardize=True) if scaled else None
    movable = np.array([True, True, False, True, True])
    region = Region.of(Ball(samples, norm, radius, Box(movable=movable)), scaling, FLOAT64)
    rows = random.standard_normal((40, 6 if scaled else 5))
    return region, rows, random.standard_normal((4, 40)), random.standard_normal(4)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_they_are_the_linear_bounds_of_the_reference(norm):
    random = np.random.default_rng(0)
    sample, rows, weights = (
        random.standard_normal((1, 5)),
        random.standard_normal((40, 5)),
        np.eye(40)[:9] - 0.1,
    )
    region = Region.of(Ball(sample, norm, 0.2), None, FLOAT64)
    found = WorstMargins.of(region, 0, rows, 0.5, weights).values
    plain = reference.linear_bound(rows, weights, sample[0], 0.5, 0.2, norm, flat=False)
    np.testing.assert_allclose(found, plain, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_their_derivatives_are_those_of_torch(norm, scaled, seed):
    torch = pytest.importorskip("torch")
    region, rows, weights, pulls = problem(seed, norm, scaled=scaled)
    for sample in range(len(region)):
        found = WorstMargins.of(region, sample, rows, 0.5, weights)
        w = torch.tensor(rows, requires_grad=True)
        values = torch_margins(torch, region, sample, w, 0.5, torch.tensor(weights))
        np.testing.assert_allclose(found.values, values.detach().numpy(), atol=1e-10)
        (values @ torch.tensor(pulls)).backward()
        largest = np.abs(w.grad.numpy()).max()
        np.testing.assert_allclose(found.gradients(pulls), w.grad.numpy(), atol=1e-9 * largest)


def torch_margins(torch, region, sample, w, threshold, weights):
    """Written anew, a question at a time; slopes below are held, those of chords are not."""
    half, centre = torch.tensor(region.half[sample]), torch.tensor(region.centres[sample])
    tilt = torch.tensor(region.tilt[sample])
    moves = (
        w if region.scaling is None else w[:, :-1] / torch.tensor(region.scaling.scale)
    ) - threshold * tilt

    def reach(v):
        if region.radius is None:
            return (v.abs() * half).sum(-1)
        return region.radius[sample] * torch.linalg.vector_norm(v * half, dim=-1)

    p, r = w @ centre - threshold, reach(moves)
    low, high = p - r, p + r
    values = []
    for row in weights:
        chord = torch.where((low < 0) & (high > 0), high / (high - low), (low >= 0).double())
        below = torch.where((low < 0) & (high > 0), (high > -low).double(), (low >= 0).double())
        slopes = torch.where(row < 0, chord, below) * row
        lifts = torch.where((low < 0) & (high > 0) & (row < 0), -low * slopes, torch.zeros_like(low))
        values.append((slopes * p + lifts).sum() - reach(slopes @ moves))
    return torch.stack(values)


def test_at_a_radius_of_zero_they_are_the_sums_and_their_derivatives():
    region, rows, weights, pulls = problem(9, "l2", scaled=False, radius=0.0)
    found = WorstMargins.of(region, 0, rows, 0.5, weights)
    z = rows @ region.centres[0] - 0.5
    np.testing.assert_allclose(found.values, weights @ np.maximum(z, 0), atol=1e-12)
    expected = np.outer((pulls @ weights) * (z > 0), region.centres[0])
    np.testing.assert_allclose(found.gradients(pulls), expected, atol=1e-12)
