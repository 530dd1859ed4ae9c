"""A trained network with the way into it and out of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.losses import predicted_classes
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.classes import Classes
from fewfire.prepare.columns import Features
from fewfire.prepare.scaling import InputScaling
from fewfire.prepare.targets import TargetScaling

N_BEST = 5  # predictions for a row that may have several labels


@dataclass(frozen=True)
class Model:
    """A network with the way into it and out of it: from features as read to labels as written.

    Attributes
    ----------
    network : TwoLayerNetwork
    features : Features
    scaling : InputScaling
    targets : Classes or TargetScaling
        What its outputs stand for: classes, or real values.
    """

    network: TwoLayerNetwork
    features: Features
    scaling: InputScaling
    targets: Classes | TargetScaling

    def labels(self, samples: NDArray) -> NDArray:
        """Predicted labels (n,) of samples (n, features.n_inputs) as read.

        Where a row may have several labels: the best five (n, 5) or all of them, the likeliest first. In a
        regression: values (n, c) in the units of the targets.

        Raises
        ------
        DataError
            A sample is not finite, or the samples are not two-dimensional.
        """
        inputs = Inputs.of(self.scaling.transform(samples, self.network.dtype), self.network.dtype)
        outputs = predicted_outputs(self.network, inputs)
        if isinstance(self.targets, TargetScaling):
            return self.targets.inverse(outputs)
        if self.targets.several:
            return self.targets.decode(np.argsort(-outputs, axis=1, kind="stable")[:, :N_BEST])
        return self.targets.decode(predicted_classes(outputs))
