"""How rows come in: extract → landing (immutable batches) → load (one writer) → raw history."""
