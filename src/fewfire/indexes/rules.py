"""Which index is worth it where: every such number stands here."""

BYTES_FEATURES = 16  # at least: with fewer there is little to multiply
TREE_FEATURES = 6  # at most: in more, half-spaces cut nearly every box

# Where screening pays, its copy of the weights included: see docs/decisions/0010-bytes.md.
SCREENED_SAMPLES = 256  # at least
SCREENED_FEATURES = 4096  # at most

# Where all pairs cost less than a search: docs/decisions/0023-all-pairs.md.
ALL_PAIRS_SAMPLES = 16  # at least: they are multiplied 64 at a time
ALL_PAIRS_FEATURES = 128  # at most: a block of 64 samples fills the innermost cache
ALL_PAIRS_FEATURES_BY_RATE = 800  # times the fire rate, at most

NEW_BATCH = 256  # of new inputs at one time, where nothing else says how many

SPARSE = 0.05  # a higher fire rate leaves an index little to save


def for_new_inputs(n_samples: int, n_features: int) -> str:
    """The index that is fastest when it is asked about so many new inputs, once."""
    screens = n_samples >= SCREENED_SAMPLES and n_features <= SCREENED_FEATURES
    return "screened" if screens else "exhaustive"


def search_pays(n_samples: int, n_features: int, fire_rate: float) -> bool:
    """Whether outputs of new inputs come sooner through a fire set than from all pairs."""
    all_pairs_features = min(ALL_PAIRS_FEATURES, ALL_PAIRS_FEATURES_BY_RATE * fire_rate)
    return n_samples < ALL_PAIRS_SAMPLES or n_features > all_pairs_features


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
