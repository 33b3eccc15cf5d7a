"""Pairs of records that a steward should look at, with the evidence. One row per pair."""


def model(dbt, session):
    dbt.ref("crosswalk")  # comes before: it leaves the pairs beside the keys
    dbt.config(materialized="table")
    from tieout.master_data.build import review

    return review(dbt.config.get("registry"))
