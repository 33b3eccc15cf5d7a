"""What every golden record that has changed said, and until when. One row per key and version."""


def model(dbt, session):
    dbt.ref("record_version")
    dbt.ref("crosswalk")
    dbt.ref("golden_attribute")
    dbt.config(materialized="table")
    from tieout.master_data.build import golden_versions

    return golden_versions(session, dbt.config.get("registry"))
