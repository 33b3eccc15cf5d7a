"""What every record of every system said, and until when: out of the raw history. One row per record and version."""


def model(dbt, session):
    dbt.ref("customer_record")
    dbt.ref("supplier_record")
    dbt.ref("product_record")
    dbt.ref("employee_record")
    dbt.config(materialized="table")
    from tieout.master_data.build import record_versions

    return record_versions(session)
