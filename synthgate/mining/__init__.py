"""Mining: what always holds in the real rows, found without being told."""

from synthgate.mining.miner import Mined, MinedRule, mine

__all__ = ["Mined", "MinedRule", "mine"]
