"""The value of every attribute of every golden record, with the record it comes from. One row per key and attribute."""


def model(dbt, session):
    records = {
        "customer": dbt.ref("customer_record"),
        "supplier": dbt.ref("supplier_record"),
        "product": dbt.ref("product_record"),
        "employee": dbt.ref("employee_record"),
    }
    crosswalk = dbt.ref("crosswalk")
    dbt.config(materialized="table")
    from tieout.master_data.build import golden

    return golden(session, records, crosswalk, dbt.config.get("registry"))
