"""`from metrics.metric('revenue_amount_net', grain := 'month', dims_by := 'customer_code')`, in the warehouse and in snapshots."""

from __future__ import annotations

METRIC_TABLES = {"metrics.metric_values", "metrics.compiled_query"}  # what it reads

# The guard is a scalar subquery, so no filter of the caller can prune it away: a name that does not exist is
# an error and never an empty answer (a `union all` branch with error() was pruned; seen with DuckDB 1.5).
METRIC_MACRO = """
create or replace macro metrics.metric(which, grain := 'month', dims_by := 'all') as table
select
    v.metric_name, v.time_grain, v.dim_set, v.period_start, v.dims, v.value, v.unit, v.currency_code
from metrics.metric_values as v
where
    v.metric_name = (
        select
            case
                when count(*) = 0
                then
                    error(
                        'unknown metric, grain or dimensions: ' || which || ' / ' || grain || ' / ' || dims_by
                        || '. See metrics.metric_catalog, and metrics.compiled_query where has_values.'
                    )
                else which
            end
        from metrics.compiled_query as known
        where
            known.metric_name = which
            and known.time_grain = grain
            and known.dim_set = dims_by
            and known.has_values
    )
    and v.time_grain = grain
    and v.dim_set = dims_by
"""
