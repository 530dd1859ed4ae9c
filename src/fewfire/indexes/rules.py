"""Which index is worth it where: every such number stands here."""

BYTES_FEATURES = 16  # at least: with fewer there is little to multiply
TREE_FEATURES = 6  # at most: in more, half-spaces cut nearly every box

# Where screening pays, its copy of the weights included: see docs/decisions/0010-bytes.md.
SCREENED_SAMPLES = 256  # at least
SCREENED_FEATURES = 4096  # at most

SPARSE = 0.05  # a higher fire rate leaves an index little to save


def for_new_inputs(n_samples: int, n_features: int) -> str:
    """The index that is fastest when it is asked about so many new inputs, once."""
    screens = n_samples >= SCREENED_SAMPLES and n_features <= SCREENED_FEATURES
    return "screened" if screens else "exhaustive"


def for_few_steps(fire_rate: float) -> str:
    """The index for a handful of Gauss-Newton steps, each of which asks about all samples."""
    return "drift" if fire_rate < SPARSE else "exhaustive"


def for_one_pass() -> str:
    """The index for a single pass over a few samples, which pays for no build."""
    return "exhaustive"


def worth_a_probe(n_features: int, steps_per_epoch: int) -> list[str]:
    """The indexes that may be fastest in gradient descent, the cheapest probe first."""
    holds = {
        "exhaustive": True,
        "weight_tree": n_features <= TREE_FEATURES,
        "screened": BYTES_FEATURES <= n_features <= SCREENED_FEATURES,
        "drift": n_features > TREE_FEATURES or steps_per_epoch == 1,
    }
    return [name for name, worth in holds.items() if worth]
