"""Where does dense win? The ratio of a dense step to ours over width, features, batch size and fire rate.

    python benchmarks/grid.py      about half an hour on two cores, most of which torch.compile takes

Random inputs on the unit sphere, 2,048 samples, one epoch, then steps in turn.
"""

from itertools import product

from common import one_hot, save, unit_rows
from fewfire import TwoLayerNetwork
from fewfire.plan import plan_trainer
from fewfire.torch import compare_dense

N_SAMPLES, STEPS = 2_048, 16
WIDTHS, FEATURES, BATCHES = (256, 1_024, 4_096, 16_384, 65_536), (8, 64, 784), (32, 256)
FIRE_RATES = (0.02, 0.1, 0.25, 0.5)

figures = []
for width, n_features, batch, fire_rate in product(WIDTHS, FEATURES, BATCHES, FIRE_RATES):
    network = TwoLayerNetwork.initialize(width, n_features, 10, fire_rate=fire_rate)
    trainer = plan_trainer(network, unit_rows(N_SAMPLES, n_features), one_hot(N_SAMPLES), batch_size=batch)
    trainer.build()
    record = trainer.epoch()
    comparison = compare_dense(trainer, STEPS)
    figures.append(
        {
            "width": width,
            "n_features": n_features,
            "batch_size": batch,
            "fire_rate_at_start": fire_rate,
            "fire_rate": record.fire_rate,
        }
        | comparison.as_dict()
    )
    print(
        f"width {width:>6,}  features {n_features:>3}  batch {batch:>3}  fires {fire_rate:>4.0%}: "
        f"{comparison.speedup:6.2f} / {comparison.bfloat16_speedup:6.2f} x",
        flush=True,
    )
save("grid", "python benchmarks/grid.py", figures)
