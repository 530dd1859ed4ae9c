"""One wide network on several processes or machines: each holds some of its neurons."""

from fewfire.distributed.checkpoints import joined
from fewfire.distributed.group import Group
from fewfire.distributed.shard import Shard
from fewfire.distributed.trainer import ShardTrainer

__all__ = ["Group", "Shard", "ShardTrainer", "joined"]
