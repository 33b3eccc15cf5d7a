"""What truly happened at 华辰精工 in two fiscal years, from one seed and one number for scale."""

from sandbox.huachen.world.history import world
from sandbox.huachen.world.records import World
from sandbox.huachen.world.spelling import Spelling

__all__ = ["Spelling", "World", "world"]
