"""`fewfire train`: from data to a run folder, with what happens on the way shown."""

import json as json_format

from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.display import TrainingDisplay
from fewfire.cli.options import OPTIONS, Json, Quiet, takes
from fewfire.cli.streams import console_of
from fewfire.runs import TrainOptions, train_run


@takes(*OPTIONS)
def train(
    options: TrainOptions,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Train a two-layer network and save it in a run folder.

    Examples:

      fewfire train digits --width 16384 --compare-dense 20
      fewfire train fashion_mnist/ --memory-limit 8GB --out runs/fashion
      fewfire train digits --optimizer gauss-newton --epochs 6
      fewfire train digits --width 16384 --print-config > digits.toml
      fewfire train --config digits.toml --seed 1
    """
    with TrainingDisplay(console_of(json=json, quiet=quiet)) as display:
        run = train_run(options, display)
    if json:
        print(json_format.dumps(run.as_dict()))
