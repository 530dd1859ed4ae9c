"""Counted operations: what an answer cost, independent of the machine."""

from dataclasses import dataclass, fields


@dataclass
class Work:
    """Operations counted by an index since it was made. All counts are of pairs unless said otherwise.

    Attributes
    ----------
    asked : pairs (width * batch) asked about
    checked : pairs looked at by a byte of a table
    multiplied : pairs multiplied in a blocked GEMM of any precision, each d multiply-adds, or as many as
        cost that
    near : pairs that passed the first filter
    sketch_products : multiply-adds of sketches: k for each pair tested, and those of hash functions
    dots : pairs that the shared dot kernel decided, each d multiply-adds
    fired : pairs that fired
    measured : neurons whose drift was measured, each d multiply-adds
    refreshed : blocks of 64 neurons whose table, or rows in a tree, were written again
    nodes : boxes of a tree that met a half-space, each 2 d multiply-adds
    placed : rows put into a part of a tree by a build, once a level
    compared : nodes of max-trees met with the threshold
    maxima : nodes of max-trees written again
    hashed : values of hash functions that were worked out for neurons
    gram_products : multiply-adds with rows of the Gram matrix
    input_products : multiply-adds of the neurons of a later layer with the inputs that fire
    pair_products : multiply-adds over pairs of a firing neuron of such a layer and a firing input: of the
        gradient by the inputs, and of the step; not spent on finding who fires
    oracle_queries : questions "does this neuron fire on this sample?" that quantum searches would have asked;
        only the Grover index counts them
    """

    asked: int = 0
    checked: int = 0
    multiplied: int = 0
    near: int = 0
    sketch_products: int = 0
    dots: int = 0
    fired: int = 0
    measured: int = 0
    refreshed: int = 0
    nodes: int = 0
    placed: int = 0
    compared: int = 0
    maxima: int = 0
    hashed: int = 0
    gram_products: int = 0
    input_products: int = 0
    pair_products: int = 0
    oracle_queries: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __sub__(self, earlier: "Work") -> "Work":
        return Work(**{f.name: getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)})

    def copy(self) -> "Work":
        return self - Work()

    def go_on_from(self, other: "Work") -> None:
        """Count on from there."""
        vars(self).update(vars(other))

    def multiply_adds(self, n_features: int) -> int:
        """Multiply-adds spent on finding who fires."""
        products = self.multiplied + self.dots + self.measured + 2 * self.nodes
        return products * n_features + self.sketch_products + self.gram_products + self.input_products

    def share_of_dense(self, n_features: int) -> float:
        """Multiply-adds of the whole step (finding, and moving what fired) over those of a dense one.

        A dense step spends 2 m B d: the pre-activations, and the gradient of the weights.
        """
        if self.asked == 0:
            return 0.0
        spent = self.multiply_adds(n_features) + self.fired * n_features
        return spent / (2 * self.asked * n_features)
