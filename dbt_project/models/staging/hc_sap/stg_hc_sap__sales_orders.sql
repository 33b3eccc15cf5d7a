with source as (select * from {{ source("hc_sap", "sales_order") }})

select
    sales_order as order_no,
    sales_order_type as source_order_type,
    sales_organization as source_organisation,
    distribution_channel as source_channel,
    sold_to_party as source_customer,
    purchase_order_by_customer as customer_reference,
    transaction_currency as currency_code,
    overall_delivery_status as delivery_status,
    overall_ord_reltd_billg_status as invoicing_status,
    overall_sd_process_status as source_status,
    sales_order_date as order_date,
    creation_date as created_date,
    requested_delivery_date as planned_ship_date,
    cast(total_net_amount as decimal(18, 2)) as stated_amount_net_txn,
    last_change_date_time as changed_at
from source
where not _is_deleted
