"""How a model in training stands the attack that it is trained against, on test samples, after each epoch."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial import Attack, Box, Robustness, robust_accuracy
from fewfire.adversarial.ball import as_floats
from fewfire.data import Dataset
from fewfire.networks.deep import two_layers_of
from fewfire.prepare.model import Model
from fewfire.prepare.targets import TargetScaling

SAMPLES, STEPS = 512, 10  # a few percent of an epoch of PGD on Fashion-MNIST


@dataclass(eq=False)
class UnderAttack:
    """The first 512 test samples under an attack of ten steps: far less than `fewfire attack` can try.

    Attributes
    ----------
    model : Model
    samples : (n, p) array
    labels : (n,) array
    attack : Attack
    seed : int
    found : Robustness or None
        What the last call found.
    """

    model: Model
    samples: NDArray
    labels: NDArray
    attack: Attack
    seed: int
    found: Robustness | None = field(default=None, init=False)

    @classmethod
    def of(cls, model: Model, dataset: Dataset, attack: Attack, seed: int) -> "UnderAttack | None":
        """For a model that is trained against this attack; None where it names no class."""
        if not model.names_a_class or model.network.n_outputs < 2:
            return None
        samples, box = as_floats(dataset.test_inputs[:SAMPLES]), attack.box
        low, high = np.minimum(box.low, samples.min(axis=0)), np.maximum(box.high, samples.max(axis=0))
        tried = replace(
            attack, steps=STEPS, step_size=None, random_start=True, restarts=1, box=Box(low, high)
        )
        return cls(model, samples, dataset.test_labels[:SAMPLES], tried, seed)

    def __call__(self) -> dict[str, float | None]:
        """Accuracy as the samples are, and whatever the attack tries: fields of `AdversarialRecord`.

        Cost: twelve fire sets of these samples, and the build of an index.
        """
        member, targets = self.model.members[0], self.model.targets
        assert not isinstance(targets, TargetScaling)
        self.found = robust_accuracy(
            two_layers_of(member.network, "an attack"), self.samples, targets.encode(self.labels),
            self.attack, scaling=member.preparation.scaling, mean=self.model.mean, seed=self.seed,
        )  # fmt: skip
        return {"clean_accuracy": self.found.clean, "robust_accuracy": self.found.robust}

    @property
    def fooled(self) -> "Fooled | None":
        """The samples that the last attack broke; None before the first."""
        return None if self.found is None else Fooled.of(self.model, self.samples, self.labels, self.found)


@dataclass(frozen=True, eq=False)
class Fooled:
    """Samples that a model names rightly, and where an attack has led them, so that it does no longer.

    Attributes
    ----------
    samples, examples : (k, p) arrays
    labels, named : (k,) arrays
        What they are, and what the attacked ones are taken for.
    """

    samples: NDArray
    examples: NDArray
    labels: NDArray
    named: NDArray

    @classmethod
    def of(cls, model: Model, samples: NDArray, labels: NDArray, found: Robustness) -> "Fooled":
        moved = (found.examples != samples).any(axis=1)
        examples = found.examples[moved]
        named = model.labels(examples) if len(examples) else labels[moved]
        return cls(samples[moved], examples, labels[moved], named)
