"""From outputs to probabilities, by what the outputs were worth on samples that they had not seen.

The outputs of training say too much of themselves. Those of leaving one out are honest, and cost nothing
beside the choice of the ridge that they are made for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHARPNESS = (0.1, 100.0)  # least and most
MOST_DOUBT = 0.5


@dataclass(frozen=True)
class Link:
    """p = (1 - doubt) softmax(sharpness f) + doubt / k: the order of k outputs stays, and nothing is 0 or 1.

    Attributes
    ----------
    sharpness : float
        By which outputs are multiplied: one over what is called temperature.
    doubt : float
        The share that goes to all classes alike.

    Source: temperature scaling, C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural
    networks" (ICML 2017). The doubt bounds what a single sample may cost.
    """

    sharpness: float = 4.0
    doubt: float = 0.01

    @classmethod
    def fit(cls, outputs: Floats, classes: NDArray[np.int64], weights: Floats | None = None) -> "Link":
        """The link with the least mean log loss on outputs (n, k) of samples that these did not see.

        Few samples cannot speak for a small doubt: it is at least 1 / (n + 2).
        """
        from scipy.optimize import minimize

        least_doubt = 1 / (len(outputs) + 2)
        if least_doubt >= MOST_DOUBT:
            return cls(doubt=MOST_DOUBT)

        def loss(parameters: Floats) -> float:
            shares = cls(float(np.exp(parameters[0])), float(np.exp(parameters[1]))).probabilities(outputs)
            return float(np.average(-np.log(shares[np.arange(len(classes)), classes]), weights=weights))

        start = np.log([cls.sharpness, max(cls.doubt, least_doubt)])
        bounds = [tuple(np.log(SHARPNESS)), (np.log(least_doubt), np.log(MOST_DOUBT))]
        sharpness, doubt = np.exp(minimize(loss, start, bounds=bounds, method="L-BFGS-B").x)
        return cls(float(sharpness), float(doubt))

    def probabilities(self, outputs: Floats) -> Floats:
        """Of outputs (n, k): (n, k), each row of sum 1."""
        shares = np.exp(self.sharpness * (outputs - outputs.max(axis=1, keepdims=True)))
        shares /= shares.sum(axis=1, keepdims=True)
        return (1 - self.doubt) * shares + self.doubt / outputs.shape[1]
