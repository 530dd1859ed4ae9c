"""Some neurons of a wide network, the outputs of which are those of the whole."""

import math

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, padded_zeros, stride_of
from fewfire.distributed.group import Group
from fewfire.indexes import ExhaustiveIndex
from fewfire.networks.layer import Layer
from fewfire.networks.structured import StructuredWeights, block_size
from fewfire.networks.threshold import threshold_of
from fewfire.networks.two_layer import TwoLayerNetwork, require_init
from fewfire.system.tensors import sha256

OUTPUTS, WEIGHTS = 0, 1  # streams of random numbers for each block of neurons


class Shard(TwoLayerNetwork):
    """The neurons first .. first + width - 1 of a network of `whole` neurons.

    Outputs are sums over 1, 2, 4 .. groups of neurons, which one process adds up in pairs, pairs of pairs and
    so on. Each of several has some of these groups side by side, sends their sum, and adds up the sums of all
    in the same way. So outputs, and with them the weights after training, have the bits of one process.

    Attributes
    ----------
    group : Group
    whole : int
        Width of the whole network.
    """

    group: Group
    whole: int

    @classmethod
    def draw(
        cls,
        whole: int,
        n_features: int,
        n_outputs: int,
        group: Group,
        *,
        threshold: float | str = "paper",
        fire_rate: float | None = None,
        init: str = "structured",
        seed: int = 0,
    ) -> "Shard":
        """This process's part of a random network, float32, of which it draws no more.

        Weights are Gaussian, or structured as in `StructuredWeights`, and output weights random signs. Each
        block of neurons has random numbers of its own, so the whole does not depend on how many processes
        share it.

        Raises
        ------
        ValueError
            The neurons cannot be shared out in whole groups, or an argument is none that the whole network
            could have.
        """
        require_init(init)
        width = require_divisible(whole, n_features, group.size, init)
        first, dtype = group.rank * width, np.dtype(np.float32)
        rows, output_rows = padded_zeros(width, n_features, dtype), padded_zeros(width, n_outputs, dtype)
        size = block_size(n_features) if init == "structured" else BLOCK
        structures = []
        for begin in range(0, width, size):
            random = np.random.default_rng([seed, WEIGHTS, (first + begin) // size])
            part = rows[begin : begin + size]
            if init == "structured":
                structures.append(StructuredWeights.draw(size, n_features, random, dtype))
                structures[-1].write(part)
            else:
                part[:, :n_features] = random.standard_normal((size, n_features), dtype=np.float32)
        for begin in range(0, width, BLOCK):
            random = np.random.default_rng([seed, OUTPUTS, (first + begin) // BLOCK])
            output_rows[begin : begin + BLOCK, :n_outputs] = 2 * random.integers(0, 2, (BLOCK, n_outputs)) - 1
        layer = Layer(rows, n_features, threshold_of(threshold, whole, fire_rate=fire_rate), whole**-0.5)
        layer.structure = StructuredWeights.joined(structures) if structures else None
        shard = cls.__new__(cls)
        shard._set(layer, output_rows, n_outputs)
        shard.group, shard.whole = group, whole
        return shard

    @property
    def first(self) -> int:
        """The place of the first of these neurons in the whole network."""
        return self.group.rank * self.width

    def outputs(self, fires: FireSet, threshold: float | None = None) -> NDArray:
        """Outputs (n, c) of the whole network, from what fires here and what others say."""
        shape = fires.n_samples, stride_of(self.n_outputs, self.dtype)
        groups = _core.output_groups(self.whole, math.prod(shape))
        if self.group.size > 1 and (self.whole % groups or groups % self.group.size):
            raise ValueError(
                "a batch must be so small that its outputs are sums of equal groups of neurons, and each "
                f"process has whole ones. Got {fires.n_samples} samples, {groups} groups of "
                f"{self.whole} neurons and {self.group.size} processes. Use smaller batches."
            )
        own = np.empty(shape, self.dtype)
        asked = self.threshold if threshold is None else threshold
        _core.forward_groups(fires.core_view, self.output_rows, asked, groups // self.group.size, own)
        sums = self.group.gathered(own).reshape(self.group.size, *shape)
        while len(sums) > 1:
            sums = sums[::2] + sums[1::2]
        return (self.dtype.type(self.scale) * sums[0])[:, : self.n_outputs]

    def checksum(self) -> str:
        """SHA-256 of the weights of all processes, by parts that do not depend on how many there are."""
        part = self.whole // _core.output_groups(self.whole, 1)
        mine = [
            sha256(rows[begin : begin + part].data)
            for begin in range(0, self.width, part)
            for rows in (self.layer.weight_rows, self.output_rows)
        ]
        return sha256("".join(one for each in self.group.told(mine) for one in each).encode())

    def outputs_of_all(self, inputs: Inputs) -> NDArray:
        """The same through what fires: sums over all pairs of a shard would be no shorter."""
        index = ExhaustiveIndex()
        index.build(self.layer)
        return self.outputs(index.fire_set(inputs))


def require_divisible(whole: int, n_features: int, size: int, init: str) -> int:
    """The neurons of each process; ValueError where groups and blocks of neurons would be cut."""
    groups = _core.output_groups(whole, 1)
    block = block_size(n_features) if init == "structured" else BLOCK
    if size < 1 or groups % size or whole % groups or (whole // size) % block:
        raise ValueError(
            f"the width must be a multiple of {groups} groups of neurons and of {block} neurons for each of "
            f"the processes, of which there are 1, 2, 4 .. {groups}. Got width {whole} and {size} processes. "
            f"Use a power of two from {max(block * size, groups * BLOCK)} on."
        )
    return whole // size
