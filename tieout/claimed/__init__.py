"""Figures that departments hand in, compared with the governed metrics, each difference explained by its rows."""
