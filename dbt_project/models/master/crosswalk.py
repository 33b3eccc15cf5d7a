"""Which master key every record of every system has. One row per record."""


def model(dbt, session):
    records = {
        "customer": dbt.ref("customer_record"),
        "supplier": dbt.ref("supplier_record"),
        "product": dbt.ref("product_record"),
        "employee": dbt.ref("employee_record"),
    }
    dbt.config(materialized="table")
    from tieout.master_data.build import crosswalk

    return crosswalk(records, dbt.config.get("registry"))
