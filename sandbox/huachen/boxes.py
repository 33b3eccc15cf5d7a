"""How goods are boxed when they leave: what the warehouse labels and the carrier counts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sandbox.huachen.world.records import Move, Product


def boxes(delivery: Move, products: dict[str, Product]) -> Iterator[tuple[int, str, Decimal]]:
    """Line number, product and quantity of each box; the last box of a line may be part full."""
    for line in delivery.lines:
        price = products[line.product].price
        full = Decimal(20 if price < 200 else 4 if price < 3000 else 1)
        rest = line.quantity
        while rest > 0:
            yield line.number, line.product, min(full, rest)
            rest -= full
